//! Export and import of labels as CSV.

use std::io::Write;
use std::path::Path;

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::answers::{Annotator, Choice, Left};
use super::store::{LabelError, Store};
use crate::base::tensors::{FileError, write_atomically};

/// A row of the table. Times are UTC in RFC 3339, to the millisecond.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// Name of the run that asked.
    run: String,
    /// Checksum of the first trajectory, in hexadecimal.
    trajectory_a: String,
    /// Checksum of the second trajectory.
    trajectory_b: String,
    /// The annotator's name.
    annotator: String,
    /// Which trajectory was on the left: a or b.
    left: String,
    /// The answer: left, right, tie or cant_tell.
    answer: String,
    /// What the answer means: a, b, tie, or empty.
    prefers: String,
    /// When the pair was shown.
    shown_at: String,
    /// When it was answered.
    answered_at: String,
    /// Whether training has used it: 1 or 0.
    used: u8,
}

/// The result of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Number of new labels.
    pub new: usize,
    /// Number of labels that the database had already.
    pub known: usize,
}

fn prefers(choice: Choice, left: Left) -> &'static str {
    match (choice, left) {
        (Choice::Tie, _) => "tie",
        (Choice::CantTell, _) => "",
        (Choice::Left, Left::A) | (Choice::Right, Left::B) => "a",
        (Choice::Left, Left::B) | (Choice::Right, Left::A) => "b",
    }
}

impl Store {
    /// Writes every label to a CSV file, in the order of the answers, and returns how many there are.
    ///
    /// # Errors
    /// [`LabelError::Database`], [`LabelError::File`].
    pub fn export(&self, path: &Path) -> Result<usize, LabelError> {
        let time = |column: &str| format!("strftime('%Y-%m-%dT%H:%M:%fZ', {column} / 1000.0, 'unixepoch')");
        let sql = format!(
            "SELECT run, a, b, annotator, left, answer, {}, {}, used FROM labels \
             ORDER BY answered_at, a, b, annotator",
            time("shown_at"),
            time("answered_at")
        );
        let rows: Vec<Row> = self.read(|t| {
            t.prepare(&sql)?
                .query_map([], |r| {
                    let (left, answer): (String, String) = (r.get(4)?, r.get(5)?);
                    let meaning = Choice::from_word(&answer)
                        .zip(Left::from_word(&left))
                        .map_or("", |(c, l)| prefers(c, l));
                    Ok(Row {
                        run: r.get(0)?,
                        trajectory_a: format!("{:016x}", r.get::<_, i64>(1)?),
                        trajectory_b: format!("{:016x}", r.get::<_, i64>(2)?),
                        annotator: r.get(3)?,
                        prefers: meaning.into(),
                        left,
                        answer,
                        shown_at: r.get(6)?,
                        answered_at: r.get(7)?,
                        used: r.get(8)?,
                    })
                })?
                .collect()
        })?;
        let file = |source| LabelError::File { path: path.into(), source };
        let mut csv = csv::Writer::from_writer(Vec::new());
        let written = rows.iter().try_for_each(|row| csv.serialize(row)).and_then(|()| Ok(csv.flush()?));
        written.map_err(|e| file(std::io::Error::other(e)))?;
        let bytes = csv.into_inner().map_err(|e| file(std::io::Error::other(e.to_string())))?;
        if path == Path::new("-") {
            std::io::stdout().write_all(&bytes).map_err(file)?;
        } else {
            write_atomically(path, &bytes).map_err(|error| match error {
                FileError::Write { path, source } => LabelError::File { path, source },
                other => file(std::io::Error::other(other.to_string())),
            })?;
        }
        Ok(rows.len())
    }

    /// Imports labels, all or none of them. Labels that the database has already stay as they are.
    ///
    /// # Errors
    /// [`LabelError::Database`].
    pub fn import(&mut self, labels: &[Label]) -> Result<Imported, LabelError> {
        self.transact(|t| {
            let time = |n: u8| format!("CAST(round((julianday(?{n}) - 2440587.5) * 86400000.0) AS INTEGER)");
            let sql = format!(
                "INSERT OR IGNORE INTO labels VALUES (?1, ?2, ?3, ?4, ?5, ?6, {}, {}, 0)",
                time(7),
                time(8)
            );
            let mut insert = t.prepare(&sql)?;
            let mut imported = Imported::default();
            for l in labels {
                let new = insert.execute(params![
                    l.a,
                    l.b,
                    l.annotator.name(),
                    l.choice.word(),
                    l.left.word(),
                    l.run,
                    l.shown_at,
                    l.answered_at
                ])?;
                imported.new += new;
                imported.known += 1 - new;
            }
            Ok(imported)
        })
    }
}

/// A label from a file, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    a: i64,
    b: i64,
    annotator: Annotator,
    choice: Choice,
    left: Left,
    run: String,
    shown_at: String,
    answered_at: String,
}

/// Reads the labels of a CSV file.
///
/// # Errors
/// [`LabelError::File`], [`LabelError::Line`] for the first wrong line.
pub fn read(path: &Path) -> Result<Vec<Label>, LabelError> {
    let mut csv = csv::Reader::from_path(path)
        .map_err(|e| LabelError::File { path: path.into(), source: std::io::Error::other(e) })?;
    let mut labels = Vec::new();
    for row in csv.deserialize::<Row>() {
        let fail = |line, why| LabelError::Line { path: path.into(), line, why };
        let row = row.map_err(|e| fail(e.position().map_or(1, csv::Position::line), e.to_string()))?;
        // The header is line 1.
        labels.push(Label::from_row(&row).map_err(|why| fail(labels.len() as u64 + 2, why))?);
    }
    Ok(labels)
}

impl Label {
    fn from_row(row: &Row) -> Result<Self, String> {
        let id = |name: &str, text: &str| {
            let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
            let id = u64::from_str_radix(text, 16).ok().filter(|_| digits);
            id.map(|id| id as i64)
                .ok_or_else(|| format!("`{name}` is `{text}`; expected 16 hexadecimal digits"))
        };
        let choice = Choice::from_word(&row.answer)
            .ok_or_else(|| format!("`answer` is `{}`; expected left, right, tie or cant_tell", row.answer))?;
        let left =
            Left::from_word(&row.left).ok_or_else(|| format!("`left` is `{}`; expected a or b", row.left))?;
        let meaning = prefers(choice, left);
        if row.prefers != meaning {
            let why = format!(
                "`prefers` is `{}`, but `{}` with {} on the left means `{meaning}`",
                row.prefers, row.answer, row.left
            );
            return Err(why);
        }
        for (name, text) in [("shown_at", &row.shown_at), ("answered_at", &row.answered_at)] {
            if !is_time(text) {
                return Err(format!(
                    "`{name}` is `{text}`; expected a time such as 2026-01-31T12:00:00.000Z"
                ));
            }
        }
        Ok(Self {
            a: id("trajectory_a", &row.trajectory_a)?,
            b: id("trajectory_b", &row.trajectory_b)?,
            annotator: Annotator::new(&row.annotator).map_err(|e| format!("`annotator`: {e}"))?,
            choice,
            left,
            run: row.run.clone(),
            shown_at: row.shown_at.clone(),
            answered_at: row.answered_at.clone(),
        })
    }
}

/// Whether it is like `2026-01-31T12:00:00.000Z`, with numbers in range. SQLite takes 31 February for a day of March.
fn is_time(text: &str) -> bool {
    let form = "0000-00-00T00:00:00.000Z";
    let fits = |(t, f): (u8, u8)| if f == b'0' { t.is_ascii_digit() } else { t == f };
    if text.len() != form.len() || !text.bytes().zip(form.bytes()).all(fits) {
        return false;
    }
    let number = |at: std::ops::Range<usize>| text[at].parse::<u32>().unwrap_or(u32::MAX);
    (1970..=9999).contains(&number(0..4))
        && (1..=12).contains(&number(5..7))
        && (1..=31).contains(&number(8..10))
        && number(11..13) < 24
        && number(14..16) < 60
        && number(17..19) < 60
}
