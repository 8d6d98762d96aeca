//! Clocks that modules read instead of the system's, one for each running server.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// A function that returns the time to a module.
pub(crate) type ClockFn = extern "C" fn() -> i64;

const CLOCKS: usize = 32;
static CLOCK_MS: [AtomicI64; CLOCKS] = [const { AtomicI64::new(0) }; CLOCKS];
static CLOCK_USED: [AtomicBool; CLOCKS] = [const { AtomicBool::new(false) }; CLOCKS];

extern "C" fn clock<const N: usize>() -> i64 {
    CLOCK_MS[N].load(Ordering::Relaxed)
}

/// `clock::<0>` to `clock::<31>`.
const CLOCK_FNS: [ClockFn; CLOCKS] = {
    macro_rules! clocks {
        ($($n:literal)*) => { [$(clock::<$n>),*] };
    }
    clocks!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31)
};

/// A clock in use by one server. Dropping it frees it.
pub(crate) struct Clock(usize);

impl Clock {
    /// # Panics
    /// When all clocks are in use.
    pub(crate) fn take() -> Self {
        let free = (0..CLOCKS).find(|&n| !CLOCK_USED[n].swap(true, Ordering::Relaxed));
        Self(free.unwrap_or_else(|| panic!("more than {CLOCKS} servers at a time")))
    }

    pub(crate) fn function(&self) -> ClockFn {
        CLOCK_FNS[self.0]
    }

    pub(crate) fn set(&self, unix_ms: i64) {
        CLOCK_MS[self.0].store(unix_ms, Ordering::Relaxed);
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        CLOCK_USED[self.0].store(false, Ordering::Relaxed);
    }
}
