//! From a round that is over to what lies on disk and in the outbox; also the round that a crash cut off.

use gametimes_format::GametimesFile;

use super::{Clerk, Reporting};
use crate::deliver::journal::Recovered;
use crate::deliver::outbox::{Entry, target_key};
use crate::deliver::target::Target;
use crate::deliver::worker::Config;
use crate::engine::clock;
use crate::event::{Event, ShutdownCause, What};
use crate::fault;
use crate::report::{self, Identity, message};
use crate::track::{Outcome, Tracker};

/// Rounds that could not be written and are kept in memory at the most.
const UNWRITTEN_LIMIT: usize = 50;

/// A round that could not be written yet.
#[derive(Debug)]
pub(super) struct Unwritten {
    file: GametimesFile,
    queued: bool,
}

impl Clerk {
    /// Writes and queues the round that is over.
    pub(super) fn report(&mut self) {
        let Some(Reporting {
            mut round,
            event_id,
            ..
        }) = self.reporting.take()
        else {
            return;
        };
        if let Some(drift_seconds) = round.mend_clock() {
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
        self.deliver(file, false);
    }

    /// First the message is queued, then the file written, then the journal removed: a crash in between costs nothing and
    /// repeats nothing.
    fn deliver(&mut self, file: GametimesFile, queued: bool) {
        let mut unwritten = Unwritten { file, queued };
        match self.try_deliver(&mut unwritten) {
            Ok(()) => {}
            Err(why) => {
                self.say(&format!(
                    "{} cannot be written: {why}; it is kept in memory and tried again",
                    unwritten.file.file_name()
                ));
                if self.unwritten.len() == UNWRITTEN_LIMIT {
                    self.unwritten.pop_front();
                    self.say("too many rounds could not be written: the oldest is lost");
                }
                self.unwritten.push_back(unwritten);
            }
        }
    }

    fn try_deliver(&mut self, unwritten: &mut Unwritten) -> Result<(), String> {
        self.open_desk()?;
        fault::point("deliver");
        let (Some(desk), Some(config)) = (&mut self.desk, &self.config) else {
            return Err("there are no settings yet".to_owned());
        };
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
                    for target in config.webhooks.iter().map(target_key) {
                        desk.outbox
                            .put(&target, &entry, file, file.meta.round_end_unix * 1000)
                            .map_err(|e| format!("outbox: {e}"))?;
                    }
                    // Only now may a target send: what is sent is never queued again after a crash.
                    let _ = desk.journal.queued();
                }
            }
            unwritten.queued = true;
            for name in desk.outbox.bound() {
                self.console
                    .line(&format!("the outbox is full: {name} went to dropped/"));
            }
            self.targets.iter().for_each(Target::look);
        }
        let path = desk
            .write(file, bytes.as_bytes())
            .map_err(|e| e.to_string())?;
        desk.journal.remove();
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
            if let Some(desk) = &mut self.desk {
                desk.journal.remove();
            }
            return;
        };
        let identity = Identity {
            event_id: head.event_id,
            utc_offset_seconds: clock::utc_offset_seconds(round.end.unix_ms / 1000),
        };
        self.say("the server did not shut down as it should: its last round is recovered");
        let file = report::gametimes_file(&round, &identity);
        for line in report::summary(&file) {
            self.say(&line);
        }
        self.deliver(file, queued);
    }

    pub(super) fn retry(&mut self) {
        if self.desk.is_none() && self.config.is_some() {
            let _ = self.open_desk();
        }
        for _ in 0..self.unwritten.len() {
            let Some(mut unwritten) = self.unwritten.pop_front() else {
                return;
            };
            if self.try_deliver(&mut unwritten).is_err() {
                self.unwritten.push_front(unwritten);
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
