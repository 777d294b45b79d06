//! The key: in a header, and in no file, word or message.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::stderr;
use crate::llm::model::{Model, Reply};
use crate::llm::{by_distance, train, trained};

const KEY: &str = "sk-test/0123456789+very-secret";

/// Whether the key is in any file below, by its bytes.
fn leaks(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            leaks(&path)
        } else {
            fs::read(&path).unwrap().windows(KEY.len()).any(|bytes| bytes == KEY.as_bytes())
        }
    })
}

#[test]
fn the_key_goes_into_a_header_and_nowhere_else() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    // It repeats what it was sent wherever it can.
    let model = Model::start(|asked| {
        let sent = asked.authorization.clone().unwrap_or_default();
        match asked.number {
            0 => Reply::text(500, &format!("failed for {sent}")),
            1 => Reply::words(&format!("you sent {sent}")),
            2 => Reply::text(200, &json!({ "choices": sent }).to_string().replace('/', "\\/")),
            3 => Reply::text(503, &format!("{}{sent}", "x".repeat(280))),
            _ if sent == format!("Bearer {KEY}") => by_distance(0.0)(asked),
            _ => Reply::text(401, &format!("wrong key: {sent}")),
        }
    });
    let mut command = train(dir, &model, "run", &[]);
    command.env("OPENAI_API_KEY", format!(" {KEY}\n"));
    let said = trained(command).to_string();
    assert!(said.contains("retries") && said.contains("Bearer [key]") && !said.contains(KEY), "{said}");
    assert!(model.asked().iter().all(|a| a.authorization.as_deref() == Some(&format!("Bearer {KEY}"))));
    assert!(dir.join("replies.sqlite").exists() && !leaks(dir));
    let config = fs::read_to_string(dir.join("run/config.toml")).unwrap();
    assert!(
        config.contains(&format!("llm(base_url={},model=m,cache=replies.sqlite,price_in=1)", model.url())),
        "{config}"
    );
    let summary: Value = serde_json::from_slice(&fs::read(dir.join("run/summary.json")).unwrap()).unwrap();
    let notes = &summary["notes"];
    assert_eq!(notes["prompt tokens"], notes["microdollars"], "a dollar a million: {notes}");
    assert!(notes["requests"].as_u64().unwrap() > 50 && notes["completion tokens"].is_number(), "{notes}");

    // A wrong key, told once, with the mend.
    let (model, wrong) = (Model::start(|asked| Reply::text(401, &format!("{asked:?}"))), KEY);
    let mut command =
        train(dir, &model, "wrong", &["--oracle", "llm(concurrency=1,cache=none,key_env=MY_KEY)"]);
    let output = command.env("MY_KEY", wrong).output().unwrap();
    let message = stderr(&output);
    assert!(!output.status.success() && !message.contains(KEY) && !message.contains("panicked"), "{message}");
    assert!(message.contains("does not accept the key in the variable MY_KEY"), "{message}");
    assert!(message.contains("wrong has no checkpoint yet") && model.take() == 1, "{message}");
    assert!(!leaks(dir));

    // One that is asked for and not there: before there is a run.
    let mut command = train(dir, &model, "none", &["--oracle", "llm(cache=none,key_env=SPO_NO_SUCH_KEY)"]);
    let message = stderr(&command.output().unwrap());
    assert!(message.contains("the variable SPO_NO_SUCH_KEY is not set"), "{message}");
    assert!(!dir.join("none").exists() && model.take() == 0);
}
