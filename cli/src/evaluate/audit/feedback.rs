//! The feedback: who or what answered, what was asked, and how well it answers when it is asked again.

use std::collections::BTreeMap;

use serde::Serialize;
use spo_envs::Checked;

use super::players::Players;
use super::recorded::Recorded;
use super::{Found, Judge, found};
use spo::base::stats::{self, Interval};
use spo::game::PreferenceMatrix;
use spo::oracle::human::Human;
use spo::oracle::human::progress::{Agreement, Share};
use spo::oracle::human::store::{self, Store};
use spo::oracle::{OracleEvents, Queries, check, exec, llm};
use spo::policy::Acting;
use spo::rollout::{self, Episode, Phase, Request, Trajectory};
use spo::scorer::opponents::Opponents;
use spo::scorer::reward_model::queries::Sampling;
use spo::train::Record;
use spo::train::config::{Config, ScorerKind};
use spo::train::run::files;

/// Trajectories that the oracle is asked about again: 2 · 24 · 23 + 24 = 1,128 comparisons.
const TRAJECTORIES: usize = 24;
/// Rows of how the counts grew.
const ROWS: usize = 5;

/// What is known of the feedback.
#[derive(Clone, Debug, Serialize)]
pub struct Feedback {
    /// As the configuration names it.
    pub oracle: String,
    /// What kind of judge that is.
    pub kind: String,
    /// How the pairs were chosen.
    pub selection: String,
    /// Most comparisons of the run; 0 sets no limit.
    pub budget: u64,
    /// What was asked, by the newest row of the metrics.
    pub counts: Option<Queries>,
    /// The same on the way.
    pub course: Vec<Counted>,
    /// What happened on the way to the answers, by kind.
    pub notes: BTreeMap<String, u64>,
    /// Where people answered.
    pub people: Option<People>,
    /// Where every comparison was logged.
    pub logged: Option<Logged>,
    /// The oracle asked again.
    #[serde(serialize_with = "found")]
    pub again: Found<Again>,
}

/// Counts up to some iteration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Counted {
    /// Environment steps.
    pub env_steps: u64,
    /// Comparisons.
    #[serde(flatten)]
    pub queries: Queries,
}

/// What the labels of people say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct People {
    /// Everybody, most labels first.
    pub annotators: Vec<Share>,
    /// How far two people who saw the same pair said the same; `None` where no pair has two answers.
    pub agreement: Option<Agreement>,
    /// Labels for what stood on the left, and on the right; sides were drawn at random.
    pub sides: (u64, u64),
}

/// What the log of comparisons says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Logged {
    /// Comparisons.
    pub rows: u64,
    /// Those with a preferred side and different task returns.
    pub decided: u64,
    /// Of them those that prefer the larger return.
    pub with_return: u64,
    /// The same of the last third of the log.
    pub late: (u64, u64),
}

/// What came of asking again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Again {
    /// The contract test.
    pub check: check::Report,
    /// Share of the pairs asked twice that had the same winner.
    pub agreement: f64,
    /// Its 95 % interval (Wilson 1927).
    #[serde(serialize_with = "bounds")]
    pub agreement_interval: Interval,
    /// The rate ε of flips that would explain it: agreement = (1 − ε)² + ε².
    pub flip_rate: f64,
    /// Share of trios that go in circles.
    pub cyclic_share: f64,
    /// Share of trios that such flips explain at most: ε (1 − ε), by the interval's lower end.
    pub explained_share: f64,
    /// Steps of what was compared.
    pub window: usize,
    /// Where the oracle is a game over options: a shortest circle among them, empty where there is none.
    pub game_circle: Option<Vec<String>>,
}

fn bounds<S: serde::Serializer>(i: &Interval, to: S) -> Result<S::Ok, S::Error> {
    [i.low, i.high].serialize(to)
}

impl Feedback {
    /// Of a run; its oracle is asked again about trajectories of its own policies.
    pub fn of(recorded: &mut Recorded, players: &Players, judge: &Judge, seed: u64) -> Self {
        let config = &recorded.config;
        let people = Human::of(&config.oracle).is_some();
        let labels = (people || recorded.dir.join(store::FILE).is_file()).then(|| labels(recorded));
        let log = recorded.dir.join(files::COMPARISONS);
        let log = log.exists().then(|| logged(&log));
        let again = match config.scorer {
            ScorerKind::TaskReward => Err("nobody is asked: the scorer is the task's own reward".into()),
            _ => again(&recorded.config, players, judge, seed),
        };
        Self {
            oracle: recorded.config.oracle.clone(),
            kind: kind(&recorded.config).into(),
            selection: selection(&recorded.config),
            budget: recorded.config.budget,
            counts: recorded.records.last().map(queries),
            course: course(&recorded.records),
            notes: recorded.summary.as_ref().map(|s| s.notes.clone()).unwrap_or_default(),
            people: labels.and_then(|labels| recorded.note(labels).ok()),
            logged: log.and_then(|log| recorded.note(log).ok()),
            again,
        }
    }
}

fn kind(config: &Config) -> &'static str {
    let text = &config.oracle;
    if config.scorer == ScorerKind::TaskReward {
        "nobody: the scorer is the task's own reward"
    } else if Human::of(text).is_some() {
        "people"
    } else if llm::is_asked_by(text) {
        "a language model"
    } else if exec::is_asked_by(text) {
        "a program"
    } else {
        "a simulated teacher, built in (or a closure in a Rust program, which a run does not record)"
    }
}

/// Steps that are compared at once; 0 where whole trajectories are.
fn compared_steps(c: &Config) -> usize {
    match c.scorer {
        ScorerKind::RewardModel => c.reward_model.segment_length,
        _ => c.self_play.window,
    }
}

fn selection(c: &Config) -> String {
    let unit = match (c.scorer, compared_steps(c)) {
        (_, 0) => "whole trajectories".to_string(),
        (ScorerKind::RewardModel, steps) => format!("segments of {steps} steps"),
        (_, steps) => format!("aligned windows of {steps} steps"),
    };
    let group = format!(
        "the {} trajectories from one of {} initial states",
        c.rollout.trajectories_per_state, c.rollout.num_states
    );
    match c.scorer {
        ScorerKind::TaskReward => "no pairs".into(),
        ScorerKind::LlmDirect => "no pairs: each trajectory rated by itself".into(),
        ScorerKind::RewardModel => {
            let how = match c.reward_model.query_sampling {
                Sampling::Uniform => "at random",
                Sampling::Disagreement => "where the ensemble disagrees most",
                Sampling::Entropy => "where the model is least sure",
            };
            format!("{unit} that begin anywhere, of any two recent trajectories, chosen {how}")
        }
        ScorerKind::SelfPlay if c.self_play.mixture_coef > 0.0 => {
            format!("{unit} of {group}, each with those of a mixture of the policy and the reference policy")
        }
        ScorerKind::SelfPlay if c.self_play.extragradient => {
            format!("{unit} of {group}, each with those of the policy that an update would give")
        }
        ScorerKind::SelfPlay => match c.self_play.opponents {
            Opponents::Group if c.self_play.optimism => {
                format!("all pairs of {unit} among {group}, and with all of the iteration before")
            }
            Opponents::Group => format!("all pairs of {unit} among {group}"),
            Opponents::Sampled(m) => {
                format!("{unit}, each with {m} others drawn at random among {group}")
            }
            Opponents::Queue(b) => format!("{unit}, each with those of the last {b} trajectories"),
        },
    }
}

fn queries(r: &Record) -> Queries {
    Queries {
        asked: r.queries,
        answered: r.answered,
        tied: r.tied,
        abstained: r.abstained,
        ..Queries::default()
    }
}

/// At most [`ROWS`] rows, evenly spaced, the newest last.
fn course(records: &[Record]) -> Vec<Counted> {
    let rows = records.len().min(ROWS);
    let at = |k: usize| &records[(k + 1) * records.len() / rows - 1];
    (0..rows).map(|k| Counted { env_steps: at(k).env_steps, queries: queries(at(k)) }).collect()
}

fn labels(recorded: &Recorded) -> Found<People> {
    let read = || {
        let store = Store::open(&recorded.dir)?;
        let progress = store.progress(None)?;
        Ok(People { annotators: progress.annotators, agreement: progress.agreement, sides: store.sides()? })
    };
    read().map_err(|e: store::LabelError| e.to_string())
}

/// Reads the log once for its length and once for what it says.
fn logged(path: &std::path::Path) -> Found<Logged> {
    type Row = (u64, usize, usize, f64, f64, Option<f32>);
    let failed = |e: csv::Error| format!("{}: {e}", files::COMPARISONS);
    let read = || csv::Reader::from_path(path).map_err(failed);
    let rows = read()?.into_records().count() as u64;
    let mut log = Logged { rows, ..Logged::default() };
    for (at, row) in (0..).zip(read()?.deserialize::<Row>()) {
        let (_, _, _, a, b, p) = row.map_err(failed)?;
        let Some(p) = p.filter(|p| *p != 0.5 && a != b) else { continue };
        let with_return = u64::from((p > 0.5) == (a > b));
        log.decided += 1;
        log.with_return += with_return;
        if 3 * at >= 2 * rows {
            log.late.0 += 1;
            log.late.1 += with_return;
        }
    }
    Ok(log)
}

fn again(config: &Config, players: &Players, judge: &Judge, seed: u64) -> Found<Again> {
    let factory = players.factory.clone()?;
    let notes = OracleEvents::default();
    let mut oracle = judge.oracle(&factory, &notes)?;
    let count = trajectories(judge.most()).ok_or_else(|| judge.too_dear(asked(3)))?;
    let course = players.course(TRAJECTORIES)?;
    let request = Request {
        seed,
        phase: Phase::Evaluate,
        iteration: 1,
        states: 1,
        per_state: count,
        acting: Acting::Sample,
    };
    // In turn by each policy, the newest first; no two of them draw the same actions.
    let mut env = Checked::new(factory().map_err(|e| e.to_string())?);
    let by = |at: usize| &course[course.len() - 1 - at % course.len()].policies;
    let episodes: Vec<Episode> = (0..count)
        .map(|at| rollout::episode(by(at), &mut env, &request, at))
        .collect::<Result<_, _>>()
        .map_err(|e| e.to_string())?;
    let shown: Vec<Trajectory<'_>> = episodes.iter().map(|e| middle(e, compared_steps(config))).collect();
    let check = check::check(&mut *oracle, &shown, &notes, seed).map_err(|e| e.to_string())?;
    let window = shown.iter().map(Trajectory::len).max().unwrap_or(0);
    Ok(Again { game_circle: oracle.game().map(|game| circle(&game)), ..Again::of(check, window) })
}

/// A shortest circle of a game's options, each preferred to the next and the last to the first; empty where there is none.
fn circle(game: &PreferenceMatrix) -> Vec<String> {
    let n = game.len();
    let beats: Vec<Vec<bool>> = (0..n).map(|i| (0..n).map(|j| game.margin(i, j) > 0.0).collect()).collect();
    let found = check::cycle::shortest(&beats).unwrap_or_default();
    found.into_iter().map(|i| game.names()[i].clone()).collect()
}

/// What a contract test of so many trajectories asks.
fn asked(n: u64) -> u64 {
    2 * n * (n - 1) + n
}

/// The most trajectories that so many comparisons cover, of three at least.
fn trajectories(most: u64) -> Option<usize> {
    (3..=TRAJECTORIES).rev().find(|&n| asked(n as u64) <= most)
}

/// What a run compares of an episode: the whole of it, or a window of `width` steps from its middle.
fn middle(episode: &Episode, width: usize) -> Trajectory<'_> {
    let steps = episode.len();
    if width == 0 || width >= steps {
        return episode.trajectory();
    }
    // An aligned one, as self-play compares them.
    let from = (steps / 2 / width * width).min(steps - width);
    episode.window(from, from + width)
}

impl Again {
    /// What a contract test says of consistency.
    pub fn of(check: check::Report, window: usize) -> Self {
        let (pairs, same) = check.repeated;
        let agreement_interval = stats::wilson(same as f64, pairs as f64);
        let agreement = same as f64 / pairs.max(1) as f64;
        let sure = flip_rate(agreement_interval.low);
        Self {
            agreement,
            agreement_interval,
            flip_rate: flip_rate(agreement),
            cyclic_share: check.cyclic_trios as f64 / check.trios.max(1) as f64,
            explained_share: sure * (1.0 - sure),
            check,
            window,
            game_circle: None,
        }
    }
}

/// The rate ε of independent flips at which two answers to a question agree so often: (1 − ε)² + ε² = a, so
/// ε = (1 − √(2a − 1)) / 2; ½ where they agree no more often than by chance.
///
/// A transitive trio becomes a cycle where the answer between its ends alone is flipped, or the other two alone:
/// ε (1 − ε)² + ε² (1 − ε) = ε (1 − ε).
pub fn flip_rate(agreement: f64) -> f64 {
    0.5 * (1.0 - (2.0 * agreement - 1.0).max(0.0).sqrt())
}
