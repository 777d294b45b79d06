//! The one door to an oracle: checks, counts, budget and log.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::structure::Structure;
#[cfg(feature = "burn")]
use super::structure::Utility;
use super::{Answer, Oracle, OracleError, Pair, SafetyQuery};
use crate::rollout::Trajectory;

/// What was asked of an oracle, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queries {
    /// Pairs asked.
    pub asked: u64,
    /// Answers that were no abstention, ties among them.
    pub answered: u64,
    /// Answers of exactly ½.
    pub tied: u64,
    /// Abstentions.
    pub abstained: u64,
    /// Of a safety oracle: trajectories, or windows, whose safety was asked about.
    #[serde(default)]
    pub verdicts: u64,
}

/// Comparisons decided by sorting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// Pairs.
    pub asked: u64,
    /// Of them ties.
    pub tied: u64,
}

/// An oracle whose every comparison is checked, counted, held to a budget and, if asked for, logged.
pub struct MeteredOracle {
    oracle: Box<dyn Oracle>,
    budget: Option<u64>,
    queries: Queries,
    log: Option<Log>,
    /// Whether the comparisons are of safety.
    of_safety: bool,
}

struct Log {
    path: PathBuf,
    file: File,
}

/// Column names of the log of comparisons.
const LOG_HEADER: &str = "query,steps_a,steps_b,task_return_a,task_return_b,p_a_wins\n";
/// Of a safety oracle's; a verdict has no b, and 1 where a is safe.
const SAFETY_LOG_HEADER: &str = "query,steps_a,steps_b,cost_a,cost_b,p_a_safer\n";

impl MeteredOracle {
    /// A door to `oracle`; `budget` limits the comparisons of the whole run.
    pub fn new(oracle: Box<dyn Oracle>, budget: Option<u64>) -> Self {
        Self { oracle, budget, queries: Queries::default(), log: None, of_safety: false }
    }

    /// A door to an oracle that is asked about safety, beside one that is asked what is better: its noise is its own.
    #[must_use]
    pub fn of_safety(self) -> Self {
        Self { of_safety: true, ..self }
    }

    /// Logs every comparison to a CSV file, from byte `resume_at` of it (0: a new file).
    ///
    /// # Errors
    /// [`OracleError::Log`] where the file cannot be opened.
    pub fn log_to(&mut self, path: &Path, resume_at: u64) -> Result<(), OracleError> {
        let open = || -> io::Result<File> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
            file.set_len(resume_at)?;
            file.seek(io::SeekFrom::End(0))?;
            if resume_at == 0 {
                let header = if self.of_safety { SAFETY_LOG_HEADER } else { LOG_HEADER };
                file.write_all(header.as_bytes())?;
            }
            Ok(file)
        };
        let file = open().map_err(|source| OracleError::Log { path: path.into(), source })?;
        self.log = Some(Log { path: path.into(), file });
        Ok(())
    }

    /// Makes the log durable and returns its length in bytes; 0 without a log.
    ///
    /// # Errors
    /// [`OracleError::Log`], as on a full disk.
    pub fn sync_log(&mut self) -> Result<u64, OracleError> {
        let Some(log) = &mut self.log else { return Ok(0) };
        log.file
            .sync_data()
            .and_then(|()| log.file.stream_position())
            .map_err(|source| OracleError::Log { path: log.path.clone(), source })
    }

    /// The counts so far.
    pub fn queries(&self) -> Queries {
        self.queries
    }

    /// Goes on from the counts of a checkpoint.
    pub fn restore(&mut self, queries: Queries) {
        self.queries = queries;
    }

    /// Asks the oracle; a batch is asked whole or, where the budget does not cover it, not at all.
    ///
    /// # Errors
    /// [`OracleError::Budget`], [`OracleError::Count`], [`OracleError::Range`], or the oracle's own.
    pub fn ask(&mut self, pairs: &[Pair<'_>], rng: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        let (first, next) = (self.asked_at_all(), pairs.len() as u64);
        self.check_budget(next)?;
        let mut own = self.own_draws(rng);
        let answers = self.oracle.compare(pairs, own.as_mut().map_or(rng, |own| own))?;
        if answers.len() != pairs.len() {
            return Err(OracleError::Count { asked: pairs.len(), got: answers.len() });
        }
        for (pair, answer) in answers.iter().enumerate() {
            match *answer {
                Answer::Prefer(value) if !(0.0..=1.0).contains(&value) => {
                    return Err(OracleError::Range { pair, value });
                }
                Answer::Prefer(p) => {
                    self.queries.answered += 1;
                    self.queries.tied += u64::from(p == 0.5);
                }
                Answer::Abstain => self.queries.abstained += 1,
            }
        }
        self.queries.asked += next;
        self.write_log(first, pairs, &answers)?;
        Ok(answers)
    }

    /// Has an oracle of safety say of trajectories one by one whether they are safe. Verdicts are counted apart from
    /// comparisons, which alone are held to the budget.
    ///
    /// # Errors
    /// [`OracleError::Count`], or the oracle's own.
    pub fn verdicts(
        &mut self,
        shown: &[SafetyQuery<'_>],
        rng: &mut dyn Rng,
    ) -> Result<Vec<Option<bool>>, OracleError> {
        let first = self.asked_at_all();
        let mut own = self.own_draws(rng);
        let judge = self.oracle.safety_judge().ok_or(OracleError::NoSafetyJudge)?;
        let verdicts = judge.verdicts(shown, own.as_mut().map_or(rng, |own| own))?;
        if verdicts.len() != shown.len() {
            return Err(OracleError::Count { asked: shown.len(), got: verdicts.len() });
        }
        self.queries.verdicts += shown.len() as u64;
        let rows = (first..).zip(shown).zip(&verdicts).map(|((number, e), verdict)| {
            let (t, answer) = (e.trajectory, verdict.map(u8::from));
            (number, t.len(), "", t.total_cost(), "", answer)
        });
        self.write_rows(rows)?;
        Ok(verdicts)
    }

    /// Comparisons and verdicts so far, by which the log numbers them.
    fn asked_at_all(&self) -> u64 {
        self.queries.asked + self.queries.verdicts
    }

    /// What an oracle of safety draws from: other numbers than the oracle that is asked the same what is better.
    fn own_draws(&self, rng: &mut dyn Rng) -> Option<ChaCha8Rng> {
        self.of_safety.then(|| ChaCha8Rng::seed_from_u64(!rng.next_u64()))
    }

    /// Has trajectories rated one by one, each a query; a batch is asked whole or, where the budget does not cover it,
    /// not at all.
    ///
    /// # Errors
    /// [`OracleError::Budget`], [`OracleError::Count`], [`OracleError::Rating`], or the oracle's own.
    pub fn rate(&mut self, trajectories: &[Trajectory<'_>]) -> Result<Vec<Option<f32>>, OracleError> {
        let asked = trajectories.len() as u64;
        self.check_budget(asked)?;
        let ratings = self.oracle.rater().ok_or(OracleError::NoRater)?.rate(trajectories)?;
        if ratings.len() != trajectories.len() {
            return Err(OracleError::Count { asked: trajectories.len(), got: ratings.len() });
        }
        for (trajectory, rating) in ratings.iter().enumerate() {
            match *rating {
                Some(value) if !(-1.0..=1.0).contains(&value) => {
                    return Err(OracleError::Rating { trajectory, value });
                }
                Some(_) => self.queries.answered += 1,
                None => self.queries.abstained += 1,
            }
        }
        self.queries.asked += asked;
        Ok(ratings)
    }

    /// What is known of the oracle; nothing where a log wants every comparison.
    fn structure(&self) -> Structure<'_> {
        if self.log.is_some() { Structure::default() } else { self.oracle.structure() }
    }

    /// The numbers by which the oracle decides, where it declares them and no log wants every comparison.
    pub fn utilities<'t>(&self, of: impl Iterator<Item = Trajectory<'t>>) -> Option<Vec<f64>> {
        let utility = self.structure().utility?;
        Some(of.map(|t| utility.value(t)).collect())
    }

    /// Whether the longer task return wins and no log wants every comparison.
    #[cfg(feature = "burn")]
    pub(crate) fn by_return(&self) -> bool {
        matches!(self.structure().utility, Some(Utility::TaskReturn))
    }

    /// The kinds that the oracle tells apart, where it declares them and no log wants every comparison.
    pub fn kinds<'t>(&self, of: impl Iterator<Item = Trajectory<'t>>) -> Option<Vec<usize>> {
        let class = self.structure().class?;
        of.map(class).collect()
    }

    /// P(a ≻ b) of a trajectory of one kind with one of another, uncounted: the answer of all such pairs.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), and where it abstains, which an oracle of kinds does not.
    pub fn between_kinds(&mut self, pairs: &[Pair<'_>], rng: &mut dyn Rng) -> Result<Vec<f32>, OracleError> {
        let answers = self.oracle.compare(pairs, rng)?;
        if answers.len() != pairs.len() {
            return Err(OracleError::Count { asked: pairs.len(), got: answers.len() });
        }
        let preference = |(pair, answer): (usize, &Answer)| match *answer {
            Answer::Prefer(p) if (0.0..=1.0).contains(&p) => Ok(p),
            Answer::Prefer(value) => Err(OracleError::Range { pair, value }),
            Answer::Abstain => Err(OracleError::Failed("an oracle of kinds abstained".into())),
        };
        answers.iter().enumerate().map(preference).collect()
    }

    /// Counts comparisons that [`utilities`](Self::utilities) or [`kinds`](Self::kinds) decided.
    ///
    /// # Errors
    /// [`OracleError::Budget`]; nothing is then counted.
    pub fn count_decided(&mut self, Decided { asked, tied }: Decided) -> Result<(), OracleError> {
        self.check_budget(asked)?;
        self.queries.asked += asked;
        self.queries.answered += asked;
        self.queries.tied += tied;
        Ok(())
    }

    /// Comparisons that the budget still covers; `None` without one.
    pub fn remaining(&self) -> Option<u64> {
        self.budget.map(|budget| budget.saturating_sub(self.queries.asked))
    }

    fn check_budget(&self, next: u64) -> Result<(), OracleError> {
        let asked = self.queries.asked;
        match self.budget.filter(|&b| asked + next > b) {
            Some(budget) => Err(OracleError::Budget { budget, asked, next }),
            None => Ok(()),
        }
    }

    fn write_log(&mut self, first: u64, pairs: &[Pair<'_>], answers: &[Answer]) -> Result<(), OracleError> {
        let of_safety = self.of_safety;
        let worth = |t: Trajectory<'_>| if of_safety { t.total_cost() } else { t.task_return() };
        self.write_rows((first..).zip(pairs).zip(answers).map(|((number, pair), answer)| {
            let p = match answer {
                Answer::Prefer(p) => p.to_string(),
                Answer::Abstain => String::new(),
            };
            (number, pair.a.len(), pair.b.len(), worth(pair.a), worth(pair.b), p)
        }))
    }

    fn write_rows(&mut self, rows: impl Iterator<Item = impl Serialize>) -> Result<(), OracleError> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        let written = (|| -> io::Result<()> {
            for row in rows {
                csv.serialize(row)?;
            }
            log.file.write_all(&csv.into_inner().map_err(|e| io::Error::other(e.to_string()))?)
        })();
        written.map_err(|source| OracleError::Log { path: log.path.clone(), source })
    }
}
