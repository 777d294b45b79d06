//! Files of named float32 tensors: safetensors with a format name, a version and a checksum, written atomically.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

/// The format and version of a file.
pub struct FileKind {
    /// Metadata `format`.
    pub format: &'static str,
    /// Metadata `version`.
    pub version: &'static str,
}

/// An error of a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be written, for example on a full disk or in a folder without permission.
    #[error(
        "cannot write {path}: {source}; free disk space or choose another folder with --out, then continue with --resume"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Truncated or altered.
    #[error("{path} is damaged: {why}; restore it from a copy or start a new run in another folder")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file of another program or another version.
    #[error("{path} is not a {expected} file: {found}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Format and version that were expected.
        expected: String,
        /// What was found.
        found: String,
    },
}

/// A file of tensors that is being built.
pub struct TensorFile {
    tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)>,
    meta: HashMap<String, String>,
}

impl TensorFile {
    /// An empty file of this kind.
    pub fn new(kind: &FileKind) -> Self {
        let meta = [("format", kind.format), ("version", kind.version)];
        Self { tensors: BTreeMap::new(), meta: meta.map(|(k, v)| (k.to_string(), v.to_string())).into() }
    }

    /// Adds an entry to the metadata.
    pub fn meta(&mut self, key: &str, value: &str) {
        self.meta.insert(key.into(), value.into());
    }

    /// Adds a tensor with its values in row-major order.
    pub fn add(&mut self, name: &str, shape: &[usize], values: Vec<f32>) {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.tensors.insert(name.into(), (shape.to_vec(), bytes));
    }

    /// Writes the file atomically: a temporary file in the same folder is synced and renamed to `path`. A reader sees the
    /// old file or the new one.
    ///
    /// # Errors
    /// [`FileError::Write`]; the old file is then unchanged.
    pub fn write(self, path: &Path) -> Result<(), FileError> {
        write_atomically(path, &self.bytes())
    }

    /// Like [`write`](Self::write), but without waiting for the disk: after a power cut the file may be damaged. For
    /// files that may be lost.
    ///
    /// # Errors
    /// [`FileError::Write`]; the old file is then unchanged.
    pub fn write_unsynced(self, path: &Path) -> Result<(), FileError> {
        replace(path, &self.bytes(), false)
    }

    fn bytes(mut self) -> Vec<u8> {
        let checksum =
            checksum(self.tensors.iter().map(|(name, (_, bytes))| (name.as_str(), &bytes[..])), &self.meta);
        self.meta("crc32", &checksum);
        let views = self.tensors.iter().map(|(name, (shape, bytes))| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes).expect("shape and values agree");
            (name.as_str(), view)
        });
        safetensors::serialize(views, Some(self.meta.clone())).expect("float32 tensors serialise")
    }
}

/// Replaces the file at `path` by `bytes` atomically.
///
/// # Errors
/// [`FileError::Write`]; the old file is then unchanged.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace(path, bytes, true)
}

fn replace(path: &Path, bytes: &[u8], sync: bool) -> Result<(), FileError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        if sync {
            file.sync_all()?;
        }
        fs::rename(&temporary, path)?;
        // Sync the folder too, so that the rename survives a power cut.
        match path.parent().filter(|p| sync && !p.as_os_str().is_empty()) {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    })();
    written.map_err(|source| {
        let _ = fs::remove_file(&temporary);
        FileError::Write { path: path.into(), source }
    })
}

/// Reads a whole file.
///
/// # Errors
/// [`FileError::Read`].
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(|source| FileError::Read { path: path.into(), source })
}

/// The tensors and metadata of a file of this kind.
///
/// # Errors
/// [`FileError::Damaged`] if the checksum does not match, [`FileError::Foreign`] if it is of another kind.
pub fn open<'a>(
    path: &Path,
    bytes: &'a [u8],
    kind: &FileKind,
) -> Result<(SafeTensors<'a>, HashMap<String, String>), FileError> {
    let damaged = |why: String| FileError::Damaged { path: path.into(), why };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(e.to_string()))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| damaged(e.to_string()))?;
    let meta = header.metadata().clone().unwrap_or_default();
    let get = |key: &str| meta.get(key).map_or("nothing", String::as_str);
    if (get("format"), get("version")) != (kind.format, kind.version) {
        return Err(FileError::Foreign {
            path: path.into(),
            expected: format!("{} version {}", kind.format, kind.version),
            found: format!("its metadata says format {}, version {}", get("format"), get("version")),
        });
    }
    let mut sorted: Vec<_> = tensors.iter().map(|(name, view)| (name, view.data())).collect();
    sorted.sort_by_key(|(name, _)| name.to_string());
    if checksum(sorted.into_iter(), &meta) != get("crc32") {
        return Err(damaged("its checksum does not match its contents".into()));
    }
    Ok((tensors, meta))
}

/// Shape and values of a tensor.
///
/// # Errors
/// A message that it is missing or not float32.
pub fn floats(tensors: &SafeTensors<'_>, name: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
    let view = tensors.tensor(name).map_err(|_| format!("no tensor `{name}`"))?;
    if view.dtype() != Dtype::F32 {
        return Err(format!("`{name}` is not float32"));
    }
    let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    Ok((view.shape().to_vec(), values))
}

/// CRC-32 over names, values and metadata (except `crc32` itself), in order of name.
fn checksum<'a>(
    tensors: impl Iterator<Item = (&'a str, &'a [u8])>,
    meta: &HashMap<String, String>,
) -> String {
    let mut crc = crc32fast::Hasher::new();
    for (name, bytes) in tensors {
        crc.update(name.as_bytes());
        crc.update(bytes);
    }
    let sorted: BTreeMap<_, _> = meta.iter().filter(|(key, _)| *key != "crc32").collect();
    for (key, value) in sorted {
        crc.update(key.as_bytes());
        crc.update(value.as_bytes());
    }
    format!("{:08x}", crc.finalize())
}
