//! Keeping signals on the game's thread, and recognizing the signal whose handler runs.

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

/// The signals after which the engine shuts down, and whether they tell of a fault.
const SIGNALS: [(i32, bool); 10] = [
    (libc::SIGSEGV, true),
    (libc::SIGILL, true),
    (libc::SIGFPE, true),
    (libc::SIGBUS, true),
    (libc::SIGABRT, true),
    (libc::SIGTRAP, true),
    (libc::SIGTERM, false),
    (libc::SIGINT, false),
    (libc::SIGHUP, false),
    (libc::SIGQUIT, false),
];

/// A set of the signals after which the engine shuts down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Set(u16);

/// The kind of the signal whose handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// A fault of the program, such as SIGSEGV.
    Fault,
    /// A request to stop, such as SIGTERM.
    Stop,
}

/// The signals that are blocked on this thread now.
pub fn blocked_now() -> Set {
    // SAFETY: sigset_t is plain data for which zero is valid; the call only writes it.
    let blocked = unsafe {
        let mut blocked: libc::sigset_t = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut blocked);
        blocked
    };
    let mut set = 0;
    for (bit, (signal, _)) in SIGNALS.iter().enumerate() {
        // SAFETY: reads a set that was written above.
        if unsafe { libc::sigismember(&raw const blocked, *signal) } == 1 {
            set |= 1 << bit;
        }
    }
    Set(set)
}

/// The signal whose handler runs: the system blocks it meanwhile. `before` are the signals that are blocked anyway. A fault may
/// interrupt the handler of another signal, so it comes first.
pub fn handled(before: Set) -> Option<Handled> {
    let Set(now) = blocked_now();
    let new = now & !before.0;
    let kinds = SIGNALS.iter().enumerate();
    let mut kinds = kinds.filter(|(bit, _)| new & (1 << bit) != 0);
    let is_fault = kinds.clone().any(|(_, (_, fault))| *fault);
    kinds.next().map(|_| {
        if is_fault {
            Handled::Fault
        } else {
            Handled::Stop
        }
    })
}
