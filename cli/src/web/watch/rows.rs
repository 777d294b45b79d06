//! Reads the rows of a run's metrics that a page does not have yet.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::str::FromStr;

use csv::StringRecord;
use serde::Serialize;

use spo::train::Record;

/// Bytes read at a time; a row has about two hundred.
const CHUNK: u64 = 8 << 20;
/// Largest number of bytes of the header line.
const HEADER: u64 = 4096;
/// Number of bytes before a cursor that its checksum covers.
const CHECKED_BYTES: u64 = 64;

/// How much of a file a page has read: an offset, and a checksum of the bytes before it. If the checksum differs, the file
/// was replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Bytes from the beginning of the file.
    offset: u64,
    mark: u32,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08x}", self.offset, self.mark)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (offset, mark) = text.split_once('-').ok_or(())?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
        if !(digits(offset) && digits(mark) && mark.len() == 8) {
            return Err(());
        }
        let mark = u32::from_str_radix(mark, 16).map_err(|_| ())?;
        Ok(Self { offset: offset.parse().map_err(|_| ())?, mark })
    }
}

/// Columns of the metrics, all with the same length.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Columns {
    /// Environment steps.
    pub steps: Vec<u64>,
    /// Comparisons asked.
    pub queries: Vec<u64>,
    /// Mean task return.
    pub task_return: Vec<f64>,
    /// Its standard deviation over the iteration's trajectories.
    pub deviation: Vec<f64>,
    /// Standard deviation of the scores.
    pub spread: Vec<f64>,
    /// Entropy of the policy, in nats.
    pub entropy: Vec<f64>,
    /// KL(old ‖ new) of the update, in nats.
    pub kl: Vec<f64>,
    /// Share of held-out comparisons that the reward model predicts correctly; `null` in iterations without a fit.
    pub accuracy: Vec<Option<f64>>,
    /// Mean total cost.
    pub cost: Vec<f64>,
    /// λ of a run with a safety oracle; otherwise `null`.
    pub multiplier: Vec<Option<f64>>,
}

impl Columns {
    fn push(&mut self, r: &Record) {
        self.steps.push(r.env_steps);
        self.queries.push(r.queries);
        self.task_return.push(short(r.return_mean));
        self.deviation.push(short(r.return_std));
        self.spread.push(short(r.score_spread));
        self.entropy.push(short(r.entropy.into()));
        self.kl.push(short(r.approx_kl.into()));
        self.accuracy.push(r.reward_accuracy.map(|a| short(a.into())));
        self.cost.push(short(r.cost_mean));
        self.multiplier.push(r.multiplier.map(short));
    }
}

/// Rounds to six digits: more are not visible and make the answer longer.
fn short(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// New rows of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewRows {
    /// How much of the file is read now.
    pub cursor: Cursor,
    /// Whether the file has any row.
    pub begun: bool,
    /// Whether the file was replaced: the page must drop the rows that it has.
    pub reset: bool,
    /// Whether there is more to read immediately.
    pub more: bool,
    /// The rows. If there are too many, evenly spaced ones, including the last.
    pub columns: Columns,
    /// What is wrong with the next row, if it is damaged.
    pub damage: Option<String>,
}

/// The complete rows of the metrics at `path` after `cursor`, at most `most` of them; none if there is no file.
///
/// # Errors
/// The operating system's error if the file cannot be read.
pub fn after(path: &Path, cursor: Cursor, most: usize) -> io::Result<NewRows> {
    let mut file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Ok(NewRows { reset: cursor.offset > 0, ..NewRows::default() });
        }
        file => BufReader::new(file?),
    };
    let mut header = Vec::new();
    (&mut file).take(HEADER).read_until(b'\n', &mut header)?;
    if header.last() != Some(&b'\n') {
        let damage = (header.len() as u64 == HEADER).then(|| "its first line is not a header".into());
        return Ok(NewRows { reset: cursor.offset > 0, damage, ..NewRows::default() });
    }
    let reset = cursor.offset > 0 && checksum(&mut file, cursor.offset)? != Some(cursor.mark);
    let begin = if reset || cursor.offset == 0 { header.len() as u64 } else { cursor.offset };

    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    (&mut file).take(CHUNK).read_to_end(&mut bytes)?;
    // A last row without a line end is still being written.
    let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    let mut more = bytes.len() as u64 == CHUNK;
    let (records, read, mut damage) = parse(&header, &bytes[..whole]);
    if whole == 0 && more {
        damage = Some("a row has no line end".into());
    }
    more &= damage.is_none();

    let mut columns = Columns::default();
    let last = records.len().saturating_sub(1);
    let stride = records.len().div_ceil(most.max(1)).max(1);
    let kept = records.iter().enumerate().filter(|(i, _)| (last - i).is_multiple_of(stride));
    kept.for_each(|(_, record)| columns.push(record));
    let offset = begin + read as u64;
    let mark = checksum(&mut file, offset)?.unwrap_or(0);
    let begun = offset > header.len() as u64;
    Ok(NewRows { cursor: Cursor { offset, mark }, begun, reset, more, columns, damage })
}

/// The rows up to the first damaged one, their length in bytes, and what is wrong with that one.
fn parse(header: &[u8], bytes: &[u8]) -> (Vec<Record>, usize, Option<String>) {
    let reader = |bytes| csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut names = StringRecord::new();
    if let Err(why) = reader(header).read_record(&mut names) {
        return (Vec::new(), 0, Some(format!("its first line is not a header: {why}")));
    }
    let (mut records, mut read) = (Vec::new(), 0);
    let (mut reader, mut row) = (reader(bytes), StringRecord::new());
    loop {
        let record = match reader.read_record(&mut row) {
            Ok(false) => return (records, read, None),
            Ok(true) => row.deserialize::<Record>(Some(&names)).map_err(|e| e.to_string()),
            Err(why) => Err(why.to_string()),
        };
        match record {
            Ok(record) => records.push(record),
            Err(why) => return (records, read, Some(why)),
        }
        read = reader.position().byte() as usize;
    }
}

/// A checksum of the bytes before `offset`; `None` if the file is shorter.
fn checksum(file: &mut BufReader<File>, offset: u64) -> io::Result<Option<u32>> {
    if file.get_ref().metadata()?.len() < offset {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(offset.saturating_sub(CHECKED_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(offset.min(CHECKED_BYTES)).read_to_end(&mut bytes)?;
    Ok(Some(crc32fast::hash(&bytes)))
}
