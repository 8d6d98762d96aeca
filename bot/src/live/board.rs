//! The newest snapshot of each server, and those that the public has not seen yet. Without I/O and without a clock: every function is
//! told what time it is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use gametimes_format::live::{FASTEST_MS, RESET_AFTER_MS, STALE_AFTER_MS, Snapshot};

use super::frame::{Frame, Health, ServerView, is_busy};

/// How many servers are kept.
pub const SERVERS_MAX: usize = 32;
/// How many snapshots of a server wait for the public. With a longer delay, some in between are left out.
const WAITING_MAX: i64 = 300;
/// A snapshot without players stays valid for longer: where nobody plays, SFTP is read less often.
const IDLE_STALE_AFTER_MS: i64 = 30_000;
/// A stale server counts as offline from this age on.
const OFFLINE_AFTER_MS: i64 = 60_000;
/// A server that is offline for so long is forgotten.
const FORGOTTEN_AFTER_MS: i64 = 30 * 60_000;
/// How many posted snapshots of a server are taken in one second. Recorders send five.
const POSTS_PER_SECOND: u32 = 10;
/// How far the clock of a server may be off when its first snapshot is posted, so that an old one cannot be sent again.
const CLOCK_MS: i64 = 10 * 60_000;
/// A file is at most so old when it is read; a larger difference is one of the clocks.
const FILE_AGE_MS: i64 = 5000;

/// How a snapshot came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Read from a file, some time after it was written.
    File,
    /// Posted by the recorder.
    Posted,
    /// Read from the database, into which another bot wrote it so many milliseconds ago.
    Shared(i64),
}

/// What became of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is the newest of its server.
    Taken,
    /// A newer one is known.
    Old,
    /// The server posts too often.
    TooOften,
    /// The server's clock is too wrong to tell whether the snapshot is new.
    WrongClock,
    /// There are too many servers.
    Full,
}

/// The time at which something happens.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// On a clock that never jumps.
    pub now_ms: i64,
    /// On the wall clock.
    pub unix_ms: i64,
}

/// Both views at one moment.
#[derive(Debug)]
pub struct Views {
    /// For everybody.
    pub public: Frame,
    /// For who has the token.
    pub undelayed: Frame,
}

/// A snapshot, and when it came.
#[derive(Debug, Clone)]
struct Received {
    snapshot: Arc<Snapshot>,
    /// When the bot received it: the public sees it so much later, whatever the server's clock says.
    received_ms: i64,
    /// When it was taken.
    taken_ms: i64,
    /// From when its age is counted.
    fresh_ms: i64,
}

#[derive(Debug)]
struct ServerHistory {
    newest: Received,
    /// What the public has not seen yet, oldest first, each with the beginning of its slot: the newest of a slot is kept.
    waiting: VecDeque<(i64, Received)>,
    public: Option<Received>,
    /// The posts in this second.
    posts: (i64, u32),
    /// What was shown last, in both views, so that nothing is rendered twice.
    shown: [Option<Arc<ServerView>>; 2],
}

/// All servers.
#[derive(Debug)]
pub struct Board {
    delay_ms: i64,
    servers: BTreeMap<String, ServerHistory>,
}

impl Received {
    fn new(snapshot: Snapshot, transport: Transport, is_first: bool, at: Moment) -> Self {
        let age_ms = at.unix_ms.saturating_sub(snapshot.unix_ms).max(0);
        let taken_ms = match transport {
            Transport::File if age_ms <= FILE_AGE_MS => at.now_ms - age_ms,
            Transport::File | Transport::Posted => at.now_ms,
            Transport::Shared(age_ms) => at.now_ms - age_ms,
        };
        // The file of a server that is gone is still there. Only a change shows that somebody writes it.
        let fresh_ms = match transport {
            Transport::Shared(_) => taken_ms,
            _ if is_first => at.now_ms - age_ms.min(OFFLINE_AFTER_MS + 1),
            _ => at.now_ms,
        };
        Self {
            snapshot: Arc::new(snapshot),
            received_ms: at.now_ms,
            taken_ms,
            fresh_ms,
        }
    }

    /// The ages at which the health changes.
    fn limits_ms(&self) -> [i64; 2] {
        let stale = if is_busy(&self.snapshot) {
            STALE_AFTER_MS
        } else {
            IDLE_STALE_AFTER_MS
        };
        [stale, OFFLINE_AFTER_MS]
    }

    fn health(&self, now_ms: i64) -> Health {
        let age_ms = now_ms - self.fresh_ms;
        let [stale, offline] = self.limits_ms();
        match age_ms {
            _ if age_ms > offline => Health::Offline,
            _ if age_ms > stale => Health::Stale,
            _ => Health::Live,
        }
    }
}

impl Board {
    /// Without servers.
    pub fn new(delay_ms: i64) -> Self {
        Self {
            delay_ms,
            servers: BTreeMap::new(),
        }
    }

    /// Takes a snapshot if it is the newest of its server.
    pub fn offer(&mut self, snapshot: Snapshot, transport: Transport, at: Moment) -> Outcome {
        let address = format!("{}:{}", snapshot.server.ip, snapshot.server.port);
        let is_clock_right = (at.unix_ms - snapshot.unix_ms).abs() <= CLOCK_MS;
        let is_posted = transport == Transport::Posted;
        let Some(history) = self.servers.get_mut(&address) else {
            if is_posted && !is_clock_right {
                return Outcome::WrongClock;
            }
            if self.servers.len() >= SERVERS_MAX && !self.make_room(at.now_ms) {
                return Outcome::Full;
            }
            let first = Received::new(snapshot, transport, true, at);
            self.servers.insert(address, ServerHistory::new(first));
            return Outcome::Taken;
        };
        if is_posted && !history.may_post(at.now_ms) {
            return Outcome::TooOften;
        }
        let known = &history.newest.snapshot;
        if snapshot.seq <= known.seq {
            let is_same = (snapshot.seq, snapshot.unix_ms) == (known.seq, known.unix_ms);
            let silent_ms = at.now_ms - history.newest.received_ms;
            if is_same || silent_ms < RESET_AFTER_MS {
                return Outcome::Old;
            }
            if is_posted && !is_clock_right {
                return Outcome::WrongClock;
            }
        }
        let slot_ms = (self.delay_ms / WAITING_MAX).max(FASTEST_MS as i64);
        history.push(Received::new(snapshot, transport, false, at), slot_ms);
        Outcome::Taken
    }

    /// Removes the server that has been silent for longest, if it is offline.
    fn make_room(&mut self, now_ms: i64) -> bool {
        let oldest = self
            .servers
            .iter()
            .min_by_key(|(_, history)| history.newest.fresh_ms);
        let gone = oldest.filter(|(_, history)| history.newest.health(now_ms) == Health::Offline);
        let gone = gone.map(|(address, _)| address.clone());
        gone.is_some_and(|address| self.servers.remove(&address).is_some())
    }

    /// What everybody and what the holders of the token see. The public sees at a time what they saw `delay_ms` before it.
    pub fn views_at(&mut self, now_ms: i64) -> Views {
        let then_ms = now_ms - self.delay_ms;
        self.servers.retain(|_, history| {
            while let Some((_, due)) = history
                .waiting
                .pop_front_if(|(_, w)| w.received_ms <= then_ms)
            {
                history.public = Some(due);
            }
            then_ms - history.newest.fresh_ms <= FORGOTTEN_AFTER_MS || !history.waiting.is_empty()
        });
        let mut views = Views {
            public: Frame::default(),
            undelayed: Frame::default(),
        };
        for (address, history) in &mut self.servers {
            let [public, undelayed] = &mut history.shown;
            if let Some(received) = &history.public {
                let view = view(address, received, then_ms, self.delay_ms, public);
                views.public.servers.push(view);
            }
            let view = view(address, &history.newest, now_ms, 0, undelayed);
            views.undelayed.servers.push(view);
        }
        views
    }

    /// When a view changes next, if nothing is received until then.
    pub fn next_change_ms(&self, now_ms: i64) -> Option<i64> {
        let changes = self.servers.values().flat_map(|history| {
            let due = history
                .waiting
                .front()
                .map(|(_, w)| w.received_ms + self.delay_ms);
            let views = [
                (Some(&history.newest), 0),
                (history.public.as_ref(), self.delay_ms),
            ];
            let turns = views.into_iter().flat_map(|(received, delay_ms)| {
                let turns =
                    received.map(|r| r.limits_ms().map(|limit| r.fresh_ms + limit + delay_ms + 1));
                turns.into_iter().flatten()
            });
            let forgotten = history.newest.fresh_ms + self.delay_ms + FORGOTTEN_AFTER_MS + 1;
            due.into_iter().chain(turns).chain([forgotten])
        });
        changes.filter(|change_ms| *change_ms > now_ms).min()
    }
}

impl ServerHistory {
    fn new(first: Received) -> Self {
        Self {
            newest: first.clone(),
            waiting: VecDeque::from([(first.received_ms, first)]),
            public: None,
            posts: (0, 0),
            shown: [None, None],
        }
    }

    fn push(&mut self, received: Received, slot_ms: i64) {
        let now_ms = received.received_ms;
        self.newest = received.clone();
        match self.waiting.back_mut() {
            Some((begin_ms, last)) if now_ms - *begin_ms < slot_ms => *last = received,
            _ => self.waiting.push_back((now_ms, received)),
        }
    }

    fn may_post(&mut self, now_ms: i64) -> bool {
        let second = now_ms / 1000;
        if self.posts.0 != second {
            self.posts = (second, 0);
        }
        self.posts.1 += 1;
        self.posts.1 <= POSTS_PER_SECOND
    }
}

/// The view of a server: the one that was shown before if nothing has changed.
fn view(
    address: &str,
    received: &Received,
    at_ms: i64,
    delay_ms: i64,
    shown: &mut Option<Arc<ServerView>>,
) -> Arc<ServerView> {
    let view = ServerView {
        address: address.to_owned(),
        health: received.health(at_ms),
        snapshot: Arc::clone(&received.snapshot),
        taken_ms: received.taken_ms + delay_ms,
        card: OnceLock::new(),
        json: OnceLock::new(),
    };
    match shown {
        Some(shown) if **shown == view => Arc::clone(shown),
        shown => Arc::clone(shown.insert(Arc::new(view))),
    }
}

#[cfg(test)]
mod tests;
