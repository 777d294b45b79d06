//! Serves the page where people compare trajectories.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::api::{self, AppState};
use crate::web::access::Access;
use crate::web::server::{self, CSS, File, HTML, SCRIPT};
use spo::oracle::human::store::Store;
use spo::rollout::EnvFactory;

pub use crate::web::server::listen;

/// The page's own files.
const FILES: [File; 4] = [
    ("/", HTML, concat!(include_str!("../files/head.html"), include_str!("page/index.html"))),
    ("/label.css", CSS, include_str!("page/label.css")),
    ("/page.js", SCRIPT, include_str!("page/page.js")),
    ("/server.js", SCRIPT, include_str!("page/server.js")),
];

/// A server for one database of labels. It runs until it is dropped.
pub struct Server(server::Server);

impl Server {
    /// Serves the database `store` at `listener`. `make` makes the task to draw; `about` describes it in one line.
    ///
    /// # Errors
    /// The operating system's error.
    pub fn start(
        listener: TcpListener,
        access: Access,
        store: Store,
        make: EnvFactory,
        about: String,
    ) -> io::Result<Self> {
        let api = api::routes().with_state(Arc::new(AppState::new(store, make, about)));
        server::Server::start(listener, access, api, &FILES).map(Self)
    }

    /// The address where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}
