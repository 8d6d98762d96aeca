//! `gametimes ...` on the server's console.

use super::{Mode, Module, TIMED_FRAMES};
use crate::VERSION;
use crate::deliver::handle::{Command, ConsoleRequest};
use crate::engine::traps::Engine;
use crate::settings::Settings;

impl<E: Engine> Module<E> {
    /// `CONSOLE_COMMAND`; true when it was ours.
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
                self.say(&format!("{other:?} is no command"));
                self.help();
            }
        }
        true
    }

    fn help(&self) {
        for line in [
            "gametimes status   version, round, players, outbox, last message",
            "gametimes test     posts a test message to every webhook and says what came of it",
            "gametimes reload   reads the settings anew",
            "gametimes help     this",
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
                    "cost of a frame: last {} ns, most {} ns (one in {TIMED_FRAMES} is timed)",
                    self.cost.last.as_nanos(),
                    self.cost.max.as_nanos()
                ));
            }
            Mode::Off(why) => self.say(&format!("v{VERSION} does not record: {why}")),
        }
        self.request(ConsoleRequest::Status);
    }

    fn reload(&mut self) {
        let (settings, warnings) = Settings::read(&self.engine, &mut self.kept);
        for line in warnings {
            self.say(&line);
        }
        let config = self.config(&settings, &self.level());
        self.command(Command::Reload(config));
        self.say(&format!(
            "settings read: webhooks {}; gametimes_enabled and gametimes_dir count from the next map",
            settings.webhooks.len()
        ));
    }

    fn request(&mut self, request: ConsoleRequest) {
        if let Some(observer) = self.watch() {
            observer.sink().request(request);
        }
    }

    fn command(&mut self, command: Command) {
        if let Some(observer) = self.watch() {
            observer.sink().give(command);
        }
    }
}
