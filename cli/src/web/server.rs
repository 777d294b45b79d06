//! A page over HTTP/1.1: its files, and what is answered under `/api`.

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

/// Bytes of a body; an answer has about a hundred.
const LARGEST_BODY: usize = 8 * 1024;
/// Connections at a time; a browser opens a few.
const CONNECTIONS: usize = 256;
/// For the lines before a body.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// For a request with its answer; the longest episode of the registry is drawn in a second or two.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// The port where none is asked for, and how many after it are tried.
const PORTS: std::ops::Range<u16> = 7878..7898;

/// Only from here, no scripts within the page, in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of a page: where it is, its kind, its text.
pub type File = (&'static str, &'static str, &'static str);

/// The kind of a page.
pub const HTML: &str = "text/html; charset=utf-8";
/// Of style sheets.
pub const CSS: &str = "text/css; charset=utf-8";
/// Of scripts.
pub const SCRIPT: &str = "text/javascript; charset=utf-8";

/// What every page has beside its own files.
const SHARED: [File; 3] = [
    ("/style.css", CSS, include_str!("files/style.css")),
    ("/player.js", SCRIPT, include_str!("files/player.js")),
    ("/ask.js", SCRIPT, include_str!("files/ask.js")),
];

/// A server that runs until it is dropped.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Binds `address`, `HOST:PORT`; `None` takes the first free port of loopback from 7878 on. Returns the host too, where
/// it is a name.
///
/// # Errors
/// Where it is no address, or not to be had.
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

/// Everything that is served: a page's files, and what `api` answers under `/api`.
fn router(mut router: Router, files: &[File], access: Access) -> Router {
    for &(path, kind, text) in SHARED.iter().chain(files) {
        router = router.route(path, get(move || async move { ([(header::CONTENT_TYPE, kind)], text) }));
    }
    router
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is nothing here\n") })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn_with_state(Arc::new(access), guard))
}

/// Turns away whom [`Access`] does, hurries, and says to the browser what the page may do.
async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let open = !request.uri().path().starts_with("/api/");
    let mut response = match access.check(request.headers(), open) {
        Err(denied) => (denied.status(), format!("{denied}\n")).into_response(),
        Ok(()) => match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
            Ok(response) => response,
            Err(_) => (StatusCode::REQUEST_TIMEOUT, "too slow\n").into_response(),
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
    /// Serves a page's files and what `api` answers at `listener`, on a thread of its own.
    ///
    /// # Errors
    /// What the machine refuses.
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

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, say: it passes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            // What goes wrong on a connection is the browser's affair.
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
