//! Compares a gametimes file with what the game itself reported.

use std::collections::BTreeMap;

use gametimes_format::{EndReason, GametimesFile};
use gametimes_standin::recorded::{Figures, Round};

/// Compares every number, without a tolerance.
///
/// # Panics
/// When a number differs.
pub fn compare(which: &str, file: &GametimesFile, expected: &Round) {
    let m = &file.meta;
    assert_eq!(m.map, expected.map, "{which}");
    assert_eq!(m.round, expected.round, "{which}");
    assert_eq!(m.gametype, expected.gametype, "{which}");
    assert_eq!(m.duration_ms, expected.play_ms, "{which}");
    assert_eq!(
        m.actual_duration_seconds,
        expected.play_ms / 1000,
        "{which}"
    );
    assert_eq!(
        expected.end_t - expected.start_t - expected.play_ms,
        m.pauses.iter().map(|p| p.end_ms - p.start_ms).sum::<i64>(),
        "{which}"
    );
    assert_eq!(m.pause_count as usize, expected.pauses.len(), "{which}");
    let mut paused_ms = 0;
    for (pause, p) in m.pauses.iter().zip(&expected.pauses) {
        let at_play_ms = p.start_ms - expected.start_t - paused_ms;
        assert_eq!(
            (pause.start_ms, pause.end_ms, pause.at_play_ms),
            (p.start_ms, p.end_ms, Some(at_play_ms)),
            "{which}"
        );
        paused_ms += p.end_ms - p.start_ms;
    }
    match expected.exit.as_deref() {
        None => {
            assert!(expected.aborted && !m.end_reason.is_finished(), "{which}");
            assert_eq!(
                (m.winner.number(), m.exit_text.as_str()),
                (0, ""),
                "{which}"
            );
        }
        Some(exit) => {
            assert_eq!(format!("Exit: {}", m.exit_text), exit, "{which}");
            let reason = match exit {
                "Exit: Timelimit hit." => EndReason::TimeExpired,
                "Exit: Wolf EndRound." => EndReason::Objective,
                "Exit: Axis Surrender" | "Exit: Allies Surrender" => EndReason::Surrender,
                other => panic!("{which}: {other}"),
            };
            assert_eq!(m.end_reason, reason, "{which}");
        }
    }
    let mut seen = BTreeMap::new();
    for s in &m.spawn_stats {
        let figures = Figures {
            spawns: s.spawns.into(),
            revives: s.revives.into(),
            deaths: s.deaths.into(),
            dead_ms: s.dead_ms,
            max_dead_ms: s.max_dead_ms,
            denied_ms: s.denied_ms,
            kills: s.kills.into(),
        };
        assert_eq!(s.dead_seconds, s.dead_ms / 1000, "{which} {}", s.guid);
        assert!(
            s.dead_ms + s.alive_ms <= s.played_ms,
            "{which} {}: {s:?}",
            s.guid
        );
        assert!(s.played_ms <= m.duration_ms, "{which} {}: {s:?}", s.guid);
        assert!(
            seen.insert(s.guid.clone(), figures).is_none(),
            "{which}: {} twice",
            s.guid
        );
    }
    for (guid, expected) in &expected.players {
        let nothing = Figures::default();
        assert_eq!(
            seen.get(guid).unwrap_or(&nothing),
            expected,
            "{which} {guid}"
        );
        seen.remove(guid);
    }
    // A player whom the game did not mention has done nothing.
    for (guid, figures) in seen {
        assert_eq!(figures, Figures::default(), "{which} {guid}");
    }
}
