//! A CSV file that only grows, by whole rows, and that a run which is resumed takes up at its checkpoint.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

/// A CSV file that grows by whole rows.
///
/// A checkpoint keeps its length in bytes, from [`sync`](Self::sync). A run that is resumed [opens](Self::open) it at that
/// length: rows that came after the checkpoint are dropped, and will be written again.
pub struct Table {
    path: PathBuf,
    file: File,
}

impl Table {
    /// Opens a file, which is made where there is none, and drops all but its first `keep` bytes.
    ///
    /// # Errors
    /// A file that cannot be written, or that is shorter than `keep`.
    pub fn open(path: PathBuf, keep: u64) -> io::Result<Self> {
        let mut table = Self { file: Self::file(&path)?, path };
        table.truncate(keep)?;
        Ok(table)
    }

    /// As [`open`](Self::open), for this process alone: the file stays locked until the process ends. A file system
    /// without locks goes without.
    ///
    /// # Errors
    /// Also where another process holds the lock.
    pub fn open_alone(path: PathBuf, keep: u64) -> io::Result<Self> {
        let mut table = Self { file: Self::file(&path)?, path };
        // Whoever only looks whether the lock is held has it for microseconds, and not time after time.
        let held = || matches!(table.file.try_lock(), Err(TryLockError::WouldBlock));
        if held() && (0..10).all(|_| (std::thread::sleep(Duration::from_millis(5)), held()).1) {
            return Err(io::Error::other("another process trains this run"));
        }
        table.truncate(keep)?;
        Ok(table)
    }

    fn file(path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(false).open(path)
    }

    fn truncate(&mut self, keep: u64) -> io::Result<()> {
        if self.file.metadata()?.len() < keep {
            return Err(io::Error::other("it is shorter than its checkpoint says"));
        }
        self.file.set_len(keep)?;
        self.file.seek(SeekFrom::End(0)).map(|_| ())
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the line of column names, with its end, where the file is empty: for rows that have no names.
    ///
    /// # Errors
    /// As on a full disk.
    pub fn write_header(&mut self, header: &str) -> io::Result<()> {
        if self.file.stream_position()? == 0 { self.file.write_all(header.as_bytes()) } else { Ok(()) }
    }

    /// Appends rows. Where the file is empty, the names of a row's fields, if it has any, become the first line.
    ///
    /// # Errors
    /// As on a full disk.
    pub fn push<R: Serialize>(&mut self, rows: impl IntoIterator<Item = R>) -> io::Result<()> {
        let empty = self.file.stream_position()? == 0;
        let mut csv = csv::WriterBuilder::new().has_headers(empty).from_writer(Vec::new());
        rows.into_iter().try_for_each(|row| csv.serialize(row))?;
        self.file.write_all(&csv.into_inner().map_err(|e| io::Error::other(e.to_string()))?)
    }

    /// Makes the rows durable and returns the length in bytes.
    ///
    /// # Errors
    /// As on a full disk.
    pub fn sync(&mut self) -> io::Result<u64> {
        self.file.sync_data()?;
        self.file.stream_position()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Serialize)]
    struct Row {
        step: u32,
        value: f32,
    }

    #[test]
    fn rows_after_the_checkpoint_are_dropped() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("t.csv");
        let read = || std::fs::read_to_string(&path).unwrap();
        let row = |step| Row { step, value: 0.5 };
        let mut table = Table::open(path.clone(), 0).unwrap();
        table.push([row(1)]).unwrap();
        let kept = table.sync().unwrap();
        table.push([row(2), row(3)]).unwrap();
        assert_eq!(read(), "step,value\n1,0.5\n2,0.5\n3,0.5\n");
        let mut table = Table::open(path.clone(), kept).unwrap();
        assert_eq!(read(), "step,value\n1,0.5\n");
        table.push([row(4)]).unwrap();
        table.push([] as [Row; 0]).unwrap();
        assert_eq!(read(), "step,value\n1,0.5\n4,0.5\n");
        assert!(
            Table::open(path.clone(), 1000)
                .err()
                .unwrap()
                .to_string()
                .contains("shorter than its checkpoint")
        );
        // Rows without names stand under a line that is given.
        let mut table = Table::open(path.clone(), 0).unwrap();
        table.write_header("a,b\n").unwrap();
        table.push([(1, "x")]).unwrap();
        table.write_header("a,b\n").unwrap();
        assert_eq!(read(), "a,b\n1,x\n");
    }

    #[test]
    fn a_locked_file_is_one_writers() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("t.csv");
        let table = Table::open_alone(path.clone(), 0).unwrap();
        assert!(Table::open_alone(path.clone(), 0).err().unwrap().to_string().contains("another process"));
        drop(table);
        assert!(Table::open_alone(path, 0).is_ok());
    }
}
