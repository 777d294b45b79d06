//! Starts runs in child processes, so that a crash of one does not stop the others.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::evaluate::experiment::Planned;
use anyhow::Context;
use spo::train::run::files;

use super::board::ProgressBoard;
use crate::commands::progress;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Done,
    /// It was stopped by Ctrl-C, at a checkpoint or before it started.
    Stopped,
    /// It failed; the text is its last error.
    Failed(String),
}

/// The running runs. A run stops when its standard input is closed, so these inputs keep the runs alive.
#[derive(Default)]
struct ChildHandles {
    stop: AtomicBool,
    held: Mutex<HashMap<usize, ChildStdin>>,
}

impl ChildHandles {
    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<usize, ChildStdin>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Makes every run stop at a checkpoint; no new run starts.
    fn let_go(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.held().clear();
    }
}

/// Runs all of them, `jobs` at a time with `threads` threads each, and returns their endings in order.
pub fn run_all(dir: &Path, runs: &[Planned], jobs: usize, threads: usize) -> anyhow::Result<Vec<Ending>> {
    let program = std::env::current_exe().context("cannot find this program to run it again")?;
    let reins = Arc::new(ChildHandles::default());
    let handler = reins.clone();
    ctrlc::set_handler(move || {
        if handler.stopped() {
            // The runs see the end of their standard input and still stop at a checkpoint.
            std::process::exit(130);
        }
        eprintln!(
            "\nstopping every run at a checkpoint; press Ctrl-C again to exit without waiting for them"
        );
        handler.let_go();
    })
    .context("cannot listen for Ctrl-C")?;

    let steps = runs.iter().map(|run| run.config.total_steps).collect();
    let board = Mutex::new(ProgressBoard::new(steps));
    let queue = Mutex::new((0..runs.len()).collect::<VecDeque<usize>>());
    let endings = Mutex::new(vec![Ending::Stopped; runs.len()]);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let work = || {
        while let Some(i) = next().filter(|_| !reins.stopped()) {
            let run = &runs[i];
            let show = |step| board.lock().unwrap_or_else(PoisonError::into_inner).step(i, &run.name, step);
            let ending = one(&program, &dir.join(&run.name), i, threads, &reins, show)
                .unwrap_or_else(|e| Ending::Failed(format!("{e:#}")));
            board.lock().unwrap_or_else(PoisonError::into_inner).ended(i, &run.name, &ending);
            endings.lock().unwrap_or_else(PoisonError::into_inner)[i] = ending;
        }
    };
    std::thread::scope(|scope| (0..jobs).for_each(|_| drop(scope.spawn(work))));
    board.lock().unwrap_or_else(PoisonError::into_inner).finish();
    Ok(endings.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn one(
    program: &Path,
    dir: &Path,
    index: usize,
    threads: usize,
    reins: &ChildHandles,
    mut show: impl FnMut(u64),
) -> anyhow::Result<Ending> {
    let _ = std::fs::remove_file(dir.join(files::ERROR));
    let mut child = spawn(program, dir, threads)?;
    if let Some(stdin) = child.stdin.take() {
        reins.held().insert(index, stdin);
    }
    if reins.stopped() {
        reins.held().remove(&index);
    }
    // Its output without the lines of progress. If it fails, the last lines have the error.
    let mut words = VecDeque::new();
    for line in child.stderr.take().into_iter().flat_map(|err| BufReader::new(err).split(b'\n')) {
        let line = String::from_utf8_lossy(&line?).into_owned();
        match progress::parse(&line) {
            Some(step) => show(step),
            None => words.push_back(line),
        }
        if words.len() > 50 {
            words.pop_front();
        }
    }
    let status = child.wait()?;
    reins.held().remove(&index);
    let words = Vec::from(words);
    let ended = dir.join(files::SUMMARY).exists();
    if status.success() && ended {
        // The checkpoint of a finished run is not needed, and those of many runs would fill a disk.
        let _ = std::fs::remove_file(dir.join(files::CHECKPOINT));
        return Ok(Ending::Done);
    }
    if reins.stopped() && status.code() == Some(130) {
        return Ok(Ending::Stopped);
    }
    let why = last_error(&words, status);
    // If this fails too, as on a full disk, the error is still printed at the end.
    let _ = std::fs::write(dir.join(files::ERROR), format!("{}\n", words.join("\n")));
    Ok(Ending::Failed(why))
}

/// `spo train --resume DIR`, which also starts a run that has not started.
fn spawn(program: &Path, dir: &Path, threads: usize) -> anyhow::Result<Child> {
    let mut command = Command::new(program);
    command.args(["train", "--stop-at-eof", "--resume"]).arg(dir);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        command.env("RAYON_NUM_THREADS", threads.to_string());
    }
    // The runs are in another process group, so that Ctrl-C reaches only this process, which then stops each run once.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().with_context(|| format!("cannot start {}", program.display()))
}

/// The last line with `error:` or a panic, and the lines after it. If there is none, the exit status.
fn last_error(words: &[String], status: ExitStatus) -> String {
    let telling = |line: &String| line.starts_with("error:") || line.contains("panicked at");
    match words.iter().rposition(telling) {
        Some(at) => words[at..].join(" ").trim_start_matches("error: ").to_string(),
        None => format!("the process ended by {status}"),
    }
}
