//! The options of a language model as oracle: `llm(base_url=URL,model=NAME,…)`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::super::parse::number;
use super::super::text::split;
use crate::base::nearest::nearest;

/// The form, as help shows it.
pub const FORM: &str = "llm(base_url=URL,model=NAME)";
/// The environment variable that holds the key, unless another is named.
const KEY_ENV: &str = "OPENAI_API_KEY";

/// Which of the two interfaces is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `/chat/completions`: messages.
    Chat,
    /// `/completions`: one text to continue, for models that are not assistants.
    Completions,
}

/// Where replies are stored, so that nothing is paid for twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// In the user's cache folder, for all runs.
    Shared,
    /// In this file.
    File(PathBuf),
    /// Nowhere.
    Off,
}

/// A language model, and how it is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Address of the interface, such as `http://127.0.0.1:8000/v1`, without a slash at the end.
    pub base_url: String,
    /// The model, as the server names it.
    pub model: String,
    /// Chat or completions.
    pub api: Api,
    /// The environment variable with the key; `None` sends none.
    pub key_env: Option<String>,
    /// Whether the user named that variable, so that it must be set.
    pub key_needed: bool,
    /// A template file; `None` takes the built-in template of the environment.
    pub template: Option<PathBuf>,
    /// Whether the model is asked for a rationale first.
    pub cot: bool,
    /// Whether each pair is asked in both orders, or only in the given one.
    pub both_orders: bool,
    /// Whether log-probabilities are asked for. Otherwise the text of the answer counts.
    pub logprobs: bool,
    /// Most requests at the same time.
    pub concurrency: usize,
    /// Least time between the starts of two requests; 0 sets no limit.
    pub interval: Duration,
    /// Most retries of a request that failed for a temporary reason.
    pub retries: u32,
    /// Longest time that a request may take.
    pub timeout: Duration,
    /// Where replies are stored.
    pub cache: Keep,
    /// US dollars per million tokens, read and written; 0 counts no cost.
    pub prices: [f64; 2],
}

const KEYS: [&str; 15] = [
    "base_url",
    "model",
    "api",
    "key_env",
    "template",
    "cot",
    "both_orders",
    "logprobs",
    "concurrency",
    "rpm",
    "retries",
    "timeout",
    "cache",
    "price_in",
    "price_out",
];

impl Options {
    /// Parses the text after `llm`: nothing, or options in parentheses.
    ///
    /// # Errors
    /// What is wrong, and how to correct it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut options = Self {
            base_url: String::new(),
            model: String::new(),
            api: Api::Chat,
            key_env: Some(KEY_ENV.into()),
            key_needed: false,
            template: None,
            cot: false,
            both_orders: true,
            logprobs: true,
            concurrency: 8,
            interval: Duration::ZERO,
            retries: 6,
            timeout: Duration::from_secs(60),
            cache: Keep::Shared,
            prices: [0.0; 2],
        };
        for (key, value) in pairs(text)? {
            options.set(&key, &value)?;
        }
        Ok(options)
    }

    /// Checks that address and model are there. Flags may add them after the text is parsed.
    ///
    /// # Errors
    /// Which one is missing, and how to give it.
    pub fn complete(self) -> Result<Self, String> {
        for (name, flag, value) in
            [("base_url", "--base-url", &self.base_url), ("model", "--model", &self.model)]
        {
            if value.is_empty() {
                return Err(format!(
                    "`{name}` is missing; expected `{FORM}` or {flag}, as in --oracle llm \
                     --base-url http://127.0.0.1:8000/v1 --model NAME"
                ));
            }
        }
        Ok(self)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let whole = |low: f64, high: f64| match number(key, value, low, high)? {
            n if n.fract() == 0.0 => Ok(n as u32),
            n => Err(format!("`{key}` is {n}; expected a whole number")),
        };
        let boolean = || match value {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(format!("`{key}` is `{value}`; expected `true` or `false`")),
        };
        if value.is_empty() {
            return Err(format!("`{key}` has no value; expected KEY=VALUE"));
        }
        match key {
            "base_url" => self.base_url = address(value)?,
            "model" => self.model = value.into(),
            "api" => {
                self.api = match value {
                    "chat" => Api::Chat,
                    "completions" => Api::Completions,
                    _ => return Err(format!("`api` is `{value}`; expected `chat` or `completions`")),
                }
            }
            "key_env" => {
                self.key_env = match value {
                    "none" => None,
                    _ => Some(variable(value)?.into()),
                };
                self.key_needed = self.key_env.is_some();
            }
            "template" => self.template = Some(value.into()),
            "cot" => self.cot = boolean()?,
            "both_orders" => self.both_orders = boolean()?,
            "logprobs" => self.logprobs = boolean()?,
            "concurrency" => self.concurrency = whole(1.0, 256.0)? as usize,
            "rpm" => self.interval = Duration::from_secs_f64(60.0 / number(key, value, 0.1, 1e6)?),
            "retries" => self.retries = whole(0.0, 20.0)?,
            "timeout" => self.timeout = Duration::from_secs_f64(number(key, value, 0.01, 3600.0)?),
            "cache" => self.cache = if value == "none" { Keep::Off } else { Keep::File(value.into()) },
            "price_in" => self.prices[0] = number(key, value, 0.0, 1e6)?,
            "price_out" => self.prices[1] = number(key, value, 0.0, 1e6)?,
            _ => {
                let hint =
                    nearest(key, KEYS).map_or_else(|| ".".to_string(), |n| format!(", did you mean `{n}`?"));
                return Err(format!("`llm` has no option `{key}`{hint} It has {}", KEYS.join(", ")));
            }
        }
        Ok(())
    }

    /// Whether the address is on this machine.
    pub fn is_local(&self) -> bool {
        let host = self.base_url.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or_default();
        let name = match host.strip_prefix('[') {
            Some(six) => six.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// The options in order, their values without quotes.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let inner = text
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .ok_or_else(|| format!("expected `{FORM}`"))?;
    let mut pairs: Vec<(String, String)> = Vec::new();
    for part in split(inner, ",")?.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').ok_or_else(|| format!("`{part}`: expected KEY=VALUE"))?;
        let (key, value) = (key.trim(), value.trim());
        let value = match shlex::split(value).as_deref() {
            Some([]) => String::new(),
            Some([one]) => one.clone(),
            _ => return Err(format!("`{key}` is `{value}`; put a value with spaces into quotes")),
        };
        if pairs.iter().any(|(known, _)| known == key) {
            return Err(format!("`{key}` is given twice"));
        }
        pairs.push((key.into(), value));
    }
    Ok(pairs)
}

/// Checks an address, and takes the slash off its end.
fn address(text: &str) -> Result<String, String> {
    let fail = |why: &str| Err(format!("`base_url` is `{text}`; {why}"));
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let Some(rest) = rest.filter(|rest| !rest.is_empty() && !rest.starts_with('/')) else {
        return fail("expected http://HOST:PORT/v1 or https://HOST/v1");
    };
    if rest.split('/').next().is_some_and(|host| host.contains('@')) {
        // Not shown: it may be a password.
        return Err(
            "`base_url` has a user name or password in it, which the run's config.toml would show; put the key \
                    into an environment variable (key_env=NAME)"
                .into(),
        );
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) || rest.contains(['?', '#']) {
        return fail("expected an address without `?`, `#` and spaces");
    }
    let bare = text.trim_end_matches('/');
    for path in ["/chat/completions", "/completions"] {
        if let Some(base) = bare.strip_suffix(path) {
            return fail(&format!("leave out the end, as in {base}"));
        }
    }
    Ok(bare.into())
}

/// Checks that it is the name of a variable, and not the key by mistake.
fn variable(text: &str) -> Result<&str, String> {
    let good = text.len() <= 64
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if good {
        Ok(text)
    } else {
        // Not shown: it may be the key.
        Err("`key_env` is not the name of an environment variable; expected a name such as OPENAI_API_KEY, or none, and \
             never the key itself"
            .into())
    }
}

/// The text after `llm`; `None` if the text names another judge.
pub fn behind_name(text: &str) -> Option<&str> {
    text.strip_prefix("llm").filter(|rest| rest.is_empty() || rest.starts_with('('))
}

/// The text of a language model with another address or name, or both.
///
/// # Errors
/// If the text is not a language model alone.
pub fn with(text: &str, base_url: Option<&str>, model: Option<&str>) -> Result<String, String> {
    let known = pairs(behind_name(text.trim()).ok_or_else(|| format!("expected `{FORM}`"))?)?;
    let given: Vec<(&str, &str)> = [("base_url", base_url), ("model", model)]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect();
    let kept = known.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let kept = kept.filter(|(key, _)| !given.iter().any(|(new, _)| new == key));
    let quoted = given.iter().copied().chain(kept).map(|(key, value)| {
        let bare = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:/@".contains(&b));
        match shlex::try_quote(value) {
            _ if bare && !value.is_empty() => Ok(format!("{key}={value}")),
            Ok(quoted) => Ok(format!("{key}={quoted}")),
            Err(_) => Err(format!("`{key}` contains a zero byte")),
        }
    });
    Ok(format!("llm({})", quoted.collect::<Result<Vec<_>, _>>()?.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "base_url=http://h/v1,model=m";

    #[test]
    fn options_are_read() {
        let o = Options::parse("( base_url = https://api.example/v1/ , model='a, b' )").unwrap();
        assert_eq!((o.base_url.as_str(), o.model.as_str()), ("https://api.example/v1", "a, b"));
        assert_eq!((o.api, o.key_env.as_deref(), o.key_needed), (Api::Chat, Some("OPENAI_API_KEY"), false));
        let o = Options::parse(&format!(
            "({LEAST},api=completions,key_env=MY_KEY,template='my file.toml',cot=true,both_orders=false,logprobs=false,concurrency=3,\
             rpm=30,retries=0,timeout=1.5,cache=x.sqlite,price_in=0.15,price_out=0.6)"
        ))
        .unwrap();
        assert_eq!((o.api, o.key_env.as_deref(), o.key_needed), (Api::Completions, Some("MY_KEY"), true));
        assert_eq!(o.template, Some("my file.toml".into()));
        assert_eq!((o.cot, o.both_orders, o.logprobs, o.concurrency, o.retries), (true, false, false, 3, 0));
        assert_eq!((o.interval, o.timeout), (Duration::from_secs(2), Duration::from_millis(1500)));
        assert_eq!((o.cache, o.prices), (Keep::File("x.sqlite".into()), [0.15, 0.6]));
        let o = Options::parse(&format!("({LEAST},key_env=none,cache=none)")).unwrap();
        assert_eq!((o.key_env, o.cache), (None, Keep::Off));
    }

    #[test]
    fn wrong_options_give_a_clear_error() {
        for (bad, expected) in [
            ("", "`base_url` is missing"),
            ("()", "--base-url http://127.0.0.1:8000/v1 --model NAME"),
            ("(base_url=http://h/v1)", "`model` is missing"),
            ("(base_url=http://h/v1,model=m", "expected `llm(base_url=URL,model=NAME)`"),
            ("(base_url=h/v1,model=m)", "expected http://HOST:PORT/v1"),
            ("(base_url=ftp://h/v1,model=m)", "expected http://HOST:PORT/v1"),
            ("(base_url=https:///v1,model=m)", "expected http://HOST:PORT/v1"),
            ("(base_url='http://h/v1?key=abc',model=m)", "without `?`"),
            ("(base_url=http://h/v1/chat/completions/,model=m)", "as in http://h/v1"),
            ("(base_url=http://h/v1,base_url=http://h/v1,model=m)", "`base_url` is given twice"),
            ("(base_url=http://h/v1,model=a b)", "into quotes"),
            ("(base_url=http://h/v1,model=)", "has no value"),
            ("(base_url=http://h/v1,model='m)", "not closed"),
            ("(base_url=http://h/v1,model=m,retires=3)", "did you mean `retries`?"),
            ("(base_url=http://h/v1,model=m,cot=yes)", "expected `true` or `false`"),
            ("(base_url=http://h/v1,model=m,concurrency=0)", "at least 1"),
            ("(base_url=http://h/v1,model=m,retries=1.5)", "a whole number"),
            ("(base_url=http://h/v1,model=m,timeout=nan)", "at least 0.01"),
            ("(base_url=http://h/v1,model=m,api=rest)", "`chat` or `completions`"),
            ("(base_url=http://h/v1,model=m,price_in=-1)", "at least 0"),
        ] {
            let message = Options::parse(bad).and_then(Options::complete).unwrap_err();
            assert!(message.contains(expected), "{bad}: {message}");
        }
        // What may be a secret is not repeated.
        for secret in
            ["base_url=https://me:sk-secret@h/v1,model=m", "base_url=http://h/v1,model=m,key_env=sk-secret"]
        {
            let message = Options::parse(&format!("({secret})")).unwrap_err();
            assert!(message.contains("key_env") && !message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        let local = |url: &str| Options::parse(&format!("(base_url={url},model=m)")).unwrap().is_local();
        for url in
            ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:9/v1", "http://LOCALHOST:1"]
        {
            assert!(local(url), "{url}");
        }
        for url in ["http://10.0.0.1/v1", "https://localhost.example/v1", "http://[fe80::1]/v1"] {
            assert!(!local(url), "{url}");
        }
    }
}
