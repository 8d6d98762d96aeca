//! Objectives and waves.

use gametimes_format::file::EventKind;
use gametimes_format::{ObjectiveAction, Team};

use super::{Play, player};
use crate::event::{Rules, Text, What};

fn objective(action: ObjectiveAction, slot: Option<u8>, team: u8, text: &str) -> What {
    What::Objective {
        action,
        slot,
        team: team.into(),
        text: Text::new(text.as_bytes()),
    }
}

fn interval(team: Team, interval_ms: u32) -> What {
    let team = team.into();
    What::WaveInterval { team, interval_ms }
}

const OFFSETS: What = What::WaveOffsets {
    axis_ms: 3000,
    allies_ms: 0,
};

#[test]
fn an_announcement_in_every_frame_leaves_room_for_deaths() {
    let mut play = Play::start();
    play.join(1, "A", "a", 1);
    for _ in 0..30_000 {
        play.wait(50)
            .what(objective(ObjectiveAction::Announce, None, 0, "hurry"));
    }
    play.kill(1, 1);
    let round = play.exit("Timelimit hit.");
    assert_eq!(round.timeline.last().unwrap().kind, EventKind::Death);
    assert_eq!(
        (round.timeline.len(), round.timeline_dropped),
        (2003, 28_000)
    );
}

#[test]
fn two_players_who_plant_at_the_same_time_are_two_entries() {
    use ObjectiveAction::Planted;
    let mut play = Play::start();
    for slot in 1..=3 {
        play.join(slot, &format!("G{slot}"), "x", 1 + slot / 3);
    }
    for (slot, team) in [(1, 1), (3, 2), (2, 1)] {
        play.what(objective(Planted, None, team, "the Gun"));
        play.what(objective(Planted, Some(slot), team, ""));
    }
    play.wait(50).what(objective(Planted, Some(2), 1, ""));
    play.wait(50).what(objective(Planted, None, 1, "late"));
    let round = play.exit("Wolf EndRound.");
    let entries = round.timeline.iter();
    let entries = entries.filter(|e| e.kind == EventKind::Objective);
    let entries: Vec<_> = entries
        .map(|e| (e.guid.as_str(), e.text.as_deref()))
        .collect();
    let gun = Some("the Gun");
    let expected = [
        ("G1", gun),
        ("G3", gun),
        ("G2", gun),
        ("G2", None),
        ("", Some("late")),
    ];
    assert_eq!(entries, expected);
}

/// The clock stands still meanwhile, so the new interval counts for deaths just before the pause as well.
#[test]
fn an_interval_that_changes_during_a_pause_agrees_with_all_deaths() {
    let mut play = Play::start();
    play.what(OFFSETS);
    play.what(interval(Team::Axis, 10_000));
    play.what(interval(Team::Allies, 7000));
    play.join(1, "A", "a", 1);
    play.join(2, "B", "b", 2);
    play.wait(5000).kill(2, 1);
    play.what(What::Pause(true));
    for interval_ms in [20_000, 10_000, 5000] {
        play.wait(1000).what(interval(Team::Axis, interval_ms));
    }
    play.wait(1000).what(What::Pause(false));
    let round = play.wait(9000).exit("Timelimit hit.");
    let waves = round.waves.clone().unwrap();
    let axis = waves.axis.as_ref().unwrap();
    let intervals: Vec<_> = axis
        .intervals
        .iter()
        .map(|i| (i.from_ms, i.interval_ms))
        .collect();
    assert_eq!(intervals, [(0, 10_000), (5000, 5000)]);
    let death = round
        .timeline
        .iter()
        .find(|e| e.kind == EventKind::Death)
        .unwrap();
    assert_eq!(
        (death.wave_in_ms, death.killer_wave_in_ms),
        (Some(2000), Some(2000))
    );
    assert_eq!(player(&round, "A").wave_wait_ms, 2000);
}

#[test]
fn rounds_without_waves_have_none() {
    for last_man_standing in [false, true] {
        let mut play = Play::start();
        if last_man_standing {
            play.what(OFFSETS);
            play.what(interval(Team::Axis, 10_000));
            play.what(What::Rules(Box::new(Rules {
                gametype: 5,
                round: 1,
                timelimit_minutes: 20.0,
                ..Rules::default()
            })));
        }
        play.join(1, "A", "a", 1);
        play.kill(1, 1);
        let round = play.wait(100).exit("Axis team eliminated.");
        assert_eq!(round.waves, None);
        let death = round.timeline.last().unwrap();
        assert_eq!((death.wave_in_ms, death.killer_wave_in_ms), (None, None));
    }
}
