//! The annotator's side: a pair is taken, answered, and the answer taken back.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::now;
use super::store::{LabelError, Store};
use crate::base::random::{Stream, stream};

/// How long a pair is one annotator's; rl-teacher's two minutes.
pub const LEASE: Duration = Duration::from_secs(120);
/// Most letters of an annotator's name.
const LONGEST_NAME: usize = 40;

/// What a person says of a pair, as it stands before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The left one is better.
    Left,
    /// The right one is better.
    Right,
    /// Both are as good.
    Tie,
    /// No answer; never trains.
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

    /// By its word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.word() == word)
    }
}

/// Which of a pair stands on the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The first.
    A,
    /// The second.
    B,
}

impl Left {
    pub(super) fn word(self) -> &'static str {
        if self == Self::A { "a" } else { "b" }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        [Self::A, Self::B].into_iter().find(|l| l.word() == word)
    }
}

/// Why an annotator is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A name that is none.
    #[error(
        "a name has 1 to {LONGEST_NAME} letters, digits, spaces or . _ - ' and begins with a letter or digit"
    )]
    Name,
    /// An answer to a pair that this annotator was not shown.
    #[error("this pair was not shown to you")]
    NotShown,
    /// A second, different answer.
    #[error("you have answered this pair otherwise; take that answer back first")]
    Answered,
    /// Nothing to take back.
    #[error("there is no answer of yours to take back")]
    Nothing,
    /// An answer that trained already.
    #[error("your last answer has been used in training and stands")]
    Used,
}

/// An annotator's name, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotator(String);

impl Annotator {
    /// The name, spaces around it left out.
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

    /// As text.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// A pair as it is shown to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its place.
    pub pair: i64,
    /// Trajectory a.
    pub a: i64,
    /// Trajectory b.
    pub b: i64,
    /// Which stands on the left.
    pub left: Left,
}

impl Shown {
    fn of(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        let left = Left::of(&row.get::<_, String>(3)?).unwrap_or(Left::A);
        Ok(Self { pair: row.get(0)?, a: row.get(1)?, b: row.get(2)?, left })
    }
}

impl Store {
    /// The pair for `who` to answer next, theirs for [`LEASE`]: the one before them already, or the first open one that
    /// needs another answer and that nobody else is at; `None` where there is none now.
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
                .query_row(params![who.name(), votes, at], Shown::of)
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

    /// Keeps an answer of `who`; the same answer again changes nothing, so a browser may repeat one that it is not
    /// sure of. An answer to a pair that training no longer waits for is kept all the same.
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

    /// Takes the last answer of `who` back and shows its pair again.
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
                .query_row([who.name()], |r| Ok((Shown::of(r)?, r.get::<_, bool>(4)?)))
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

/// The pair stands before `who` as it did.
fn lease_again(t: &Transaction<'_>, shown: &Shown, who: &Annotator) -> Result<(), rusqlite::Error> {
    let at = now();
    // One at a time: what they hold meanwhile goes back.
    t.execute("DELETE FROM leases WHERE annotator = ?1", [who.name()])?;
    t.execute(
        "INSERT OR REPLACE INTO leases VALUES (?1, ?2, ?3, ?4, ?5)",
        params![shown.pair, who.name(), shown.left.word(), at, at + LEASE.as_millis() as i64],
    )?;
    Ok(())
}

/// Who stands on the left: drawn anew for every pair and annotator, and the same when they come back to it.
fn side(a: i64, b: i64, who: &Annotator) -> Left {
    use rand::RngExt;

    let name = u64::from(crc32fast::hash(who.name().as_bytes()));
    let mut rng = stream(a as u64, Stream("side"), b as u64, name);
    if rng.random() { Left::A } else { Left::B }
}
