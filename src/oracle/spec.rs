//! The description of an oracle, read once: `return | mistake=0.1` as a value.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cost::Cost;
use super::decorator::{Decorated, Decorator};
use super::equal::Equal;
use super::exec::{self, Exec};
use super::human::Human;
use super::judges::{Cyclic, Effort};
use super::labels::Labels;
use super::llm::{self, Llm};
use super::matrix::{GameSource, Matrix};
use super::mistake::Mistake;
use super::mixture::Mixture;
use super::myopic::Myopic;
use super::returns::{BradleyTerry, TaskReturn};
use super::ring::Ring;
use super::skip::Skip;
use super::time_share::TimeShare;
use super::{Oracle, OracleError, parse};

/// A description of an oracle, from a configuration or a flag: `bradley_terry=50 | mistake=0.1`.
///
/// The text is parsed once, here. All other code asks this value. It prints as the text that it was parsed from.
///
/// ```
/// use spo::oracle::OracleSpec;
///
/// let spec: OracleSpec = "0.7*return + 0.3*effort | labels".parse()?;
/// assert_eq!(spec.to_string(), "0.7*return + 0.3*effort | labels");
/// assert!(!spec.asks_people() && !spec.asks_language_model() && !spec.asks_program());
/// let oracle = spec.build()?;
/// # Ok::<(), spo::oracle::OracleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct OracleSpec {
    /// The text as it was written, for files and messages.
    text: String,
    asked: Asked,
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    /// People, at a page.
    People(Human),
    /// Judges with weights, and decorators from the inside out. One judge is asked alone.
    Judges { raters: Vec<(f64, JudgeSpec)>, decorators: Vec<DecoratorSpec> },
}

/// A judge with its values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum JudgeSpec {
    TaskReturn,
    BradleyTerry { temperature: f64 },
    Effort,
    Cyclic,
    Ring { radius: f64 },
    TimeShare(TimeShare),
    Cost { limit: f64 },
    Game(GameSource),
    Program(exec::Options),
    LanguageModel(llm::Options),
}

/// A decorator with its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum DecoratorSpec {
    Mistake { rate: f64 },
    Skip { threshold: f64 },
    Equal { threshold: f64 },
    Myopic { discount: f64 },
    Labels,
}

impl OracleSpec {
    /// Makes the oracle. It still has to be [prepared](Oracle::prepare) for a task. A game's file is read now.
    ///
    /// # Errors
    /// [`OracleError::Parse`]: people, who need a run's directory; a language model without address or name; a game's
    /// file that cannot be read.
    pub fn build(&self) -> Result<Box<dyn Oracle>, OracleError> {
        let fail = |why| self.error(why);
        let Asked::Judges { raters, decorators } = &self.asked else {
            return Err(fail(parse::PEOPLE_ALONE.into()));
        };
        let mut oracle = match &raters[..] {
            // A population of one is its only rater.
            [(_, only)] => only.build().map_err(fail)?,
            raters => {
                let built = raters.iter().map(|(weight, judge)| Ok((*weight, judge.build()?)));
                Box::new(Mixture { raters: built.collect::<Result<_, _>>().map_err(fail)? })
            }
        };
        for decorator in decorators {
            oracle = decorator.around(oracle);
        }
        Ok(oracle)
    }

    /// How people are asked, if people are the oracle.
    pub fn human(&self) -> Option<&Human> {
        match &self.asked {
            Asked::People(human) => Some(human),
            Asked::Judges { .. } => None,
        }
    }

    /// Whether people are asked.
    pub fn asks_people(&self) -> bool {
        self.human().is_some()
    }

    /// The language model, if it is the whole oracle: not mixed, not weighted, not decorated. Only then can it rate.
    pub fn language_model(&self) -> Option<&llm::Options> {
        match &self.asked {
            Asked::Judges { raters, decorators } if decorators.is_empty() => match &raters[..] {
                [(1.0, JudgeSpec::LanguageModel(options))] => Some(options),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a language model is asked, alone or among others.
    pub fn asks_language_model(&self) -> bool {
        self.judges().any(|judge| matches!(judge, JudgeSpec::LanguageModel(_)))
    }

    /// Whether a program is asked, alone or among others.
    pub fn asks_program(&self) -> bool {
        self.judges().any(|judge| matches!(judge, JudgeSpec::Program(_)))
    }

    /// This language model with another address or name, or both.
    ///
    /// ```
    /// use spo::oracle::OracleSpec;
    ///
    /// let model: OracleSpec = "llm(cot=true)".parse()?;
    /// let model = model.with_language_model(Some("http://127.0.0.1:8000/v1"), Some("qwen"))?;
    /// assert_eq!(model.to_string(), "llm(base_url=http://127.0.0.1:8000/v1,model=qwen,cot=true)");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the oracle is not a language model alone.
    pub fn with_language_model(&self, base_url: Option<&str>, model: Option<&str>) -> Result<Self, String> {
        if self.language_model().is_none() {
            return Err(format!(
                "the oracle is `{self}`, but --base-url and --model need `llm` or `llm(…)` alone; in other oracles write \
                 them as in `{}`",
                llm::FORM
            ));
        }
        let text = llm::with(&self.text, base_url, model)?;
        Self::read(text).map_err(|(_, why)| why)
    }

    /// The judges that are asked; none if people are asked.
    fn judges(&self) -> impl Iterator<Item = &JudgeSpec> {
        let raters = match &self.asked {
            Asked::People(_) => &[][..],
            Asked::Judges { raters, .. } => raters,
        };
        raters.iter().map(|(_, judge)| judge)
    }

    /// Parses a description. On failure, returns the text and what is wrong with it.
    fn read(text: String) -> Result<Self, (String, String)> {
        match parse::description(&text) {
            Ok(asked) => Ok(Self { text, asked }),
            Err(why) => Err((text, why)),
        }
    }

    fn error(&self, why: String) -> OracleError {
        OracleError::Parse { text: self.text.clone(), why }
    }
}

impl JudgeSpec {
    fn build(&self) -> Result<Box<dyn Oracle>, String> {
        Ok(match self {
            Self::TaskReturn => Box::new(TaskReturn),
            Self::BradleyTerry { temperature } => Box::new(BradleyTerry { temperature: *temperature }),
            Self::Effort => Box::new(Effort),
            Self::Cyclic => Box::new(Cyclic),
            Self::Ring { radius } => Box::new(Ring { radius: *radius }),
            Self::TimeShare(share) => Box::new(*share),
            Self::Cost { limit } => Box::new(Cost { limit: *limit }),
            Self::Game(source) => Box::new(Matrix(source.load()?)),
            Self::Program(options) => Box::new(Exec::new(options.clone())),
            Self::LanguageModel(options) => Box::new(Llm::new(options.clone().complete()?)),
        })
    }
}

impl DecoratorSpec {
    fn around(self, inner: Box<dyn Oracle>) -> Box<dyn Oracle> {
        fn decorated(inner: Box<dyn Oracle>, decorator: impl Decorator + 'static) -> Box<dyn Oracle> {
            Box::new(Decorated { inner, decorator })
        }
        match self {
            Self::Mistake { rate } => decorated(inner, Mistake { rate }),
            Self::Skip { threshold } => decorated(inner, Skip { threshold }),
            Self::Equal { threshold } => decorated(inner, Equal { threshold }),
            Self::Myopic { discount } => decorated(inner, Myopic { discount }),
            Self::Labels => decorated(inner, Labels),
        }
    }
}

impl Default for OracleSpec {
    /// The task return.
    fn default() -> Self {
        let asked = Asked::Judges { raters: vec![(1.0, JudgeSpec::TaskReturn)], decorators: Vec::new() };
        Self { text: "return".into(), asked }
    }
}

impl fmt::Display for OracleSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for OracleSpec {
    type Err = OracleError;

    fn from_str(text: &str) -> Result<Self, OracleError> {
        Self::read(text.into()).map_err(|(text, why)| OracleError::Parse { text, why })
    }
}

impl TryFrom<String> for OracleSpec {
    /// What is wrong, without the text: a file's or a flag's error shows it already.
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::read(text).map_err(|(_, why)| why)
    }
}

impl From<OracleSpec> for String {
    fn from(spec: OracleSpec) -> Self {
        spec.text
    }
}

/// An optional oracle in a file: the empty text means none.
pub mod optional {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::OracleSpec;

    /// Writes the description, or the empty text.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(spec: &Option<OracleSpec>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(spec.as_ref().map_or("", |spec| &spec.text))
    }

    /// Reads what [`serialize`] writes.
    ///
    /// # Errors
    /// What is wrong with the description.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<OracleSpec>, D::Error> {
        let text = String::deserialize(from)?;
        let spec = (!text.is_empty()).then(|| OracleSpec::try_from(text)).transpose();
        spec.map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> OracleSpec {
        text.parse().unwrap()
    }

    #[test]
    fn a_description_prints_itself_and_is_read_once() {
        for text in [
            "return",
            "bradley_terry=50 | mistake=0.1 | labels",
            " 0.7*return  +  0.3*effort ",
            "time_share=0.3-0.5|mistake",
            "game:no/such/file.csv",
            "exec(timeout=10):sh -c 'a | b' | labels",
            "llm",
            "llm(model='a | b + c')",
            "human(wait=10m, votes=2)",
        ] {
            assert_eq!(spec(text).to_string(), text);
            assert_eq!(spec(&spec(text).to_string()), spec(text), "{text}");
            let json = serde_json::to_string(&spec(text)).unwrap();
            assert_eq!(json, serde_json::to_string(text).unwrap());
            assert_eq!(serde_json::from_str::<OracleSpec>(&json).unwrap(), spec(text));
        }
        assert_eq!(spec("return"), OracleSpec::default());
        let error = "retrun".parse::<OracleSpec>().unwrap_err().to_string();
        assert!(
            error.starts_with("oracle `retrun`: ") && error.contains("did you mean `return`?"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_oracle_is_the_empty_text() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Keys {
            #[serde(with = "optional")]
            key: Option<OracleSpec>,
        }
        for (key, text) in [(None, "key = \"\"\n"), (Some(spec("cost=2")), "key = \"cost=2\"\n")] {
            let keys = Keys { key };
            assert_eq!(toml::to_string(&keys).unwrap(), text);
            assert_eq!(toml::from_str::<Keys>(text).unwrap(), keys);
        }
        assert!(
            toml::from_str::<Keys>("key = \"cots\"")
                .unwrap_err()
                .to_string()
                .contains("did you mean `cost`?")
        );
    }

    #[test]
    fn who_is_asked() {
        let votes = |text: &str| spec(text).human().map(|human| human.votes);
        assert_eq!((votes("human"), votes("human(votes=3)"), votes("return")), (Some(1), Some(3), None));
        assert!(spec("human").asks_people() && !spec("return").asks_people());
        assert!(spec("human").build().err().unwrap().to_string().contains("asked alone"));

        for text in ["exec:./judge", "exec(timeout=1):./judge | labels", "0.3*return + 0.7*exec:./judge"] {
            assert!(spec(text).asks_program(), "{text}");
        }
        for text in ["llm", "llm(model='a|b')", " llm(model=m) | labels", "0.5*llm(model=m) + 0.5*return"] {
            assert!(spec(text).asks_language_model() && !spec(text).asks_program(), "{text}");
        }
        for text in ["return", "exec:llm", "human"] {
            assert!(!spec(text).asks_language_model(), "{text}");
        }
        for text in ["return", "llm", "human"] {
            assert!(!spec(text).asks_program(), "{text}");
        }
        for text in [
            "llms",
            "llm=3",
            "return | llm",
            "llm(model='m",
            "executive",
            "exec",
            "return | exec:./judge",
            "exec:'./judge",
            "",
        ] {
            assert!(text.parse::<OracleSpec>().is_err(), "{text}");
        }

        let alone = |text: &str| spec(text).language_model().is_some();
        assert!(alone("llm") && alone(" llm(model='a | b + c') "));
        assert!(!alone("llm(model=m) | labels") && !alone("llm + return") && !alone("0.5*llm"));
        assert!(!alone("return") && !alone("human"));
    }

    #[test]
    fn flags_join_a_language_model() {
        let with = |text: &str, base_url, model| spec(text).with_language_model(base_url, model);
        let text = |spec: Result<OracleSpec, String>| spec.unwrap().to_string();
        assert_eq!(text(with("llm", None, Some("a b"))), "llm(model='a b')");
        let joined = with("llm(model=old,rpm=6)", Some("http://h/v1"), Some("new"));
        assert_eq!(text(joined), "llm(base_url=http://h/v1,model=new,rpm=6)");
        let odd = with("llm", Some("http://h/v1"), Some("it's, (a) | b")).unwrap();
        assert_eq!(odd.language_model().unwrap().model, "it's, (a) | b");
        assert!(with("return", None, Some("m")).unwrap_err().contains("need `llm`"));
        assert!(with("llm | labels", None, Some("m")).unwrap_err().contains("need `llm`"));
        // Address and name are needed by the time that the oracle is made.
        assert!(spec("llm").build().err().unwrap().to_string().contains("`base_url` is missing"));
        assert!(odd.build().is_ok());
    }
}
