//! The trajectories in the database, as replay keys.

use rusqlite::{OptionalExtension, params};

use super::answers::{Left, Shown};
use super::store::{LabelError, Store};
use crate::rollout::replay_key::ReplayKey;

impl Store {
    /// The replay keys of a pair as it is shown: left, then right.
    ///
    /// # Errors
    /// [`LabelError::Database`], [`LabelError::Picture`] if it is damaged.
    pub fn replay_keys(&self, shown: &Shown) -> Result<[ReplayKey; 2], LabelError> {
        let [a, b] = [self.replay_key(shown.a)?, self.replay_key(shown.b)?];
        Ok(if shown.left == Left::A { [a, b] } else { [b, a] })
    }

    fn replay_key(&self, id: i64) -> Result<ReplayKey, LabelError> {
        let row = self.read(|t| {
            t.query_row("SELECT start, first, actions FROM trajectories WHERE id = ?1", params![id], |r| {
                Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?, r.get::<_, Vec<u8>>(2)?))
            })
            .optional()
        })?;
        let damaged = || LabelError::Picture(format!("trajectory {id:016x} is damaged or missing"));
        let (start, first, bytes) = row.ok_or_else(damaged)?;
        let start = serde_json::from_str(&start).map_err(|_| damaged())?;
        let actions = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let replay_key = ReplayKey { start, first: first as usize, actions };
        if replay_key.id() == id { Ok(replay_key) } else { Err(damaged()) }
    }
}
