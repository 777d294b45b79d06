//! Reads a configuration from files and from `--set KEY=VALUE`.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use super::keys::{self, Key, Kind, Named};
use super::{Config, ConfigError, value};
use crate::base::toml_error;
use crate::learner::LearnerKind;
use crate::oracle::OracleSpec;
use crate::scorer::ScorerKind;

/// The keys from one file or one list of assignments. Later layers override earlier ones.
#[derive(Clone, Debug)]
pub struct Layer<'a> {
    /// Keys and sections, as in a file.
    pub keys: &'a Table,
    /// Its name in error messages.
    pub origin: &'a str,
    /// Whether a key that the run does not use is skipped. If not, it is an error.
    pub skips_unused: bool,
}

/// A key as it was given.
struct Entry {
    name: String,
    given: Given,
    origin: String,
    skips_unused: bool,
}

enum Given {
    /// In a file.
    Toml(Value),
    /// In a `--set`.
    Text(String),
}

impl Config {
    /// A configuration from the keys of a file (if there is one), then from `key=value` assignments. All other keys have the
    /// [preset](Config::preset) of the learner and the oracle. Also returns warnings: names of version 0.1 that were used,
    /// with the new names.
    ///
    /// # Errors
    /// [`ConfigError`] with file, line and key; for a misspelt key, also the most similar known key.
    pub fn gather(file: Option<&Path>, assignments: &[String]) -> Result<(Self, Vec<String>), ConfigError> {
        let mut entries = Vec::new();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Read { path: path.into(), source })?;
            entries = read_text(&text, &path.display().to_string())?;
        }
        for assignment in assignments {
            let (name, text) = split(assignment)?;
            let origin = format!("--set {assignment}");
            entries.push(Entry { name, given: Given::Text(text), origin, skips_unused: false });
        }
        assemble(entries)
    }

    /// Reads a TOML file.
    ///
    /// # Errors
    /// As [`gather`](Self::gather).
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        Ok(Self::gather(Some(path), &[])?.0)
    }

    /// Reads TOML text; `origin` names it in errors.
    ///
    /// # Errors
    /// [`ConfigError::Parse`].
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, ConfigError> {
        Ok(assemble(read_text(text, origin)?)?.0)
    }

    /// A configuration from layers of keys; later layers override earlier ones. The texts are warnings, as in
    /// [`gather`](Self::gather).
    ///
    /// # Errors
    /// [`ConfigError::Parse`].
    pub fn from_layers(layers: &[Layer<'_>]) -> Result<(Self, Vec<String>), ConfigError> {
        let entries = layers.iter().flat_map(|layer| {
            flatten(layer.keys).into_iter().map(|(name, value)| Entry {
                name,
                given: Given::Toml(value),
                origin: layer.origin.to_string(),
                skips_unused: layer.skips_unused,
            })
        });
        assemble(entries.collect())
    }

    /// Checks that `name` is a key of some kind of run, and that `value` has its type.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check_key(name: &str, value: &Value) -> Result<(), String> {
        let everything: Vec<&str> = keys::keys().iter().map(Key::section).collect();
        let tried = LearnerKind::ALL.map(|learner| {
            // A short name that occurs in several sections can still be unique in a run, which uses only some of them.
            let in_use = keys::sections_in_use(learner, ScorerKind::SelfPlay, true);
            keys::resolve(name, &in_use, learner, ScorerKind::SelfPlay)
        });
        let known = tried.into_iter().find_map(Result::ok);
        let known = match known {
            Some(known) => known,
            None => keys::resolve(name, &everything, LearnerKind::Ppo, ScorerKind::SelfPlay)?,
        };
        let (Named::Used(key) | Named::Old(key) | Named::Unused(key)) = known;
        value::convert(key, value.clone()).map(|_| ())
    }

    /// Sets one key from `key=value`. If the key is `learner`, every key that has the old learner's default changes to the
    /// new learner's default.
    ///
    /// # Errors
    /// [`ConfigError::Parse`] with the key and what is expected.
    pub fn set(&mut self, assignment: &str) -> Result<(), ConfigError> {
        let origin = format!("--set {assignment}");
        let fail = |why: String| ConfigError::Parse { origin: origin.clone(), why };
        let (name, text) = split(assignment)?;
        let in_use = self.sections();
        // A key may be set before the learner or scorer that uses it is chosen.
        let (Named::Used(key) | Named::Old(key) | Named::Unused(key)) =
            keys::resolve(&name, &in_use, self.learner, self.scorer).map_err(fail)?;
        let value = value::parse(key, &text).map_err(fail)?;
        let former = self.learner;
        let mut table = self.table();
        put(&mut table, key, value);
        *self = parsed(table, &origin)?;
        if self.learner != former {
            let (before, after) =
                (Self::for_learner(former).table(), Self::for_learner(self.learner).table());
            let mut table = self.table();
            rebase(&mut table, &before, &after);
            *self = parsed(table, &origin)?;
        }
        Ok(())
    }

    /// The configuration as TOML: every key that the run reads.
    ///
    /// # Panics
    /// If a whole number is too large for TOML; [`validate`](Self::validate) refuses such numbers.
    pub fn to_toml(&self) -> String {
        let in_use = self.sections();
        let text = toml::to_string(self).expect("keys and sections of plain values");
        without_sections(&text, |name| in_use.contains(&name))
    }

    /// The value of every key that the run reads, as text, by full name.
    pub fn values(&self) -> BTreeMap<String, String> {
        let sections = self.sections();
        let in_use =
            |name: &String| name.split_once('.').is_none_or(|(section, _)| sections.contains(&section));
        let used = keys::flat(self).into_iter().filter(|(name, _)| in_use(name));
        used.map(|(name, value)| (name, value::shown(&value))).collect()
    }

    /// The first key that makes the runs of two configurations differ, with its value in `self` and in the other one.
    pub fn difference(&self, other: &Self) -> Option<(String, String, String)> {
        let made = |config: &Self| {
            let mut values = config.values();
            // `auto` and an explicit value that gives the same choice do not differ.
            if let Some(choice) = values.get_mut("ppo.normalize_scores").filter(|choice| *choice == "auto") {
                *choice = (!config.scorer.known_scale()).to_string();
            }
            values
        };
        let (here, there) = (made(self), made(other));
        let name = here.keys().chain(there.keys()).find(|name| here.get(*name) != there.get(*name))?;
        let of =
            |side: &BTreeMap<String, String>| side.get(name).cloned().unwrap_or_else(|| "not there".into());
        Some((name.clone(), of(&here), of(&there)))
    }

    fn table(&self) -> Table {
        Table::try_from(self).expect("keys and sections of plain values")
    }
}

/// `text` without the sections that `keep` drops.
fn without_sections(text: &str, keep: impl Fn(&str) -> bool) -> String {
    let mut kept = String::new();
    let mut keeps = true;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            keeps = keep(name);
        }
        if keeps {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    while kept.ends_with("\n\n") {
        kept.pop();
    }
    kept
}

/// `key=value`, split and trimmed.
fn split(assignment: &str) -> Result<(String, String), ConfigError> {
    match assignment.split_once('=') {
        Some((name, text)) => Ok((name.trim().to_string(), text.trim().to_string())),
        None => Err(ConfigError::Parse {
            origin: format!("--set {assignment}"),
            why: "expected KEY=VALUE, such as `ppo.learning_rate=0.001`".into(),
        }),
    }
}

/// The entries of a file's text, each with its line.
fn read_text(text: &str, origin: &str) -> Result<Vec<Entry>, ConfigError> {
    let keys: Table = toml::from_str(text).map_err(|e| parse_error(origin, &e))?;
    if keys.contains_key("cells") {
        let why = format!("it is an experiment of several runs: `spo experiment {origin}`");
        return Err(ConfigError::Parse { origin: origin.to_string(), why });
    }
    let lines = lines(text);
    let entry = |(name, given): (String, Value)| Entry {
        origin: lines.get(&name).map_or_else(|| origin.to_string(), |line| format!("{origin}, line {line}")),
        name,
        given: Given::Toml(given),
        skips_unused: false,
    };
    Ok(flatten(&keys).into_iter().map(entry).collect())
}

/// The line of every key, by its name as it is written.
fn lines(text: &str) -> BTreeMap<String, usize> {
    use toml::de::{DeTable, DeValue};

    let line = |at: usize| 1 + text[..at].matches('\n').count();
    let mut lines = BTreeMap::new();
    let Ok(table) = DeTable::parse(text) else { return lines };
    for (name, value) in table.get_ref() {
        match value.get_ref() {
            DeValue::Table(section) => {
                lines.extend(section.iter().map(|(key, _)| {
                    (format!("{}.{}", name.get_ref(), key.get_ref()), line(key.span().start))
                }))
            }
            _ => {
                lines.insert(name.get_ref().to_string(), line(name.span().start));
            }
        }
    }
    lines
}

/// Keys by their names as written; a key in a section has the section's name and a dot before it.
fn flatten(table: &Table) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(section) => {
                flat.extend(section.iter().map(|(key, value)| (format!("{name}.{key}"), value.clone())));
            }
            value => flat.push((name.clone(), value.clone())),
        }
    }
    flat
}

/// The preset that the entries choose, changed by the entries, and warnings.
fn assemble(entries: Vec<Entry>) -> Result<(Config, Vec<String>), ConfigError> {
    let chosen = choices(&entries)?;
    let in_use = keys::sections_in_use(chosen.learner, chosen.scorer, chosen.safety.oracle.is_some());
    let resolve = |entry: &Entry| {
        keys::resolve(&entry.name, &in_use, chosen.learner, chosen.scorer)
            .map_err(|why| ConfigError::Parse { origin: entry.origin.clone(), why })
    };
    let named = entries.iter().map(resolve).collect::<Result<Vec<_>, _>>()?;
    // In version 0.1, the file of a run has all keys, also those that the run does not use.
    let of_old_file = |entry: &Entry| matches!(entry.given, Given::Toml(_)) && !entry.name.contains('.');
    let old_file = entries.iter().zip(&named).any(|(entry, named)| {
        of_old_file(entry) && matches!(named, Named::Old(key) if key.short_name() != entry.name)
    });
    let mut table = chosen.table();
    let mut warnings = Vec::new();
    for (entry, named) in entries.into_iter().zip(named) {
        let key = match named {
            Named::Used(key) => key,
            Named::Old(key) => {
                warnings.push(format!("`{}` is now `{}`", entry.name, key.name));
                key
            }
            Named::Unused(key) if is_shared(key) => continue,
            Named::Unused(_) if entry.skips_unused || (old_file && of_old_file(&entry)) => continue,
            Named::Unused(key) => {
                let unused = ConfigError::Unused { key: key.name.clone(), user: non_user(key, &chosen) };
                return Err(ConfigError::Parse { origin: entry.origin, why: unused.to_string() });
            }
        };
        let value = match entry.given {
            Given::Toml(value) => value::convert(key, value),
            Given::Text(text) => value::parse(key, &text),
        };
        let value = value.map_err(|why| ConfigError::Parse { origin: entry.origin.clone(), why })?;
        put(&mut table, key, value);
        // A text has a type of its own, whose message does not name the key. Other kinds are checked already.
        if key.kind == Kind::Text {
            parsed(table.clone(), &entry.origin).map_err(|e| match e {
                ConfigError::Parse { origin, why } => {
                    ConfigError::Parse { origin, why: format!("`{}`: {why}", key.name) }
                }
                other => other,
            })?;
        }
    }
    Ok((parsed(table, "the configuration")?, warnings))
}

/// The preset of the learner and the oracle that the entries choose, with scorer and safety oracle.
fn choices(entries: &[Entry]) -> Result<Config, ConfigError> {
    let last = |names: &[&str]| entries.iter().rev().find(|entry| names.contains(&entry.name.as_str()));
    let text = |entry: &Entry| match &entry.given {
        Given::Text(text) => text.trim_matches('"').to_string(),
        Given::Toml(value) => value.as_str().map_or_else(|| value.to_string(), str::to_string),
    };
    let mut chosen = Config::default();
    for name in ["learner", "scorer"] {
        let Some(entry) = last(&[name]) else { continue };
        let at = |why| ConfigError::Parse { origin: entry.origin.clone(), why };
        let key = keys::find(name).expect("a key at the top");
        let value = value::parse(key, &text(entry)).map_err(at)?;
        let mut table = chosen.table();
        put(&mut table, key, value);
        chosen = parsed(table, &entry.origin)?;
    }
    let spec = |entry: &Entry| {
        let at = |why| ConfigError::Parse {
            origin: entry.origin.clone(),
            why: format!("`{}`: {why}", entry.name),
        };
        OracleSpec::try_from(text(entry)).map_err(at)
    };
    let oracle = last(&["oracle"]).map_or(Ok(OracleSpec::default()), spec)?;
    let safety = last(&["safety.oracle", "safety_oracle"]).filter(|entry| !text(entry).is_empty());
    let safety = safety.map(spec).transpose()?;
    let mut preset = Config::preset(chosen.learner, &oracle);
    preset.scorer = chosen.scorer;
    preset.safety.oracle = safety;
    Ok(preset)
}

/// Whether this unused key is allowed. The skyline (`task_reward`) makes no comparisons, but a comparison of methods changes
/// only the scorer and leaves such keys in place.
pub(super) fn is_shared(key: &Key) -> bool {
    ["self_play.opponents", "self_play.window", "self_play.placement"].contains(&key.name.as_str())
}

/// What an error message names as not using a key: the learner, scorer or kind of run.
pub(super) fn non_user(key: &Key, config: &Config) -> String {
    match key.section() {
        "safety" => "run without a safety oracle (safety.oracle=cost=25)".into(),
        "self_play" | "reward_model" => format!("scorer `{}`", config.scorer),
        _ => format!("learner `{}`", config.learner),
    }
}

fn put(table: &mut Table, key: &Key, value: Value) {
    let place = match key.section() {
        "" => table,
        section => match table.get_mut(section) {
            Some(Value::Table(section)) => section,
            _ => unreachable!("a configuration has all sections"),
        },
    };
    place.insert(key.short_name().to_string(), value);
}

/// Changes every value that is equal to the one in `before` to the one in `after`.
fn rebase(table: &mut Table, before: &Table, after: &Table) {
    for (name, value) in table {
        match (value, &before[name], &after[name]) {
            (Value::Table(section), Value::Table(before), Value::Table(after)) => {
                rebase(section, before, after)
            }
            (value, before, after) if value == before => *value = after.clone(),
            _ => {}
        }
    }
}

fn parsed(table: Table, origin: &str) -> Result<Config, ConfigError> {
    table.try_into().map_err(|e: toml::de::Error| parse_error(origin, &e))
}

/// How to list the keys, for error messages.
const HELP: &str = "`spo config` lists the keys";

fn parse_error(origin: &str, error: &toml::de::Error) -> ConfigError {
    ConfigError::Parse { origin: origin.to_string(), why: toml_error::explain(error, HELP) }
}
