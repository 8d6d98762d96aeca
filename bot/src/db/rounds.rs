//! What the API and the pages read.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;
use serde_json::Value as Json;

use super::Db;
use super::connection::DbError;
use super::connection::placeholders;
use super::value::{Row, Value};
use crate::args;
use gametimes_rounds::stats_file::minutes_seconds;

/// A round, as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RoundSummary {
    /// `rounds.id`.
    pub id: i64,
    /// `YYYY-MM-DD-HHMMSS`, the server's local time.
    pub match_id: String,
    /// 1 or 2.
    pub round_number: i64,
    /// The map.
    pub map_name: String,
    /// The server's name, colours out.
    pub server_name: Option<String>,
    /// `ip:port`.
    pub server_address: Option<String>,
    /// When play began; null when only a stats file is there.
    pub round_start_unix: Option<i64>,
    /// When the round was over.
    pub round_end_unix: Option<i64>,
    /// Time played, pauses out.
    pub actual_duration_seconds: Option<i64>,
    /// Time played in ms, where the recorder told it.
    pub duration_ms: Option<i64>,
    /// Sum of the pauses.
    pub total_pause_seconds: Option<i64>,
    /// How many pauses.
    pub pause_count: Option<i64>,
    /// 1 Axis, 2 Allies, 0 nobody.
    pub winner_team: Option<i64>,
    /// 1 Axis, 2 Allies, 0 unknown.
    pub defender_team: Option<i64>,
    /// `objective`, `surrender`, `time_expired`...
    pub end_reason: Option<String>,
    /// `completed` or `cancelled`.
    pub round_status: Option<String>,
    /// The stats file, if it came.
    pub stats_file: Option<String>,
    /// `native`, `lua`, `old script` or `message`; null when only a stats file is there.
    pub recorder: Option<String>,
    /// What is odd about the round; empty when nothing is.
    pub flags: Option<String>,
}

const SUMMARY: [&str; 19] = [
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

fn optional(row: &Row, i: usize) -> Option<String> {
    row.text(i)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn summary(row: &Row) -> RoundSummary {
    RoundSummary {
        id: row.int(0).unwrap_or_default(),
        match_id: row.string(1),
        round_number: row.int(2).unwrap_or_default(),
        map_name: row.string(3),
        server_name: optional(row, 4),
        server_address: optional(row, 5),
        round_start_unix: row.int(6),
        round_end_unix: row.int(7),
        actual_duration_seconds: row.int(8),
        duration_ms: row.int(9),
        total_pause_seconds: row.int(10),
        pause_count: row.int(11),
        winner_team: row.int(12),
        defender_team: row.int(13),
        end_reason: optional(row, 14),
        round_status: optional(row, 15),
        stats_file: optional(row, 16),
        recorder: optional(row, 17),
        flags: optional(row, 18),
    }
}

/// A round with the recorder's own words.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RoundDetail {
    /// The round.
    #[serde(flatten)]
    pub round: RoundSummary,
    /// What the recorder says; null when only a stats file is there.
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
    /// The time limit.
    pub time_limit_minutes: Option<i64>,
    /// Wall time of the warmup.
    pub warmup_seconds: Option<i64>,
    /// 1 Axis, 2 Allies, 0 nobody gave up.
    pub surrender_team: Option<i64>,
    /// Who called the surrender.
    pub surrender_caller_name: Option<String>,
    /// Rounds won by the Axis on this map so far.
    pub axis_score: Option<i64>,
    /// Rounds won by the Allies on this map so far.
    pub allies_score: Option<i64>,
    /// The recorder's version.
    pub version: Option<String>,
}

/// A player in a round: the recorder's times and the stats file's numbers, joined on the first 8 digits of the guid.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Player {
    /// 32 digits from the recorder, 8 from a stats file, `name:...` for a client without guid.
    pub guid: String,
    /// The name, colours out.
    pub name: String,
    /// 1 Axis, 2 Allies.
    pub team: Option<i64>,
    /// Times come alive, revives included.
    pub spawns: Option<i64>,
    /// Revives among the spawns.
    pub revives: Option<i64>,
    /// Deaths.
    pub deaths: Option<i64>,
    /// Enemies killed.
    pub kills: Option<i64>,
    /// Time dead.
    pub dead_seconds: Option<i64>,
    /// Time dead in ms.
    pub dead_ms: Option<i64>,
    /// Longest time dead in one piece, ms.
    pub max_dead_ms: Option<i64>,
    /// `dead_seconds / deaths`.
    pub avg_respawn_seconds: Option<i64>,
    /// Longest time dead in one piece.
    pub max_respawn_seconds: Option<i64>,
    /// Time dead of the enemies killed.
    pub denied_seconds: Option<i64>,
    /// Time dead of the enemies killed, ms.
    pub denied_ms: Option<i64>,
    /// Time alive, ms.
    pub alive_ms: Option<i64>,
    /// Time on a team, ms.
    pub played_ms: Option<i64>,
    /// From the stats file: time played.
    pub stats_time_played_seconds: Option<i64>,
    /// From the stats file: time dead.
    pub stats_time_dead_seconds: Option<i64>,
    /// From the stats file: kills.
    pub stats_kills: Option<i64>,
    /// From the stats file: deaths.
    pub stats_deaths: Option<i64>,
    /// From the stats file: damage given.
    pub damage_given: Option<i64>,
    /// From the stats file: damage received.
    pub damage_received: Option<i64>,
    /// From the stats file: hits per hundred shots.
    pub accuracy: Option<f64>,
    /// What is odd about the numbers of the stats file.
    pub flags: Option<String>,
}

/// What a round's stats file says of the round as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatsFileSays {
    /// The next time limit in its header, which many take for the duration.
    pub duration_seconds: Option<i64>,
    /// 1 Axis, 2 Allies, 0 nobody.
    pub winner_team: Option<i64>,
    /// 1 Axis, 2 Allies, 0 unknown.
    pub defender_team: Option<i64>,
    /// Its own clock.
    pub playtime_ms: Option<i64>,
    /// Its time as it stands there, `M:SS`.
    pub time: String,
    /// Its time limit as it stands there.
    pub time_limit: String,
}

impl StatsFileSays {
    /// The time as the file has it, with its limit, when no round can have lasted that long: it is not stored as one.
    pub fn impossible_time(&self) -> Option<String> {
        (self.duration_seconds.is_none() && minutes_seconds(&self.time).is_some())
            .then(|| format!("{} (limit {})", self.time, self.time_limit))
    }
}

/// Which rounds a list shows.
#[derive(Debug, Clone, Default)]
pub struct RoundFilter {
    /// Only this map.
    pub map: Option<String>,
    /// Only rounds that come after this one, by its id, in the list.
    pub before: Option<i64>,
    /// At most this many.
    pub limit: i64,
}

impl Db {
    /// Rounds, latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rounds(&self, filter: &RoundFilter) -> Result<Vec<RoundSummary>, DbError> {
        let columns = self.select("rounds", "r", &SUMMARY);
        // The two databases put NULL at different ends; as nothing it is the oldest in both.
        let sql = format!(
            "SELECT {columns} FROM rounds r WHERE ($1 = '' OR LOWER(r.map_name) = LOWER($1)) \
             AND ($2 = 0 OR (COALESCE(r.match_id, ''), r.id) < \
             (SELECT COALESCE(b.match_id, ''), b.id FROM rounds b WHERE b.id = $2)) \
             ORDER BY COALESCE(r.match_id, '') DESC, r.id DESC LIMIT $3"
        );
        let map = filter.map.clone().unwrap_or_default();
        let values = args![map, filter.before.unwrap_or(0), filter.limit];
        Ok(self
            .database
            .rows(&sql, values)
            .await?
            .iter()
            .map(summary)
            .collect())
    }

    /// One round with its players; `None` when there is none with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn round(&self, id: i64) -> Result<Option<RoundDetail>, DbError> {
        let columns = self.select("rounds", "r", &SUMMARY);
        let sql = format!("SELECT {columns} FROM rounds r WHERE r.id = $1");
        let Some(row) = self.database.row(&sql, args![id]).await? else {
            return Ok(None);
        };
        let columns = self.select(
            "lua_round_teams",
            "t",
            &[
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
            ],
        );
        let sql = format!("SELECT {columns} FROM lua_round_teams t WHERE t.round_id = $1");
        let teams = match self.has("lua_round_teams") {
            true => self.database.row(&sql, args![id]).await?,
            false => None,
        };
        let recorded = teams.map(|row| Recorded {
            axis_players: row.json(0),
            allies_players: row.json(1),
            pauses: row.json(2),
            time_limit_minutes: row.int(3),
            warmup_seconds: row.int(4),
            surrender_team: row.int(5),
            surrender_caller_name: optional(&row, 6),
            axis_score: row.int(7),
            allies_score: row.int(8),
            version: optional(&row, 9),
        });
        Ok(Some(RoundDetail {
            round: summary(&row),
            recorded,
            players: self.players(id).await?,
        }))
    }

    /// The players of a round, by team and name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn players(&self, round_id: i64) -> Result<Vec<Player>, DbError> {
        let columns = self.select(
            "lua_spawn_stats",
            "s",
            &[
                "player_guid",
                "player_name",
                "team",
                "spawn_count",
                "revive_count",
                "death_count",
                "kill_count",
                "dead_seconds",
                "dead_ms",
                "max_dead_ms",
                "avg_respawn_seconds",
                "max_respawn_seconds",
                "denied_seconds",
                "denied_ms",
                "alive_ms",
                "played_ms",
            ],
        );
        let sql =
            format!("SELECT {columns} FROM lua_spawn_stats s WHERE s.round_id = $1 ORDER BY s.id");
        let recorded = match self.has("lua_spawn_stats") {
            true => self.database.rows(&sql, args![round_id]).await?,
            false => Vec::new(),
        };
        let mut players: Vec<Player> = recorded
            .iter()
            .map(|row| Player {
                guid: row.string(0),
                name: row.string(1),
                team: row.int(2),
                spawns: row.int(3),
                revives: row.int(4),
                deaths: row.int(5),
                kills: row.int(6),
                dead_seconds: row.int(7),
                dead_ms: row.int(8),
                max_dead_ms: row.int(9),
                avg_respawn_seconds: row.int(10),
                max_respawn_seconds: row.int(11),
                denied_seconds: row.int(12),
                denied_ms: row.int(13),
                alive_ms: row.int(14),
                played_ms: row.int(15),
                ..Player::default()
            })
            .collect();
        let columns = self.select(
            "player_comprehensive_stats",
            "p",
            &[
                "player_guid",
                "clean_name",
                "team",
                "time_played_seconds",
                "time_dead_minutes",
                "kills",
                "deaths",
                "damage_given",
                "damage_received",
                "accuracy",
                "gametimes_flags",
            ],
        );
        let sql = format!(
            "SELECT {columns} FROM player_comprehensive_stats p WHERE p.round_id = $1 ORDER BY p.id"
        );
        for row in self.database.rows(&sql, args![round_id]).await? {
            let guid = row.string(0);
            let known = players.iter().position(|p| same_player(&p.guid, &guid));
            let at = known.unwrap_or_else(|| {
                players.push(Player {
                    guid: guid.clone(),
                    name: row.string(1),
                    ..Player::default()
                });
                players.len() - 1
            });
            let player = &mut players[at];
            player.team = player.team.filter(|t| *t != 0).or(row.int(2));
            player.stats_time_played_seconds = row.int(3);
            player.stats_time_dead_seconds =
                row.real(4).map(|minutes| (minutes * 60.0).round() as i64);
            player.stats_kills = row.int(5);
            player.stats_deaths = row.int(6);
            player.damage_given = row.int(7);
            player.damage_received = row.int(8);
            player.accuracy = row.real(9).map(|n| (n * 10.0).round() / 10.0);
            player.flags = optional(&row, 10);
        }
        players.sort_by(|a, b| (a.team, &a.name, &a.guid).cmp(&(b.team, &b.name, &b.guid)));
        Ok(players)
    }

    /// What the stats file of a round says; `None` when none has come.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stats_file_says(&self, round_id: i64) -> Result<Option<StatsFileSays>, DbError> {
        let columns = [
            "stats_file",
            "stats_duration_seconds",
            "stats_winner_team",
            "stats_defender_team",
            "stats_playtime_ms",
            "actual_time",
            "time_limit",
        ];
        let columns = self.select("rounds", "r", &columns);
        let sql = format!("SELECT {columns} FROM rounds r WHERE r.id = $1");
        let row = self.database.row(&sql, args![round_id]).await?;
        let row = row.filter(|row| row.text(0).is_some_and(|name| !name.is_empty()));
        Ok(row.map(|row| StatsFileSays {
            duration_seconds: row.int(1),
            winner_team: row.int(2),
            defender_team: row.int(3),
            playtime_ms: row.int(4),
            time: row.string(5),
            time_limit: row.string(6),
        }))
    }

    /// The timeline of a round: the list that the most complete report has; empty when none has one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn timeline(&self, round_id: i64) -> Result<Json, DbError> {
        let bytes = self.timelines(&BTreeSet::from([round_id])).await?;
        let timeline = bytes
            .get(&round_id)
            .and_then(|bytes| serde_json::from_slice(bytes).ok());
        Ok(timeline.unwrap_or_else(|| Json::Array(Vec::new())))
    }

    /// The timelines of several rounds, as JSON; rounds without one are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn timelines(
        &self,
        round_ids: &BTreeSet<i64>,
    ) -> Result<HashMap<i64, Vec<u8>>, DbError> {
        let mut timelines = HashMap::new();
        if round_ids.is_empty() {
            return Ok(timelines);
        }
        let ids: Vec<Value> = round_ids.iter().map(|id| (*id).into()).collect();
        let sql = format!(
            "SELECT g.round_id, f.timeline FROM gametimes_groups g JOIN gametimes_facts f ON f.group_id = g.id \
             WHERE g.round_id IN ({}) AND f.timeline IS NOT NULL ORDER BY LENGTH(f.timeline) DESC, f.identity",
            placeholders(ids.len())
        );
        for row in self.database.rows(&sql, &ids).await? {
            timelines
                .entry(row.int(0).unwrap_or_default())
                .or_insert_with(|| row.bytes(1).to_vec());
        }
        Ok(timelines)
    }
}

impl Db {
    /// SQL for the rows of `lua_spawn_stats` of one player, latest first, 100 at most. `$1` is the guid, of which the first 8
    /// digits count, or the whole `name:...` of a client without one.
    pub fn spawns_of_player(&self, columns: &[&str]) -> String {
        // The first 8 characters of a `name:...` hold 3 digits of its hash, so the index serves both kinds.
        format!(
            "SELECT {} FROM lua_spawn_stats s WHERE UPPER(SUBSTR(s.player_guid, 1, 8)) = UPPER(SUBSTR($1, 1, 8)) \
             AND ($1 NOT LIKE 'name:%' OR s.player_guid = $1) \
             ORDER BY COALESCE(s.round_end_unix, 0) DESC, s.id DESC LIMIT 100",
            self.select("lua_spawn_stats", "s", columns)
        )
    }
}

/// Whether a guid of a recorder and one of a stats file are the same player: the first 8 digits, case-blind.
pub fn same_player(recorded: &str, stats: &str) -> bool {
    recorded.len() >= 8
        && recorded
            .get(..8)
            .is_some_and(|head| head.eq_ignore_ascii_case(stats))
}

impl Db {
    /// The value of a mark; 0 when there is none yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reached(&self, name: &str) -> Result<u64, DbError> {
        let row = self
            .database
            .row(
                "SELECT value FROM gametimes_state WHERE name = $1",
                args![name],
            )
            .await?;
        Ok(row.and_then(|row| row.text(0)?.parse().ok()).unwrap_or(0))
    }

    /// The values of all marks whose names begin so, lowest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all_reached(&self, begins: &str) -> Result<Vec<u64>, DbError> {
        let sql = "SELECT value FROM gametimes_state WHERE SUBSTR(name, 1, LENGTH($1)) = $1";
        let rows = self.database.rows(sql, args![begins]).await?;
        let mut values: Vec<u64> = rows
            .iter()
            .filter_map(|row| row.text(0)?.parse().ok())
            .collect();
        values.sort_unstable();
        Ok(values)
    }

    /// What was refused, latest first: source, origin, reason, times, last time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rejected(&self, limit: i64) -> Result<Vec<Rejected>, DbError> {
        let sql = "SELECT source, origin, reason, times, last_unix FROM gametimes_rejected \
                   ORDER BY last_unix DESC, id DESC LIMIT $1";
        let rows = self.database.rows(sql, args![limit]).await?;
        let rejected = |row: &Row| Rejected {
            source: row.string(0),
            origin: row.string(1),
            reason: row.string(2),
            times: row.int(3).unwrap_or_default(),
            last_unix: row.int(4).unwrap_or_default(),
        };
        Ok(rows.iter().map(rejected).collect())
    }
}

/// Something that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Rejected {
    /// By which way it came.
    pub source: String,
    /// The file, or the message.
    pub origin: String,
    /// Why it was refused.
    pub reason: String,
    /// How often it came.
    pub times: i64,
    /// When it came last.
    pub last_unix: i64,
}
