//! Questions about players: the players of a round, and the rounds of a player.

use std::collections::HashSet;

use gametimes_format::Team;
use gametimes_format::rules::STATS_ROUNDING_SECONDS;
use gametimes_rounds::play_order::order_key;
use gametimes_rounds::player_id::short_guid;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::Db;
use super::error::DbError;
use super::play_order::{PLAYED, ended_unix};
use super::value::{Row, non_empty, team};
use crate::args;

/// How many rounds a page of a player's history has.
pub const HISTORY_PER_PAGE: usize = 100;

/// A player in a round: the recorder's times beside the numbers of the stats file. The two are matched by the first 8
/// digits of the guid.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Player {
    /// 32 digits from the recorder, 8 from a stats file, `name:...` for a client without a guid.
    pub guid: String,
    /// The name without colour codes.
    pub name: String,
    /// 1 Axis, 2 Allies.
    pub team: Option<i64>,
    /// Number of spawns, including revives.
    pub spawns: Option<i64>,
    /// How often a medic revived the player.
    pub revives: Option<i64>,
    /// Number of deaths.
    pub deaths: Option<i64>,
    /// Number of enemies killed.
    pub kills: Option<i64>,
    /// Time dead.
    pub dead_seconds: Option<i64>,
    /// Time dead in ms.
    pub dead_ms: Option<i64>,
    /// Longest time dead without interruption, in ms.
    pub max_dead_ms: Option<i64>,
    /// `dead_seconds / deaths`.
    pub avg_respawn_seconds: Option<i64>,
    /// Longest time dead without interruption.
    pub max_respawn_seconds: Option<i64>,
    /// Time that the killed enemies were dead.
    pub denied_seconds: Option<i64>,
    /// Time that the killed enemies were dead, in ms.
    pub denied_ms: Option<i64>,
    /// Time alive in ms.
    pub alive_ms: Option<i64>,
    /// Time on a team in ms.
    pub played_ms: Option<i64>,
    /// Time played according to the stats file.
    pub stats_time_played_seconds: Option<i64>,
    /// Time dead according to the stats file.
    pub stats_time_dead_seconds: Option<i64>,
    /// Kills according to the stats file.
    pub stats_kills: Option<i64>,
    /// Deaths according to the stats file.
    pub stats_deaths: Option<i64>,
    /// Damage given according to the stats file.
    pub damage_given: Option<i64>,
    /// Damage received according to the stats file.
    pub damage_received: Option<i64>,
    /// How often the player revived a team mate according to the stats file.
    pub revives_given: Option<i64>,
    /// Hits to the head according to the stats file.
    pub headshots: Option<i64>,
    /// Hits per hundred shots according to the stats file.
    pub accuracy: Option<f64>,
    /// What is unusual about the numbers of the stats file; null if nothing is.
    pub flags: Option<String>,
}

impl Player {
    /// Columns of `lua_spawn_stats` that [`Self::from_row`] reads.
    const COLUMNS: [&str; 16] = [
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
    ];

    /// Columns of `player_comprehensive_stats` that [`Self::add_stats_file`] reads.
    const STATS_COLUMNS: [&str; 13] = [
        "player_guid",
        "clean_name",
        "team",
        "time_played_seconds",
        "time_dead_minutes",
        "kills",
        "deaths",
        "damage_given",
        "damage_received",
        "revives_given",
        "headshots",
        "accuracy",
        "gametimes_flags",
    ];

    fn from_row(row: &Row) -> Self {
        Self {
            guid: row.get("player_guid"),
            name: row.get("player_name"),
            team: row.get("team"),
            spawns: row.get("spawn_count"),
            revives: row.get("revive_count"),
            deaths: row.get("death_count"),
            kills: row.get("kill_count"),
            dead_seconds: row.get("dead_seconds"),
            dead_ms: row.get("dead_ms"),
            max_dead_ms: row.get("max_dead_ms"),
            avg_respawn_seconds: row.get("avg_respawn_seconds"),
            max_respawn_seconds: row.get("max_respawn_seconds"),
            denied_seconds: row.get("denied_seconds"),
            denied_ms: row.get("denied_ms"),
            alive_ms: row.get("alive_ms"),
            played_ms: row.get("played_ms"),
            ..Self::default()
        }
    }

    /// Adds the numbers of the stats file, from a row of `player_comprehensive_stats`.
    fn add_stats_file(&mut self, row: &Row) {
        self.team = self.team.filter(|team| *team != 0).or(row.get("team"));
        self.stats_time_played_seconds = row.get("time_played_seconds");
        self.stats_time_dead_seconds = seconds_dead(row);
        self.stats_kills = row.get("kills");
        self.stats_deaths = row.get("deaths");
        self.damage_given = row.get("damage_given");
        self.damage_received = row.get("damage_received");
        self.revives_given = row.get("revives_given");
        self.headshots = row.get("headshots");
        self.accuracy = row
            .get::<Option<f64>>("accuracy")
            .map(|n| (n * 10.0).round() / 10.0);
        self.flags = non_empty(row, "gametimes_flags");
    }

    /// The player's team; `None` for spectators and if it is unknown.
    pub fn team(&self) -> Option<Team> {
        team(self.team)
    }

    /// The recorder's time dead in ms; older recorders report whole seconds only.
    pub fn dead_ms(&self) -> Option<i64> {
        self.dead_ms.or(self.dead_seconds.map(|s| s * 1000))
    }

    /// Whether the recorder's time dead and that of the stats file differ by more than the file's rounding.
    pub fn times_dead_differ(&self) -> bool {
        matches!((self.dead_ms(), self.stats_time_dead_seconds),
            (Some(recorded_ms), Some(stats)) if (recorded_ms / 1000 - stats).abs() > STATS_ROUNDING_SECONDS)
    }
}

/// Damage per minute played, cut to a whole number; `None` if either is unknown, or nothing was played.
pub fn damage_per_minute(damage: Option<i64>, played_ms: Option<i64>) -> Option<i64> {
    let played_ms = played_ms.filter(|ms| *ms > 0)?;
    Some(damage?.saturating_mul(60_000) / played_ms)
}

/// The time dead of a row of `player_comprehensive_stats`.
fn seconds_dead(row: &Row) -> Option<i64> {
    row.get::<Option<f64>>("time_dead_minutes")
        .map(|minutes| (minutes * 60.0).round() as i64)
}

/// A time with the precision of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// Known to the millisecond.
    Ms(i64),
    /// Known to the second.
    Seconds(i64),
}

impl Time {
    /// The time in ms.
    pub fn ms(self) -> i64 {
        match self {
            Self::Ms(ms) => ms,
            Self::Seconds(seconds) => seconds.saturating_mul(1000),
        }
    }
}

/// A round in a player's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// `rounds.id`; `None` if the report is not linked to a round.
    pub round_id: Option<i64>,
    /// When the round ended, `YYYY-MM-DD-HHMMSS` in the server's local time.
    pub match_id: String,
    /// Sorts the rounds as they were played.
    play_order: String,
    /// 1 or 2.
    pub round_number: i64,
    /// Name of the map.
    pub map_name: String,
    /// When the round ended, worked out from its `match_id` if no recorder reported it.
    pub ended_unix: Option<i64>,
    /// The name that the player had in the round.
    pub name: String,
    /// Time on a team.
    pub played: Option<Time>,
    /// Time dead.
    pub dead: Option<Time>,
    /// Time that the killed enemies were dead.
    pub denied: Option<Time>,
    /// Number of enemies killed.
    pub kills: Option<i64>,
    /// Number of deaths.
    pub deaths: Option<i64>,
    /// Whether the numbers come from a stats file, because there is no recorder's report.
    pub is_from_stats_file: bool,
}

impl HistoryEntry {
    /// Columns of `lua_spawn_stats` that [`Self::from_recorder`] reads.
    const COLUMNS: [&str; 12] = [
        "round_id",
        "map_name",
        "round_number",
        "round_end_unix",
        "match_id",
        "player_name",
        "dead_ms",
        "dead_seconds",
        "played_ms",
        "denied_ms",
        "kill_count",
        "death_count",
    ];

    /// Columns of `player_comprehensive_stats` that [`Self::from_stats_file`] reads.
    const STATS_COLUMNS: [&str; 10] = [
        "round_id",
        "map_name",
        "round_number",
        "clean_name",
        "player_name",
        "time_dead_minutes",
        "time_played_seconds",
        "denied_playtime",
        "kills",
        "deaths",
    ];

    fn from_recorder(row: &Row, zone: &TimeZone) -> Self {
        let exact = |column| row.get::<Option<i64>>(column).map(Time::Ms);
        let seconds = |column| row.get::<Option<i64>>(column).map(Time::Seconds);
        Self {
            round_id: row.get("round_id"),
            play_order: row
                .get::<Option<i64>>("round_end_unix")
                .map_or_else(|| row.get("match_id"), |end| order_key(end, zone)),
            match_id: row.get("match_id"),
            round_number: row.get("round_number"),
            map_name: row.get("map_name"),
            ended_unix: row.get("round_end_unix"),
            name: row.get("player_name"),
            played: exact("played_ms").filter(|played| played.ms() > 0),
            dead: exact("dead_ms").or_else(|| seconds("dead_seconds")),
            denied: exact("denied_ms"),
            kills: row.get("kill_count"),
            deaths: row.get("death_count"),
            is_from_stats_file: false,
        }
    }

    /// The stats file has the time dead in tenths of a minute, and the other times in seconds.
    fn from_stats_file(row: &Row, zone: &TimeZone) -> Self {
        let seconds = |column| row.get::<Option<i64>>(column).map(Time::Seconds);
        let name: Option<String> = row.get("clean_name");
        Self {
            round_id: row.get("round_id"),
            play_order: row.get("play_order"),
            match_id: row.get("match_id"),
            round_number: row.get("round_number"),
            map_name: row.get("map_name"),
            ended_unix: ended_unix(row, zone),
            name: name.unwrap_or_else(|| row.get("player_name")),
            played: seconds("time_played_seconds").filter(|played| played.ms() > 0),
            dead: seconds_dead(row).map(Time::Seconds),
            denied: seconds("denied_playtime"),
            kills: row.get("kills"),
            deaths: row.get("deaths"),
            is_from_stats_file: true,
        }
    }
}

/// A page of a player's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The rounds, latest first.
    pub rounds: Vec<HistoryEntry>,
    /// Whether there is another page after this one.
    pub has_more: bool,
}

impl Db {
    /// The players of a round, sorted by team and name.
    pub(super) async fn players(&self, round_id: i64) -> Result<Vec<Player>, DbError> {
        let mut players = Vec::new();
        if self.has("lua_spawn_stats") {
            let sql = format!(
                "SELECT {} FROM lua_spawn_stats s WHERE s.round_id = $1 ORDER BY s.id",
                self.select("lua_spawn_stats", "s", &Player::COLUMNS)
            );
            let rows = self.database.rows(&sql, args![round_id]).await?;
            players.extend(rows.iter().map(Player::from_row));
        }
        let sql = format!(
            "SELECT {} FROM player_comprehensive_stats p WHERE p.round_id = $1 ORDER BY p.id",
            self.select("player_comprehensive_stats", "p", &Player::STATS_COLUMNS)
        );
        for row in self.database.rows(&sql, args![round_id]).await? {
            let guid: String = row.get("player_guid");
            let known = players.iter().position(|p| is_same_player(&p.guid, &guid));
            let at = known.unwrap_or_else(|| {
                players.push(Player {
                    guid,
                    name: row.get("clean_name"),
                    ..Player::default()
                });
                players.len() - 1
            });
            players[at].add_stats_file(&row);
        }
        players.sort_by(|a, b| (a.team, &a.name, &a.guid).cmp(&(b.team, &b.name, &b.guid)));
        Ok(players)
    }

    /// A page of a player's rounds, latest first; the first page is 1. Rounds that no recorder reported come from their stats
    /// files.
    ///
    /// `guid` is a guid, of which the first 8 digits count, or the whole `name:...` of a client without one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn player_history(&self, guid: &str, page: usize) -> Result<History, DbError> {
        let mut history = Vec::new();
        // Each of the two tables may have all rounds up to the end of the page.
        let end = page.saturating_mul(HISTORY_PER_PAGE);
        let limit = end.saturating_add(1);
        if self.has("lua_spawn_stats") {
            let sql = self.spawns_of_player(&HistoryEntry::COLUMNS, limit);
            let rows = self.database.rows(&sql, args![guid]).await?;
            let entry = |row| HistoryEntry::from_recorder(row, self.zone());
            history.extend(rows.iter().map(entry));
        }
        let recorded: HashSet<i64> = history.iter().filter_map(|e| e.round_id).collect();
        // Stats files do not identify clients without a guid.
        if !guid.starts_with("name:") {
            let order = self.play_order();
            let since = self.day_of_round(guid, limit).await?;
            // SQLite keeps the order of a CROSS JOIN: the rounds since that day first, from the latest on until there are enough.
            let (from, is_since, sorted) = match &since {
                Some(_) => (
                    "rounds r CROSS JOIN player_comprehensive_stats p",
                    format!("{order} >= $2"),
                    order.to_owned(),
                ),
                None => (
                    "player_comprehensive_stats p CROSS JOIN rounds r",
                    "$2 = ''".to_owned(),
                    // The changed expression keeps PostgreSQL from looking for the player in all rounds.
                    format!("{order} || ''"),
                ),
            };
            let sql = format!(
                "SELECT {}, {}, {order} AS play_order FROM {from} WHERE r.id = p.round_id AND {is_since} AND {PLAYED} \
                 AND UPPER(SUBSTR(p.player_guid, 1, 8)) = UPPER(SUBSTR($1, 1, 8)) \
                 ORDER BY {sorted} DESC, p.id DESC LIMIT {limit}",
                self.select(
                    "player_comprehensive_stats",
                    "p",
                    &HistoryEntry::STATS_COLUMNS
                ),
                self.select("rounds", "r", &["round_end_unix", "match_id"])
            );
            let values = args![guid, since.unwrap_or_default()];
            let rows = self.database.rows(&sql, values).await?;
            history.extend(
                rows.iter()
                    .map(|row| HistoryEntry::from_stats_file(row, self.zone()))
                    .filter(|e| e.round_id.is_none_or(|id| !recorded.contains(&id))),
            );
        }
        history
            .sort_by(|a, b| (&b.play_order, b.round_number).cmp(&(&a.play_order, a.round_number)));
        let has_more = history.len() > end;
        history.truncate(end);
        Ok(History {
            rounds: history.split_off(history.len().min(end - HISTORY_PER_PAGE)),
            has_more,
        })
    }

    /// A day since which a player has played at least so many rounds: the player has played on that many days. `None` if there are
    /// fewer. A round may count as played on the day before or after the one of its `match_id`, which is its server's day, so there are
    /// two days more.
    async fn day_of_round(&self, guid: &str, rounds: usize) -> Result<Option<String>, DbError> {
        let sql = "SELECT day FROM gametimes_name_days WHERE player = $1 GROUP BY day ORDER BY day DESC LIMIT 1 OFFSET $2";
        let values = args![short_guid(guid), rounds.saturating_add(2)];
        let row = self.database.row(sql, values).await?;
        Ok(row.map(|row| row.get("day")))
    }

    /// SQL for a player's latest rows of `lua_spawn_stats`, at most `limit` of them, latest first. `$1` is the guid, as for
    /// [`Self::player_history`].
    pub fn spawns_of_player(&self, columns: &[&str], limit: usize) -> String {
        // The first 8 characters of a `name:...` include 3 digits of its hash, so the index serves both kinds.
        format!(
            "SELECT {} FROM lua_spawn_stats s WHERE UPPER(SUBSTR(s.player_guid, 1, 8)) = UPPER(SUBSTR($1, 1, 8)) \
             AND ($1 NOT LIKE 'name:%' OR s.player_guid = $1) \
             ORDER BY COALESCE(s.round_end_unix, 0) DESC, s.id DESC LIMIT {limit}",
            self.select("lua_spawn_stats", "s", columns)
        )
    }
}

/// Whether a recorder's guid and one of a stats file are the same player's: the first 8 digits are equal, case aside.
fn is_same_player(recorded: &str, stats: &str) -> bool {
    recorded
        .get(..8)
        .is_some_and(|head| head.eq_ignore_ascii_case(stats))
}
