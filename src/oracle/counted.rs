//! The one door to an oracle: checks, counts, budget and log.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{Answer, Oracle, OracleError, Pair};
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
pub struct Counted {
    oracle: Box<dyn Oracle>,
    budget: Option<u64>,
    queries: Queries,
    log: Option<Log>,
}

struct Log {
    path: PathBuf,
    file: File,
}

/// Column names of the log of comparisons.
const LOG_HEADER: &str = "query,steps_a,steps_b,task_return_a,task_return_b,p_a_wins\n";

impl Counted {
    /// A door to `oracle`; `budget` limits the comparisons of the whole run.
    pub fn new(oracle: Box<dyn Oracle>, budget: Option<u64>) -> Self {
        Self { oracle, budget, queries: Queries::default(), log: None }
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
                file.write_all(LOG_HEADER.as_bytes())?;
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
        let (asked, next) = (self.queries.asked, pairs.len() as u64);
        self.check_budget(next)?;
        let answers = self.oracle.compare(pairs, rng)?;
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
        self.write_log(asked, pairs, &answers)?;
        Ok(answers)
    }

    /// Has trajectories rated one by one, each a query; a batch is asked whole or, where the budget does not cover it,
    /// not at all.
    ///
    /// # Errors
    /// [`OracleError::Budget`], [`OracleError::Count`], [`OracleError::Rating`], or the oracle's own.
    pub fn rate(&mut self, trajectories: &[Trajectory<'_>]) -> Result<Vec<Option<f32>>, OracleError> {
        let asked = trajectories.len() as u64;
        self.check_budget(asked)?;
        let ratings = self.oracle.rate(trajectories)?;
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

    /// The numbers by which the oracle decides, where it declares them and no log wants every comparison.
    pub fn utilities<'t>(&self, of: impl Iterator<Item = Trajectory<'t>>) -> Option<Vec<f64>> {
        if self.log.is_some() { None } else { of.map(|t| self.oracle.utility(t)).collect() }
    }

    /// The kinds that the oracle tells apart, where it declares them and no log wants every comparison.
    pub fn kinds<'t>(&self, of: impl Iterator<Item = Trajectory<'t>>) -> Option<Vec<usize>> {
        if self.log.is_some() { None } else { of.map(|t| self.oracle.kind(t)).collect() }
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
        let Some(log) = &mut self.log else { return Ok(()) };
        let mut rows = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        let written = (|| -> io::Result<()> {
            for (i, (pair, answer)) in pairs.iter().zip(answers).enumerate() {
                let p = match answer {
                    Answer::Prefer(p) => p.to_string(),
                    Answer::Abstain => String::new(),
                };
                rows.serialize((
                    first + i as u64,
                    pair.a.len(),
                    pair.b.len(),
                    pair.a.task_return(),
                    pair.b.task_return(),
                    p,
                ))?;
            }
            log.file.write_all(&rows.into_inner().map_err(|e| io::Error::other(e.to_string()))?)
        })();
        written.map_err(|source| OracleError::Log { path: log.path.clone(), source })
    }
}
