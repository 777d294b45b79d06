//! How scorers ask an oracle: every comparison is checked, counted, kept to a budget and logged.

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::structure::Structure;
#[cfg(feature = "burn")]
use super::structure::Utility;
use super::{Answer, Oracle, OracleError, Pair, SafetyQuery};
use crate::base::table::Table;
use crate::rollout::Trajectory;

/// How much an oracle was asked, and how it answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queries {
    /// Pairs asked.
    pub asked: u64,
    /// Answers that are not abstentions, ties included.
    pub answered: u64,
    /// Answers of exactly ½.
    pub tied: u64,
    /// Abstentions.
    pub abstained: u64,
    /// Of a safety oracle: trajectories, or windows, that it was asked to call safe or unsafe.
    #[serde(default)]
    pub verdicts: u64,
}

/// Comparisons whose answers follow from what is known of the oracle, without asking it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DerivedCounts {
    /// Number of pairs.
    pub asked: u64,
    /// Ties among them.
    pub tied: u64,
}

/// An oracle whose comparisons are checked, counted, kept to a budget and, if wanted, logged.
pub struct MeteredOracle {
    oracle: Box<dyn Oracle>,
    budget: Option<u64>,
    queries: Queries,
    log: Option<Table>,
    /// Whether it is asked which of two is safer, rather than better.
    of_safety: bool,
}

/// Column names of the log of comparisons.
const LOG_HEADER: &str = "query,steps_a,steps_b,task_return_a,task_return_b,p_a_wins\n";
/// The same for a safety oracle. A verdict has no b, and its answer is 1 if a is safe.
const SAFETY_LOG_HEADER: &str = "query,steps_a,steps_b,cost_a,cost_b,p_a_safer\n";

impl MeteredOracle {
    /// Meters `oracle`; `budget` limits the comparisons of the whole run.
    pub fn new(oracle: Box<dyn Oracle>, budget: Option<u64>) -> Self {
        Self { oracle, budget, queries: Queries::default(), log: None, of_safety: false }
    }

    /// As a safety oracle. It draws other random numbers than the oracle that is asked what is better, although both are
    /// given the same stream.
    #[must_use]
    pub fn of_safety(self) -> Self {
        Self { of_safety: true, ..self }
    }

    /// Logs every comparison to a CSV file, from byte `resume_at` of it (0: a new file).
    ///
    /// # Errors
    /// [`OracleError::Log`] if the file cannot be opened.
    pub fn log_to(&mut self, path: &Path, resume_at: u64) -> Result<(), OracleError> {
        let header = if self.of_safety { SAFETY_LOG_HEADER } else { LOG_HEADER };
        let log = Table::open(path.into(), resume_at).and_then(|mut log| {
            log.write_header(header)?;
            Ok(log)
        });
        self.log = Some(log.map_err(|source| OracleError::Log { path: path.into(), source })?);
        Ok(())
    }

    /// Makes the log durable and returns its length in bytes; 0 without a log.
    ///
    /// # Errors
    /// [`OracleError::Log`], as on a full disk.
    pub fn sync_log(&mut self) -> Result<u64, OracleError> {
        let Some(log) = &mut self.log else { return Ok(0) };
        log.sync().map_err(|source| OracleError::Log { path: log.path().into(), source })
    }

    /// The counts so far.
    pub fn queries(&self) -> Queries {
        self.queries
    }

    /// Continues from the counts of a checkpoint.
    pub fn restore(&mut self, queries: Queries) {
        self.queries = queries;
    }

    /// Asks the oracle. If the budget does not cover the whole batch, nothing of it is asked.
    ///
    /// # Errors
    /// [`OracleError::Budget`], [`OracleError::Count`], [`OracleError::Range`], or the oracle's own error.
    pub fn ask(&mut self, pairs: &[Pair<'_>], rng: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        let (first, next) = (self.questions(), pairs.len() as u64);
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

    /// Asks a safety oracle of each trajectory whether it is safe. Verdicts are counted apart from comparisons, and do not
    /// use up the budget.
    ///
    /// # Errors
    /// [`OracleError::NoSafetyJudge`], [`OracleError::Count`], or the oracle's own error.
    pub fn verdicts(
        &mut self,
        queries: &[SafetyQuery<'_>],
        rng: &mut dyn Rng,
    ) -> Result<Vec<Option<bool>>, OracleError> {
        let first = self.questions();
        let mut own = self.own_draws(rng);
        let judge = self.oracle.safety_judge().ok_or(OracleError::NoSafetyJudge)?;
        let verdicts = judge.verdicts(queries, own.as_mut().map_or(rng, |own| own))?;
        if verdicts.len() != queries.len() {
            return Err(OracleError::Count { asked: queries.len(), got: verdicts.len() });
        }
        self.queries.verdicts += queries.len() as u64;
        let rows = (first..).zip(queries).zip(&verdicts).map(|((number, e), verdict)| {
            let (t, answer) = (e.trajectory, verdict.map(u8::from));
            (number, t.len(), "", t.total_cost(), "", answer)
        });
        self.write_rows(rows)?;
        Ok(verdicts)
    }

    /// Comparisons and verdicts so far: the number of the next row of the log.
    fn questions(&self) -> u64 {
        self.queries.asked + self.queries.verdicts
    }

    /// The random numbers of a safety oracle, which differ from those of the oracle that is asked what is better.
    fn own_draws(&self, rng: &mut dyn Rng) -> Option<ChaCha8Rng> {
        self.of_safety.then(|| ChaCha8Rng::seed_from_u64(!rng.next_u64()))
    }

    /// Asks for a rating of each trajectory; each is a query. If the budget does not cover the whole batch, nothing of it
    /// is asked.
    ///
    /// # Errors
    /// [`OracleError::NoRater`], [`OracleError::Budget`], [`OracleError::Count`], [`OracleError::Rating`], or the oracle's
    /// own error.
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

    /// What is known of the oracle; nothing if a log wants every comparison.
    fn structure(&self) -> Structure<'_> {
        if self.log.is_some() { Structure::default() } else { self.oracle.structure() }
    }

    /// The utility of each trajectory, if the oracle has one and no log wants every comparison.
    pub fn utilities<'t>(&self, of: impl Iterator<Item = Trajectory<'t>>) -> Option<Vec<f64>> {
        let utility = self.structure().utility?;
        Some(of.map(|t| utility.value(t)).collect())
    }

    /// Whether the larger task return wins and no log wants every comparison.
    #[cfg(feature = "burn")]
    pub(crate) fn by_return(&self) -> bool {
        matches!(self.structure().utility, Some(Utility::TaskReturn))
    }

    /// The equivalence class of each trajectory, if the oracle has classes and no log wants every comparison.
    pub fn classes<'t>(&self, of: impl Iterator<Item = Trajectory<'t>>) -> Option<Vec<usize>> {
        let class = self.structure().class?;
        of.map(class).collect()
    }

    /// P(a ≻ b) for a pair of trajectories of two classes, which is the answer to all such pairs. It is not counted: see
    /// [`count_derived`](Self::count_derived).
    ///
    /// # Errors
    /// As [`ask`](Self::ask), or if the oracle abstains, which one with classes must not.
    pub fn between_classes(
        &mut self,
        pairs: &[Pair<'_>],
        rng: &mut dyn Rng,
    ) -> Result<Vec<f32>, OracleError> {
        let answers = self.oracle.compare(pairs, rng)?;
        if answers.len() != pairs.len() {
            return Err(OracleError::Count { asked: pairs.len(), got: answers.len() });
        }
        let preference = |(pair, answer): (usize, &Answer)| match *answer {
            Answer::Prefer(p) if (0.0..=1.0).contains(&p) => Ok(p),
            Answer::Prefer(value) => Err(OracleError::Range { pair, value }),
            Answer::Abstain => {
                Err(OracleError::Failed("an oracle with equivalence classes must not abstain".into()))
            }
        };
        answers.iter().enumerate().map(preference).collect()
    }

    /// Counts comparisons that follow from [`utilities`](Self::utilities) or [`classes`](Self::classes).
    ///
    /// # Errors
    /// [`OracleError::Budget`]; nothing is then counted.
    pub fn count_derived(&mut self, DerivedCounts { asked, tied }: DerivedCounts) -> Result<(), OracleError> {
        self.check_budget(asked)?;
        self.queries.asked += asked;
        self.queries.answered += asked;
        self.queries.tied += tied;
        Ok(())
    }

    /// Comparisons that the budget still covers; `None` without a budget.
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
        let value = |t: Trajectory<'_>| if of_safety { t.total_cost() } else { t.task_return() };
        self.write_rows((first..).zip(pairs).zip(answers).map(|((number, pair), answer)| {
            let p = match answer {
                Answer::Prefer(p) => p.to_string(),
                Answer::Abstain => String::new(),
            };
            (number, pair.a.len(), pair.b.len(), value(pair.a), value(pair.b), p)
        }))
    }

    fn write_rows(&mut self, rows: impl Iterator<Item = impl Serialize>) -> Result<(), OracleError> {
        let Some(log) = &mut self.log else { return Ok(()) };
        log.push(rows).map_err(|source| OracleError::Log { path: log.path().into(), source })
    }
}
