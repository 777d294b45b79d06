//! The run directory: configuration, metrics, checkpoint, result, and how a run goes on after a kill.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::checkpoint::Checkpoint;
use crate::config::{Config, ConfigError};
use crate::oracle::{Notes, Oracle};
use crate::policy_file;
use crate::rollout::EnvFactory;
use crate::tensors::{FileError, write_atomically};
use crate::train::{Record, Summary, Timing, TrainError, Trainer};

/// Names of the files in a run directory.
pub mod files {
    /// The resolved configuration.
    pub const CONFIG: &str = "config.toml";
    /// One row an iteration; the same bytes for the same seed.
    pub const METRICS: &str = "metrics.csv";
    /// Wall-clock seconds, apart because they never repeat.
    pub const TIMINGS: &str = "timings.csv";
    /// Every comparison, where asked for.
    pub const COMPARISONS: &str = "comparisons.csv";
    /// The newest checkpoint.
    pub const CHECKPOINT: &str = "checkpoint.safetensors";
    /// The trained result.
    pub const POLICY: &str = "policy.safetensors";
    /// The figures at the end.
    pub const SUMMARY: &str = "summary.json";
    /// The last words of a run that failed in an experiment.
    pub const ERROR: &str = "error.txt";
}

/// The commit that this program was built from, `-dirty` where its sources differ from it; none outside a checkout.
pub const COMMIT: Option<&str> = option_env!("SPO_COMMIT");

/// A training bound to a directory.
pub struct Run {
    dir: PathBuf,
    trainer: Trainer,
    metrics: Table,
    timings: Table,
}

/// A CSV file that grows by whole rows.
struct Table {
    path: PathBuf,
    file: File,
}

impl Table {
    /// Opens the file at its first `keep` bytes and drops the rest.
    fn open(path: PathBuf, keep: u64) -> Result<Self, FileError> {
        let open = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
            // Held until the process ends; a file system without locks goes without.
            if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                return Err(io::Error::other("another process trains this run"));
            }
            if file.metadata()?.len() < keep {
                return Err(io::Error::other("it is shorter than its checkpoint says"));
            }
            file.set_len(keep)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        match open() {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(FileError::Write { path, source }),
        }
    }

    fn push(&mut self, row: impl Serialize) -> Result<(), FileError> {
        let write = || -> io::Result<()> {
            let mut csv = csv::WriterBuilder::new()
                .has_headers(self.file.stream_position()? == 0)
                .from_writer(Vec::new());
            csv.serialize(row)?;
            self.file.write_all(&csv.into_inner().map_err(|e| io::Error::other(e.to_string()))?)
        };
        write().map_err(|source| FileError::Write { path: self.path.clone(), source })
    }

    fn sync(&mut self) -> Result<u64, FileError> {
        (self.file.sync_data().and_then(|()| self.file.stream_position()))
            .map_err(|source| FileError::Write { path: self.path.clone(), source })
    }
}

impl Run {
    /// A new run in `dir`, which is created; a directory that holds a run already is refused.
    ///
    /// # Errors
    /// [`TrainError`].
    pub fn create(
        dir: &Path,
        config: Config,
        factory: EnvFactory,
        mut oracle: Box<dyn Oracle>,
    ) -> Result<Self, TrainError> {
        let spec = factory()?.spec().clone();
        config.validate_on(&spec)?;
        // An oracle that cannot judge says so before there is a directory.
        oracle.prepare(&spec, &Notes::default())?;
        Self::make_directory(dir)?;
        Self::prepare(dir, &config)?;
        Self::open(dir, config, factory, oracle, None)
    }

    /// A directory for a new run; one that holds a run already is refused.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn make_directory(dir: &Path) -> Result<(), FileError> {
        let write = |source| FileError::Write { path: dir.into(), source };
        if dir.join(files::CONFIG).exists() {
            let why =
                "it holds a run already; go on with it by --resume, or choose another folder with --out";
            return Err(write(io::Error::new(io::ErrorKind::AlreadyExists, why)));
        }
        fs::create_dir_all(dir).map_err(write)
    }

    /// Makes `dir` a run that has not begun, for [`resume`](Self::resume) to begin.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn prepare(dir: &Path, config: &Config) -> Result<(), FileError> {
        fs::create_dir_all(dir).map_err(|source| FileError::Write { path: dir.into(), source })?;
        write_atomically(&dir.join(files::CONFIG), config.to_toml().as_bytes())
    }

    /// The configuration of the run in `dir`.
    ///
    /// # Errors
    /// [`ConfigError`] where there is none or it is damaged.
    pub fn config_of(dir: &Path) -> Result<Config, ConfigError> {
        Config::from_file(&dir.join(files::CONFIG))
    }

    /// The run in `dir`, from its newest checkpoint; from its beginning where it was killed before the first.
    ///
    /// # Errors
    /// [`TrainError`]: a damaged or foreign checkpoint, a changed configuration, an unwritable directory.
    pub fn resume(dir: &Path, factory: EnvFactory, oracle: Box<dyn Oracle>) -> Result<Self, TrainError> {
        let config = Self::config_of(dir)?;
        let path = dir.join(files::CHECKPOINT);
        if !path.exists() {
            return Self::open(dir, config, factory, oracle, None);
        }
        // A throw-away trainer knows the network's shape, which the checkpoint must have.
        let template = Trainer::new(config.clone(), factory.clone(), nobody(), None)?.policy();
        let checkpoint = Checkpoint::load(&path, &template, config.snapshots)?;
        Self::open(dir, config, factory, oracle, Some(checkpoint))
    }

    fn open(
        dir: &Path,
        config: Config,
        factory: EnvFactory,
        oracle: Box<dyn Oracle>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Self, TrainError> {
        let (metrics, timings, comparisons) =
            checkpoint.as_ref().map_or((0, 0, 0), |c| (c.metrics_bytes, c.timings_bytes, c.scorer.log_bytes));
        let log = dir.join(files::COMPARISONS);
        let log = config.log_comparisons.then_some((log.as_path(), comparisons));
        let mut trainer = Trainer::new(config, factory, oracle, log)?;
        if let Some(checkpoint) = checkpoint {
            trainer.restore(checkpoint)?;
        }
        Ok(Self {
            dir: dir.into(),
            trainer,
            metrics: Table::open(dir.join(files::METRICS), metrics)?,
            timings: Table::open(dir.join(files::TIMINGS), timings)?,
        })
    }

    /// The run's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The training itself.
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// Trains to the end, or until `observe` breaks; either way the last thing done is a checkpoint.
    ///
    /// Returns the summary, or `None` where `observe` broke off.
    ///
    /// # Errors
    /// [`TrainError`]; the newest checkpoint is then still whole.
    pub fn train(
        &mut self,
        observe: &mut dyn FnMut(&Record, &Timing) -> ControlFlow<()>,
    ) -> Result<Option<Summary>, TrainError> {
        while !self.trainer.done() {
            let Some((record, timing)) = self.trainer.step()? else { break };
            self.metrics.push(record)?;
            self.timings.push(timing)?;
            let broke = observe(&record, &timing).is_break();
            if broke || record.iteration % self.trainer.config().checkpoint_every == 0 {
                self.save()?;
            }
            if broke && !self.trainer.done() {
                return Ok(None);
            }
        }
        self.save()?;
        let path = self.dir.join(files::POLICY);
        let result = self.trainer.result()?;
        policy_file::save(&path, &self.trainer.config().env, &result)?;
        // What is evaluated is what is in the file: its statistics are rounded to float32.
        let (_, result) = policy_file::load(&path)?;
        let summary = self.trainer.summary(&result)?;
        let json = serde_json::to_string_pretty(&summary).expect("plain numbers") + "\n";
        write_atomically(&self.dir.join(files::SUMMARY), json.as_bytes())?;
        Ok(Some(summary))
    }

    /// Makes the tables durable, then writes the checkpoint that counts on them.
    fn save(&mut self) -> Result<(), TrainError> {
        let metrics_bytes = self.metrics.sync()?;
        let timings_bytes = self.timings.sync()?;
        let checkpoint = Checkpoint { metrics_bytes, timings_bytes, ..self.trainer.checkpoint()? };
        checkpoint.save(&self.dir.join(files::CHECKPOINT))?;
        Ok(())
    }
}

/// An oracle for a trainer that asks nothing.
fn nobody() -> Box<dyn Oracle> {
    Box::new(|_: crate::rollout::Trajectory<'_>, _: crate::rollout::Trajectory<'_>| 0.5)
}
