//! A small web server that answers by script, for messages posted by a real curl.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// One request as it came.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `/api/webhooks/1/token`.
    pub path: String,
    /// Headers, names in lower case.
    pub headers: HashMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The part of a multipart body with this name.
    pub fn part(&self, name: &str) -> Option<Vec<u8>> {
        let boundary = self
            .headers
            .get("content-type")?
            .split("boundary=")
            .nth(1)?;
        let mark = format!("--{boundary}");
        let find = |hay: &[u8], needle: &[u8]| hay.windows(needle.len()).position(|w| w == needle);
        let mut rest = self.body.as_slice();
        while let Some(at) = find(rest, mark.as_bytes()) {
            rest = &rest[at + mark.len()..];
            let end = find(rest, mark.as_bytes()).unwrap_or(rest.len());
            let part = &rest[..end];
            let head_end = find(part, b"\r\n\r\n")?;
            let head = String::from_utf8_lossy(&part[..head_end]);
            if head.contains(&format!("name=\"{name}\"")) {
                return Some(part[head_end + 4..part.len() - 2].to_vec());
            }
        }
        None
    }
}

/// What to answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status; 0 closes the connection without an answer.
    pub status: u16,
    /// More headers, each ending in CRLF.
    pub headers: &'static str,
    /// The body.
    pub body: &'static str,
    /// How long to wait before.
    pub delay: Duration,
}

impl Reply {
    /// An answer at once.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: "",
            body: "",
            delay: Duration::ZERO,
        }
    }
}

type Script = dyn Fn(usize, &Request) -> Reply + Send + Sync;

/// The server; it lives as long as the process.
pub struct Http {
    /// Where it listens.
    pub addr: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Http {
    /// Starts a server. `script` is asked with the number of the request (0 is the first) and the request.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start(script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("address");
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let all = Arc::clone(&requests);
        let script: Arc<Script> = Arc::new(script);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, script) = (Arc::clone(&all), Arc::clone(&script));
                thread::spawn(move || serve(stream, &all, &*script));
            }
        });
        Self { addr, requests }
    }

    /// A webhook's URL here.
    pub fn url(&self, token: &str) -> String {
        format!("http://{}/api/webhooks/1/{token}", self.addr)
    }

    /// What has come so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic").clone()
    }

    /// Waits until `count` requests have come.
    ///
    /// # Panics
    /// When they do not come.
    pub fn wait(&self, count: usize) -> Vec<Request> {
        wait_for(&format!("request {count}"), || {
            self.requests().len() >= count
        });
        self.requests()
    }
}

/// Waits until something is so.
///
/// # Panics
/// After 30 seconds.
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "waited in vain for {what}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

fn serve(mut stream: TcpStream, all: &Mutex<Vec<Request>>, script: &Script) {
    let Some(request) = read(&stream) else { return };
    let n = {
        let mut all = all.lock().expect("no panic");
        all.push(request.clone());
        all.len() - 1
    };
    let reply = script(n, &request);
    thread::sleep(reply.delay);
    if reply.status != 0 {
        let Reply {
            status,
            headers,
            body,
            ..
        } = reply;
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let _ = stream.write_all(answer.as_bytes());
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut request = Request {
        path: line.split(' ').nth(1)?.to_owned(),
        ..Request::default()
    };
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        request
            .headers
            .insert(name.to_ascii_lowercase(), value.to_owned());
    }
    if request.headers.contains_key("expect") {
        (&mut &*stream)
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .ok()?;
    }
    request.body = vec![0; request.headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}
