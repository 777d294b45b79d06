//! The pairs in the database, as the page replays them.

use rusqlite::{OptionalExtension, params};

use super::answers::{Left, Shown};
use super::store::{LabelError, Store};

pub use crate::page::picture::Picture;
pub use crate::recipe::Recipe;

impl Store {
    /// The recipes of a pair as it is shown: left, then right.
    ///
    /// # Errors
    /// [`LabelError::Database`], [`LabelError::Picture`] where it is damaged.
    pub fn recipes(&self, shown: &Shown) -> Result<[Recipe; 2], LabelError> {
        let [a, b] = [self.recipe(shown.a)?, self.recipe(shown.b)?];
        Ok(if shown.left == Left::A { [a, b] } else { [b, a] })
    }

    fn recipe(&self, id: i64) -> Result<Recipe, LabelError> {
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
        let recipe = Recipe { start, first: first as usize, actions };
        if recipe.id() == id { Ok(recipe) } else { Err(damaged()) }
    }
}
