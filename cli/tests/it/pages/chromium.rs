//! A headless Chromium, driven through the DevTools protocol over its pipe: JSON, each message ended by a 0.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    last: u64,
    _profile: tempfile::TempDir,
}

/// The program, if there is one: `SPO_CHROMIUM`, or its name on Debian and other systems.
fn program() -> Option<String> {
    let runs = |name: &String| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].map(String::from);
    std::env::var("SPO_CHROMIUM").into_iter().chain(names).find(runs)
}

impl Browser {
    /// Starts a browser. If there is none, prints that and returns `None`, unless `SPO_REQUIRE_CHROMIUM` is set.
    pub fn start() -> Option<Self> {
        let Some(program) = program() else {
            assert!(
                std::env::var_os("SPO_REQUIRE_CHROMIUM").is_none(),
                "no Chromium; apt-get install chromium"
            );
            println!("SKIPPED: no Chromium (apt-get install chromium, or SPO_CHROMIUM=PROGRAM)");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let folder = format!("--user-data-dir={}", profile.path().display());
        // The pipe is descriptors 3 and 4.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null", "sh", &program])
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args(["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"])
            .args(["--remote-debugging-pipe", &folder, "about:blank"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut browser = Self { child, to, from, session: None, last: 0, _profile: profile };
        // Use the browser's first page: pages in the background are not drawn.
        let page = loop {
            let all = browser.call("Target.getTargets", json!({}));
            let page = all["targetInfos"].as_array().unwrap().iter().find(|t| t["type"] == "page").cloned();
            if let Some(page) = page {
                break page;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        browser.session =
            browser.call("Target.attachToTarget", attach)["sessionId"].as_str().map(String::from);
        browser.call("Page.enable", json!({}));
        Some(browser)
    }

    /// Sends a command and returns its result; events in between are dropped.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let mut bytes = Vec::new();
            self.from.read_until(0, &mut bytes).unwrap();
            bytes.pop().expect("the browser is gone");
            let mut reply: Value = serde_json::from_slice(&bytes).unwrap();
            if reply["id"] == self.last {
                assert!(reply["error"].is_null(), "{method}: {reply}");
                return reply["result"].take();
            }
        }
    }

    /// The value of a JavaScript expression; waits for a promise.
    #[track_caller]
    pub fn eval(&mut self, script: &str) -> Value {
        let params = json!({ "expression": script, "returnByValue": true, "awaitPromise": true });
        let mut reply = self.call("Runtime.evaluate", params);
        assert!(reply["exceptionDetails"].is_null(), "{script}: {reply}");
        reply["result"]["value"].take()
    }

    /// Waits until an expression is true, at most a minute.
    #[track_caller]
    pub fn wait_for(&mut self, script: &str) {
        let begun = Instant::now();
        while self.eval(script) != true {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "never: {script}\n{}",
                self.eval("document.body.innerText")
            );
            std::thread::sleep(Duration::from_millis(15));
        }
    }

    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
        self.wait_for("document.readyState === 'complete'");
    }

    pub fn reload(&mut self) {
        self.eval("window.before = true");
        self.call("Page.reload", json!({}));
        self.wait_for("window.before === undefined && document.readyState === 'complete'");
    }

    /// Presses and releases a key, by its DOM name and its Windows code.
    pub fn key(&mut self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let params = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", params);
        }
    }

    /// Types into the focused element.
    pub fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Clicks the centre of an element.
    #[track_caller]
    pub fn click(&mut self, selector: &str) {
        let script = format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{ block: 'nearest' }}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        );
        let at = self.eval(&script);
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", params);
        }
    }

    /// Sets the size of the window, and light or dark colours.
    pub fn look(&mut self, width: u32, height: u32, scale: f32, scheme: &str) {
        let mobile = width < 600;
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
        self.call("Emulation.setTouchEmulationEnabled", json!({ "enabled": mobile }));
        // Wait for two frames, so that everything is drawn at the new size.
        self.eval(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))",
        );
    }

    /// Writes a screenshot as PNG.
    pub fn screenshot(&mut self, path: &Path) {
        let reply =
            self.call("Page.captureScreenshot", json!({ "format": "png", "optimizeForSpeed": false }));
        std::fs::write(path, decode(reply["data"].as_str().unwrap())).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Base64 (RFC 4648).
fn decode(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u32> = text.bytes().filter(|&c| c != b'=').map(|c| u32::from(digit(c))).collect();
    let quantum = |four: &[u32]| {
        let bits = (0..4).fold(0, |bits, i| bits << 6 | four.get(i).copied().unwrap_or(0));
        bits.to_be_bytes()[1..four.len()].to_vec()
    };
    digits.chunks(4).flat_map(quantum).collect()
}
