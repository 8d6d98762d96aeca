//! From a round that is over to what lies on disk and in the outbox; also the round that a crash cut off.

use gametimes_format::GametimesFile;
use uuid::Uuid;

use super::{EndedRound, Worker, flush_journal};
use crate::deliver::handle::Config;
use crate::deliver::journal::Recovered;
use crate::deliver::outbox::{Entry, webhook_key};
use crate::deliver::webhook::WebhookHandle;
use crate::engine::clock;
use crate::event::{Event, ShutdownCause, What};
use crate::fault;
use crate::report::{self, Identity, message};
use crate::track::{Outcome, Round, Tracker};

/// Rounds that could not be written and are kept in memory at the most.
const PENDING_LIMIT: usize = 50;

/// A round that could not be written yet.
#[derive(Debug)]
pub(super) struct PendingRound {
    file: GametimesFile,
    event_id: Uuid,
    /// Its message is in the outbox for every target.
    queued: bool,
    /// The targets for which it is there already: they may have sent it since.
    queued_for: Vec<String>,
}

impl Worker {
    /// Writes and queues the round that is over.
    pub(super) fn report(&mut self) {
        if let Some(EndedRound {
            round, event_id, ..
        }) = self.ended.take()
        {
            self.deliver(*round, event_id, false);
        }
    }

    /// First the journal is brought up to date, then the message queued, then the file written, then the journal removed: a
    /// crash in between costs nothing, repeats nothing, and makes the same round again.
    fn deliver(&mut self, mut round: Round, event_id: Uuid, queued: bool) {
        if let Some(drift_seconds) = round.correct_clock() {
            self.say(&format!(
                "the system's clock was set by {drift_seconds} sec during the round; the round's times follow the game's clock"
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
        let mut unwritten = PendingRound {
            file,
            event_id,
            queued,
            queued_for: Vec::new(),
        };
        match self.try_deliver(&mut unwritten) {
            Ok(()) => {}
            Err(why) => {
                self.say(&format!(
                    "{} cannot be written: {why}; it is kept in memory and tried again",
                    unwritten.file.file_name()
                ));
                if self.pending.len() == PENDING_LIMIT {
                    self.pending.pop_front();
                    self.say("too many rounds could not be written: the oldest is lost");
                }
                self.pending.push_back(unwritten);
            }
        }
    }

    fn try_deliver(&mut self, unwritten: &mut PendingRound) -> Result<(), String> {
        self.open_dir()?;
        fault::point("deliver");
        let (Some(dir), Some(config)) = (&mut self.dir, &self.config) else {
            return Err("there are no settings yet".to_owned());
        };
        flush_journal(dir, &self.console, true);
        let file = &unwritten.file;
        let bytes = serde_json::to_string(file).map_err(|e| e.to_string())?;
        if !unwritten.queued {
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
                        if !unwritten.queued_for.contains(&webhook) {
                            dir.outbox
                                .put(&webhook, &entry, file, file.meta.round_end_unix * 1000)
                                .map_err(|e| format!("outbox: {e}"))?;
                            unwritten.queued_for.push(webhook);
                        }
                    }
                    // Only now may a target send: what is sent is never queued again after a crash.
                    dir.journal.queued(unwritten.event_id);
                    flush_journal(dir, &self.console, true);
                }
            }
            unwritten.queued = true;
            for name in dir.outbox.bound() {
                self.console
                    .line(&format!("the outbox is full: {name} went to dropped/"));
            }
            self.webhooks.iter().for_each(WebhookHandle::look);
        }
        let path = dir
            .write(file, bytes.as_bytes())
            .map_err(|e| e.to_string())?;
        dir.journal.finished(unwritten.event_id);
        self.console
            .line(&format!("file written: {}", path.display()));
        Ok(())
    }

    /// Plays a journal back and finishes its round as crashed.
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
        self.say("the server did not shut down as it should: its last round is recovered");
        self.deliver(*round, head.event_id, queued);
    }

    pub(super) fn retry(&mut self) {
        if self.dir.is_none() && self.config.is_some() {
            let _ = self.open_dir();
        }
        for _ in 0..self.pending.len() {
            let Some(mut unwritten) = self.pending.pop_front() else {
                return;
            };
            if self.try_deliver(&mut unwritten).is_err() {
                self.pending.push_front(unwritten);
                return;
            }
        }
    }
}

/// Why a round's message is not sent, if it is not.
fn why_not_send(config: &Config, file: &GametimesFile) -> Option<String> {
    let seconds = file.meta.actual_duration_seconds;
    if config.webhooks.is_empty() {
        Some("no webhook is set".to_owned())
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

    use crossbeam_channel::Receiver;
    use gametimes_format::Secret;

    use super::*;
    use crate::deliver::console::console;
    use crate::deliver::journal::Journal;
    use crate::event::{Level, Stamp};

    const START_UNIX_MS: i64 = 1_795_000_000_000;

    /// A worker that is called by hand: nothing happens between two calls.
    struct ByHand {
        worker: Worker,
        lines: Receiver<String>,
        now_ms: i64,
        unix_ms: i64,
    }

    impl ByHand {
        fn new(folder: &Path, webhooks: &[&str]) -> Self {
            let (console, lines) = console();
            let mut worker = Worker::new(console, Arc::default());
            worker.configure(
                Config {
                    folder: folder.to_owned(),
                    instance: "x".to_owned(),
                    webhooks: webhooks.iter().copied().map(Secret::new).collect(),
                    min_seconds: 0,
                    keep_days: 0,
                    hmac_key: None,
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

        /// Play begins.
        fn start(&mut self) {
            let level = Level {
                map: "supply".to_owned(),
                max_clients: 64,
                ..Level::default()
            };
            self.event(0, What::Level(Box::new(level)));
            let rules = What::Rules {
                gametype: 3,
                round: 1,
                timelimit_minutes: 20.0,
            };
            self.event(0, rules);
        }

        /// The map is over, and so is the round.
        fn stop(&mut self) {
            self.event(5000, What::Shutdown(ShutdownCause::MapChange));
            self.event(0, What::Closed);
        }

        fn said(&self, text: &str) -> usize {
            self.lines.try_iter().filter(|l| l.contains(text)).count()
        }
    }

    /// Makes the outbox unusable for one target, or for all.
    fn block(path: &Path) {
        let _ = fs::remove_dir(path);
        fs::create_dir_all(path.join("in the way")).unwrap();
    }

    #[test]
    fn a_round_that_is_queued_for_one_target_is_not_queued_for_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let urls = ["http://127.0.0.1:9/one", "http://127.0.0.1:9/two"];
        let mut play = ByHand::new(folder.path(), &urls);
        play.worker.webhooks.clear(); // nobody sends
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
        fs::remove_file(queue.join(&one)).unwrap(); // the first target took it
        fs::remove_dir_all(queue.join(&two)).unwrap();
        play.worker.retry();
        assert!(play.worker.pending.is_empty());
        assert!(!queue.join(&one).exists(), "it would be sent twice");
        assert!(queue.join(&two).is_file());
    }

    #[test]
    fn the_journal_tells_how_the_round_ended_before_its_message_is_queued() {
        let folder = tempfile::tempdir().unwrap();
        let mut play = ByHand::new(folder.path(), &["http://127.0.0.1:9/one"]);
        play.start();
        let instance = folder.path().join("outbox/x");
        fs::remove_dir(instance.join("queue")).unwrap();
        fs::write(instance.join("queue"), "in the way").unwrap();
        play.stop();
        // As after a crash at that moment.
        let recovered = Journal::new(&instance).recover().unwrap();
        let end = What::Shutdown(ShutdownCause::MapChange);
        assert!(recovered.events.iter().any(|event| event.what == end));
    }

    #[test]
    fn a_recovered_round_has_sound_times_when_the_clock_was_set() {
        let folder = tempfile::tempdir().unwrap();
        let mut play = ByHand::new(folder.path(), &[]);
        play.start();
        play.unix_ms -= 3_600_000;
        play.event(120_000, What::Limbo { slot: 1 });
        let journal = &mut play.worker.dir.as_mut().unwrap().journal;
        journal.flush(true).unwrap();
        drop(play); // the server crashes
        let play = ByHand::new(folder.path(), &[]);
        assert_eq!(play.said("clock was set"), 1);
        let name = format!("gametime-supply-R1-{}.json", START_UNIX_MS / 1000 + 120);
        let bytes = fs::read(folder.path().join(name)).unwrap();
        let file: GametimesFile = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(file.meta.end_reason.as_str(), "server_crash");
        assert_eq!(file.meta.round_start_unix, START_UNIX_MS / 1000);
    }

    #[test]
    fn the_oldest_of_too_many_unwritten_rounds_is_lost_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("gametimes");
        fs::write(&blocked, "a file where the folder should be").unwrap();
        let mut play = ByHand::new(&blocked, &[]);
        for _ in 0..PENDING_LIMIT + 2 {
            play.start();
            play.stop();
            play.unix_ms += 10_000;
        }
        assert_eq!(play.worker.pending.len(), PENDING_LIMIT);
        assert_eq!(play.said("the oldest is lost"), 2);
        fs::remove_file(&blocked).unwrap();
        play.worker.retry();
        let files = crate::deliver::files::names(&blocked);
        assert_eq!(files.len(), PENDING_LIMIT);
        let third = START_UNIX_MS / 1000 + 2 * 15 + 5;
        assert_eq!(files[0], format!("gametime-supply-R1-{third}.json"));
    }
}
