//! What happens around every frame and call: the time of events, lines for the console, and what the module costs.

use std::time::{Duration, Instant};

use gametimes_format::text::counted;

use super::Module;
use crate::deliver::handle::WorkerHandle;
use crate::engine::traps::Engine;
use crate::observe::{Complaint, Observer, Records};

/// One in this many frames is timed for `gametimes status`.
pub(super) const TIMED_FRAMES: u32 = 64;
/// How many lines of the worker are printed in one frame.
const LINES_PER_FRAME: usize = 8;

/// The time that the module takes in a frame, measured in some frames.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FrameCost {
    frames: u32,
    began: Option<Instant>,
    pub(super) last: Duration,
    pub(super) max: Duration,
}

impl<E: Engine> Module<E> {
    /// `RUN_FRAME`, before the game sees it.
    pub fn before_frame(&mut self, level_ms: i64, records: &impl Records) {
        self.cost.frames = self.cost.frames.wrapping_add(1);
        let timed = self
            .cost
            .frames
            .is_multiple_of(TIMED_FRAMES)
            .then(Instant::now);
        let level_ms = self
            .observer()
            .map(|observer| observer.frame(level_ms, records));
        if let (Some(level_ms), Some(worker)) = (level_ms, &self.worker) {
            worker.set_level_ms(level_ms);
        }
        self.cost.last = timed.map_or(self.cost.last, |t| t.elapsed());
        self.cost.began = timed;
    }

    /// A call has returned, and no other call is inside the game.
    pub fn call_is_done(&mut self, is_frame: bool, records: &impl Records) {
        let timed = if is_frame {
            self.cost.began.take().map(|_| Instant::now())
        } else {
            None
        };
        if self.observer.as_ref().is_some_and(Observer::has_arrivals) {
            self.connect_arrivals(records);
        }
        let Some(observer) = self.observer() else {
            return;
        };
        if is_frame {
            observer.after_frame(records);
        } else {
            observer.after_call(records);
        }
        if observer.take_exit() {
            let (this, next) = (self.minutes(c"timelimit"), self.minutes(c"g_nextTimeLimit"));
            if let Some(observer) = self.observer() {
                observer.round_over(this, next);
            }
        }
        if is_frame {
            self.print_lines(LINES_PER_FRAME);
            self.print_complaints();
        }
        if let Some(began) = timed {
            self.cost.last += began.elapsed();
            self.cost.max = self.cost.max.max(self.cost.last);
        }
    }

    /// Prints lines of the worker.
    pub(super) fn print_lines(&mut self, limit: usize) {
        for _ in 0..limit {
            let Some(line) = self.worker.as_ref().and_then(WorkerHandle::line) else {
                return;
            };
            self.say(&line);
        }
    }

    /// Prints new complaints, each kind in one line with a count.
    fn print_complaints(&mut self) {
        if let (Some(observer), Some(worker)) = (&mut self.observer, &self.worker) {
            // If the thread has ended, events are lost for another reason, which is logged at the end of the map.
            if worker.take_lost() > 0 && worker.is_alive() {
                observer.complain(Complaint::Lost);
            }
            if let Some(new) = observer.take_complaints() {
                self.complaints.add(&new);
            }
        }
        while let Some((complaint, count)) = self.complaints.due() {
            let times = counted(count as usize, "time");
            self.say(&format!("{} ({times})", complaint.text()));
        }
    }
}
