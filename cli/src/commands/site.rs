//! What the verbs that serve a page share: where, to whom, and until when.

use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::web::access::Access;
use crate::web::server;
use anyhow::{Context, bail};

/// Binds `--listen`; the name comes too, where it is a name.
pub fn listen(address: Option<&str>) -> anyhow::Result<(TcpListener, Option<String>)> {
    server::listen(address).with_context(|| match address {
        Some(address) => {
            format!("cannot listen on `{address}`; expected a free HOST:PORT such as 127.0.0.1:7878")
        }
        None => "ports 7878 to 7897 of loopback are taken; choose another by --listen".into(),
    })
}

/// Who may come, and by which address; beyond loopback with a token, that of `variable` or one drawn.
pub fn access(address: SocketAddr, name: Option<String>, variable: &str) -> anyhow::Result<(Access, String)> {
    let token = if address.ip().is_loopback() { None } else { Some(token(variable)?) };
    let access = Access::new(address, name, token);
    let url = access.url();
    Ok((access, url))
}

/// From the environment, or drawn.
fn token(variable: &str) -> anyhow::Result<String> {
    if let Ok(token) = std::env::var(variable) {
        if token.len() < 16 || !token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)) {
            bail!(
                "{variable} is too weak or cannot stand in an address; expected 16 or more letters, digits, - . _ ~"
            );
        }
        return Ok(token);
    }
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|e| io::Error::other(e.to_string()))
        .context("cannot draw a token")?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// Waits for the first Ctrl-C.
pub fn until_ctrl_c() -> anyhow::Result<()> {
    let (sender, signal) = std::sync::mpsc::channel();
    ctrlc::set_handler(move || {
        let _ = sender.send(());
    })
    .context("cannot listen for Ctrl-C")?;
    let _ = signal.recv();
    Ok(())
}
