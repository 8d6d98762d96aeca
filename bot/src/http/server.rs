//! Accepts connections and answers requests on them, within limits that one client cannot exhaust.
//!
//! Ingestion runs in the same process, so connections may use only a part of the files that the process may open.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

/// The longest header of a request, in bytes.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// The pause after an accept that failed, and between two connections that are closed to make room.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
const EVICTION_PAUSE: Duration = Duration::from_millis(100);

/// The same warning is logged at most this often.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The limits of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many connections may be open at a time.
    pub connections: usize,
    /// How long a connection may wait for a request, or for the rest of its header.
    pub header: Duration,
    /// After this time a connection finishes its request and accepts no other.
    pub connection: Duration,
    /// How long a connection then has for its last response. This limits how slowly a client may read.
    pub last_response: Duration,
}

impl Limits {
    /// The limits with at most `max_connections`, and never more than half of the files that the process may open: the other
    /// half is for the database, folders and servers.
    pub fn new(max_connections: usize) -> Self {
        let files = getrlimit(Resource::Nofile).current;
        let half = files.map_or(usize::MAX, |n| usize::try_from(n / 2).unwrap_or(usize::MAX));
        Self {
            connections: max_connections.min(half).clamp(1, Semaphore::MAX_PERMITS),
            header: Duration::from_secs(10),
            connection: Duration::from_secs(60),
            last_response: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// How many connections may be streams, which are never idle. The rest is for everything else.
    pub fn streams(&self) -> usize {
        (self.connections / 4 * 3).max(1)
    }
}

/// Answers requests until the bot is stopped, then finishes those that have begun.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stopped: watch::Receiver<bool>,
) {
    let slots = Slots {
        free: Arc::new(Semaphore::new(limits.connections)),
        eviction: Arc::default(),
    };
    let mut stop = stopped.clone();
    tokio::select! {
        () = accept_all(&listener, &router, limits, &slots, stopped) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    drop(listener);
    // Every connection has a slot until it ends.
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    drop(slots.free.acquire_many(all).await);
}

async fn accept_all(
    listener: &TcpListener,
    router: &Router,
    limits: Limits,
    slots: &Slots,
    stopped: watch::Receiver<bool>,
) {
    let (mut full, mut failed) = (Warning::default(), Warning::default());
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let slot = slots.take(&mut full).await;
                let eviction = Arc::clone(&slots.eviction);
                let (router, stopped) = (router.clone(), stopped.clone());
                tokio::spawn(async move {
                    answer(stream, router, limits, &eviction, stopped).await;
                    drop(slot);
                });
            }
            // The client has left already.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if failed.is_due() {
                    warn!("listen: accepting a connection: {error}; retrying every second");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Answers the requests of one connection.
async fn answer(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    eviction: &Notify,
    mut stopped: watch::Receiver<bool>,
) {
    let has_request = AtomicBool::new(false);
    let service = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        has_request.store(true, Ordering::Relaxed);
        service.call(request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header)
            .max_buf_size(HEADER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        // An error means that the client broke the connection or the protocol.
        _ = connection.as_mut() => return,
        () = eviction.notified() => {}
        _ = stopped.wait_for(|stop| *stop) => {}
        () = sleep(limits.connection) => {}
    }
    if has_request.load(Ordering::Relaxed) {
        // Ends now if no request is being answered.
        connection.as_mut().graceful_shutdown();
        drop(timeout(limits.last_response, connection).await);
    }
}

/// The slots of the connections.
struct Slots {
    free: Arc<Semaphore>,
    /// Wakes one connection, the one that has been open for longest first, so that it ends as soon as it has no request.
    eviction: Arc<Notify>,
}

impl Slots {
    /// Waits for a free slot. Until there is one, connections are closed to make room.
    async fn take(&self, full: &mut Warning) -> OwnedSemaphorePermit {
        if let Ok(slot) = Arc::clone(&self.free).try_acquire_owned() {
            return slot;
        }
        if full.is_due() {
            warn!(
                "listen: the maximum of connections (max_connections, or half of the open files limit) is reached; \
                 idle ones are closed for new ones"
            );
        }
        loop {
            self.eviction.notify_one();
            let slot = timeout(EVICTION_PAUSE, Arc::clone(&self.free).acquire_owned()).await;
            if let Ok(Ok(slot)) = slot {
                // If no connection was left to be woken, the next one must not be woken in its place.
                pin!(self.eviction.notified()).enable();
                return slot;
            }
        }
    }
}

/// Limits how often a warning is logged.
#[derive(Default)]
struct Warning(Option<Instant>);

impl Warning {
    fn is_due(&mut self) -> bool {
        let is_due = self.0.is_none_or(|last| last.elapsed() >= WARNING_INTERVAL);
        if is_due {
            self.0 = Some(Instant::now());
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(200);

    /// A server on a free port, which has a large page and a small one.
    async fn start(limits: Limits) -> (std::net::SocketAddr, watch::Sender<bool>) {
        let router = Router::new()
            .route("/large", get(|| async { vec![0; 64 << 20] }))
            .route("/small", get(|| async { "small" }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(serve(listener, router, limits, stopped));
        (address, stop)
    }

    async fn ask(address: std::net::SocketAddr, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn client_that_does_not_read_its_response_does_not_keep_its_connection() {
        let (address, _stop) = start(Limits {
            connections: 1,
            header: TIMEOUT,
            connection: TIMEOUT,
            last_response: SHORT,
        })
        .await;
        let mut slow = ask(address, "/large").await;
        // The response has begun.
        slow.read_exact(&mut [0; 16]).await.unwrap();
        let mut answer = String::new();
        let mut other = ask(address, "/small").await;
        let read = timeout(TIMEOUT, other.read_to_string(&mut answer));
        read.await.expect("the other client is answered").unwrap();
        assert!(answer.ends_with("small"), "{answer}");
    }

    #[tokio::test]
    async fn client_that_sends_its_header_bit_by_bit_is_disconnected() {
        let (address, _stop) = start(Limits {
            connections: 1,
            header: SHORT,
            connection: TIMEOUT,
            last_response: TIMEOUT,
        })
        .await;
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let drip = async {
            let mut next: &[u8] = b"GET /small HTTP/1.1\r\n";
            while writer.write_all(next).await.is_ok() {
                next = b"X: 1\r\n";
                sleep(SHORT / 20).await;
            }
        };
        let mut answer = Vec::new();
        let disconnected = async {
            tokio::select! {
                // A reset ends the connection as well.
                _ = reader.read_to_end(&mut answer) => {}
                () = drip => {}
            }
        };
        timeout(TIMEOUT, disconnected)
            .await
            .expect("the connection ends");
    }
}
