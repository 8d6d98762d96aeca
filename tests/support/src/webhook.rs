//! A webhook on a loopback port, which answers as a test tells it to.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// URLs, and whether module and script accept them as webhooks if the admin has allowed the host `hooks.example.org`.
pub const WEBHOOK_URLS: &[(&str, bool)] = &[
    ("https://discord.com/api/webhooks/1/a-b_c", true),
    ("https://discord.com/api/webhooks/1/a?thread_id=2", true),
    ("https://discord.com/api/v10/webhooks/1/a/", true),
    ("https://discordapp.com/api/webhooks/1/a", true),
    ("https://canary.discord.com/api/webhooks/1/a", true),
    ("HTTPS://Discord.com/api/webhooks/1/a", true),
    ("http://127.0.0.1:8080/x", true),
    ("http://localhost/x", true),
    ("https://[::1]:8080/x", true),
    ("https://hooks.example.org/x", true),
    ("http://HOOKS.example.org:81/x", true),
    ("https://example.com/x", false),
    ("https://hooks.example.org.example.com/x", false),
    ("https://discord.com.example.com/api/webhooks/1/a", false),
    ("https://discord.com@example.com/api/webhooks/1/a", false),
    ("https://127.0.0.1@example.com/x", false),
    ("https://localhost.example.com/x", false),
    ("http://discord.com/api/webhooks/1/a", false),
    ("https://discord.com/x", false),
    ("https://discord.com/channels/1/2", false),
    ("https://discord.com/api/webhooks/1", false),
    ("https://discord.com/api/webhooks/a/b", false),
    ("https://discord.com/api/webhooks/1/a/slack", false),
    ("discord.com/api", false),
    ("https://", false),
    ("https:///x", false),
    ("https://discord.com", false),
    ("https://discord.com/", false),
    ("https://discord.com?x", false),
    ("https://a b/x", false),
    ("http://127.0.0.1/\\\"", false),
    ("http://127.0.0.1/<y>", false),
    ("http://127.0.0.1/\u{a0}", false),
    ("file:///etc/passwd", false),
];

/// What to do with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Answer with this status, these extra header lines (each ends with CRLF) and this body.
    Answer(u16, &'static str, &'static str),
    /// Close the connection before the request is read.
    Refuse,
    /// Close the connection in the middle of the answer's headers.
    CutHeaders,
    /// Close the connection in the middle of the body of a 200.
    CutBody,
    /// Send something that is not HTTP.
    Garbage,
    /// Answer 204 after this time.
    Slow(Duration),
    /// Close the connection without an answer after this time.
    Hang(Duration),
}

/// Discord's answer to a message that it accepts.
pub const NO_CONTENT: Reply = Reply::status(204);

impl Reply {
    /// An answer without a body.
    pub const fn status(status: u16) -> Self {
        Self::Answer(status, "", "")
    }

    /// Whether the sender learns, or will learn, that the message was accepted.
    fn accepts(&self) -> bool {
        matches!(
            self,
            Self::Answer(200..=299, ..) | Self::CutBody | Self::Slow(_)
        )
    }
}

/// A request that has arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path and query.
    pub path: String,
    /// The headers, with names in lower case.
    pub headers: HashMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
    /// When it arrived.
    pub at: Instant,
    /// Whether the answer is a 2xx.
    pub accepted: bool,
}

impl Request {
    fn new() -> Self {
        Self {
            path: String::new(),
            headers: HashMap::new(),
            body: Vec::new(),
            at: Instant::now(),
            accepted: false,
        }
    }

    /// The body as text.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The event's id in the message.
    pub fn event_id(&self) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once("Lua_EventID")?;
        let (_, value) = rest.split_once("\"value\":\"")?;
        Some(value.split('"').next()?.to_owned())
    }

    /// Whether a gametimes file is attached.
    pub fn has_file(&self) -> bool {
        let text = self.text();
        text.contains("files[0]") && text.contains("\"spawn_stats\"")
    }

    /// The part of a multipart body with this name.
    pub fn part(&self, name: &str) -> Option<Vec<u8>> {
        let content_type = self.headers.get("content-type")?;
        let mark = format!("--{}", content_type.split("boundary=").nth(1)?);
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

type Answering = dyn Fn(usize, &Request) -> Reply + Send + Sync;

/// How the webhook decides.
enum Script {
    /// By a list, one reply after the other; after its end with 204.
    List(Mutex<VecDeque<Reply>>),
    /// By the number of the request (0 is the first) and the request.
    Function(Box<Answering>),
}

impl Script {
    /// Whether the next connection is to be closed unread. Only a list can decide that.
    fn refuses(&self) -> bool {
        let Self::List(list) = self else { return false };
        let mut list = list.lock().unwrap();
        let refuses = matches!(list.front(), Some(Reply::Refuse));
        if refuses {
            list.pop_front();
        }
        refuses
    }

    fn reply(&self, number: usize, request: &Request) -> Reply {
        match self {
            Self::List(list) => list.lock().unwrap().pop_front().unwrap_or(NO_CONTENT),
            Self::Function(function) => function(number, request),
        }
    }
}

/// A running webhook. It lives as long as the process.
pub struct Webhook {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Webhook {
    /// Starts a webhook that gives these replies, one after the other, and then accepts everything.
    pub fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::run(Script::List(Mutex::new(replies.into_iter().collect())))
    }

    /// Starts a webhook that asks a function for each reply, with the number of the request (0 is the first) and the request.
    pub fn start_with(reply: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::run(Script::Function(Box::new(reply)))
    }

    fn run(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let log = Arc::clone(&requests);
        let script = Arc::new(script);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                std::thread::spawn(move || serve(stream, &script, &log));
            }
        });
        Self { address, requests }
    }

    /// The URL of the webhook.
    pub fn url(&self) -> String {
        self.url_with("SECRET-TOKEN")
    }

    /// The URL with another token.
    pub fn url_with(&self, token: &str) -> String {
        format!("http://{}/api/webhooks/42/{token}", self.address)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The ids of the events that were accepted, in order.
    pub fn accepted(&self) -> Vec<String> {
        let requests = self.requests();
        let accepted = requests.iter().filter(|r| r.accepted);
        accepted.filter_map(Request::event_id).collect()
    }

    /// Waits until this many requests have come.
    ///
    /// # Panics
    /// After 60 seconds.
    pub fn wait(&self, count: usize) -> Vec<Request> {
        super::wait_for(&format!("{count} requests"), || {
            self.requests.lock().unwrap().len() >= count
        });
        self.requests()
    }
}

/// Answers the requests of one connection.
fn serve(mut stream: TcpStream, script: &Script, log: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        if script.refuses() {
            log.lock().unwrap().push(Request::new());
            return;
        }
        let Some(mut request) = read_request(&mut reader) else {
            return;
        };
        let reply = {
            let mut log = log.lock().unwrap();
            let reply = script.reply(log.len(), &request);
            request.accepted = reply.accepts();
            log.push(request);
            reply
        };
        let _ = match reply {
            Reply::Answer(status, headers, body) => write!(
                stream,
                "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}",
                body.len()
            ),
            Reply::CutHeaders => write!(stream, "HTTP/1.1 200 OK\r\ncontent-le"),
            Reply::CutBody => write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{{\"id\":"
            ),
            Reply::Garbage => write!(stream, "\u{1}\u{2} no http at all\r\n\r\n"),
            Reply::Slow(pause) => {
                std::thread::sleep(pause);
                write!(stream, "HTTP/1.1 204 X\r\ncontent-length: 0\r\n\r\n")
            }
            Reply::Hang(pause) => {
                std::thread::sleep(pause);
                return;
            }
            Reply::Refuse => return,
        };
        let _ = stream.flush();
        if matches!(reply, Reply::CutHeaders | Reply::CutBody | Reply::Garbage) {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut request = Request {
        path: line.split_whitespace().nth(1)?.to_owned(),
        ..Request::new()
    };
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        let name = name.to_ascii_lowercase();
        request.headers.insert(name, value.trim().to_owned());
    }
    if request.headers.contains_key("expect") {
        // curl asks before it sends a large body.
        let mut stream = reader.get_ref();
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    match request.headers.get("content-length") {
        Some(length) => {
            request.body = vec![0; length.parse().ok()?];
            reader.read_exact(&mut request.body).ok()?;
        }
        None => read_chunks(reader, &mut request.body)?,
    }
    request.at = Instant::now();
    Some(request)
}

fn read_chunks(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> Option<()> {
    loop {
        let mut size = String::new();
        reader.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        if size == 0 {
            return Some(());
        }
        body.extend_from_slice(&chunk[..size]);
    }
}
