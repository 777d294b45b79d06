//! Converts texts and TOML values to the value of a key.

use toml::Value;

use super::keys::{Key, Kind};

/// The value of `key` from the text of a `--set KEY=TEXT`.
///
/// # Errors
/// What is expected.
pub(super) fn parse(key: &Key, text: &str) -> Result<Value, String> {
    let text = text.trim();
    let bare = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
    let value = match &key.kind {
        Kind::Text | Kind::Choice(_) => Some(Value::String(bare.to_string())),
        Kind::Bool => bare.parse().ok().map(Value::Boolean),
        Kind::Whole => whole(bare).map(Value::Integer),
        Kind::Number => number_of(bare).map(Value::Float),
        Kind::Wholes => wholes(bare),
    };
    let value = value.ok_or_else(|| unexpected(key, text))?;
    convert(key, value)
}

/// The value of `key` from a value in a file. `1e6` is also accepted as a whole number, and `64` as a number.
///
/// # Errors
/// What is expected.
pub(super) fn convert(key: &Key, value: Value) -> Result<Value, String> {
    let given = value.to_string();
    let converted = match (&key.kind, value) {
        (Kind::Bool, Value::Boolean(b)) => Some(Value::Boolean(b)),
        (Kind::Whole, value) => whole_of(value).map(Value::Integer),
        (Kind::Number, Value::Integer(n)) => Some(Value::Float(n as f64)),
        (Kind::Number, Value::Float(x)) => Some(Value::Float(x)),
        (Kind::Wholes, Value::Array(values)) => {
            let values: Option<Vec<Value>> =
                values.into_iter().map(|v| whole_of(v).map(Value::Integer)).collect();
            values.map(Value::Array)
        }
        (Kind::Wholes, Value::String(text)) => wholes(&text),
        (Kind::Text, Value::String(text)) => Some(Value::String(text)),
        // Such as `sac.temperature = 0.2`, which can also be `auto`.
        (Kind::Text, scalar @ (Value::Boolean(_) | Value::Integer(_) | Value::Float(_))) => Some(scalar),
        (Kind::Choice(words), Value::String(text)) => {
            words.iter().any(|(word, _)| *word == text).then_some(Value::String(text))
        }
        _ => None,
    };
    converted.ok_or_else(|| unexpected(key, &given))
}

fn unexpected(key: &Key, given: &str) -> String {
    let numeric = matches!(key.kind, Kind::Bool | Kind::Whole | Kind::Number);
    let given = match given.trim_matches('"') {
        "" => "empty".to_string(),
        text if numeric
            && given.starts_with('"')
            && (text.parse::<f64>().is_ok() || text.parse::<bool>().is_ok()) =>
        {
            format!("the text {given}; write it without quotes")
        }
        text => text.to_string(),
    };
    format!("`{}` is {given}; expected {}", key.name, key.expected)
}

fn whole_of(value: Value) -> Option<i64> {
    match value {
        Value::Integer(n) => Some(n).filter(|n| *n >= 0),
        Value::Float(x) => whole_float(x),
        _ => None,
    }
}

/// `1000000`, `1_000_000` or `1e6`.
fn whole(text: &str) -> Option<i64> {
    let digits = text.replace('_', "");
    digits.parse().ok().filter(|n: &i64| *n >= 0).or_else(|| whole_float(digits.parse().ok()?))
}

/// Whole numbers beyond 2^53 are not exact as floats.
fn whole_float(x: f64) -> Option<i64> {
    (x.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&x)).then_some(x as i64)
}

fn number_of(text: &str) -> Option<f64> {
    text.replace('_', "").parse().ok()
}

/// Parses `64,64` or `[64, 64]`; an empty text and `[]` are empty lists.
fn wholes(text: &str) -> Option<Value> {
    let inner = text.trim().strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let items = inner.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| whole(item).map(Value::Integer)).collect::<Option<_>>().map(Value::Array)
}

/// A number without the digits beyond the precision of float32: 0.2 and not 0.20000000298.
pub(super) fn number(x: f64) -> String {
    let single = x as f32;
    if f64::from(single) == x { single.to_string() } else { x.to_string() }
}

/// A JSON value as text for error messages.
pub(super) fn shown(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(n) if n.is_f64() => number(n.as_f64().unwrap_or_default()),
        serde_json::Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join(","),
        serde_json::Value::Null => "not a finite number".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::config::keys::find;

    #[test]
    fn texts_of_each_kind() {
        let of = |key: &str, text: &str| parse(find(key).unwrap(), text);
        for text in ["1e6", "1_000_000", "1000000", "1000000.0"] {
            assert_eq!(of("total_steps", text), Ok(Value::Integer(1_000_000)), "{text}");
        }
        let sizes = Value::Array(vec![Value::Integer(256), Value::Integer(128)]);
        for text in ["256,128", "[256, 128]", "256, 128"] {
            assert_eq!(of("sac.hidden_sizes", text), Ok(sizes.clone()), "{text}");
        }
        assert_eq!(of("ars.hidden_sizes", "[]"), Ok(Value::Array(Vec::new())));
        assert_eq!(of("ppo.learning_rate", "1"), Ok(Value::Float(1.0)));
        assert_eq!(of("oracle", "\"return\""), Ok(Value::String("return".into())));
        assert_eq!(of("self_play.optimism", "true"), Ok(Value::Boolean(true)));
        for (key, text, expected) in [
            ("total_steps", "many", "`total_steps` is many; expected a whole number of at least 1"),
            ("total_steps", "1.5", "`total_steps` is 1.5; expected a whole number of at least 1"),
            ("total_steps", "-3", "`total_steps` is -3; expected a whole number of at least 1"),
            ("learner", "pppo", "`learner` is pppo; expected one of ppo, sac, ars"),
            ("self_play.optimism", "yes", "`self_play.optimism` is yes; expected true or false"),
            (
                "ppo.hidden_sizes",
                "64,x",
                "`ppo.hidden_sizes` is 64,x; expected whole numbers from 1 to 16384, such as 64,64",
            ),
            ("ppo.clip", "", "`ppo.clip` is empty; expected a finite number above 0"),
        ] {
            assert_eq!(of(key, text), Err(expected.to_string()));
        }
        let quoted = convert(find("ppo.clip").unwrap(), Value::String("0.1".into())).unwrap_err();
        assert!(quoted.starts_with("`ppo.clip` is the text \"0.1\"; write it without quotes"), "{quoted}");
    }

    #[test]
    fn numbers_have_the_digits_that_were_written() {
        assert_eq!(number(f64::from(0.2f32)), "0.2");
        assert_eq!(number(5e-4), "0.0005");
        assert_eq!(number(1.0), "1");
    }
}
