//! Pauses, votes, scores, warmups, ends of rounds, and the timeline.

use gametimes_format::file::{EndReason, EventKind};
use gametimes_format::{Class, ObjectiveAction, Team, TeamNumber, limits};

use uuid::Uuid;

use super::{Outcome, Play, Round, player};
use crate::event::{ShutdownCause, Text, What};
use crate::report::{Identity, gametimes_file};

#[test]
fn pauses_that_are_not_listed_stop_the_clock_too() {
    let mut play = Play::start();
    for _ in 0..250 {
        play.wait(100).what(What::Pause(true));
        play.wait(1000).what(What::Pause(false));
    }
    play.wait(100).what(What::Pause(true));
    play.wait(500);
    let round = play.exit("Axis Surrender");
    assert_eq!((round.pauses.len(), round.pause_ms()), (200, 200_000));
    assert_eq!(round.played_ms, 25_100);
    assert!(
        round
            .pauses
            .iter()
            .all(|p| p.end.level_ms - p.start.level_ms == 1000)
    );
}

#[test]
fn a_failed_vote_is_not_credited_with_a_later_surrender() {
    let surrender = |vote: &[What]| {
        let mut play = Play::start();
        play.join(1, "A", "a", 1);
        vote.iter().for_each(|w| drop(play.what(w.clone())));
        play.exit("Axis Surrender").surrender
    };
    let called = What::VoteCalled {
        slot: 1,
        surrender: true,
    };
    let other = What::VoteCalled {
        slot: 1,
        surrender: false,
    };
    let taken = surrender(std::slice::from_ref(&called));
    assert_eq!(
        (
            taken.team.team(),
            taken.caller_guid.as_str(),
            taken.caller_name.as_str()
        ),
        (Some(Team::Axis), "A", "a")
    );
    for vote in [
        &[][..],
        &[called.clone(), What::VoteFailed],
        &[called, other],
    ] {
        let taken = surrender(vote);
        assert_eq!(
            (taken.team.team(), taken.caller_guid.as_str()),
            (Some(Team::Axis), ""),
            "{vote:?}"
        );
    }
    let mut play = Play::start();
    let round = play.exit("Wolf EndRound.");
    assert_eq!(
        (round.surrender.team, round.end_reason),
        (TeamNumber::NONE, EndReason::Objective)
    );
}

#[test]
fn the_score_is_kept_over_restarts_until_the_map_changes() {
    let mut play = Play::start();
    let win = |play: &mut Play, winner: Option<Team>| {
        play.what(What::Winner(winner.into()));
        let round = play.exit("Wolf EndRound.");
        (round.score.axis, round.score.allies)
    };
    assert_eq!(win(&mut play, Some(Team::Axis)), (1, 0));
    play.level_of_round(2, 2);
    play.level_of_round(0, 2);
    assert_eq!(win(&mut play, Some(Team::Allies)), (1, 1));
    play.level(0);
    assert_eq!(win(&mut play, None), (1, 1), "a draw counts for no team");
    play.level_of_round(0, 2);
    assert_eq!(win(&mut play, Some(Team::Allies)), (1, 2));
    play.level(-1);
    play.level(0);
    assert_eq!(win(&mut play, Some(Team::Axis)), (1, 0), "another map");
}

#[test]
fn a_reset_match_starts_with_an_empty_score() {
    let won = |play: &mut Play| {
        play.what(What::Winner(Team::Axis.into()));
        play.exit("Wolf EndRound.").score.axis
    };
    let mut play = Play::start();
    assert_eq!(won(&mut play), 1);
    play.level_of_round(0, 2);
    play.what(What::Shutdown(ShutdownCause::MapRestart));
    play.level(2);
    play.level(0);
    assert_eq!(won(&mut play), 1, "reset in round 2");
    play.level(2);
    play.level(0);
    assert_eq!(won(&mut play), 1, "reset between the rounds");
    play.level_of_round(0, 2);
    play.what(What::Shutdown(ShutdownCause::MapRestart));
    play.level_of_round(0, 2);
    assert_eq!(won(&mut play), 2, "round 2 was restarted");
    play.level(0);
    play.what(What::Shutdown(ShutdownCause::MapRestart));
    play.level(0);
    assert_eq!(won(&mut play), 3, "the next match on the map");
}

/// In the other gametypes the number of the round does not show a reset.
#[test]
fn a_reset_of_a_match_that_has_only_rounds_1_starts_with_an_empty_score() {
    let won = |play: &mut Play| {
        play.what(What::Winner(Team::Axis.into()));
        play.exit("Wolf EndRound.").score.axis
    };
    let mut play = Play {
        objective: true,
        ..Play::default()
    };
    play.level(0);
    assert_eq!(won(&mut play), 1);
    play.level(2);
    play.level(0);
    assert_eq!(won(&mut play), 2, "the next round on the map");
    play.level(5);
    play.level(0);
    assert_eq!(won(&mut play), 1, "reset between two rounds");
    play.level(0);
    play.what(What::Shutdown(ShutdownCause::MapRestart));
    play.level(2);
    play.level(0);
    assert_eq!(won(&mut play), 1, "reset during a round");
}

/// Ends the running round; the attackers (Allies) win, or it is held.
fn end(play: &mut Play, held: bool, id: u128) -> Round {
    let winner = if held { Team::Axis } else { Team::Allies };
    play.what(What::Defender(Team::Axis.into()));
    play.what(What::Winner(winner.into()));
    play.wait(1000);
    let round = play.exit("Wolf EndRound.");
    play.tracker.remember(&round, Uuid::from_u128(id));
    round
}

#[test]
fn round_2_belongs_to_the_last_finished_round_1_of_the_match_and_map() {
    let first_of = |round: &Round| {
        round
            .first_round
            .as_ref()
            .map(|first| first.event_id.as_u128())
    };
    let mut play = Play::start();
    assert_eq!(first_of(&end(&mut play, false, 1)), None);
    play.level_of_round(2, 2); // the warmup of round 2
    play.level_of_round(0, 2);
    play.what(What::Shutdown(ShutdownCause::MapRestart));
    play.level_of_round(5, 2); // restarted, not reset
    play.level_of_round(0, 2);
    assert_eq!(first_of(&end(&mut play, true, 2)), Some(1), "played again");

    play.level_of_round(0, 2);
    assert_eq!(
        first_of(&end(&mut play, true, 3)),
        None,
        "no round 1 before it"
    );

    play.level(0);
    end(&mut play, true, 4);
    play.level(0); // reset: round 1 again, which is cut off
    play.what(What::Shutdown(ShutdownCause::MapRestart));
    play.level_of_round(0, 2);
    assert_eq!(
        first_of(&end(&mut play, true, 5)),
        None,
        "of a match that was reset"
    );

    play.level(0);
    end(&mut play, true, 6);
    play.level_on("oasis", 0, 2);
    assert_eq!(first_of(&end(&mut play, true, 7)), None, "of another map");
    play.level_of_round(0, 2);
    assert_eq!(
        first_of(&end(&mut play, true, 8)),
        None,
        "after another map"
    );
}

#[test]
fn interrupted_rounds_and_rounds_ended_by_a_vote_have_no_winner() {
    for cause in [
        ShutdownCause::MapRestart,
        ShutdownCause::MapChange,
        ShutdownCause::Quit,
        ShutdownCause::Crash,
    ] {
        let mut play = Play::start();
        play.what(What::Winner(Team::Axis.into())); // the default winner of the map
        let Some(Outcome::Ended(round)) = play.what(What::Shutdown(cause)) else {
            panic!()
        };
        assert_eq!((round.winner, round.score.axis), (None, 0), "{cause:?}");
    }
    let mut play = Play::start();
    play.what(What::Winner(Team::Axis.into()));
    let round = play.exit("Nextmap vote passed");
    assert_eq!((round.winner, round.end_reason), (None, EndReason::Vote));
}

#[test]
fn the_warmup_lasts_from_its_first_start_to_the_start_of_play() {
    let mut play = Play::default();
    play.level(-1);
    play.wait(40_000).level(2); // the warmup restarts
    play.wait(20_000).level(0);
    play.wait(1000);
    assert_eq!(play.exit("Timelimit hit.").warmup_ms(), 60_000);
    play.wait(5000).level(0); // restarted without a warmup
    assert_eq!(play.exit("Timelimit hit.").warmup_ms(), 0);
    play.wait(5000).level(2);
    play.wait(30_000).level(-1); // another map: its own warmup
    play.wait(7000).level(0);
    assert_eq!(play.exit("Timelimit hit.").warmup_ms(), 7000);
}

#[test]
fn the_end_reason_follows_from_the_exit_text() {
    for (text, reason) in [
        ("Wolf EndRound.", EndReason::Objective),
        ("Timelimit hit.", EndReason::TimeExpired),
        ("Axis team eliminated.", EndReason::Eliminated),
        ("Allied team eliminated.", EndReason::Eliminated),
        (
            "Axis team wins by drawing First Blood.",
            EndReason::TimeExpired,
        ),
        (
            "Allied team has the most survivors.",
            EndReason::TimeExpired,
        ),
        ("Axis Surrender", EndReason::Surrender),
        ("Unknown Surrender", EndReason::Unknown),
        ("Something new.", EndReason::Unknown),
    ] {
        assert_eq!(Play::start().exit(text).end_reason, reason, "{text}");
    }
}

#[test]
fn a_full_timeline_counts_the_events_it_drops() {
    let mut play = Play::start();
    play.join(1, "A", "a", 1);
    for _ in 0..15_000 {
        play.kill(1, 1);
        play.wait(1).spawn(1);
    }
    let round = play.exit("Wolf EndRound.");
    assert_eq!(round.timeline.len(), 20_000);
    assert_eq!(round.timeline_dropped, 10_002);
    assert_eq!(player(&round, "A").deaths, 15_000, "the sums are complete");
}

#[test]
fn the_timeline_contains_killers_and_means() {
    let mut play = Play::start();
    play.join(1, "A", "a", 1);
    play.join(2, "", "no guid", 2);
    play.wait(1000).kill(2, 1);
    play.wait(200).what(What::Limbo { slot: 1 });
    let round = play.exit("Wolf EndRound.");
    let kinds: Vec<_> = round.timeline.iter().map(|e| e.kind).collect();
    use EventKind::{Death, Join, Limbo, Spawn};
    assert_eq!(kinds, [Join, Spawn, Join, Spawn, Death, Limbo]);
    let death = &round.timeline[4];
    assert_eq!(
        (
            death.t_ms,
            death.by.as_deref(),
            death.means_of_death.as_deref()
        ),
        (1000, Some("no guid"), Some("MOD_MP40"))
    );
}

/// Readers accept files of [`limits::FILE_BYTES`], so that no round is lost.
#[test]
fn the_largest_round_makes_no_larger_file_than_readers_accept() {
    let mut play = Play::start();
    for _ in 0..=limits::PAUSES {
        play.wait(1).what(What::Pause(true));
        play.wait(1).what(What::Pause(false));
    }
    // Names whose length doubles in the file: Latin-1 becomes UTF-8. They differ in their last two bytes.
    let name = |n: usize| {
        let mut name = [0xe9; limits::NAME];
        name[limits::NAME - 2..].copy_from_slice(&[0xc0 + (n / 32) as u8, 0xc0 + (n % 32) as u8]);
        name
    };
    for n in 0..=limits::PLAYERS {
        let slot = (n % limits::SLOTS) as u8;
        play.what(What::Leave { slot });
        play.connect(slot, "");
        play.what(What::Player {
            slot,
            team: (1 + slot % 2).into(),
            name: Text::new(&name(n)),
        });
        play.what(What::Spawn {
            slot,
            revived: false,
            by: None,
            class: Some(Class::CovertOps),
        });
    }
    play.what(What::WaveOffsets {
        axis_ms: 1,
        allies_ms: 2,
    });
    for team in Team::ALL {
        play.what(What::WaveInterval {
            team: team.into(),
            interval_ms: u32::MAX,
        });
    }
    for n in 0..limits::OBJECTIVES {
        let slot = (n % limits::SLOTS) as u8;
        play.wait(1000).what(What::Objective {
            action: ObjectiveAction::PickedUp,
            slot: Some(slot),
            team: Team::Axis.into(),
            text: Text::new(&[0xe9; limits::OBJECTIVE_TEXT]),
        });
    }
    for n in 0..limits::EVENTS {
        let slot = (n % limits::SLOTS) as u8;
        play.wait(10_000).what(What::Death {
            slot,
            by: Some((slot + 1) % limits::SLOTS as u8),
            means: Text::new(&[b'M'; limits::MEANS]),
        });
    }
    let mut round = play.exit(&"\\".repeat(limits::EXIT_TEXT));
    assert_eq!(round.players.len(), limits::PLAYERS);
    assert_eq!(round.timeline.len(), limits::EVENTS);
    assert!(round.timeline_dropped > 0);
    assert_eq!(round.pauses.len(), limits::PAUSES);
    for text in [
        &mut round.server_ip,
        &mut round.server_port,
        &mut round.server_hostname,
        &mut round.engine_version,
    ] {
        *text = "\"".repeat(limits::CVAR);
    }
    let identity = Identity {
        event_id: uuid::Uuid::max(),
        utc_offset_seconds: -43_200,
    };
    let file = serde_json::to_string(&gametimes_file(&round, &identity)).unwrap();
    let (size, limit) = (file.len(), limits::FILE_BYTES);
    assert!(size <= limit, "{size} bytes, more than {limit}");
    assert!(
        size > limit / 5 * 4,
        "{size} bytes: the limit of {limit} is not this file's"
    );
}
