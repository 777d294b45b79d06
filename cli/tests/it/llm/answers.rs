//! What is asked of a model, and what is made of its words.

use std::fs;

use serde_json::json;
use spo::oracle::{OracleEvents, check, parse};
use spo::prelude::*;
use spo::rollout::Episode;

use crate::llm::model::{Asked, Model, Reply};
use crate::llm::{asked, by_distance, episode, point, prefers, text};

#[test]
fn a_soft_label_is_the_mean_of_both_orders() {
    // Of (2, 1) the first with 0.8, of (1, 2) the first with 0.6: ½ (0.8 + 1 − 0.6) = 0.6.
    let model = Model::start(|asked| {
        assert_eq!(asked.path, "/v1/chat/completions");
        assert_eq!(asked.authorization, None);
        assert_eq!((&asked.body["model"], &asked.body["temperature"]), (&json!("m"), &json!(0)));
        assert_eq!((&asked.body["logprobs"], &asked.body["top_logprobs"]), (&json!(true), &json!(20)));
        Reply::first(if asked.distances() == [2.0, 1.0] { 0.8 } else { 0.6 })
    });
    let (answers, happened) =
        asked(&text(&model, ",price_in=0.5,price_out=4"), &[(2.0, 1.0), (1.0, 2.0), (2.0, 2.0)]);
    let answers = answers.unwrap();
    prefers(answers[0], 0.6);
    prefers(answers[1], 0.4);
    prefers(answers[2], 0.5);
    // The pair and its reverse are the same two questions; what reads the same is none.
    assert_eq!(model.take(), 2);
    // 2 · (100 · 0.5 + 1 · 4) millionths of a dollar.
    for (kind, n) in
        [("requests", 2), ("prompt tokens", 200), ("completion tokens", 2), ("microdollars", 108)]
    {
        assert_eq!(happened[kind], n, "{kind}: {happened:?}");
    }
}

#[test]
fn without_both_orders_a_pair_is_one_question_and_its_place_counts() {
    let model = Model::start(by_distance(1.0));
    let (answers, _) =
        asked(&text(&model, ",both_orders=false"), &[(2.0, 1.0), (1.0, 2.0), (2.0, 1.0), (2.0, 2.0)]);
    let answers = answers.unwrap();
    // σ(2 − 1 + 1), σ(1 − 2 + 1)
    let expected = [1.0 / (1.0 + (-2.0f64).exp()), 0.5, 1.0 / (1.0 + (-2.0f64).exp()), 0.5];
    answers.into_iter().zip(expected).for_each(|(answer, p)| prefers(answer, p));
    assert_eq!(model.take(), 2);
}

#[test]
fn what_a_model_makes_of_a_place_cancels_out() {
    for bias in [0.0, 3.0, 50.0] {
        let model = Model::start(by_distance(bias));
        let episodes: Vec<Episode> = (0..6_u8).map(|d| episode(0.3 * f32::from(d))).collect();
        let shown: Vec<_> = episodes.iter().map(Episode::trajectory).collect();
        let (mut oracle, notes) = (parse(&text(&model, "")).unwrap(), OracleEvents::default());
        oracle.prepare(&point(), &notes).unwrap();
        let report = check::check(&mut *oracle, &shown, &notes, 0).unwrap();
        assert!(report.holds() && report.repeatable && !report.random, "{bias}: {report}");
        assert_eq!(report.cycle, None);
        let (answers, _) = asked(&text(&model, ""), &[(2.0, 1.0)]);
        // A hopeless bias leaves a tie, and not a wrong answer.
        let expected = 0.5 * (1.0 / (1.0 + (-1.0 - bias).exp()) + 1.0 - 1.0 / (1.0 + (1.0 - bias).exp()));
        prefers(answers.unwrap()[0], expected);
    }
}

#[test]
fn without_log_probabilities_the_text_is_the_answer() {
    let says = |asked: &Asked| match asked.distances()[..] {
        [a, b] if a > b => "**1**",
        _ => "Preferred trajectory: 2",
    };
    // Counts that no server has, but one sends.
    let model = Model::start(move |asked| {
        let choice = json!({ "message": { "content": says(asked) } });
        Reply::json(200, &json!({ "choices": [choice], "usage": { "prompt_tokens": u64::MAX } }))
    });
    let (answers, happened) = asked(&text(&model, ""), &[(2.0, 1.0)]);
    assert_eq!(answers.unwrap(), [Answer::Prefer(1.0)]);
    assert_eq!((happened["answers without log-probabilities"], happened["prompt tokens"]), (2, u64::MAX));
    model.take();
    let (answers, happened) = asked(&text(&model, ",logprobs=false"), &[(1.0, 2.0)]);
    assert_eq!(answers.unwrap(), [Answer::Prefer(0.0)]);
    assert!(!happened.contains_key("answers without log-probabilities"), "{happened:?}");
    assert!(model.asked().iter().all(|a| a.body.get("logprobs").is_none()));
}

#[test]
fn completions_are_spoken_too() {
    let model = Model::start(|asked| {
        assert_eq!(asked.path, "/v1/completions");
        assert!(asked.prompt().ends_with("Preferred trajectory=") && asked.prompt().starts_with("You judge"));
        assert_eq!(asked.body["logprobs"], 5);
        let p: f64 = if asked.distances() == [2.0, 1.0] { 0.9 } else { 0.25 };
        let said = if p > 0.5 { "1" } else { "2" };
        let top = json!({ "1": p.ln(), "2": (1.0 - p).ln(), "\n": -30.0 });
        let logprobs = json!({ "tokens": [said], "token_logprobs": [top[said]], "top_logprobs": [top] });
        Reply::json(200, &json!({ "choices": [{ "text": said, "logprobs": logprobs }] }))
    });
    let (answers, _) = asked(&text(&model, ",api=completions"), &[(2.0, 1.0)]);
    // ½ (0.9 + 1 − 0.25)
    prefers(answers.unwrap()[0], 0.825);
}

#[test]
fn a_chain_of_thought_thinks_and_then_answers() {
    let model = Model::start(|asked| {
        let messages = asked.body["messages"].as_array().unwrap();
        if messages.len() == 2 {
            assert!(asked.prompt().ends_with("Rationale:") && asked.body.get("logprobs").is_none());
            return Reply::words("Farther is better.");
        }
        assert_eq!(messages[2], json!({ "role": "assistant", "content": "Farther is better." }));
        assert!(asked.prompt().ends_with("Preferred trajectory="));
        by_distance(0.0)(asked)
    });
    let (answers, _) = asked(&text(&model, ",cot=true"), &[(2.0, 1.0)]);
    prefers(answers.unwrap()[0], 1.0 / (1.0 + (-1.0_f64).exp()));
    assert_eq!(model.take(), 4, "two orders of two steps");
}

#[test]
fn a_template_of_ones_own_says_what_is_seen() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("mine.toml");
    fs::write(
        &path,
        "preamble = 'Be strict.'\ntask = 'Fly.'\nquestion = 'Who flies?'\nomit = ['temperature']\n\
         [[summary]]\nname = 'height'\nunit = 'km'\nobs = [0]\ntake = 'final'\n\
         [[summary]]\nname = 'return'\nsignal = 'reward'\ntake = 'sum'\n\
         [[exemplar]]\na = '- height: 9'\nb = '- height: 8'\npreferred = 1\n\
         [request]\nmax_tokens = 3\nextra = { thinking = false }\n",
    )
    .unwrap();
    let model = Model::start(|asked| {
        let prompt = asked.prompt();
        for part in [
            "Be strict.",
            "Task: Fly.",
            "- height: 9",
            "Preferred trajectory=1\n",
            "Who flies?",
            "- return: -2.00",
        ] {
            assert!(prompt.contains(part), "{part}: {prompt}");
        }
        assert!(prompt.contains("- height: 2.00 km\n"), "{prompt}");
        assert_eq!((&asked.body["max_tokens"], &asked.body["extra"]["thinking"]), (&json!(3), &json!(false)));
        assert!(asked.body.get("temperature").is_none());
        Reply::first(0.5)
    });
    let (answers, _) = asked(&text(&model, &format!(",template='{}'", path.display())), &[(2.0, 1.0)]);
    assert_eq!(answers.unwrap(), [Answer::Prefer(0.5)]);
    // The shipped one shows no reward.
    let plain = Model::start(|asked| {
        assert!(
            !asked.prompt().contains("return") && !asked.prompt().contains("reward"),
            "{}",
            asked.prompt()
        );
        Reply::first(0.5)
    });
    asked(&text(&plain, ""), &[(2.0, 1.0)]).0.unwrap();
}
