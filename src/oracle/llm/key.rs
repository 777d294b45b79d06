//! The API key: it goes from the environment into a request header, and nowhere else.

use std::fmt;

use super::options::Options;

/// A shorter key is not a secret, but a word such as `EMPTY` for a server that accepts any key.
const SHORTEST: usize = 8;

/// A key that cannot be printed.
#[derive(Clone)]
pub struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(…)")
    }
}

impl Key {
    /// Reads the key from the options' environment variable; `None` if it is not set and the user did not name it.
    ///
    /// # Errors
    /// If the user named the variable and it is not set, if its value cannot be a key, or if it would be sent unencrypted.
    pub fn read(options: &Options) -> Result<Option<Self>, String> {
        let Some(name) = &options.key_env else { return Ok(None) };
        let value = match std::env::var(name) {
            Ok(value) => value.trim().to_string(),
            Err(std::env::VarError::NotPresent) => String::new(),
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(format!("the variable {name} is not text"));
            }
        };
        Self::checked(value, name, options)
    }

    fn checked(value: String, name: &str, options: &Options) -> Result<Option<Self>, String> {
        if value.is_empty() {
            return if options.key_needed {
                Err(format!("the variable {name} is not set; export the key in it, or use key_env=none"))
            } else {
                Ok(None)
            };
        }
        if !value.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(format!("the variable {name} has spaces or characters that no key has"));
        }
        if options.base_url.starts_with("http://") && !options.is_local() {
            return Err(format!(
                "the key in {name} would be sent over the network unencrypted; use an https:// address, or key_env=none"
            ));
        }
        Ok(Some(Self(value)))
    }

    /// The header's value.
    pub fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// A server's text with the key replaced, also where JSON escapes its slashes.
    pub fn hide(&self, text: &str) -> String {
        if self.0.len() < SHORTEST {
            return text.into();
        }
        [self.0.clone(), self.0.replace('/', "\\/")]
            .iter()
            .fold(String::from(text), |text, key| text.replace(key.as_str(), "[key]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str, more: &str) -> Options {
        Options::parse(&format!("(base_url={url},model=m{more})")).unwrap()
    }

    #[test]
    fn a_key_is_wanted_or_not() {
        let local = options("http://127.0.0.1:1/v1", "");
        assert!(Key::checked(String::new(), "K", &local).unwrap().is_none());
        let named = options("http://127.0.0.1:1/v1", ",key_env=K");
        assert!(Key::checked(String::new(), "K", &named).unwrap_err().contains("K is not set"));
        let key = Key::checked("sk-1".into(), "K", &named).unwrap().unwrap();
        assert_eq!((key.header().as_str(), format!("{key:?}").as_str()), ("Bearer sk-1", "Key(…)"));
        assert!(Key::read(&options("http://127.0.0.1:1/v1", ",key_env=none")).unwrap().is_none());
    }

    #[test]
    fn a_key_goes_nowhere_in_the_clear() {
        let far = options("http://models.example/v1", "");
        let message = Key::checked("sk-1".into(), "K", &far).unwrap_err();
        assert!(message.contains("unencrypted") && !message.contains("sk-1"), "{message}");
        assert!(Key::checked(String::new(), "K", &far).unwrap().is_none(), "no key, no harm");
        assert!(
            Key::checked("sk-1".into(), "K", &options("https://models.example/v1", "")).unwrap().is_some()
        );
        let message = Key::checked("sk 1\n2".into(), "K", &far).unwrap_err();
        assert!(!message.contains("sk 1"), "{message}");
    }

    #[test]
    fn what_a_server_repeats_is_hidden() {
        let key = Key("sk/abc+123".into());
        assert_eq!(key.hide("no sk/abc+123, sk\\/abc+123; sk/abc"), "no [key], [key]; sk/abc");
        // What a server without keys is given for one stands in other words too.
        assert_eq!(Key("1".into()).hide("1 or 2"), "1 or 2");
    }
}
