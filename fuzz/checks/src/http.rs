//! Any request to the bot's web server: no panic, a documented status, errors as JSON or as a page, nothing without the token, and pages
//! without foreign markup.
//!
//! An input is a request as text: method and target, lines of headers, an empty line, the body. In the header `X-Gametimes-Signature`,
//! `valid` is replaced by the signature of the body, and in the body `"unix_ms":0` by the time, because no fuzzer finds those.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use gametimes_bot::config::Secret;
use gametimes_bot::db::{Db, IngestItem};
use gametimes_bot::http::{App, Drawings, Sources, router};
use gametimes_bot::live::{Live, Transport, check};
use gametimes_bot::status::Status;
use gametimes_format::digest::sign;
use gametimes_format::live::SIGNATURE_HEADER;
use gametimes_test_support::samples::{native_files, sample_files};
use jiff::tz::TimeZone;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

use crate::markup;

/// The token of the server that requires one; the seeds contain it.
const TOKEN: &str = "the-token-of-a-test";
const KEY: &str = "the key of posted snapshots";
/// The website whose scripts may read the API.
const ORIGIN: &str = "https://www.example.org";
/// What needs no token. `POST /api/live` needs a signature instead.
const OPEN_PATHS: [&str; 4] = ["/api/health", "/live/obs", "/live.js", "/live.css"];

/// The statuses of a path of the API, by method.
type Statuses = BTreeMap<Method, BTreeSet<u16>>;

/// A web server on a database with a few rounds.
pub struct WebServer {
    runtime: Runtime,
    /// The one that requires the token.
    closed: App,
    /// Those of a server that answers everybody, and of one that requires the token.
    routers: [Router; 2],
    /// What docs/openapi.json promises, by the segments of the path.
    documented: Vec<(Vec<String>, Statuses)>,
    _stop: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

/// What was answered.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    /// `None` if it is a stream or compressed.
    body: Option<Bytes>,
}

impl WebServer {
    /// Stores the rounds, some of whose names are markup, in a new SQLite database.
    ///
    /// # Panics
    /// If the database cannot be made.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (stop, stopped) = watch::channel(false);
        let open = runtime.block_on(async {
            let url = format!("sqlite:{}", folder.path().join("bot.db").display());
            let db = Db::open(&url, TimeZone::UTC).await.expect("a database");
            let report = db.ingest(&files()).await.expect("an answer");
            assert_eq!((report.new_facts, report.rejected), (7, 0), "{report:?}");
            db.refresh_players().await.expect("an answer");
            App {
                db,
                status: Arc::new(Status::default()),
                token: None,
                listen: ([127, 0, 0, 1], 8650).into(),
                allowed_hosts: ["stats.example.org".to_owned()].into(),
                cors_origins: [ORIGIN.to_owned()].into(),
                public_url: Some("https://stats.example.org".into()),
                sources: Sources::Configured,
                drawings: Drawings::default(),
                live: Arc::new(Live::new(Duration::ZERO)),
                live_delay: Duration::ZERO,
                live_token: None,
                live_key: Some(Secret::new(KEY)),
                streams: Arc::new(Semaphore::new(4)),
                stopped,
            }
        });
        let snapshot = include_bytes!("../../seeds/live_snapshot/stopwatch.json");
        let snapshot = check::read(snapshot).expect("a snapshot");
        open.live.offer(snapshot, Transport::File);
        let mut closed = open.clone();
        closed.token = Some(Secret::new(TOKEN));
        let mut server = Self {
            runtime,
            routers: [router(open), router(closed.clone())],
            closed,
            documented: Vec::new(),
            _stop: stop,
            _folder: folder,
        };
        server.documented = server.description();
        server
    }

    /// Checks the answers to one request, with and without a token on the server.
    pub fn check(&self, input: &[u8]) {
        let Some(request) = parse(input) else { return };
        let answer = self.ask(&self.routers[0], &request);
        self.check_answer(&request, &answer);
        let closed = self.ask(&self.routers[1], &request);
        self.check_answer(&request, &closed);
        if needs_token(&request) {
            assert_eq!(closed.status, StatusCode::UNAUTHORIZED, "{request:?}");
        }
        if request.method() == Method::POST && request.uri().path() == "/api/live" {
            self.post(&request);
        }
        if let Some(tag) = answer.headers.get(header::ETAG)
            && request.method() == Method::GET
        {
            let mut again = request.clone();
            again
                .headers_mut()
                .insert(header::IF_NONE_MATCH, tag.clone());
            let answer = self.ask(&self.routers[0], &again);
            assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{request:?}");
            assert!(answer.body.is_none_or(|body| body.is_empty()));
        }
    }

    /// A snapshot that is taken is shown to the holder of the token, and to others only later.
    fn post(&self, request: &Request<Bytes>) {
        let mut app = self.closed.clone();
        app.live_delay = Duration::from_secs(60);
        app.live = Arc::new(Live::new(app.live_delay));
        let closed = router(app.clone());
        app.token = None;
        let open = router(app);
        let answer = self.ask(&closed, request);
        self.check_answer(request, &answer);
        let is_taken = answer.status == StatusCode::NO_CONTENT;
        let with_token = format!("GET /api/live\nAuthorization: Bearer {TOKEN}");
        for (router, sees) in [(&closed, is_taken), (&open, false)] {
            let request = parse(with_token.as_bytes()).expect("a request");
            let body = self.ask(router, &request).body.expect("a body");
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            let servers = body["servers"].as_array().map_or(0, Vec::len);
            assert_eq!(servers, usize::from(sees), "{body}");
        }
    }

    fn ask(&self, router: &Router, request: &Request<Bytes>) -> Answer {
        let request = request.clone().map(Body::from);
        self.runtime.block_on(async {
            let answer = router.clone().oneshot(request).await;
            let (head, body) = answer.unwrap_or_else(|e| match e {}).into_parts();
            let is_stream = content_type(&head.headers) == "text/event-stream";
            let is_plain = !head.headers.contains_key(header::CONTENT_ENCODING);
            let body = match is_plain && !is_stream {
                true => Some(to_bytes(body, usize::MAX).await.expect("a whole body")),
                false => None,
            };
            Answer {
                status: head.status,
                headers: head.headers,
                body,
            }
        })
    }

    fn check_answer(&self, request: &Request<Bytes>, answer: &Answer) {
        let shown = || format!("{:?} to {request:?}", answer.status);
        let allowed = self.allowed(request.method(), request.uri().path());
        assert!(allowed.contains(&answer.status.as_u16()), "{}", shown());
        let allowed_origin = answer.headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        assert!(allowed_origin.is_none_or(|origin| origin == ORIGIN));
        if request.method() == Method::OPTIONS {
            return;
        }
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(answer.headers.contains_key(header::CONTENT_SECURITY_POLICY));
        let Some(body) = answer.body.as_ref().filter(|body| !body.is_empty()) else {
            return;
        };
        assert_ne!(request.method(), Method::HEAD, "{}", shown());
        let kind = content_type(&answer.headers);
        if kind == "application/json" {
            let json: Value = serde_json::from_slice(body).expect("JSON");
            let message = &json["error"]["message"];
            assert!(
                !answer.status.is_client_error() || message.is_string(),
                "{}",
                shown()
            );
            return;
        }
        if kind.starts_with("text/html") || kind.starts_with("image/svg+xml") {
            markup::check(std::str::from_utf8(body).expect("text"));
        }
        // Browsers get a page.
        assert!(
            !answer.status.is_client_error() || kind.starts_with("text/html"),
            "{} with {kind}",
            shown()
        );
    }

    /// The statuses that a request may get. The database works, so 503 is none of them.
    fn allowed(&self, method: &Method, path: &str) -> BTreeSet<u16> {
        let mut allowed = self.allowed_as_json(method, path);
        if let Some(path) = path.strip_suffix(".csv") {
            allowed.extend(self.allowed_as_json(method, path));
        }
        allowed
    }

    fn allowed_as_json(&self, method: &Method, path: &str) -> BTreeSet<u16> {
        if method == Method::OPTIONS {
            // A browser that asks whether a script may read.
            return [200].into();
        }
        let segments: Vec<&str> = path.split('/').collect();
        let fits = |template: &[String]| {
            let pairs = || template.iter().zip(&segments);
            template.len() == segments.len()
                && pairs().all(|(t, s)| t == s || (t.starts_with('{') && !s.is_empty()))
        };
        let of_path = self.documented.iter().find(|(template, _)| fits(template));
        let is_read = [Method::GET, Method::HEAD].contains(method);
        let asked = if is_read { &Method::GET } else { method };
        match of_path {
            Some((_, methods)) => match methods.get(asked) {
                Some(statuses) => statuses.iter().copied().filter(|s| *s != 503).collect(),
                None => [401, 405, 421].into(),
            },
            None if is_read => [200, 304, 400, 401, 404, 421].into(),
            None => [401, 404, 405, 421].into(),
        }
    }

    /// Reads the server's own description of its API.
    fn description(&self) -> Vec<(Vec<String>, Statuses)> {
        let request = parse(b"GET /api/openapi.json").expect("a request");
        let body = self.ask(&self.routers[0], &request).body.expect("a body");
        let description: Value = serde_json::from_slice(&body).expect("JSON");
        let paths = description["paths"].as_object().expect("paths");
        let mut documented: Vec<_> = paths
            .iter()
            .map(|(path, methods)| {
                let methods = methods.as_object().expect("methods").iter();
                let statuses = methods.map(|(method, of_method)| {
                    let responses = of_method["responses"].as_object().expect("responses");
                    let statuses = responses.keys().map(|s| s.parse().expect("a status"));
                    let method = Method::from_bytes(method.to_uppercase().as_bytes());
                    (method.expect("a method"), statuses.collect())
                });
                let segments = path.split('/').map(str::to_owned).collect();
                (segments, statuses.collect())
            })
            .collect();
        // A path without a parameter comes first, as in the router.
        documented.sort_by_key(|(segments, _): &(Vec<String>, _)| {
            segments.iter().filter(|s| s.starts_with('{')).count()
        });
        assert!(documented.len() >= 15, "{documented:?}");
        documented
    }
}

/// Rounds with all kinds of files. Two players and a server have names that a page must not take for markup.
fn files() -> Vec<IngestItem> {
    let mut files = sample_files("gamestats");
    for (name, bytes) in native_files("surrender") {
        let text = String::from_utf8(bytes).expect("a gametimes file is UTF-8");
        let text = text
            .replace("Player01", "<script>alert(1)</script>")
            .replace("Player02", r#"\" onfocus=\"alert(1)"#);
        assert!(text.contains("<script>") && text.contains("onfocus"));
        files.push((name, text.into_bytes()));
    }
    files
        .into_iter()
        .map(|(name, bytes)| IngestItem::from_file("folder", &name, "", bytes))
        .collect()
}

/// Reads a request; `None` for what hyper would refuse.
fn parse(input: &[u8]) -> Option<Request<Bytes>> {
    let end = input.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&input[..end], &input[end + 2..]),
        None => (input, &[][..]),
    };
    let mut lines = head.split(|b| *b == b'\n');
    let mut words = lines.next()?.splitn(2, |b| *b == b' ');
    let method = Method::from_bytes(words.next()?).ok()?;
    let uri = Uri::try_from(words.next()?).ok()?;
    let body = with_time(body);
    let mut request = Request::new(Bytes::new());
    for line in lines {
        let colon = line.iter().position(|b| *b == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = line[colon + 1..].trim_ascii();
        let value = match (name.as_str(), value) {
            (name, b"valid") if name.eq_ignore_ascii_case(SIGNATURE_HEADER) => {
                format!("sha256={}", sign(KEY.as_bytes(), &body)).into_bytes()
            }
            _ => value.to_vec(),
        };
        let value = HeaderValue::from_bytes(&value).ok()?;
        request.headers_mut().append(name, value);
    }
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.body_mut() = body.into();
    Some(request)
}

fn with_time(body: &[u8]) -> Vec<u8> {
    const NONE: &[u8] = b"\"unix_ms\":0";
    let Some(at) = body.windows(NONE.len()).position(|part| part == NONE) else {
        return body.to_vec();
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_ms = now.map_or(0, |now| now.as_millis());
    let end = at + NONE.len();
    [
        &body[..end - 1],
        now_ms.to_string().as_bytes(),
        &body[end..],
    ]
    .concat()
}

/// Whether a request must be refused by the server with a token: it does not contain the token in any form.
fn needs_token(request: &Request<Bytes>) -> bool {
    let path = request.uri().path();
    let is_open = OPEN_PATHS.contains(&path)
        || request.method() == Method::OPTIONS
        || (request.method() == Method::POST && path == "/api/live");
    let given = request.headers().get_all(header::AUTHORIZATION).iter();
    let may_be_token = |value: &HeaderValue| {
        let value = value.as_bytes();
        let is_basic = value.len() >= 5 && value[..5].eq_ignore_ascii_case(b"basic");
        is_basic
            || value
                .windows(TOKEN.len())
                .any(|part| part == TOKEN.as_bytes())
    };
    !is_open && !given.into_iter().any(may_be_token)
}

fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE);
    value.and_then(|v| v.to_str().ok()).unwrap_or_default()
}
