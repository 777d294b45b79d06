//! `spo oracles`.

use std::process::ExitCode;

pub fn run() -> anyhow::Result<ExitCode> {
    let mut text = String::from("Judges:\n");
    let entries = spo::oracle::registry();
    let line = |e: &spo::oracle::parse::Entry| format!("  {:<22}{}\n", e.form, e.about);
    text.extend(entries.iter().filter(|e| !e.decorator).map(line));
    text +=
        "\nDecorators of simulated teachers, each behind a `|`, from the inside out (B-Pref's defaults):\n";
    text.extend(entries.iter().filter(|e| e.decorator).map(line));
    text += "\nExamples:\n  \
             --oracle return\n  \
             --oracle 'bradley_terry=50 | mistake=0.1 | labels'\n  \
             --oracle '0.7*return + 0.3*effort'\n  \
             --oracle game:cycle          (with the environment options-3)\n\n\
             Any Rust closure is an oracle too: see examples/custom_oracle.rs.\n";
    super::print(&text)
}
