//! The run directory: configuration, metrics, checkpoint, result, and how a run goes on after a kill.

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
    /// One row an iteration; the same bytes for the same seed.
    pub const METRICS: &str = "metrics.csv";
    /// Wall-clock seconds, apart because they never repeat.
    pub const TIMINGS: &str = "timings.csv";
    /// Every comparison, where asked for.
    pub const COMPARISONS: &str = "comparisons.csv";
    /// What every fit of a reward model predicts of held-out comparisons, where asked for.
    pub const REWARD_MODEL: &str = "reward_model.csv";
    /// Every answer of the safety oracle, likewise.
    pub const SAFETY_COMPARISONS: &str = "safety_comparisons.csv";
    /// The initial policy, where it is another run's.
    pub const INITIAL: &str = "initial.safetensors";
    /// The newest checkpoint.
    pub const CHECKPOINT: &str = "checkpoint.safetensors";
    /// The trained result.
    pub const POLICY: &str = "policy.safetensors";
    /// The figures at the end.
    pub const SUMMARY: &str = "summary.json";
    /// The newest trajectories, for those who watch.
    pub const NEWEST: &str = "newest.safetensors";
    /// The last words of a run that failed in an experiment.
    pub const ERROR: &str = "error.txt";
}

/// Between two writings of the newest trajectories, at least: as often as anybody could see.
const LEAVE_EVERY: Duration = Duration::from_secs(1);

/// The commit that this program was built from, `-dirty` where its sources differ from it; none outside a checkout.
pub const COMMIT: Option<&str> = option_env!("SPO_COMMIT");

/// A training bound to a directory.
pub struct Run {
    dir: PathBuf,
    trainer: Trainer,
    metrics: RunTable,
    timings: RunTable,
    /// Where its reward model is logged.
    reward_model: Option<RunTable>,
    /// When the newest trajectories were last left, and whether they still are.
    left: Option<Instant>,
    leaves: bool,
    events: Option<Events>,
    warn: Box<dyn FnMut(&str) + Send>,
}

/// A table of the run directory, with the errors of its files.
struct RunTable(Table);

impl RunTable {
    /// Opens the file at its first `keep` bytes and drops the rest; no other process may have it open so.
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

    /// Refuses columns of another version: a row of this one would not fit under them.
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
            "another version of spo began the run; go on with that one, or start it anew in another folder"
                .into();
        Err(FileError::Foreign { path: path.into(), expected, found })
    }

    fn sync(&mut self) -> Result<u64, FileError> {
        self.0.sync().map_err(|source| FileError::Write { path: self.0.path().into(), source })
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
        oracle.prepare(&spec, &OracleEvents::default())?;
        if !config.init.is_empty() || config.device != crate::device::NAMES[0] {
            // So does an initial policy that does not fit, and a device that cannot take the environments.
            Trainer::new(config.clone(), factory.clone(), nobody(), None)?;
        }
        Self::make_directory(dir)?;
        let begun = Self::with_own_initial(dir, config.clone())?;
        Self::prepare(dir, &config)?;
        Self::open(dir, begun, factory, oracle, None)
    }

    /// The configuration with the run's own copy of its initial policy, made on the first call: what it was taken from
    /// may move on or go away.
    fn with_own_initial(dir: &Path, config: Config) -> Result<Config, TrainError> {
        if config.init.is_empty() {
            return Ok(config);
        }
        let own = dir.join(files::INITIAL);
        if !own.exists() {
            let policy = reference::load(Path::new(&config.init), &config.env, config.normalizes_obs())?;
            fs::create_dir_all(dir).map_err(|source| FileError::Write { path: dir.into(), source })?;
            policy_file::save(&own, &config.env, &[policy])?;
        }
        Ok(Config { init: own.display().to_string(), ..config })
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

    /// Whether a process trains the run in `dir` now; `None` where the file system does not tell.
    pub fn is_trained(dir: &Path) -> Option<bool> {
        let Ok(metrics) = File::open(dir.join(files::METRICS)) else { return Some(false) };
        match metrics.try_lock_shared() {
            Ok(()) => Some(false),
            Err(TryLockError::WouldBlock) => Some(true),
            Err(TryLockError::Error(_)) => None,
        }
    }

    /// The training in `dir` as its newest checkpoint has it, to be looked into: it has an oracle that judges nothing, and
    /// writes no file.
    ///
    /// # Errors
    /// [`TrainError`]: no run, no checkpoint, a damaged one, a task of one's own.
    pub fn look_into(dir: &Path) -> Result<Trainer, TrainError> {
        let factory = registered(&Self::config_of(dir)?.env)?;
        Self::look_into_with(dir, factory, (nobody(), 0))
    }

    /// As [`look_into`](Self::look_into), with an oracle that may be asked so many comparisons more; on the host, wherever
    /// it was trained.
    ///
    /// # Errors
    /// [`TrainError`].
    pub fn look_into_with(
        dir: &Path,
        factory: EnvFactory,
        (oracle, most): (Box<dyn Oracle>, u64),
    ) -> Result<Trainer, TrainError> {
        // What it began from is past, and may be gone.
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

    /// The run in `dir`, from its newest checkpoint; from its beginning where it was killed before the first.
    ///
    /// # Errors
    /// [`TrainError`]: a damaged or foreign checkpoint, a changed configuration, an unwritable directory.
    pub fn resume(dir: &Path, factory: EnvFactory, oracle: Box<dyn Oracle>) -> Result<Self, TrainError> {
        let config = Self::with_own_initial(dir, Self::config_of(dir)?)?;
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
            left: None,
            leaves: true,
            events: None,
            warn: Box::new(|what| eprintln!("{what}")),
        })
    }

    /// Writes TensorBoard's event files too, a new one from here on; a directory without any gets the rows so far.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn write_events(&mut self) -> Result<(), TrainError> {
        let first = !Events::are_in(&self.dir);
        if !first && self.dir.join(files::SUMMARY).exists() {
            // All has been said.
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

    /// Says what goes wrong but ends no training, each once; without this it goes to standard error.
    pub fn warn_by(&mut self, warn: impl FnMut(&str) + Send + 'static) {
        self.warn = Box::new(warn);
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
            self.tell_events(record.env_steps, |config| tensorboard::named(config, &record, &timing));
            let broke = observe(&record, &timing).is_break();
            self.leave_newest(broke);
            if broke || record.iteration % self.trainer.config().checkpoint_every == 0 {
                self.save()?;
            }
            if broke && !self.trainer.done() {
                return Ok(None);
            }
        }
        self.leave_newest(true);
        self.save()?;
        let path = self.dir.join(files::POLICY);
        let result = self.trainer.result()?;
        policy_file::save(&path, &self.trainer.config().env, &result)?;
        // What is evaluated is what is in the file: its statistics are rounded to float32.
        let (_, result) = policy_file::load(&path)?;
        let summary = self.trainer.summary(&result)?;
        self.tell_events(summary.env_steps, |_| tensorboard::named_at_the_end(&summary));
        let json = serde_json::to_string_pretty(&summary).expect("plain numbers") + "\n";
        write_atomically(&self.dir.join(files::SUMMARY), json.as_bytes())?;
        Ok(Some(summary))
    }

    /// Writes events, where they are asked for; one that cannot be written is the last.
    fn tell_events(&mut self, step: u64, values: impl FnOnce(&Config) -> Vec<(&'static str, f64)>) {
        let Some(events) = &mut self.events else { return };
        let values = values(self.trainer.config());
        if let Err(why) = events.scalars(tensorboard::now(), step, &values) {
            (self.warn)(&format!("TensorBoard's events end here, and training goes on: {}", cause(&why)));
            self.events = None;
        }
    }

    /// Leaves the newest trajectories for those who watch, now and then, or `now`; where that fails, no more.
    fn leave_newest(&mut self, now: bool) {
        let due = now || self.left.is_none_or(|at| at.elapsed() >= LEAVE_EVERY);
        let Some(newest) = self.trainer.latest_replay().filter(|_| due && self.leaves) else { return };
        if let Err(why) = newest.save(&self.dir.join(files::NEWEST)) {
            (self.warn)(&format!(
                "the newest replays are not left to watch, and training goes on: {}",
                cause(&why)
            ));
            self.leaves = false;
        }
        self.left = Some(Instant::now());
    }

    /// Makes the tables durable, then writes the checkpoint that counts on them.
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

/// What went wrong, without the mend of what ends a training.
fn cause(error: &FileError) -> String {
    match error {
        FileError::Write { path, source } => format!("cannot write {}: {source}", path.display()),
        other => other.to_string(),
    }
}

/// An oracle for a trainer that asks nothing.
fn nobody() -> Box<dyn Oracle> {
    Box::new(|_: crate::rollout::Trajectory<'_>, _: crate::rollout::Trajectory<'_>| 0.5)
}
