//! How many pairs are answered, and how often people agree.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::answers::Annotator;
use super::now;
use super::pairs::PREFERENCE;
use super::store::{LabelError, Store, Trainer};

/// What the page shows about the progress.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// What the trainer does.
    pub trainer: Trainer,
    /// The round, an iteration of training, from 1; 0 before the first.
    pub round: u64,
    /// Pairs of the round.
    pub round_pairs: u64,
    /// Those of them with as many answers as they need.
    pub round_done: u64,
    /// Pairs asked so far.
    pub asked: u64,
    /// Pairs that the budget still allows; `None` without a budget.
    pub left: Option<u64>,
    /// Labels by the annotator who is looking at the page.
    pub mine: u64,
    /// All annotators, most labels first.
    pub annotators: Vec<Share>,
    /// How often people agree; `None` if no pair has two answers.
    pub agreement: Option<Agreement>,
}

/// One annotator's part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// Their name.
    pub name: String,
    /// Number of labels.
    pub labels: u64,
    /// Whether they are shown a pair now.
    pub active: bool,
}

/// How often two people who answered the same pair gave the same answer; "can't tell" is left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Pairs of answers to the same question.
    pub compared: u64,
    /// Those of them that are the same.
    pub same: u64,
}

impl Store {
    /// Number of labels that prefer the left trajectory, and that prefer the right one.
    ///
    /// # Errors
    /// [`LabelError::Database`].
    pub fn sides(&self) -> Result<(u64, u64), LabelError> {
        self.read(|t| {
            let count = |side: &str| {
                t.query_row("SELECT count(*) FROM labels WHERE answer = ?1", [side], |r| r.get::<_, i64>(0))
            };
            Ok((count("left")? as u64, count("right")? as u64))
        })
    }

    /// The progress, as `who` sees it.
    ///
    /// # Errors
    /// [`LabelError::Database`].
    pub fn progress(&self, who: Option<&Annotator>) -> Result<Progress, LabelError> {
        let (about, trainer) = (self.about()?, self.trainer()?);
        self.read(|t| {
            let count = |sql: &str| t.query_row(sql, [], |r| r.get::<_, i64>(0)).map(|n| n as u64);
            let (round, round_pairs) = t
                .query_row("SELECT round, count(*) FROM pairs WHERE state != 2 GROUP BY round ORDER BY round DESC LIMIT 1", [], |r| {
                    Ok((r.get::<_, i64>(0)? as u64, r.get::<_, i64>(1)? as u64))
                })
                .optional()?
                .unwrap_or_default();
            let round_done = t.query_row(
                "SELECT count(*) FROM pairs p WHERE round = ?1 AND (state = 1 OR \
                 (SELECT count(*) FROM labels l WHERE l.a = p.a AND l.b = p.b) >= ?2) AND state != 2",
                params![round as i64, about.votes],
                |r| r.get::<_, i64>(0),
            )? as u64;
            let asked = count("SELECT count(*) FROM pairs WHERE state != 2")?;
            let annotators = annotators(t)?;
            let mine = annotators.iter().find(|s| who.is_some_and(|w| w.name() == s.name)).map_or(0, |s| s.labels);
            Ok(Progress {
                trainer,
                round,
                round_pairs,
                round_done,
                asked,
                left: (about.budget > 0).then(|| about.budget.saturating_sub(asked)),
                mine,
                agreement: agreement(t)?,
                annotators,
            })
        })
    }
}

fn annotators(t: &Connection) -> Result<Vec<Share>, rusqlite::Error> {
    let mut shares = t.prepare_cached(
        "SELECT annotator, sum(labels), max(active) FROM ( \
           SELECT annotator, count(*) AS labels, 0 AS active FROM labels GROUP BY annotator UNION ALL \
           SELECT annotator, 0, 1 FROM leases WHERE until > ?1) \
         GROUP BY annotator ORDER BY 2 DESC, annotator LIMIT 50",
    )?;
    let share = |r: &rusqlite::Row<'_>| {
        Ok(Share { name: r.get(0)?, labels: r.get::<_, i64>(1)? as u64, active: r.get(2)? })
    };
    shares.query_map([now()], share)?.collect()
}

fn agreement(t: &Connection) -> Result<Option<Agreement>, rusqlite::Error> {
    // n answers to a pair, c of them the same: n (n − 1) / 2 comparisons, of which Σ c (c − 1) / 2 agree.
    let sql = format!(
        "SELECT coalesce(sum(n * (n - 1) / 2), 0), coalesce(sum(alike), 0) FROM ( \
           SELECT sum(c) AS n, sum(c * (c - 1) / 2) AS alike FROM ( \
             SELECT a, b, count(*) AS c FROM labels WHERE answer != 'cant_tell' GROUP BY a, b, {PREFERENCE}) \
           GROUP BY a, b)"
    );
    let (compared, same) =
        t.prepare_cached(&sql)?.query_row([], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?)))?;
    Ok((compared > 0).then_some(Agreement { compared: compared as u64, same: same as u64 }))
}
