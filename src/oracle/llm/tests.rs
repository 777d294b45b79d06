//! Whatever a server says: no panic, and nothing is taken for an answer that is none.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::answer::{probabilities, rescaled, stated};
use super::api::{self, Purpose};
use super::options::Api;
use super::prompt::{CHOICES, Question, SCORES};
use super::template::Template;

const APIS: [Api; 2] = [Api::Chat, Api::Completions];

/// Reads a reply as both kinds of answers, and holds what is accepted to its promises.
fn judge(api: Api, body: &[u8]) -> Result<(), TestCaseError> {
    let Ok(said) = api::read(api, body) else { return Ok(()) };
    for answers in [&CHOICES[..], &SCORES] {
        let Some((p, _)) = probabilities(&said, answers) else { continue };
        prop_assert_eq!(p.len(), answers.len());
        prop_assert!(p.iter().all(|p| (0.0..=1.0).contains(p)), "{:?}", p);
        prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{:?}", p);
        prop_assert!((-1.0..=1.0).contains(&rescaled(&p)) || answers.len() == 2);
        // The digits that were said are the answer's, all of them.
        let spoken = said.text.rsplit("</think>").next().unwrap_or_default();
        let digits: String = spoken.chars().filter(|c| c.is_numeric()).collect();
        prop_assert!(answers.contains(&digits.as_str()), "{:?}", said.text);
    }
    Ok(())
}

/// Texts like those of models: numbers, signs, words, anything.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "1", "2", "10", "0", " ", "\n", "**", "-", "/", ".", "the", "answer", "is", "not", "</think>", "<think>", "½", "trajectory",
        ]).prop_map(String::from),
        1 => any::<String>(),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn logprob() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => (-20.0..=0.0_f64).prop_map(Value::from),
        1 => prop::sample::select(vec![Value::Null, json!(-9999.0), json!(0.5), json!(1e300), json!("-1"), json!(0)]),
    ]
}

fn alternatives() -> impl Strategy<Value = Vec<(String, Value)>> {
    prop::collection::vec((text(), logprob()), 0..4)
}

/// Replies of the right shape, or nearly.
fn reply() -> impl Strategy<Value = (usize, Value)> {
    let tokens = prop::collection::vec((text(), logprob(), alternatives()), 0..4);
    (0..2_usize, text(), tokens, 0..6_u8).prop_map(|(api, said, tokens, odd)| {
        // What is said is what the tokens say, as a rule.
        let said = if odd > 1 { tokens.iter().map(|t| t.0.as_str()).collect() } else { said };
        let top = |all: &[(String, Value)]| all.iter().map(|(t, p)| json!({ "token": t, "logprob": p })).collect::<Value>();
        let choice = if api == 0 {
            let content: Value = (tokens.iter())
                .map(|(t, p, all)| json!({ "token": t, "logprob": p, "top_logprobs": top(all) }))
                .collect();
            json!({ "message": { "content": said }, "logprobs": { "content": content } })
        } else {
            let maps: Value = (tokens.iter())
                .map(|t| Value::Object(t.2.iter().cloned().collect()))
                .collect();
            json!({
                "text": said,
                "logprobs": {
                    "tokens": tokens.iter().map(|t| &t.0).collect::<Vec<_>>(),
                    "token_logprobs": tokens.iter().skip(usize::from(odd == 0)).map(|t| &t.1).collect::<Vec<_>>(),
                    "top_logprobs": maps,
                },
            })
        };
        (api, json!({ "choices": [choice], "usage": { "prompt_tokens": 3 } }))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for api in APIS {
            judge(api, &body)?;
        }
    }

    #[test]
    fn replies_of_nearly_the_right_shape_are_read_or_refused((api, reply) in reply(), cut in 0..400_usize) {
        let body = reply.to_string().into_bytes();
        judge(APIS[api], &body)?;
        judge(APIS[1 - api], &body)?;
        judge(APIS[api], &body[..body.len().min(cut)])?;
    }

    #[test]
    fn only_a_lone_number_is_an_answer(text in text()) {
        if let Some(at) = stated(&text, &SCORES) {
            let spoken = text.rsplit("</think>").next().unwrap_or_default();
            let digits: String = spoken.chars().filter(|c| c.is_numeric()).collect();
            prop_assert_eq!(&digits, SCORES[at]);
            prop_assert!(!spoken.contains(['-', '/', '½']) && !spoken.contains("not"), "{}", text);
        }
    }

    #[test]
    fn what_is_asked_is_json_whatever_a_model_said(rationale in any::<String>(), a in any::<String>()) {
        let template = Template::default();
        let talk = Question::Compare(&a, "b").after(&template, &rationale);
        for api in APIS {
            let body = api::body(api, "m", &talk, Purpose::Answer { logprobs: true }, &template);
            let body: Value = serde_json::from_str(&body).unwrap();
            prop_assert_eq!(&body["model"], "m");
        }
    }
}
