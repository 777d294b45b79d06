//! What only a person knows of a run: a TOML file that the audit asks for.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::AuditError;
use spo::base::toml_error;
use spo::train::config::ConfigError;

/// The file's name beside a page.
pub const FILE: &str = "audit-about.toml";

/// Everything empty is not stated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct About {
    /// Of those who answered.
    pub feedback: FeedbackAbout,
    /// Of what it is for.
    pub policy: PolicyAbout,
    /// Of all around it.
    pub system: SystemAbout,
}

/// Who answered, and under which terms.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeedbackAbout {
    /// Who, and how they were chosen.
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

/// What the policy is for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyAbout {
    /// Where it may be used, and where not.
    pub intended_use: String,
    /// The largest cost of an episode that is acceptable.
    pub cost_limit: Option<f64>,
}

/// What was done around the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SystemAbout {
    /// What was tried and is not in the result.
    pub tried_and_dropped: Vec<String>,
    /// How it is known to fail.
    pub known_failure_modes: Vec<String>,
    /// Who looks at it in use, and what they can do.
    pub monitoring: String,
    /// Whom to write to.
    pub contact: String,
}

/// The file with nothing filled in.
pub const TEMPLATE: &str = r#"# What only a person knows of this run. Fill in what you can, then `spo audit` again: what is left empty is shown as
# "not stated".

[feedback]
# Who compared, and how they were chosen; for a simulated teacher, whom it stands for.
evaluators = ""
# What they were told.
instructions = ""
pay = ""
consent = ""
# How answers were checked, and which were thrown away.
quality_control = ""

[policy]
# Where it may be used, and where not.
intended_use = ""
# The largest cost of an episode that is acceptable, where the task has costs.
# cost_limit = 25.0

[system]
# What was tried and is not in the result, one sentence each.
tried_and_dropped = []
# How it is known to fail, one sentence each.
known_failure_modes = []
# Who looks at it in use, and what they can do.
monitoring = ""
contact = ""
"#;

impl About {
    /// Reads a file.
    ///
    /// # Errors
    /// [`AuditError::Config`] naming file, line and field of what is unknown or of a wrong type; [`AuditError::About`].
    pub fn read(path: &Path) -> Result<Self, AuditError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let help = format!("{FILE}, which `spo audit RUN` writes, has all fields");
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

    /// Writes the [`TEMPLATE`] into a folder, and returns its path; `None` where there is such a file, which stays as it is.
    ///
    /// # Errors
    /// [`AuditError::Write`].
    pub fn write_template(folder: &Path) -> Result<Option<PathBuf>, AuditError> {
        let path = folder.join(FILE);
        let write = || -> io::Result<()> {
            fs::create_dir_all(folder)?;
            // Made by this call or not at all: whatever is there was written by somebody.
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
    fn the_template_states_nothing_and_is_never_written_over() {
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
    fn what_is_wrong_names_file_field_and_mend() {
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
