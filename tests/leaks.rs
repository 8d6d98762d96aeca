//! A server runs for months: nothing may accumulate from map to map.

use gametimes_standin::recorded;
use gametimes_standin::recorded::built_module;
use gametimes_standin::{Options, Server, Step, play};
use gametimes_test_support::game::gametimes_files;

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).map_or(0, std::iter::Iterator::count)
}

/// Resident memory in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// One test only, because it counts the resources of the whole process.
#[test]
fn thousand_maps_and_all_tapes_twice_leak_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(&built_module(), home.path(), &home.path().join("base")).unwrap();
    server.set_cvar("gametimes_live", "1");
    server.set_cvar("gametimes_live_url", "http://127.0.0.1:9/api/live");
    let mut now = 1_795_000_000_000;
    let mut level = 0;
    let mut map = |server: &mut Server| {
        server.set_unix_ms(now);
        server.set_cvar("gamestate", "0");
        server.load().unwrap();
        let located = Step::Locate {
            entities: 64,
            entity_size: 1728,
            client_size: 124_320,
        };
        server.call(0, &[level, 7, 1, 1, 283_010_000], [located]);
        for slot in 0..16isize {
            server.set_userinfo(slot as usize, format!("\\cl_guid\\GUID{slot:028}"));
            server.call(
                2,
                &[slot, 1, 0],
                [Step::configstring(
                    689 + slot,
                    format!("n\\p{slot}\\t\\{}", 1 + slot % 2),
                )],
            );
            server.call(
                3,
                &[slot],
                [Step::Write(
                    slot,
                    vec![(284, (1 + slot % 2) as i64), (288, 1)],
                )],
            );
        }
        for frame in 1..20 {
            let killed = Step::kill(frame % 16, (frame + 1) % 16, frame as i64);
            let again = Step::Write((frame + 1) % 16, vec![(288, (2 + frame) as i64)]);
            server.call(8, &[level + frame * 50], killed);
            server.call(8, &[level + frame * 50 + 25], [again]);
        }
        server.call(8, &[level + 40_000], Step::exit("Wolf EndRound."));
        server.call(1, &[0], []);
        server.unload();
        server.take_console();
        now += 60_000;
        level += 60_000;
    };
    for _ in 0..50 {
        map(&mut server);
    }
    let before = (
        count("/proc/self/fd"),
        count("/proc/self/task"),
        resident_kib(),
    );
    for _ in 0..1000 {
        map(&mut server);
    }
    let after = (
        count("/proc/self/fd"),
        count("/proc/self/task"),
        resident_kib(),
    );
    assert_eq!(
        (before.0, before.1),
        (after.0, after.1),
        "descriptors, threads"
    );
    assert!(
        after.2 < before.2 + 2048,
        "memory grew from {} to {} KiB",
        before.2,
        after.2
    );
    let files = gametimes_files(home.path());
    assert_eq!(files.len(), 1050);
    assert_eq!(
        count(&format!("{}/legacy/gametimes/live", home.path().display())),
        1
    );
    // The last round is as exact as the first.
    for file in [&files[0], &files[1049]] {
        let deaths: Vec<u32> = file.meta.spawn_stats.iter().map(|s| s.deaths).collect();
        assert_eq!(file.meta.duration_ms, 40_000);
        assert_eq!(deaths, [1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    }

    drop(server);
    let tapes: Vec<_> = recorded::NAMES
        .iter()
        .map(|name| recorded::tape(name).unwrap())
        .collect();
    let mut sizes = Vec::new();
    for _ in 0..2 {
        for (tape, name) in tapes.iter().zip(recorded::NAMES) {
            let home = home.path().join(name);
            play(tape, &Options::new(&built_module(), &home)).unwrap();
            assert!(!gametimes_files(&home).is_empty());
        }
        sizes.push((count("/proc/self/fd"), count("/proc/self/task")));
    }
    // Every server loads a separate copy of the module, with one thread and one lock that live as long as the process.
    let servers = tapes.len();
    assert!(
        sizes[1].1 - sizes[0].1 <= servers && sizes[1].0 - sizes[0].0 <= servers,
        "{sizes:?}"
    );
}
