//! What the tapes do not hold: names shared, guids missing, ghosts, votes that fail, bounds.

mod model;

use gametimes_format::file::{EndReason, EventKind};
use gametimes_format::{Team, TeamNumber};

use super::{Outcome, PlayerStats, Round, Tracker};
use crate::event::{Event, Level, ShutdownCause, Stamp, Text, What};

/// Plays events by hand.
#[derive(Default)]
struct Play {
    tracker: Tracker,
    now_ms: i64,
}

impl Play {
    fn what(&mut self, what: What) -> Option<Outcome> {
        let at = Stamp {
            level_ms: self.now_ms,
            unix_ms: 1_795_000_000_000 + self.now_ms,
        };
        self.tracker.apply(&Event { at, what })
    }

    fn wait(&mut self, ms: i64) -> &mut Self {
        self.now_ms += ms;
        self
    }

    /// A map begins, or begins again, in round 1.
    fn level(&mut self, gamestate: i32) {
        self.level_of_round(gamestate, 1);
    }

    fn level_of_round(&mut self, gamestate: i32, round: u8) {
        let level = Level {
            map: "supply".to_owned(),
            gamestate,
            max_clients: 64,
            ..Level::default()
        };
        self.what(What::Level(Box::new(level)));
        self.what(What::Rules {
            gametype: 3,
            round,
            timelimit_minutes: 20.0,
        });
    }

    /// A round begins at once.
    fn start() -> Self {
        let mut play = Self::default();
        play.level(0);
        play
    }

    fn connect(&mut self, slot: u8, guid: &str) {
        self.what(What::Connect {
            slot,
            guid: Text::new(guid.as_bytes()),
        });
    }

    fn team(&mut self, slot: u8, team: u8, name: &str) {
        self.what(What::Player {
            slot,
            team: team.into(),
            name: Text::new(name.as_bytes()),
        });
    }

    fn spawn(&mut self, slot: u8) {
        self.what(What::Spawn {
            slot,
            revived: false,
            by: None,
        });
    }

    fn join(&mut self, slot: u8, guid: &str, name: &str, team: u8) {
        self.connect(slot, guid);
        self.team(slot, team, name);
        self.spawn(slot);
    }

    fn kill(&mut self, by: u8, slot: u8) {
        self.what(What::Death {
            slot,
            by: Some(by),
            means: Text::new(b"MOD_MP40"),
        });
    }

    fn exit(&mut self, text: &str) -> Round {
        self.what(What::Exit(Text::new(text.as_bytes())));
        let over = self.what(What::RoundOver {
            timelimit_minutes: 20.0,
        });
        match over {
            Some(Outcome::Ended(round)) => *round,
            other => panic!("{other:?}"),
        }
    }
}

fn person<'a>(round: &'a Round, key: &str) -> &'a PlayerStats {
    let mut found = round.players.iter().filter(|p| p.key() == key);
    let person = found
        .next()
        .unwrap_or_else(|| panic!("{key} in {:?}", round.players));
    assert!(found.next().is_none(), "{key} twice");
    person
}

#[test]
fn two_who_share_a_name_and_have_no_guid_are_two() {
    let mut play = Play::start();
    play.join(1, "", "bot", 1);
    play.join(2, "", "bot", 2);
    play.wait(1000).kill(1, 2);
    play.wait(500);
    let round = play.exit("Wolf EndRound.");
    let figures: Vec<_> = round
        .players
        .iter()
        .map(|p| (p.kills, p.deaths, p.dead_ms))
        .collect();
    assert_eq!(figures, [(1, 0, 0), (0, 1, 500)]);
}

#[test]
fn one_without_a_guid_who_comes_back_under_the_name_is_the_same() {
    let mut play = Play::start();
    play.join(1, "", "old name", 1);
    play.team(1, 1, "^1new^7 name");
    play.wait(1000).what(What::Leave { slot: 1 });
    play.wait(5000).join(9, "", "new name", 1);
    play.wait(1000);
    let round = play.exit("Timelimit hit.");
    let p = person(&round, "new name");
    assert_eq!((p.spawns, p.played_ms, p.alive_ms), (2, 2000, 2000));
}

#[test]
fn a_ghost_and_the_player_who_came_back_are_one() {
    let mut play = Play::start();
    play.join(1, "G", "x", 1);
    play.wait(1000).join(5, "G", "x", 1); // the old connection has not timed out yet
    play.join(2, "E", "e", 2);
    play.kill(2, 1); // nobody is hurt by what happens to it
    play.spawn(1);
    play.wait(1000).what(What::Leave { slot: 1 });
    play.wait(1000);
    let round = play.exit("Timelimit hit.");
    let g = person(&round, "G");
    assert_eq!((g.spawns, g.deaths), (2, 0));
    assert_eq!((g.played_ms, g.alive_ms), (3000, 3000));
    assert_eq!(round.teams.axis.len(), 1);
    let kinds: Vec<_> = round.timeline.iter().map(|e| e.kind).collect();
    assert!(!kinds.contains(&EventKind::Death) && !kinds.contains(&EventKind::Leave));
}

#[test]
fn a_slot_that_a_ghost_has_left_is_anybodys() {
    let mut play = Play::start();
    play.join(1, "G", "x", 1);
    play.join(5, "G", "x", 1);
    play.what(What::Leave { slot: 1 });
    play.join(1, "N", "n", 2);
    play.kill(5, 1);
    play.wait(1000);
    let round = play.exit("Timelimit hit.");
    assert_eq!(person(&round, "N").dead_ms, 1000);
    assert_eq!(person(&round, "G").kills, 1);
}

#[test]
fn a_guid_that_comes_late_is_taken_over() {
    let mut play = Play::start();
    play.join(1, "", "x", 1);
    play.wait(1000).what(What::Guid {
        slot: 1,
        guid: Text::new(b"LATE"),
    });
    play.wait(1000);
    let round = play.exit("Timelimit hit.");
    assert_eq!(person(&round, "LATE").played_ms, 2000);
}

#[test]
fn who_changes_the_team_while_dead_stays_dead_until_the_new_wave() {
    let mut play = Play::start();
    play.join(1, "A", "a", 1);
    play.join(2, "B", "b", 2);
    play.wait(1000).kill(2, 1);
    play.wait(1000).team(1, 2, "a");
    play.wait(3000).spawn(1);
    play.wait(1000);
    let round = play.exit("Wolf EndRound.");
    let a = person(&round, "A");
    assert_eq!(
        (a.dead_ms, a.alive_ms, a.team),
        (4000, 2000, Some(Team::Allies))
    );
    assert_eq!(person(&round, "B").denied_ms, 4000);
}

#[test]
fn a_death_ends_at_the_move_to_the_spectators() {
    let mut play = Play::start();
    play.join(1, "A", "a", 1);
    play.join(2, "B", "b", 2);
    play.wait(1000).kill(2, 1);
    play.wait(2000).team(1, 3, "a");
    play.wait(5000);
    let round = play.exit("Wolf EndRound.");
    let a = person(&round, "A");
    assert_eq!((a.dead_ms, a.max_dead_ms, a.played_ms), (2000, 2000, 3000));
    assert!(round.teams.axis.is_empty());
}

#[test]
fn who_is_on_no_team_neither_lives_nor_dies() {
    let mut play = Play::start();
    play.join(1, "A", "a", 1);
    play.join(2, "B", "b", 2);
    play.join(3, "S", "s", 3);
    play.wait(1000);
    play.kill(1, 3);
    play.kill(1, 2);
    play.wait(5000);
    let round = play.exit("Wolf EndRound.");
    assert_eq!(round.players.len(), 2);
    let (a, b) = (person(&round, "A"), person(&round, "B"));
    assert_eq!((a.kills, a.denied_ms), (1, 5000));
    assert_eq!((b.deaths, b.dead_ms), (1, 5000));
}

#[test]
fn team_mates_oneself_the_world_and_the_dead_are_no_kills() {
    let mut play = Play::start();
    play.join(1, "A", "a", 1);
    play.join(2, "B", "b", 1);
    play.join(3, "C", "c", 2);
    play.kill(1, 2); // team mate
    play.wait(100).spawn(2);
    play.kill(2, 2); // oneself
    play.wait(100).spawn(2);
    play.what(What::Death {
        slot: 2,
        by: None,
        means: Text::new(b"MOD_FALLING"),
    });
    play.kill(3, 2); // dead already: a death for the game, no kill
    play.wait(100);
    let round = play.exit("Wolf EndRound.");
    assert!(
        round
            .players
            .iter()
            .all(|p| p.kills == 0 && p.denied_ms == 0)
    );
    assert_eq!(
        (person(&round, "B").deaths, person(&round, "B").dead_ms),
        (4, 300)
    );
}

#[test]
fn a_shell_of_somebody_who_went_to_the_spectators_is_still_their_teams() {
    let mut play = Play::start();
    play.join(1, "A", "a", 1);
    play.join(2, "B", "b", 1);
    play.join(3, "C", "c", 2);
    play.join(4, "S", "s", 3);
    play.team(1, 3, "a");
    play.kill(1, 2);
    play.kill(1, 3);
    play.wait(100).spawn(3);
    play.kill(4, 3); // who never played kills nobody
    play.wait(100);
    let round = play.exit("Wolf EndRound.");
    let a = person(&round, "A");
    assert_eq!((a.kills, a.denied_ms), (1, 100));
    assert_eq!(
        (person(&round, "B").deaths, person(&round, "C").deaths),
        (1, 2)
    );
    assert_eq!(round.players.len(), 3);
}

#[test]
fn pauses_beyond_those_that_are_told_stop_the_clock_all_the_same() {
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
fn a_vote_that_fails_is_no_surrender_and_a_referee_needs_none() {
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
fn the_score_lives_over_restarts_and_ends_with_the_map() {
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
    assert_eq!(win(&mut play, None), (1, 1), "a draw is nobody's");
    play.level_of_round(0, 2);
    assert_eq!(win(&mut play, Some(Team::Allies)), (1, 2));
    play.level(-1);
    play.level(0);
    assert_eq!(win(&mut play, Some(Team::Axis)), (1, 0), "another map");
}

#[test]
fn a_match_that_is_reset_counts_from_nothing() {
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

#[test]
fn nobody_wins_a_round_that_was_cut_off_or_voted_away() {
    for cause in [
        ShutdownCause::MapRestart,
        ShutdownCause::MapChange,
        ShutdownCause::Quit,
        ShutdownCause::Crash,
    ] {
        let mut play = Play::start();
        play.what(What::Winner(Team::Axis.into())); // the map's default
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
fn warmup_is_the_wall_time_from_the_first_warmup_to_play() {
    let mut play = Play::default();
    play.level(-1);
    play.wait(40_000).level(2); // the warmup is restarted
    play.wait(20_000).level(0);
    play.wait(1000);
    assert_eq!(play.exit("Timelimit hit.").warmup_ms(), 60_000);
    play.wait(5000).level(0); // restarted without one
    assert_eq!(play.exit("Timelimit hit.").warmup_ms(), 0);
    play.wait(5000).level(2);
    play.wait(30_000).level(-1); // another map: its own warmup
    play.wait(7000).level(0);
    assert_eq!(play.exit("Timelimit hit.").warmup_ms(), 7000);
}

#[test]
fn end_reasons_are_the_games_own_words() {
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
        ("Somebody's Surrender", EndReason::Unknown),
        ("Something new.", EndReason::Unknown),
    ] {
        assert_eq!(Play::start().exit(text).end_reason, reason, "{text}");
    }
}

#[test]
fn the_timeline_is_bounded_and_says_what_it_dropped() {
    let mut play = Play::start();
    play.join(1, "A", "a", 1);
    for _ in 0..15_000 {
        play.kill(1, 1);
        play.wait(1).spawn(1);
    }
    let round = play.exit("Wolf EndRound.");
    assert_eq!(round.timeline.len(), 20_000);
    assert_eq!(round.timeline_dropped, 10_002);
    assert_eq!(person(&round, "A").deaths, 15_000, "the sums go on");
}

#[test]
fn the_timeline_tells_who_did_it() {
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

#[test]
fn a_round_of_more_people_than_there_is_room_for_goes_on() {
    let mut play = Play::start();
    for n in 0..300 {
        play.join(3, &format!("{n}"), "x", 1);
        play.wait(10).what(What::Leave { slot: 3 });
    }
    let round = play.exit("Wolf EndRound.");
    assert_eq!(round.players.len(), 256);
}
