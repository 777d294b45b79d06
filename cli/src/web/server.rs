//! Serves a page over HTTP/1.1: its files, and its API under `/api`.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{Semaphore, oneshot};

use super::access::Access;

/// Largest number of bytes in a request's body; a person's answer has about a hundred.
const LARGEST_BODY: usize = 8 * 1024;
/// Largest number of simultaneous connections; a browser opens a few.
const CONNECTIONS: usize = 256;
/// Time limit for a request's headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// Time limit for an answer; drawing the longest episode of the registry takes a second or two.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// The ports to try if none is given.
const PORTS: std::ops::Range<u16> = 7878..7898;

/// Allows content only from this server, no inline scripts, and no embedding in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of a page: its path, its content type, its text.
pub type File = (&'static str, &'static str, &'static str);

/// The content type of a page.
pub const HTML: &str = "text/html; charset=utf-8";
/// The content type of a style sheet.
pub const CSS: &str = "text/css; charset=utf-8";
/// The content type of a script.
pub const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Files that every page uses.
const SHARED: [File; 3] = [
    ("/style.css", CSS, include_str!("files/style.css")),
    ("/player.js", SCRIPT, include_str!("files/player.js")),
    ("/ask.js", SCRIPT, include_str!("files/ask.js")),
];

/// A server. It runs until it is dropped.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Binds `address`, `HOST:PORT`; `None` binds the first free port on localhost, beginning at 7878. Also returns the host if
/// it is a name.
///
/// # Errors
/// The operating system's error if `address` is not valid or not available.
pub fn listen(address: Option<&str>) -> io::Result<(TcpListener, Option<String>)> {
    let Some(text) = address else {
        let free = PORTS.map(|port| TcpListener::bind(("127.0.0.1", port)));
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for tried in free {
            match tried {
                Ok(listener) => return Ok((listener, None)),
                Err(error) => last = error,
            }
        }
        return Err(last);
    };
    let resolved: Vec<SocketAddr> = text.to_socket_addrs()?.collect();
    let name = text.rsplit_once(':').map(|(host, _)| host.to_string());
    let named = name.filter(|_| text.parse::<SocketAddr>().is_err());
    Ok((TcpListener::bind(&resolved[..])?, named))
}

/// Adds the page's files and the request checks to the API's routes.
fn router(mut router: Router, files: &[File], access: Access) -> Router {
    for &(path, kind, text) in SHARED.iter().chain(files) {
        router = router.route(path, get(move || async move { ([(header::CONTENT_TYPE, kind)], text) }));
    }
    router
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is no such page\n") })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn_with_state(Arc::new(access), guard))
}

/// Checks [`Access`], applies the time limit, and adds security headers to the answer.
async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let open = !request.uri().path().starts_with("/api/");
    let mut response = match access.check(request.headers(), open) {
        Err(denied) => (denied.status(), format!("{denied}\n")).into_response(),
        Ok(()) => match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
            Ok(response) => response,
            Err(_) => (StatusCode::REQUEST_TIMEOUT, "the answer took too long\n").into_response(),
        },
    };
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

impl Server {
    /// Serves a page's files and its API at `listener`, on a separate thread.
    ///
    /// # Errors
    /// The operating system's error.
    pub fn start(listener: TcpListener, access: Access, api: Router, files: &[File]) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let router = router(api, files, access);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("page".into()).spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = accept(listener, router) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// The address where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // If the thread panicked, its message has been printed already.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // A temporary error, such as too many open files.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            // Ignore errors of a connection: the browser sees them.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS_WITHIN)
                .max_headers(64)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(place);
        });
    }
}
