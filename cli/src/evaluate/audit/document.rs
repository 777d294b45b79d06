//! The content of an audit's page, independent of its format. Several runs are shown side by side.

use super::flags::Verdict;
use super::sections::{self, Part, Section};
use super::{Audit, flags};

/// A page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The page's title.
    pub title: String,
    /// The runs, each with its letter in the tables.
    pub runs: Vec<RunHead>,
    /// All rules, raised ones first.
    pub flags: Vec<FlagRow>,
    /// The rest of the page.
    pub blocks: Vec<Block>,
}

/// A run of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct RunHead {
    /// A, B, …; empty if there is only one run.
    pub letter: String,
    /// Its directory.
    pub name: String,
    /// Task, seed and state.
    pub line: String,
    /// What could not be read.
    pub unread: Vec<String>,
}

/// A rule applied to all runs.
#[derive(Clone, Debug, PartialEq)]
pub struct FlagRow {
    /// Its name.
    pub name: &'static str,
    /// The condition under which it is raised.
    pub rule: String,
    /// Its verdict for each run.
    pub verdicts: Vec<(String, Verdict, String)>,
}

impl FlagRow {
    /// The most serious of its verdicts.
    pub fn worst(&self) -> Verdict {
        let order = [Verdict::Raised, Verdict::NotChecked];
        let is_there = |verdict: &Verdict| self.verdicts.iter().any(|(_, v, _)| v == verdict);
        order.into_iter().find(is_there).unwrap_or(Verdict::NotRaised)
    }
}

/// A piece of a page.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// The title of a section.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A table.
    Table(Table),
    /// A chart. A table also contains its figures, for formats without charts.
    Chart(Chart),
    /// Code for a shell or a file.
    Code {
        /// What it is.
        caption: String,
        /// The lines.
        text: String,
    },
}

/// A table. Every row has as many cells as the head.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Text above it.
    pub caption: String,
    /// Names of the columns.
    pub head: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<Cell>>,
    /// Text below it.
    pub note: String,
}

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Text.
    Text(String),
    /// A number, aligned to the right.
    Figure(String),
    /// Code, such as a command or a file's content.
    Code(String),
    /// A value that nobody stated or that is not available.
    Missing(String),
}

/// A line chart over numbers or names.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Text above it.
    pub title: String,
    /// The horizontal axis.
    pub along: Along,
    /// The lines.
    pub lines: Vec<Line>,
}

/// The horizontal axis of a chart.
#[derive(Clone, Debug, PartialEq)]
pub enum Along {
    /// Numbers, with the axis label.
    Numbers(String),
    /// The axis label, and names in order.
    Names(String, Vec<String>),
}

/// A line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Index of its run, from 0; it determines the colour.
    pub run: usize,
    /// x, y and half width of the interval; a half width of 0 draws no interval.
    pub points: Vec<(f64, f64, f64)>,
}

/// Splits text at backticks: the text between two of them is code. A single backtick is kept as text.
pub fn spans(words: &str) -> Vec<(bool, &str)> {
    if words.matches('`').count() % 2 == 1 {
        return vec![(false, words)];
    }
    words
        .split('`')
        .enumerate()
        .map(|(at, part)| (at % 2 == 1, part))
        .filter(|(_, p)| !p.is_empty())
        .collect()
}

impl Document {
    /// The page of one run, or of several side by side.
    pub fn new(audits: &[Audit]) -> Self {
        let letters: Vec<String> = match audits {
            [_] => vec![String::new()],
            // With more than 26 runs, the names are numbers.
            many => (0..many.len()).map(letter).collect(),
        };
        let head = |(audit, letter): (&Audit, &String)| RunHead {
            letter: letter.clone(),
            name: audit.run.clone(),
            line: sections::line(audit),
            unread: audit.unread.clone(),
        };
        let mut flags: Vec<FlagRow> = (0..flags::RULES.len()).map(|at| row(audits, &letters, at)).collect();
        flags.sort_by_key(|row| match row.worst() {
            Verdict::Raised => 0,
            Verdict::NotChecked => 1,
            Verdict::NotRaised => 2,
        });
        let parts: Vec<[Section; 4]> = audits.iter().map(sections::all).collect();
        let mut blocks = Vec::new();
        for at in 0..4 {
            let sections: Vec<&Section> = parts.iter().map(|p| &p[at]).collect();
            side_by_side(&sections, &letters, &mut blocks);
        }
        Self { title: "Audit".into(), runs: audits.iter().zip(&letters).map(head).collect(), flags, blocks }
    }

    /// Number of rules that are raised for at least one run.
    pub fn raised(&self) -> usize {
        self.flags.iter().filter(|row| row.worst() == Verdict::Raised).count()
    }
}

fn letter(at: usize) -> String {
    u8::try_from(at)
        .ok()
        .filter(|at| *at < 26)
        .map_or_else(|| (at + 1).to_string(), |at| char::from(b'A' + at).to_string())
}

fn row(audits: &[Audit], letters: &[String], at: usize) -> FlagRow {
    let verdict = |(audit, letter): (&Audit, &String)| {
        let flag = &audit.flags[at];
        (letter.clone(), flag.verdict, flag.figures.clone())
    };
    FlagRow {
        name: flags::RULES[at].name,
        rule: (flags::RULES[at].statement)(),
        verdicts: audits.iter().zip(letters).map(verdict).collect(),
    }
}

/// A name with the run's letter in front.
fn with_letter(letter: &str, name: &str) -> String {
    if letter.is_empty() { name.to_string() } else { format!("{letter}: {name}") }
}

/// Writes the same section of several runs, with equal parts in one table.
fn side_by_side(sections: &[&Section], letters: &[String], blocks: &mut Vec<Block>) {
    let Some(first) = sections.first() else { return };
    blocks.push(Block::Heading(first.title.into()));
    blocks.push(Block::Text(first.lead.into()));
    blocks.push(Block::Table(facts(sections, letters)));
    // Parts in the order of their first occurrence in any run.
    let mut seen: Vec<&str> = Vec::new();
    for part in sections.iter().flat_map(|s| &s.parts) {
        if seen.contains(&part.name()) {
            continue;
        }
        seen.push(part.name());
        let alike: Vec<(usize, &Part)> = sections
            .iter()
            .enumerate()
            .filter_map(|(run, s)| Some((run, s.parts.iter().find(|p| p.name() == part.name())?)))
            .collect();
        join(&alike, letters, blocks);
    }
}

fn facts(sections: &[&Section], letters: &[String]) -> Table {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in sections.iter().flat_map(|s| &s.facts) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let value = |section: &&Section, name: &str| {
        let of_name = section.facts.iter().find(|(n, _)| *n == name);
        of_name.map_or_else(|| Cell::Missing("-".into()), |(_, cell)| cell.clone())
    };
    let row = |name: &&str| {
        let first = std::iter::once(Cell::Text((*name).into()));
        first.chain(sections.iter().map(|s| value(s, name))).collect()
    };
    let head = match letters {
        [_] => vec![String::new(), "of this run".into()],
        many => std::iter::once(String::new()).chain(many.iter().cloned()).collect(),
    };
    Table { head, rows: names.iter().map(row).collect(), ..Table::default() }
}

/// Joins the same part of several runs.
fn join(alike: &[(usize, &Part)], letters: &[String], blocks: &mut Vec<Block>) {
    let mut grids = Vec::new();
    let mut merged: Option<Chart> = None;
    for &(run, part) in alike {
        match part {
            Part::Grid(grid) => grids.push((run, grid)),
            Part::Chart(chart) => {
                let lines = chart.lines.iter().map(|line| Line { run, ..line.clone() }).collect();
                let own = Chart { lines, ..chart.clone() };
                match (&mut merged, &chart.along) {
                    (Some(all), Along::Numbers(_)) => all.lines.extend(own.lines),
                    (None, Along::Numbers(_)) => merged = Some(own),
                    // Row names of different runs do not correspond.
                    (_, Along::Names(..)) => {
                        blocks.push(Block::Chart(Chart {
                            title: with_letter(&letters[run], &chart.title),
                            ..own
                        }));
                    }
                }
            }
            Part::Code { caption, text } => {
                blocks.push(Block::Code { caption: with_letter(&letters[run], caption), text: text.clone() })
            }
        }
    }
    blocks.extend(merged.map(Block::Chart));
    let Some((_, first)) = grids.first() else { return };
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in grids.iter().flat_map(|(_, grid)| &grid.rows) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    let columns = grids.iter().flat_map(|(run, g)| g.columns.iter().map(|c| with_letter(&letters[*run], c)));
    let row = |key: &&str| {
        let cells = grids.iter().flat_map(|(_, grid)| {
            let own = grid.rows.iter().find(|(k, _)| k == key).map(|(_, cells)| cells.clone());
            own.unwrap_or_else(|| vec![Cell::Missing("-".into()); grid.columns.len()])
        });
        std::iter::once(Cell::Text((*key).into())).chain(cells).collect()
    };
    blocks.push(Block::Table(Table {
        caption: first.caption.into(),
        head: std::iter::once(first.key.to_string()).chain(columns).collect(),
        rows: keys.iter().map(row).collect(),
        note: first.note.clone(),
    }));
}
