//! A webhook that answers by script: good answers, bad ones, and none.
#![allow(dead_code)] // every test binary uses its part

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What is done with a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// Status, extra header lines, body.
    Answer(u16, &'static str, &'static str),
    /// The connection is closed before anything was read.
    Refuse,
    /// The connection is closed in the middle of the answer's headers.
    CutHeaders,
    /// The connection is closed in the middle of the body of a 200.
    CutBody,
    /// Something that is no HTTP.
    Garbage,
    /// No answer for this long, then 204.
    Slow(Duration),
    /// No answer for this long, then the connection is closed.
    Hang(Duration),
}

/// A good answer of Discord's.
pub const TAKEN: Act = Act::Answer(204, "", "");

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path and query.
    pub path: String,
    /// The body.
    pub body: String,
    /// When.
    pub at: Instant,
    /// Whether it was, or will be, answered with 2xx.
    pub taken: bool,
}

impl Request {
    /// The event's id in the message.
    pub fn event_id(&self) -> Option<&str> {
        let at = self.body.find("Lua_EventID")?;
        let value = self.body[at..].split("\"value\":\"").nth(1)?;
        value.split('"').next()
    }

    /// Whether a gametimes file is attached.
    pub fn has_file(&self) -> bool {
        self.body.contains("files[0]") && self.body.contains("\"spawn_stats\"")
    }
}

/// A webhook on a loopback port.
pub struct Webhook {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Webhook {
    /// Answers by the script, and after its end as Discord does when all is well.
    pub fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let script: Arc<Mutex<VecDeque<Act>>> = Arc::new(Mutex::new(script.into_iter().collect()));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (acts, log) = (Arc::clone(&script), Arc::clone(&log));
                std::thread::spawn(move || serve(stream, &acts, &log));
            }
        });
        Self { address, requests }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/api/webhooks/42/SECRET-TOKEN", self.address)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Ids of the events it took, in order.
    pub fn taken(&self) -> Vec<String> {
        let requests = self.requests();
        let taken = requests.iter().filter(|r| r.taken);
        taken
            .filter_map(|r| r.event_id().map(str::to_owned))
            .collect()
    }

    /// Waits until so many requests have come.
    pub fn wait(&self, count: usize) -> Vec<Request> {
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            let requests = self.requests();
            if requests.len() >= count {
                return requests;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{count} requests awaited, came: {:#?}", self.requests());
    }
}

fn serve(stream: TcpStream, script: &Mutex<VecDeque<Act>>, log: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        if script
            .lock()
            .unwrap()
            .front()
            .is_some_and(|a| matches!(a, Act::Refuse))
        {
            script.lock().unwrap().pop_front();
            log.lock().unwrap().push(Request {
                path: String::new(),
                body: String::new(),
                at: Instant::now(),
                taken: false,
            });
            return;
        }
        let Some((path, body)) = read_request(&mut reader) else {
            return;
        };
        let act = script.lock().unwrap().pop_front().unwrap_or(TAKEN);
        let taken = matches!(
            act,
            Act::Answer(200..=299, ..) | Act::CutBody | Act::Slow(_)
        );
        log.lock().unwrap().push(Request {
            path,
            body,
            at: Instant::now(),
            taken,
        });
        let _ = match act {
            Act::Answer(status, headers, body) => write!(
                stream,
                "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}",
                body.len()
            ),
            Act::CutHeaders => write!(stream, "HTTP/1.1 200 OK\r\ncontent-le"),
            Act::CutBody => write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{{\"id\":"
            ),
            Act::Garbage => write!(stream, "\u{1}\u{2} no http at all\r\n\r\n"),
            Act::Slow(pause) => {
                std::thread::sleep(pause);
                write!(stream, "HTTP/1.1 204 X\r\ncontent-length: 0\r\n\r\n")
            }
            Act::Hang(pause) => {
                std::thread::sleep(pause);
                return;
            }
            Act::Refuse => unreachable!("done before the request is read"),
        };
        let _ = stream.flush();
        if matches!(act, Act::CutHeaders | Act::CutBody | Act::Garbage) {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split_whitespace().nth(1)?.to_owned();
    let mut length = None;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok();
        }
    }
    let mut body = Vec::new();
    match length {
        Some(length) => {
            body.resize(length, 0);
            reader.read_exact(&mut body).ok()?;
        }
        None => loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        },
    }
    Some((path, String::from_utf8_lossy(&body).into_owned()))
}
