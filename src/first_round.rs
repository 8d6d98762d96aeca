//! What the recorder remembers of round 1 until round 2 of a stopwatch match has ended.
//!
//! It stands in a cvar of the engine, which lives as long as the game's own `g_currentRound`: over a `map_restart` and a map change,
//! but not over a restart of the server. The module and the script write and read the same text, so either can record the other's
//! round 2.

use std::fmt;
use std::str::FromStr;

use gametimes_format::Team;
use gametimes_format::TeamNumber;
use gametimes_format::matches::{Half, Sides};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Round 1 of the running match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstRound {
    /// The round's `event_id`, which is the id of the match, too.
    pub event_id: Uuid,
    /// The team that attacked; `None` if unknown.
    pub attackers: Option<TeamNumber>,
    /// Whether the defenders won; `None` if neither team did.
    pub held: Option<bool>,
    /// Time played, without pauses.
    pub played_ms: i64,
    /// The map, as the recorder writes it into the file.
    pub map: String,
}

impl FirstRound {
    /// The team that attacked.
    pub fn attackers(&self) -> Option<Team> {
        self.attackers.and_then(TeamNumber::team)
    }

    /// What counts of this round for the result of the map.
    pub fn half(&self) -> Half {
        Half {
            held: self.held,
            surrendered: false, // only in round 2 it decides the map
            played_ms: self.played_ms,
        }
    }
}

/// Where the teams of a match play in this round. Between the rounds of a stopwatch match the game moves each team to the other side.
pub fn sides(round: u8, first: Option<&FirstRound>, defender: Option<Team>) -> Option<Sides> {
    let team_a = match round {
        2 => first?.attackers()?.opponent(),
        _ => defender?.opponent(),
    };
    Some(Sides::with_team_a(team_a))
}

/// A time limit of the game, which keeps minutes with six digits after the point.
pub fn limit_ms(minutes: f64) -> i64 {
    (minutes * 60_000.0).round() as i64
}

/// `1 <event_id> <attackers> <held> <played_ms> <map>`, with 0 for unknown attackers and `held`, `lost` or `unknown`.
impl fmt::Display for FirstRound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = match self.held {
            Some(true) => "held",
            Some(false) => "lost",
            None => "unknown",
        };
        write!(
            f,
            "1 {} {} {held} {} {}",
            self.event_id,
            self.attackers.unwrap_or_default(),
            self.played_ms,
            self.map
        )
    }
}

impl FromStr for FirstRound {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.splitn(6, ' ');
        let mut word = || words.next().ok_or(());
        if word()? != "1" {
            return Err(());
        }
        let event_id = word()?.parse().map_err(drop)?;
        let attackers: u8 = word()?.parse().map_err(drop)?;
        let held = match word()? {
            "held" => Some(true),
            "lost" => Some(false),
            "unknown" => None,
            _ => return Err(()),
        };
        Ok(Self {
            event_id,
            attackers: Team::from_number(attackers).map(TeamNumber::from),
            held,
            played_ms: word()?.parse().map_err(drop)?,
            map: word()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cvar_keeps_everything_and_garbage_is_refused() {
        for (attackers, held) in [
            (Some(Team::Allies.into()), Some(true)),
            (Some(Team::Axis.into()), Some(false)),
            (None, None),
        ] {
            let round = FirstRound {
                event_id: Uuid::from_u128(7),
                attackers,
                held,
                played_ms: 55_000,
                map: "map with spaces".to_owned(),
            };
            assert_eq!(round.to_string().parse(), Ok(round));
        }
        let id = Uuid::from_u128(7);
        for garbage in [
            String::new(),
            "1".to_owned(),
            format!("2 {id} 1 held 5 supply"),
            format!("1 {id} 1 held supply"),
            format!("1 {id} 1 perhaps 5 supply"),
            "1 x 1 held 5 supply".to_owned(),
        ] {
            assert_eq!(garbage.parse::<FirstRound>(), Err(()), "{garbage:?}");
        }
    }
}
