//! The background thread: it receives the game's events, and writes and sends the rounds.

mod rounds;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};
use gametimes_format::live::State;
use rounds::PendingRound;
use uuid::Uuid;

use super::command::{Command, Shared, WorkerConfig};
use super::console::Console;
use super::instance_dir::{InstanceDir, unclaimed};
use super::journal::Head;
use super::live::LiveWriter;
use super::old_files::{Cleaner, Pass};
use super::outbox::webhook_key;
use super::status::{OutboxStatus, Status};
use super::webhook::{Backlog, GlobalRateLimit, WebhookHandle};
use crate::engine::clock;
use crate::event::{Event, Stamp, What};
use crate::fault;
use crate::report::{message, minutes};
use crate::track::{Outcome, Round, Tracker};

/// How often the thread looks for commands.
const TICK: Duration = Duration::from_millis(10);
/// After so many looks in vain, the thread does what is due at certain times. After a command it does so at once.
const IDLE_TICKS: u32 = 5;
/// How long a round waits for its stats file.
const STATS_FILE_PATIENCE: Duration = Duration::from_secs(5);
/// How often the journal is synced to disk: the most that a crash loses.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How often rounds that could not be written are retried.
const RETRY_EVERY: Duration = Duration::from_secs(10);
/// How often the status is published, also without events.
const PUBLISH_EVERY: Duration = Duration::from_millis(250);
/// How often the messages in the outbox are counted for the status.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// A round that has ended and waits for its stats file.
#[derive(Debug)]
struct EndedRound {
    round: Box<Round>,
    event_id: Uuid,
    /// When it is written without a stats file.
    deadline: Instant,
}

/// The state of the background thread.
pub(super) struct Worker {
    console: Console,
    shared: Arc<Shared>,
    config: Option<WorkerConfig>,
    dir: Option<InstanceDir>,
    webhooks: Vec<WebhookHandle>,
    global_limit: Arc<GlobalRateLimit>,
    tracker: Tracker,
    /// The id of the next round to end.
    event_id: Uuid,
    ended: Option<EndedRound>,
    /// Rounds that could not be written yet.
    pending: VecDeque<PendingRound>,
    /// Level time of the last event or sign of life in the journal.
    last_level_ms: i64,
    synced: Instant,
    retried: Instant,
    cleaner: Cleaner,
    live: LiveWriter,
    /// The match of the round on this map, once it is played.
    match_uid: Option<Uuid>,
    /// When the status was published; `None` after something has changed.
    published: Option<Instant>,
    /// How many messages wait, and when they were counted.
    waiting: (usize, Option<Instant>),
}

impl Worker {
    pub(super) fn new(console: Console, shared: Arc<Shared>) -> Self {
        Self {
            live: LiveWriter::new(console.clone()),
            match_uid: None,
            console,
            shared,
            config: None,
            dir: None,
            webhooks: Vec::new(),
            global_limit: Arc::default(),
            tracker: Tracker::default(),
            event_id: new_event_id(),
            ended: None,
            pending: VecDeque::new(),
            last_level_ms: 0,
            synced: Instant::now(),
            retried: Instant::now(),
            cleaner: Cleaner::default(),
            published: None,
            waiting: (0, None),
        }
    }

    /// Executes commands until the game's end of the queue is gone.
    pub(super) fn run(&mut self, commands: &Receiver<Command>) {
        let mut idle: u32 = 0;
        loop {
            fault::point("worker_dies");
            match commands.try_recv() {
                Ok(command) => {
                    self.published = None;
                    self.guarded(|worker| worker.execute(command));
                    self.shared.done.fetch_add(1, Ordering::Release);
                }
                Err(TryRecvError::Empty) => {
                    if self.published.is_none() || idle.is_multiple_of(IDLE_TICKS) {
                        self.guarded(Self::tick);
                    }
                    idle = idle.wrapping_add(1);
                    std::thread::park_timeout(TICK);
                }
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }

    /// A panic loses the running round, never the thread.
    fn guarded(&mut self, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            let (score, warmup) = self.tracker.carried();
            self.tracker = Tracker::resume(score, warmup);
            self.ended = None;
            self.live.change();
            self.say("internal error in the background thread; the running round is lost, please report this");
        }
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Event(event) => self.event(&event),
            Command::Configure(config) => self.configure(*config, false),
            Command::Reload(config) => self.configure(*config, true),
        }
    }

    fn event(&mut self, event: &Event) {
        fault::point("worker_event");
        self.last_level_ms = event.at.level_ms;
        if self.config.as_ref().is_some_and(|config| config.debug) {
            self.say(&format!("debug: {} {:?}", event.at.level_ms, event.what));
        }
        if let What::Level(_) = event.what {
            self.report(); // of a map that was never shut down
            let (score, warmup_start_unix_ms) = self.tracker.carried();
            self.event_id = new_event_id();
            self.match_uid = None;
            if let Some(dir) = &mut self.dir {
                dir.journal.begin(Head {
                    event_id: self.event_id,
                    score,
                    warmup_start_unix_ms,
                });
            }
        }
        if let Some(dir) = &mut self.dir {
            match event.what {
                What::NotRecorded => dir.journal.remove(),
                _ => dir.journal.add(event),
            }
        }
        fault::point("track");
        let outcome = self.tracker.apply(event);
        match event.what {
            What::NotRecorded => self.live.forget_change(),
            What::Closed => {}
            _ => self.live.change(),
        }
        if let What::Rules(_) = event.what {
            self.publish_first_round();
        }
        match outcome {
            None => {}
            Some(Outcome::Started {
                map,
                number,
                timelimit_minutes,
            }) => {
                let first_round = self.tracker.first_round();
                self.match_uid = Some(first_round.map_or(self.event_id, |first| first.event_id));
                self.say(&format!(
                    "round start: {map} R{number}, limit {timelimit_minutes} min"
                ));
            }
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
                self.tracker.remember(&round, event_id);
                self.publish_first_round();
                self.ended = Some(EndedRound {
                    round,
                    event_id,
                    deadline: Instant::now() + STATS_FILE_PATIENCE,
                });
            }
            Some(Outcome::StatsFile(name)) => {
                if let Some(ended) = &mut self.ended {
                    ended.round.stats_file = Some(name);
                    self.report();
                }
            }
            Some(Outcome::Closed) => {
                if self.live.has_changed() {
                    self.write_live(); // the process may end right after this
                }
                self.report();
                if self.pending.is_empty()
                    && let Some(dir) = &mut self.dir
                {
                    dir.journal.remove();
                }
            }
        }
    }

    /// Writes the live file. Without a round it contains no id of a match.
    fn write_live(&mut self) {
        // The game's thread stores the time of a frame after it has sent what happens at its beginning.
        let level_ms = self.shared.level_ms.load(Ordering::Relaxed);
        let mut snapshot = self.tracker.snapshot(level_ms.max(self.last_level_ms));
        if let Some(match_uid) = self.match_uid.filter(|_| snapshot.state != State::Idle) {
            snapshot.match_uid = match_uid.to_string();
        }
        self.live.write(snapshot);
    }

    /// Takes over new settings. A reload in mid-map keeps the folder, so that a round is not split over two.
    fn configure(&mut self, mut config: WorkerConfig, reload: bool) {
        if reload && let Some(old) = &self.config {
            config.folder.clone_from(&old.folder);
            config.instance.clone_from(&old.instance);
        }
        let moved = self
            .config
            .as_ref()
            .is_some_and(|old| old.folder != config.folder || old.instance != config.instance);
        if moved {
            self.report(); // of a map that was never shut down
            self.webhooks.clear();
            if let Some(mut dir) = self.dir.take() {
                dir.journal.remove(); // pending rounds are written to the new folder
                let path = dir.path().to_owned();
                drop(dir);
                unclaimed(&path)
                    .into_iter()
                    .for_each(|line| self.say(&line));
            }
        }
        self.live.configure(
            config.live.as_ref(),
            &config.folder,
            config.file_mode,
            config.hmac_key.as_ref(),
        );
        self.config = Some(config);
        self.waiting.1 = None;
        if let Err(why) = self.open_dir() {
            self.say(&format!(
                "the folder cannot be used: {why}; rounds are kept in memory and written later"
            ));
        }
        self.set_webhooks(false);
        if reload {
            self.webhooks.iter().for_each(WebhookHandle::enable);
        }
    }

    /// Opens the folders unless they are open, and recovers what an earlier process left in them.
    fn open_dir(&mut self) -> Result<(), String> {
        let Some(config) = &self.config else {
            return Err("there are no settings yet".to_owned());
        };
        if self.dir.is_some() {
            return Ok(());
        }
        let folder = config.folder.clone();
        let mut dir = InstanceDir::open(&folder, &config.instance, config.file_mode)
            .map_err(|e| format!("{}: {e}", folder.display()))?;
        let recovered = dir.journal.recover();
        let unclaimed = dir.unclaimed();
        self.dir = Some(dir);
        self.set_webhooks(true);
        unclaimed.iter().for_each(|line| self.say(line));
        if let Some(recovered) = recovered {
            self.finish_recovered(recovered);
        }
        Ok(())
    }

    /// Starts a sender for each new webhook, and ends the senders of removed ones. `opened` is set if an earlier process may have
    /// sent messages from this outbox just now.
    fn set_webhooks(&mut self, opened: bool) {
        let (Some(dir), Some(config)) = (&self.dir, &self.config) else {
            return;
        };
        let keys: Vec<String> = config.webhooks.iter().map(webhook_key).collect();
        match dir.outbox.set_webhooks(&keys) {
            Ok(0) => {}
            Ok(dropped) => self.console.line(&format!(
                "messages for removed webhooks moved to dropped/: {dropped}"
            )),
            Err(e) => self.console.line(&format!(
                "messages for removed webhooks cannot be moved ({e}); retrying later"
            )),
        }
        let mut before = std::mem::take(&mut self.webhooks);
        for (number, url) in (1..).zip(&config.webhooks) {
            let webhook = match before.iter().position(|webhook| webhook.is_for(url)) {
                Some(at) => Ok(before.swap_remove(at)),
                None => WebhookHandle::start(
                    number,
                    url.clone(),
                    dir.outbox.clone(),
                    self.console.clone(),
                    Arc::clone(&self.global_limit),
                    Backlog {
                        pause: config.backlog_pause,
                        continues: opened,
                    },
                ),
            };
            match webhook {
                Ok(webhook) => {
                    webhook.set_number(number);
                    webhook.set_backlog_pause(config.backlog_pause);
                    webhook.wake();
                    self.webhooks.push(webhook);
                }
                Err(e) => self
                    .console
                    .line(&format!("cannot start a thread for webhook {number}: {e}")),
            }
        }
    }

    fn tick(&mut self) {
        fault::point("worker_tick");
        if self.shared.take_test() {
            self.test();
        }
        let now = Instant::now();
        if self.ended.as_ref().is_some_and(|r| now >= r.deadline) {
            self.report();
        }
        if now - self.retried >= RETRY_EVERY {
            self.retried = now;
            self.retry();
        }
        if self.live.is_due(self.tracker.is_idle()) {
            self.write_live();
        }
        self.keep_journal(now);
        self.remove_old_files(now);
        self.publish();
    }

    /// Publishes round 1 of the running match, which the module hands over to the next map.
    fn publish_first_round(&self) {
        let first_round = self.tracker.first_round().map(ToString::to_string);
        self.shared.set_first_round(first_round.unwrap_or_default());
    }

    fn remove_old_files(&mut self, now: Instant) {
        let (Some(dir), Some(config)) = (&self.dir, &self.config) else {
            return;
        };
        let unix = || clock::unix_ms() / 1000;
        match self.cleaner.run(dir.folder(), config.keep_days, now, unix) {
            None | Some(Pass::Removed(0)) => {}
            Some(Pass::Removed(removed)) => self.console.line(&format!(
                "gametimes files older than {} days removed: {removed}",
                config.keep_days
            )),
            Some(Pass::ClockIsWrong(why)) => self.console.line(&format!(
                "old gametimes files are kept, because the system clock seems to be wrong: {why}"
            )),
        }
    }

    /// Publishes what `gametimes status` shows, at once after a command and a few times a second.
    fn publish(&mut self) {
        let now = Instant::now();
        let is_due = |at: Option<Instant>, every| at.is_none_or(|at| now - at >= every);
        if !is_due(self.published, PUBLISH_EVERY) {
            return;
        }
        self.published = Some(now);
        if let Some(dir) = &self.dir
            && is_due(self.waiting.1, COUNT_EVERY)
        {
            self.waiting = (dir.outbox.all().len(), Some(now));
        }
        self.shared.publish(Status {
            round: self.tracker.live(),
            outbox: self.dir.as_ref().map(|_| OutboxStatus {
                waiting: self.waiting.0,
                pending: self.pending.len(),
            }),
            live: self.live.status(),
            webhooks: self.webhooks.iter().map(WebhookHandle::status).collect(),
        });
    }

    /// Posts a test message to every webhook.
    fn test(&self) {
        let config = self.config.as_ref();
        let hostname = config.map_or("", |c| c.server_hostname.as_str());
        for webhook in &self.webhooks {
            webhook.test(message::test_message(hostname));
        }
    }

    fn keep_journal(&mut self, now: Instant) {
        let Some(dir) = &mut self.dir else { return };
        let sync = now - self.synced >= SYNC_EVERY;
        if sync {
            self.synced = now;
            let level_ms = self.shared.level_ms.load(Ordering::Relaxed);
            if level_ms > self.last_level_ms {
                self.last_level_ms = level_ms;
                dir.journal.alive(Stamp {
                    level_ms,
                    unix_ms: clock::unix_ms(),
                });
            }
        }
        flush_journal(dir, &self.console, sync);
    }

    fn say(&self, text: &str) {
        self.console.line(text);
    }
}

fn flush_journal(dir: &mut InstanceDir, console: &Console, sync: bool) {
    if let Err(e) = dir.journal.flush(sync) {
        console.line(&format!(
            "the journal cannot be written ({e}); a crash would lose the running round"
        ));
    }
}

fn new_event_id() -> Uuid {
    let mut random = [0u8; 10];
    // Without randomness, ids are as unique as the clock, which is better than having none.
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random);
    let now = u64::try_from(clock::unix_ms()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(now, &random).into_uuid()
}
