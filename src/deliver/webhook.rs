//! Sends messages to one webhook, in order and one at a time.
//!
//! Each webhook has a thread, so that a slow or dead one does not delay the others.

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
/// The pause after a failure starts at this length and doubles with each further failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How long a sender sleeps before it looks at its queue again without being woken.
const IDLE: Duration = Duration::from_secs(60);

/// A task for the sender.
enum Command {
    /// Look at the queue.
    Wake,
    /// Send again after the webhook was disabled.
    Enable,
    /// Post a test message now.
    Test(Box<gametimes_format::Message>),
}

/// Discord's global rate limit, which all senders obey.
#[derive(Debug)]
pub struct GlobalRateLimit {
    began: Instant,
    /// No sender posts before this time, in milliseconds since `began`.
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

/// The state of a webhook, for `gametimes status`.
#[derive(Debug, Clone, Default)]
pub struct WebhookStatus {
    /// Its place in the settings, from 1. The log shows this number instead of the URL.
    pub number: usize,
    /// The outcome of the last post; empty before the first.
    pub last: String,
    /// Failures in a row.
    pub failures: u32,
    /// Whether it is disabled until the settings are reloaded.
    pub disabled: bool,
}

/// A running sender. When the handle is dropped, the sender finishes the current post and ends.
#[derive(Debug)]
pub struct WebhookHandle {
    commands: Sender<Command>,
    status: Arc<Mutex<WebhookStatus>>,
    url: Secret,
}

impl WebhookHandle {
    /// Starts the sender of a webhook. `number` is the webhook's place in the settings, from 1.
    ///
    /// # Errors
    /// When the system cannot start another thread.
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
            disabled: false,
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

    /// Makes the sender look at its queue.
    pub fn wake(&self) {
        let _ = self.commands.try_send(Command::Wake); // if it is full, other commands wake the sender
    }

    /// Posts a test message and logs the outcome.
    pub fn test(&self, message: gametimes_format::Message) {
        let _ = self.commands.try_send(Command::Test(Box::new(message)));
    }

    /// Whether the sender posts to this URL.
    pub fn is_for(&self, url: &Secret) -> bool {
        self.url == *url
    }

    /// Changes the webhook's place in the settings.
    pub fn set_number(&self, number: usize) {
        self.status.lock().number = number;
    }

    /// Makes the sender try again if its webhook is disabled.
    pub fn enable(&self) {
        let _ = self
            .commands
            .send_timeout(Command::Enable, Duration::from_secs(1));
    }

    /// The state of the webhook.
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
    /// When the next post may go out.
    not_before: Instant,
    disabled: bool,
    /// Whether the current trouble was logged.
    complained: bool,
}

impl WebhookSender {
    fn run(&mut self) {
        loop {
            let pause = self.next_pause();
            match self.commands.recv_timeout(pause) {
                Ok(command) => self.guarded(|sender| sender.execute(command)),
                Err(RecvTimeoutError::Timeout) => self.guarded(Self::send_next),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// A panic loses one attempt, never the thread.
    fn guarded(&mut self, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            self.fail();
            self.say(&format!(
                "internal error while sending to webhook {}; the message stays queued and is retried, please report this",
                self.number()
            ));
        }
    }

    /// How long to wait for commands before the next message is sent.
    fn next_pause(&self) -> Duration {
        if self.disabled || self.outbox.waiting(&self.key).is_empty() {
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

    fn execute(&mut self, command: Command) {
        match command {
            Command::Wake => {}
            Command::Enable => {
                self.disabled = false;
                self.status.lock().disabled = false;
            }
            Command::Test(message) => self.send_test(&message),
        }
    }

    fn send_test(&mut self, test: &gametimes_format::Message) {
        std::thread::sleep(self.pause_before_post().min(Duration::from_secs(10)));
        let answer = self.post(test, None);
        let outcome = match &answer {
            Answer::Delivered(_) => "test message delivered".to_owned(),
            Answer::RateLimited { pause, .. } => {
                format!(
                    "429: rate limited for {} sec; the webhook works",
                    pause.as_secs()
                )
            }
            Answer::RetryLater(why) => format!("failed for now: {why}"),
            Answer::Rejected { why, .. } => format!("rejected: {why}"),
            Answer::WebhookGone(why) => format!("this webhook does not work: {why}"),
        };
        self.console
            .line(&format!("test: webhook {}: {outcome}", self.number()));
    }

    fn send_next(&mut self) {
        fault::point("send");
        if self.disabled {
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
                    "{name} in the outbox cannot be read ({e}); moving it to dropped/"
                ));
                if self.outbox.discard(&name).is_err() {
                    self.fail();
                }
                return;
            }
            Err(e) => {
                self.fail();
                self.complain(&format!(
                    "{name} in the outbox cannot be read ({e}); retrying later"
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
                "webhook {} rejected {name}: {why}; retrying with a shorter message",
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
                        // It stays in the queue: without a pause it would be sent again at once.
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
                    "sending to webhook {} failed: {why}; the message stays queued and is retried",
                    self.number()
                ));
            }
            Answer::Rejected { why, .. } => match self.outbox.reject(&name, &why) {
                Ok(()) => self.say(&format!(
                    "message rejected: {why}; {name} was moved to rejected/ with the answer"
                )),
                Err(e) => {
                    self.fail();
                    self.say(&format!(
                        "{name} was rejected ({why}) but cannot be moved to rejected/ ({e})"
                    ));
                }
            },
            Answer::WebhookGone(why) => {
                self.disabled = true;
                self.status.lock().disabled = true;
                let waiting = self.outbox.waiting(&self.key).len();
                self.say(&format!(
                    "webhook {} is disabled until the settings change: {why}; messages in its queue: {waiting}",
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
            Answer::RateLimited { pause, .. } => format!("429, waiting {} sec", pause.as_secs()),
            Answer::RetryLater(why) | Answer::Rejected { why, .. } | Answer::WebhookGone(why) => {
                why.clone()
            }
        };
        answer
    }

    /// Delays the next post as the answer demands.
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

    /// Delays the next post after a failure: longer each time, and with jitter, so that many servers do not return at once.
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

    /// Logs trouble once, until a message is delivered again.
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
