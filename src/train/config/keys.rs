//! What is known about every key: its meaning, type, range, default and source.
//!
//! This is read from the fields of [`Config`] and of its sections, through their JSON schema.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::{Config, old_names, value};
use crate::base::nearest::nearest;
use crate::learner::LearnerKind;
use crate::scorer::ScorerKind;

/// A key of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Its full name, such as `ppo.clip`; keys at the top of a file have no dot.
    pub name: String,
    /// What it means, in one paragraph.
    pub meaning: String,
    /// What values it takes.
    pub kind: Kind,
    /// What a value may be, in words.
    pub expected: String,
    /// The value of the default experiment, as text.
    pub default: String,
    /// The paper or program that its default or other common values come from.
    pub source: Option<String>,
    range: Range,
}

/// The type of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// A list of whole numbers.
    Wholes,
    /// One of some words, each with its meaning.
    Choice(Vec<(String, String)>),
    /// Text.
    Text,
}

impl Kind {
    /// Its name for people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Whole => "whole number",
            Self::Number => "number",
            Self::Wholes => "list of whole numbers",
            Self::Choice(_) => "choice",
            Self::Text => "text",
        }
    }
}

/// Bounds of a number, as JSON Schema has them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Range {
    minimum: Option<f64>,
    above: Option<f64>,
    maximum: Option<f64>,
    below: Option<f64>,
}

impl Key {
    /// Its section; empty for a key at the top of the file.
    pub fn section(&self) -> &str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// Its name within its section.
    pub fn short_name(&self) -> &str {
        self.name.split_once('.').map_or(&self.name, |(_, short)| short)
    }

    /// Whether a value, as JSON, is in range. Texts and choices are checked where they are parsed.
    pub(super) fn holds(&self, value: &Value) -> bool {
        match value {
            Value::Array(values) => values.iter().all(|value| self.holds(value)),
            Value::Number(number) => {
                // The configuration of a run is stored as TOML, which has no larger whole numbers.
                let fits = number.as_u64().is_none_or(|n| i64::try_from(n).is_ok());
                fits && number.as_f64().is_some_and(|x| self.range.holds(x))
            }
            // JSON cannot hold a float that is not finite.
            Value::Null => false,
            _ => true,
        }
    }
}

impl Range {
    fn new(schema: &Map<String, Value>) -> Self {
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        Self {
            minimum: bound("minimum"),
            above: bound("exclusiveMinimum"),
            maximum: bound("maximum"),
            below: bound("exclusiveMaximum"),
        }
    }

    fn holds(&self, x: f64) -> bool {
        self.minimum.is_none_or(|least| x >= least)
            && self.above.is_none_or(|bound| x > bound)
            && self.maximum.is_none_or(|most| x <= most)
            && self.below.is_none_or(|bound| x < bound)
    }

    /// Such as ` above 0 and at most 1`.
    fn words(&self) -> String {
        let number = value::number;
        match (self.minimum, self.above, self.maximum, self.below) {
            (Some(least), None, Some(most), None) => format!(" from {} to {}", number(least), number(most)),
            (least, above, most, below) => {
                let low = least.map(|x| format!("of at least {}", number(x)));
                let low = low.or_else(|| above.map(|x| format!("above {}", number(x))));
                let high = most.map(|x| format!("at most {}", number(x)));
                let high = high.or_else(|| below.map(|x| format!("below {}", number(x))));
                match (low, high) {
                    (Some(low), Some(high)) => format!(" {low} and {high}"),
                    (Some(low), None) => format!(" {low}"),
                    (None, Some(high)) => format!(" of {high}"),
                    (None, None) => String::new(),
                }
            }
        }
    }
}

/// Every key, in the order of a configuration file.
pub fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
        let schema = json_schema();
        let defaults = flat(&Config::default());
        let mut keys = Vec::new();
        for (name, property) in properties(&schema) {
            match property.get("properties").and_then(Value::as_object) {
                None => keys.push(key(name.clone(), property, &defaults)),
                Some(section) => {
                    let in_section = section.iter().filter_map(|(short, p)| Some((short, p.as_object()?)));
                    keys.extend(in_section.map(|(short, p)| key(format!("{name}.{short}"), p, &defaults)));
                }
            }
        }
        let order = declared();
        keys.sort_by_key(|key| order.iter().position(|name| *name == key.name));
        keys
    });
    &KEYS
}

/// The names of all keys in the order of their fields. A schema does not keep this order.
fn declared() -> Vec<String> {
    let text = toml::to_string(&Config::default()).expect("keys and sections of plain values");
    let mut section = String::new();
    let mut names = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((name, _)) = line.split_once(" = ") {
            names.push(format!("{section}{name}"));
        }
    }
    names
}

/// The JSON schema of a configuration file, for editors that check and complete TOML.
pub fn json_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Config>().to_value()
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Map<String, Value>)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().filter_map(|(name, property)| Some((name, property.as_object()?)))
}

fn key(name: String, schema: &Map<String, Value>, defaults: &BTreeMap<String, Value>) -> Key {
    let text = |field: &str| schema.get(field).and_then(Value::as_str).map(one_line);
    let kind = kind(schema);
    let inner = schema.get("items").and_then(Value::as_object);
    let range = Range::new(inner.unwrap_or(schema));
    let expected = text("expected").unwrap_or_else(|| match &kind {
        Kind::Bool => "true or false".into(),
        Kind::Whole => format!("a whole number{}", range.words()),
        Kind::Number => format!("a finite number{}", range.words()),
        Kind::Wholes => format!("whole numbers{}, such as 64,64", range.words()),
        Kind::Choice(words) => {
            let words: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
            format!("one of {}", words.join(", "))
        }
        Kind::Text => "text".into(),
    });
    let default = defaults.get(&name).map(value::shown).unwrap_or_default();
    Key {
        meaning: text("description").unwrap_or_default(),
        source: text("source"),
        name,
        kind,
        expected,
        default,
        range,
    }
}

fn kind(schema: &Map<String, Value>) -> Kind {
    let word = |choice: &Value| {
        let word = choice.get("const").and_then(Value::as_str)?;
        let meaning = choice.get("description").and_then(Value::as_str).unwrap_or_default();
        Some((word.to_string(), one_line(meaning)))
    };
    if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
        return Kind::Choice(choices.iter().filter_map(word).collect());
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("boolean") => Kind::Bool,
        Some("integer") => Kind::Whole,
        Some("number") => Kind::Number,
        Some("array") => Kind::Wholes,
        _ => Kind::Text,
    }
}

/// A doc comment without its line breaks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every key's value, by full name.
pub(super) fn flat(config: &Config) -> BTreeMap<String, Value> {
    let Ok(Value::Object(top)) = serde_json::to_value(config) else { return BTreeMap::new() };
    let mut values = BTreeMap::new();
    for (name, value) in top {
        match value {
            Value::Object(section) => {
                values.extend(section.into_iter().map(|(short, value)| (format!("{name}.{short}"), value)));
            }
            value => {
                values.insert(name, value);
            }
        }
    }
    values
}

/// The key of this full name.
pub fn find(name: &str) -> Option<&'static Key> {
    keys().iter().find(|key| key.name == name)
}

/// Whether a file may have a section of this name.
pub fn is_section(name: &str) -> bool {
    keys().iter().any(|key| !key.section().is_empty() && key.section() == name)
}

/// The sections that a run reads.
pub fn sections_in_use(learner: LearnerKind, scorer: ScorerKind, safe: bool) -> Vec<&'static str> {
    ["rollout"]
        .into_iter()
        .chain(scorer.section())
        .chain(safe.then_some("safety"))
        .chain([learner.name()])
        .collect()
}

/// What a name means in a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Named {
    /// A key that the run reads.
    Used(&'static Key),
    /// A key that the run reads, by its name of version 0.1.
    Old(&'static Key),
    /// A key that the run does not read.
    Unused(&'static Key),
}

/// The key that `name` means in a run with this learner and scorer. `name` is a full name, a short name that is unique among
/// the sections in use, or a name of version 0.1.
///
/// # Errors
/// A message: the name is unknown (with the most similar known name), or it is the short name of several keys.
pub(super) fn resolve(
    name: &str,
    in_use: &[&str],
    learner: LearnerKind,
    scorer: ScorerKind,
) -> Result<Named, String> {
    let used = |key: &Key| key.section().is_empty() || in_use.contains(&key.section());
    if let Some(key) = find(name) {
        return Ok(if used(key) { Named::Used(key) } else { Named::Unused(key) });
    }
    let short: Vec<&Key> = keys().iter().filter(|key| key.short_name() == name).collect();
    let short_used: Vec<&&Key> = short.iter().filter(|key| used(key)).collect();
    if let [key] = short_used[..] {
        return Ok(Named::Used(key));
    }
    if let Some(key) = old_names::renamed(name, learner, scorer).as_deref().and_then(find) {
        return Ok(if used(key) { Named::Old(key) } else { Named::Unused(key) });
    }
    // TOML takes a key behind `[section]` for one of the section.
    let top = name.split_once('.').filter(|(section, key)| is_section(section) && find(key).is_some());
    if let Some((section, key)) = top {
        return Err(format!("`{key}` is no key of [{section}]; write it before the first section"));
    }
    match (&short[..], short_used.len()) {
        ([], _) => {
            let names = keys().iter().flat_map(|key| [key.name.as_str(), key.short_name()]);
            Err(match nearest(name, names) {
                Some(near) => format!("unknown key `{name}`, did you mean `{near}`?"),
                None => format!("unknown key `{name}`; `spo config` lists the keys"),
            })
        }
        ([first, ..], 0) => {
            let of_learner = |key: &&&Key| LearnerKind::ALL.iter().any(|kind| kind.name() == key.section());
            Ok(Named::Unused(short.iter().find(of_learner).unwrap_or(first)))
        }
        _ => {
            let names: Vec<String> = short_used.iter().map(|key| format!("`{}`", key.name)).collect();
            Err(format!("`{name}` could be {}; write the full name", names.join(" or ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_says_what_it_means_and_takes_its_default() {
        let defaults = flat(&Config::default());
        assert_eq!(keys().len(), defaults.len());
        assert!(keys().iter().map(|key| key.name.clone()).eq(declared()), "the order of the fields");
        for key in keys() {
            assert!(key.meaning.ends_with(['.', ')']), "{}: {}", key.name, key.meaning);
            assert!(!key.meaning.contains("[`"), "{}: links are for rustdoc alone", key.name);
            assert!(!key.expected.is_empty(), "{}", key.name);
            assert!(key.holds(&defaults[&key.name]), "{} is {}", key.name, defaults[&key.name]);
        }
    }

    #[test]
    fn ranges_types_and_sources_come_from_the_fields() {
        let clip = find("ppo.clip").unwrap();
        assert_eq!((clip.section(), clip.short_name(), clip.default.as_str()), ("ppo", "clip", "0.2"));
        assert_eq!(clip.expected, "a finite number above 0");
        assert_eq!(clip.source.as_deref(), Some("Schulman et al. 2017, table 3"));
        assert!(!clip.holds(&0.0.into()) && !clip.holds(&Value::Null) && clip.holds(&0.1.into()));
        assert_eq!(find("total_steps").unwrap().expected, "a whole number of at least 1");
        assert_eq!(find("sac.tau").unwrap().expected, "a finite number above 0 and at most 1");
        assert_eq!(find("ppo.discount").unwrap().expected, "a finite number from 0 to 1");
        assert_eq!(
            find("ppo.hidden_sizes").unwrap().expected,
            "whole numbers from 1 to 16384, such as 64,64"
        );
        assert_eq!(find("learner").unwrap().expected, "one of ppo, sac, ars");
        assert!(!find("ppo.hidden_sizes").unwrap().holds(&serde_json::json!([64, 0])));
        assert!(!find("seed").unwrap().holds(&u64::MAX.into()));
    }

    #[test]
    fn names_are_full_short_or_old() {
        let in_use = sections_in_use(LearnerKind::Ppo, ScorerKind::RewardModel, false);
        let of = |name: &str| resolve(name, &in_use, LearnerKind::Ppo, ScorerKind::RewardModel);
        assert_eq!(of("ppo.clip"), Ok(Named::Used(find("ppo.clip").unwrap())));
        assert_eq!(of("clip"), Ok(Named::Used(find("ppo.clip").unwrap())));
        assert_eq!(of("states"), Ok(Named::Old(find("rollout.num_states").unwrap())));
        // Both the learner and the model have such a key. The old name still means the learner's.
        assert_eq!(of("learning_rate"), Ok(Named::Old(find("ppo.learning_rate").unwrap())));
        assert_eq!(of("sac.tau"), Ok(Named::Unused(find("sac.tau").unwrap())));
        assert_eq!(of("tau"), Ok(Named::Unused(find("sac.tau").unwrap())));
        let in_search = sections_in_use(LearnerKind::Ars, ScorerKind::SelfPlay, false);
        let unused = resolve("minibatch_size", &in_search, LearnerKind::Ars, ScorerKind::SelfPlay);
        assert_eq!(unused, Ok(Named::Unused(find("ppo.minibatch_size").unwrap())));
        assert!(
            of("hidden_sizes").unwrap_err().contains("`reward_model.hidden_sizes` or `ppo.hidden_sizes`")
        );
        assert!(of("clipp").unwrap_err().contains("did you mean `clip`?"));
        assert!(
            of("ppo.env")
                .unwrap_err()
                .contains("`env` is no key of [ppo]; write it before the first section")
        );
        assert!(of("ppo.clp").unwrap_err().contains("did you mean `ppo.clip`?"));
    }
}
