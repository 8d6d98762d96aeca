//! The tables that other programs read too, described once. The SQL that creates and completes them on either database is
//! derived from this description.
//!
//! Another bot may have created these tables before, with columns of its own and without some of these. So each table has two
//! lists of columns: those it is created with, and those that are also added to a table that exists already.
//!
//! Never rename or retype a column: websites and other bots read these tables. The tables that only this bot uses
//! (`gametimes_*`) are created by [`super::migrations`].

use std::collections::{BTreeMap, BTreeSet};

use self::Kind::{BigInt, Bool, Id, Int, Json, Real, Text, Timestamp, TimestampTz, Varchar};

/// The columns of a database's tables, by table; empty for a missing table.
pub type TableColumns = BTreeMap<String, BTreeSet<String>>;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that the database assigns, the primary key.
    Id,
    /// 32 bits.
    Int,
    /// 64 bits.
    BigInt,
    /// A single-precision number.
    Real,
    /// True or false; 1 or 0 in SQLite.
    Bool,
    /// A text of any length.
    Text,
    /// A text of at most so many characters; SQLite does not enforce the limit.
    Varchar(u16),
    /// JSON; text in SQLite.
    Json,
    /// A time without a zone; text in SQLite.
    Timestamp,
    /// A time with a zone; text in SQLite.
    TimestampTz,
}

/// A column of a [`Table`].
#[derive(Debug, Clone)]
pub struct Column {
    /// The name, as other programs know it.
    pub name: &'static str,
    /// The type.
    pub kind: Kind,
    constraint: &'static str,
    default: &'static str,
}

impl Column {
    /// A column that may be NULL and has no default.
    pub fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            constraint: "",
            default: "",
        }
    }

    fn constraint(self, constraint: &'static str) -> Self {
        Self { constraint, ..self }
    }

    fn default(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    /// The column's definition in SQL.
    fn definition(&self, is_postgres: bool) -> String {
        let mut sql = format!("{} {}", self.name, self.kind.sql(is_postgres));
        if !self.constraint.is_empty() {
            sql.push_str(&format!(" {}", self.constraint));
        }
        match self.default {
            "" => {}
            "FALSE" if !is_postgres => sql.push_str(" DEFAULT 0"),
            "TRUE" if !is_postgres => sql.push_str(" DEFAULT 1"),
            default => sql.push_str(&format!(" DEFAULT {default}")),
        }
        sql
    }
}

impl Kind {
    fn sql(self, is_postgres: bool) -> String {
        let (postgres, sqlite) = match self {
            Id => ("SERIAL PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT"),
            Int => ("INTEGER", "INTEGER"),
            BigInt => ("BIGINT", "INTEGER"),
            Real => ("REAL", "REAL"),
            Bool => ("BOOLEAN", "INTEGER"),
            Text => ("TEXT", "TEXT"),
            Varchar(length) if is_postgres => return format!("VARCHAR({length})"),
            Varchar(_) => ("", "TEXT"),
            Json => ("JSONB", "TEXT"),
            Timestamp => ("TIMESTAMP", "TEXT"),
            TimestampTz => ("TIMESTAMP WITH TIME ZONE", "TEXT"),
        };
        if is_postgres { postgres } else { sqlite }.to_owned()
    }
}

/// A table that other programs read too.
#[derive(Debug, Clone)]
pub struct Table {
    /// The name.
    pub name: &'static str,
    /// The columns that the table is created with.
    pub created_with: Vec<Column>,
    /// The columns that are also added to a table that exists already. A new column belongs here.
    pub added: Vec<Column>,
    /// The columns of the unique key.
    pub unique: &'static str,
    /// Name and columns of each index.
    pub indexes: Vec<(&'static str, &'static str)>,
    /// Indexes of earlier versions that are of no use any more.
    pub obsolete_indexes: Vec<&'static str>,
}

/// A statement that brings a table closer to its description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What is missing, such as `column rounds.duration_ms`.
    pub what: String,
    /// The statement.
    pub sql: String,
}

impl Table {
    /// All columns, in the order in which a new table has them.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.created_with.iter().chain(&self.added)
    }

    /// The changes that the table needs if it has the columns `there`, and if those of `indexes` exist.
    pub fn changes(
        &self,
        there: &BTreeSet<String>,
        indexes: &BTreeSet<String>,
        is_postgres: bool,
    ) -> Vec<Change> {
        let name = self.name;
        let mut changes = Vec::new();
        if there.is_empty() {
            let columns = self.columns().map(|column| column.definition(is_postgres));
            let lines: Vec<String> = columns
                .chain([format!("UNIQUE ({})", self.unique)])
                .collect();
            changes.push(Change {
                what: format!("table {name}"),
                sql: format!("CREATE TABLE {name} (\n    {}\n)", lines.join(",\n    ")),
            });
        } else {
            let missing = self.added.iter().filter(|c| !there.contains(c.name));
            changes.extend(missing.map(|column| Change {
                what: format!("column {name}.{}", column.name),
                sql: format!(
                    "ALTER TABLE {name} ADD COLUMN {}",
                    column.definition(is_postgres)
                ),
            }));
        }
        let obsolete = self
            .obsolete_indexes
            .iter()
            .filter(|i| indexes.contains(**i));
        changes.extend(obsolete.map(|index| Change {
            what: format!("removal of index {index}"),
            sql: format!("DROP INDEX {index}"),
        }));
        let missing = self.indexes.iter().filter(|(i, _)| !indexes.contains(*i));
        changes.extend(missing.map(|(index, columns)| Change {
            what: format!("index {index}"),
            sql: format!("CREATE INDEX {index} ON {name} ({columns})"),
        }));
        changes
    }

    /// The names of all indexes that [`Table::changes`] asks for.
    pub fn index_names(&self) -> impl Iterator<Item = &'static str> {
        let names = self.indexes.iter().map(|(name, _)| *name);
        names.chain(self.obsolete_indexes.iter().copied())
    }
}

fn id() -> Column {
    Column::new("id", Id)
}

fn column(name: &'static str, kind: Kind) -> Column {
    Column::new(name, kind)
}

fn required(name: &'static str, kind: Kind) -> Column {
    Column::new(name, kind).constraint("NOT NULL")
}

/// An integer that is 0 unless something else is written.
fn count(name: &'static str) -> Column {
    Column::new(name, Int).default("0")
}

/// A decimal number that is 0 unless something else is written.
fn decimal(name: &'static str) -> Column {
    Column::new(name, Real).default("0")
}

fn list(name: &'static str) -> Column {
    Column::new(name, Json).default("'[]'")
}

/// When the database stored the row.
fn stored_at(name: &'static str, kind: Kind) -> Column {
    Column::new(name, kind).default("CURRENT_TIMESTAMP")
}

/// The names of the shared tables.
pub const SHARED: [&str; 4] = [
    "rounds",
    "player_comprehensive_stats",
    "lua_round_teams",
    "lua_spawn_stats",
];

/// The table with the numbers of each weapon.
pub const WEAPONS: &str = "weapon_comprehensive_stats";
/// The table with the names that each player has had.
pub const ALIASES: &str = "player_aliases";
/// Tables that only a website creates. Where they exist, the bot fills them in own mode.
pub const WEBSITE: [&str; 2] = [WEAPONS, ALIASES];

/// The shared tables, in the order in which they must be created.
pub fn shared_tables() -> Vec<Table> {
    vec![
        rounds(),
        player_comprehensive_stats(),
        lua_round_teams(),
        lua_spawn_stats(),
    ]
}

/// One row for each row of our `lua_round_teams`: the rows of another bot that are of the same round. Only in companion mode.
pub(super) fn ties() -> Table {
    Table {
        name: "gametimes_ties",
        created_with: vec![
            required("teams_id", Int),
            column("canonical_id", Varchar(64)),
            column("stats_name", Varchar(256)),
            column("stats_number", Int),
            column("match_id", Varchar(64)),
            column("content", Varchar(64)),
            column("shared_round_id", BigInt),
            column("shared_teams_id", BigInt),
            column("is_made", Bool).default("FALSE"),
        ],
        added: vec![],
        unique: "teams_id",
        indexes: vec![("idx_gametimes_ties_round", "shared_round_id")],
        obsolete_indexes: vec![],
    }
}

/// One row for each round.
fn rounds() -> Table {
    Table {
        name: "rounds",
        created_with: vec![
            id(),
            column("match_id", Text),
            column("round_number", Int),
            column("round_date", Text),
            column("round_time", Text),
            column("map_name", Text),
            column("time_limit", Text),
            column("actual_time", Text),
            count("defender_team"),
            count("winner_team"),
            column("is_tied", Bool).default("FALSE"),
            column("round_outcome", Text),
            column("gaming_session_id", Int),
            stored_at("created_at", Timestamp),
            column("round_status", Varchar(20)).default("'completed'"),
        ],
        added: vec![
            column("round_start_unix", BigInt),
            column("round_end_unix", BigInt),
            column("actual_duration_seconds", Int),
            count("total_pause_seconds"),
            count("pause_count"),
            column("end_reason", Varchar(20)),
            column("round_canonical_id", Varchar(64)),
            column("is_bot_round", Bool).default("FALSE"),
            count("bot_player_count"),
            count("human_player_count"),
            column("server_address", Varchar(128)),
            column("server_name", Varchar(256)),
            column("stats_file", Varchar(256)),
            column("stats_duration_seconds", Int),
            column("stats_playtime_ms", BigInt),
            column("stats_winner_team", Int),
            column("stats_defender_team", Int),
            column("duration_ms", BigInt),
            column("gametype", Int),
            column("recorder", Varchar(16)),
            column("recorder_version", Varchar(32)),
            column("engine_version", Varchar(64)),
            column("event_id", Varchar(64)),
            column("exit_text", Varchar(256)),
            column("gametimes_flags", Text),
            column("gametimes_order", Varchar(64)),
            column("score_confidence", Varchar(32)),
            column("round_stopwatch_state", Varchar(16)),
            column("time_to_beat_seconds", Int),
            column("next_timelimit_minutes", Int),
            column("is_valid", Bool).default("TRUE"),
        ],
        unique: "match_id, round_number",
        indexes: vec![
            ("idx_rounds_end_unix", "round_end_unix"),
            // The list of rounds, latest first; see `Db::play_order`.
            (
                "idx_rounds_play_order",
                "COALESCE(gametimes_order, match_id, ''), id",
            ),
            // The rounds of a day, of which the sums of players are computed.
            ("idx_rounds_day", "SUBSTR(match_id, 1, 10)"),
            // PostgreSQL also learns from it how many rounds a part of a name finds.
            ("idx_rounds_map", "LOWER(map_name)"),
        ],
        // It sorted by local time.
        obsolete_indexes: vec!["idx_rounds_latest"],
    }
}

/// One row for each player of a stats file.
fn player_comprehensive_stats() -> Table {
    Table {
        name: "player_comprehensive_stats",
        created_with: vec![
            id(),
            column("round_id", Int).constraint("NOT NULL REFERENCES rounds (id)"),
            required("round_date", Text),
            required("map_name", Text),
            required("round_number", Int),
            required("player_guid", Text),
            required("player_name", Text),
            column("clean_name", Text),
            count("team"),
            count("kills"),
            count("deaths"),
            count("damage_given"),
            count("damage_received"),
            count("team_damage_given"),
            count("team_damage_received"),
            count("gibs"),
            count("self_kills"),
            count("team_kills"),
            count("team_gibs"),
            count("headshot_kills"),
            count("headshots"),
            count("time_played_seconds"),
            decimal("time_played_minutes"),
            decimal("time_dead_minutes"),
            decimal("time_dead_ratio"),
            decimal("xp"),
            decimal("kd_ratio"),
            decimal("dpm"),
            decimal("efficiency"),
            count("bullets_fired"),
            decimal("accuracy"),
            count("kill_assists"),
            count("objectives_completed"),
            count("objectives_destroyed"),
            count("objectives_stolen"),
            count("objectives_returned"),
            count("dynamites_planted"),
            count("dynamites_defused"),
            count("times_revived"),
            count("revives_given"),
            count("most_useful_kills"),
            count("useless_kills"),
            count("kill_steals"),
            count("denied_playtime"),
            count("constructions"),
            count("tank_meatshield"),
            count("double_kills"),
            count("triple_kills"),
            count("quad_kills"),
            count("multi_kills"),
            count("mega_kills"),
            count("killing_spree_best"),
            count("death_spree_worst"),
            count("full_selfkills"),
            decimal("time_played_percent"),
            stored_at("created_at", Timestamp),
        ],
        added: vec![column("gametimes_flags", Text)],
        unique: "round_id, player_guid",
        indexes: vec![
            // A player's page finds the player's rounds by the first 8 digits of the guid; the audit looks up about a thousand
            // players by round.
            (
                "idx_player_stats_guid8",
                "UPPER(SUBSTR(player_guid, 1, 8)), round_id",
            ),
        ],
        obsolete_indexes: vec![],
    }
}

/// One row for each round, with what only a recorder knows about it.
fn lua_round_teams() -> Table {
    Table {
        name: "lua_round_teams",
        created_with: vec![
            id(),
            required("match_id", Varchar(64)),
            required("round_number", Int),
            list("axis_players"),
            list("allies_players"),
            column("actual_duration_seconds", Int),
            column("winner_team", Int),
            column("end_reason", Varchar(20)),
            stored_at("captured_at", TimestampTz),
        ],
        added: vec![
            column("round_start_unix", BigInt),
            column("round_end_unix", BigInt),
            count("total_pause_seconds"),
            count("pause_count"),
            column("defender_team", Int),
            column("map_name", Varchar(64)),
            column("time_limit_minutes", Int),
            column("lua_version", Varchar(16)),
            count("lua_warmup_seconds"),
            column("lua_warmup_start_unix", BigInt).default("0"),
            list("lua_pause_events"),
            count("surrender_team"),
            column("surrender_caller_guid", Varchar(32)),
            column("surrender_caller_name", Varchar(64)),
            count("axis_score"),
            count("allies_score"),
            column("round_id", Int),
            // What the gametimes file reports about the match: `rounds::matches::ReportedMatch`.
            column("gametimes_match", Json),
        ],
        unique: "match_id, round_number",
        indexes: vec![
            ("idx_lua_round_teams_round_id", "round_id"),
            // The numbers of the page about delivery.
            (
                "idx_lua_round_teams_number",
                "round_number, round_id, captured_at",
            ),
            ("idx_lua_round_teams_captured", "captured_at, round_id"),
        ],
        obsolete_indexes: vec![],
    }
}

/// One row for each player that a recorder reported.
fn lua_spawn_stats() -> Table {
    Table {
        name: "lua_spawn_stats",
        created_with: vec![
            id(),
            required("match_id", Varchar(64)),
            required("round_number", Int),
            column("round_id", Int),
            column("map_name", Varchar(64)),
            column("round_end_unix", BigInt),
            column("player_guid", Varchar(32)),
            column("player_name", Varchar(64)),
            count("spawn_count"),
            count("death_count"),
            count("dead_seconds"),
            count("avg_respawn_seconds"),
            count("max_respawn_seconds"),
            stored_at("captured_at", TimestampTz),
        ],
        added: vec![
            column("team", Int),
            column("revive_count", Int),
            column("kill_count", Int),
            column("denied_seconds", BigInt),
            column("dead_ms", BigInt),
            column("max_dead_ms", BigInt),
            column("denied_ms", BigInt),
            column("alive_ms", BigInt),
            column("played_ms", BigInt),
            column("wave_wait_ms", BigInt),
        ],
        unique: "match_id, round_number, player_guid",
        indexes: vec![
            ("idx_lua_spawn_stats_match_id", "match_id"),
            ("idx_lua_spawn_stats_round_id", "round_id"),
            ("idx_lua_spawn_stats_round_end", "round_end_unix"),
            // A player's page lists the player's rounds by the first 8 digits of the guid, latest first; rounds without an end
            // come last.
            (
                "idx_lua_spawn_stats_player",
                "UPPER(SUBSTR(player_guid, 1, 8)), COALESCE(round_end_unix, 0), id",
            ),
        ],
        // It left out the COALESCE.
        obsolete_indexes: vec!["idx_lua_spawn_stats_guid8"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_table_needs_no_changes() {
        for table in shared_tables() {
            let columns = table.columns().map(|c| c.name.to_owned()).collect();
            let indexes = table.indexes.iter().map(|(i, _)| (*i).to_owned()).collect();
            assert_eq!(table.changes(&columns, &indexes, true), []);
        }
    }

    #[test]
    fn old_table_gets_the_added_columns_and_indexes_only() {
        let there = BTreeSet::from(["id".to_owned(), "team".to_owned()]);
        let old_index = BTreeSet::from(["idx_lua_spawn_stats_guid8".to_owned()]);
        let changes = lua_spawn_stats().changes(&there, &old_index, true);
        let what: Vec<&str> = changes.iter().map(|c| c.what.as_str()).collect();
        assert_eq!(what[0], "column lua_spawn_stats.revive_count");
        assert_eq!(
            changes[0].sql,
            "ALTER TABLE lua_spawn_stats ADD COLUMN revive_count INTEGER"
        );
        assert_eq!(what[9], "removal of index idx_lua_spawn_stats_guid8");
        assert_eq!(what.len(), 9 + 1 + 4);
    }
}
