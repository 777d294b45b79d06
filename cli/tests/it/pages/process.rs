//! Children that serve a page, and waiting for them.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::Child;
use std::time::{Duration, Instant};

/// A child process that ends with its test.
pub struct Process(pub Child);

impl Process {
    pub fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits until a condition holds, at most a minute.
#[track_caller]
pub fn wait_for(mut what: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The address of a child process with piped stderr. A thread drops the rest of its output.
pub fn address_of(child: &mut Process) -> (SocketAddr, String) {
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let mut heard = String::new();
    let url = loop {
        let line = lines.next().unwrap_or_else(|| panic!("it ended, saying {heard}")).unwrap();
        let served = ["label at http://", "watch at http://"];
        if let Some(url) = served.iter().find_map(|words| line.strip_prefix(words)) {
            break url.to_string();
        }
        heard += &line;
    };
    std::thread::spawn(move || lines.for_each(drop));
    let host = url.split('/').next().unwrap();
    (host.parse().unwrap(), url)
}
