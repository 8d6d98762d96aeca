//! The wall clock.

use std::sync::atomic::{AtomicPtr, Ordering};

/// A clock that returns milliseconds since 1970.
pub type WallClock = extern "C" fn() -> i64;

/// Null stands for the system clock.
static OVERRIDE: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// Milliseconds since 1970. The system clock is read without a system call (vDSO).
pub fn unix_ms() -> i64 {
    let clock = OVERRIDE.load(Ordering::Relaxed);
    if clock.is_null() {
        let mut now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: writes one timespec to a place of that type.
        unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) };
        return now.tv_sec * 1000 + now.tv_nsec / 1_000_000;
    }
    // SAFETY: only `set_wall_clock` stores here, and it takes a WallClock.
    let clock: WallClock = unsafe { std::mem::transmute(clock) };
    clock()
}

/// Replaces the wall clock, so that a recorded match is played with its own unix times. `None` restores the system clock.
pub fn set_wall_clock(clock: Option<WallClock>) {
    let clock = clock.map_or(std::ptr::null_mut(), |c| c as *mut ());
    OVERRIDE.store(clock, Ordering::Relaxed);
}

/// Local time minus UTC at this time, in seconds. Do not call it on the game's thread: it may read the time zone file.
pub fn utc_offset_seconds(unix_seconds: i64) -> i32 {
    // SAFETY: tm is plain data for which zero is valid; localtime_r writes only to it.
    let offset = unsafe {
        let mut local: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&raw const unix_seconds, &raw mut local).is_null() {
            return 0;
        }
        local.tm_gmtoff
    };
    i32::try_from(offset).unwrap_or(0)
}
