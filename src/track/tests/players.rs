//! What counts for a player, and who is which player.

use gametimes_format::Team;
use gametimes_format::file::EventKind;

use super::{Play, player};
use crate::event::{Text, What};

#[test]
fn two_clients_without_a_guid_are_two_players_even_with_one_name() {
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
fn players_without_a_guid_and_with_one_name_are_told_apart_everywhere() {
    let mut play = Play::start();
    play.join(1, "", "bot", 1);
    play.join(2, "", "^1BOT", 2);
    play.join(3, "", "other", 2);
    play.join(4, "G", "bot", 2); // has a guid, so the name may be any
    play.wait(1000).kill(2, 1);
    play.team(3, 2, "bot");
    play.wait(1000).what(What::Leave { slot: 2 });
    play.wait(1000).join(7, "", "BOT", 2); // the one who left
    play.what(What::VoteCalled {
        slot: 3,
        surrender: true,
    });
    let round = play.exit("Allies Surrender");
    let names: Vec<_> = round.players.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["bot", "BOT#2", "bot#3", "bot"]);
    assert_eq!(round.players[1].played_ms, 2000);
    let teams: Vec<_> = round.teams.allies.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(teams, ["bot#3", "bot", "BOT#2"]);
    assert_eq!(round.surrender.caller_name, "bot#3");
    // Under the names of the end, also what was before.
    let joins = round.timeline.iter().filter(|e| e.kind == EventKind::Join);
    let joins: Vec<_> = joins.map(|e| e.name.as_deref()).collect();
    let all = [
        Some("bot"),
        Some("BOT#2"),
        Some("bot#3"),
        None,
        Some("BOT#2"),
    ];
    assert_eq!(joins, all);
    let death = round.timeline.iter().find(|e| e.kind == EventKind::Death);
    assert_eq!(death.unwrap().by.as_deref(), Some("BOT#2"));
}

#[test]
fn a_guid_in_another_case_is_the_same_player() {
    let mut play = Play::start();
    play.join(1, "ABC", "x", 1);
    play.wait(1000).what(What::Leave { slot: 1 });
    play.join(2, "abc", "x", 1);
    play.wait(1000);
    let round = play.exit("Wolf EndRound.");
    assert_eq!(player(&round, "ABC").played_ms, 2000);
}

#[test]
fn a_client_without_a_guid_who_returns_under_the_same_name_is_the_same_player() {
    let mut play = Play::start();
    play.join(1, "", "old name", 1);
    play.team(1, 1, "^1new^7 name");
    play.wait(1000).what(What::Leave { slot: 1 });
    play.wait(5000).join(9, "", "new name", 1);
    play.wait(1000);
    let round = play.exit("Timelimit hit.");
    let p = player(&round, "new name");
    assert_eq!((p.spawns, p.played_ms, p.alive_ms), (2, 2000, 2000));
}

#[test]
fn a_reconnected_player_and_the_ghost_are_one_player() {
    let mut play = Play::start();
    play.join(1, "G", "x", 1);
    play.wait(1000).join(5, "G", "x", 1); // the old connection has not timed out yet
    play.join(2, "E", "e", 2);
    play.kill(2, 1); // a ghost counts for no player
    play.spawn(1);
    play.wait(1000).what(What::Leave { slot: 1 });
    play.wait(1000);
    let round = play.exit("Timelimit hit.");
    let g = player(&round, "G");
    assert_eq!((g.spawns, g.deaths), (2, 0));
    assert_eq!((g.played_ms, g.alive_ms), (3000, 3000));
    assert_eq!(round.teams.axis.len(), 1);
    let kinds: Vec<_> = round.timeline.iter().map(|e| e.kind).collect();
    assert!(!kinds.contains(&EventKind::Death) && !kinds.contains(&EventKind::Leave));
}

#[test]
fn a_slot_that_a_ghost_has_left_can_be_taken_by_another_player() {
    let mut play = Play::start();
    play.join(1, "G", "x", 1);
    play.join(5, "G", "x", 1);
    play.what(What::Leave { slot: 1 });
    play.join(1, "N", "n", 2);
    play.kill(5, 1);
    play.wait(1000);
    let round = play.exit("Timelimit hit.");
    assert_eq!(player(&round, "N").dead_ms, 1000);
    assert_eq!(player(&round, "G").kills, 1);
}

#[test]
fn a_guid_that_arrives_late_replaces_the_missing_one() {
    let mut play = Play::start();
    play.join(1, "", "x", 1);
    play.wait(1000).what(What::Guid {
        slot: 1,
        guid: Text::new(b"LATE"),
    });
    play.wait(1000);
    let round = play.exit("Timelimit hit.");
    assert_eq!(player(&round, "LATE").played_ms, 2000);
    assert!(
        round
            .timeline
            .iter()
            .all(|e| e.guid == "LATE" && e.name.is_none())
    );
}

#[test]
fn a_dead_player_who_changes_the_team_stays_dead_until_the_new_wave() {
    let mut play = Play::start();
    play.join(1, "A", "a", 1);
    play.join(2, "B", "b", 2);
    play.wait(1000).kill(2, 1);
    play.wait(1000).team(1, 2, "a");
    play.wait(3000).spawn(1);
    play.wait(1000);
    let round = play.exit("Wolf EndRound.");
    let a = player(&round, "A");
    assert_eq!(
        (a.dead_ms, a.alive_ms, a.team),
        (4000, 2000, Some(Team::Allies))
    );
    assert_eq!(player(&round, "B").denied_ms, 4000);
}

#[test]
fn a_death_ends_when_the_player_moves_to_the_spectators() {
    let mut play = Play::start();
    play.join(1, "A", "a", 1);
    play.join(2, "B", "b", 2);
    play.wait(1000).kill(2, 1);
    play.wait(2000).team(1, 3, "a");
    play.wait(5000);
    let round = play.exit("Wolf EndRound.");
    let a = player(&round, "A");
    assert_eq!((a.dead_ms, a.max_dead_ms, a.played_ms), (2000, 2000, 3000));
    assert!(round.teams.axis.is_empty());
}

#[test]
fn a_spectator_neither_spawns_nor_dies() {
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
    let (a, b) = (player(&round, "A"), player(&round, "B"));
    assert_eq!((a.kills, a.denied_ms), (1, 5000));
    assert_eq!((b.deaths, b.dead_ms), (1, 5000));
}

#[test]
fn deaths_of_team_mates_oneself_and_dead_players_are_not_kills() {
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
    play.kill(3, 2); // dead already: the game counts a death, but it is not a kill
    play.wait(100);
    let round = play.exit("Wolf EndRound.");
    assert!(
        round
            .players
            .iter()
            .all(|p| p.kills == 0 && p.denied_ms == 0)
    );
    assert_eq!(
        (player(&round, "B").deaths, player(&round, "B").dead_ms),
        (4, 300)
    );
}

#[test]
fn a_kill_by_a_player_who_moved_to_the_spectators_counts_for_the_last_team() {
    let mut play = Play::start();
    play.join(1, "A", "a", 1);
    play.join(2, "B", "b", 1);
    play.join(3, "C", "c", 2);
    play.join(4, "S", "s", 3);
    play.team(1, 3, "a");
    play.kill(1, 2);
    play.kill(1, 3);
    play.wait(100).spawn(3);
    play.kill(4, 3); // a client who never played has no kills
    play.wait(100);
    let round = play.exit("Wolf EndRound.");
    let a = player(&round, "A");
    assert_eq!((a.kills, a.denied_ms), (1, 100));
    assert_eq!(
        (player(&round, "B").deaths, player(&round, "C").deaths),
        (1, 2)
    );
    assert_eq!(round.players.len(), 3);
}

#[test]
fn a_round_continues_when_it_has_no_room_for_more_players() {
    let mut play = Play::start();
    for n in 0..300 {
        play.join(3, &format!("{n}"), "x", 1);
        play.wait(10).what(What::Leave { slot: 3 });
    }
    let round = play.exit("Wolf EndRound.");
    assert_eq!(round.players.len(), 256);
}
