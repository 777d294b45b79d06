//! The database: its tables, and what they say about the run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

/// The database's name in a run's directory.
pub const FILE: &str = "labels.sqlite";
/// Tells the file from other SQLite files: "spoL".
const APPLICATION: i32 = 0x7370_6f4c;
const VERSION: i32 = 1;
/// How long one process waits for another's transaction, which takes milliseconds.
const BUSY: Duration = Duration::from_secs(20);

/// A trainer that has written nothing for so long, not even between iterations, is taken to have ended.
const LONG_ITERATION: Duration = Duration::from_secs(600);

/// Times are in milliseconds since 1970.
const SCHEMA: &str = "
-- What the run is, and what its trainer does.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- What makes a trajectory again: reset with `start`, step through the actions; it begins at step `first`.
CREATE TABLE trajectories (
    id INTEGER PRIMARY KEY,     -- checksum of all the other columns
    start TEXT NOT NULL,        -- JSON
    first INTEGER NOT NULL,
    actions BLOB NOT NULL       -- float32, little-endian, from the episode's first step
);

-- What was asked. State 0: open; 1: settled, the trainer has taken `preference`, P(a wins), NULL for an abstention;
-- 2: shelved, nobody waits for it now.
CREATE TABLE pairs (
    id INTEGER PRIMARY KEY,
    round INTEGER NOT NULL,     -- iteration, from 1
    a INTEGER NOT NULL REFERENCES trajectories,
    b INTEGER NOT NULL REFERENCES trajectories,
    state INTEGER NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2)),
    preference REAL CHECK (preference BETWEEN 0 AND 1),
    posted_at INTEGER NOT NULL,
    settled_at INTEGER,
    UNIQUE (a, b)
);
CREATE INDEX open_pairs ON pairs (id) WHERE state = 0;

-- Who has been shown what, and until when it is theirs alone.
CREATE TABLE leases (
    pair INTEGER NOT NULL REFERENCES pairs,
    annotator TEXT NOT NULL,
    left TEXT NOT NULL CHECK (left IN ('a', 'b')),
    shown_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (pair, annotator)
) WITHOUT ROWID;

-- What people said; `left` says who stood on the left. By trajectories and not by pair, since labels come from other
-- runs too.
CREATE TABLE labels (
    a INTEGER NOT NULL,
    b INTEGER NOT NULL,
    annotator TEXT NOT NULL,
    answer TEXT NOT NULL CHECK (answer IN ('left', 'right', 'tie', 'cant_tell')),
    left TEXT NOT NULL CHECK (left IN ('a', 'b')),
    run TEXT NOT NULL,
    shown_at INTEGER NOT NULL,
    answered_at INTEGER NOT NULL,
    used INTEGER NOT NULL DEFAULT 0 CHECK (used IN (0, 1)),
    PRIMARY KEY (a, b, annotator)
) WITHOUT ROWID;
CREATE INDEX labels_by_time ON labels (answered_at);
";

/// What can go wrong with labels.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// The database.
    #[error("{path}: {source}")]
    Database {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
    /// A file that is not a database of labels, or is of another run.
    #[error("{path} {why}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// A line of a table that cannot be imported.
    #[error("{path}, line {line}: {why}; no label of the file was imported")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1 for the header.
        line: u64,
        /// What is wrong, and how to correct it.
        why: String,
    },
    /// A file that cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A pair that cannot be shown.
    #[error("a pair cannot be shown: {0}")]
    Picture(String),
    /// A request that is refused.
    #[error(transparent)]
    Refused(#[from] super::answers::Refusal),
}

/// The run that a database belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The run's name.
    pub run: String,
    /// The environment's name.
    pub env: String,
    /// The question that people are asked.
    pub question: String,
    /// How many answers a pair needs.
    pub votes: u32,
    /// Most pairs of the run; 0 sets no limit.
    pub budget: u64,
}

/// What the trainer does, as it last wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trainer {
    /// It waits for answers.
    Waiting,
    /// It collects trajectories or updates the policy.
    Training,
    /// The run has ended.
    Finished,
    /// It was stopped or killed while it waited, and may be resumed.
    Stopped,
}

/// A connection to the database.
pub struct Store {
    connection: Connection,
    path: PathBuf,
}

impl Store {
    /// Opens the database of a run's directory, or makes it, and updates what it says about the run.
    ///
    /// # Errors
    /// [`LabelError::Database`], [`LabelError::Foreign`].
    pub fn create(dir: &Path, about: &About) -> Result<Self, LabelError> {
        let mut store = Self::connect(&dir.join(FILE))?;
        store.transact(|t| {
            let version: i32 = t.query_row("PRAGMA user_version", [], |r| r.get(0))?;
            let empty: bool = t.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |r| r.get(0))?;
            if version == 0 && empty {
                t.execute_batch(SCHEMA)?;
                t.pragma_update(None, "application_id", APPLICATION)?;
                t.pragma_update(None, "user_version", VERSION)?;
            }
            Ok(())
        })?;
        store.check()?;
        store.transact(|t| {
            let mut set = t.prepare("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
            set.execute(["run", &about.run])?;
            set.execute(["env", &about.env])?;
            set.execute(["question", &about.question])?;
            set.execute(["votes", &about.votes.to_string()])?;
            set.execute(["budget", &about.budget.to_string()])?;
            Ok(())
        })?;
        Ok(store)
    }

    /// Opens the database of a run's directory.
    ///
    /// # Errors
    /// [`LabelError::Foreign`] if there is none, and as [`create`](Self::create).
    pub fn open(dir: &Path) -> Result<Self, LabelError> {
        let path = dir.join(FILE);
        if !path.is_file() {
            let why = "does not exist; only a run of `spo train … --oracle human` has pairs to label".into();
            return Err(LabelError::Foreign { path, why });
        }
        let store = Self::connect(&path)?;
        store.check()?;
        Ok(store)
    }

    fn connect(path: &Path) -> Result<Self, LabelError> {
        let failed = |source| LabelError::Database { path: path.into(), source };
        let connection = Connection::open(path).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        // A label that was acknowledged must survive a power cut.
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
            .map_err(failed)?;
        Ok(Self { connection, path: path.into() })
    }

    /// Checks that the file is what this version writes.
    fn check(&self) -> Result<(), LabelError> {
        let get = |name: &str| self.connection.pragma_query_value(None, name, |r| r.get::<_, i32>(0));
        let found = get("application_id").and_then(|id| Ok((id, get("user_version")?)));
        match found.map_err(|source| self.failed(source))? {
            (APPLICATION, VERSION) => Ok(()),
            (APPLICATION, version) => {
                let why = format!(
                    "is of version {version}, but this program writes version {VERSION}; use the program version that made it"
                );
                Err(LabelError::Foreign { path: self.path.clone(), why })
            }
            _ => Err(LabelError::Foreign {
                path: self.path.clone(),
                why: "is not a database of labels".into(),
            }),
        }
    }

    pub(super) fn failed(&self, source: rusqlite::Error) -> LabelError {
        LabelError::Database { path: self.path.clone(), source }
    }

    /// Runs `work` as one transaction: all of it or nothing, and no other writer in between.
    pub(super) fn transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, LabelError> {
        let run = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        run(&mut self.connection).map_err(|source| self.failed(source))
    }

    /// Runs `work`, which only reads, on one state of the database.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, LabelError> {
        let run = |connection: &Connection| work(&connection.unchecked_transaction()?);
        run(&self.connection).map_err(|source| self.failed(source))
    }

    /// The run that the database belongs to.
    ///
    /// # Errors
    /// [`LabelError::Database`].
    pub fn about(&self) -> Result<About, LabelError> {
        self.read(|t| {
            let text = |key: &str| get(t, key).map(Option::unwrap_or_default);
            Ok(About {
                run: text("run")?,
                env: text("env")?,
                question: text("question")?,
                votes: text("votes")?.parse().unwrap_or(1),
                budget: text("budget")?.parse().unwrap_or(0),
            })
        })
    }

    /// Writes what the trainer does.
    ///
    /// # Errors
    /// [`LabelError::Database`].
    pub fn set_trainer(&mut self, trainer: Trainer) -> Result<(), LabelError> {
        let word = match trainer {
            Trainer::Waiting => "waiting",
            Trainer::Training => "training",
            Trainer::Finished => "finished",
            Trainer::Stopped => "stopped",
        };
        self.transact(|t| set(t, "trainer", &format!("{word} {}", super::now())))
    }

    /// What the trainer does, as it last wrote. One that waits writes this every few seconds.
    ///
    /// # Errors
    /// [`LabelError::Database`].
    pub fn trainer(&self) -> Result<Trainer, LabelError> {
        let said = self.read(|t| get(t, "trainer"))?.unwrap_or_default();
        let (word, at) = said.split_once(' ').unwrap_or(("", ""));
        let age = super::now() - at.parse().unwrap_or(0);
        Ok(match word {
            "finished" => Trainer::Finished,
            "training" if age < LONG_ITERATION.as_millis() as i64 => Trainer::Training,
            "waiting" if age < super::oracle::SILENCE.as_millis() as i64 => Trainer::Waiting,
            _ => Trainer::Stopped,
        })
    }
}

fn get(t: &Transaction<'_>, key: &str) -> Result<Option<String>, rusqlite::Error> {
    t.query_row("SELECT value FROM meta WHERE key = ?1", [key], |r| r.get(0)).optional()
}

fn set(t: &Transaction<'_>, key: &str, value: &str) -> Result<(), rusqlite::Error> {
    t.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", params![key, value]).map(|_| ())
}
