//! Writes an ended round to disk and queues its message; also a round that a crash interrupted.

use gametimes_format::GametimesFile;
use uuid::Uuid;

use super::{EndedRound, Worker, flush_journal};
use crate::deliver::command::WorkerConfig;
use crate::deliver::journal::Recovered;
use crate::deliver::outbox::{Entry, webhook_key};
use crate::deliver::webhook::WebhookHandle;
use crate::engine::clock;
use crate::event::{Event, ShutdownCause, What};
use crate::fault;
use crate::report::{self, Identity, message};
use crate::track::{Outcome, Round, Tracker};

/// How many rounds that cannot be written are kept in memory.
const PENDING_LIMIT: usize = 50;

/// A round that could not be written yet.
#[derive(Debug)]
pub(super) struct PendingRound {
    file: GametimesFile,
    event_id: Uuid,
    /// Whether its message is in the outbox for every webhook.
    queued: bool,
    /// The keys of the webhooks that have it in their queue, or have sent it since.
    queued_for: Vec<String>,
}

impl Worker {
    /// Delivers the round that waits for its stats file.
    pub(super) fn report(&mut self) {
        if let Some(EndedRound {
            round, event_id, ..
        }) = self.ended.take()
        {
            self.deliver(*round, event_id, false);
        }
    }

    /// Delivers a round in four steps: sync the journal, queue the message, write the file, remove the journal. After a
    /// crash between two steps, the next start recovers the same round, loses nothing and sends nothing twice.
    fn deliver(&mut self, mut round: Round, event_id: Uuid, queued: bool) {
        if let Some(drift_seconds) = round.correct_clock() {
            self.say(&format!(
                "the system clock was changed by {drift_seconds} sec during the round; the round's times follow the game clock"
            ));
        }
        let identity = Identity {
            event_id,
            utc_offset_seconds: clock::utc_offset_seconds(round.end.unix_ms / 1000),
        };
        fault::point("report");
        let file = report::gametimes_file(&round, &identity);
        for line in report::summary(&file) {
            self.say(&line);
        }
        let mut pending = PendingRound {
            file,
            event_id,
            queued,
            queued_for: Vec::new(),
        };
        match self.try_deliver(&mut pending) {
            Ok(()) => {}
            Err(why) => {
                self.say(&format!(
                    "{} cannot be written: {why}; it is kept in memory and written later",
                    pending.file.file_name()
                ));
                if self.pending.len() == PENDING_LIMIT {
                    self.pending.pop_front();
                    self.say("too many rounds could not be written: the oldest is lost");
                }
                self.pending.push_back(pending);
            }
        }
    }

    fn try_deliver(&mut self, pending: &mut PendingRound) -> Result<(), String> {
        self.open_dir()?;
        fault::point("deliver");
        let (Some(dir), Some(config)) = (&mut self.dir, &self.config) else {
            return Err("there are no settings yet".to_owned());
        };
        flush_journal(dir, &self.console, true);
        let file = &pending.file;
        let bytes = serde_json::to_string(file).map_err(|e| e.to_string())?;
        if !pending.queued {
            match why_not_send(config, file) {
                Some(why) => self.console.line(&format!("message not sent: {why}")),
                None => {
                    let mut message = file.payload.clone();
                    if let Some(key) = &config.hmac_key {
                        message::sign(&mut message, key.reveal().as_bytes(), bytes.as_bytes());
                    }
                    let entry = Entry {
                        event_id: file.meta.event_id.clone(),
                        message,
                        file_name: file.file_name(),
                        file: bytes.clone(),
                    };
                    for webhook in config.webhooks.iter().map(webhook_key) {
                        if !pending.queued_for.contains(&webhook) {
                            dir.outbox
                                .put(&webhook, &entry, file, file.meta.round_end_unix * 1000)
                                .map_err(|e| format!("outbox: {e}"))?;
                            pending.queued_for.push(webhook);
                        }
                    }
                    // The senders are woken only now: a message that is sent must not be queued again after a crash.
                    dir.journal.queued(pending.event_id);
                    flush_journal(dir, &self.console, true);
                }
            }
            pending.queued = true;
            for name in dir.outbox.bound() {
                self.console
                    .line(&format!("the outbox is full: {name} was moved to dropped/"));
            }
            self.webhooks.iter().for_each(WebhookHandle::wake);
        }
        let path = dir
            .write(file, bytes.as_bytes(), config.file_mode)
            .map_err(|e| e.to_string())?;
        dir.journal.finished(pending.event_id);
        self.console
            .line(&format!("file written: {}", path.display()));
        Ok(())
    }

    /// Plays back a journal and delivers its round as one that a crash interrupted.
    pub(super) fn finish_recovered(&mut self, recovered: Recovered) {
        let Recovered {
            head,
            events,
            last,
            queued,
        } = recovered;
        let mut tracker = Tracker::resume(head.score, head.warmup_start_unix_ms);
        let mut ended = None;
        let crash = Event {
            at: last,
            what: What::Shutdown(ShutdownCause::Crash),
        };
        for event in events.iter().chain([&crash]) {
            match tracker.apply(event) {
                Some(Outcome::Ended(round)) => ended = Some(round),
                Some(Outcome::StatsFile(name)) => {
                    if let Some(round) = &mut ended {
                        round.stats_file = Some(name);
                    }
                }
                _ => {}
            }
        }
        let Some(round) = ended else {
            if let Some(dir) = &mut self.dir {
                dir.journal.remove();
            }
            return;
        };
        self.say("the server did not shut down cleanly: its last round is recovered");
        self.deliver(*round, head.event_id, queued);
    }

    /// Tries to write the pending rounds, the oldest first.
    pub(super) fn retry(&mut self) {
        if self.dir.is_none() && self.config.is_some() {
            let _ = self.open_dir();
        }
        for _ in 0..self.pending.len() {
            let Some(mut pending) = self.pending.pop_front() else {
                return;
            };
            if self.try_deliver(&mut pending).is_err() {
                self.pending.push_front(pending);
                return;
            }
        }
    }
}

/// The reason why a round's message is not sent; `None` if it is.
fn why_not_send(config: &WorkerConfig, file: &GametimesFile) -> Option<String> {
    let seconds = file.meta.actual_duration_seconds;
    if config.webhooks.is_empty() {
        Some("no webhook is set".to_owned())
    } else if file.meta.spawn_stats.is_empty() {
        Some("nobody played in this round".to_owned())
    } else if seconds < config.min_seconds {
        Some(format!(
            "the round of {seconds} sec is shorter than gametimes_min_seconds {}",
            config.min_seconds
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use crossbeam_channel::Receiver;
    use gametimes_format::{Secret, Team};

    use super::*;
    use crate::deliver::console::console;
    use crate::deliver::journal::Journal;
    use crate::event::{Level, Rules, Stamp, Text};
    use crate::first_round::FirstRound;

    const START_UNIX_MS: i64 = 1_795_000_000_000;

    /// A worker without its thread: the tests call it themselves.
    struct Bench {
        worker: Worker,
        lines: Receiver<String>,
        now_ms: i64,
        unix_ms: i64,
    }

    impl Bench {
        fn new(folder: &Path, webhooks: &[&str]) -> Self {
            let (console, lines) = console();
            let mut worker = Worker::new(console, Arc::default());
            worker.configure(
                WorkerConfig {
                    folder: folder.to_owned(),
                    instance: "x".to_owned(),
                    webhooks: webhooks.iter().copied().map(Secret::new).collect(),
                    min_seconds: 0,
                    keep_days: 0,
                    backlog_pause: Duration::ZERO,
                    file_mode: 0o640,
                    hmac_key: None,
                    live: None,
                    debug: false,
                    server_hostname: String::new(),
                },
                false,
            );
            let (now_ms, unix_ms) = (0, START_UNIX_MS);
            Self {
                worker,
                lines,
                now_ms,
                unix_ms,
            }
        }

        fn event(&mut self, ms: i64, what: What) {
            self.now_ms += ms;
            self.unix_ms += ms;
            let at = Stamp {
                level_ms: self.now_ms,
                unix_ms: self.unix_ms,
            };
            self.worker.event(&Event { at, what });
        }

        /// A round begins.
        fn start(&mut self) {
            self.start_round(1, None);
        }

        fn start_round(&mut self, round: u8, first_round: Option<FirstRound>) {
            let level = Level {
                map: "supply".to_owned(),
                max_clients: 64,
                first_round,
                ..Level::default()
            };
            self.event(0, What::Level(Box::new(level)));
            let rules = Rules {
                gametype: 3,
                round,
                timelimit_minutes: 20.0,
                ..Rules::default()
            };
            self.event(0, What::Rules(Box::new(rules)));
            // A round in which nobody plays is not posted.
            let guid = Text::new(b"A00000012469579A0BADF00CC0FFEE01");
            let connect = What::Connect {
                slot: 1,
                guid,
                is_local: false,
            };
            self.event(0, connect);
            let player = What::Player {
                slot: 1,
                team: Team::Axis.into(),
                name: Text::new(b"p1"),
            };
            self.event(0, player);
        }

        /// The map ends, and the round with it.
        fn stop(&mut self) {
            self.event(5000, What::Shutdown(ShutdownCause::MapChange));
            self.event(0, What::Closed);
        }

        /// How many new log lines contain this text.
        fn logged(&self, text: &str) -> usize {
            self.lines.try_iter().filter(|l| l.contains(text)).count()
        }
    }

    /// Puts a folder in the way of a file.
    fn block(path: &Path) {
        let _ = fs::remove_dir(path);
        fs::create_dir_all(path.join("in the way")).unwrap();
    }

    #[test]
    fn a_retry_queues_the_message_only_for_webhooks_that_lack_it() {
        let folder = tempfile::tempdir().unwrap();
        let urls = ["http://127.0.0.1:9/one", "http://127.0.0.1:9/two"];
        let mut play = Bench::new(folder.path(), &urls);
        play.worker.webhooks.clear(); // so that nothing is sent
        play.start();
        let queue = folder.path().join("outbox/x/queue");
        let name = |url| {
            let unix_ms = START_UNIX_MS + 5000;
            let (id, key) = (play.worker.event_id, webhook_key(&Secret::new(url)));
            format!("{unix_ms}-supply-R1-{id}.{key}.json")
        };
        let [one, two] = urls.map(name);
        block(&queue.join(&two));
        play.stop();
        assert_eq!(play.worker.pending.len(), 1);
        fs::remove_file(queue.join(&one)).unwrap(); // its webhook has sent it
        fs::remove_dir_all(queue.join(&two)).unwrap();
        play.worker.retry();
        assert!(play.worker.pending.is_empty());
        assert!(!queue.join(&one).exists(), "it would be sent twice");
        assert!(queue.join(&two).is_file());
    }

    #[test]
    fn the_journal_contains_the_end_of_the_round_before_its_message_is_queued() {
        let folder = tempfile::tempdir().unwrap();
        let mut play = Bench::new(folder.path(), &["http://127.0.0.1:9/one"]);
        play.start();
        let instance = folder.path().join("outbox/x");
        fs::remove_dir(instance.join("queue")).unwrap();
        fs::write(instance.join("queue"), "in the way").unwrap();
        play.stop();
        // What a start after a crash at this moment finds.
        let recovered = Journal::new(&instance).recover().unwrap();
        let end = What::Shutdown(ShutdownCause::MapChange);
        assert!(recovered.events.iter().any(|event| event.what == end));
    }

    #[test]
    fn a_recovered_round_has_correct_times_after_a_clock_change() {
        let folder = tempfile::tempdir().unwrap();
        let mut play = Bench::new(folder.path(), &[]);
        play.start();
        play.unix_ms -= 3_600_000;
        play.event(120_000, What::Limbo { slot: 1 });
        let journal = &mut play.worker.dir.as_mut().unwrap().journal;
        journal.flush(true).unwrap();
        drop(play); // the server crashes
        let play = Bench::new(folder.path(), &[]);
        assert_eq!(play.logged("clock was changed"), 1);
        let name = format!("gametime-supply-R1-{}.json", START_UNIX_MS / 1000 + 120);
        let bytes = fs::read(folder.path().join(name)).unwrap();
        let file: GametimesFile = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(file.meta.end_reason.as_str(), "server_crash");
        assert_eq!(file.meta.round_start_unix, START_UNIX_MS / 1000);
    }

    #[test]
    fn a_recovered_round_2_belongs_to_its_round_1() {
        let folder = tempfile::tempdir().unwrap();
        let mut play = Bench::new(folder.path(), &[]);
        let first = FirstRound {
            event_id: Uuid::from_u128(7),
            attackers: Some(Team::Allies.into()),
            held: Some(false),
            played_ms: 400_000,
            map: "supply".to_owned(),
        };
        play.start_round(2, Some(first.clone()));
        play.event(5000, What::Limbo { slot: 1 });
        let journal = &mut play.worker.dir.as_mut().unwrap().journal;
        journal.flush(true).unwrap();
        drop(play); // the server crashes
        drop(Bench::new(folder.path(), &[]));
        let name = format!("gametime-supply-R2-{}.json", START_UNIX_MS / 1000 + 5);
        let bytes = fs::read(folder.path().join(name)).unwrap();
        let meta = serde_json::from_slice::<GametimesFile>(&bytes)
            .unwrap()
            .meta;
        let id = first.event_id.to_string();
        assert_eq!(
            (&meta.match_uid, &meta.round_1_event_id),
            (&id, &Some(id.clone()))
        );
        let result = meta.map_result.unwrap();
        assert_eq!((result.winner, result.team_a_ms), (None, Some(400_000)));
    }

    #[test]
    fn the_oldest_of_too_many_pending_rounds_is_dropped_and_logged() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("gametimes");
        fs::write(&blocked, "a file where the folder should be").unwrap();
        let mut play = Bench::new(&blocked, &[]);
        for _ in 0..PENDING_LIMIT + 2 {
            play.start();
            play.stop();
            play.unix_ms += 10_000;
        }
        assert_eq!(play.worker.pending.len(), PENDING_LIMIT);
        assert_eq!(play.logged("the oldest is lost"), 2);
        fs::remove_file(&blocked).unwrap();
        play.worker.retry();
        let files = crate::deliver::files::names(&blocked);
        assert_eq!(files.len(), PENDING_LIMIT);
        let third = START_UNIX_MS / 1000 + 2 * 15 + 5;
        assert_eq!(files[0], format!("gametime-supply-R1-{third}.json"));
    }
}
