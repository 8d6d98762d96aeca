//! A panic anywhere costs the recording of a map at the most: it is said once, the game runs on, the next map is recorded.

mod common;

use std::path::Path;

use gametimes_standin::{Server, Step};

const VERSION: isize = 283_010_000;

fn start(server: &mut Server) {
    server.set_cvar("gamestate", "0");
    server.load().unwrap();
    server.call(0, &[1000, 7, 1, 1, VERSION], []);
}

fn stop(server: &mut Server) -> String {
    server.call(1, &[0], []);
    server.unload();
    server.take_console()
}

fn server(home: &Path) -> Server {
    let mut server = Server::new(&common::module(), home, &home.join("base")).unwrap();
    server.set_unix_ms(1_795_000_000_000);
    server
}

#[test]
fn a_panic_on_the_games_thread_is_said_once_and_passes_everything_through_until_the_next_map() {
    for point in ["before_call", "after_call", "before_trap"] {
        let home = tempfile::tempdir().unwrap();
        let mut server = server(home.path());
        start(&mut server);
        server.call(8, &[41_000], [Step::print("nothing\n")]);
        server.arm_fault(point);
        server.record_calls();
        for frame in 0..100 {
            let answer = server.call(
                8,
                &[41_050 + frame * 50],
                [Step::print("nothing\n"), Step::Return(5)],
            );
            assert_eq!(answer, Some(5), "{point}");
        }
        assert_eq!(
            server.record_calls().len(),
            100,
            "{point}: the game got every call"
        );
        assert_eq!(
            server.cvar("gametimes_module"),
            "off: internal error",
            "{point}"
        );
        let console = stop(&mut server);
        let said = console
            .lines()
            .filter(|l| l.contains("internal error"))
            .count();
        assert_eq!(said, 1, "{point}: {console}");
        // What was played up to the panic is kept.
        let files = common::files(home.path());
        assert_eq!(files.len(), 1, "{point}: {console}");
        assert_eq!(files[0].meta.end_reason.as_str(), "server_crash");

        server.set_unix_ms(1_795_000_100_000);
        start(&mut server);
        assert!(
            server.cvar("gametimes_module").starts_with("native "),
            "{point}"
        );
        server.call(8, &[51_000], [Step::print("Exit: Wolf EndRound.\n")]);
        stop(&mut server);
        let last = common::files(home.path()).pop().unwrap();
        assert_eq!(last.meta.end_reason.as_str(), "objective", "{point}");
    }
}

#[test]
fn a_panic_of_the_background_thread_does_not_end_it() {
    for point in ["worker_event", "worker_tick"] {
        let home = tempfile::tempdir().unwrap();
        let mut server = server(home.path());
        start(&mut server);
        server.arm_fault(point);
        server.call(8, &[41_000], [Step::configstring(14, "\\w\\1")]);
        std::thread::sleep(std::time::Duration::from_millis(200)); // some ticks of the worker
        let console = stop(&mut server);
        let said = console
            .lines()
            .filter(|l| l.contains("internal error in the background"))
            .count();
        assert_eq!(said, 1, "{point}: {console}");
        server.set_unix_ms(1_795_000_100_000);
        start(&mut server);
        server.call(8, &[51_000], [Step::print("Exit: Wolf EndRound.\n")]);
        stop(&mut server);
        let last = common::files(home.path()).pop().unwrap();
        assert_eq!(last.meta.end_reason.as_str(), "objective", "{point}");
    }
}
