//! Code that the verbs with a page share: the address, the token, the wait for Ctrl-C.

use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::web::access::Access;
use crate::web::server;
use anyhow::{Context, bail};

/// Binds the address of `--listen`. Also returns the host if it is a name.
pub fn listen(address: Option<&str>) -> anyhow::Result<(TcpListener, Option<String>)> {
    server::listen(address).with_context(|| match address {
        Some(address) => {
            format!("cannot listen on `{address}`; expected a free HOST:PORT such as 127.0.0.1:7878")
        }
        None => {
            "ports 7878 to 7897 of localhost are in use; choose another one with --listen HOST:PORT".into()
        }
    })
}

/// The access rules and the address to open. An address other than localhost gets a token, from the environment variable
/// `variable` or a random one.
pub fn access(address: SocketAddr, name: Option<String>, variable: &str) -> anyhow::Result<(Access, String)> {
    let token = if address.ip().is_loopback() { None } else { Some(token(variable)?) };
    let access = Access::new(address, name, token);
    let url = access.url();
    Ok((access, url))
}

/// The token from the environment variable, or a random one.
fn token(variable: &str) -> anyhow::Result<String> {
    if let Ok(token) = std::env::var(variable) {
        if token.len() < 16 || !token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)) {
            bail!(
                "{variable} is too short or contains other characters; expected 16 or more letters, digits, - . _ ~"
            );
        }
        return Ok(token);
    }
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|e| io::Error::other(e.to_string()))
        .context("cannot make a random token")?;
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
