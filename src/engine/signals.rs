//! Keeping signals on the game's thread.

/// Runs `work` with all signals blocked, so that the threads it starts never run the engine's signal handlers. Those shut
/// the server down and expect to run on the game's thread.
pub fn blocked<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: sigset_t is plain data for which zero is valid; the calls read and write only these two.
    let before = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        before
    };
    let result = work();
    // SAFETY: as above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
    result
}
