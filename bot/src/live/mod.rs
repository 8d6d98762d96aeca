//! Live: what is happening on the servers at this moment.
//!
//! [`check`] reads foreign bytes, [`board`] decides which snapshot of a server is the newest and plays everything back late for the
//! public, [`frame`] is what readers get. None of them does I/O. [`Live`] adds the clock, and tells readers about changes.
//!
//! Who sees what is decided by type: [`Live::public`] is delayed, and [`Live::undelayed`] needs a [`TokenHolder`], which only the check of
//! the token makes. So a spectator who plays, or talks to somebody who does, learns from the bot only what happened a minute ago.

pub mod board;
pub mod check;
pub mod frame;
pub mod share;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gametimes_format::live::Snapshot;
use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use self::board::{Board, Moment};
pub use self::board::{Outcome, Transport};
pub use self::frame::{Frame, Health, ServerView};

/// Proof that a request carried the token with which everything is shown at once.
#[derive(Debug, Clone, Copy)]
pub struct TokenHolder(());

impl TokenHolder {
    /// For the check of the token in [`crate::http`], and nothing else.
    pub(crate) fn after_check() -> Self {
        Self(())
    }
}

/// A receiver of frames: it always has the newest one, and skips those in between for readers who are slow.
pub type Frames = watch::Receiver<Arc<Frame>>;

/// The servers of a bot, as they are now and as the public sees them.
#[derive(Debug)]
pub struct Live {
    board: Mutex<Board>,
    public: watch::Sender<Arc<Frame>>,
    undelayed: watch::Sender<Arc<Frame>>,
    /// Wakes [`Live::play`], because something that was received must be shown later.
    received: Notify,
    started: Instant,
}

impl Live {
    /// Shows the public everything so much later.
    pub fn new(delay: Duration) -> Self {
        let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        let empty = || watch::Sender::new(Arc::new(Frame::default()));
        Self {
            board: Mutex::new(Board::new(delay_ms)),
            public: empty(),
            undelayed: empty(),
            received: Notify::new(),
            started: Instant::now(),
        }
    }

    /// Milliseconds since the bot started. It never jumps.
    pub fn now_ms(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a snapshot that has passed [`check::read`].
    pub fn offer(&self, snapshot: Snapshot, transport: Transport) -> Outcome {
        let moment = Moment {
            now_ms: self.now_ms(),
            unix_ms: Timestamp::now().as_millisecond(),
        };
        let mut board = self.board();
        let outcome = board.offer(snapshot, transport, moment);
        if outcome == Outcome::Taken {
            self.publish(&mut board, moment.now_ms);
            drop(board);
            self.received.notify_one();
        }
        outcome
    }

    /// The delayed view, for everybody.
    pub fn public(&self) -> Frames {
        self.public.subscribe()
    }

    /// The view without delay.
    pub fn undelayed(&self, _: TokenHolder) -> Frames {
        self.undelayed.subscribe()
    }

    fn publish(&self, board: &mut Board, now_ms: i64) {
        let views = board.views_at(now_ms);
        for (sender, frame) in [
            (&self.public, views.public),
            (&self.undelayed, views.undelayed),
        ] {
            sender.send_if_modified(|shown| {
                let is_new = shown.servers != frame.servers;
                if is_new {
                    *shown = Arc::new(frame);
                }
                is_new
            });
        }
    }

    /// Shows what becomes due, until dropped.
    pub async fn play(self: Arc<Self>) {
        loop {
            let next_ms = {
                let mut board = self.board();
                let now_ms = self.now_ms();
                self.publish(&mut board, now_ms);
                board.next_change_ms(now_ms)
            };
            let received = self.received.notified();
            match next_ms {
                None => received.await,
                Some(next_ms) => {
                    let next = Duration::from_millis(next_ms.unsigned_abs());
                    tokio::select! {
                        () = received => {}
                        () = sleep_until(self.started + next) => {}
                    }
                }
            }
        }
    }
}
