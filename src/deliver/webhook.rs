//! The thread that sends to one target: in order, one at a time, however slow or dead the target is, and without any other
//! target noticing.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use gametimes_format::Secret;
use parking_lot::Mutex;

use super::client::{self, Answer, Attachment};
use super::console::Console;
use super::outbox::{Outbox, webhook_key};
use crate::fault;
use crate::report::message;

/// Discord's documented limit for a webhook.
const BURST: usize = 5;
const BURST_WINDOW: Duration = Duration::from_secs(2);
/// Pauses after failures grow from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How long a target without news sleeps before it looks at its queue again.
const IDLE: Duration = Duration::from_secs(60);

/// What a target is told.
enum Command {
    /// There may be something new in the queue.
    Look,
    /// It may be there again.
    SwitchOn,
    /// Post a test message now.
    Test(Box<gametimes_format::Message>),
}

/// A global rate limit, shared by all targets: nobody sends before this time.
#[derive(Debug)]
pub struct GlobalRateLimit {
    began: Instant,
    until_ms: AtomicU64,
}

impl Default for GlobalRateLimit {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            until_ms: AtomicU64::new(0),
        }
    }
}

impl GlobalRateLimit {
    fn extend(&self, pause: Duration) {
        let until = self.began.elapsed() + pause;
        self.until_ms
            .fetch_max(until.as_millis() as u64, Ordering::Relaxed);
    }

    fn left(&self) -> Duration {
        let until = Duration::from_millis(self.until_ms.load(Ordering::Relaxed));
        until.saturating_sub(self.began.elapsed())
    }
}

/// The state of a target, for the console's `status`.
#[derive(Debug, Clone, Default)]
pub struct WebhookStatus {
    /// Its place in the settings, from 1: what the log calls it.
    pub number: usize,
    /// What came of the last attempt; empty before the first.
    pub last: String,
    /// Failures in a row.
    pub failures: u32,
    /// Switched off until somebody wants the settings read anew.
    pub off: bool,
}

/// A target and its thread. The thread ends with it, after the post that is under way.
#[derive(Debug)]
pub struct WebhookHandle {
    commands: Sender<Command>,
    status: Arc<Mutex<WebhookStatus>>,
    url: Secret,
}

impl WebhookHandle {
    /// Starts the thread of the target with this URL; `number`: its place in the settings, from 1.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(
        number: usize,
        url: Secret,
        outbox: Outbox,
        console: Console,
        global_limit: Arc<GlobalRateLimit>,
    ) -> std::io::Result<Self> {
        let (queue, commands) = bounded(64);
        let status = Arc::new(Mutex::new(WebhookStatus {
            number,
            ..WebhookStatus::default()
        }));
        let mut sender = WebhookSender {
            key: webhook_key(&url),
            url: url.clone(),
            outbox,
            console,
            commands,
            status: Arc::clone(&status),
            global_limit,
            sent: VecDeque::with_capacity(BURST),
            failures: 0,
            not_before: Instant::now(),
            off: false,
            complained: false,
        };
        std::thread::Builder::new()
            .name(format!("gametimes-{}", sender.key))
            .spawn(move || sender.run())?;
        Ok(Self {
            commands: queue,
            status,
            url,
        })
    }

    /// There may be something new in the queue.
    pub fn look(&self) {
        let _ = self.commands.try_send(Command::Look); // full: it will look anyway
    }

    /// Posts a test message; the outcome goes to the console.
    pub fn test(&self, message: gametimes_format::Message) {
        let _ = self.commands.try_send(Command::Test(Box::new(message)));
    }

    /// Whether it posts to this URL.
    pub fn is_for(&self, url: &Secret) -> bool {
        self.url == *url
    }

    /// Its place in the settings has changed.
    pub fn set_number(&self, number: usize) {
        self.status.lock().number = number;
    }

    /// Asks it again if it was switched off.
    pub fn switch_on(&self) {
        let _ = self
            .commands
            .send_timeout(Command::SwitchOn, Duration::from_secs(1));
    }

    /// For the console.
    pub fn status(&self) -> WebhookStatus {
        self.status.lock().clone()
    }
}

struct WebhookSender {
    key: String,
    url: Secret,
    outbox: Outbox,
    console: Console,
    commands: Receiver<Command>,
    status: Arc<Mutex<WebhookStatus>>,
    global_limit: Arc<GlobalRateLimit>,
    /// When the last posts went out, at most [`BURST`].
    sent: VecDeque<Instant>,
    /// Failures in a row.
    failures: u32,
    not_before: Instant,
    off: bool,
    complained: bool,
}

impl WebhookSender {
    fn run(&mut self) {
        loop {
            let pause = self.next_pause();
            match self.commands.recv_timeout(pause) {
                Ok(command) => self.guarded(|sender| sender.carry_out(command)),
                Err(RecvTimeoutError::Timeout) => self.guarded(Self::send_next),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// A panic costs one attempt, never the thread.
    fn guarded(&mut self, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            self.fail();
            self.say(&format!(
                "internal error while sending to webhook {}; the message waits and is tried again, please report this",
                self.number()
            ));
        }
    }

    /// How long to wait for commands before the next message may go out.
    fn next_pause(&self) -> Duration {
        if self.off || self.outbox.waiting(&self.key).is_empty() {
            return IDLE;
        }
        self.pause_before_post()
    }

    fn pause_before_post(&self) -> Duration {
        let now = Instant::now();
        let burst = match self.sent.front() {
            Some(first) if self.sent.len() == BURST => {
                (*first + BURST_WINDOW).saturating_duration_since(now)
            }
            _ => Duration::ZERO,
        };
        burst
            .max(self.not_before.saturating_duration_since(now))
            .max(self.global_limit.left())
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Look => {}
            Command::SwitchOn => {
                self.off = false;
                self.status.lock().off = false;
            }
            Command::Test(message) => self.send_test(&message),
        }
    }

    fn send_test(&mut self, test: &gametimes_format::Message) {
        std::thread::sleep(self.pause_before_post().min(Duration::from_secs(10)));
        let answer = self.post(test, None);
        let outcome = match &answer {
            Answer::Delivered(_) => "the test message was taken".to_owned(),
            Answer::RateLimited { pause, .. } => {
                format!(
                    "429: told to wait {} sec; the webhook works",
                    pause.as_secs()
                )
            }
            Answer::RetryLater(why) => format!("not now: {why}"),
            Answer::Rejected { why, .. } => format!("refused: {why}"),
            Answer::WebhookGone(why) => format!("this webhook does not work: {why}"),
        };
        self.console
            .line(&format!("test: webhook {}: {outcome}", self.number()));
    }

    fn send_next(&mut self) {
        fault::point("send");
        if self.off {
            return;
        }
        let Some(name) = self.outbox.waiting(&self.key).into_iter().next() else {
            return;
        };
        let entry = match self.outbox.read(&name) {
            Ok(entry) => entry,
            Err(e) if e.kind() == ErrorKind::NotFound => return,
            Err(e) if e.kind() == ErrorKind::InvalidData => {
                self.say(&format!(
                    "{name} in the outbox cannot be read ({e}); it goes to dropped/"
                ));
                if self.outbox.discard(&name).is_err() {
                    self.fail();
                }
                return;
            }
            Err(e) => {
                self.fail();
                self.complain(&format!(
                    "{name} in the outbox cannot be read ({e}); it is tried again"
                ));
                return;
            }
        };
        let attachment = Attachment {
            name: &entry.file_name,
            text: &entry.file,
        };
        let mut answer = self.post(&entry.message, Some(attachment));
        if let Answer::Rejected { why, too_large } = &answer {
            self.say(&format!(
                "webhook {} refused {name}: {why}; trying once more with less",
                self.number()
            ));
            std::thread::sleep(self.pause_before_post());
            let attachment = (!too_large).then_some(attachment);
            answer = self.post(&message::trimmed(&entry.message), attachment);
        }
        match answer {
            Answer::Delivered(_) => {
                self.failures = 0;
                self.status.lock().failures = 0;
                self.complained = false;
                match self.outbox.done(&name) {
                    Ok(()) => self.say(&format!("message sent: {name}")),
                    Err(e) => {
                        // It stays in the queue and would be sent again at once: wait as after a failure.
                        self.fail();
                        self.say(&format!(
                            "{name} was sent but cannot be removed from the outbox ({e})"
                        ));
                    }
                }
            }
            Answer::RateLimited { .. } => {}
            Answer::RetryLater(why) => {
                self.fail();
                self.complain(&format!(
                    "webhook {} does not answer as it should: {why}; the message waits and is tried again",
                    self.number()
                ));
            }
            Answer::Rejected { why, .. } => match self.outbox.reject(&name, &why) {
                Ok(()) => self.say(&format!(
                    "message refused for good: {why}; {name} is in rejected/ with the answer"
                )),
                Err(e) => {
                    self.fail();
                    self.say(&format!(
                        "{name} was refused ({why}) but cannot be moved to rejected/ ({e})"
                    ));
                }
            },
            Answer::WebhookGone(why) => {
                self.off = true;
                self.status.lock().off = true;
                let waiting = self.outbox.waiting(&self.key).len();
                self.say(&format!(
                    "webhook {} is switched off until the settings change: {why}; messages that wait: {waiting}",
                    self.number()
                ));
            }
        }
    }

    fn post(
        &mut self,
        message: &gametimes_format::Message,
        attachment: Option<Attachment<'_>>,
    ) -> Answer {
        if self.sent.len() == BURST {
            self.sent.pop_front();
        }
        self.sent.push_back(Instant::now());
        let answer = client::post(&self.url, message, attachment);
        self.obey_limits(&answer);
        self.status.lock().last = match &answer {
            Answer::Delivered(_) => "sent".to_owned(),
            Answer::RateLimited { pause, .. } => format!("429, waits {} sec", pause.as_secs()),
            Answer::RetryLater(why) | Answer::Rejected { why, .. } | Answer::WebhookGone(why) => {
                why.clone()
            }
        };
        answer
    }

    /// Waits as the answer says.
    fn obey_limits(&mut self, answer: &Answer) {
        match answer {
            Answer::Delivered(pause) => self.not_before = Instant::now() + *pause,
            Answer::RateLimited { pause, global } => {
                self.not_before = Instant::now() + *pause;
                if *global {
                    self.global_limit.extend(*pause);
                }
            }
            _ => {}
        }
    }

    /// Waits longer after each failure, with jitter, so that many servers do not come back at the same moment.
    fn fail(&mut self) {
        let pause = FIRST_PAUSE
            .saturating_mul(1 << self.failures.min(16))
            .min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.status.lock().failures = self.failures;
        let mut random = [0u8; 2];
        let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random);
        let jitter = f64::from(u16::from_ne_bytes(random)) / f64::from(u16::MAX);
        self.not_before = Instant::now() + pause.mul_f64(0.5 + jitter / 2.0);
    }

    /// Says that something does not work: once, until it does.
    fn complain(&mut self, text: &str) {
        if !std::mem::replace(&mut self.complained, true) {
            self.say(text);
        }
    }

    fn number(&self) -> usize {
        self.status.lock().number
    }

    fn say(&self, text: &str) {
        self.console.line(text);
    }
}
