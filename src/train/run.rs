//! The run directory: configuration, metrics, checkpoint and result, and how a killed run continues.

use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::base::table::Table;
use crate::base::tensors::{FileError, write_atomically};
use crate::oracle::{Oracle, OracleEvents};
use crate::policy::policy_file;
use crate::rollout::EnvFactory;
use crate::train::checkpoint::Checkpoint;
use crate::train::config::{Config, ConfigError, EnvDevice, ScorerKind};
use crate::train::reference;
use crate::train::tensorboard::{self, Events};
use crate::train::{Logs, Record, Summary, Timing, TrainError, Trainer, registered};

/// Names of the files in a run directory.
pub mod files {
    /// The resolved configuration.
    pub const CONFIG: &str = "config.toml";
    /// One row for each iteration; the same bytes for the same seed.
    pub const METRICS: &str = "metrics.csv";
    /// Wall-clock seconds, in a file of their own because they differ each time.
    pub const TIMINGS: &str = "timings.csv";
    /// Every comparison, with `log_comparisons = true`.
    pub const COMPARISONS: &str = "comparisons.csv";
    /// What every fit of a reward model predicts of held-out comparisons, with `reward_model.log_predictions = true`.
    pub const REWARD_MODEL: &str = "reward_model.csv";
    /// Every answer of the safety oracle, with `log_comparisons = true`.
    pub const SAFETY_COMPARISONS: &str = "safety_comparisons.csv";
    /// The reference policy, if it comes from another run.
    pub const REFERENCE: &str = "initial.safetensors";
    /// The newest checkpoint.
    pub const CHECKPOINT: &str = "checkpoint.safetensors";
    /// The trained result.
    pub const POLICY: &str = "policy.safetensors";
    /// The figures at the end.
    pub const SUMMARY: &str = "summary.json";
    /// The newest trajectories, for `spo watch`.
    pub const LATEST_REPLAY: &str = "newest.safetensors";
    /// The last messages of a run that failed in an experiment.
    pub const ERROR: &str = "error.txt";
}

/// The shortest time between two writes of the newest trajectories: a viewer cannot follow faster changes.
const REPLAY_EVERY: Duration = Duration::from_secs(1);

/// The commit that this program was built from, with `-dirty` if its sources differ from it; `None` if it was built outside a
/// git checkout.
pub const COMMIT: Option<&str> = option_env!("SPO_COMMIT");

/// A run that writes its files into a directory.
pub struct Run {
    dir: PathBuf,
    trainer: Trainer,
    metrics: RunTable,
    timings: RunTable,
    /// The table of the reward model's predictions.
    reward_model: Option<RunTable>,
    /// When the newest trajectories were last saved.
    replay_saved: Option<Instant>,
    /// Whether they are still saved: the first failure ends it.
    saves_replay: bool,
    events: Option<Events>,
    warn: Box<dyn FnMut(&str) + Send>,
}

/// A table of the run directory, with the errors of its files.
struct RunTable(Table);

impl RunTable {
    /// Opens the file, truncates it to its first `keep` bytes, and locks it: only one process may write a run.
    fn open(path: PathBuf, keep: u64) -> Result<Self, FileError> {
        let table = Table::open_alone(path.clone(), keep);
        table.map(Self).map_err(|source| FileError::Write { path, source })
    }

    fn push<R: Serialize>(&mut self, rows: &[R]) -> Result<(), FileError> {
        self.0.push(rows).map_err(|source| FileError::Write { path: self.0.path().into(), source })
    }

    fn rows<T: serde::de::DeserializeOwned>(&self) -> Result<Vec<T>, FileError> {
        let damaged = |e: csv::Error| FileError::Damaged { path: self.0.path().into(), why: e.to_string() };
        csv::Reader::from_path(self.0.path())
            .map_err(damaged)?
            .deserialize()
            .collect::<Result<_, _>>()
            .map_err(damaged)
    }

    /// Refuses a table with the columns of another version, since new rows would not match them.
    fn with_columns_of<T: Serialize + serde::de::DeserializeOwned>(self) -> Result<Self, FileError> {
        let columns = |csv: &[u8]| csv.split(|&byte| byte == b'\n').next().map(<[u8]>::to_vec);
        let path = self.0.path();
        let read = |source| FileError::Read { path: path.into(), source };
        let Some(row) = self.rows::<T>()?.into_iter().next() else { return Ok(self) };
        let mut today = csv::Writer::from_writer(Vec::new());
        today.serialize(row).map_err(|e| read(io::Error::other(e.to_string())))?;
        let today = today.into_inner().map_err(|e| read(io::Error::other(e.to_string())))?;
        if columns(&today) == columns(&std::fs::read(path).map_err(read)?) {
            return Ok(self);
        }
        let expected = "current metrics".into();
        let found =
            "another version of spo started the run; continue with that version, or start again in another folder"
                .into();
        Err(FileError::Foreign { path: path.into(), expected, found })
    }

    fn sync(&mut self) -> Result<u64, FileError> {
        self.0.sync().map_err(|source| FileError::Write { path: self.0.path().into(), source })
    }
}

impl Run {
    /// A new run in `dir`, which is created. A directory that already holds a run is refused.
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
        // Errors of the oracle are reported before the directory is created.
        oracle.prepare(&spec, &OracleEvents::default())?;
        if !config.init.is_empty() || config.device != crate::device::NAMES[0] {
            // So are a reference policy that does not fit, and a device that cannot hold the environments.
            Trainer::new(config.clone(), factory.clone(), no_oracle(), None)?;
        }
        Self::make_directory(dir)?;
        let begun = Self::with_own_reference(dir, config.clone())?;
        Self::prepare(dir, &config)?;
        Self::open(dir, begun, factory, oracle, None)
    }

    /// The configuration with `init` set to the run's own copy of the reference policy. The first call makes the copy, because
    /// the source may change or be deleted later.
    fn with_own_reference(dir: &Path, config: Config) -> Result<Config, TrainError> {
        if config.init.is_empty() {
            return Ok(config);
        }
        let own = dir.join(files::REFERENCE);
        if !own.exists() {
            let policy = reference::load(Path::new(&config.init), &config.env, config.normalizes_obs())?;
            fs::create_dir_all(dir).map_err(|source| FileError::Write { path: dir.into(), source })?;
            policy_file::save(&own, &config.env, &[policy])?;
        }
        Ok(Config { init: own.display().to_string(), ..config })
    }

    /// Creates a directory for a new run. A directory that already holds a run is refused.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn make_directory(dir: &Path) -> Result<(), FileError> {
        let write = |source| FileError::Write { path: dir.into(), source };
        if dir.join(files::CONFIG).exists() {
            let why =
                "it holds a run already; continue it with --resume, or choose another folder with --out";
            return Err(write(io::Error::new(io::ErrorKind::AlreadyExists, why)));
        }
        fs::create_dir_all(dir).map_err(write)
    }

    /// Makes `dir` the directory of a run that has not started; [`resume`](Self::resume) starts it.
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
    /// [`ConfigError`] if the file is missing or damaged.
    pub fn config_of(dir: &Path) -> Result<Config, ConfigError> {
        Config::from_file(&dir.join(files::CONFIG))
    }

    /// Whether a process is training the run in `dir` now; `None` if the file system does not support locks.
    pub fn is_trained(dir: &Path) -> Option<bool> {
        let Ok(metrics) = File::open(dir.join(files::METRICS)) else { return Some(false) };
        match metrics.try_lock_shared() {
            Ok(()) => Some(false),
            Err(TryLockError::WouldBlock) => Some(true),
            Err(TryLockError::Error(_)) => None,
        }
    }

    /// The run in `dir` at its newest checkpoint, to inspect it. It cannot query an oracle, and it writes no files.
    ///
    /// # Errors
    /// [`TrainError`]: no run, no checkpoint, a damaged checkpoint, or a task that is not in the registry.
    pub fn open_at_checkpoint(dir: &Path) -> Result<Trainer, TrainError> {
        let factory = registered(&Self::config_of(dir)?.env)?;
        Self::open_at_checkpoint_with(dir, factory, (no_oracle(), 0))
    }

    /// As [`open_at_checkpoint`](Self::open_at_checkpoint), with an oracle that can be queried for `most` more comparisons. It
    /// computes on the host, also if the run was trained on a device.
    ///
    /// # Errors
    /// [`TrainError`].
    pub fn open_at_checkpoint_with(
        dir: &Path,
        factory: EnvFactory,
        (oracle, most): (Box<dyn Oracle>, u64),
    ) -> Result<Trainer, TrainError> {
        // The checkpoint has the weights, so the reference policy's file is not needed and may be missing.
        let (init, device) = (String::new(), crate::device::NAMES[0].into());
        let config = Config {
            init,
            device,
            env_device: EnvDevice::Host,
            log_comparisons: false,
            ..Self::config_of(dir)?
        };
        let checkpoint = Checkpoint::load(&dir.join(files::CHECKPOINT), config.snapshots)?;
        let budget = checkpoint.scorer.queries.asked.saturating_add(most);
        let mut trainer = Trainer::with_budget(config, factory, oracle, None, Some(budget))?;
        trainer.restore(checkpoint)?;
        Ok(trainer)
    }

    /// The run in `dir` at its newest checkpoint, or at its start if it has no checkpoint yet.
    ///
    /// # Errors
    /// [`TrainError`]: a checkpoint that is damaged or of another configuration, or a directory that cannot be written.
    pub fn resume(dir: &Path, factory: EnvFactory, oracle: Box<dyn Oracle>) -> Result<Self, TrainError> {
        let config = Self::with_own_reference(dir, Self::config_of(dir)?)?;
        let path = dir.join(files::CHECKPOINT);
        if !path.exists() {
            return Self::open(dir, config, factory, oracle, None);
        }
        let checkpoint = Checkpoint::load(&path, config.snapshots)?;
        Self::open(dir, config, factory, oracle, Some(checkpoint))
    }

    fn open(
        dir: &Path,
        config: Config,
        factory: EnvFactory,
        oracle: Box<dyn Oracle>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Self, TrainError> {
        let (metrics, timings, reward_model, comparisons) = checkpoint.as_ref().map_or((0, 0, 0, 0), |c| {
            (c.metrics_bytes, c.timings_bytes, c.reward_model_bytes, c.scorer.log_bytes)
        });
        let logs_model = config.reward_model.log_predictions && config.scorer == ScorerKind::RewardModel;
        let of_safety = checkpoint.as_ref().and_then(|c| Some(c.safety.as_ref()?.scorer.log_bytes));
        let paths = [files::COMPARISONS, files::SAFETY_COMPARISONS].map(|name| dir.join(name));
        let logs =
            Logs { comparisons: (&paths[0], comparisons), safety: (&paths[1], of_safety.unwrap_or(0)) };
        let logs = config.log_comparisons.then_some(logs);
        let mut trainer = Trainer::new(config, factory, oracle, logs)?;
        if let Some(checkpoint) = checkpoint {
            trainer.restore(checkpoint)?;
        }
        Ok(Self {
            dir: dir.into(),
            trainer,
            metrics: RunTable::open(dir.join(files::METRICS), metrics)?.with_columns_of::<Record>()?,
            timings: RunTable::open(dir.join(files::TIMINGS), timings)?,
            reward_model: logs_model
                .then(|| RunTable::open(dir.join(files::REWARD_MODEL), reward_model))
                .transpose()?,
            replay_saved: None,
            saves_replay: true,
            events: None,
            warn: Box::new(|what| eprintln!("{what}")),
        })
    }

    /// Also writes an event file for TensorBoard from now on. If the directory has no event file yet, the rows so far are
    /// written first.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn write_events(&mut self) -> Result<(), TrainError> {
        let first = !Events::are_in(&self.dir);
        if !first && self.dir.join(files::SUMMARY).exists() {
            // The run has ended, and its event files are complete.
            return Ok(());
        }
        let mut events = Events::begin(&self.dir, self.trainer.env_steps())?;
        if first {
            let (records, timings) = (self.metrics.rows::<Record>()?, self.timings.rows::<Timing>()?);
            let seconds = timings.last().map_or(0.0, |t| t.seconds);
            for (r, t) in records.iter().zip(&timings) {
                let at = tensorboard::now() - (seconds - t.seconds);
                events.scalars(at, r.env_steps, &tensorboard::named(self.trainer.config(), r, t))?;
            }
        }
        self.events = Some(events);
        Ok(())
    }

    /// Sets what to do with warnings: problems that do not end the run, each reported once. By default they are printed to
    /// standard error.
    pub fn warn_by(&mut self, warn: impl FnMut(&str) + Send + 'static) {
        self.warn = Box::new(warn);
    }

    /// The run's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The run in memory.
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// Trains to the end, or until `observe` breaks. In both cases a checkpoint is written.
    ///
    /// Returns the summary, or `None` if `observe` stopped the run.
    ///
    /// # Errors
    /// [`TrainError`]. The newest checkpoint stays intact.
    pub fn train(
        &mut self,
        observe: &mut dyn FnMut(&Record, &Timing) -> ControlFlow<()>,
    ) -> Result<Option<Summary>, TrainError> {
        while !self.trainer.done() {
            let stepped = match self.trainer.step() {
                Err(lost @ TrainError::DeviceLost { .. }) => {
                    self.save()?;
                    return Err(lost);
                }
                other => other?,
            };
            let Some((record, timing)) = stepped else { break };
            self.metrics.push(&[record])?;
            self.timings.push(&[timing])?;
            if let Some(table) = &mut self.reward_model {
                table.push(self.trainer.held_out())?;
            }
            self.write_event(record.env_steps, |config| tensorboard::named(config, &record, &timing));
            let broke = observe(&record, &timing).is_break();
            self.save_latest_replay(broke);
            if broke || record.iteration % self.trainer.config().checkpoint_every == 0 {
                self.save()?;
            }
            if broke && !self.trainer.done() {
                return Ok(None);
            }
        }
        self.save_latest_replay(true);
        self.save()?;
        let path = self.dir.join(files::POLICY);
        let result = self.trainer.result()?;
        policy_file::save(&path, &self.trainer.config().env, &result)?;
        // Evaluate the policy of the file, whose statistics are rounded to float32, so that others get the same result from it.
        let (_, result) = policy_file::load(&path)?;
        let summary = self.trainer.summary(&result)?;
        self.write_event(summary.env_steps, |_| tensorboard::named_at_the_end(&summary));
        let json = serde_json::to_string_pretty(&summary).expect("plain numbers") + "\n";
        write_atomically(&self.dir.join(files::SUMMARY), json.as_bytes())?;
        Ok(Some(summary))
    }

    /// Writes an event if the run has an event file. After the first failure no more are written.
    fn write_event(&mut self, step: u64, values: impl FnOnce(&Config) -> Vec<(&'static str, f64)>) {
        let Some(events) = &mut self.events else { return };
        let values = values(self.trainer.config());
        if let Err(why) = events.scalars(tensorboard::now(), step, &values) {
            (self.warn)(&format!("no more events for TensorBoard; training continues: {}", cause(&why)));
            self.events = None;
        }
    }

    /// Saves the newest trajectories for `spo watch`, if the last save is long ago or with `now`. After the first failure they
    /// are no longer saved.
    fn save_latest_replay(&mut self, now: bool) {
        let due = now || self.replay_saved.is_none_or(|at| at.elapsed() >= REPLAY_EVERY);
        let replay = self.trainer.latest_replay().filter(|_| due && self.saves_replay);
        let Some(replay) = replay else { return };
        if let Err(why) = replay.save(&self.dir.join(files::LATEST_REPLAY)) {
            (self.warn)(&format!(
                "the newest trajectories cannot be saved for `spo watch`; training continues: {}",
                cause(&why)
            ));
            self.saves_replay = false;
        }
        self.replay_saved = Some(Instant::now());
    }

    /// Syncs the tables to disk, then writes the checkpoint, which refers to their lengths.
    fn save(&mut self) -> Result<(), TrainError> {
        let metrics_bytes = self.metrics.sync()?;
        let timings_bytes = self.timings.sync()?;
        let reward_model_bytes = self.reward_model.as_mut().map_or(Ok(0), RunTable::sync)?;
        let state = self.trainer.checkpoint()?;
        let checkpoint = Checkpoint { metrics_bytes, timings_bytes, reward_model_bytes, ..state };
        checkpoint.save(&self.dir.join(files::CHECKPOINT))?;
        Ok(())
    }
}

/// What went wrong, without the advice for errors that end a run.
fn cause(error: &FileError) -> String {
    match error {
        FileError::Write { path, source } => format!("cannot write {}: {source}", path.display()),
        other => other.to_string(),
    }
}

/// A placeholder oracle for a trainer that makes no comparisons.
fn no_oracle() -> Box<dyn Oracle> {
    Box::new(|_: crate::rollout::Trajectory<'_>, _: crate::rollout::Trajectory<'_>| 0.5)
}
