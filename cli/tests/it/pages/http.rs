//! Asking a server as it should be asked, and as it should not.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::pages::process::{Process, address_of};

/// An HTTP client with one request per connection.
#[derive(Clone, Copy)]
pub struct Http(pub SocketAddr);

impl Http {
    /// Sends raw bytes, `all` of a request or of something else, and returns status and body.
    pub fn raw(self, bytes: &[u8], all: bool) -> io::Result<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.0, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        // The server may close the connection before everything is sent.
        let _ = stream.write_all(bytes);
        if !all {
            stream.shutdown(std::net::Shutdown::Write)?;
        }
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply)?;
        let reply = String::from_utf8_lossy(&reply).into_owned();
        let status = reply.split(' ').nth(1).and_then(|s| s.parse().ok());
        let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status.ok_or_else(|| io::Error::other("no answer"))?, body.into()))
    }

    pub fn request(self, line: &str, headers: &str, body: &[u8]) -> io::Result<(u16, String)> {
        let head = format!(
            "{line} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
            self.0,
            body.len()
        );
        self.raw(&[head.as_bytes(), body].concat(), true)
    }

    pub fn get(self, path: &str) -> io::Result<(u16, String)> {
        self.request(&format!("GET {path}"), "", b"")
    }

    pub fn post(self, path: &str, body: &Value) -> io::Result<(u16, Value)> {
        let (status, text) = self.request(&format!("POST {path}"), "", body.to_string().as_bytes())?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }
}

/// Checks that a server gives its page and these files, and that they load nothing from other sites.
#[track_caller]
pub fn serves_itself(http: Http, files: &[&str]) {
    let page = http.get("/").unwrap();
    assert!(page.0 == 200 && page.1.contains("<!doctype html>"));
    for file in files {
        let (status, text) = http.get(&format!("/{file}")).unwrap();
        assert!(status == 200 && !text.is_empty(), "{file}");
        let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
        assert!(
            !elsewhere.contains("http:") && !elsewhere.contains("https:") && !elsewhere.contains("//cdn"),
            "{file}"
        );
    }
}

/// Checks that a server on an address other than localhost needs its token: not for the page itself, but for `path`, in
/// a header only.
#[track_caller]
pub fn demands_token(server: &mut Process, path: &str) {
    let (mut address, url) = address_of(server);
    address.set_ip([127, 0, 0, 1].into());
    let token = url.split("#token=").nth(1).unwrap();
    assert_eq!(token.len(), 32);
    let http = Http(address);
    assert_eq!(http.get("/").unwrap().0, 200);
    for (header, status) in [
        (String::new(), 401),
        (format!("authorization: Bearer {}\r\n", "0".repeat(32)), 401),
        (format!("authorization: Bearer {token}\r\n"), 200),
    ] {
        assert_eq!(http.request(&format!("GET {path}"), &header, b"").unwrap().0, status, "{header}");
    }
    assert_eq!(http.get(&format!("{path}?token={token}")).unwrap().0, 401);
}
