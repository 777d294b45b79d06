//! Progress: a bar on a terminal, plain lines in a pipe.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use spo::oracle::OracleEvents;
use spo::train::{Record, Timing};

/// How a line of progress begins.
const LINE: &str = "step ";

/// The environment step in a line of progress; none in any other line.
pub fn read(line: &str) -> Option<u64> {
    line.strip_prefix(LINE)?.split_once(" of ")?.0.parse().ok()
}

/// A bar of work that is counted; nothing is drawn but on a terminal.
pub fn plain() -> ProgressBar {
    let template = "{bar:28} {percent:>3}%  {elapsed} / {eta} left";
    let style = ProgressStyle::with_template(template).expect("a template that indicatif knows");
    ProgressBar::no_length().with_style(style)
}

/// So much of a [`plain`] bar's work is done.
pub fn show(bar: &ProgressBar, done: usize, of: usize) {
    bar.set_length(of as u64);
    bar.set_position(done as u64);
}

/// Shows how a training goes.
pub struct Progress {
    bar: Option<ProgressBar>,
    total: u64,
    last_line: Option<Instant>,
    notes: OracleEvents,
    /// How many of each kind have been shown.
    noted: BTreeMap<String, u64>,
}

/// Says what a training waits for.
pub type Notice = Box<dyn FnMut(&str) + Send>;

impl Progress {
    /// Of a training of `total` environment steps; nothing is shown yet.
    pub fn new(total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{bar:28} {percent:>3}%  {msg}  {elapsed} / {eta} left";
            let style = ProgressStyle::with_template(template).expect("a template that indicatif knows");
            ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden()).with_style(style)
        });
        Self { bar, total, last_line: None, notes: OracleEvents::default(), noted: BTreeMap::new() }
    }

    /// Shows these notes as they come.
    pub fn watch(&mut self, notes: &OracleEvents) {
        self.notes = notes.clone();
    }

    /// Shows the bar; `done` environment steps were made before.
    pub fn start(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.set_position(done);
            bar.enable_steady_tick(Duration::from_millis(500));
        }
    }

    /// For what keeps a training waiting: beside the bar, or a line each second at most.
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

    /// For what went wrong and ends nothing: above the bar, or a line.
    pub fn warning(&self) -> Notice {
        let bar = self.bar.clone();
        Box::new(move |text| match &bar {
            Some(bar) => bar.println(format!("warning: {text}")),
            None => eprintln!("warning: {text}"),
        })
    }

    /// After an iteration.
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
        // A pipe gets a line a second at most, and always the last one.
        let due = self.last_line.is_none_or(|last| last.elapsed() >= Duration::from_secs(1));
        if due || r.env_steps >= self.total {
            eprintln!("{LINE}{} of {}  {message}", r.env_steps, self.total);
            self.last_line = Some(Instant::now());
        }
    }

    /// What has happened on the way to the oracle's answers since the last time.
    fn show_notes(&mut self) {
        for (kind, note) in self.notes.all() {
            // What has no words is a mere count, for the end.
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

    /// Leaves the terminal as it was.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
