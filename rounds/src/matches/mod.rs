//! Matches, series and evenings: what belongs together among rounds that were played.
//!
//! * A **match** is a map that two teams play: round 1 and round 2 of stopwatch, or the only round of another gametype.
//! * A **series** is several maps in a row on one server by the same two teams.
//! * An **evening** ends when no round is played for [`EVENING_GAP_SECONDS`].
//!
//! [`evenings`] is a pure function of the rounds: their order, and ids that a database gave them, make no difference.

mod evenings;
mod pairs;
mod result;
mod teams;

use gametimes_format::matches::{MapResult, Stopwatch};
use gametimes_format::text::cut;
use gametimes_format::{Meta, Team};
use serde::{Deserialize, Serialize};

use crate::player_id::short_guid;
use crate::reconcile::may_be_same_server;

pub use self::evenings::{
    EVENING_GAP_SECONDS, Evening, SERIES_GAP_SECONDS, Series, SeriesMatch, evenings,
    is_same_evening, split,
};
pub use self::result::{MatchResult, Outcome, ResultReason};
pub use self::teams::{MatchTeam, TeamPlayer};

/// A round, as far as matches are concerned.
#[derive(Debug, Clone, PartialEq)]
pub struct PlayedRound {
    /// `rounds.id`. It is copied to the result, and decides nothing.
    pub id: i64,
    /// `rounds.match_id`, which is unique for each round number.
    pub match_id: String,
    /// 1 or 2.
    pub round_number: u8,
    /// Name of the map.
    pub map_name: String,
    /// The server's address, `ip:port`; empty if unknown.
    pub server_address: String,
    /// The server's name; empty if unknown.
    pub server_name: String,
    /// When play began; `None` if only a stats file has arrived.
    pub start_unix: Option<i64>,
    /// When the round ended.
    pub end_unix: i64,
    /// Time played, without pauses.
    pub played_ms: Option<i64>,
    /// The winner; `None` if no team won or the winner is unknown.
    pub winner: Option<Team>,
    /// The defending team.
    pub defender: Option<Team>,
    /// Whether the game did not end the round itself.
    pub is_cut_off: bool,
    /// Whether a team gave up.
    pub surrendered: bool,
    /// The number of the gametype, `3` for stopwatch.
    pub gametype: Option<i64>,
    /// The id of the match in the gametimes file.
    pub match_uid: Option<String>,
    /// The side of the team that attacked in round 1, according to the gametimes file.
    pub team_a: Option<Team>,
    /// The time limits of stopwatch, according to the gametimes file.
    pub stopwatch: Option<Stopwatch>,
    /// The result of the map, according to the gametimes file of round 2.
    pub map_result: Option<MapResult>,
    /// The players.
    pub players: Vec<RoundPlayer>,
}

/// What a gametimes file reports about the match of its round.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedMatch {
    /// The id of the match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_uid: Option<String>,
    /// The side of the team that attacked in round 1: 1 Axis, 2 Allies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_a: Option<u8>,
    /// The time limits of stopwatch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopwatch: Option<Stopwatch>,
    /// Who won the map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map_result: Option<MapResult>,
}

impl ReportedMatch {
    /// What a file contains. Older files and messages without a file contain nothing of it.
    pub fn of(meta: &Meta) -> Self {
        let uid = cut(&meta.match_uid, 64);
        Self {
            match_uid: (!uid.is_empty()).then_some(uid),
            team_a: meta.sides.map(|sides| sides.team_a.number()),
            stopwatch: meta.stopwatch,
            map_result: meta.map_result,
        }
    }
}

/// A player in a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundPlayer {
    /// The guid, or `name:...` for a client without one.
    pub guid: String,
    /// The name.
    pub name: String,
    /// The last team.
    pub team: Team,
    /// Number of enemies killed; 0 if unknown.
    pub kills: i64,
}

/// A round that seems to be longer is taken to be as long as this.
const LONGEST_ROUND_SECONDS: i64 = 6 * 3600;

/// A map that two teams have played.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Match {
    /// `rounds.id` of the first round that is known. The address of the match; the id of its other round finds it, too.
    pub id: i64,
    /// The id of the match in the gametimes files; null if no file contains one.
    pub match_uid: Option<String>,
    /// Name of the map.
    pub map_name: String,
    /// The server's address, `ip:port`; null if unknown.
    pub server_address: Option<String>,
    /// The server's name; null if unknown.
    pub server_name: Option<String>,
    /// When the first round began, or ended if its beginning is unknown.
    pub started_unix: i64,
    /// When the last round ended.
    pub ended_unix: i64,
    /// The team that attacks in round 1. If the attackers are unknown, the one that plays Axis in it.
    pub team_a: MatchTeam,
    /// The other team.
    pub team_b: MatchTeam,
    /// Who won, and why.
    pub result: MatchResult,
    /// One or two rounds.
    pub rounds: Vec<MatchRound>,
}

/// A round of a [`Match`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MatchRound {
    /// `rounds.id`.
    pub id: i64,
    /// 1 or 2.
    pub round_number: u8,
    /// When the round ended.
    pub ended_unix: i64,
    /// Time played, without pauses.
    pub played_ms: Option<i64>,
    /// The time limit, in round 2 the time to beat; null if no gametimes file contains it.
    pub limit_ms: Option<i64>,
    /// The side of team A: 1 Axis, 2 Allies.
    pub team_a_side: u8,
    /// Whether the defenders won; null if the round was cut off or its winner is unknown.
    pub held: Option<bool>,
    /// Whether the round was cut off.
    pub is_cut_off: bool,
}

/// A match while it is put together: its rounds, and on which side team A plays in each.
#[derive(Debug, Clone)]
struct Paired<'a> {
    first: Option<&'a PlayedRound>,
    second: Option<&'a PlayedRound>,
}

impl PlayedRound {
    /// Sorts rounds as they were played, by content alone.
    fn order(&self) -> impl Ord + '_ {
        (self.end_unix, self.round_number, &self.match_id)
    }

    /// When the round began. A wrong clock must not join evenings that are weeks apart.
    fn began_unix(&self) -> i64 {
        let played_seconds = self.played_ms.unwrap_or_default() / 1000;
        began_unix(self.start_unix, self.end_unix, played_seconds)
    }

    /// Whether both rounds can be of one server: neither address nor name differs, as far as both are known.
    fn may_share_server(&self, other: &Self) -> bool {
        may_be_same_server(
            (&self.server_address, &self.server_name),
            (&other.server_address, &other.server_name),
        )
    }

    fn players_of(&self, side: Team) -> impl Iterator<Item = &RoundPlayer> {
        self.players.iter().filter(move |p| p.team == side)
    }
}

/// When a round began; its end less the time played if the recorder does not report it.
pub fn began_unix(start_unix: Option<i64>, end_unix: i64, played_seconds: i64) -> i64 {
    let began = start_unix.unwrap_or(end_unix.saturating_sub(played_seconds));
    began.clamp(end_unix - LONGEST_ROUND_SECONDS, end_unix)
}

impl RoundPlayer {
    /// What identifies the player: stats files contain only the first 8 digits of a guid.
    pub fn key(&self) -> String {
        short_guid(&self.guid)
    }
}

impl<'a> Paired<'a> {
    fn rounds(&self) -> impl DoubleEndedIterator<Item = &'a PlayedRound> {
        [self.first, self.second].into_iter().flatten()
    }

    /// When the first round began.
    fn began_unix(&self) -> i64 {
        let began = self.rounds().map(PlayedRound::began_unix);
        began.min().unwrap_or_default()
    }

    fn ended_unix(&self) -> i64 {
        let ends = self.rounds().map(|round| round.end_unix);
        ends.max().unwrap_or_default()
    }

    /// The round whose server, map and id stand for the match.
    fn main(&self) -> &'a PlayedRound {
        let first = self.rounds().next();
        first.unwrap_or_else(|| unreachable!("a match has a round"))
    }

    fn build(&self, teams: [MatchTeam; 2], sides: &teams::Sides) -> Match {
        let known = |of: fn(&PlayedRound) -> &str| {
            let mut texts = self.rounds().map(of);
            texts.find(|text| !text.is_empty()).map(str::to_owned)
        };
        let [team_a, team_b] = teams;
        let main = self.main();
        Match {
            id: main.id,
            match_uid: self.rounds().find_map(|round| round.match_uid.clone()),
            map_name: main.map_name.clone(),
            server_address: known(|round| &round.server_address),
            server_name: known(|round| &round.server_name),
            started_unix: self.began_unix(),
            ended_unix: self.ended_unix(),
            team_a,
            team_b,
            result: result::of(self, sides),
            rounds: self
                .rounds()
                .map(|round| MatchRound {
                    id: round.id,
                    round_number: round.round_number,
                    ended_unix: round.end_unix,
                    played_ms: round.played_ms,
                    limit_ms: round.stopwatch.map(|stopwatch| stopwatch.limit_ms),
                    team_a_side: sides.of_team_a(round).number(),
                    held: result::held(round),
                    is_cut_off: round.is_cut_off,
                })
                .collect(),
        }
    }
}
