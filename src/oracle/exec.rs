//! A program in any language as oracle: `exec:python3 judge.py`.
//!
//! The program starts once, in the trainer's working directory, and answers batches of pairs over its stdin and
//! stdout, one JSON object a line; `docs/oracle-protocol.md` describes the lines, `examples/judges` has programs. A
//! program that ends, hangs or breaks the protocol is started again and gets the pairs that are still open. The wait
//! before a start doubles each time. Too many failures in a row without a new answer are an error. All of this is
//! counted in [`OracleEvents`].

use std::thread;
use std::time::{Duration, Instant};

use rand::Rng;
use spo_envs::Spec;

use super::events::OracleEvents;
use super::{Answer, Oracle, OracleError, Pair};

mod options;
mod program;
mod protocol;
mod trajectories;

pub use options::{Data, Options};
use program::{Heard, Program};
use protocol::{Part, Reply, Request, Sheet, VERSION};
pub(super) use trajectories::Batch;
use trajectories::Shared;

/// The first wait before a restart; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// The most lines that are not messages, such as a library's greeting, while answers to one message are read.
const MOST_NOISE: usize = 1000;
/// After so many answers in a row that are not probabilities, the program is taken to be broken.
const MOST_REJECTED: u64 = 100;

/// A program that judges.
pub struct Exec {
    options: Options,
    events: OracleEvents,
    task: Option<Spec>,
    judge: Option<Judge>,
    batch: u64,
    rejected_in_a_row: u64,
}

/// A running program that has answered `hello`.
struct Judge {
    program: Program,
    reads: Vec<Part>,
    random: bool,
    shared: Option<Shared>,
}

/// Why there is no answer yet.
enum Trouble {
    /// A new start may help. The kind of event, and what happened.
    Broken(&'static str, String),
    /// A new start cannot help.
    Fatal(String),
}

impl Exec {
    /// A program with its options. It starts in [`prepare`](Oracle::prepare).
    pub fn new(options: Options) -> Self {
        Self {
            options,
            events: OracleEvents::default(),
            task: None,
            judge: None,
            batch: 0,
            rejected_in_a_row: 0,
        }
    }

    /// Repeats `attempt` until it succeeds, or has failed too often in a row without a new answer.
    ///
    /// An attempt sets its flag when it has a new answer.
    fn persist<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Self, &mut bool) -> Result<T, Trouble>,
    ) -> Result<T, OracleError> {
        let mut failures = 0;
        loop {
            let mut progress = false;
            let why = match attempt(self, &mut progress) {
                Ok(done) => return Ok(done),
                Err(Trouble::Fatal(why)) => return Err(self.failed(why)),
                Err(Trouble::Broken(kind, why)) => {
                    self.events.add(kind, &why);
                    why
                }
            };
            failures = if progress { 1 } else { failures + 1 };
            if failures > self.options.restarts {
                let times =
                    if failures == 1 { String::new() } else { format!(" ({failures} times in a row)") };
                return Err(self.failed(format!("{why}{times}")));
            }
            self.judge = None;
            self.events.add("restarts", why);
            thread::sleep(LONGEST_WAIT.min(FIRST_WAIT * 2_u32.pow((failures - 1).min(16))));
        }
    }

    /// The error, with the end of the program's stderr.
    fn failed(&mut self, why: String) -> OracleError {
        let stderr = self.judge.take().map(|judge| judge.program.end()).unwrap_or_default();
        OracleError::Program { command: self.options.command.clone(), why, stderr }
    }

    /// The running program; it is started first if there is none.
    fn judge(&mut self) -> Result<&mut Judge, Trouble> {
        if self.judge.is_none() {
            let task = self.task.clone().ok_or_else(|| {
                Trouble::Fatal(
                    "was asked before it was prepared for a task; call `Oracle::prepare` first".into(),
                )
            })?;
            self.start(&task)?;
        }
        self.judge.as_mut().ok_or_else(|| Trouble::Fatal("is not running".into()))
    }

    fn start(&mut self, task: &Spec) -> Result<(), Trouble> {
        let longest = 4096 + 64 * self.options.batch as u64;
        let program = Program::start(&self.options.words, longest)
            .map_err(|e| Trouble::Fatal(format!("cannot be started: {e}")))?;
        let shared = match self.options.data {
            Data::Json => None,
            Data::File => Some(
                Shared::create()
                    .map_err(|e| Trouble::Fatal(format!("cannot be given a file for trajectories: {e}")))?,
            ),
        };
        let path = shared.as_ref().map(|shared| shared.path().to_string_lossy());
        let hello = Request::Hello {
            protocol: VERSION,
            env: &task.id,
            obs_dim: task.obs_dim,
            action_dim: task.action.dim(),
            dt: task.dt,
            horizon: task.horizon,
            file: path.as_deref(),
        };
        program.send(hello.line());
        let judge = self.judge.insert(Judge { program, reads: Vec::new(), random: false, shared });
        let deadline = Instant::now() + self.options.timeout;
        match judge.reply(deadline, self.options.timeout, &self.events, &mut 0)? {
            Reply::Hello { protocol: VERSION, reads, random } => {
                judge.reads = Part::ALL.into_iter().filter(|part| reads.contains(part)).collect();
                judge.random = random;
            }
            Reply::Hello { protocol, .. } => {
                return Err(Trouble::Fatal(format!(
                    "speaks version {protocol} of the protocol; this is version {VERSION}"
                )));
            }
            other => return Err(violation(format!("it sent `{}` instead of `hello`", other.kind()))),
        }
        // It has the file open.
        judge.shared.iter().for_each(Shared::unlink);
        Ok(())
    }

    /// Asks about the pairs whose answers are `None`, and fills in the answers that come.
    fn ask(
        &mut self,
        pairs: &[Pair<'_>],
        seeds: Option<&[u32]>,
        answers: &mut [Option<Answer>],
        progress: &mut bool,
    ) -> Result<(), Trouble> {
        let open: Vec<usize> = (0..pairs.len()).filter(|&at| answers[at].is_none()).collect();
        let table = Batch::new(open.iter().map(|&at| pairs[at]));
        let seeds: Option<Vec<u32>> = seeds.map(|seeds| open.iter().map(|&at| seeds[at]).collect());
        self.batch += 1;
        let (batch, mut sheet) = (self.batch, Sheet::new(self.batch, open.len()));
        let exchanged = self.exchange(&table, seeds.as_deref(), batch, &mut sheet);
        for (place, answer) in sheet.given() {
            answers[open[place]] = Some(answer);
            *progress = true;
        }
        exchanged
    }

    fn exchange(
        &mut self,
        table: &Batch<'_>,
        seeds: Option<&[u32]>,
        batch: u64,
        sheet: &mut Sheet,
    ) -> Result<(), Trouble> {
        let (timeout, events) = (self.options.timeout, self.events.clone());
        let mut rejected_in_a_row = self.rejected_in_a_row;
        let judge = self.judge()?;
        let Judge { program, reads, shared, .. } = judge;
        let (trajectories, bytes) = match shared {
            None => (table.by_value(reads), None),
            Some(file) => {
                let (sent, bytes) = table
                    .by_file(reads, file)
                    .map_err(|e| Trouble::Fatal(format!("cannot be given the trajectories: {e}")))?;
                (sent, Some(bytes))
            }
        };
        program.send(Request::Compare { batch, pairs: &table.pairs, seeds, bytes, trajectories }.line());
        let (mut noise, mut deadline) = (0, Instant::now() + timeout);
        while !sheet.complete() {
            let entered = match judge.reply(deadline, timeout, &events, &mut noise)? {
                Reply::Answers { batch, first, answers } => {
                    sheet.enter(batch, first, &answers).map_err(violation)?
                }
                other => return Err(violation(format!("it sent `{}` instead of `answers`", other.kind()))),
            };
            if entered.new > 0 {
                // A slow program still works: each answer extends the time.
                deadline = Instant::now() + timeout;
            }
            let rejected = entered.rejected.len() as u64;
            rejected_in_a_row = if rejected == entered.new as u64 { rejected_in_a_row + rejected } else { 0 };
            for (place, said) in &entered.rejected {
                events.add("rejected", format!("{said} for pair {place} of batch {batch}"));
            }
            if rejected_in_a_row >= MOST_REJECTED {
                let (place, said) = &entered.rejected[0];
                return Err(Trouble::Fatal(format!(
                    "answered {said} for pair {place} of batch {batch}, and has now given {rejected_in_a_row} answers in \
                     a row that are not a P(a ≻ b) in [0, 1]"
                )));
            }
        }
        self.rejected_in_a_row = rejected_in_a_row;
        Ok(())
    }
}

fn violation(what: String) -> Trouble {
    Trouble::Broken("violations", format!("broke the protocol: {what}"))
}

impl Judge {
    /// The next message. Lines that are not messages are skipped and counted in `noise`.
    fn reply(
        &mut self,
        deadline: Instant,
        timeout: Duration,
        events: &OracleEvents,
        noise: &mut usize,
    ) -> Result<Reply, Trouble> {
        loop {
            let line = match self.program.hear(deadline) {
                Some(Heard::Line(line)) => line,
                Some(Heard::TooLong) => {
                    return Err(violation("it sent a line longer than any answer".into()));
                }
                Some(Heard::Closed) => {
                    return Err(Trouble::Broken(
                        "deaths",
                        match self.program.ended() {
                            Some(status) => format!("ended ({status})"),
                            None => "closed its stdout".into(),
                        },
                    ));
                }
                None => {
                    return Err(Trouble::Broken(
                        "timeouts",
                        format!(
                            "was silent for {} s (a judge must flush its output after each line; exec(timeout=…) sets \
                             the limit)",
                            timeout.as_secs_f64()
                        ),
                    ));
                }
            };
            match protocol::decode(&line).map_err(|why| violation(format!("{why} in `{}`", shown(&line))))? {
                Some(Reply::Error { message }) => return Err(Trouble::Fatal(format!("says: {message}"))),
                Some(reply) => return Ok(reply),
                None => {
                    events.add("noise", format!("`{}`", shown(&line)));
                    *noise += 1;
                    if *noise > MOST_NOISE {
                        let what = format!(
                            "it sent {noise} lines that are not messages, the last `{}`",
                            shown(&line)
                        );
                        return Err(violation(what));
                    }
                }
            }
        }
    }
}

/// The beginning of a line, for a message.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line.trim_ascii_end());
    let mut shown: String = text.chars().take(120).flat_map(char::escape_debug).collect();
    if text.chars().nth(120).is_some() {
        shown.push('…');
    }
    shown
}

impl Oracle for Exec {
    /// Starts the program, unless it already runs for this task.
    fn prepare(&mut self, task: &Spec, events: &OracleEvents) -> Result<(), OracleError> {
        events.take_over(&self.events);
        self.events = events.clone();
        if self.task.as_ref() != Some(task) {
            self.judge = None;
            self.task = Some(task.clone());
        }
        self.persist(|this, _| this.judge().map(|_| ()))
    }

    fn compare(&mut self, pairs: &[Pair<'_>], rng: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        // A pair keeps its seed if it has to be asked again. A judge that is not random gets no seeds, and none are drawn.
        let random = self.persist(|this, _| this.judge().map(|judge| judge.random))?;
        let seeds: Option<Vec<u32>> = random.then(|| pairs.iter().map(|_| rng.next_u32()).collect());
        let mut answers = Vec::with_capacity(pairs.len());
        for (at, chunk) in pairs.chunks(self.options.batch).enumerate() {
            let from = at * self.options.batch;
            let seeds = seeds.as_ref().map(|seeds| &seeds[from..from + chunk.len()]);
            let mut open = vec![None; chunk.len()];
            self.persist(|this, progress| this.ask(chunk, seeds, &mut open, progress))?;
            answers.extend(open.into_iter().flatten());
        }
        Ok(answers)
    }
}

#[cfg(test)]
mod tests;
