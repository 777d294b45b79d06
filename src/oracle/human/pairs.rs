//! The trainer's side: pairs are posted, waited for and settled.

use rusqlite::{Transaction, params};

use super::now;
use super::store::{LabelError, Store};
use crate::oracle::Answer;
use crate::rollout::replay_key::ReplayKey;

/// P(a ≻ b) by one label; NULL of a person who cannot tell.
pub(super) const PREFERENCE: &str =
    "CASE answer WHEN 'tie' THEN 0.5 WHEN 'left' THEN left = 'a' WHEN 'right' THEN left = 'b' END";

/// How far a batch of pairs is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Pairs with as many answers as they need, or settled before.
    pub done: usize,
    /// Pairs with an answer at least.
    pub begun: usize,
    /// All of them.
    pub pairs: usize,
    /// When somebody last took a pair or answered one, in milliseconds since 1970; 0 for never.
    pub last_act: i64,
}

impl Store {
    /// Puts a round's pairs before people and returns their places, in order; what was open and is none of them is
    /// shelved.
    ///
    /// A pair that was posted before keeps its place and its answers, so a round may be posted again after a kill.
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

    /// How far the pairs `ids` are.
    ///
    /// # Errors
    /// [`LabelError::Database`].
    pub fn standing(&self, ids: &[i64], votes: u32) -> Result<Standing, LabelError> {
        self.read(|t| {
            let mut count = t.prepare(
                "SELECT state = 1, (SELECT count(*) FROM labels l WHERE l.a = p.a AND l.b = p.b) \
                 FROM pairs p WHERE id = ?1",
            )?;
            let mut standing = Standing { pairs: ids.len(), ..Standing::default() };
            for id in ids {
                let (settled, labels): (bool, u32) = count.query_row([id], |r| Ok((r.get(0)?, r.get(1)?)))?;
                standing.done += usize::from(settled || labels >= votes);
                standing.begun += usize::from(settled || labels > 0);
            }
            standing.last_act = t.query_row(
                "SELECT max(coalesce((SELECT max(answered_at) FROM labels), 0), \
                            coalesce((SELECT max(shown_at) FROM leases), 0))",
                [],
                |r| r.get(0),
            )?;
            Ok(standing)
        })
    }

    /// Takes the answers to the pairs `ids`, once and for all: a pair that was settled before keeps its preference, and
    /// a label that comes later is kept but not used. With several labels, P(a ≻ b) is their mean; who cannot tell has
    /// no part in it, and where nobody could, or nobody answered, the pair is an abstention.
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
