//! The bot in a container. No engine is needed: these tests play the steps of Containerfile and compose.yaml with the built program.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::{free_port, get, get_with, wait_for};
use gametimes_test_support::samples::native_files;
use gametimes_test_support::season::Season;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(file: &str) -> String {
    let path = root().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The instructions of the Containerfile: their name and the rest of the line.
fn instructions() -> Vec<(String, String)> {
    let text = read("Containerfile");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let split = |line: &str| {
        let (name, rest) = line.split_once(' ').unwrap();
        (name.to_owned(), rest.to_owned())
    };
    lines.filter(|line| !line.is_empty()).map(split).collect()
}

/// What the last instruction of this name says.
fn instruction(name: &str) -> String {
    let found = instructions().into_iter().rfind(|(n, _)| n == name);
    found.unwrap_or_else(|| panic!("no {name}")).1
}

/// The words of an instruction in the form `["a", "b"]`.
fn words(text: &str) -> Vec<String> {
    serde_json::from_str(&text[text.find('[').unwrap()..]).unwrap()
}

/// The lines of the bot's `environment` in compose.yaml.
fn compose_environment() -> BTreeMap<String, String> {
    let text = read("compose.yaml");
    let bot = text.split("\n  bot:\n").nth(1).unwrap();
    let environment = bot.split("\n    environment:\n").nth(1).unwrap();
    let lines = environment
        .lines()
        .take_while(|line| line.starts_with("      "));
    let split = |line: &str| {
        let (name, value) = line.trim().split_once(": ").unwrap();
        (name.to_owned(), value.to_owned())
    };
    lines.map(split).collect()
}

#[test]
fn containerfile_builds_what_it_copies() {
    let cargo: toml::Table = read("Cargo.toml").parse().unwrap();
    let instructions = instructions();
    // All of the workspace gets into the first stage: cargo reads the manifests of all its members.
    let ignored = read(".dockerignore");
    let copied = instructions.iter().filter(|(name, _)| name == "COPY");
    let sources: Vec<&str> = copied.map(|(_, rest)| rest.as_str()).collect();
    let [all, built] = sources[..] else {
        panic!("{sources:?}");
    };
    assert_eq!(all, ". .");
    let members = cargo["workspace"]["members"].as_array().unwrap().iter();
    let members = members.map(|m| m.as_str().unwrap());
    for path in members.chain(["Cargo.toml", "Cargo.lock", "src/lib.rs", "build.rs", "ffi"]) {
        assert!(root().join(path).exists(), "{path}");
        let is_ignored = ignored
            .lines()
            .any(|line| !line.starts_with('#') && Path::new(path).starts_with(line));
        assert!(!is_ignored, "{path} is in .dockerignore");
    }
    let build = instructions
        .iter()
        .find(|(name, rest)| name == "RUN" && rest.starts_with("cargo build"));
    let build = &build.unwrap().1;
    let option = |name: &str| {
        let mut words = build.split(' ').skip_while(|word| *word != name);
        words.nth(1).unwrap()
    };
    let profile = option("--profile");
    assert!(cargo["profile"].get(profile).is_some(), "{profile}");
    assert_eq!(option("--package"), env!("CARGO_PKG_NAME"));
    let program = option("--bin");
    let workdir = &instructions.iter().find(|(n, _)| n == "WORKDIR").unwrap().1;
    let expected =
        format!("--from=build {workdir}/target/{profile}/{program} /usr/local/bin/{program}");
    assert_eq!(built, expected);
    assert_eq!(words(&instruction("ENTRYPOINT")), [program]);
    // The oldest compiler that can build it is in the image.
    let rust = &instructions[0].1;
    let manifest: toml::Table = read("bot/Cargo.toml").parse().unwrap();
    let needed = manifest["package"]["rust-version"].as_str().unwrap();
    assert!(rust.contains(&format!("rust:{needed}")), "{rust}");
}

/// A container: the image's program, user, environment and folder, with the volume `/data` in another place.
struct Container {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

impl Container {
    fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let container = Self {
            folder,
            environment: BTreeMap::new(),
        };
        let path = container.folder.path();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        // By another process: a child of another test could still have the file open when it is executed.
        let program = env!("CARGO_BIN_EXE_gametimes-bot");
        let copied = Command::new("cp").arg(program).arg(path).status();
        assert!(copied.unwrap().success());
        let data = container.data();
        std::fs::create_dir(&data).unwrap();
        if let Some(user) = user() {
            let chown = Command::new("chown").arg(&user).arg(&data).status();
            assert!(chown.unwrap().success());
        }
        let of_image = instructions().into_iter().filter(|(name, _)| name == "ENV");
        let of_image = of_image.map(|(_, rest)| {
            let (name, value) = rest.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        });
        let mut environment: BTreeMap<String, String> = of_image.chain(variables).collect();
        for value in environment.values_mut() {
            *value = value.replace("/data", data.to_str().unwrap());
        }
        Self {
            environment,
            ..container
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The image's program with these arguments.
    fn command(&self, arguments: &[String]) -> Command {
        let program = self.folder.path().join("gametimes-bot");
        let mut command = match user() {
            Some(user) => {
                let (uid, gid) = user.split_once(':').unwrap();
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid", uid, "--regid", gid, "--clear-groups"])
                    .args(["--no-new-privs", "--bounding-set=-all"])
                    .arg(program);
                command
            }
            None => Command::new(program),
        };
        command
            .args(arguments)
            .current_dir(self.data())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs(&self.environment);
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        self.command(&arguments).output().unwrap()
    }

    /// Does the health check of the image succeed?
    fn is_healthy(&self) -> bool {
        let check = words(&instruction("HEALTHCHECK"));
        let output = self.command(&check[1..]).output().unwrap();
        output.status.success()
    }
}

/// The user of the image; `None` if this test may not become another user.
fn user() -> Option<String> {
    let id = Command::new("id").arg("-u").output().unwrap();
    (id.stdout == b"0\n").then(|| instruction("USER"))
}

/// A process that ends with the test.
struct Running(Child);

impl Running {
    /// Sends SIGTERM and returns the exit code.
    fn terminate(&mut self) -> Option<i32> {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn container_is_set_up_becomes_healthy_and_stops() {
    let cluster = tokio::task::spawn_blocking(Cluster::shared).await.unwrap();
    let port = free_port();
    let token = "a-token-of-20-letters";
    let variables = compose_environment().into_iter().map(|(name, value)| {
        let value = match name.as_str() {
            "GAMETIMES_DATABASE_URL" => {
                assert!(value.starts_with("postgres://gametimes:${POSTGRES_PASSWORD:?"));
                assert!(value.ends_with("}@db/gametimes"), "{value}");
                cluster.database()
            }
            "GAMETIMES_API_TOKEN" => token.to_owned(),
            _ => panic!("{name}"),
        };
        (name, value)
    });
    let listen = instruction("ENV");
    let listen = listen.strip_prefix("GAMETIMES_LISTEN=").unwrap();
    let listen = listen.replace(":8650", &format!(":{port}"));
    let variables = variables.chain([("GAMETIMES_LISTEN".to_owned(), listen)]);
    let container = Container::new(variables);
    let stats = container.folder.path().join("stats");
    std::fs::create_dir(&stats).unwrap();
    for (name, bytes) in native_files("stopwatch") {
        std::fs::write(stats.join(name), bytes).unwrap();
    }

    assert!(!container.is_healthy());
    let folder = stats.to_str().unwrap();
    let set_up = container.output(&["init", "--no-input", "--no-discord", "--folder", folder]);
    assert!(set_up.status.success(), "{set_up:?}");
    // A program that was called by its path is shown that way, so that what is shown can be copied.
    let shown = String::from_utf8_lossy(&set_up.stdout);
    let program = container.folder.path().join("gametimes-bot");
    let start = format!("Start the bot with: {} --config ", program.display());
    assert!(shown.contains(&start), "{shown}");
    let settings = container.data().join("gametimes-bot.toml");
    let mode = settings.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let run = container
        .command(&words(&instruction("CMD")))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut run = Running(run.unwrap());
    wait_for("a healthy container", || async {
        container.is_healthy().then_some(())
    })
    .await;
    let url = format!("http://127.0.0.1:{port}/api/rounds");
    assert_eq!(get(&url).await.0, 401);
    wait_for("the rounds", || async {
        let (_, rounds) = get_with(&url, Some(token)).await;
        (rounds.as_array().is_some_and(|list| list.len() == 3)).then_some(())
    })
    .await;
    assert_eq!(run.terminate(), Some(0));
    assert!(!container.is_healthy());
}

/// The rounds in a database without what depends on the order in which files were read.
fn rounds(container: &Container) -> Vec<String> {
    let output = container.output(&["rounds", "--json", "--limit", "9999"]);
    assert!(output.status.success(), "{output:?}");
    let mut list: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    for round in &mut list {
        round.as_object_mut().unwrap().remove("id");
    }
    let mut list: Vec<String> = list.iter().map(Value::to_string).collect();
    list.sort();
    list
}

#[tokio::test(flavor = "multi_thread")]
async fn bot_stopped_in_the_middle_of_many_files_reads_the_rest_after_the_next_start() {
    let season = Season {
        evenings: 30,
        rounds: 300,
        ..Season::default()
    };
    let files = tempfile::tempdir().unwrap();
    std::fs::set_permissions(files.path(), PermissionsExt::from_mode(0o755)).unwrap();
    season.write(files.path()).unwrap();
    let folders = ["gametimes", "gamestats"].map(|f| files.path().join(f).display().to_string());
    let port = free_port();
    let container = || {
        Container::new(
            [
                ("GAMETIMES_FOLDERS", folders.join(",")),
                ("GAMETIMES_LISTEN", format!("127.0.0.1:{port}")),
                ("GAMETIMES_TIME_ZONE", "Europe/Berlin".to_owned()),
                ("GAMETIMES_DATABASE_URL", "sqlite:bot.db".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        )
    };
    let settings = |container: &Container| {
        std::fs::write(container.data().join("gametimes-bot.toml"), "").unwrap();
    };
    let (stopped, whole) = (container(), container());
    settings(&stopped);
    settings(&whole);
    let ingest: Vec<&str> = folders.iter().map(String::as_str).collect();
    let ingested = whole.output(&[&["ingest"], &ingest[..]].concat());
    assert!(ingested.status.success(), "{ingested:?}");
    let expected = rounds(&whole);

    let url = format!("http://127.0.0.1:{port}/api/rounds?limit=1");
    let start = || {
        let run = stopped
            .command(&["run".to_owned()])
            .stderr(Stdio::null())
            .spawn();
        Running(run.unwrap())
    };
    let mut run = start();
    wait_for("the first round", || async {
        if !stopped.is_healthy() {
            return None;
        }
        let (_, list) = get(&url).await;
        list.as_array().filter(|l| !l.is_empty()).map(drop)
    })
    .await;
    assert_eq!(run.terminate(), Some(0));
    let stored = rounds(&stopped).len();
    assert!(0 < stored && stored < expected.len(), "{stored} rounds");

    let mut run = start();
    wait_for("all rounds", || async {
        (rounds(&stopped) == expected).then_some(())
    })
    .await;
    assert_eq!(run.terminate(), Some(0));
}
