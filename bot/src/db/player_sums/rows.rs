//! The SQL that sums the rows of the players of whole days.

use gametimes_format::rules::BOT_GUID_PREFIX;

use super::SUMS;
use crate::db::Db;
use crate::db::connection::placeholders;
use crate::db::play_order::PLAYED;

/// The players of stats files.
const STATS: &str = "player_comprehensive_stats";
/// The players that recorders reported.
const OWN: &str = "lua_spawn_stats";

/// What a player's round adds to each of [`SUMS`] but those of maps. A round has the values `stats_*` and those without prefix if
/// there is a stats file, `own_*` if there is a recorder's report. The times are the recorder's if it knows both, because they
/// are exact; everything else is the stats file's if there is one.
const OF_ROUND: [&str; 17] = [
    "1",
    "COALESCE(stats_rounds, 0)",
    "COALESCE(stats_kills, own_kills, 0)",
    // Old scripts count no kills. Their deaths would distort the ratio.
    "CASE WHEN stats_kills IS NULL AND own_kills IS NULL THEN 0 ELSE COALESCE(stats_deaths, own_deaths, 0) END",
    "COALESCE(damage_given, 0)",
    "COALESCE(stats_seconds, 0)",
    "COALESCE(shots, 0)",
    "COALESCE(hits, 0)",
    "COALESCE(headshots, 0)",
    "COALESCE(revives, 0)",
    "COALESCE(own_played_ms, stats_seconds * 1000, 0)",
    "COALESCE(CASE WHEN own_played_ms > 0 THEN own_dead_ms END, stats_dead_ms, 0)",
    "COALESCE(CASE WHEN own_played_ms > 0 AND own_dead_ms IS NOT NULL THEN own_played_ms END, \
     CASE WHEN stats_dead_ms IS NOT NULL THEN stats_seconds * 1000 END, 0)",
    "COALESCE(CASE WHEN own_played_ms > 0 THEN own_denied_ms END, stats_denied_ms, 0)",
    "COALESCE(CASE WHEN own_played_ms > 0 AND own_denied_ms IS NOT NULL THEN own_played_ms END, \
     CASE WHEN stats_denied_ms IS NOT NULL THEN stats_seconds * 1000 END, 0)",
    "COALESCE(wave_wait_ms, 0)",
    "CASE WHEN wave_wait_ms IS NOT NULL THEN COALESCE(own_deaths, 0) ELSE 0 END",
];

/// The values of a row of a stats file and of a recorder's report: the name, and the expression in either table.
const VALUES: [(&str, &str, &str); 17] = [
    ("stats_rounds", "1", ""),
    ("stats_kills", "{kills}", ""),
    ("stats_deaths", "{deaths}", ""),
    ("damage_given", "{damage_given}", ""),
    ("stats_seconds", "{time_played_seconds}", ""),
    ("shots", "{bullets_fired}", ""),
    // The table has no hits, only the accuracy in percent.
    ("hits", "ROUND({accuracy} * {bullets_fired} / 100)", ""),
    ("headshots", "{headshots}", ""),
    ("revives", "{revives_given}", ""),
    (
        "stats_dead_ms",
        "ROUND({time_dead_minutes} * 60) * 1000",
        "",
    ),
    ("stats_denied_ms", "{denied_playtime} * 1000", ""),
    ("own_kills", "", "{kill_count}"),
    ("own_deaths", "", "{death_count}"),
    (
        "own_dead_ms",
        "",
        "COALESCE({dead_ms}, {dead_seconds} * 1000)",
    ),
    ("own_played_ms", "", "{played_ms}"),
    ("own_denied_ms", "", "{denied_ms}"),
    ("wave_wait_ms", "", "{wave_wait_ms}"),
];

/// SQL for what identifies a player, from a guid: the first 8 digits in upper case, or the whole `name:...` of a client without one.
fn player(guid: &str) -> String {
    format!("CASE WHEN {guid} LIKE 'name:%' THEN {guid} ELSE UPPER(SUBSTR({guid}, 1, 8)) END")
}

impl Db {
    /// SQL for whether the round `r` counts: both halves of its match are known, the game itself ended it, and no bot took part.
    pub(in crate::db) fn counts(&self) -> String {
        let column = |name: &str, or: &str| match self.has_column("rounds", name) {
            true => format!("COALESCE(r.{name}, {or})"),
            false => or.to_owned(),
        };
        let status = column("round_status", "'completed'");
        format!(
            "({} AND NOT {} AND {status} <> 'cancelled' AND {status} <> 'orphan_r2')",
            column("is_valid", "TRUE"),
            column("is_bot_round", "FALSE"),
        )
    }

    /// SQL that inserts what the players did on so many days.
    pub(super) fn sums_of_days(&self, days: usize) -> String {
        let mut sources = Vec::new();
        for (table, has_played) in [
            (STATS, "COALESCE({time_played_seconds}, 0) > 0"),
            (OWN, "COALESCE({played_ms}, {spawn_count}, 0) > 0"),
        ] {
            if self.has(table) {
                let columns = VALUES.map(|(name, stats, own)| {
                    let value = if table == STATS { stats } else { own };
                    let value = match value {
                        "" => "NULL".to_owned(),
                        value => self.fill(table, value, "BIGINT"),
                    };
                    format!("CAST({value} AS BIGINT) AS {name}")
                });
                sources.push(format!(
                    "SELECT r.id, r.day, r.map_name, {} AS player, {} FROM played r JOIN {table} p ON p.round_id = r.id \
                     WHERE p.player_guid <> '' AND UPPER(SUBSTR(p.player_guid, 1, {})) <> '{BOT_GUID_PREFIX}' AND {}",
                    player("p.player_guid"),
                    columns.join(", "),
                    BOT_GUID_PREFIX.len(),
                    self.fill(table, has_played, "BIGINT"),
                ));
            }
        }
        // Players with the same 8 digits count as one.
        let values = VALUES.map(|(name, ..)| match name {
            "stats_rounds" => format!("MAX({name}) AS {name}"),
            _ => format!("SUM({name}) AS {name}"),
        });
        let sums = OF_ROUND.map(|value| format!("CAST(SUM({value}) AS BIGINT)"));
        format!(
            "INSERT INTO gametimes_player_days (day, player, map_name, {}) WITH played AS ({} AND {}), \
             source AS ({}), round AS (SELECT id, day, map_name, player, {} FROM source GROUP BY id, day, map_name, player) \
             SELECT day, player, map_name, {}, 0, 0, 0 FROM round GROUP BY day, player, map_name",
            SUMS.join(", "),
            self.rounds_of_days(days),
            self.counts(),
            sources.join(" UNION ALL "),
            values.join(", "),
            sums.join(", "),
        )
    }

    /// SQL that inserts the names of the players on so many days.
    pub(super) fn names_of_days(&self, days: usize) -> String {
        let mut sources = Vec::new();
        for (table, name) in [
            (OWN, "COALESCE({player_name}, '')"),
            (STATS, "COALESCE({clean_name}, {player_name}, '')"),
        ] {
            if self.has(table) {
                let name = self.fill(table, name, "TEXT");
                sources.push(format!(
                    "SELECT r.day, {} AS player, {name} AS name, r.play_order FROM played r JOIN {table} p \
                     ON p.round_id = r.id WHERE p.player_guid <> ''",
                    player("p.player_guid"),
                ));
            }
        }
        format!(
            "INSERT INTO gametimes_name_days (day, player, name, first_order, last_order) WITH played AS ({}), source AS ({}) \
             SELECT day, player, name, MIN(play_order), MAX(play_order) FROM source GROUP BY day, player, name",
            self.rounds_of_days(days),
            sources.join(" UNION ALL "),
        )
    }

    /// SQL for the rounds of so many days.
    fn rounds_of_days(&self, days: usize) -> String {
        format!(
            "SELECT r.id, SUBSTR(r.match_id, 1, 10) AS day, COALESCE(r.map_name, '') AS map_name, {} AS play_order FROM rounds r \
             WHERE SUBSTR(r.match_id, 1, 10) IN ({}) AND {PLAYED}",
            self.play_order(),
            placeholders(days),
        )
    }

    /// Replaces each `{column}` of a table `p`; by a NULL of this type if the table lacks it. PostgreSQL cannot compute with a NULL
    /// without a type.
    fn fill(&self, table: &str, expression: &str, kind: &str) -> String {
        let mut filled = String::new();
        let mut parts = expression.split(['{', '}']);
        while let Some(text) = parts.next() {
            filled.push_str(text);
            if let Some(column) = parts.next() {
                match self.has_column(table, column) {
                    true => filled.push_str(&format!("p.{column}")),
                    false => filled.push_str(&format!("CAST(NULL AS {kind})")),
                }
            }
        }
        filled
    }
}
