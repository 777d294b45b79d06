//! The trajectories of a batch, each sent once however many pairs it is in; and the file that large ones lie in.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::Pair;
use super::protocol::{Part, Sent};
use crate::rollout::Trajectory;

/// The different trajectories of a batch, and its pairs as places among them.
#[derive(Default)]
pub struct Table<'a> {
    pub trajectories: Vec<Trajectory<'a>>,
    pub pairs: Vec<(usize, usize)>,
}

impl<'a> Table<'a> {
    pub fn new(pairs: impl Iterator<Item = Pair<'a>>) -> Self {
        let (mut table, mut places) = (Self::default(), HashMap::new());
        for pair in pairs {
            let [a, b] = [pair.a, pair.b].map(|t| {
                // Borrowed all at once, what lies in the same place is the same.
                let slice = |part: Part| (part.of(&t).as_ptr().addr(), part.of(&t).len());
                *places.entry(Part::ALL.map(slice)).or_insert_with(|| {
                    table.trajectories.push(t);
                    table.trajectories.len() - 1
                })
            });
            table.pairs.push((a, b));
        }
        table
    }

    /// The trajectories with their numbers, for a line.
    pub fn by_value(&self, parts: &'a [Part]) -> Vec<Sent<'a>> {
        self.trajectories.iter().map(|&trajectory| Sent { trajectory, parts, offset: None }).collect()
    }

    /// The trajectories by their places in `file`, where their numbers are written; and its length in bytes.
    ///
    /// # Errors
    /// As on a full disk.
    pub fn by_file(&self, parts: &'a [Part], file: &mut Shared) -> io::Result<(Vec<Sent<'a>>, u64)> {
        let (mut bytes, mut sent) = (Vec::new(), Vec::new());
        for &trajectory in &self.trajectories {
            sent.push(Sent { trajectory, parts, offset: Some(bytes.len() / size_of::<f32>()) });
            for part in parts {
                bytes.extend(part.of(&trajectory).iter().flat_map(|x| x.to_ne_bytes()));
            }
        }
        file.write(&bytes)?;
        Ok((sent, bytes.len() as u64))
    }
}

/// A file of float32 that two processes share.
pub struct Shared {
    file: File,
    path: PathBuf,
}

impl Shared {
    /// A new file, in memory where the system has such a folder, that this user alone can read.
    ///
    /// # Errors
    /// Where there is no place for it.
    pub fn create() -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { memory.into() } else { std::env::temp_dir() };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        loop {
            let next = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("spo-{}-{next}.f32", std::process::id()));
            match options.open(&path) {
                Ok(file) => return Ok(Self { file, path }),
                // Left by a process of the same number.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes its name away once both have it open, so that no kill can leave it behind.
    pub fn unlink(&self) {
        let _ = fs::remove_file(&self.path);
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(bytes)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.unlink();
    }
}
