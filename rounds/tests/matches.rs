//! Matches, series and evenings from rounds: the seven stopwatch cases, teams over side swaps and substitutes, and any order
//! of arrival.

use gametimes_format::Team::{self, Allies, Axis};
use gametimes_format::matches::{MapReason, MapResult, MapWinner};
use gametimes_rounds::matches::{
    Evening, Outcome, PlayedRound, ResultReason, RoundPlayer, Series, evenings,
};
use proptest::prelude::*;

const RED: [&str; 3] = ["^1eA^7.kid", "eA.bob", "eA.max"];
const BLUE: [&str; 3] = ["ann", "joe", "zoe"];

fn players(axis: &[&str], allies: &[&str]) -> Vec<RoundPlayer> {
    let team = |names: &[&str], team| -> Vec<RoundPlayer> {
        let player = |name: &&str| RoundPlayer {
            guid: format!("{:0>8}0BADF00D", name.replace(['^', '.'], "")),
            name: (*name).to_owned(),
            team,
            kills: name.len() as i64,
        };
        names.iter().map(player).collect()
    };
    [team(axis, Axis), team(allies, Allies)].concat()
}

/// A round 1 that Blue attacks (Allies) or a round 2 that Red attacks, which lasts 5 minutes and ends at a minute of the day.
fn round(number: u8, end_minute: i64, winner: Option<Team>) -> PlayedRound {
    let (axis, allies) = if number == 1 {
        (RED, BLUE)
    } else {
        (BLUE, RED)
    };
    let end_unix = 1_795_000_000 + 60 * end_minute;
    PlayedRound {
        id: 1000 + end_minute,
        match_id: format!("2026-11-20-{end_minute:06}"),
        round_number: number,
        map_name: "supply".into(),
        server_address: "192.0.2.1:27960".into(),
        server_name: "Server".into(),
        start_unix: Some(end_unix - 300),
        end_unix,
        played_ms: Some(300_000 - 15_000 * i64::from(number - 1)),
        winner,
        defender: Some(Axis),
        is_cut_off: false,
        surrendered: false,
        gametype: Some(3),
        match_uid: None,
        team_a: None,
        stopwatch: None,
        map_result: None,
        players: players(&axis, &allies),
    }
}

fn cut_off(number: u8, end_minute: i64) -> PlayedRound {
    PlayedRound {
        is_cut_off: true,
        ..round(number, end_minute, None)
    }
}

fn gave_up(round: PlayedRound) -> PlayedRound {
    PlayedRound {
        surrendered: true,
        ..round
    }
}

fn with_uid(uid: &str, round: PlayedRound) -> PlayedRound {
    PlayedRound {
        match_uid: Some(uid.to_owned()),
        ..round
    }
}

fn only_evening(rounds: &[PlayedRound]) -> Evening {
    let found = evenings(rounds);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

fn only_series(rounds: &[PlayedRound]) -> Series {
    let found = only_evening(rounds).series;
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// Winner, reason and times of each match.
fn results(rounds: &[PlayedRound]) -> Vec<(Outcome, ResultReason, Option<i64>, Option<i64>)> {
    let series = only_evening(rounds).series.into_iter();
    let matches = series.flat_map(|series| series.matches);
    let result = |m: gametimes_rounds::matches::SeriesMatch| {
        let r = m.played.result;
        (r.winner, r.reason, r.team_a_ms, r.team_b_ms)
    };
    matches.map(result).collect()
}

const FIRST: Option<i64> = Some(300_000);
const SECOND: Option<i64> = Some(285_000);

#[test]
fn result_follows_from_both_rounds_in_all_seven_stopwatch_cases() {
    use Outcome::{Draw, TeamA, TeamB, Undecided};
    let (set, held) = (Some(Allies), Some(Axis));
    for (name, rounds, expected) in [
        (
            "faster",
            vec![round(1, 5, set), round(2, 15, set)],
            (TeamB, ResultReason::Faster, FIRST, SECOND),
        ),
        (
            "held in round 2",
            vec![round(1, 5, set), round(2, 15, held)],
            (TeamA, ResultReason::Held, FIRST, None),
        ),
        (
            "both held",
            vec![round(1, 5, held), round(2, 15, held)],
            (Draw, ResultReason::BothHeld, None, None),
        ),
        (
            "attackers give up in round 1",
            vec![gave_up(round(1, 5, held)), round(2, 15, set)],
            (TeamB, ResultReason::Held, None, SECOND),
        ),
        (
            "defenders give up in round 1",
            vec![gave_up(round(1, 5, set)), round(2, 15, held)],
            (TeamA, ResultReason::Held, FIRST, None),
        ),
        (
            "round 2 cut off",
            vec![round(1, 5, set), cut_off(2, 15)],
            (Undecided, ResultReason::CutOff, FIRST, None),
        ),
    ] {
        assert_eq!(results(&rounds), [expected], "{name}");
    }
    let again = [cut_off(1, 5), round(1, 15, set), round(2, 25, set)];
    assert_eq!(
        results(&again),
        [
            (Undecided, ResultReason::CutOff, None, None),
            (TeamB, ResultReason::Faster, FIRST, SECOND)
        ]
    );
    let surrender = [round(1, 5, set), gave_up(round(2, 15, held))];
    assert_eq!(
        results(&surrender),
        [(TeamA, ResultReason::Surrender, FIRST, None)]
    );
}

#[test]
fn match_without_a_half_is_undecided_until_it_arrives() {
    let both = [round(1, 5, Some(Allies)), round(2, 15, Some(Axis))];
    let missing = |n: usize| results(&both[n..=n])[0];
    let first = (Outcome::Undecided, ResultReason::Round2Missing, FIRST, None);
    assert_eq!(missing(0), first);
    let second = (Outcome::Undecided, ResultReason::Round1Missing, None, None);
    assert_eq!(missing(1), second);
    assert_eq!(results(&both)[0].0, Outcome::TeamA);
}

#[test]
fn result_in_the_file_counts_even_if_round_1_is_missing() {
    let second = PlayedRound {
        map_result: Some(MapResult {
            winner: Some(MapWinner::TeamA),
            reason: Some(MapReason::Held),
            team_a_ms: Some(300_000),
            team_b_ms: None,
        }),
        ..round(2, 15, None)
    };
    assert_eq!(
        results(&[second]),
        [(Outcome::TeamA, ResultReason::Held, FIRST, None)]
    );
}

#[test]
fn round_2_that_is_played_again_after_a_restart_counts() {
    let rounds = [
        round(1, 5, Some(Allies)),
        cut_off(2, 15),
        round(2, 25, Some(Axis)),
    ];
    let found = results(&rounds);
    assert!(
        found.contains(&(Outcome::TeamA, ResultReason::Held, FIRST, None)),
        "{found:?}"
    );
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn round_2_after_another_round_2_is_not_tied_to_the_same_round_1() {
    let set = Some(Allies);
    let rounds = [round(1, 5, set), round(2, 15, set), round(2, 25, set)];
    let found = results(&rounds);
    assert_eq!(found.len(), 2);
    assert_eq!(found[1].1, ResultReason::Round1Missing);
}

#[test]
fn match_uid_ties_rounds_that_the_rule_of_times_would_not() {
    let set = Some(Allies);
    // The teams play the first round, then another match is played between, and the second round follows much later.
    let mut rounds = vec![
        with_uid("a", round(1, 5, set)),
        with_uid("b", round(1, 50, set)),
        with_uid("a", round(2, 90, set)),
    ];
    let found = results(&rounds);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].1, ResultReason::Faster, "{found:?}");
    assert_eq!(found[1].1, ResultReason::Round2Missing, "{found:?}");
    // Over an hour of break does not part them.
    rounds[2].end_unix += 3 * 3600;
    rounds[2].start_unix = Some(rounds[2].end_unix - 300);
    assert_eq!(results(&rounds), found);
    // Two files of different matches are never tied.
    rounds[2] = with_uid("c", round(2, 60, set));
    assert!(results(&rounds).iter().all(|r| r.0 == Outcome::Undecided));
}

#[test]
fn winner_of_a_gametype_with_one_round_wins_its_match() {
    for (winner, expected) in [(Allies, Outcome::TeamA), (Axis, Outcome::TeamB)] {
        let rounds = [PlayedRound {
            gametype: Some(2),
            ..round(1, 5, Some(winner))
        }];
        let found = results(&rounds)[0];
        assert_eq!((found.0, found.1), (expected, ResultReason::OnlyRound));
    }
}

#[test]
fn teams_keep_name_and_players_over_side_swaps_and_substitutes() {
    let mut second = round(2, 15, Some(Axis));
    second.players = players(&["ann", "joe", "new"], &RED);
    let series = only_series(&[round(1, 5, Some(Allies)), second]);
    let names = |team: &gametimes_rounds::matches::MatchTeam| -> Vec<String> {
        team.players.iter().map(|p| p.name.clone()).collect()
    };
    // Blue attacks first, so it is team A.
    assert_eq!(names(&series.team_1), ["ann", "joe", "new", "zoe"]);
    assert_eq!(names(&series.team_2), ["eA.bob", "eA.kid", "eA.max"]);
    assert_eq!(series.team_1.name, "ann's team");
    assert_eq!(series.team_2.name, "eA");
    let rounds = &series.matches[0].played.rounds;
    let sides: Vec<u8> = rounds.iter().map(|r| r.team_a_side).collect();
    assert_eq!(sides, [2, 1]);
}

#[test]
fn teams_are_told_apart_by_their_players_where_no_defender_is_known() {
    let unknown = |r: PlayedRound| PlayedRound {
        defender: None,
        ..r
    };
    let first = unknown(round(1, 5, Some(Allies)));
    for (second, side) in [
        (round(2, 15, None), Allies),
        (
            PlayedRound {
                players: first.players.clone(),
                ..round(2, 15, None)
            },
            Axis,
        ),
    ] {
        let series = only_series(&[first.clone(), unknown(second)]);
        let found = &series.matches[0].played;
        assert_eq!(found.rounds[0].team_a_side, Axis.number());
        assert_eq!(found.rounds[1].team_a_side, side.number());
        assert_eq!(found.result.reason, ResultReason::WinnerUnknown);
    }
}

/// Two maps. In the second one Red attacks first.
fn two_maps() -> Vec<PlayedRound> {
    let mut rounds = vec![
        round(1, 5, Some(Allies)),
        round(2, 15, Some(Axis)),
        round(1, 30, Some(Axis)),
        round(2, 40, Some(Axis)),
    ];
    for (r, sides) in rounds[2..].iter_mut().zip([(BLUE, RED), (RED, BLUE)]) {
        r.map_name = "radar".into();
        r.players = players(&sides.0, &sides.1);
    }
    rounds
}

#[test]
fn series_counts_two_points_a_map_and_one_each_for_a_draw() {
    let series = only_series(&two_maps());
    assert_eq!((series.score_1, series.score_2), (3, 1));
    let teams: Vec<u8> = series.matches.iter().map(|m| m.team_a_is).collect();
    assert_eq!(teams, [1, 2]);
    // The name of a team is the same on every map.
    assert_eq!(series.team_2.name, "eA");
    assert_eq!(series.matches[1].played.team_a.name, "eA");
}

#[test]
fn other_teams_another_server_and_an_hour_of_break_begin_a_new_series() {
    let series = |edit: &dyn Fn(&mut PlayedRound)| -> Vec<usize> {
        let mut rounds = two_maps();
        rounds[2..].iter_mut().for_each(edit);
        let all = evenings(&rounds).into_iter().flat_map(|e| e.series);
        all.map(|s| s.matches.len()).collect()
    };
    assert_eq!(series(&|_| {}), [2]);
    assert_eq!(
        series(&|r| r.server_address = "192.0.2.2:27960".into()),
        [1, 1]
    );
    let replace = |names: &'static [&'static str]| {
        move |r: &mut PlayedRound| {
            let replaced = r.players.iter_mut().filter(|p| names.contains(&&*p.name));
            replaced.for_each(|p| p.guid = format!("F{}", &p.guid[1..]));
        }
    };
    assert_eq!(series(&replace(&["joe"])), [2]);
    assert_eq!(series(&replace(&["joe", "zoe"])), [1, 1]);
    let later = |minutes: i64| {
        move |r: &mut PlayedRound| {
            r.end_unix += 60 * minutes;
            r.start_unix = Some(r.end_unix - 300);
        }
    };
    // The break is 10 minutes without this.
    assert_eq!(series(&later(49)), [2]);
    assert_eq!(series(&later(50)), [1, 1]);
}

#[test]
fn evening_ends_after_an_hour_without_a_round_on_any_server() {
    let at = |minute: i64, server: &str| PlayedRound {
        server_address: server.to_owned(),
        ..round(1, minute, Some(Axis))
    };
    let ends = |rounds: &[PlayedRound]| -> Vec<usize> {
        let all = evenings(rounds).into_iter();
        all.map(|e| e.series.iter().map(|s| s.matches.len()).sum())
            .collect()
    };
    // Over midnight in any time zone.
    let day: Vec<PlayedRound> = (0..48).map(|n| at(40 * n, "192.0.2.1:1")).collect();
    assert_eq!(ends(&day), [48]);
    let mut rounds = vec![at(0, "192.0.2.1:1"), at(65, "192.0.2.1:1")];
    assert_eq!(ends(&rounds), [1, 1]);
    rounds.push(at(30, "192.0.2.2:1"));
    assert_eq!(ends(&rounds), [3]);
}

/// A round from a few numbers: time, server, map, number, winner, uid, players.
fn any_round() -> impl Strategy<Value = PlayedRound> {
    let winner = prop_oneof![Just(None), Just(Some(Axis)), Just(Some(Allies))];
    let uid = prop::option::of(0..3_u8);
    (0..600_i64, 0..2_u8, 0..2_u8, 1..3_u8, winner, uid, 0..8_u8).prop_map(
        |(minute, server, map, number, winner, uid, bits)| {
            let mut made = round(number, minute, winner);
            made.server_address = format!("192.0.2.{server}:27960");
            made.map_name = format!("map{map}");
            made.match_uid = uid.map(|uid| format!("{uid}-{server}"));
            made.match_id = format!("{}{server}{map}{bits}", made.match_id);
            made.is_cut_off = bits & 1 == 1 && winner.is_none();
            made.players.retain(|p| bits & 2 == 0 || p.name != "joe");
            made.defender = (bits & 4 == 0).then_some(Axis);
            made
        },
    )
}

proptest! {
    #[test]
    fn any_order_of_arrival_gives_the_same_evenings(
        rounds in prop::collection::vec(any_round(), 0..24).prop_flat_map(|mut rounds| {
            rounds.sort_by_key(|r| (r.match_id.clone(), r.round_number));
            rounds.dedup_by_key(|r| (r.match_id.clone(), r.round_number));
            (Just(rounds.clone()), Just(rounds).prop_shuffle())
        })
    ) {
        let (sorted, mut shuffled) = rounds;
        let ids = |evenings: Vec<Evening>| -> String {
            // Ids of the database depend on the order of arrival, so only they may differ.
            format!("{evenings:?}").split("id: ").map(|part| part.trim_start_matches(char::is_numeric).to_owned()).collect()
        };
        let expected = evenings(&sorted);
        let played: usize = expected.iter().flat_map(|e| &e.series).flat_map(|s| &s.matches).map(|m| m.played.rounds.len()).sum();
        prop_assert_eq!(played, sorted.len(), "every round is in one match");
        for (n, round) in shuffled.iter_mut().enumerate() {
            round.id = n as i64;
        }
        prop_assert_eq!(ids(evenings(&shuffled)), ids(expected));
    }

    #[test]
    fn late_rounds_of_another_evening_change_nothing(
        rounds in prop::collection::vec(any_round(), 1..16),
    ) {
        let before = evenings(&rounds);
        let mut later = round(1, 100_000, Some(Axis));
        later.match_uid = Some("later".into());
        let mut with_later = rounds;
        with_later.insert(0, later);
        let after = evenings(&with_later);
        prop_assert_eq!(&after[..after.len() - 1], &before[..]);
    }
}
