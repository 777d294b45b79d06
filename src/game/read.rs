//! Reads and writes games as CSV: a matrix of P(row beats column), or rankings with their numbers of voters.

use std::io::Read;
use std::path::Path;

use csv::StringRecord;

use super::{GameError, PreferenceMatrix};

impl PreferenceMatrix {
    /// Reads a CSV file.
    ///
    /// # Errors
    /// [`GameError`] with the file, the line and how to fix it.
    pub fn from_csv_path(path: &Path) -> Result<Self, GameError> {
        let bytes = std::fs::read(path).map_err(|source| GameError::Read { path: path.into(), source })?;
        Self::from_csv(&bytes[..], &path.display().to_string())
    }

    /// Reads CSV; `origin` names it in errors.
    ///
    /// After a header `count,ranking` the rows are rankings such as `2,a>b>c`. Any other header holds the options' names,
    /// followed by one row of P(row beats column) per option, with or without the row's name in front. A diagonal cell
    /// may be empty.
    ///
    /// # Errors
    /// [`GameError`] with the line and how to fix it.
    pub fn from_csv(reader: impl Read, origin: &str) -> Result<Self, GameError> {
        let mut csv = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(reader);
        let bad_csv = |e: csv::Error| GameError::Matrix { origin: origin.into(), why: e.to_string() };
        let header = csv.headers().map_err(bad_csv)?.clone();
        let rows: Vec<StringRecord> = csv.records().collect::<Result<_, _>>().map_err(bad_csv)?;
        let is_rankings = header.len() == 2 && &header[0] == "count" && &header[1] == "ranking";
        if is_rankings { rankings(&rows, origin) } else { matrix(&header, &rows, origin) }
    }

    /// The matrix as CSV that [`from_csv`](Self::from_csv) can read.
    pub fn to_csv(&self) -> String {
        let mut csv = csv::Writer::from_writer(Vec::new());
        let names = self.names().iter().map(String::as_str);
        csv.write_record(std::iter::once("").chain(names)).expect("into memory");
        for (i, name) in self.names().iter().enumerate() {
            let row = (0..self.len()).map(|j| self.p(i, j).to_string());
            csv.write_record(std::iter::once(name.clone()).chain(row))
                .expect("rows of one length, into memory");
        }
        String::from_utf8(csv.into_inner().expect("into memory")).expect("names are text")
    }
}

fn at(origin: &str, row: &StringRecord, why: String) -> GameError {
    GameError::Line { origin: origin.into(), line: row.position().map_or(0, csv::Position::line), why }
}

fn rankings(rows: &[StringRecord], origin: &str) -> Result<PreferenceMatrix, GameError> {
    let rankings = rows
        .iter()
        .map(|row| {
            let fail = |why: &str| at(origin, row, why.to_string());
            if row.len() != 2 {
                return Err(fail("expected COUNT,RANKING such as 2,a>b>c"));
            }
            let count: f64 = row[0].parse().map_err(|_| {
                fail(&format!(
                    "`{}` is not a number of voters; expected COUNT,RANKING such as 2,a>b>c",
                    &row[0]
                ))
            })?;
            let ranking: Vec<String> = row[1].split('>').map(|name| name.trim().to_string()).collect();
            if ranking.iter().any(String::is_empty) {
                return Err(fail("an option's name is empty; expected a ranking such as a>b>c"));
            }
            Ok((count, ranking))
        })
        .collect::<Result<Vec<_>, _>>()?;
    PreferenceMatrix::from_rankings(&rankings).map_err(|e| match e {
        GameError::Matrix { why, .. } => GameError::Matrix { origin: origin.into(), why },
        other => other,
    })
}

fn matrix(header: &StringRecord, rows: &[StringRecord], origin: &str) -> Result<PreferenceMatrix, GameError> {
    // An empty first cell of the header means that each row begins with its name.
    let named = header.get(0).is_some_and(str::is_empty);
    let names: Vec<String> = header.iter().skip(usize::from(named)).map(String::from).collect();
    let n = names.len();
    if rows.len() != n {
        let why = format!(
            "the header names {n} options, but there are {} rows; write one row per option",
            rows.len()
        );
        return Err(GameError::Matrix { origin: origin.into(), why });
    }
    let mut p = Vec::with_capacity(n * n);
    for (i, row) in rows.iter().enumerate() {
        if row.len() != n + usize::from(named) {
            let why = format!("the row has {} cells; expected {}", row.len(), n + usize::from(named));
            return Err(at(origin, row, why));
        }
        if named && row[0] != names[i] {
            let why =
                format!("the row is named `{}`; expected `{}`, in the header's order", &row[0], names[i]);
            return Err(at(origin, row, why));
        }
        for (j, cell) in row.iter().skip(usize::from(named)).enumerate() {
            let value = if i == j && cell.is_empty() { Ok(0.5) } else { cell.parse() };
            p.push(value.map_err(|_| {
                at(
                    origin,
                    row,
                    format!(
                        "`{cell}` under {} is not a number; expected P({} beats {0})",
                        names[j], names[i]
                    ),
                )
            })?);
        }
    }
    PreferenceMatrix::new(names, p, origin)
}
