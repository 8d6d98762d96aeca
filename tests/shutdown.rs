//! Why a round was cut off: `quit`, a signal to stop, a fault, an error of the game or of the engine.

use std::cell::Cell;

use gametimes_standin::{Arg, Server, Step};
use gametimes_test_support::calls::{FRAME, SHUTDOWN, join, server, start};
use gametimes_test_support::game::gametimes_files;

thread_local! {
    static SERVER: Cell<*mut Server> = const { Cell::new(std::ptr::null_mut()) };
}

/// The engine's signal handler: shuts the game down on the stack of the code that ran.
extern "C" fn shut_down(_signal: i32) {
    // SAFETY: the test that raises the signal on this thread does not use its server meanwhile.
    let server = unsafe { &mut *SERVER.get() };
    server.call(SHUTDOWN, &[0], []);
}

/// Handles a signal as the engine does, and raises it: between two calls, or inside a frame.
fn raise(server: &mut Server, signal: i32, inside_call: bool) {
    SERVER.set(server);
    // SAFETY: the handler belongs to this test; `raise` runs it on this thread before it returns.
    unsafe {
        let before = libc::signal(signal, shut_down as *const () as usize);
        if inside_call {
            (*SERVER.get()).call(
                FRAME,
                &[31_000],
                [Step::Trap(4710, vec![Arg::Int(signal as isize)])],
            );
        } else {
            libc::raise(signal);
        }
        libc::signal(signal, before);
    }
}

/// The `end_reason` of a round that something cuts off.
fn end_reason(cut_off: impl FnOnce(&mut Server)) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut server = server(home.path());
    server.set_cvar("com_errorMessage", "an old error");
    start(&mut server);
    join(&mut server, 1, 1);
    server.call(FRAME, &[31_000], []);
    cut_off(&mut server);
    server.unload();
    let files = gametimes_files(home.path());
    assert_eq!(files[0].meta.duration_ms, 30_000);
    files[0].meta.end_reason.as_str().to_owned()
}

#[test]
fn quit_and_signals_to_stop_are_recorded_as_server_quit() {
    assert_eq!(
        end_reason(|server| {
            server.call(SHUTDOWN, &[0], []);
        }),
        "server_quit"
    );
    let now = Step::Trap(16, vec![Arg::Int(0), Arg::Text(b"quit\n".to_vec())]);
    assert_eq!(
        end_reason(|server| {
            server.call(FRAME, &[31_000], [now]);
        }),
        "server_quit"
    );
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        for inside_call in [false, true] {
            let reason = end_reason(|server| raise(server, signal, inside_call));
            assert_eq!(reason, "server_quit", "{signal} {inside_call}");
        }
    }
}

#[test]
fn faults_that_the_engine_catches_are_recorded_as_server_crash() {
    for signal in [libc::SIGSEGV, libc::SIGFPE, libc::SIGBUS, libc::SIGABRT] {
        for inside_call in [false, true] {
            let reason = end_reason(|server| raise(server, signal, inside_call));
            assert_eq!(reason, "server_crash", "{signal} {inside_call}");
        }
    }
}

#[test]
fn errors_of_the_engine_are_recorded_as_server_crash() {
    // Inside a trap, as after a bad configstring.
    let bad = Step::Trap(21, vec![Arg::Int(5000), Arg::Int(0), Arg::Int(0)]);
    assert_eq!(
        end_reason(|server| {
            server.call(FRAME, &[31_000], [bad]);
        }),
        "server_crash"
    );
    // Between two calls.
    let reason = end_reason(|server| {
        server.set_cvar("com_errorMessage", "a new error");
        server.call(SHUTDOWN, &[0], []);
    });
    assert_eq!(reason, "server_crash");
}

#[test]
fn map_changes_and_restarts_are_no_crash() {
    for (gamestate, restart, reason) in [("-1", 0, "map_change"), ("0", 1, "map_restart")] {
        let got = end_reason(|server| {
            server.set_cvar("gamestate", gamestate);
            server.call(SHUTDOWN, &[restart], []);
        });
        assert_eq!(got, reason);
    }
}
