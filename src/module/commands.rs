//! `gametimes ...` on the server's console.

use super::frame::TIMED_FRAMES;
use super::{Mode, Module, worker_config};
use crate::VERSION;
use crate::deliver::command::{Command, ConsoleRequest};
use crate::engine::traps::Engine;
use crate::settings::Settings;

impl<E: Engine> Module<E> {
    /// `CONSOLE_COMMAND`. Returns whether it was a command of the module.
    pub fn console_command(&mut self) -> bool {
        if !self.engine.argument(0).eq_ignore_ascii_case("gametimes") {
            return false;
        }
        match self.engine.argument(1).to_ascii_lowercase().as_str() {
            "status" | "" => self.status(),
            "test" => self.request(ConsoleRequest::Test),
            "reload" => self.reload(),
            "help" => self.help(),
            other => {
                self.say(&format!("unknown command {other:?}"));
                self.help();
            }
        }
        true
    }

    fn help(&self) {
        for line in [
            "gametimes status   version, round, players, outbox, last message",
            "gametimes test     posts a test message to every webhook and shows the result",
            "gametimes reload   reads the settings again",
            "gametimes help     shows this list",
        ] {
            self.say(line);
        }
    }

    fn status(&mut self) {
        match self.mode.clone() {
            Mode::Native => {
                self.say(&format!(
                    "v{VERSION} records, engine {}",
                    self.engine_version
                ));
                self.say(&format!(
                    "cost per frame: last {} ns, highest {} ns (one in {TIMED_FRAMES} is timed)",
                    self.cost.last.as_nanos(),
                    self.cost.max.as_nanos()
                ));
            }
            Mode::Off(why) => self.say(&format!("v{VERSION} does not record: {why}")),
        }
        self.request(ConsoleRequest::Status);
    }

    fn reload(&mut self) {
        let (settings, warnings) = Settings::read(&self.engine, &mut self.secrets);
        for line in warnings {
            self.say(&line);
        }
        let config = worker_config(&settings, &self.level());
        if let (Mode::Native, Some(worker)) = (&self.mode, &self.worker) {
            worker.commands().queue(Command::Reload(config));
        }
        self.say(&format!(
            "settings read: webhooks {}; gametimes_enabled and gametimes_dir take effect with the next map",
            settings.webhooks.len()
        ));
    }

    fn request(&self, request: ConsoleRequest) {
        if let (Mode::Native, Some(worker)) = (&self.mode, &self.worker) {
            worker.request(request);
        }
    }
}
