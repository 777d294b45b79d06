//! A child process that reads and writes lines.
//!
//! Three threads write to its stdin, read its stdout and read its stderr, so that a full or empty pipe cannot block the
//! trainer. Of its output, only a limited amount is kept.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Lines of stdout that may wait to be read.
const WAITING: usize = 64;
/// Lines of stderr that are kept, and bytes of each.
const STDERR_LINES: usize = 10;
const STDERR_LINE_BYTES: u64 = 500;
/// How long a program may take to end after it was told to, or has closed its output.
const END_WAIT: Duration = Duration::from_millis(500);

/// A running program.
pub struct Program {
    child: Child,
    input: Option<Sender<Vec<u8>>>,
    output: Receiver<Heard>,
    stderr: Arc<Mutex<VecDeque<String>>>,
    /// Closed when its stderr is.
    stderr_end: Receiver<()>,
}

/// What was read from a program's stdout.
pub enum Heard {
    /// A line, without its end.
    Line(Vec<u8>),
    /// A line longer than any answer.
    TooLong,
    /// The end of its output.
    Closed,
}

impl Program {
    /// Starts a program. No line of its output may be longer than `longest` bytes.
    ///
    /// # Errors
    /// If there is no such program.
    pub fn start(words: &[String], longest: u64) -> io::Result<Self> {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // It gets its own process group. So Ctrl-C reaches only the trainer, which still needs answers to finish its
        // iteration, and the children of a wrapper script are ended with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let (input, lines) = channel::<Vec<u8>>();
        if let Some(mut stdin) = child.stdin.take() {
            // An error means that it no longer reads. The missing answers will show that.
            thread::spawn(move || lines.iter().try_for_each(|line| stdin.write_all(&line)));
        }
        let (heard, output) = sync_channel(WAITING);
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || listen(BufReader::new(stdout), longest, &heard));
        }
        let stderr = Arc::new(Mutex::new(VecDeque::new()));
        let (end, stderr_end) = channel();
        if let Some(pipe) = child.stderr.take() {
            let kept = stderr.clone();
            thread::spawn(move || {
                keep_last(BufReader::new(pipe), &kept);
                drop(end);
            });
        }
        Ok(Self { child, input: Some(input), output, stderr, stderr_end })
    }

    /// Sends a line. Only the answer shows whether it was read.
    pub fn send(&self, line: Vec<u8>) {
        if let Some(input) = &self.input {
            // The writing thread has ended if the program no longer reads.
            let _ = input.send(line);
        }
    }

    /// The next output before `deadline`; `None` if there is none.
    pub fn hear(&self, deadline: Instant) -> Option<Heard> {
        match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(heard) => Some(heard),
            Err(RecvTimeoutError::Disconnected) => Some(Heard::Closed),
            Err(RecvTimeoutError::Timeout) => None,
        }
    }

    /// Its exit status, if it ends by itself within a short time.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let patience = Instant::now() + END_WAIT;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < patience => thread::sleep(Duration::from_millis(2)),
                _ => return None,
            }
        }
    }

    /// Ends it, and returns the last lines of its stderr.
    pub fn end(mut self) -> String {
        self.kill();
        // Its last lines may not have been read yet.
        let _ = self.stderr_end.recv_timeout(END_WAIT);
        let lines = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| format!("\n  {line}")).collect()
    }

    fn kill(&mut self) {
        #[cfg(unix)]
        if let Some(group) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            // An error means that no process of the group is left.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.input = None;
        self.ended();
        self.kill();
    }
}

/// Passes lines on until the output ends, or until the receiver is gone.
fn listen(mut stdout: impl BufRead, longest: u64, heard: &SyncSender<Heard>) {
    loop {
        let mut line = Vec::new();
        let read = stdout.by_ref().take(longest).read_until(b'\n', &mut line);
        let what = match read {
            Ok(0) | Err(_) => Heard::Closed,
            Ok(_) if line.last() != Some(&b'\n') && line.len() as u64 == longest => Heard::TooLong,
            Ok(_) => Heard::Line(line),
        };
        let last = matches!(what, Heard::Closed | Heard::TooLong);
        if heard.send(what).is_err() || last {
            return;
        }
    }
}

fn keep_last(mut stderr: impl BufRead, kept: &Mutex<VecDeque<String>>) {
    let mut line = Vec::new();
    while stderr.by_ref().take(STDERR_LINE_BYTES).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let mut lines = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == STDERR_LINES {
            lines.pop_front();
        }
        lines.push_back(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
        line.clear();
    }
}
