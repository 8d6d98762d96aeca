//! The background thread: events of the game come in, rounds are written and sent.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};
use gametimes_format::GametimesFile;
use uuid::Uuid;

use super::console::Console;
use super::desk::Desk;
use super::journal::{Head, Recovered};
use super::outbox::Entry;
use super::target::{GlobalPause, Target};
use super::worker::{Config, Order, Shared, Wish};
use crate::engine::clock;
use crate::event::{Event, ShutdownCause, Stamp, What};
use crate::fault;
use crate::report::{self, Identity, message, minutes};
use crate::track::{Outcome, Round, Tracker};

/// How often the thread looks for orders.
const TICK: Duration = Duration::from_millis(10);
/// How long a round waits for its stats file.
const STATS_FILE_PATIENCE: Duration = Duration::from_secs(5);
/// How far the journal may be behind.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How often what could not be written is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(10);
/// How often old files are looked for.
const CLEAN_EVERY: Duration = Duration::from_secs(6 * 3600);
/// Rounds that could not be written and are kept in memory at the most.
const UNWRITTEN_LIMIT: usize = 50;

/// A round that is over and waits for its stats file.
#[derive(Debug)]
struct Reporting {
    round: Box<Round>,
    event_id: Uuid,
    until: Instant,
}

/// A round that could not be written yet.
#[derive(Debug)]
struct Unwritten {
    file: GametimesFile,
    queued: bool,
}

/// The background end.
pub(super) struct Clerk {
    console: Console,
    shared: Arc<Shared>,
    config: Option<Config>,
    desk: Option<Desk>,
    targets: Vec<Target>,
    global_pause: Arc<GlobalPause>,
    tracker: Tracker,
    /// The id of the next round that ends.
    event_id: Uuid,
    reporting: Option<Reporting>,
    unwritten: VecDeque<Unwritten>,
    last_level_ms: i64,
    synced: Instant,
    retried: Instant,
    cleaned: Option<Instant>,
}

impl Clerk {
    pub(super) fn new(console: Console, shared: Arc<Shared>) -> Self {
        Self {
            console,
            shared,
            config: None,
            desk: None,
            targets: Vec::new(),
            global_pause: Arc::default(),
            tracker: Tracker::default(),
            event_id: new_event_id(),
            reporting: None,
            unwritten: VecDeque::new(),
            last_level_ms: 0,
            synced: Instant::now(),
            retried: Instant::now(),
            cleaned: None,
        }
    }

    /// Carries out orders until nobody can give any.
    pub(super) fn run(&mut self, orders: &Receiver<Order>) {
        loop {
            fault::point("worker_dies");
            match orders.try_recv() {
                Ok(order) => {
                    self.guarded(|clerk| clerk.carry_out(order));
                    self.shared.done.fetch_add(1, Ordering::Release);
                }
                Err(TryRecvError::Empty) => {
                    self.guarded(Self::tick);
                    std::thread::park_timeout(TICK);
                }
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }

    /// A panic costs the round that is played, never the thread.
    fn guarded(&mut self, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            let (score, warmup) = self.tracker.carried();
            self.tracker = Tracker::resume(score, warmup);
            self.reporting = None;
            self.say("internal error in the background thread; the running round is lost, please report this");
        }
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Event(event) => self.event(&event),
            Order::Configure(config) => self.configure(*config),
        }
    }

    fn event(&mut self, event: &Event) {
        fault::point("worker_event");
        self.last_level_ms = event.at.level_ms;
        if self.config.as_ref().is_some_and(|config| config.debug) {
            self.say(&format!("debug: {} {:?}", event.at.level_ms, event.what));
        }
        if let What::Level(_) = event.what {
            self.report(); // a map that was never shut down
            let (score, warmup_start_unix_ms) = self.tracker.carried();
            self.event_id = new_event_id();
            if let Some(desk) = &mut self.desk {
                desk.journal.begin(Head {
                    event_id: self.event_id,
                    score,
                    warmup_start_unix_ms,
                });
            }
        }
        if let Some(desk) = &mut self.desk {
            match event.what {
                What::StoodDown => desk.journal.remove(),
                _ => desk.journal.add(event),
            }
        }
        fault::point("track");
        match self.tracker.apply(event) {
            None => {}
            Some(Outcome::Started {
                map,
                number,
                timelimit_minutes,
            }) => self.say(&format!(
                "round start: {map} R{number}, limit {timelimit_minutes} min"
            )),
            Some(Outcome::Paused { number, played_ms }) => {
                self.say(&format!("pause {number} at {}", minutes(played_ms)));
            }
            Some(Outcome::Resumed { number, paused_ms }) => {
                self.say(&format!(
                    "resume after pause {number} of {}",
                    minutes(paused_ms)
                ));
            }
            Some(Outcome::Ended(round)) => {
                let event_id = std::mem::replace(&mut self.event_id, new_event_id());
                self.reporting = Some(Reporting {
                    round,
                    event_id,
                    until: Instant::now() + STATS_FILE_PATIENCE,
                });
            }
            Some(Outcome::StatsFile(name)) => {
                if let Some(reporting) = &mut self.reporting {
                    reporting.round.stats_file = Some(name);
                    self.report();
                }
            }
            Some(Outcome::Closed) => {
                self.report();
                if self.unwritten.is_empty()
                    && let Some(desk) = &mut self.desk
                {
                    desk.journal.remove();
                }
            }
        }
    }

    /// Writes and queues the round that is over.
    fn report(&mut self) {
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
                    for target in 1..=config.webhooks.len() {
                        let entry = Entry {
                            event_id: file.meta.event_id.clone(),
                            target,
                            message: message.clone(),
                            file_name: file.file_name(),
                            file: bytes.clone(),
                        };
                        desk.outbox
                            .put(&entry, file, file.meta.round_end_unix * 1000)
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

    fn configure(&mut self, config: Config) {
        let moved = self
            .config
            .as_ref()
            .is_none_or(|old| old.folder != config.folder || old.instance != config.instance);
        self.config = Some(config);
        if moved {
            self.desk = None;
            self.targets.clear();
        }
        if let Err(why) = self.open_desk() {
            self.say(&format!(
                "the folder cannot be used: {why}; rounds are kept in memory and tried again"
            ));
        }
        self.set_targets();
    }

    /// Opens the folders if they are not, and takes up what an earlier process left.
    fn open_desk(&mut self) -> Result<(), String> {
        let Some(config) = &self.config else {
            return Err("there are no settings yet".to_owned());
        };
        if self.desk.is_some() {
            return Ok(());
        }
        let folder = config.folder.clone();
        let desk = Desk::open(&folder, &config.instance)
            .map_err(|e| format!("{}: {e}", folder.display()))?;
        let recovered = desk.journal.recover();
        self.desk = Some(desk);
        self.set_targets();
        if let Some(recovered) = recovered {
            self.finish_recovered(recovered);
        }
        Ok(())
    }

    /// Plays a journal back and finishes its round as crashed.
    fn finish_recovered(&mut self, recovered: Recovered) {
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

    /// One target for each webhook; those that are no more are told so.
    fn set_targets(&mut self) {
        let (Some(desk), Some(config)) = (&self.desk, &self.config) else {
            return;
        };
        for (n, target) in self.targets.iter_mut().enumerate() {
            target.set_url(config.webhooks.get(n));
        }
        for (n, url) in config.webhooks.iter().enumerate().skip(self.targets.len()) {
            let started = Target::start(
                n + 1,
                url.clone(),
                desk.outbox.clone(),
                self.console.clone(),
                Arc::clone(&self.global_pause),
            );
            match started {
                Ok(target) => self.targets.push(target),
                Err(e) => self
                    .console
                    .line(&format!("no thread for webhook {}: {e}", n + 1)),
            }
        }
        let lost: Vec<String> = desk
            .outbox
            .all()
            .into_iter()
            .filter(|name| {
                super::outbox::target_of(name).is_some_and(|t| t > config.webhooks.len())
            })
            .collect();
        if !lost.is_empty() && !config.webhooks.is_empty() {
            for name in &lost {
                let _ = desk.outbox.discard(name);
            }
            self.console.line(&format!(
                "{} messages waited for a webhook that is not set any more: they went to dropped/",
                lost.len()
            ));
        }
        self.targets.iter().for_each(Target::look);
    }

    fn tick(&mut self) {
        fault::point("worker_tick");
        if self.shared.take(Wish::Status) {
            self.status();
        }
        if self.shared.take(Wish::Test) {
            self.test();
        }
        let now = Instant::now();
        if self.reporting.as_ref().is_some_and(|r| now >= r.until) {
            self.report();
        }
        if now - self.retried >= RETRY_EVERY {
            self.retried = now;
            self.retry();
        }
        self.keep_journal(now);
        if self.cleaned.is_none_or(|at| now - at >= CLEAN_EVERY)
            && let (Some(desk), Some(config)) = (&self.desk, &self.config)
        {
            self.cleaned = Some(now);
            let removed = desk.remove_old(clock::unix_ms() / 1000, config.keep_days);
            if removed > 0 {
                self.say(&format!(
                    "removed {removed} gametimes files older than {} days",
                    config.keep_days
                ));
            }
        }
    }

    fn keep_journal(&mut self, now: Instant) {
        let Some(desk) = &mut self.desk else { return };
        let sync = now - self.synced >= SYNC_EVERY;
        if sync {
            self.synced = now;
            let level_ms = self.shared.level_ms.load(Ordering::Relaxed);
            if level_ms > self.last_level_ms {
                self.last_level_ms = level_ms;
                desk.journal.alive(Stamp {
                    level_ms,
                    unix_ms: clock::unix_ms(),
                });
            }
        }
        if let Err(e) = desk.journal.flush(sync) {
            self.say(&format!(
                "the journal cannot be written ({e}); a crash would lose the running round"
            ));
        }
    }

    fn retry(&mut self) {
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

    fn status(&self) {
        let level_ms = self.shared.level_ms.load(Ordering::Relaxed);
        match self.tracker.live() {
            None => self.say("no round is played"),
            Some(live) => {
                let paused = if live.is_paused() { ", paused" } else { "" };
                self.say(&format!(
                    "round: {} R{} played {}{paused}",
                    live.map,
                    live.number(),
                    minutes(live.played_ms(level_ms))
                ));
                for p in live.players(level_ms) {
                    let team = if p.team == 1 { "Axis" } else { "Allies" };
                    let alive = if p.alive { "alive" } else { "dead" };
                    self.say(&format!(
                        "  {:2} {team:6} {alive:5} dead {} {}",
                        p.slot,
                        minutes(p.dead_ms),
                        p.name
                    ));
                }
            }
        }
        if let Some(desk) = &self.desk {
            let waiting = desk.outbox.all().len();
            self.say(&format!(
                "outbox: {waiting} waiting, {} not written yet",
                self.unwritten.len()
            ));
        }
        for (n, target) in (1..).zip(&self.targets).filter(|(_, t)| t.is_configured()) {
            let status = target.status();
            let off = if status.off { ", switched off" } else { "" };
            let last = if status.last.is_empty() {
                "nothing sent yet"
            } else {
                &status.last
            };
            self.say(&format!("webhook {n}: {last}{off}"));
        }
    }

    fn test(&self) {
        let configured: Vec<&Target> = self.targets.iter().filter(|t| t.is_configured()).collect();
        if configured.is_empty() {
            self.say(
                "test: no webhook is set; see gametimes_webhook_url and gametimes_webhook_file",
            );
            return;
        }
        let hostname = self
            .config
            .as_ref()
            .map_or("", |c| c.server_hostname.as_str());
        for target in configured {
            target.test(message::test_message(hostname));
        }
    }

    fn say(&self, text: &str) {
        self.console.line(text);
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

fn new_event_id() -> Uuid {
    let mut random = [0u8; 10];
    // Without a source of randomness ids are only as unique as the clock: still better than none.
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random);
    let now = u64::try_from(clock::unix_ms()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(now, &random).into_uuid()
}
