//! `gametimes ...` on the server's console.

use gametimes_format::text::counted;

use super::frame::TIMED_FRAMES;
use super::{Mode, Module, worker_config};
use crate::VERSION;
use crate::deliver::command::Command;
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
            "test" => self.test(),
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
            "gametimes test     posts a test message to every webhook",
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
        if let (Mode::Native, Some(worker)) = (&self.mode, &self.worker) {
            match worker.status() {
                Some(status) => status.print(worker.level_ms(), |line| self.say(line)),
                None => self.say("the background thread is busy; ask again"),
            }
        }
    }

    fn test(&self) {
        let (Mode::Native, Some(worker)) = (&self.mode, &self.worker) else {
            self.say("test: the module posts nothing on this map, see gametimes status");
            return;
        };
        if self.webhooks == 0 {
            self.say(
                "test: no webhook is set; see gametimes_webhook_url and gametimes_webhook_file",
            );
            return;
        }
        worker.request_test();
        self.say(&format!(
            "test: a test message goes to {}; the result will be in the server's log and in gametimes status",
            counted(self.webhooks, "webhook")
        ));
    }

    fn reload(&mut self) {
        let (settings, warnings) = Settings::read(&self.engine, &mut self.secrets);
        for line in warnings {
            self.say(&line);
        }
        self.webhooks = settings.webhooks.len();
        let config = worker_config(&settings, &self.level());
        if let (Mode::Native, Some(worker)) = (&self.mode, &self.worker) {
            worker.commands().queue(Command::Reload(config));
        }
        self.say(&format!(
            "settings read: webhooks {}; gametimes_enabled and gametimes_dir take effect with the next map",
            settings.webhooks.len()
        ));
    }
}
