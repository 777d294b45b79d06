//! Facts about a run that only a person knows, in a TOML file.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::AuditError;
use spo::base::toml_error;
use spo::train::config::ConfigError;

/// The file's name.
pub const FILE: &str = "audit-about.toml";

/// Facts that only a person knows. An empty field means "not stated".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct About {
    /// About the people who answered.
    pub feedback: FeedbackAbout,
    /// About the policy's purpose.
    pub policy: PolicyAbout,
    /// About the system around it.
    pub system: SystemAbout,
}

/// The people who answered, and the terms of their work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeedbackAbout {
    /// Who they were, and how they were chosen.
    pub evaluators: String,
    /// What they were told.
    pub instructions: String,
    /// What they were paid.
    pub pay: String,
    /// What they agreed to.
    pub consent: String,
    /// How answers were checked.
    pub quality_control: String,
}

/// The purpose of the policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyAbout {
    /// Where it may be used, and where it may not.
    pub intended_use: String,
    /// The largest acceptable cost of an episode.
    pub cost_limit: Option<f64>,
}

/// Facts about the work on this run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SystemAbout {
    /// What was tried and then dropped.
    pub tried_and_dropped: Vec<String>,
    /// Known failures.
    pub known_failure_modes: Vec<String>,
    /// Who monitors it in use, and what they can do.
    pub monitoring: String,
    /// The contact address.
    pub contact: String,
}

/// The empty file.
pub const TEMPLATE: &str = r#"# Facts about this run that only a person knows. Fill in what you can, then run `spo audit` again. Empty fields are shown
# as "not stated".

[feedback]
# Who compared, and how they were chosen. For a simulated teacher: which people it represents.
evaluators = ""
# What they were told.
instructions = ""
pay = ""
consent = ""
# How answers were checked, and which ones were discarded.
quality_control = ""

[policy]
# Where it may be used, and where it may not.
intended_use = ""
# The largest acceptable cost of an episode, if the task has costs.
# cost_limit = 25.0

[system]
# What was tried and then dropped, one sentence each.
tried_and_dropped = []
# Known failures, one sentence each.
known_failure_modes = []
# Who monitors it in use, and what they can do.
monitoring = ""
contact = ""
"#;

impl About {
    /// Reads a file.
    ///
    /// # Errors
    /// [`AuditError::Config`] with file, line and field if a field is unknown or has the wrong type; [`AuditError::About`]
    /// if a value is not valid.
    pub fn read(path: &Path) -> Result<Self, AuditError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let help = format!("`spo audit RUN` writes a {FILE} with all fields");
        let about: Self = toml::from_str(&text).map_err(|e| ConfigError::Parse {
            origin: path.display().to_string(),
            why: toml_error::explain(&e, &help),
        })?;
        match about.policy.cost_limit.filter(|limit| !(limit.is_finite() && *limit >= 0.0)) {
            Some(limit) => Err(AuditError::About {
                path: path.into(),
                field: "policy.cost_limit",
                value: limit.to_string(),
                expected: "a number that is not negative",
            }),
            None => Ok(about),
        }
    }

    /// Writes the [`TEMPLATE`] into a folder and returns its path; `None` if the file exists, which is then unchanged.
    ///
    /// # Errors
    /// [`AuditError::Write`] if it cannot be written.
    pub fn write_template(folder: &Path) -> Result<Option<PathBuf>, AuditError> {
        let path = folder.join(FILE);
        let write = || -> io::Result<()> {
            fs::create_dir_all(folder)?;
            // Never overwrite an existing file: a person may have edited it.
            let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
            file.write_all(TEMPLATE.as_bytes())
        };
        match write() {
            Ok(()) => Ok(Some(path)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(e) => Err(AuditError::Write { why: e.to_string(), path }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<About, String> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("mine.toml");
        fs::write(&path, text).unwrap();
        About::read(&path).map_err(|e| e.to_string())
    }

    #[test]
    fn the_template_is_empty_and_never_overwrites_a_file() {
        assert_eq!(read(TEMPLATE), Ok(About::default()));
        let home = tempfile::tempdir().unwrap();
        let path = About::write_template(home.path()).unwrap().unwrap();
        fs::write(&path, "[system]\ncontact = \"ann\"\n").unwrap();
        assert_eq!(About::write_template(home.path()).unwrap(), None);
        assert_eq!(About::read(&path).unwrap().system.contact, "ann");
        // Every field of the structure stands in the template.
        let fields = toml::Table::try_from(About::default()).unwrap();
        for (section, keys) in &fields {
            assert!(TEMPLATE.contains(&format!("[{section}]")));
            for key in keys.as_table().unwrap().keys() {
                assert!(TEMPLATE.contains(&format!("\n{key} = ")), "{key}");
            }
        }
    }

    #[test]
    fn errors_name_the_file_the_field_and_the_fix() {
        for (text, words) in [
            ("[feedback]\nevaluator = \"x\"", ["mine.toml", "did you mean `evaluators`?"]),
            ("[system]\ntried_and_dropped = \"x\"", ["tried_and_dropped", "expected a sequence"]),
            ("[policy]\ncost_limit = \"x\"", ["cost_limit", "expected f64"]),
            ("[policy]\ncost_limit = -1.0", ["policy.cost_limit", "not negative"]),
            ("[feedback\n", ["mine.toml", "line 1"]),
        ] {
            let error = read(text).unwrap_err();
            assert!(words.iter().all(|w| error.contains(w)), "{text}: {error}");
        }
        let missing = About::read(Path::new("/nowhere/about.toml")).unwrap_err().to_string();
        assert!(missing.contains("cannot read") && missing.contains("/nowhere/about.toml"), "{missing}");
    }
}
