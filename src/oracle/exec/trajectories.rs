//! The trajectories of a batch: each is sent once, even if it is in many pairs. Large ones lie in a file.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::Pair;
use super::protocol::{Part, Sent};
use crate::rollout::Trajectory;

/// The distinct trajectories of a batch, and its pairs as indices into them.
#[derive(Default)]
pub struct Batch<'a> {
    pub trajectories: Vec<Trajectory<'a>>,
    pub pairs: Vec<(usize, usize)>,
}

impl<'a> Batch<'a> {
    pub fn new(pairs: impl Iterator<Item = Pair<'a>>) -> Self {
        let (mut batch, mut places) = (Self::default(), HashMap::new());
        for pair in pairs {
            let [a, b] = [pair.a, pair.b].map(|t| {
                // All are borrowed at the same time, so slices at the same address are the same.
                let slice = |part: Part| (part.numbers(&t).as_ptr().addr(), part.numbers(&t).len());
                *places.entry(Part::ALL.map(slice)).or_insert_with(|| {
                    batch.trajectories.push(t);
                    batch.trajectories.len() - 1
                })
            });
            batch.pairs.push((a, b));
        }
        batch
    }

    /// The trajectories with their numbers, for a JSON line.
    pub fn by_value(&self, parts: &'a [Part]) -> Vec<Sent<'a>> {
        self.trajectories.iter().map(|&trajectory| Sent { trajectory, parts, offset: None }).collect()
    }

    /// Writes the numbers to `file`. Returns the trajectories with their offsets there, and the file's length in bytes.
    ///
    /// # Errors
    /// As on a full disk.
    pub fn by_file(&self, parts: &'a [Part], file: &mut Shared) -> io::Result<(Vec<Sent<'a>>, u64)> {
        let (mut bytes, mut sent) = (Vec::new(), Vec::new());
        for &trajectory in &self.trajectories {
            sent.push(Sent { trajectory, parts, offset: Some(bytes.len() / size_of::<f32>()) });
            for part in parts {
                bytes.extend(part.numbers(&trajectory).iter().flat_map(|x| x.to_ne_bytes()));
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
    /// Makes a file that only this user can read; it is in memory if the system has a folder for that.
    ///
    /// # Errors
    /// If the file cannot be made.
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
                // A process with the same id left it behind.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes its name once both processes have it open, so that a kill cannot leave it behind.
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
