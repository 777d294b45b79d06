//! The protocol's lines: as documented, and everything else that may come.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::protocol::{Entered, Part, Reply, Request, Sent, Sheet, VERSION, decode};
use super::trajectories::Batch;
use super::{Data, Options};
use crate::oracle::{Answer, Pair};
use crate::rollout::Trajectory;

const PAGE: &str = include_str!("../../../docs/oracle-protocol.md");
const SCHEMA: &str = include_str!("../../../docs/oracle-protocol.schema.json");

/// The page's messages in order.
fn examples() -> Vec<&'static str> {
    let blocks = PAGE.split("```json\n").skip(1);
    blocks.map(|block| block.split("\n```").next().unwrap()).collect()
}

fn line(request: &Request<'_>) -> String {
    String::from_utf8(request.line()).unwrap().trim_end().to_string()
}

#[test]
fn the_page_shows_what_is_sent_and_read() {
    let [hello, ready, compare, answers, part, error, by_file] = examples().try_into().unwrap();
    let (protocol, env) = (VERSION, "point");
    let sent = Request::Hello { protocol, env, obs_dim: 4, action_dim: 2, dt: 0.1, horizon: 50, file: None };
    assert_eq!(line(&sent), hello);

    let obs = [[0.5, 0.25, 0.0, -1.0], [0.5, 0.25, 0.0, 0.0]];
    let (actions, one) = ([[1.0, 0.0], [0.0, -1.0]], [0.0]);
    let at = |i: usize| Trajectory {
        obs: &obs[i],
        final_obs: &obs[0],
        actions: &actions[i],
        rewards: &one,
        costs: &one,
        origin: None,
    };
    let none = Trajectory { obs: &[], actions: &[], rewards: &[], costs: &[], ..at(0) };
    let table = Batch::new([(at(0), at(1)), (at(0), none)].into_iter().map(|(a, b)| Pair { a, b }));
    let parts = [Part::Obs, Part::Actions];
    let sent = Request::Compare {
        batch: 7,
        pairs: &table.pairs,
        seeds: None,
        bytes: None,
        trajectories: table.by_value(&parts),
    };
    assert_eq!(line(&sent), compare);

    // Four observations and one reward each: five numbers, twenty bytes.
    let mut file = super::Shared::create().unwrap();
    let table = Batch::new([Pair { a: at(0), b: at(1) }].into_iter());
    let (trajectories, bytes) = table.by_file(&[Part::Obs, Part::Rewards], &mut file).unwrap();
    let sent = Request::Compare { batch: 7, pairs: &[(0, 1)], seeds: None, bytes: Some(bytes), trajectories };
    assert_eq!(line(&sent), by_file);
    let written: Vec<f32> = (std::fs::read(file.path()).unwrap().chunks_exact(4))
        .map(|b| f32::from_ne_bytes(b.try_into().unwrap()))
        .collect();
    assert_eq!(written, [0.5, 0.25, 0.0, -1.0, 0.0, 0.5, 0.25, 0.0, 0.0, 0.0]);

    let read = |text: &str| decode(text.as_bytes()).unwrap().unwrap();
    let reads = parts.to_vec();
    assert_eq!(read(ready), Reply::Hello { protocol: VERSION, reads, random: false });
    let said = |first, answers: Value| Reply::Answers {
        batch: 7,
        first,
        answers: serde_json::from_value(answers).unwrap(),
    };
    assert_eq!(read(answers), said(0, json!([1, null])));
    assert_eq!(read(part), said(1, json!([0.25])));
    assert_eq!(read(error), Reply::Error { message: "needs a task of two dimensions".into() });
}

#[test]
fn the_schema_knows_every_key() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let forms: Vec<&Value> = ["trainer", "judge"]
        .into_iter()
        .flat_map(|side| schema["$defs"][side]["oneOf"].as_array().unwrap())
        .collect();
    let names = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let fits = |message: &Value, form: &Value| {
        let required = form["required"].as_array().unwrap().iter().map(|k| k.as_str().unwrap().to_string());
        names(message).is_subset(&names(&form["properties"]))
            && required.collect::<BTreeSet<_>>().is_subset(&names(message))
    };
    let mut messages: Vec<Value> =
        examples().iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let file = Some("/dev/shm/spo-1-0.f32");
    let hello = Request::Hello { protocol: 1, env: "", obs_dim: 1, action_dim: 1, dt: 0.0, horizon: 1, file };
    messages.push(serde_json::to_value(&hello).unwrap());
    let all = Trajectory {
        obs: &[0.0],
        final_obs: &[0.0],
        actions: &[0.0],
        rewards: &[0.0],
        costs: &[0.0],
        origin: None,
    };
    let trajectories = vec![Sent { trajectory: all, parts: &Part::ALL, offset: None }];
    let seeds = Some(&[1][..]);
    let compare = Request::Compare { batch: 1, pairs: &[(0, 0)], seeds, bytes: Some(0), trajectories };
    messages.push(serde_json::to_value(&compare).unwrap());
    for message in &messages {
        let form =
            forms.iter().find(|f| f["properties"]["type"]["const"] == message["type"] && fits(message, f));
        assert!(form.is_some(), "{message}");
        for trajectory in message["trajectories"].as_array().into_iter().flatten() {
            assert!(fits(trajectory, &schema["$defs"]["trajectory"]), "{trajectory}");
        }
    }
}

#[test]
fn a_double_reads_the_very_float() {
    let numbers = [0.1_f32, -1e-40, 3.4e38, 1.0 / 3.0, f32::MIN_POSITIVE];
    let t =
        Trajectory { obs: &[], final_obs: &[], actions: &[], rewards: &numbers, costs: &[], origin: None };
    let sent = Sent { trajectory: t, parts: &[Part::Rewards], offset: None };
    let text = serde_json::to_string(&sent).unwrap();
    assert!(text.starts_with(r#"{"steps":5,"rewards":[0.10000000149011612,"#), "{text}");
    let read: Value = serde_json::from_str(&text).unwrap();
    for (x, back) in numbers.iter().zip(read["rewards"].as_array().unwrap()) {
        assert_eq!(back.as_f64().unwrap().to_bits(), f64::from(*x).to_bits());
    }
}

#[test]
fn wild_probabilities_are_abstentions_that_are_counted() {
    let text = br#"{"type":"answers","batch":1,"answers":[NaN,1.5,-0.1,Infinity,-Infinity,"NaN \" NaN",true,[],null,1]}"#;
    let Some(Reply::Answers { batch, first, answers }) = decode(text).unwrap() else { panic!() };
    let mut sheet = Sheet::new(1, 10);
    let entered = sheet.enter(batch, first, &answers).unwrap();
    assert_eq!((entered.new, entered.rejected.len()), (10, 8));
    assert_eq!(entered.rejected[1], (1, "1.5".into()));
    assert!(sheet.complete());
    let given: Vec<Answer> = sheet.given().map(|(_, answer)| answer).collect();
    assert_eq!(given[..9], [Answer::Abstain; 9]);
    assert_eq!(given[9], Answer::Prefer(1.0));
}

#[test]
fn what_was_not_asked_is_not_entered() {
    let mut sheet = Sheet::new(3, 2);
    let one = [json!(1)];
    for (batch, first, said, why) in [
        (2, 0, &one[..], "batch 2, but batch 3 was asked"),
        (3, 2, &one, "from pair 2 on, but 2 pairs were asked"),
        (3, usize::MAX, &one, "but 2 pairs were asked"),
        (3, 0, &[json!(1), json!(1), json!(1)], "3 answers from pair 0 on"),
    ] {
        let error = sheet.enter(batch, first, said).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(sheet.enter(3, 1, &one), Ok(Entered { new: 1, rejected: vec![] }));
    assert!(sheet.enter(3, 0, &[json!(0), json!(0)]).unwrap_err().contains("pair 1 of batch 3 twice"));
    // The refused line left nothing: pair 0 is still open.
    assert_eq!(sheet.given().collect::<Vec<_>>(), [(1, Answer::Prefer(1.0))]);
    assert!(!sheet.complete());
}

#[test]
fn objects_that_are_no_messages_are_refused_and_other_lines_skipped() {
    for text in ["", "  ", "Hello from a library", "[1, 2]", "null", "\u{1b}[0m{"] {
        assert_eq!(decode(text.as_bytes()), Ok(None), "{text}");
    }
    for text in [
        "{",
        "{}",
        r#"{"type":"answers"}"#,
        r#"{"type":"answers","batch":1,"answers":[1],"extra":2}"#,
        r#"{"type":"answers","batch":-1,"answers":[1]}"#,
        r#"{"type":"answers","batch":1,"first":0.5,"answers":[1]}"#,
        r#"{"type":"answers","batch":1,"batch":1,"answers":[1]}"#,
        r#"{"type":"answers","batch":1,"answers":[1]} {"type":"answers","batch":1,"answers":[1]}"#,
        r#"{"type":"hello","protocol":1,"reads":["reward"]}"#,
        r#"{"type":"hello"}"#,
        r#"{"type":"goodbye"}"#,
        r#"{"type":"answers","batch":NaN,"answers":[]}"#,
    ] {
        assert!(decode(text.as_bytes()).is_err(), "{text}");
    }
    assert!(decode(b"{\"type\":\"error\",\"message\":\"\xff\"}").is_err(), "not UTF-8");
}

#[test]
fn options_and_quotes() {
    let options =
        Options::parse("( timeout = 0.5, batch=10,data=file,restarts=0 ): sh -c 'a | b' \"c d\" ").unwrap();
    assert_eq!(options.words, ["sh", "-c", "a | b", "c d"]);
    assert_eq!((options.timeout.as_millis(), options.batch, options.restarts), (500, 10, 0));
    assert_eq!(options.data, Data::File);
    for (text, why) in [
        (":", "names no program"),
        (": ''", "names no program"),
        (":sh 'x", "not closed"),
        ("(timeout=0):sh", "at least 0.001"),
        ("(batch=1.5):sh", "a whole number"),
        ("(batch=0):sh", "at least 1"),
        ("(data=pigeon):sh", "`json` or `file`"),
        ("(timeuot=1):sh", "did you mean `timeout`?"),
        ("(timeout):sh", "KEY=VALUE"),
        ("(timeout=1)sh", "exec(timeout=60,batch=1000):COMMAND"),
        ("(timeout=1", "exec(timeout=60,batch=1000):COMMAND"),
    ] {
        let error = Options::parse(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
}

/// A line that is nearly a message: the right keys with any values.
fn nearly() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|x| format!("{x:?}")),
        Just("null".into()),
        Just("NaN".into()),
        "\\PC{0,8}".prop_map(|s| serde_json::to_string(&s).unwrap()),
        prop::collection::vec("(1|0|0\\.5|null|NaN|-Infinity|2|\"x\"|1e999)", 0..6)
            .prop_map(|items| format!("[{}]", items.join(","))),
    ];
    let key = "(type|batch|first|answers|protocol|reads|random|message|other)";
    prop::collection::vec((key, value), 0..5).prop_map(|pairs| {
        let body: Vec<String> = pairs.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{\"type\":\"answers\",{}}}", body.join(","))
    })
}

proptest! {
    #[test]
    fn no_line_is_accepted_nonsense(lines in prop::collection::vec(
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            nearly().prop_map(String::into_bytes),
            (0_u64..3, 0_usize..6, prop::collection::vec(prop_oneof![Just(None), (-0.5..1.5_f64).prop_map(Some)], 0..6))
                .prop_map(|(batch, first, answers)| {
                    json!({"type": "answers", "batch": batch, "first": first, "answers": answers}).to_string().into_bytes()
                }),
        ],
        0..12,
    )) {
        let mut sheet = Sheet::new(1, 5);
        let mut entered = 0;
        for line in lines {
            let before: Vec<_> = sheet.given().collect();
            let Ok(Some(Reply::Answers { batch, first, answers })) = decode(&line) else { continue };
            match sheet.enter(batch, first, &answers) {
                Ok(new) => {
                    prop_assert_eq!(batch, 1);
                    prop_assert!(first + answers.len() <= 5);
                    entered += new.new;
                }
                Err(_) => prop_assert_eq!(&before, &sheet.given().collect::<Vec<_>>()),
            }
            // What was entered stays.
            prop_assert!(before.iter().all(|old| sheet.given().any(|new| new == *old)));
        }
        let given: Vec<_> = sheet.given().collect();
        prop_assert_eq!(given.len(), entered);
        prop_assert_eq!(sheet.complete(), entered == 5);
        for (_, answer) in given {
            if let Answer::Prefer(p) = answer {
                prop_assert!((0.0..=1.0).contains(&p));
            }
        }
    }

    #[test]
    fn no_text_of_an_oracle_panics(text in "(exec|return| \\| |\\(|\\)|:|=|,|'|\"|\\\\|sh|timeout|batch|\\*| \\+ |0\\.5|\\PC){0,12}") {
        let _ = crate::oracle::parse(&text);
    }
}
