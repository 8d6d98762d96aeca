//! A panic costs at most the recording of one map: the log reports it once, the game continues, and the next map
//! is recorded.

use gametimes_standin::{Arg, Step};
use gametimes_test_support::calls::{server, start, stop};
use gametimes_test_support::game::{Match, gametimes_files, outbox};
use gametimes_test_support::wait_for;
use gametimes_test_support::webhook::Webhook;

#[test]
fn panic_on_the_game_thread_is_reported_once_and_forwards_everything_until_the_next_map() {
    for point in ["before_call", "after_call", "before_trap", "after_trap"] {
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
                [
                    Step::print("nothing\n"),
                    Step::Trap(15, vec![Arg::Int(7)]),
                    Step::Return(5),
                ],
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
        // The part of the round up to the panic is saved.
        let files = gametimes_files(home.path());
        assert_eq!(files.len(), 1, "{point}: {console}");
        assert_eq!(files[0].meta.end_reason.as_str(), "server_crash");

        server.set_unix_ms(1_795_000_100_000);
        start(&mut server);
        assert!(
            server.cvar("gametimes_module").starts_with("native "),
            "{point}"
        );
        server.call(8, &[51_000], Step::exit("Wolf EndRound."));
        stop(&mut server);
        let files = gametimes_files(home.path());
        assert_eq!(files.len(), 2, "{point}");
        assert_eq!(files[1].meta.end_reason.as_str(), "objective", "{point}");
    }
}

#[test]
fn panic_in_the_worker_does_not_end_it() {
    for point in ["worker_event", "worker_tick", "track", "report", "deliver"] {
        let home = tempfile::tempdir().unwrap();
        let mut server = server(home.path());
        start(&mut server);
        server.arm_fault(point);
        server.call(8, &[41_000], [Step::configstring(14, "\\w\\1")]);
        let mut console = String::new();
        if !["report", "deliver"].contains(&point) {
            wait_for(point, || {
                server.call(8, &[41_000], []);
                console += &server.take_console();
                console.contains("internal error in the background")
            });
        }
        console += &stop(&mut server);
        let said = console
            .lines()
            .filter(|l| l.contains("internal error in the background"))
            .count();
        assert_eq!(said, 1, "{point}: {console}");
        server.set_unix_ms(1_795_000_100_000);
        start(&mut server);
        server.call(8, &[51_000], Step::exit("Wolf EndRound."));
        stop(&mut server);
        let files = gametimes_files(home.path());
        assert_eq!(files.len(), 1, "{point}: only the running round is lost");
        assert_eq!(files[0].meta.end_reason.as_str(), "objective", "{point}");
    }
}

#[test]
fn panic_while_sending_costs_one_attempt() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    game.start();
    game.server.arm_fault("send");
    game.frame(5000, []);
    game.finish();
    let console = game.stop();
    game.start();
    let console = game.after(console, "message sent");
    let said = console
        .lines()
        .filter(|l| l.contains("internal error while sending to webhook 1"));
    assert_eq!(said.count(), 1, "{console}");
    assert_eq!(
        hook.accepted(),
        [gametimes_files(home.path())[0].meta.event_id.as_str()]
    );
    assert!(outbox(home.path(), "queue").is_empty());
    game.stop();
}

#[test]
fn worker_that_ended_is_replaced_at_the_next_map_and_its_round_recovered() {
    let home = tempfile::tempdir().unwrap();
    let hook = Webhook::start([]);
    let mut game = Match::new(home.path(), &[("gametimes_webhook_url", &hook.url())]);
    game.start();
    game.frame(5000, []);
    let instance = home.path().join("legacy/gametimes/outbox/127.0.0.1_27960");
    wait_for("a sign of life in the journal", || {
        let journal = std::fs::read_to_string(instance.join("round.journal"));
        journal.is_ok_and(|text| text.contains(r#"{"alive":{"level_ms":5000,"#))
    });
    game.server.arm_fault("worker_dies");
    std::thread::sleep(std::time::Duration::from_millis(300));
    game.frame(40_000, []); // the worker is gone; nothing receives this, and nothing waits for it
    game.finish();
    let console = game.stop();
    assert!(
        console.contains("the background thread has ended"),
        "{console}"
    );
    assert!(!console.contains("disk"), "{console}");
    assert!(gametimes_files(home.path()).is_empty());

    game.recover();
    let files = gametimes_files(home.path());
    let rounds: Vec<_> = files
        .iter()
        .map(|f| (f.meta.end_reason.as_str(), f.meta.duration_ms))
        .collect();
    assert_eq!(rounds, [("server_crash", 5000), ("objective", 6000)]);
    hook.wait(2);
    let played: Vec<&str> = files.iter().map(|f| f.meta.event_id.as_str()).collect();
    assert_eq!(hook.accepted(), played);
}
