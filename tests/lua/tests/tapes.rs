//! The script on recorded matches: every number of every round and player, without tolerance.

use gametimes_format::check::{check, check_file_name};
use gametimes_format::{EndReason, EventKind, GametimesFile};
use gametimes_lua_tests::SCRIPT;
use gametimes_lua_tests::results::rounds;
use gametimes_lua_tests::tape::Player;
use gametimes_lua_tests::world::Server;
use gametimes_standin::recorded::{Pause as ExpectedPause, Round as ExpectedRound, expected};

struct Match {
    files: Vec<(String, GametimesFile)>,
    expected: Vec<ExpectedRound>,
    log: String,
}

fn play(name: &str) -> Match {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    Player::new(name).play(&mut server, &mut |_, _| {});
    Match {
        files: rounds(&server.game_dir().join("gametimes")),
        expected: expected(name),
        log: server.log(),
    }
}

fn reason(round: &ExpectedRound) -> Option<EndReason> {
    Some(match round.exit.as_deref()? {
        "Exit: Wolf EndRound." => EndReason::Objective,
        "Exit: Timelimit hit." => EndReason::TimeExpired,
        "Exit: Axis Surrender" | "Exit: Allies Surrender" => EndReason::Surrender,
        other => panic!("{other}"),
    })
}

/// Plays a match and compares everything with its expected results.
fn compare(name: &str) -> Match {
    let m = play(name);
    assert_eq!(
        m.files.len(),
        m.expected.len(),
        "rounds of {name}\n{}",
        m.log
    );
    let mut wrong = Vec::new();
    let mut total = 0;
    for (i, (want, (_, got))) in m.expected.iter().zip(&m.files).enumerate() {
        let mut same = |what: &str, want: String, got: String| {
            total += 1;
            if want != got {
                wrong.push(format!("{name} round {i} {what}: want {want}, got {got}"));
            }
        };
        let meta = &got.meta;
        same("map", want.map.clone(), meta.map.clone());
        same("round", want.round.to_string(), meta.round.to_string());
        same(
            "gametype",
            want.gametype.to_string(),
            meta.gametype.to_string(),
        );
        same(
            "duration_ms",
            want.play_ms.to_string(),
            meta.duration_ms.to_string(),
        );
        same(
            "seconds",
            (want.play_ms / 1000).to_string(),
            meta.actual_duration_seconds.to_string(),
        );
        let mut before = 0;
        let at_play = |p: &ExpectedPause| {
            let at_play_ms = p.start_ms - want.start_t - before;
            before += p.end_ms - p.start_ms;
            (p.start_ms, p.end_ms, Some(at_play_ms))
        };
        let pauses: Vec<_> = want.pauses.iter().map(at_play).collect();
        let got_pauses: Vec<_> = meta
            .pauses
            .iter()
            .map(|p| (p.start_ms, p.end_ms, p.at_play_ms))
            .collect();
        same("pauses", format!("{pauses:?}"), format!("{got_pauses:?}"));
        let paused: i64 = pauses.iter().map(|(a, b, _)| b - a).sum();
        same(
            "pause_seconds",
            (paused / 1000).to_string(),
            meta.pause_seconds.to_string(),
        );
        same(
            "pause_count",
            pauses.len().to_string(),
            meta.pause_count.to_string(),
        );
        same(
            "aborted",
            want.aborted.to_string(),
            (!meta.end_reason.is_finished()).to_string(),
        );
        if let Some(reason) = reason(want) {
            same(
                "end_reason",
                format!("{reason:?}"),
                format!("{:?}", meta.end_reason),
            );
        }
        for (guid, p) in &want.players {
            let all = [p.spawns, p.revives, p.deaths, p.kills].map(i64::from);
            let wanted = (all, p.dead_ms, p.max_dead_ms, p.denied_ms, p.dead_ms / 1000);
            let stats: Vec<_> = meta
                .spawn_stats
                .iter()
                .filter(|s| s.guid == *guid)
                .collect();
            let got = stats.first().map(|s| {
                let all = [s.spawns, s.revives, s.deaths, s.kills].map(i64::from);
                (all, s.dead_ms, s.max_dead_ms, s.denied_ms, s.dead_seconds)
            });
            if got.is_none() && wanted == ([0; 4], 0, 0, 0, 0) {
                continue; // was connected, but on no team
            }
            same(guid, format!("{:?}", Some(wanted)), format!("{got:?}"));
            same(
                &format!("{guid} entries"),
                "1".into(),
                stats.len().to_string(),
            );
        }
        let known = meta
            .spawn_stats
            .iter()
            .filter(|s| want.players.contains_key(&s.guid))
            .count();
        same(
            "players",
            meta.spawn_stats.len().to_string(),
            known.to_string(),
        );
    }
    assert!(
        wrong.is_empty(),
        "{} of {total} wrong\n{}\n{}",
        wrong.len(),
        wrong.join("\n"),
        m.log
    );
    assert!(total > 20, "{name}: only {total} figures compared");
    for (file, round) in &m.files {
        let problems = check(round);
        assert!(problems.is_empty(), "{file}: {problems:#?}");
        assert_eq!(check_file_name(file, &round.meta), None);
        consistent(file, round);
    }
    m
}

/// What must hold in every round.
fn consistent(file: &str, round: &GametimesFile) {
    let meta = &round.meta;
    for s in &meta.spawn_stats {
        assert!(s.played_ms <= meta.duration_ms, "{file} {s:?}");
        assert!(s.alive_ms + s.dead_ms <= s.played_ms, "{file} {s:?}");
        let events = |kind| {
            meta.events
                .iter()
                .filter(|e| e.kind == kind && e.guid == s.guid)
                .count()
        };
        assert_eq!(events(EventKind::Death), s.deaths as usize, "{file} {s:?}");
        assert_eq!(
            events(EventKind::Revive),
            s.revives as usize,
            "{file} {s:?}"
        );
        assert_eq!(
            events(EventKind::Spawn),
            (s.spawns - s.revives) as usize,
            "{file} {s:?}"
        );
    }
    let deaths = meta.events.iter().filter(|e| e.kind == EventKind::Death);
    for death in deaths {
        let means = death.means_of_death.as_deref().unwrap_or("none");
        assert!(means.starts_with("MOD_"), "{file} {death:?}");
    }
    for revive in meta.events.iter().filter(|e| e.kind == EventKind::Revive) {
        assert!(
            revive.by.as_ref().is_some_and(|by| *by != revive.guid),
            "{file} {revive:?}"
        );
    }
    for event in &meta.events {
        assert!(
            (0..=meta.duration_ms).contains(&event.t_ms),
            "{file} {event:?}"
        );
    }
    let denied: i64 = meta.spawn_stats.iter().map(|s| s.denied_ms).sum();
    let dead: i64 = meta.spawn_stats.iter().map(|s| s.dead_ms).sum();
    assert!(denied <= dead, "{file}");
}

#[test]
fn stopwatch_with_three_pauses_and_a_quit_is_recorded_exactly() {
    let m = compare("stopwatch");
    let meta: Vec<_> = m.files.iter().map(|(_, f)| &f.meta).collect();
    assert_eq!(meta[0].end_reason, EndReason::Objective);
    assert_eq!(meta[2].end_reason, EndReason::ServerQuit);
    assert_eq!(meta[2].winner.number(), 0);
    // The Allies attack and win round 1. In round 2 the players have changed sides.
    assert_eq!((meta[0].winner.number(), meta[0].defender.number()), (2, 1));
    assert_eq!((meta[0].score.axis, meta[0].score.allies), (0, 1));
    assert_eq!((meta[1].score.axis, meta[1].score.allies), (0, 2));
    assert_eq!(
        (meta[0].round_start_unix, meta[0].round_end_unix),
        (1_795_177_951, 1_795_178_021)
    );
    assert!(
        (30_000..31_000).contains(&meta[0].warmup_ms),
        "{}",
        meta[0].warmup_ms
    );
    assert_eq!(
        meta[0].stats_file.as_deref(),
        Some("2026-11-20-123344-room2-round-1.txt")
    );
    assert_eq!(
        meta[1].stats_file.as_deref(),
        Some("2026-11-20-123531-room2-round-2.txt")
    );
    assert_eq!(
        meta[2].stats_file.as_deref(),
        Some("2026-11-20-123609-room2-round-2.txt")
    );
    assert_eq!(
        (meta[0].timelimit_minutes, meta[1].timelimit_minutes),
        (2.0, 0.916667)
    );
    assert_eq!(
        (meta[0].teams.axis.len(), meta[0].teams.allies.len()),
        (6, 5)
    );
    assert_eq!(meta[0].engine_version, "2.83.1");
}

#[test]
fn surrender_is_recorded_with_team_and_caller() {
    let m = compare("surrender");
    let meta = &m.files[0].1.meta;
    assert_eq!(meta.exit_text, "Allies Surrender");
    assert_eq!((meta.surrender.team.number(), meta.winner.number()), (2, 1));
    assert_eq!(
        meta.surrender.caller_guid,
        "A00000012469579A0BADF00CC0FFEE01"
    );
    assert_eq!(meta.surrender.caller_name, "Player01");
    assert_eq!(m.files[1].1.meta.end_reason, EndReason::ServerQuit);
}

#[test]
fn timelimit_with_pauses_and_changing_players_is_recorded_exactly() {
    let m = compare("timelimit");
    let leaves = m.files[0]
        .1
        .meta
        .events
        .iter()
        .filter(|e| e.kind == EventKind::Leave);
    assert_eq!(leaves.count(), 1);
}

#[test]
fn rounds_interrupted_by_map_change_restart_and_quit_are_recorded_exactly() {
    let m = compare("interrupted");
    let reasons: Vec<_> = m.files.iter().map(|(_, f)| f.meta.end_reason).collect();
    assert_eq!(
        reasons,
        [
            EndReason::MapChange,
            EndReason::MapRestart,
            EndReason::Objective,
            EndReason::ServerQuit
        ]
    );
    // A restart during a round has no warmup.
    assert_eq!(m.files[2].1.meta.warmup_ms, 0);
    assert!(m.files[3].1.meta.warmup_ms > 29_000);
}

#[test]
fn public40_with_odd_names_and_changed_slots_is_recorded_exactly() {
    let m = compare("public40");
    let file = &m.files[0].1;
    assert_eq!(
        file.meta.teams.axis.len() + file.meta.teams.allies.len(),
        40
    );
    for name in ["Axis_JSON", "Allies_JSON"] {
        let field = file.payload.embeds[0].field(name).unwrap();
        assert!(
            field.chars().count() <= 1024 && !field.contains('\\'),
            "{field}"
        );
        let team: Vec<serde_json::Value> = serde_json::from_str(field).unwrap();
        assert_eq!(team.len(), 20);
    }
    assert!(
        file.meta.spawn_stats.iter().any(|s| !s.name.is_ascii()),
        "names in UTF-8"
    );
}
