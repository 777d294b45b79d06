//! The options of a program as oracle: `exec:COMMAND` or `exec(KEY=VALUE,…):COMMAND`.

use std::time::Duration;

use super::super::parse::number;
use crate::base::nearest::nearest;

/// How trajectories reach the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// As numbers in the JSON line.
    Json,
    /// As float32 in a file that the program maps into memory.
    File,
}

/// A program as oracle, and how it is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The command as written.
    pub command: String,
    /// Its words: the program and its arguments.
    pub words: Vec<String>,
    /// Longest wait for the next answer.
    pub timeout: Duration,
    /// Most pairs a message.
    pub batch: usize,
    /// Most restarts in a row without a new answer.
    pub restarts: u32,
    /// How trajectories are sent.
    pub data: Data,
}

const KEYS: [&str; 4] = ["timeout", "batch", "restarts", "data"];

impl Options {
    /// Parses the text after `exec`: options in parentheses, if any, then the command.
    ///
    /// # Errors
    /// What is wrong, and how to correct it.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "expected `exec:COMMAND` or `exec(timeout=60,batch=1000):COMMAND`";
        let (keys, command) = match text.strip_prefix('(') {
            Some(rest) => {
                let (keys, rest) = rest.split_once(')').ok_or(FORM)?;
                (keys, rest.trim_start().strip_prefix(':').ok_or(FORM)?)
            }
            None => ("", text.strip_prefix(':').ok_or(FORM)?),
        };
        let command = command.trim();
        let words = shlex::split(command).ok_or_else(|| format!("in `{command}` a quote is not closed"))?;
        if words.first().is_none_or(String::is_empty) {
            return Err("`exec:` names no program; expected a command such as `exec:python3 judge.py`".into());
        }
        let mut options = Self {
            command: command.into(),
            words,
            timeout: Duration::from_secs(60),
            batch: 1000,
            restarts: 5,
            data: Data::Json,
        };
        for pair in keys.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}`: expected KEY=VALUE"))?;
            options.set(key.trim(), value.trim())?;
        }
        Ok(options)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let whole = |low: f64, high: f64| match number(key, value, low, high)? {
            n if n.fract() == 0.0 => Ok(n as u32),
            n => Err(format!("`{key}` is {n}; expected a whole number")),
        };
        match key {
            "timeout" => self.timeout = Duration::from_secs_f64(number(key, value, 0.001, 86_400.0)?),
            "batch" => self.batch = whole(1.0, 1e6)? as usize,
            "restarts" => self.restarts = whole(0.0, 1e6)?,
            "data" => {
                self.data = match value {
                    "json" => Data::Json,
                    "file" => Data::File,
                    _ => return Err(format!("`data` is `{value}`; expected `json` or `file`")),
                }
            }
            _ => {
                let hint =
                    nearest(key, KEYS).map_or_else(|| ".".to_string(), |n| format!(", did you mean `{n}`?"));
                return Err(format!("`exec` has no option `{key}`{hint} It has {}", KEYS.join(", ")));
            }
        }
        Ok(())
    }
}
