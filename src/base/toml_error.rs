//! Error messages for TOML files.

use super::nearest::nearest;

/// The message of an error, with the line of the file. For an unknown key it suggests the closest key instead of listing
/// all keys; `help` says where they are listed.
pub fn explain(error: &toml::de::Error, help: &str) -> String {
    let message = error.message();
    let mut why = message.to_string();
    if let Some(rest) = message.strip_prefix("unknown field `") {
        // unknown field `x`, expected one of `a`, `b`
        let mut names = rest.split('`').step_by(2);
        let key = names.next().unwrap_or_default();
        why = match nearest(key, names) {
            Some(near) => format!("unknown key `{key}`, did you mean `{near}`?"),
            None => format!("unknown key `{key}`; {help}"),
        };
    }
    // The quoted line of the file shows the place and the key.
    let shown = error.to_string();
    let place: Vec<&str> = shown.lines().filter(|l| l.contains('|') || l.contains("line ")).collect();
    if place.is_empty() { why } else { format!("{why}\n{}", place.join("\n")) }
}
