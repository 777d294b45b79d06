//! Progress: a bar on a terminal, plain lines in a pipe.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use spo::train::{Record, Timing};

/// How a line of progress begins.
const LINE: &str = "step ";

/// The environment step in a line of progress; none in any other line.
pub fn read(line: &str) -> Option<u64> {
    line.strip_prefix(LINE)?.split_once(" of ")?.0.parse().ok()
}

/// Shows how a training goes.
pub struct Progress {
    bar: Option<ProgressBar>,
    total: u64,
    last_line: Option<Instant>,
}

impl Progress {
    /// Of a training of `total` environment steps, `done` of them before.
    pub fn new(total: u64, done: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{bar:28} {percent:>3}%  {msg}  {elapsed} / {eta} left";
            let style = ProgressStyle::with_template(template).expect("a template that indicatif knows");
            let bar = ProgressBar::new(total).with_style(style).with_position(done);
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self { bar, total, last_line: None }
    }

    /// After an iteration.
    pub fn show(&mut self, r: &Record, t: &Timing) {
        let speed = r.env_steps as f64 / t.seconds.max(1e-9);
        let message = format!(
            "return {:.1}  score spread {:.2}  queries {}  {speed:.0} steps/s",
            r.return_mean, r.score_spread, r.queries
        );
        if let Some(bar) = &self.bar {
            bar.set_position(r.env_steps.min(self.total));
            bar.set_message(message);
            return;
        }
        // A pipe gets a line a second at most, and always the last one.
        let due = self.last_line.is_none_or(|last| last.elapsed() >= Duration::from_secs(1));
        if due || r.env_steps >= self.total {
            eprintln!("{LINE}{} of {}  {message}", r.env_steps, self.total);
            self.last_line = Some(Instant::now());
        }
    }

    /// Leaves the terminal as it was.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
