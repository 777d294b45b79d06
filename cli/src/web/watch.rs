//! The page that shows runs live: curves, and replays of the latest trajectories with their scores.
//!
//! - [`rows`]: reads new rows of the metrics, thinned to what a screen can show.
//! - [`status`]: whether a run is training, finished, not begun or damaged.
//! - [`replay`]: the [latest trajectories](spo::rollout::latest_replay) as replays, best to worst.
//! - `api`: all three in JSON. The [page](crate::web) asks for updates once a second.
//!
//! It only reads the runs' directories. Trainers do not know about it, and it can be started and stopped at any time.

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

/// Largest number of runs on one page; more lines cannot be told apart.
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

/// Serves the page for the runs in `dirs` at `listener`. The directories need not exist yet.
///
/// # Errors
/// The operating system's error.
pub fn serve(listener: TcpListener, access: Access, dirs: Vec<PathBuf>) -> io::Result<Server> {
    Server::start(listener, access, api::routes(Arc::new(api::WatchedRuns::new(dirs))), &FILES)
}
