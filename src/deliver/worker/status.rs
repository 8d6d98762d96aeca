//! The worker's part of `gametimes status` and `gametimes test`.

use std::sync::atomic::Ordering;

use gametimes_format::text::counted;

use super::Worker;
use crate::deliver::webhook::WebhookHandle;
use crate::report::{message, minutes};

impl Worker {
    pub(super) fn status(&self) {
        let level_ms = self.shared.level_ms.load(Ordering::Relaxed);
        match self.tracker.live() {
            None => self.say("no round is being played"),
            Some(live) => {
                let paused = if live.is_paused() { ", paused" } else { "" };
                self.say(&format!(
                    "round: {} R{} played {}{paused}",
                    live.map,
                    live.number(),
                    minutes(live.played_ms(level_ms))
                ));
                for p in live.players(level_ms) {
                    let alive = if p.alive { "alive" } else { "dead" };
                    self.say(&format!(
                        "  {:2} {:6} {alive:5} dead {} {}",
                        p.slot,
                        p.team.name(),
                        minutes(p.dead_ms),
                        p.name
                    ));
                }
            }
        }
        if let Some(dir) = &self.dir {
            let waiting = dir.outbox.all().len();
            self.say(&format!(
                "outbox: {} waiting, {} not written yet",
                counted(waiting, "message"),
                counted(self.pending.len(), "round")
            ));
        }
        for status in self.webhooks.iter().map(WebhookHandle::status) {
            let off = if status.disabled { ", disabled" } else { "" };
            let last = if status.last.is_empty() {
                "nothing sent yet"
            } else {
                &status.last
            };
            let failures = match status.failures {
                0 => String::new(),
                n => format!(", failures in a row: {n}"),
            };
            self.say(&format!("webhook {}: {last}{failures}{off}", status.number));
        }
    }

    pub(super) fn test(&self) {
        if self.webhooks.is_empty() {
            self.say(
                "test: no webhook is set; see gametimes_webhook_url and gametimes_webhook_file",
            );
            return;
        }
        let hostname = self
            .config
            .as_ref()
            .map_or("", |c| c.server_hostname.as_str());
        for webhook in &self.webhooks {
            webhook.test(message::test_message(hostname));
        }
    }
}
