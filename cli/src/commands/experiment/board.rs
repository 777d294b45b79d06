//! The progress of an experiment: a bar for all its runs on a terminal, otherwise a line for each run that ends.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::runner::Ending;

/// Shows the progress of the runs. The bar counts environment steps.
pub struct ProgressBoard {
    bar: Option<ProgressBar>,
    /// Of each run.
    total: Vec<u64>,
    done: Vec<u64>,
    /// Name and percentage of each run that is running.
    under_way: BTreeMap<usize, String>,
    ended: usize,
}

impl ProgressBoard {
    /// A board for runs with these numbers of steps.
    pub fn new(total: Vec<u64>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{bar:28} {percent:>3}%  {msg}  {elapsed} / {eta} left";
            let style = ProgressStyle::with_template(template).expect("a template that indicatif knows");
            let bar = ProgressBar::new(total.iter().sum()).with_style(style);
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self { bar, done: vec![0; total.len()], total, under_way: BTreeMap::new(), ended: 0 }
    }

    /// A run is at this step.
    pub fn step(&mut self, run: usize, name: &str, step: u64) {
        self.done[run] = step.min(self.total[run]);
        self.under_way.insert(run, format!("{name} {}%", 100 * self.done[run] / self.total[run].max(1)));
        self.draw();
    }

    /// A run has ended.
    pub fn ended(&mut self, run: usize, name: &str, ending: &Ending) {
        self.under_way.remove(&run);
        let line = match ending {
            Ending::Done => format!("done: {name}"),
            Ending::Stopped => format!("stopped: {name}"),
            Ending::Failed(why) => format!("failed: {name}: {why}"),
        };
        if *ending != Ending::Stopped {
            self.done[run] = self.total[run];
            self.ended += 1;
        }
        let line = format!("{line}  ({} of {})", self.ended, self.total.len());
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
        self.draw();
    }

    fn draw(&self) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(self.done.iter().sum());
        let names: Vec<&str> = self.under_way.values().map(String::as_str).collect();
        bar.set_message(format!("{} of {} runs  {}", self.ended, self.total.len(), names.join(", ")));
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
