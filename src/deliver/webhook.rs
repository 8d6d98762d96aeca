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
/// The pause after a 429 without a time, as a banned address gets it. It doubles with each further one.
const FIRST_BAN_PAUSE: Duration = Duration::from_secs(60);
/// The longest pause after a 429 without a time, and the pause while the URL is wrong: the admin may correct the channel instead.
const HOUR: Duration = Duration::from_secs(3600);
/// A webhook that answers more often than this in a row with 429 is asked less often than it says.
const RATE_LIMITS_IN_A_ROW: u32 = 5;
/// `gametimes test` does not wait longer than this for a rate limit.
const TEST_PATIENCE: Duration = Duration::from_secs(10);
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
    /// The pause between two messages while several wait.
    BacklogPause(Duration),
}

/// Why messages cannot be sent at the moment. Each kind is logged once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// The network, a proxy or Discord fails.
    Failure,
    /// Discord refuses to be asked.
    RateLimit,
    /// The URL or the channel must be corrected.
    WrongUrl,
    /// The outbox on disk.
    Disk,
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

/// How a sender treats messages that wait for one another: readers drop messages that come too fast.
#[derive(Debug, Clone, Copy)]
pub struct Backlog {
    /// The pause between two messages while several wait.
    pub pause: Duration,
    /// Whether an earlier process may have sent one just now.
    pub continues: bool,
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
        backlog: Backlog,
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
            rate_limits: 0,
            not_before: Instant::now(),
            limited_until: Instant::now(),
            paced_until: Instant::now(),
            backlog_pause: backlog.pause,
            in_backlog: false,
            disabled: false,
            in_trouble: false,
            logged: None,
        };
        if backlog.continues && sender.outbox.waiting(&sender.key).len() > 1 {
            sender.paced_until += backlog.pause;
        }
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

    /// Changes the pause between two messages while several wait.
    pub fn set_backlog_pause(&self, pause: Duration) {
        let _ = self.commands.try_send(Command::BacklogPause(pause));
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
    /// 429s since the last message was delivered.
    rate_limits: u32,
    /// When the next message may go out after a failure.
    not_before: Instant,
    /// When the next post may go out, as Discord said.
    limited_until: Instant,
    /// When the next message of a backlog may go out.
    paced_until: Instant,
    backlog_pause: Duration,
    /// Whether the last message that was delivered was one of several that waited.
    in_backlog: bool,
    disabled: bool,
    /// Whether trouble was logged since the last message was delivered.
    in_trouble: bool,
    /// The kind that was logged last.
    logged: Option<Trouble>,
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

    /// How long to wait before the next message, after failures and while several wait.
    fn pause_before_post(&self) -> Duration {
        let now = Instant::now();
        self.pause_before_any_post()
            .max(self.not_before.saturating_duration_since(now))
            .max(self.paced_until.saturating_duration_since(now))
    }

    /// How long to wait before any post, because of Discord's rate limits.
    fn pause_before_any_post(&self) -> Duration {
        let now = Instant::now();
        let burst = match self.sent.front() {
            Some(first) if self.sent.len() == BURST => {
                (*first + BURST_WINDOW).saturating_duration_since(now)
            }
            _ => Duration::ZERO,
        };
        burst
            .max(self.limited_until.saturating_duration_since(now))
            .max(self.global_limit.left())
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Wake => {}
            Command::Enable => {
                self.set_disabled(false);
                self.not_before = Instant::now();
                self.logged = None;
            }
            Command::Test(message) => self.send_test(&message),
            Command::BacklogPause(pause) => {
                self.backlog_pause = pause;
                self.paced_until = self.paced_until.min(Instant::now() + pause);
            }
        }
    }

    fn send_test(&mut self, test: &gametimes_format::Message) {
        let pause = self.pause_before_any_post();
        let outcome = if pause > TEST_PATIENCE {
            format!("not sent: rate limited for {} sec", pause.as_secs())
        } else {
            std::thread::sleep(pause);
            match self.post(test, None) {
                Answer::Delivered(_) => {
                    // What waits is sent, too.
                    self.set_disabled(false);
                    self.not_before = Instant::now();
                    "test message delivered".to_owned()
                }
                Answer::RateLimited { pause: None, .. } => {
                    "429 without a time: this host's address may be banned for a while".to_owned()
                }
                Answer::RateLimited {
                    pause: Some(pause), ..
                } => format!(
                    "429: rate limited for {} sec; the webhook works",
                    pause.as_secs()
                ),
                Answer::RetryLater(why) => format!("failed for now: {why}"),
                Answer::Rejected { why, .. } => format!("rejected: {why}"),
                Answer::WrongUrl { why, cure } => format!("{why}; {cure}"),
                Answer::WebhookGone(why) => format!("this webhook does not work: {why}"),
            }
        };
        self.status.lock().last = format!("test: {outcome}");
        self.console
            .line(&format!("test: webhook {}: {outcome}", self.number()));
    }

    fn set_disabled(&mut self, disabled: bool) {
        self.disabled = disabled;
        self.status.lock().disabled = disabled;
    }

    fn send_next(&mut self) {
        fault::point("send");
        if self.disabled {
            return;
        }
        let waiting = self.outbox.waiting(&self.key);
        let is_backlog = waiting.len() > 1;
        let Some(name) = waiting.into_iter().next() else {
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
                if self.is_new(Trouble::Disk) {
                    self.say(&format!(
                        "{name} in the outbox cannot be read ({e}); retrying later"
                    ));
                }
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
                // The pause after the last one of a backlog keeps the next round's message in pace, too.
                if is_backlog || self.in_backlog {
                    self.paced_until = Instant::now() + self.backlog_pause;
                }
                self.in_backlog = is_backlog;
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
                if self.is_new(Trouble::Failure) {
                    self.say(&format!(
                        "sending to webhook {} failed: {why}; the message stays queued and is retried",
                        self.number()
                    ));
                }
            }
            Answer::WrongUrl { why, cure } => {
                self.fail();
                self.not_before = Instant::now() + HOUR;
                if self.is_new(Trouble::WrongUrl) {
                    let waiting = self.outbox.waiting(&self.key).len();
                    self.say(&format!(
                        "webhook {} accepts no message: {why}; {cure}; then run gametimes reload; messages in its queue: {waiting}",
                        self.number()
                    ));
                }
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
                self.set_disabled(true);
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
        let last = match &answer {
            Answer::Delivered(pause) => {
                self.limited_until = Instant::now() + *pause;
                self.recovered();
                "sent".to_owned()
            }
            Answer::RateLimited { pause, global } => self.rate_limited(*pause, *global),
            Answer::WrongUrl { why, cure } => format!("{why}; {cure}"),
            Answer::RetryLater(why) | Answer::Rejected { why, .. } | Answer::WebhookGone(why) => {
                why.clone()
            }
        };
        self.status.lock().last = last;
        answer
    }

    /// The webhook works.
    fn recovered(&mut self) {
        self.failures = 0;
        self.rate_limits = 0;
        self.status.lock().failures = 0;
        self.logged = None;
        if std::mem::take(&mut self.in_trouble) {
            self.say(&format!("webhook {} works again", self.number()));
        }
    }

    /// Delays the next post after a 429. Returns the status for the console.
    fn rate_limited(&mut self, asked: Option<Duration>, global: bool) -> String {
        self.rate_limits = self.rate_limits.saturating_add(1);
        let pause = rate_limit_pause(asked, self.rate_limits);
        let until = Instant::now() + pause;
        if asked.is_some() {
            self.limited_until = until;
        } else {
            // Unlike a time that Discord gave, this one ends with `gametimes reload`.
            self.not_before = until;
        }
        if global {
            self.global_limit.extend(pause);
        }
        let seconds = pause.as_secs();
        let is_worth_a_line = asked.is_none() || self.rate_limits > RATE_LIMITS_IN_A_ROW;
        if is_worth_a_line && self.is_new(Trouble::RateLimit) {
            let why = match asked {
                Some(_) => "again and again",
                None => "without a time, as for a banned address",
            };
            self.say(&format!(
                "webhook {} answers 429 {why}; messages stay queued and are retried at growing intervals, first in {seconds} sec",
                self.number()
            ));
        }
        format!("429, waiting {seconds} sec")
    }

    /// Delays the next message after a failure: longer each time.
    fn fail(&mut self) {
        let pause = FIRST_PAUSE
            .saturating_mul(1 << self.failures.min(16))
            .min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.status.lock().failures = self.failures;
        self.not_before = Instant::now() + pause.mul_f64(0.5 + jitter() / 2.0);
    }

    /// Whether this kind of trouble was not logged yet since the last message was delivered, or since `gametimes reload`.
    fn is_new(&mut self, trouble: Trouble) -> bool {
        self.in_trouble = true;
        self.logged.replace(trouble) != Some(trouble)
    }

    fn number(&self) -> usize {
        self.status.lock().number
    }

    fn say(&self, text: &str) {
        self.console.line(text);
    }
}

/// How long to wait after the `n`th 429 in a row.
fn rate_limit_pause(asked: Option<Duration>, n: u32) -> Duration {
    let doubled = |first: Duration, times: u32| first.saturating_mul(1 << times.min(16));
    match asked {
        Some(asked) if n <= RATE_LIMITS_IN_A_ROW => asked,
        Some(asked) => asked.max(doubled(FIRST_PAUSE, n - RATE_LIMITS_IN_A_ROW).min(LONGEST_PAUSE)),
        None => doubled(FIRST_BAN_PAUSE, n - 1)
            .mul_f64(1.0 + jitter() / 10.0)
            .min(HOUR),
    }
}

/// A random number from 0 to 1, so that many servers do not return at once.
fn jitter() -> f64 {
    let mut random = [0u8; 2];
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random);
    f64::from(u16::from_ne_bytes(random)) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_limit_without_a_time_is_asked_again_after_a_minute_then_less_and_less_often() {
        let mut before = Duration::ZERO;
        for (n, least, most) in [
            (1, 60, 66),
            (2, 120, 132),
            (3, 240, 264),
            (6, 1920, 2112),
            (7, 3600, 3600),
        ] {
            let pause = rate_limit_pause(None, n);
            assert!((least..=most).contains(&pause.as_secs()), "{n}: {pause:?}");
            assert!(pause > before);
            before = pause;
        }
        assert_eq!(rate_limit_pause(None, u32::MAX), HOUR);
    }

    #[test]
    fn rate_limit_with_a_time_is_obeyed_but_not_for_ever() {
        let second = Duration::from_secs(1);
        assert_eq!(rate_limit_pause(Some(second), 1), second);
        assert_eq!(rate_limit_pause(Some(second), RATE_LIMITS_IN_A_ROW), second);
        assert_eq!(
            rate_limit_pause(Some(second), RATE_LIMITS_IN_A_ROW + 3),
            second * 8
        );
        assert_eq!(rate_limit_pause(Some(second), 1000), LONGEST_PAUSE);
        assert_eq!(rate_limit_pause(Some(HOUR), 1000), HOUR);
    }
}
