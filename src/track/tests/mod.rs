//! Situations that the recorded matches do not contain: shared names, missing guids, ghosts, failed votes, full lists.

mod live;
mod model;
mod objectives;
mod players;
mod rounds;

use super::{Outcome, PlayerStats, Round, Tracker};
use crate::event::{Event, Level, Rules, Stamp, Text, What};

/// A tracker with a clock that the tests move.
#[derive(Default)]
struct Play {
    tracker: Tracker,
    now_ms: i64,
    /// Whether objective mode is played instead of stopwatch.
    objective: bool,
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

    /// A map begins or restarts, in round 1.
    fn level(&mut self, gamestate: i32) {
        self.level_of_round(gamestate, 1);
    }

    fn level_of_round(&mut self, gamestate: i32, round: u8) {
        self.level_on("supply", gamestate, round);
    }

    /// A map begins or restarts. What the recorder remembers of round 1 comes from the map before.
    fn level_on(&mut self, map: &str, gamestate: i32, round: u8) {
        let level = Level {
            map: map.to_owned(),
            gamestate,
            max_clients: 64,
            first_round: self.tracker.first_round().cloned(),
            ..Level::default()
        };
        self.what(What::Level(Box::new(level)));
        self.what(What::Rules(Box::new(Rules {
            gametype: if self.objective { 2 } else { 3 },
            round,
            timelimit_minutes: 20.0,
            ..Rules::default()
        })));
    }

    /// A round begins without a warmup.
    fn start() -> Self {
        let mut play = Self::default();
        play.level(0);
        play
    }

    fn connect(&mut self, slot: u8, guid: &str) {
        self.what(What::Connect {
            slot,
            guid: Text::new(guid.as_bytes()),
            is_local: false,
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
            class: None,
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
            next_limit_minutes: 20.0,
        });
        match over {
            Some(Outcome::Ended(round)) => *round,
            other => panic!("{other:?}"),
        }
    }
}

fn player<'a>(round: &'a Round, key: &str) -> &'a PlayerStats {
    let mut found = round.players.iter().filter(|p| p.key() == key);
    let player = found
        .next()
        .unwrap_or_else(|| panic!("{key} in {:?}", round.players));
    assert!(found.next().is_none(), "{key} twice");
    player
}
