//! A bot in a process of its own, to be measured from outside.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gametimes_test_support::bot::free_port;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// A running bot. Dropping it ends it.
pub struct BotProcess {
    pub process: Child,
    pub port: u16,
}

impl BotProcess {
    /// Starts the bot with a command, such as `run`, and with these settings and an address to listen on. Returns when it answers.
    pub async fn start(folder: &Path, command: &str, settings: &str) -> Self {
        let port = free_port();
        let config = folder.join(format!("bot-{port}.toml"));
        let listen = format!("listen = '127.0.0.1:{port}'\n{settings}");
        std::fs::write(&config, listen).unwrap();
        let process = spawn(&config, &[command]);
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
        Self { process, port }
    }
}

/// Starts the bot with this configuration and these arguments.
pub fn spawn(config: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_gametimes-bot"))
        .arg("--config")
        .arg(config)
        .args(arguments)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for BotProcess {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
