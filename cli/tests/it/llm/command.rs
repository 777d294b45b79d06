//! How a model is named on the command line.

use crate::common::{fails, ok};
use crate::llm::by_distance;
use crate::llm::model::Model;

#[test]
fn the_command_teaches() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    for (args, expected) in [
        (&["train", "point", "--oracle", "llm"][..], "--base-url http://127.0.0.1:8000/v1 --model NAME"),
        (&["train", "point", "--model", "m"], "--base-url and --model need --oracle llm"),
        (&["train", "point", "--oracle", "llm(modle=m)"], "did you mean `model`?"),
        (&["oracle", "check", "return", "--model", "m"], "need --oracle llm"),
        (
            &["train", "point", "--oracle", "llm(base_url=http://h/v1,model=m,template=no.toml)"],
            "template no.toml: cannot be read",
        ),
    ] {
        let message = fails(dir, args);
        assert!(message.contains(expected), "{args:?}: {message}");
    }
    assert!(!dir.join("runs").exists(), "a refused run makes no directory");
    assert!(ok(dir, &["train", "--help"]).contains("--base-url <URL>"));
    // A dear judge has defaults of its own, and flags are in what a run keeps.
    let shown =
        ["train", "point", "--oracle", "0.5*llm(base_url=http://h/v1,model=m) + 0.5*return", "--show-config"];
    let config = ok(dir, &shown);
    for line in ["budget = 1000", "window = 0", "opponents = \"sampled=1\"", "checkpoint_every = 1"] {
        assert!(config.contains(&format!("{line}\n")), "{line}: {config}");
    }
    let flags = ["train", "--oracle", "llm", "--base-url", "http://h/v1", "--model", "m", "--show-config"];
    assert!(ok(dir, &flags).contains("oracle = \"llm(base_url=http://h/v1,model=m)\""));
    let model = Model::start(by_distance(0.5));
    let url = model.url();
    let check = ["oracle", "check", "llm(cache=none,key_env=none)", "point", "--trajectories", "4"];
    let printed = ok(dir, &[&check[..], &["--base-url", &url, "--model", "m"]].concat());
    assert!(printed.contains("the contract holds") && printed.contains("deterministic  yes"), "{printed}");
}
