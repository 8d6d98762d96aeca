//! A TCP proxy that cuts connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A running proxy. Dropping it ends it.
#[derive(Debug)]
pub struct Chaos {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Cut connections after this many bytes to the server; 0 never.
    cut_after: AtomicU64,
    refuse: AtomicBool,
    cuts: AtomicU64,
}

impl Chaos {
    /// Starts a proxy in front of a server.
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                if shared.refuse.load(Ordering::Relaxed) {
                    shared.cuts.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect(server).await {
                        pass(client, server, &shared).await;
                    }
                });
            }
        });
        Self {
            address,
            state,
            task,
        }
    }

    /// Cuts every connection after this many bytes from the client; 0 never.
    pub fn cut_after(&self, bytes: u64) {
        self.state.cut_after.store(bytes, Ordering::Relaxed);
    }

    /// Refuses or accepts new connections. Open ones are cut at their next byte while this is set.
    pub fn refuse(&self, refuse: bool) {
        self.state.refuse.store(refuse, Ordering::Relaxed);
    }

    /// How many connections were cut or refused.
    pub fn cuts(&self) -> u64 {
        self.state.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, server: TcpStream, state: &State) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back =
        tokio::spawn(async move { drop(tokio::io::copy(&mut from_server, &mut to_client).await) });
    let mut passed = 0;
    let mut buffer = vec![0; 4096];
    while let Ok(n) = from_client.read(&mut buffer).await {
        passed += n as u64;
        let limit = state.cut_after.load(Ordering::Relaxed);
        if n == 0 {
            break;
        }
        if (limit > 0 && passed > limit) || state.refuse.load(Ordering::Relaxed) {
            state.cuts.fetch_add(1, Ordering::Relaxed);
            break;
        }
        if to_server.write_all(&buffer[..n]).await.is_err() {
            break;
        }
    }
    back.abort();
}
