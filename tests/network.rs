//! The network between server and webhook is broken, so that there is no answer: every round is saved, and its message waits
//! and is sent once the network works.

use gametimes_test_support::game::{Match, gametimes_files, outbox};
use gametimes_test_support::webhook::{Reply, Webhook};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Plays a round whose message cannot be sent, and returns the log lines about it. Then the admin corrects the URL, and the
/// message is sent.
fn a_round_that_waits_for(url: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let host = "x".repeat(64) + ".invalid";
    let cvars = [
        ("gametimes_webhook_url", url),
        ("gametimes_webhook_hosts", &host),
    ];
    let mut game = Match::new(home.path(), &cvars);
    let console = game.round();
    let written = gametimes_files(home.path());
    assert_eq!(written.len(), 1, "{console}");
    game.start();
    let mut console = game.after(console, "webhook 1 failed: ");
    // The message is retried, and the same error is reported once.
    console += &game.status_with("failures in a row: 2");
    let said = console.lines().filter(|l| l.contains("webhook 1 failed"));
    assert_eq!(said.count(), 1, "{console}");
    assert!(!console.contains("SECRET"), "{console}");
    assert_eq!(outbox(home.path(), "queue").len(), 1);

    let mended = Webhook::start([]);
    game.server.set_cvar("gametimes_webhook_url", mended.url());
    assert!(game.server.console_command("gametimes reload"));
    mended.wait(1);
    assert_eq!(mended.accepted(), [written[0].meta.event_id.as_str()]);
    console + &game.stop()
}

#[test]
fn unknown_host_name_is_reported_once_and_the_message_sent_later() {
    // Longer than a host name can be, so that the test needs no resolver.
    let host = "x".repeat(64) + ".invalid";
    let console = a_round_that_waits_for(&format!("http://{host}/api/webhooks/42/SECRET-TOKEN"));
    let line = "[gametimes] sending to webhook 1 failed: unknown host; \
                the message stays queued and is retried";
    assert!(console.lines().any(|said| said == line), "{console}");
}

/// A server with a certificate that is not trusted. Counts the connections, and the bytes of requests that arrived.
struct Impostor {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
}

impl Impostor {
    fn start() -> Self {
        let tls = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
        let read = |name: &str| std::fs::read(tls.join(name)).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(read("self-signed.key.der"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![read("self-signed.cert.der").into()], key.into())
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let impostor = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            bytes: Arc::default(),
        };
        let (connections, bytes) = (impostor.connections.clone(), impostor.bytes.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::SeqCst);
                bytes.fetch_add(listen(stream, &config), Ordering::SeqCst);
            }
        });
        impostor
    }
}

/// Serves one connection and returns the number of bytes that arrived.
fn listen(mut stream: TcpStream, config: &Arc<rustls::ServerConfig>) -> usize {
    let mut tls = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
    let mut tls = rustls::Stream::new(&mut tls, &mut stream);
    let mut request = [0; 4096];
    match tls.read(&mut request) {
        Ok(count) => {
            let _ = tls.write_all(b"HTTP/1.1 204 X\r\ncontent-length: 0\r\n\r\n");
            count
        }
        Err(e) => {
            assert_ne!(e.kind(), ErrorKind::WouldBlock);
            0
        }
    }
}

#[test]
fn untrusted_certificate_is_reported_once_and_nothing_is_sent() {
    let impostor = Impostor::start();
    let url = format!("https://{}/api/webhooks/42/SECRET-TOKEN", impostor.address);
    let console = a_round_that_waits_for(&url);
    assert!(console.contains("webhook 1 failed: TLS: "), "{console}");
    assert!(console.contains("certificate"), "{console}");
    assert!(impostor.connections.load(Ordering::SeqCst) >= 2);
    assert_eq!(
        impostor.bytes.load(Ordering::SeqCst),
        0,
        "not a byte for an impostor"
    );
}

#[test]
fn webhook_that_hangs_delays_no_map_and_is_retried() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([Reply::Hang(Duration::from_secs(3600))]);
    let cvars = [
        ("gametimes_webhook_url", hook.url()),
        ("gametimes_backlog_seconds", "0".to_owned()),
    ];
    let mut game = Match::new(
        home.path(),
        &cvars.each_ref().map(|(n, v)| (*n, v.as_str())),
    );
    let mut console = game.round();
    hook.wait(1);
    // The webhook has the first message and does not answer. Maps change all the same.
    for _ in 0..3 {
        console += &game.round();
    }
    assert_eq!(gametimes_files(home.path()).len(), 4);
    assert_eq!(outbox(home.path(), "queue").len(), 4);
    assert_eq!(hook.requests().len(), 1);
    assert!(!console.contains("disk is slow"), "{console}");
    // The sender gives up after half a minute.
    hook.wait(5);
    game.start();
    let console = game.after(console, "webhook 1 failed: timeout");
    assert!(!console.contains("internal error"), "{console}");
    let files = gametimes_files(home.path());
    let played: Vec<&str> = files.iter().map(|f| f.meta.event_id.as_str()).collect();
    assert_eq!(hook.accepted(), played);
    game.stop();
}
