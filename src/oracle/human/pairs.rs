//! The trainer's side: it posts pairs, looks how far they are, and takes the answers.

use rusqlite::{Transaction, params};

use super::now;
use super::store::{LabelError, Store};
use crate::oracle::Answer;
use crate::rollout::replay_key::ReplayKey;

/// P(a ≻ b) by one label; NULL for "can't tell".
pub(super) const PREFERENCE: &str =
    "CASE answer WHEN 'tie' THEN 0.5 WHEN 'left' THEN left = 'a' WHEN 'right' THEN left = 'b' END";

/// How much of a batch of pairs is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchProgress {
    /// Pairs with as many answers as they need, or whose answers were taken before.
    pub done: usize,
    /// Pairs with at least one answer.
    pub begun: usize,
    /// All pairs of the batch.
    pub pairs: usize,
    /// When a person last took or answered a pair, in milliseconds since 1970; 0 if never.
    pub last_act: i64,
}

impl Store {
    /// Posts the pairs of a round and returns their ids, in order. Other pairs that are still open are shelved.
    ///
    /// A pair that was posted before keeps its id and its answers, so a round may be posted again after a kill.
    ///
    /// # Errors
    /// [`LabelError::Database`].
    pub fn post(&mut self, round: u64, pairs: &[[ReplayKey; 2]]) -> Result<Vec<i64>, LabelError> {
        self.transact(|t| {
            t.execute("UPDATE pairs SET state = 2 WHERE state = 0", [])?;
            let mut keep = t.prepare("INSERT OR IGNORE INTO trajectories VALUES (?1, ?2, ?3, ?4)")?;
            let mut post = t.prepare(
                "INSERT INTO pairs (round, a, b, posted_at) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO UPDATE SET state = iif(state = 2, 0, state) RETURNING id",
            )?;
            let at = now();
            pairs
                .iter()
                .map(|sides| {
                    for side in sides {
                        keep.execute(params![
                            side.id(),
                            side.start_json(),
                            side.first as i64,
                            side.action_bytes()
                        ])?;
                    }
                    let [a, b] = sides.each_ref().map(ReplayKey::id);
                    post.query_row(params![round as i64, a, b, at], |r| r.get(0))
                })
                .collect()
        })
    }

    /// How much of the pairs `ids` is answered; each needs `votes` answers.
    ///
    /// # Errors
    /// [`LabelError::Database`].
    pub fn batch_progress(&self, ids: &[i64], votes: u32) -> Result<BatchProgress, LabelError> {
        self.read(|t| {
            let mut count = t.prepare(
                "SELECT state = 1, (SELECT count(*) FROM labels l WHERE l.a = p.a AND l.b = p.b) \
                 FROM pairs p WHERE id = ?1",
            )?;
            let mut progress = BatchProgress { pairs: ids.len(), ..BatchProgress::default() };
            for id in ids {
                let (settled, labels): (bool, u32) = count.query_row([id], |r| Ok((r.get(0)?, r.get(1)?)))?;
                progress.done += usize::from(settled || labels >= votes);
                progress.begun += usize::from(settled || labels > 0);
            }
            progress.last_act = t.query_row(
                "SELECT max(coalesce((SELECT max(answered_at) FROM labels), 0), \
                            coalesce((SELECT max(shown_at) FROM leases), 0))",
                [],
                |r| r.get(0),
            )?;
            Ok(progress)
        })
    }

    /// Takes the answers to the pairs `ids`. Each pair is settled once: it keeps its preference, and a label that comes
    /// later is stored but not used. With several labels, P(a ≻ b) is their mean without the "can't tell" ones; a pair
    /// without any other label is an abstention.
    ///
    /// # Errors
    /// [`LabelError::Database`].
    pub fn settle(&mut self, ids: &[i64]) -> Result<Vec<Answer>, LabelError> {
        self.transact(|t| ids.iter().map(|id| settle(t, *id)).collect())
    }
}

fn settle(t: &Transaction<'_>, id: i64) -> Result<Answer, rusqlite::Error> {
    let (a, b, settled): (i64, i64, bool) = t
        .prepare_cached("SELECT a, b, state = 1 FROM pairs WHERE id = ?1")?
        .query_row([id], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
    if !settled {
        let mean = format!(
            "UPDATE pairs SET state = 1, settled_at = ?2, \
             preference = (SELECT avg({PREFERENCE}) FROM labels WHERE a = ?3 AND b = ?4) WHERE id = ?1"
        );
        t.prepare_cached(&mean)?.execute(params![id, now(), a, b])?;
        t.prepare_cached("UPDATE labels SET used = 1 WHERE a = ?1 AND b = ?2")?.execute([a, b])?;
    }
    let preference: Option<f64> =
        t.prepare_cached("SELECT preference FROM pairs WHERE id = ?1")?.query_row([id], |r| r.get(0))?;
    Ok(preference.map_or(Answer::Abstain, |p| Answer::Prefer(p as f32)))
}
