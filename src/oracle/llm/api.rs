//! The two interfaces: the body of a request, and the part of a reply's body that is used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::options::Api;
use super::prompt::Talk;
use super::template::Template;

/// Number of alternatives per token that are asked for: the most that OpenAI's interface allows.
const ALTERNATIVES: [(Api, u32); 2] = [(Api::Chat, 20), (Api::Completions, 5)];
/// Most tokens of an answer, which is a number; some assistants write a space or a star before it.
const ANSWER_TOKENS: [(Api, u32); 2] = [(Api::Chat, 8), (Api::Completions, 2)];
/// Most tokens of a rationale: a few sentences.
const RATIONALE_TOKENS: u32 = 400;
/// Most tokens of a reply.
const MOST_TOKENS: usize = 10_000;
/// Largest sum of the probabilities at one position, with rounding errors.
const MOST_MASS: f64 = 1.02;

/// What a model said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// The text.
    pub text: String,
    /// Its tokens in order, if the server gives their log-probabilities.
    pub tokens: Vec<Token>,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
}

/// A token, and its alternatives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// The chosen token.
    pub text: String,
    /// Tokens and the natural logarithms of their probabilities, with the chosen one.
    pub top: Vec<(String, f64)>,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A number, with log-probabilities or without.
    Answer {
        /// Whether they are asked for.
        logprobs: bool,
    },
    /// Sentences.
    Rationale,
}

/// The end of the address.
pub fn path(api: Api) -> &'static str {
    match api {
        Api::Chat => "/chat/completions",
        Api::Completions => "/completions",
    }
}

fn value_for(table: [(Api, u32); 2], api: Api) -> u32 {
    table.into_iter().find(|(known, _)| *known == api).map_or(1, |(_, n)| n)
}

/// The body of a request.
pub fn body(api: Api, model: &str, talk: &Talk, purpose: Purpose, template: &Template) -> String {
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| body.insert(key.into(), value);
    put("model", model.into());
    match api {
        Api::Chat => {
            let system = json!({ "role": "system", "content": talk.system });
            let turns = talk.turns.iter().enumerate().map(|(at, text)| {
                let role = if at % 2 == 0 { "user" } else { "assistant" };
                json!({ "role": role, "content": text.trim() })
            });
            put("messages", std::iter::once(system).chain(turns).collect());
        }
        Api::Completions => {
            put("prompt", format!("{}\n\n{}", talk.system, talk.turns.concat()).into());
        }
    }
    // Always the likeliest token, so that a repeated question gets the same answer.
    put("temperature", 0.into());
    match purpose {
        Purpose::Rationale => {
            put("max_tokens", RATIONALE_TOKENS.into());
        }
        Purpose::Answer { logprobs } => {
            put("max_tokens", value_for(ANSWER_TOKENS, api).into());
            if logprobs && api == Api::Chat {
                put("logprobs", true.into());
                put("top_logprobs", value_for(ALTERNATIVES, api).into());
            } else if logprobs {
                put("logprobs", value_for(ALTERNATIVES, api).into());
            }
        }
    }
    if let Ok(Value::Object(more)) = serde_json::to_value(&template.request) {
        body.extend(more);
    }
    body.retain(|key, _| !template.omit.contains(key));
    Value::Object(body).to_string()
}

/// The part of a reply that is used; everything else is ignored.
#[derive(Deserialize)]
struct Reply {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    /// Chat.
    message: Option<Message>,
    /// Completions.
    text: Option<String>,
    #[serde(default)]
    logprobs: Option<Logprobs>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Default, Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
}

/// Tokens with their log-probabilities.
type Top = BTreeMap<String, Option<f64>>;

/// Chat has `content`, completions has three lists; but some servers send `content` there too.
#[derive(Deserialize)]
struct Logprobs {
    content: Option<Vec<Place>>,
    tokens: Option<Vec<String>>,
    token_logprobs: Option<Vec<Option<f64>>>,
    top_logprobs: Option<Vec<Option<Top>>>,
}

#[derive(Deserialize)]
struct Place {
    token: String,
    logprob: Option<f64>,
    #[serde(default)]
    top_logprobs: Option<Vec<Alternative>>,
}

#[derive(Deserialize)]
struct Alternative {
    token: String,
    logprob: Option<f64>,
}

/// Parses the body of a reply.
///
/// # Errors
/// Why it cannot be used.
pub fn read(api: Api, body: &[u8]) -> Result<Said, String> {
    let reply: Reply = serde_json::from_slice(body).map_err(|e| format!("it is not a reply: {e}"))?;
    let choice = reply.choices.into_iter().next().ok_or("it has no choice")?;
    let text = match (api, choice.message, choice.text) {
        (Api::Chat, Some(message), _) => message.content.or(message.refusal).unwrap_or_default(),
        (Api::Completions, _, Some(text)) => text,
        (Api::Chat, None, _) => return Err("its choice has no `message`".into()),
        (Api::Completions, _, None) => return Err("its choice has no `text`".into()),
    };
    let usage = reply.usage.unwrap_or_default();
    Ok(Said {
        text,
        tokens: choice.logprobs.map_or(Ok(Vec::new()), Logprobs::tokens)?,
        prompt_tokens: usage.prompt_tokens.unwrap_or(0),
        completion_tokens: usage.completion_tokens.unwrap_or(0),
    })
}

impl Logprobs {
    fn tokens(self) -> Result<Vec<Token>, String> {
        let tokens: Vec<Token> = match (self.content, self.tokens) {
            (Some(places), _) => places
                .into_iter()
                .map(|p| {
                    let top = p.top_logprobs.unwrap_or_default();
                    Token::new(p.token, p.logprob, top.into_iter().map(|a| (a.token, a.logprob)))
                })
                .collect::<Result<_, _>>()?,
            (None, Some(texts)) => {
                let chosen = self.token_logprobs.unwrap_or_default();
                let mut tops = self.top_logprobs.unwrap_or_default().into_iter();
                (texts.into_iter().enumerate())
                    .map(|(at, text)| {
                        let top = tops.next().flatten().unwrap_or_default();
                        Token::new(text, chosen.get(at).copied().flatten(), top.into_iter())
                    })
                    .collect::<Result<_, _>>()?
            }
            (None, None) => Vec::new(),
        };
        if tokens.len() > MOST_TOKENS {
            return Err(format!("it has {} tokens", tokens.len()));
        }
        // If a token has no probability at all, the probabilities are not used.
        if tokens.iter().any(|t| t.top.is_empty()) { Ok(Vec::new()) } else { Ok(tokens) }
    }
}

impl Token {
    fn new(
        text: String,
        logprob: Option<f64>,
        top: impl Iterator<Item = (String, Option<f64>)>,
    ) -> Result<Self, String> {
        let mut all: Vec<(String, f64)> = top.filter_map(|(token, p)| Some((token, p?))).collect();
        if let Some(logprob) = logprob
            && !all.iter().any(|(token, _)| *token == text)
        {
            all.push((text.clone(), logprob));
        }
        let mass: f64 = all.iter().map(|(_, p)| p.exp()).sum();
        if all.iter().any(|(_, p)| !p.is_finite() || p.exp() > MOST_MASS) || mass > MOST_MASS {
            return Err(format!("the probabilities at `{text}` add up to {mass}"));
        }
        Ok(Self { text, top: all })
    }
}
