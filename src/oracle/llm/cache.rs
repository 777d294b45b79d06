//! Replies on disk: one SQLite file for all runs, so that no request is paid for twice.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::api::Said;

/// Tells the file from other SQLite files: "spoM".
const APPLICATION: i32 = 0x7370_6f4d;
const VERSION: i32 = 1;
/// How long one process waits until another has written its reply.
const BUSY: Duration = Duration::from_secs(20);

/// A reply is found by its whole request, body and address, so that no two are confused. Neither contains the key.
const SCHEMA: &str = "
CREATE TABLE replies (
    address TEXT NOT NULL,      -- of the interface, path included
    request TEXT NOT NULL,      -- JSON, as it was sent
    reply TEXT NOT NULL,        -- JSON: text, tokens with their log-probabilities, counts
    at INTEGER NOT NULL,        -- seconds since 1970
    PRIMARY KEY (address, request)
) WITHOUT ROWID;
";

/// An open file of replies.
pub struct Cache {
    connection: Connection,
    path: PathBuf,
}

impl Cache {
    /// `$XDG_CACHE_HOME/spo/llm.sqlite`, or in `~/.cache` if that variable is not set.
    ///
    /// # Errors
    /// If there is no such folder.
    pub fn shared() -> Result<PathBuf, String> {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        cache.map(|folder| folder.join("spo").join("llm.sqlite")).ok_or_else(|| {
            "there is no folder for replies; set HOME or XDG_CACHE_HOME, or name a file with cache=FILE"
                .into()
        })
    }

    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// Which file, and why it cannot be used.
    pub fn open(path: &Path) -> Result<Self, String> {
        let failed = |why: &dyn std::fmt::Display| {
            format!(
                "the cache {} cannot be used: {why}; name another with cache=FILE, or use cache=none",
                path.display()
            )
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| failed(&e))?;
        }
        let open = || -> Result<(Connection, i32, i32), rusqlite::Error> {
            let mut connection = Connection::open(path)?;
            connection.busy_timeout(BUSY)?;
            connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")?;
            let t = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            if t.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |r| r.get(0))? {
                t.execute_batch(SCHEMA)?;
                t.pragma_update(None, "application_id", APPLICATION)?;
                t.pragma_update(None, "user_version", VERSION)?;
            }
            t.commit()?;
            let get = |name: &str| connection.pragma_query_value(None, name, |r| r.get::<_, i32>(0));
            let (application, version) = (get("application_id")?, get("user_version")?);
            Ok((connection, application, version))
        };
        match open().map_err(|e| failed(&e))? {
            (connection, APPLICATION, VERSION) => Ok(Self { connection, path: path.into() }),
            (_, APPLICATION, version) => {
                Err(failed(&format!("it is of version {version}, but this program writes version {VERSION}")))
            }
            _ => Err(failed(&"it is another program's file")),
        }
    }

    /// The reply to a request, if there is one.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn get(&self, address: &str, request: &str) -> Result<Option<Said>, String> {
        let sql = "SELECT reply FROM replies WHERE address = ?1 AND request = ?2";
        let found = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut get| get.query_row([address, request], |r| r.get::<_, String>(0)).optional());
        let reply = found.map_err(|e| self.failed(&e))?;
        // A reply that cannot be read is asked for again.
        Ok(reply.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Stores a reply before it is used, so that a kill loses none. Returns the stored reply, which is another process's if
    /// that came first.
    ///
    /// # Errors
    /// As on a full disk.
    pub fn put(&self, address: &str, request: &str, said: Said) -> Result<Said, String> {
        let reply = serde_json::to_string(&said).expect("texts and finite numbers");
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = since.map_or(0, |d| d.as_secs() as i64);
        let sql = "INSERT OR IGNORE INTO replies VALUES (?1, ?2, ?3, ?4)";
        let new = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut put| put.execute(params![address, request, reply, now]))
            .map_err(|e| self.failed(&e))?;
        if new == 1 { Ok(said) } else { Ok(self.get(address, request)?.unwrap_or(said)) }
    }

    fn failed(&self, why: &rusqlite::Error) -> String {
        format!("the cache {} failed: {why}; name another with cache=FILE", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Said {
        let top = vec![("1".into(), -0.123_456_789_012_345_68), ("2".into(), -2.5)];
        let tokens = vec![super::super::api::Token { text: "1".into(), top }];
        Said { text: text.into(), tokens, prompt_tokens: 7, completion_tokens: 1 }
    }

    #[test]
    fn replies_come_back_to_the_last_bit_by_address_and_request() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("new folder/c.sqlite");
        let cache = Cache::open(&path).unwrap();
        assert_eq!(cache.get("a", "r"), Ok(None));
        assert_eq!(cache.put("a", "r", said("one")), Ok(said("one")));
        // Another process, with a reply of its own: the first one stays.
        let other = Cache::open(&path).unwrap();
        assert_eq!(other.put("a", "r", said("two")), Ok(said("one")));
        assert_eq!(other.get("a", "r"), Ok(Some(said("one"))));
        assert_eq!((other.get("b", "r"), other.get("a", "s")), (Ok(None), Ok(None)));
    }

    #[test]
    fn a_foreign_file_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("f");
        std::fs::write(&path, "no database, but longer than a header of a hundred bytes. ".repeat(20))
            .unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(Cache::open(&path).err().unwrap().contains("cache=FILE"));
        assert_eq!(std::fs::read(&path).unwrap(), before);
        let path = home.path().join("g");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(Cache::open(&path).err().unwrap().contains("another program's"));
    }
}
