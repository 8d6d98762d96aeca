//! The match in the script's files: the same keys and values as in the module's.

use std::collections::HashMap;

use gametimes_format::matches::PauseKind;
use gametimes_format::{GametimesFile, Meta};
use gametimes_lua_tests::SCRIPT;
use gametimes_lua_tests::results::rounds;
use gametimes_lua_tests::round::Round;
use gametimes_lua_tests::tape::Player;
use gametimes_lua_tests::world::Server;
use gametimes_standin::recorded;
use gametimes_standin::stopwatch::CASES;
use gametimes_test_support::game::{gametimes_files, play_in, play_tape};
use serde_json::{Value, json};

fn files(home: &std::path::Path, player: Player) -> Vec<GametimesFile> {
    let mut server = Server::new(home, SCRIPT);
    player.play(&mut server, &mut |_, _| {});
    let folder = server.game_dir().join("gametimes");
    rounds(&folder).into_iter().map(|(_, file)| file).collect()
}

/// The keys of the match, with the ids of the rounds replaced by their numbers.
fn keys(files: &[GametimesFile]) -> Vec<Value> {
    let ids: HashMap<&str, usize> = files
        .iter()
        .enumerate()
        .map(|(n, file)| (file.meta.event_id.as_str(), n))
        .collect();
    let number = |id: &str| ids.get(id).copied();
    let key = |meta: &Meta| {
        json!({
            "match": number(&meta.match_uid), "round_1": meta.round_1_event_id.as_deref().map(number),
            "sides": meta.sides, "stopwatch": meta.stopwatch, "map_result": meta.map_result, "config": meta.config,
            "mod_version": meta.mod_version, "start": meta.teams_start, "substitutions": meta.substitutions,
            "bots": meta.bots, "score": meta.score,
            "pauses": meta.pauses.iter().map(|p| &p.by).collect::<Vec<_>>(),
        })
    };
    files.iter().map(|file| key(&file.meta)).collect()
}

#[test]
fn edited_stopwatch_matches_have_the_results_of_the_module() {
    for case in CASES {
        let module = tempfile::tempdir().unwrap();
        play_tape(module.path(), &case.tape());
        let script = tempfile::tempdir().unwrap();
        let found = files(script.path(), Player::stopwatch(&case));
        assert_eq!(found.len(), case.rounds(), "{}", case.name);
        assert_eq!(
            keys(&found),
            keys(&gametimes_files(module.path())),
            "{}",
            case.name
        );
        let result = found.last().unwrap().meta.map_result.unwrap();
        let winner = serde_json::to_value(result.winner).unwrap();
        assert_eq!(winner, json!(case.result.winner), "{}", case.name);
    }
}

#[test]
fn recorded_matches_have_the_keys_of_the_module() {
    for name in recorded::NAMES {
        let module = tempfile::tempdir().unwrap();
        play_in(module.path(), name);
        let script = tempfile::tempdir().unwrap();
        let found = files(script.path(), Player::new(name));
        assert_eq!(
            keys(&found),
            keys(&gametimes_files(module.path())),
            "{name}"
        );
    }
}

/// The pause bit of configstring 32, which the script sees in the next frame.
#[test]
fn pauses_name_the_player_referee_vote_or_server_that_called_them() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::new(home.path(), SCRIPT);
    let mut round = Round::start(&mut server, 1);
    let pause = |round: &mut Round| {
        round.server.configstring(32, "16");
        round.frames(20);
        round.server.configstring(32, "0");
        round.frames(20);
    };
    round.server.call("et_ClientCommand", (0, "timeout"));
    pause(&mut round);
    round.server.world.borrow_mut().clients[1].referee = 1;
    round.server.call("et_ClientCommand", (1, "pause"));
    pause(&mut round);
    round.server.call("et_ClientCommand", (1, "say"));
    pause(&mut round);
    round.call_vote(0, "pause");
    round
        .server
        .print(b"Vote Passed: (Y:4-N:0) pause (Required:3, Voting Clients:6)\n");
    pause(&mut round);
    round.frames(100);
    round.play_to_the_end();
    round.server.call("et_ShutdownGame", 1);
    let folder = server.game_dir().join("gametimes");
    let (_, file) = rounds(&folder).remove(0);
    let by: Vec<_> = file
        .meta
        .pauses
        .iter()
        .map(|p| p.by.clone().unwrap())
        .collect();
    let by: Vec<_> = by
        .iter()
        .map(|by| (by.kind, by.name.as_str(), by.team.number()))
        .collect();
    assert_eq!(
        by,
        [
            (PauseKind::Player, "Player0", 1),
            (PauseKind::Referee, "Player1", 2),
            (PauseKind::Server, "", 0),
            (PauseKind::Vote, "Player0", 1),
        ]
    );
}
