//! During play, the game's thread makes no allocation and no system call.
//!
//! The module is linked into this test, so that its allocations go through the test's allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use gametimes::ffi;
use gametimes_format::{Class, EventKind, ObjectiveAction, TimelineEvent};
use gametimes_standin::{Fight, Server};

/// Frames of a fight of 64 players, more than eight minutes.
const FRAMES: isize = 10_000;

/// Frames before the count begins. The round ends in the last frame.
const WARM: isize = 100;
const LAST_FRAME: isize = WARM + FRAMES;

/// Counts the allocations of a thread that has its counter switched on.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<Option<usize>> = const { Cell::new(None) };
}

// SAFETY: passes every call to the system's allocator. The counter is a plain cell, which does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get().map(|n| n + 1)));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATIONS.with(|n| n.set(n.get().map(|n| n + 1)));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many system calls were trapped, and the number of the last one.
static SYSTEM_CALLS: AtomicUsize = AtomicUsize::new(0);
static LAST_SYSTEM_CALL: AtomicI64 = AtomicI64::new(-1);

extern "C" fn trapped(_signal: i32, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    SYSTEM_CALLS.fetch_add(1, Ordering::SeqCst);
    // The signal information of SIGSYS has the number of the system call at this offset (x86_64).
    // SAFETY: the kernel passes a whole siginfo_t.
    let number = unsafe { info.cast::<u8>().add(24).cast::<i32>().read() };
    LAST_SYSTEM_CALL.store(number.into(), Ordering::SeqCst);
}

/// From now on, every system call of this thread except the return from a signal raises SIGSYS and does nothing.
fn trap_system_calls() {
    // SAFETY: installs a handler that only counts, and a filter for this thread alone.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = trapped as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        assert_eq!(
            libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut()),
            0
        );
        let load = libc::BPF_LD as u16 | libc::BPF_W as u16 | libc::BPF_ABS as u16;
        let equal = libc::BPF_JMP as u16 | libc::BPF_JEQ as u16 | libc::BPF_K as u16;
        let answer = libc::BPF_RET as u16 | libc::BPF_K as u16;
        let mut filter = [
            libc::sock_filter {
                code: load,
                jt: 0,
                jf: 0,
                k: 0,
            },
            libc::sock_filter {
                code: equal,
                jt: 0,
                jf: 1,
                k: libc::SYS_rt_sigreturn as u32,
            },
            libc::sock_filter {
                code: answer,
                jt: 0,
                jf: 0,
                k: libc::SECCOMP_RET_ALLOW,
            },
            libc::sock_filter {
                code: answer,
                jt: 0,
                jf: 0,
                k: libc::SECCOMP_RET_TRAP,
            },
        ];
        let program = libc::sock_fprog {
            len: filter.len() as u16,
            filter: filter.as_mut_ptr(),
        };
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program
            ),
            0
        );
    }
}

/// One test only: there is one linked module, and its thread cannot be used any more once its system calls are trapped.
#[test]
fn fight_and_end_of_round_make_no_allocation_and_no_system_call() {
    static READY: AtomicUsize = AtomicUsize::new(0);
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_owned();
    std::thread::spawn(move || {
        let mut server = Server::new(
            std::path::Path::new(gametimes_standin::GAME),
            &path,
            &path.join("base"),
        )
        .unwrap();
        // SAFETY: these are a game's entry points.
        unsafe {
            server.link(
                ffi::dllEntry as *mut _,
                ffi::vmMain as *mut _,
                ffi::gametimes_set_wall_clock as *mut _,
            );
        }
        server.set_cvar("gametimes_live", "1");
        server.load().unwrap();
        server.fight(&Fight {
            with_repairs: true,
            last_frame: Some(LAST_FRAME as usize),
            ..Fight::new(64)
        });
        // The first frames print the worker's log lines about the start of the map.
        (1..=WARM / 2).for_each(|n| server.frame(n * 50));
        std::thread::sleep(std::time::Duration::from_secs(1));
        (WARM / 2 + 1..=WARM).for_each(|n| server.frame(n * 50));

        // Eight minutes of play take a moment here. Even if the worker receives none of it meanwhile, its queue has room for
        // all 7,900 events.
        trap_system_calls();
        ALLOCATIONS.set(Some(0));
        (WARM + 1..=LAST_FRAME).for_each(|n| server.frame(n * 50));
        READY.store(1 + ALLOCATIONS.replace(None).unwrap(), Ordering::SeqCst);
        // This thread cannot do anything any more, not even end.
        loop {
            std::hint::spin_loop();
        }
    });
    let until = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while READY.load(Ordering::SeqCst) == 0 {
        assert!(std::time::Instant::now() < until, "the fight did not end");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(
        READY.load(Ordering::SeqCst) - 1,
        0,
        "allocations in {FRAMES} frames"
    );
    assert_eq!(
        SYSTEM_CALLS.load(Ordering::SeqCst),
        0,
        "system calls in {FRAMES} frames, the last one number {} (228, clock_gettime, is one only where the kernel has no \
         fast clock: see /sys/devices/system/clocksource/clocksource0/current_clocksource)",
        LAST_SYSTEM_CALL.load(Ordering::SeqCst)
    );
    // The module did record all of it: the worker waits a few seconds for a stats file, then writes the file.
    let folder = home.path().join("legacy/gametimes");
    let file = loop {
        let names = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        if let Some(file) = names
            .map(|e| e.path())
            .find(|p| p.extension().is_some_and(|e| e == "json"))
        {
            break file;
        }
        assert!(std::time::Instant::now() < until, "no round was written");
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    let file: gametimes_format::GametimesFile =
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(file.meta.duration_ms, (LAST_FRAME * 50) as i64);
    let deaths: u32 = file.meta.spawn_stats.iter().map(|s| s.deaths).sum();
    assert_eq!(i64::from(deaths), (LAST_FRAME / 4) as i64);
    let events = &file.meta.events;
    let listed = |action| events.iter().filter(|e| e.action == Some(action)).count();
    assert_eq!(
        listed(ObjectiveAction::Planted),
        (LAST_FRAME / 100) as usize
    );
    assert_eq!(
        listed(ObjectiveAction::Announce),
        (LAST_FRAME / 100) as usize
    );
    assert!((1..LAST_FRAME as usize / 100).contains(&listed(ObjectiveAction::Repaired)));
    for class in [Class::Medic, Class::Engineer] {
        let spawns = |e: &&TimelineEvent| e.kind == EventKind::Spawn && e.class == Some(class);
        assert!(events.iter().filter(spawns).count() > 500);
    }
    // The live file was written meanwhile.
    let live = gametimes_test_support::live::snapshot(home.path()).unwrap();
    assert_eq!(live.state, gametimes_format::live::State::Intermission);
    assert_eq!(
        (live.played_ms, live.players.len()),
        (file.meta.duration_ms, 64)
    );
    let waves = file.meta.waves.unwrap().axis.unwrap();
    assert_eq!(waves.intervals.len(), 1 + LAST_FRAME as usize / 500);
}
