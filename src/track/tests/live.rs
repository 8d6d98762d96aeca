//! Snapshots of what the recorded matches do not contain.

use gametimes_format::check::bounds;
use gametimes_format::limits;
use gametimes_format::live::{BYTES, Life, State};

use super::Play;
use crate::event::{Event, ShutdownCause, Stamp, Text, What};

#[test]
fn state_follows_the_game_from_warmup_to_shutdown() {
    let mut play = Play::default();
    let state = |play: &Play| play.tracker.snapshot(play.now_ms).state;
    assert_eq!(state(&play), State::Idle);
    play.level(-1);
    assert_eq!(state(&play), State::Warmup);
    play.what(What::Gamestate(1));
    assert_eq!(state(&play), State::Countdown);
    play.what(What::Gamestate(0)); // the map_restart that begins play follows
    assert_eq!(state(&play), State::Countdown);
    play.level(0);
    assert_eq!(state(&play), State::Playing);
    play.what(What::Pause(true));
    assert_eq!(state(&play), State::Paused);
    play.what(What::Pause(false));
    play.what(What::Exit(Text::new(b"Wolf EndRound.")));
    assert_eq!(
        state(&play),
        State::Intermission,
        "before the intermission itself"
    );
    play.what(What::Gamestate(3));
    assert_eq!(state(&play), State::Intermission);
    play.what(What::Shutdown(ShutdownCause::MapChange));
    assert_eq!(state(&play), State::Idle);
    play.what(What::Gamestate(2));
    assert_eq!(state(&play), State::Idle, "no map is loaded");
    play.level(2);
    play.what(What::NotRecorded);
    assert_eq!(state(&play), State::Idle, "the script shows this map");
}

#[test]
fn players_of_the_warmup_are_listed_without_a_life() {
    let mut play = Play::default();
    play.level(2);
    play.connect(1, "A");
    play.team(1, 1, "^1one");
    play.connect(2, "OMNIBOT1");
    play.team(2, 2, "two");
    play.connect(3, "C");
    play.team(3, 3, "watches");
    play.connect(4, "D");
    play.team(4, 1, "leaves");
    play.what(What::Leave { slot: 4 });
    let players = play.tracker.snapshot(0).players;
    let listed: Vec<_> = players
        .iter()
        .map(|p| (p.slot, p.name.as_str(), p.is_bot))
        .collect();
    assert_eq!(listed, [(1, "one", false), (2, "two", true)]);
    assert!(
        players
            .iter()
            .all(|p| p.life == Life::Waiting && p.deaths == 0)
    );
}

#[test]
fn wounded_player_in_limbo_stays_dead_since_the_death() {
    let mut play = Play::start();
    play.join(1, "A", "a", 1);
    play.join(2, "B", "b", 2);
    play.wait(1000).kill(2, 1);
    let shown = |play: &Play, slot: usize| play.tracker.snapshot(play.now_ms).players.remove(slot);
    play.wait(500);
    let dead = shown(&play, 0);
    assert_eq!(
        (dead.life, dead.since_ms, dead.dead_ms),
        (Life::Wounded, 1000, 500)
    );
    play.what(What::Limbo { slot: 1 });
    play.wait(500);
    let dead = shown(&play, 0);
    assert_eq!(
        (dead.life, dead.since_ms, dead.dead_ms),
        (Life::Limbo, 1500, 1000)
    );
    assert_eq!(
        shown(&play, 1).denied_ms,
        1000,
        "a death that has not ended counts, too"
    );
    play.spawn(1);
    let alive = shown(&play, 0);
    assert_eq!(
        (alive.life, alive.since_ms, alive.dead_ms),
        (Life::Alive, 2000, 1000)
    );
}

#[test]
fn connection_that_a_player_left_behind_is_not_listed() {
    let mut play = Play::start();
    play.join(1, "A", "a", 1);
    play.join(5, "A", "a", 1); // in another slot, before the first has timed out
    let snapshot = play.tracker.snapshot(0);
    let slots: Vec<u8> = snapshot.players.iter().map(|p| p.slot).collect();
    assert_eq!(slots, [5]);
}

#[test]
fn largest_snapshot_fits_into_what_readers_accept() {
    let mut play = Play::start();
    let quotes = |n: usize| "\"".repeat(n);
    for slot in 0..64 {
        let guid = format!("{}{slot:02}", "\\".repeat(limits::GUID - 2));
        play.join(slot, &guid, &quotes(limits::NAME), 1 + slot % 2);
    }
    for n in 0..100 {
        play.wait(1);
        play.kill(n % 64, (n + 1) % 64);
    }
    let mut snapshot = play.tracker.snapshot(i64::from(u32::MAX));
    snapshot.config = quotes(bounds::TEXT);
    let bytes = serde_json::to_vec(&snapshot).unwrap();
    assert!(bytes.len() + 2000 < BYTES, "{}", bytes.len());
}

#[test]
fn level_time_before_the_start_of_the_round_is_no_negative_time() {
    let mut play = Play::default();
    play.wait(5000).level(0);
    play.join(1, "A", "a", 1);
    play.kill(1, 1);
    // The level time is from before the event.
    let snapshot = play.tracker.snapshot(4000);
    assert_eq!((snapshot.played_ms, snapshot.players[0].dead_ms), (0, 0));
    let at = Stamp::default();
    play.tracker.apply(&Event {
        at,
        what: What::Closed,
    });
}
