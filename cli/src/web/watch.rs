//! Watching runs: live curves, and replays of the newest trajectories with what they were worth.
//!
//! - [`rows`]: the metrics from where a page has them on, thinned to what a screen can show.
//! - [`status`]: whether a run trains, has ended, has not begun, or is damaged.
//! - [`replay`]: the [`newest`](spo::rollout::latest_replay) trajectories as replays, best to worst.
//! - `api`: the three as JSON; the [`page`](crate::web) asks for what is new once a second.
//!
//! It reads the runs' directories and nothing else: trainers know nothing of it, and it may come and go.

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use crate::web::access::Access;
use crate::web::server::{CSS, File, HTML, SCRIPT, Server};

mod api;
pub mod replay;
pub mod rows;
pub mod status;

/// Most runs at once: more lines nobody tells apart.
pub const MOST_RUNS: usize = 50;

/// The page's own files.
const FILES: [File; 7] = [
    ("/", HTML, concat!(include_str!("files/head.html"), include_str!("watch/page/index.html"))),
    ("/palette.css", CSS, include_str!("files/palette.css")),
    ("/watch.css", CSS, include_str!("watch/page/watch.css")),
    ("/watch.js", SCRIPT, include_str!("watch/page/watch.js")),
    ("/chart.js", SCRIPT, include_str!("watch/page/chart.js")),
    ("/replays.js", SCRIPT, include_str!("watch/page/replays.js")),
    ("/dom.js", SCRIPT, include_str!("watch/page/dom.js")),
];

/// Serves the page of the runs in `dirs` at `listener`; they need not be there yet.
///
/// # Errors
/// What the machine refuses.
pub fn serve(listener: TcpListener, access: Access, dirs: Vec<PathBuf>) -> io::Result<Server> {
    Server::start(listener, access, api::routes(Arc::new(api::Watched::new(dirs))), &FILES)
}
