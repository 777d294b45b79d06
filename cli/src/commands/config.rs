//! `spo config`.

use std::process::ExitCode;

use anyhow::bail;
use spo::base::nearest::nearest;
use spo::train::config::keys::{self, Key, Kind};

/// Width of a listing in characters.
const WIDTH: usize = 100;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  spo config                        every key: meaning, type, range, default, source
  spo config ppo.clip               one key
  spo config clip                   the same, by its short name
  spo config reward_model           the keys of a section
  spo config --schema > spo.json    a JSON schema, for editors that check and complete TOML

A run reads the sections of its own learner and scorer. In a file:
  learner = \"ppo\"
  [ppo]
  clip = 0.1
On the command line: --set ppo.clip=0.1, or --set clip=0.1 if the short name is unique.
`spo train --show-config` prints the configuration of a run.")]
pub struct Args {
    /// A key, by its full or short name, or a section
    name: Option<String>,
    /// Print the JSON schema of a configuration file
    #[arg(long, conflicts_with = "name")]
    schema: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.schema {
        return super::print(&(serde_json::to_string_pretty(&keys::json_schema())? + "\n"));
    }
    let Some(name) = &args.name else { return super::print(&describe_all(keys::keys().iter())) };
    let in_section = || keys::keys().iter().filter(|key| key.section() == name);
    let named = || keys::keys().iter().filter(|key| key.name == *name || key.short_name() == name);
    if in_section().next().is_some() {
        return super::print(&describe_all(in_section()));
    }
    if named().next().is_some() {
        return super::print(&describe_all(named()));
    }
    let names = keys::keys().iter().flat_map(|key| [key.name.as_str(), key.short_name(), key.section()]);
    match nearest(name, names) {
        Some(near) => bail!("there is no key or section `{name}`; did you mean `{near}`?"),
        None => bail!("there is no key or section `{name}`; `spo config` lists them"),
    }
}

/// Descriptions of keys, ordered by section.
fn describe_all<'a>(keys: impl Iterator<Item = &'a Key>) -> String {
    let mut text = String::new();
    let mut section = "";
    for key in keys {
        if key.section() != section {
            section = key.section();
            text += &format!("{}[{section}]\n", if text.is_empty() { "" } else { "\n" });
        }
        text += &describe(key);
    }
    text
}

fn describe(key: &Key) -> String {
    let default = if key.default.is_empty() { "empty" } else { &key.default };
    let mut text = format!("{}\n", key.name);
    text += &wrap(&key.meaning, "    ");
    match &key.kind {
        Kind::Choice(words) => {
            for (word, meaning) in words {
                text += &wrap(&format!("{word}: {meaning}"), "      ");
            }
        }
        Kind::Text if key.expected == "text" => {}
        Kind::Bool => {}
        _ => text += &wrap(&format!("expected: {}", key.expected), "    "),
    }
    text += &format!("    type: {}; default: {default}\n", key.kind.name());
    if let Some(source) = &key.source {
        text += &wrap(&format!("source: {source}"), "    ");
    }
    text
}

/// Breaks text into lines of at most [`WIDTH`] characters, each after `indent`.
fn wrap(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let length = indent.len() + line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && length > WIDTH {
            lines += &format!("{indent}{line}\n");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines + &format!("{indent}{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_described_with_all_its_facts() {
        let text = describe(keys::find("ppo.clip").unwrap());
        assert_eq!(
            text,
            "ppo.clip\n    The clip range ε of the probability ratio.\n    expected: a finite number above 0\n    \
             type: number; default: 0.2\n    source: Schulman et al. 2017, table 3\n"
        );
        let all = describe_all(keys::keys().iter());
        assert!(all.contains("\n[self_play]\nself_play.opponents\n"), "{all}");
        assert!(all.lines().all(|line| line.chars().count() <= WIDTH + 1), "{all}");
    }
}
