//! Questions about one round.

use gametimes_format::digest::{hex, sha256};
use gametimes_format::rules::ROUND_2_WINDOW_SECONDS;
use gametimes_format::{Team, TimelineEvent};
use gametimes_rounds::play_order::{end_of_order_key, order_key};
use gametimes_rounds::stats_file::minutes_seconds;
use serde::Serialize;
use serde_json::Value as Json;

use super::Db;
use super::error::DbError;
use super::packing::unpack;
use super::play_order::{PLAYED, ended_unix};
use super::players::Player;
use super::value::{Row, non_empty, team};
use crate::args;

/// A round as lists show it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RoundSummary {
    /// `rounds.id`.
    pub id: i64,
    /// The match: when its round 1 ended, `YYYY-MM-DD-HHMMSS` in the server's local time. The same in both rounds.
    pub match_id: String,
    /// 1 or 2.
    pub round_number: i64,
    /// Name of the map, such as `supply`.
    pub map_name: String,
    /// The server's name without colour codes.
    pub server_name: Option<String>,
    /// The server's address, `ip:port`.
    pub server_address: Option<String>,
    /// When play began; null if only a stats file has arrived.
    pub round_start_unix: Option<i64>,
    /// When the round ended.
    pub round_end_unix: Option<i64>,
    /// Time played without pauses.
    pub actual_duration_seconds: Option<i64>,
    /// Time played without pauses in ms; null if the recorder does not report it.
    pub duration_ms: Option<i64>,
    /// Length of all pauses together.
    pub total_pause_seconds: Option<i64>,
    /// Number of pauses.
    pub pause_count: Option<i64>,
    /// 1 Axis, 2 Allies, 0 no winner.
    pub winner_team: Option<i64>,
    /// 1 Axis, 2 Allies, 0 unknown.
    pub defender_team: Option<i64>,
    /// Why the round ended: `objective`, `surrender`, `time_expired`...
    pub end_reason: Option<String>,
    /// `completed` or `cancelled`.
    pub round_status: Option<String>,
    /// Name of the stats file; null until it arrives.
    pub stats_file: Option<String>,
    /// `native`, `lua`, `old script` or `message`; null if only a stats file has arrived.
    pub recorder: Option<String>,
    /// What is unusual about the round; null if nothing is.
    pub flags: Option<String>,
}

impl RoundSummary {
    /// Columns of `rounds` that [`Self::from_row`] reads.
    pub(super) const COLUMNS: [&str; 19] = [
        "id",
        "match_id",
        "round_number",
        "map_name",
        "server_name",
        "server_address",
        "round_start_unix",
        "round_end_unix",
        "actual_duration_seconds",
        "duration_ms",
        "total_pause_seconds",
        "pause_count",
        "winner_team",
        "defender_team",
        "end_reason",
        "round_status",
        "stats_file",
        "recorder",
        "gametimes_flags",
    ];

    pub(super) fn from_row(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            match_id: row.get("match_id"),
            round_number: row.get("round_number"),
            map_name: row.get("map_name"),
            server_name: non_empty(row, "server_name"),
            server_address: non_empty(row, "server_address"),
            round_start_unix: row.get("round_start_unix"),
            round_end_unix: row.get("round_end_unix"),
            actual_duration_seconds: row.get("actual_duration_seconds"),
            duration_ms: row.get("duration_ms"),
            total_pause_seconds: row.get("total_pause_seconds"),
            pause_count: row.get("pause_count"),
            winner_team: row.get("winner_team"),
            defender_team: row.get("defender_team"),
            end_reason: non_empty(row, "end_reason"),
            round_status: non_empty(row, "round_status"),
            stats_file: non_empty(row, "stats_file"),
            recorder: non_empty(row, "recorder"),
            flags: non_empty(row, "gametimes_flags"),
        }
    }

    /// The winner; `None` if no team won or the winner is unknown.
    pub fn winner(&self) -> Option<Team> {
        team(self.winner_team).filter(|_| !self.is_cut_off())
    }

    /// Whether the round was cut off, so that neither team won it.
    pub fn is_cut_off(&self) -> bool {
        self.round_status.as_deref() == Some("cancelled")
    }

    /// The defending team; `None` if it is unknown.
    pub fn defender(&self) -> Option<Team> {
        team(self.defender_team)
    }
}

/// A round with everything that the recorder and the stats file report about it and its players.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RoundDetail {
    /// The round.
    #[serde(flatten)]
    pub round: RoundSummary,
    /// What the recorder reports about the round; null if only a stats file has arrived.
    pub recorded: Option<Recorded>,
    /// The round's players.
    pub players: Vec<Player>,
}

/// A round's row of `lua_round_teams`.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Recorded {
    /// `[{"guid", "name"}]`.
    #[schema(value_type = Vec<Object>)]
    pub axis_players: Json,
    /// `[{"guid", "name"}]`.
    #[schema(value_type = Vec<Object>)]
    pub allies_players: Json,
    /// `[{"n", "start", "end", "sec", "start_ms", "end_ms", "at_play_ms"}]`; older recorders lack `at_play_ms`.
    #[schema(value_type = Vec<Object>)]
    pub pauses: Json,
    /// Time limit of the map.
    pub time_limit_minutes: Option<i64>,
    /// Length of the warmup in real time.
    pub warmup_seconds: Option<i64>,
    /// The team that surrendered: 1 Axis, 2 Allies, 0 none.
    pub surrender_team: Option<i64>,
    /// Name of the player who called the surrender vote.
    pub surrender_caller_name: Option<String>,
    /// Rounds that the Axis have won on this map so far.
    pub axis_score: Option<i64>,
    /// Rounds that the Allies have won on this map so far.
    pub allies_score: Option<i64>,
    /// Version of the recorder.
    pub version: Option<String>,
}

impl Recorded {
    /// Columns of `lua_round_teams` that [`Self::from_row`] reads.
    const COLUMNS: [&str; 11] = [
        "round_id",
        "axis_players",
        "allies_players",
        "lua_pause_events",
        "time_limit_minutes",
        "lua_warmup_seconds",
        "surrender_team",
        "surrender_caller_name",
        "axis_score",
        "allies_score",
        "lua_version",
    ];

    /// `None` if the join found no row for the round.
    fn from_row(row: &Row) -> Option<Self> {
        row.get::<Option<i64>>("round_id")?;
        Some(Self {
            axis_players: row.get("axis_players"),
            allies_players: row.get("allies_players"),
            pauses: row.get("lua_pause_events"),
            time_limit_minutes: row.get("time_limit_minutes"),
            warmup_seconds: row.get("lua_warmup_seconds"),
            surrender_team: row.get("surrender_team"),
            surrender_caller_name: non_empty(row, "surrender_caller_name"),
            axis_score: row.get("axis_score"),
            allies_score: row.get("allies_score"),
            version: non_empty(row, "lua_version"),
        })
    }

    /// The team that surrendered.
    pub fn surrendered(&self) -> Option<Team> {
        team(self.surrender_team)
    }
}

/// The header of a round's stats file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatsFileHeader {
    /// The next time limit, which many readers take for the duration.
    pub duration_seconds: Option<i64>,
    /// 1 Axis, 2 Allies, 0 no winner.
    pub winner_team: Option<i64>,
    /// 1 Axis, 2 Allies, 0 unknown.
    pub defender_team: Option<i64>,
    /// Time played by the file's own clock.
    pub playtime_ms: Option<i64>,
    /// The time as the file has it, `M:SS`.
    pub time: String,
    /// The time limit as the file has it.
    pub time_limit: String,
}

impl StatsFileHeader {
    /// Columns of `rounds` that [`Self::from_row`] reads.
    const COLUMNS: [&str; 6] = [
        "stats_duration_seconds",
        "stats_winner_team",
        "stats_defender_team",
        "stats_playtime_ms",
        "actual_time",
        "time_limit",
    ];

    /// `None` if no stats file has arrived for the round.
    fn from_row(row: &Row) -> Option<Self> {
        non_empty(row, "stats_file")?;
        Some(Self {
            duration_seconds: row.get("stats_duration_seconds"),
            winner_team: row.get("stats_winner_team"),
            defender_team: row.get("stats_defender_team"),
            playtime_ms: row.get("stats_playtime_ms"),
            time: row.get("actual_time"),
            time_limit: row.get("time_limit"),
        })
    }

    /// The winner according to the file.
    pub fn winner(&self) -> Option<Team> {
        team(self.winner_team)
    }

    /// The defending team according to the file.
    pub fn defender(&self) -> Option<Team> {
        team(self.defender_team)
    }

    /// The time and the limit as the file has them, if no round can have lasted that long. Such a time is not stored as
    /// a duration.
    pub fn impossible_time(&self) -> Option<String> {
        (self.duration_seconds.is_none() && minutes_seconds(&self.time).is_some())
            .then(|| format!("{} (limit {})", self.time, self.time_limit))
    }
}

/// A round with its timeline, which may be large.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundPage {
    /// The round and its players.
    pub detail: RoundDetail,
    /// The header of the stats file; `None` until the file arrives.
    pub stats_file: Option<StatsFileHeader>,
    /// The timeline; empty if it was not recorded.
    pub timeline: Vec<TimelineEvent>,
}

/// Everything that a round's page shows, except the timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundOverview {
    /// The round and its players.
    pub detail: RoundDetail,
    /// The header of the stats file; `None` until the file arrives.
    pub stats_file: Option<StatsFileHeader>,
    /// When the round ended, worked out from its `match_id` if no recorder reported it.
    pub ended_unix: Option<i64>,
    /// `rounds.id` of the match's other round.
    pub other_round: Option<i64>,
    /// Whether a recorder wrote a timeline.
    pub has_timeline: bool,
    /// A hash of the round, its players and its timeline.
    pub digest: String,
}

impl RoundOverview {
    /// `rounds.id`.
    pub fn id(&self) -> i64 {
        self.detail.round.id
    }
}

/// SQL for the reports of the round `$1` that have a timeline.
const TIMELINES_OF: &str = "FROM gametimes_groups g JOIN gametimes_facts f ON f.group_id = g.id \
                            WHERE g.round_id = $1 AND f.timeline IS NOT NULL ORDER BY f.identity";

impl Db {
    /// A round with its players; `None` if there is no round with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn round(&self, id: i64) -> Result<Option<RoundDetail>, DbError> {
        let Some(row) = self.round_row(id).await? else {
            return Ok(None);
        };
        Ok(Some(self.round_detail(&row, id).await?))
    }

    /// A round without its timeline; `None` if there is no round with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn round_overview(&self, id: i64) -> Result<Option<RoundOverview>, DbError> {
        let Some(row) = self.round_row(id).await? else {
            return Ok(None);
        };
        let detail = self.round_detail(&row, id).await?;
        let sql = format!("SELECT f.identity {TIMELINES_OF}");
        let timelines = self.database.rows(&sql, args![id]).await?;
        let has_timeline = !timelines.is_empty();
        let timelines: String = timelines
            .iter()
            .map(|row| row.get::<String>("identity"))
            .collect();
        Ok(Some(RoundOverview {
            stats_file: StatsFileHeader::from_row(&row),
            ended_unix: ended_unix(&row, self.zone()),
            other_round: self
                .other_round(&detail.round, row.get("play_order"))
                .await?,
            has_timeline,
            digest: hex(&sha256([
                format!("{detail:?}").as_bytes(),
                timelines.as_bytes(),
            ])),
            detail,
        }))
    }

    /// A round with its timeline; `None` if there is no round with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn round_page(&self, id: i64) -> Result<Option<RoundPage>, DbError> {
        let Some(row) = self.round_row(id).await? else {
            return Ok(None);
        };
        let detail = self.round_detail(&row, id).await?;
        let timeline = self.timeline(id).await?;
        let timeline = timeline.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(Some(RoundPage {
            stats_file: StatsFileHeader::from_row(&row),
            timeline: timeline.unwrap_or_default(),
            detail,
        }))
    }

    /// A round's row of `rounds` beside that of `lua_round_teams`, if there is one.
    async fn round_row(&self, id: i64) -> Result<Option<Row>, DbError> {
        let join = match self.has("lua_round_teams") {
            true => "LEFT JOIN lua_round_teams t ON t.round_id = r.id",
            false => "",
        };
        let sql = format!(
            "SELECT {}, {}, {}, {} AS play_order FROM rounds r {join} WHERE r.id = $1 AND {PLAYED}",
            self.select("rounds", "r", &RoundSummary::COLUMNS),
            self.select("rounds", "r", &StatsFileHeader::COLUMNS),
            self.select("lua_round_teams", "t", &Recorded::COLUMNS),
            self.play_order(),
        );
        self.database.row(&sql, args![id]).await
    }

    async fn round_detail(&self, row: &Row, id: i64) -> Result<RoundDetail, DbError> {
        Ok(RoundDetail {
            round: RoundSummary::from_row(row),
            recorded: Recorded::from_row(row),
            players: self.players(id).await?,
        })
    }

    /// The other round of a match: the one next to this round on its map and server, if it has the other number and was
    /// played within the time that a match may take.
    async fn other_round(&self, round: &RoundSummary, at: String) -> Result<Option<i64>, DbError> {
        let Some(end_unix) = end_of_order_key(&at, self.zone()) else {
            return Ok(None);
        };
        let at_end = |seconds| order_key(end_unix.saturating_add(seconds), self.zone());
        let (wanted, order, from, to) = match round.round_number {
            1 => (2, "ASC", at, at_end(ROUND_2_WINDOW_SECONDS)),
            2 => (1, "DESC", at_end(-ROUND_2_WINDOW_SECONDS), at),
            _ => return Ok(None),
        };
        let sql = format!(
            "SELECT {} FROM rounds r WHERE {at} >= $1 AND {at} <= $2 AND r.map_name = $3 AND r.id <> $4 AND {PLAYED} \
             ORDER BY {at} {order}, r.id {order}",
            self.select("rounds", "r", &["id", "round_number", "server_name"]),
            at = self.play_order(),
        );
        let values = args![from, to, &round.map_name, round.id];
        let rows = self.database.rows(&sql, values).await?;
        let next = rows
            .iter()
            .find(|row| non_empty(row, "server_name") == round.server_name);
        Ok(next
            .filter(|row| row.get::<i64>("round_number") == wanted)
            .map(|row| row.get("id")))
    }

    /// The timeline of a round as JSON, from its most complete report, whose timeline is the longest; `None` if no report has one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn timeline(&self, round_id: i64) -> Result<Option<Vec<u8>>, DbError> {
        let sql = format!("SELECT f.timeline {TIMELINES_OF}");
        let rows = self.database.rows(&sql, args![round_id]).await?;
        // A round is shown without a damaged one.
        let timelines = rows.iter().filter_map(|row| {
            unpack(row.get("timeline"))
                .inspect_err(|e| tracing::error!("timeline of round {round_id}: {e}"))
                .ok()
        });
        // Of equally long ones, the first by identity.
        Ok(timelines.rev().max_by_key(Vec::len))
    }
}
