//! Progress: a bar on a terminal, plain lines otherwise.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use spo::oracle::OracleEvents;
use spo::train::{Record, Timing};

/// The beginning of a progress line.
const LINE: &str = "step ";

/// The environment step of a progress line; `None` for any other line.
pub fn parse(line: &str) -> Option<u64> {
    line.strip_prefix(LINE)?.split_once(" of ")?.0.parse().ok()
}

/// A bar for countable work. It is drawn only on a terminal.
pub fn plain() -> ProgressBar {
    let template = "{bar:28} {percent:>3}%  {elapsed} / {eta} left";
    let style = ProgressStyle::with_template(template).expect("a template that indicatif knows");
    ProgressBar::no_length().with_style(style)
}

/// Updates a [`plain`] bar: `done` of `of` units are done.
pub fn show(bar: &ProgressBar, done: usize, of: usize) {
    bar.set_length(of as u64);
    bar.set_position(done as u64);
}

/// Shows the progress of a training.
pub struct Progress {
    bar: Option<ProgressBar>,
    total: u64,
    last_line: Option<Instant>,
    notes: OracleEvents,
    /// Number of notes of each kind that have been shown.
    noted: BTreeMap<String, u64>,
}

/// Shows a message.
pub type Notice = Box<dyn FnMut(&str) + Send>;

impl Progress {
    /// The progress of a training of `total` environment steps. Nothing is shown yet.
    pub fn new(total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{bar:28} {percent:>3}%  {msg}  {elapsed} / {eta} left";
            let style = ProgressStyle::with_template(template).expect("a template that indicatif knows");
            ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden()).with_style(style)
        });
        Self { bar, total, last_line: None, notes: OracleEvents::default(), noted: BTreeMap::new() }
    }

    /// Shows these notes when they arrive.
    pub fn watch(&mut self, notes: &OracleEvents) {
        self.notes = notes.clone();
    }

    /// Shows the bar; `done` environment steps are done already.
    pub fn start(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.set_position(done);
            bar.enable_steady_tick(Duration::from_millis(500));
        }
    }

    /// Shows why a training waits: next to the bar, or as a line at most once a second.
    pub fn notice(&self) -> Notice {
        let (bar, mut last) = (self.bar.clone(), None::<Instant>);
        Box::new(move |text| match &bar {
            Some(bar) => bar.set_message(text.to_string()),
            None if last.is_none_or(|last| last.elapsed() >= Duration::from_secs(1)) => {
                eprintln!("{text}");
                last = Some(Instant::now());
            }
            None => {}
        })
    }

    /// Shows a warning: above the bar, or as a line.
    pub fn warning(&self) -> Notice {
        let bar = self.bar.clone();
        Box::new(move |text| match &bar {
            Some(bar) => bar.println(format!("warning: {text}")),
            None => eprintln!("warning: {text}"),
        })
    }

    /// Updates the bar or prints a line after an iteration.
    pub fn show(&mut self, r: &Record, t: &Timing) {
        self.show_notes();
        let speed = r.env_steps as f64 / t.seconds.max(1e-9);
        let safety = match r.multiplier {
            Some(multiplier) => format!("  cost {:.1}  multiplier {multiplier:.2}", r.cost_mean),
            None => String::new(),
        };
        let message = format!(
            "return {:.1}{safety}  score spread {:.2}  queries {}  {speed:.0} steps/s",
            r.return_mean, r.score_spread, r.queries
        );
        if let Some(bar) = &self.bar {
            bar.set_position(r.env_steps.min(self.total));
            bar.set_message(message);
            return;
        }
        // Without a terminal, print at most one line per second, and always the last one.
        let due = self.last_line.is_none_or(|last| last.elapsed() >= Duration::from_secs(1));
        if due || r.env_steps >= self.total {
            eprintln!("{LINE}{} of {}  {message}", r.env_steps, self.total);
            self.last_line = Some(Instant::now());
        }
    }

    /// Shows the oracle's new notes.
    fn show_notes(&mut self) {
        for (kind, note) in self.notes.all() {
            // A note without a text is only counted, for the summary at the end.
            if note.latest.is_empty() || self.noted.insert(kind.into(), note.count) == Some(note.count) {
                continue;
            }
            let line = format!("oracle: {} {kind}, the latest: {}", note.count, note.latest);
            match &self.bar {
                Some(bar) => bar.println(line),
                None => eprintln!("{line}"),
            }
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
