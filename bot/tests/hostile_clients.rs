//! Clients that hold connections, and websites that use their visitors' browsers, against the HTTP server.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use gametimes_bot::config::Secret;
use gametimes_test_support::bot::{config_in, get, wait_for};
use gametimes_test_support::samples::{native_files, sample_files};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

/// The limit of open files. Half of it is for connections.
const FILES: u64 = 128;

/// A running `gametimes-bot run`.
struct Program {
    child: Child,
    url: String,
    folder: tempfile::TempDir,
    log: Arc<Mutex<Vec<String>>>,
}

impl Program {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("files");
        std::fs::create_dir(&files).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", &format!("ulimit -n {FILES}; exec \"$0\" run")])
            .arg(env!("CARGO_BIN_EXE_gametimes-bot"))
            .env(
                "GAMETIMES_DATABASE_URL",
                format!("sqlite:{}", folder.path().join("bot.db").display()),
            )
            .env("GAMETIMES_LISTEN", "127.0.0.1:0")
            .env("GAMETIMES_FOLDERS", &files)
            .env("GAMETIMES_POLL_SECONDS", "5")
            .env("GAMETIMES_TIME_ZONE", "UTC")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, stderr) = (Arc::clone(&log), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let mut program = Self {
            child,
            url: String::new(),
            folder,
            log,
        };
        let line = program.wait_for_line("listening on ").await;
        let (_, url) = line.split_once("listening on ").unwrap();
        program.url = url.trim().to_owned();
        program
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Opens connections and sends a part of a request on every second one.
    fn hold(&self, count: usize) -> Vec<TcpStream> {
        let address = self.url.trim_start_matches("http://");
        let open = |n| {
            let mut stream = TcpStream::connect(address).unwrap();
            if n % 2 == 0 {
                stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
            }
            stream
        };
        (0..count).map(open).collect()
    }

    fn lines_with(&self, text: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter(|line| line.contains(text))
            .cloned()
            .collect()
    }

    async fn wait_for_line(&self, text: &str) -> String {
        wait_for(text, || async { self.lines_with(text).pop() }).await
    }

    /// Stops the program as systemd does.
    async fn stop(mut self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
        let status = tokio::task::spawn_blocking(move || self.child.wait().unwrap());
        let status = tokio::time::timeout(gametimes_test_support::bot::TIMEOUT, status).await;
        assert!(status.expect("the program ends").unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_stop_neither_pages_nor_ingestion() {
    let program = Program::start().await;
    let held = program.hold(4 * FILES as usize);
    let (status, _) = get(&format!("{}/", program.url)).await;
    assert_eq!(status, 200);
    let files = program.folder.path().join("files");
    let rounds = native_files("surrender");
    for (name, bytes) in rounds.iter().chain(&sample_files("gamestats")) {
        std::fs::write(files.join(name), bytes).unwrap();
    }
    let list = format!("{}/api/rounds", program.url);
    wait_for("the rounds", || async {
        let (_, body) = get(&list).await;
        let list = body.as_array()?.iter();
        let recorded = list.filter(|round| round["recorder"] == "native").count();
        (recorded == rounds.len()).then_some(())
    })
    .await;
    assert_eq!(
        program.lines_with("max_connections").len(),
        1,
        "logged once"
    );
    assert!(program.lines_with("Too many open files").is_empty());
    program.stop().await;
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn server_without_free_files_accepts_again_when_there_are_some() {
    let program = Program::start().await;
    let limit = |current| Rlimit {
        current: Some(current),
        maximum: Some(FILES),
    };
    prlimit(Some(program.pid()), Resource::Nofile, limit(1)).unwrap();
    let held = program.hold(1);
    program
        .wait_for_line("accepting a connection: Too many open files")
        .await;
    prlimit(Some(program.pid()), Resource::Nofile, limit(FILES)).unwrap();
    let (status, _) = get(&format!("{}/", program.url)).await;
    assert_eq!(status, 200);
    drop(held);
    program.stop().await;
}

/// GET with another `Host`, and the token: the status and the body.
async fn get_as(url: String, host: &'static str, token: Option<&'static str>) -> (u16, String) {
    let fetch = move || {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let mut request = agent.get(url).header("Host", host);
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut response = request.call().unwrap();
        let body = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), body)
    };
    tokio::task::spawn_blocking(fetch).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn website_that_points_its_name_at_the_bot_reads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    config.allowed_hosts = vec!["stats.example.org".into()];
    let bot = gametimes_bot::start(config).await.unwrap();
    for path in [
        "/",
        "/api/rounds",
        "/api/health",
        "/metrics",
        "/delivery",
        "/style.css",
    ] {
        for host in [
            "rebind.example.com",
            "rebind.example.com:8650",
            "localhost.example.com",
        ] {
            let (status, body) = get_as(bot.url(path), host, None).await;
            assert_eq!(status, 421, "{host}{path}");
            assert!(body.contains("allowed_hosts"), "{body}");
        }
        for host in [
            "localhost",
            "localhost:8650",
            "127.0.0.1",
            "[::1]:8650",
            "stats.example.org",
        ] {
            assert_eq!(
                get_as(bot.url(path), host, None).await.0,
                200,
                "{host}{path}"
            );
        }
    }
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_every_host_name_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    config.api_token = Some(Secret::new("a-long-enough-token"));
    let bot = gametimes_bot::start(config).await.unwrap();
    let ask = async |token| get_as(bot.url("/"), "stats.example.org", token).await.0;
    assert_eq!(ask(None).await, 401);
    assert_eq!(ask(Some("a-long-enough-token")).await, 200);
    bot.stop().await.unwrap();
}
