//! The feedback: who or what answered, what was asked, and how consistent the answers to a second query are.

use std::collections::BTreeMap;

use serde::Serialize;
use spo_envs::Checked;

use super::players::Players;
use super::recorded::Recorded;
use super::{Found, Judge, found};
use spo::base::stats::{self, Interval};
use spo::game::PreferenceMatrix;
use spo::oracle::human::progress::{Agreement, Share};
use spo::oracle::human::store::{self, Store};
use spo::oracle::{OracleEvents, Queries, check};
use spo::policy::Acting;
use spo::rollout::{self, Episode, Phase, Request, Trajectory};
use spo::train::Record;
use spo::train::config::{Config, ScorerKind};
use spo::train::run::files;

/// Trajectories in the second query: 2 · 24 · 23 + 24 = 1,128 comparisons.
const TRAJECTORIES: usize = 24;
/// Rows of the table of counts.
const ROWS: usize = 5;

/// Figures about the feedback.
#[derive(Clone, Debug, Serialize)]
pub struct Feedback {
    /// Its text in the configuration.
    pub oracle: String,
    /// The kind of judge.
    pub kind: String,
    /// How pairs were chosen.
    pub selection: String,
    /// Largest number of comparisons of the run; 0 means no limit.
    pub budget: u64,
    /// Counts of comparisons, from the latest row of the metrics.
    pub counts: Option<Queries>,
    /// The same counts during the training.
    pub course: Vec<Counts>,
    /// Counts of oracle events, by kind.
    pub notes: BTreeMap<String, u64>,
    /// People's labels, if people answered.
    pub people: Option<People>,
    /// Figures from the log of comparisons, if there is one.
    pub logged: Option<LogFigures>,
    /// The second query.
    #[serde(serialize_with = "found")]
    pub again: Found<Requery>,
}

/// Counts up to an iteration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Counts {
    /// Environment steps.
    pub env_steps: u64,
    /// Comparisons.
    #[serde(flatten)]
    pub queries: Queries,
}

/// Figures about people's labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct People {
    /// All people, ordered by their number of labels.
    pub annotators: Vec<Share>,
    /// Agreement of two people who saw the same pair; `None` if no pair has two answers.
    pub agreement: Option<Agreement>,
    /// Number of labels for the left and for the right side; the sides were drawn at random.
    pub sides: (u64, u64),
}

/// Figures from the log of comparisons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LogFigures {
    /// Comparisons.
    pub rows: u64,
    /// Number of comparisons with a preferred side and different task returns.
    pub decided: u64,
    /// How many of them prefer the larger return.
    pub with_return: u64,
    /// The same for the last third of the log.
    pub late: (u64, u64),
}

/// The result of the second query.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Requery {
    /// The contract test.
    pub check: check::Report,
    /// Share of pairs that had the same winner when asked twice.
    pub agreement: f64,
    /// Its 95 % interval (Wilson 1927).
    #[serde(serialize_with = "bounds")]
    pub agreement_interval: Interval,
    /// The rate ε of random flips that would explain this agreement: (1 − ε)² + ε².
    pub flip_rate: f64,
    /// Share of trios that form a cycle.
    pub cyclic_share: f64,
    /// Largest share of cyclic trios that such flips explain: ε (1 − ε), at the lower end of the interval.
    pub explained_share: f64,
    /// Steps of the compared trajectories.
    pub window: usize,
    /// If the oracle is a game over options: a shortest cycle of options, empty if there is none.
    pub game_circle: Option<Vec<String>>,
}

fn bounds<S: serde::Serializer>(i: &Interval, to: S) -> Result<S::Ok, S::Error> {
    [i.low, i.high].serialize(to)
}

impl Feedback {
    /// The figures of a run. Its oracle is queried again about trajectories of its own policies.
    pub fn collect(recorded: &mut Recorded, players: &Players, judge: &Judge, seed: u64) -> Self {
        let config = &recorded.config;
        let people = config.oracle.asks_people();
        let labels = (people || recorded.dir.join(store::FILE).is_file()).then(|| labels(recorded));
        let log = recorded.dir.join(files::COMPARISONS);
        let log = log.exists().then(|| logged(&log));
        let again = match config.scorer {
            ScorerKind::TaskReward => Err("there is no oracle: the scorer is the task's own reward".into()),
            _ => again(&recorded.config, players, judge, seed),
        };
        Self {
            oracle: recorded.config.oracle.to_string(),
            kind: kind(&recorded.config).into(),
            selection: recorded.config.pairs(),
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
    let oracle = &config.oracle;
    if config.scorer == ScorerKind::TaskReward {
        "no one: the scorer is the task's own reward"
    } else if oracle.asks_people() {
        "people"
    } else if oracle.asks_language_model() {
        "a language model"
    } else if oracle.asks_program() {
        "a program"
    } else {
        "a built-in simulated teacher (or a closure in a Rust program, which a run does not record)"
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

/// At most [`ROWS`] rows, evenly spaced, the latest last.
fn course(records: &[Record]) -> Vec<Counts> {
    let rows = records.len().min(ROWS);
    let at = |k: usize| &records[(k + 1) * records.len() / rows - 1];
    (0..rows).map(|k| Counts { env_steps: at(k).env_steps, queries: queries(at(k)) }).collect()
}

fn labels(recorded: &Recorded) -> Found<People> {
    let read = || {
        let store = Store::open(&recorded.dir)?;
        let progress = store.progress(None)?;
        Ok(People { annotators: progress.annotators, agreement: progress.agreement, sides: store.sides()? })
    };
    read().map_err(|e: store::LabelError| e.to_string())
}

/// Reads the log twice: once for its length and once for its content.
fn logged(path: &std::path::Path) -> Found<LogFigures> {
    type Row = (u64, usize, usize, f64, f64, Option<f32>);
    let failed = |e: csv::Error| format!("{}: {e}", files::COMPARISONS);
    let read = || csv::Reader::from_path(path).map_err(failed);
    let rows = read()?.into_records().count() as u64;
    let mut log = LogFigures { rows, ..LogFigures::default() };
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

fn again(config: &Config, players: &Players, judge: &Judge, seed: u64) -> Found<Requery> {
    let factory = players.factory.clone()?;
    let notes = OracleEvents::default();
    let mut oracle = judge.oracle(&factory, &notes)?;
    let count = trajectories(judge.most()).ok_or_else(|| judge.too_expensive(asked(3)))?;
    let course = players.course(TRAJECTORIES)?;
    let request = Request {
        seed,
        phase: Phase::Evaluate,
        iteration: 1,
        states: 1,
        per_state: count,
        acting: Acting::Sample,
    };
    // The policies act in turn, the latest first; no two trajectories use the same random numbers.
    let mut env = Checked::new(factory().map_err(|e| e.to_string())?);
    let by = |at: usize| &course[course.len() - 1 - at % course.len()].policies;
    let episodes: Vec<Episode> = (0..count)
        .map(|at| rollout::episode(by(at), &mut env, &request, at))
        .collect::<Result<_, _>>()
        .map_err(|e| e.to_string())?;
    let shown: Vec<Trajectory<'_>> = episodes.iter().map(|e| middle(e, config.compared_steps())).collect();
    let check = check::check(&mut *oracle, &shown, &notes, seed).map_err(|e| e.to_string())?;
    let window = shown.iter().map(Trajectory::len).max().unwrap_or(0);
    Ok(Requery {
        game_circle: oracle.structure().preference_matrix().map(|game| circle(&game)),
        ..Requery::new(check, window)
    })
}

/// A shortest cycle of a game's options: each is preferred to the next and the last to the first. Empty if there is none.
fn circle(game: &PreferenceMatrix) -> Vec<String> {
    let n = game.len();
    let beats: Vec<Vec<bool>> = (0..n).map(|i| (0..n).map(|j| game.margin(i, j) > 0.0).collect()).collect();
    let found = check::cycle::shortest(&beats).unwrap_or_default();
    found.into_iter().map(|i| game.names()[i].clone()).collect()
}

/// Number of comparisons of a contract test with `n` trajectories.
fn asked(n: u64) -> u64 {
    2 * n * (n - 1) + n
}

/// Largest number of trajectories for `most` comparisons; `None` if it is below three.
fn trajectories(most: u64) -> Option<usize> {
    (3..=TRAJECTORIES).rev().find(|&n| asked(n as u64) <= most)
}

/// The part of an episode that a run compares: the whole episode, or a window of `width` steps from its middle.
fn middle(episode: &Episode, width: usize) -> Trajectory<'_> {
    let steps = episode.len();
    if width == 0 || width >= steps {
        return episode.trajectory();
    }
    // An aligned window, as in self-play.
    let from = (steps / 2 / width * width).min(steps - width);
    episode.window(from, from + width)
}

impl Requery {
    /// The consistency of the oracle, from a contract test.
    pub fn new(check: check::Report, window: usize) -> Self {
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

/// The rate ε of independent flips at which two answers to a question agree with probability a: (1 − ε)² + ε² = a, so
/// ε = (1 − √(2a − 1)) / 2. It is ½ if they agree no more often than by chance.
///
/// A transitive trio becomes a cycle if only the answer between its ends is flipped, or only the other two:
/// ε (1 − ε)² + ε² (1 − ε) = ε (1 − ε).
pub fn flip_rate(agreement: f64) -> f64 {
    0.5 * (1.0 - (2.0 * agreement - 1.0).max(0.0).sqrt())
}
