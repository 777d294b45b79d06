//! The annotator's side: take a pair, answer it, undo the answer.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::now;
use super::store::{LabelError, Store};
use crate::base::random::{Stream, stream};

/// How long a pair is reserved for one annotator: two minutes, as in rl-teacher.
pub const LEASE: Duration = Duration::from_secs(120);
/// Most characters of an annotator's name.
const LONGEST_NAME: usize = 40;

/// A person's answer to a pair, as it is shown on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The left one is better.
    Left,
    /// The right one is better.
    Right,
    /// Both are equally good.
    Tie,
    /// The person cannot tell. Such an answer is never used for training.
    CantTell,
}

impl Choice {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Left, Self::Right, Self::Tie, Self::CantTell];

    /// As the database, the table and the page write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
            Self::Tie => "tie",
            Self::CantTell => "cant_tell",
        }
    }

    /// The choice with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.word() == word)
    }
}

/// Which trajectory of a pair is shown on the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Trajectory a.
    A,
    /// Trajectory b.
    B,
}

impl Left {
    pub(super) fn word(self) -> &'static str {
        if self == Self::A { "a" } else { "b" }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::A, Self::B].into_iter().find(|l| l.word() == word)
    }
}

/// Why an annotator's request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A name that is not allowed.
    #[error(
        "a name has 1 to {LONGEST_NAME} letters, digits, spaces or . _ - ' and begins with a letter or digit"
    )]
    Name,
    /// An answer to a pair that this annotator was not shown.
    #[error("this pair was not shown to you")]
    NotShown,
    /// A second, different answer.
    #[error("you have already answered this pair differently; undo that answer first")]
    Answered,
    /// There is nothing to undo.
    #[error("you have no answer to undo")]
    Nothing,
    /// Training has used the answer already.
    #[error("your last answer has been used in training and cannot be undone")]
    Used,
}

/// An annotator's name, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotator(String);

impl Annotator {
    /// Checks a name; spaces around it are removed.
    ///
    /// # Errors
    /// [`Refusal::Name`].
    pub fn new(name: &str) -> Result<Self, Refusal> {
        let name = name.trim();
        let fits = (1..=LONGEST_NAME).contains(&name.chars().count())
            && name.starts_with(char::is_alphanumeric)
            && name.chars().all(|c| c.is_alphanumeric() || " ._-'".contains(c));
        if fits { Ok(Self(name.into())) } else { Err(Refusal::Name) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// A pair as it is shown to an annotator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Id of the pair.
    pub pair: i64,
    /// Id of trajectory a.
    pub a: i64,
    /// Id of trajectory b.
    pub b: i64,
    /// Which one is shown on the left.
    pub left: Left,
}

impl Shown {
    fn from_row(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        let left = Left::from_word(&row.get::<_, String>(3)?).unwrap_or(Left::A);
        Ok(Self { pair: row.get(0)?, a: row.get(1)?, b: row.get(2)?, left })
    }
}

impl Store {
    /// The next pair for `who` to answer, reserved for them for [`LEASE`]: the one they were shown already, or the first
    /// open pair that needs another answer and is not reserved for others. `None` if there is none now.
    ///
    /// # Errors
    /// [`LabelError::Database`].
    pub fn next(&mut self, who: &Annotator) -> Result<Option<Shown>, LabelError> {
        let votes = self.about()?.votes;
        self.transact(|t| {
            let at = now();
            let until = at + LEASE.as_millis() as i64;
            let held = t
                .prepare_cached(
                    "SELECT p.id, p.a, p.b, s.left FROM leases s JOIN pairs p ON p.id = s.pair \
                     WHERE s.annotator = ?1 AND p.state = 0 AND NOT EXISTS \
                       (SELECT 1 FROM labels l WHERE l.a = p.a AND l.b = p.b AND l.annotator = ?1) \
                     AND (SELECT count(*) FROM labels l WHERE l.a = p.a AND l.b = p.b) < ?2 \
                     ORDER BY s.until > ?3 DESC, p.id LIMIT 1",
                )?
                .query_row(params![who.name(), votes, at], Shown::from_row)
                .optional()?;
            if let Some(shown) = held {
                t.prepare_cached("UPDATE leases SET until = ?3 WHERE pair = ?1 AND annotator = ?2")?
                    .execute(params![shown.pair, who.name(), until])?;
                return Ok(Some(shown));
            }
            let free = t
                .prepare_cached(
                    "SELECT p.id, p.a, p.b FROM pairs p WHERE p.state = 0 AND NOT EXISTS \
                       (SELECT 1 FROM labels l WHERE l.a = p.a AND l.b = p.b AND l.annotator = ?1) \
                     AND (SELECT count(*) FROM labels l WHERE l.a = p.a AND l.b = p.b) \
                       + (SELECT count(*) FROM leases s WHERE s.pair = p.id AND s.until > ?3 AND s.annotator != ?1) \
                       < ?2 ORDER BY p.id LIMIT 1",
                )?
                .query_row(params![who.name(), votes, at], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
                .optional()?;
            let Some((pair, a, b)) = free else { return Ok(None) };
            let left = side(a, b, who);
            t.prepare_cached("INSERT OR REPLACE INTO leases VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![pair, who.name(), left.word(), at, until])?;
            Ok(Some(Shown { pair, a, b, left }))
        })
    }

    /// Stores an answer of `who`. The same answer again changes nothing, so a browser may repeat a request. An answer to a
    /// pair that training no longer waits for is stored too.
    ///
    /// # Errors
    /// [`Refusal::NotShown`], [`Refusal::Answered`], [`LabelError::Database`].
    pub fn answer(&mut self, who: &Annotator, pair: i64, choice: Choice) -> Result<(), LabelError> {
        let done: Result<(), Refusal> = self.transact(|t| {
            let known = t
                .prepare_cached(
                    "SELECT l.answer FROM pairs p JOIN labels l ON l.a = p.a AND l.b = p.b \
                     WHERE p.id = ?1 AND l.annotator = ?2",
                )?
                .query_row(params![pair, who.name()], |r| r.get::<_, String>(0))
                .optional()?;
            if let Some(known) = known {
                return Ok(if known == choice.word() { Ok(()) } else { Err(Refusal::Answered) });
            }
            let kept = t
                .prepare_cached(
                    "INSERT INTO labels SELECT p.a, p.b, s.annotator, ?3, s.left, m.value, s.shown_at, ?4, 0 \
                     FROM leases s JOIN pairs p ON p.id = s.pair JOIN meta m ON m.key = 'run' \
                     WHERE s.pair = ?1 AND s.annotator = ?2",
                )?
                .execute(params![pair, who.name(), choice.word(), now()])?;
            if kept == 0 {
                return Ok(Err(Refusal::NotShown));
            }
            t.prepare_cached("DELETE FROM leases WHERE pair = ?1 AND annotator = ?2")?
                .execute(params![pair, who.name()])?;
            Ok(Ok(()))
        })?;
        Ok(done?)
    }

    /// Undoes the last answer of `who` and shows its pair again.
    ///
    /// # Errors
    /// [`Refusal::Nothing`], [`Refusal::Used`], [`LabelError::Database`].
    pub fn undo(&mut self, who: &Annotator) -> Result<Shown, LabelError> {
        let done: Result<Shown, Refusal> = self.transact(|t| {
            let last = t
                .prepare_cached(
                    "SELECT p.id, l.a, l.b, l.left, l.used OR p.state = 1 FROM labels l \
                     JOIN pairs p ON p.a = l.a AND p.b = l.b WHERE l.annotator = ?1 \
                     ORDER BY l.answered_at DESC LIMIT 1",
                )?
                .query_row([who.name()], |r| Ok((Shown::from_row(r)?, r.get::<_, bool>(4)?)))
                .optional()?;
            let shown = match last {
                None => return Ok(Err(Refusal::Nothing)),
                Some((_, true)) => return Ok(Err(Refusal::Used)),
                Some((shown, false)) => shown,
            };
            t.execute(
                "DELETE FROM labels WHERE a = ?1 AND b = ?2 AND annotator = ?3",
                params![shown.a, shown.b, who.name()],
            )?;
            lease_again(t, &shown, who)?;
            Ok(Ok(shown))
        })?;
        Ok(done?)
    }
}

/// Shows the pair to `who` again, with the same sides.
fn lease_again(t: &Transaction<'_>, shown: &Shown, who: &Annotator) -> Result<(), rusqlite::Error> {
    let at = now();
    // One pair at a time: release the one that they have taken since.
    t.execute("DELETE FROM leases WHERE annotator = ?1", [who.name()])?;
    t.execute(
        "INSERT OR REPLACE INTO leases VALUES (?1, ?2, ?3, ?4, ?5)",
        params![shown.pair, who.name(), shown.left.word(), at, at + LEASE.as_millis() as i64],
    )?;
    Ok(())
}

/// Which trajectory is shown on the left: drawn for each pair and annotator, and the same when they return to the pair.
fn side(a: i64, b: i64, who: &Annotator) -> Left {
    use rand::RngExt;

    let name = u64::from(crc32fast::hash(who.name().as_bytes()));
    let mut rng = stream(a as u64, Stream("side"), b as u64, name);
    if rng.random() { Left::A } else { Left::B }
}
