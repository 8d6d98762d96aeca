//! What `gametimes status` shows.
//!
//! The worker publishes it a few times a second, so that the game's thread can answer inside the command, and with it over rcon.

use gametimes_format::text::counted;

use super::live::LiveStatus;
use super::webhook::WebhookStatus;
use crate::report::minutes;
use crate::track::Live;

/// The state of the worker.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// The running round.
    pub round: Option<Live>,
    /// The outbox, if its folder can be used.
    pub outbox: Option<OutboxStatus>,
    /// The live file, if it is switched on.
    pub live: Option<LiveStatus>,
    /// The webhooks, in the order of the settings.
    pub webhooks: Vec<WebhookStatus>,
}

/// The state of the outbox.
#[derive(Debug, Clone, Copy)]
pub struct OutboxStatus {
    /// Messages that wait for a webhook.
    pub waiting: usize,
    /// Rounds that could not be written to disk yet.
    pub pending: usize,
}

impl Status {
    /// Passes each line to `say`. Times are those at this level time.
    pub fn print(&self, level_ms: i64, say: impl Fn(&str)) {
        match &self.round {
            None => say("no round is being played"),
            Some(live) => {
                let paused = if live.is_paused() { ", paused" } else { "" };
                say(&format!(
                    "round: {} R{} played {}{paused}",
                    live.map,
                    live.number,
                    minutes(live.played_ms(level_ms))
                ));
                for p in &live.players {
                    let alive = if p.alive { "alive" } else { "dead" };
                    say(&format!(
                        "  {:2} {:6} {alive:5} dead {} {}",
                        p.slot,
                        p.team.name(),
                        minutes(live.dead_ms(p, level_ms)),
                        p.name
                    ));
                }
            }
        }
        if let Some(outbox) = self.outbox {
            say(&format!(
                "outbox: {} waiting, {} not written yet",
                counted(outbox.waiting, "message"),
                counted(outbox.pending, "round")
            ));
        }
        if let Some(live) = &self.live {
            say(&format!("live file: {}", live.path.display()));
            if let Some(post) = &live.post {
                say(&format!(
                    "live: posts to {}: {}{}",
                    post.host,
                    or_nothing_yet(&post.last),
                    in_a_row(post.failures)
                ));
            }
        }
        for status in &self.webhooks {
            let off = if status.disabled { ", disabled" } else { "" };
            say(&format!(
                "webhook {}: {}{}{off}",
                status.number,
                or_nothing_yet(&status.last),
                in_a_row(status.failures)
            ));
        }
    }
}

fn or_nothing_yet(last: &str) -> &str {
    if last.is_empty() {
        "nothing sent yet"
    } else {
        last
    }
}

fn in_a_row(failures: u32) -> String {
    match failures {
        0 => String::new(),
        n => format!(", failures in a row: {n}"),
    }
}
