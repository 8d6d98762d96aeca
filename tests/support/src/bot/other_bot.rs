//! A PostgreSQL that the public bot of this field has used before, with rows as it writes them.

use gametimes_bot::db::IngestItem;

use super::postgres::Cluster;
use crate::samples::{native_files, sample_files};

/// The tables of the other bot, with the constraints and defaults that matter here.
pub const TABLES: &str = "
CREATE TABLE rounds (id serial PRIMARY KEY, match_id text, round_number integer, round_date text, round_time text,
    map_name text, time_limit text, actual_time text, defender_team integer DEFAULT 0, winner_team integer DEFAULT 0,
    is_tied boolean DEFAULT false, round_outcome text, gaming_session_id integer, created_at timestamp DEFAULT now(),
    round_status varchar(20) DEFAULT 'completed', round_start_unix bigint, round_end_unix bigint,
    actual_duration_seconds integer, total_pause_seconds integer DEFAULT 0, pause_count integer DEFAULT 0,
    end_reason varchar(20), is_bot_round boolean DEFAULT false, score_confidence varchar(32),
    round_canonical_id varchar(64), is_valid boolean NOT NULL DEFAULT true, UNIQUE (match_id, round_number));
CREATE UNIQUE INDEX uniq_rounds_canonical_id ON rounds (round_canonical_id) WHERE round_canonical_id IS NOT NULL;
CREATE TABLE player_comprehensive_stats (id serial PRIMARY KEY, round_id integer NOT NULL REFERENCES rounds (id),
    round_date text NOT NULL, map_name text NOT NULL, round_number integer NOT NULL, player_guid text NOT NULL,
    player_name text NOT NULL, clean_name text, kills integer DEFAULT 0, UNIQUE (round_id, player_guid));
CREATE TABLE lua_round_teams (id serial PRIMARY KEY, match_id varchar(64) NOT NULL, round_number integer NOT NULL,
    axis_players jsonb DEFAULT '[]', allies_players jsonb DEFAULT '[]', round_start_unix bigint, round_end_unix bigint,
    actual_duration_seconds integer, total_pause_seconds integer DEFAULT 0, pause_count integer DEFAULT 0,
    end_reason varchar(20), winner_team integer, defender_team integer, map_name varchar(64),
    time_limit_minutes integer, captured_at timestamptz DEFAULT now(), lua_version varchar(16),
    round_id integer UNIQUE, UNIQUE (match_id, round_number));
CREATE TABLE lua_spawn_stats (id serial PRIMARY KEY, match_id varchar(64) NOT NULL, round_number integer NOT NULL,
    round_id integer, map_name varchar(64), round_end_unix bigint, player_guid varchar(32), player_name varchar(64),
    spawn_count integer DEFAULT 0, death_count integer DEFAULT 0, dead_seconds integer DEFAULT 0,
    avg_respawn_seconds integer DEFAULT 0, max_respawn_seconds integer DEFAULT 0, captured_at timestamptz DEFAULT now(),
    UNIQUE (match_id, round_number, player_guid));
INSERT INTO rounds (id, match_id, round_number, round_date, round_time, map_name, winner_team)
    VALUES (1, '2020-01-01-120000', 1, '2020-01-01', '120000', 'supply', 2);
SELECT setval('rounds_id_seq', 40);
";

/// The other bot reads the stats files of a match: round 2 gets the match_id of round 1, and both together are round 0.
pub const STATS_FILES: &str = "
INSERT INTO rounds (id, match_id, round_number, round_date, round_time, map_name, actual_time, winner_team, defender_team,
    round_outcome, gaming_session_id) VALUES
    (51, '2026-11-20-123344', 1, '2026-11-20', '123344', 'room2', '0:55', 1, 0, 'Completed', 9),
    (52, '2026-11-20-123344', 2, '2026-11-20', '123531', 'room2', '0:39', 1, 0, 'Completed', 9),
    (50, '2026-11-20-123344', 0, '2026-11-20', '123531', 'room2', '0:39', 1, 0, 'Completed', 9);
INSERT INTO player_comprehensive_stats (round_id, round_date, map_name, round_number, player_guid, player_name, kills)
    VALUES (51, '2026-11-20', 'room2', 1, 'A0000008', 'Player08', 3), (52, '2026-11-20', 'room2', 2, 'A0000008', 'Player08', 4);
";

/// The other bot reads the messages of the match, whole seconds only, and does not link them.
pub const MESSAGES: &str = "
INSERT INTO lua_round_teams (match_id, round_number, round_start_unix, round_end_unix, actual_duration_seconds, map_name,
    end_reason, lua_version) VALUES
    ('2026-11-20-123341', 1, 1795177951, 1795178021, 1, 'room2', 'objective', '1.6.0'),
    ('2026-11-20-123528', 2, 1795178059, 1795178128, 1, 'room2', 'objective', '1.6.0')
    ON CONFLICT (match_id, round_number) DO UPDATE SET round_id = EXCLUDED.round_id;
INSERT INTO lua_spawn_stats (match_id, round_number, map_name, round_end_unix, player_guid, player_name, dead_seconds)
    SELECT '2026-11-20-123341', 1, 'room2', 1795178021, 'A0000008A3DA0A350BADF005C0FFEE08', 'Player08', 7
    ON CONFLICT (match_id, round_number, player_guid) DO UPDATE SET round_id = EXCLUDED.round_id;
";

/// A new database that the other bot has used before.
pub struct SharedDatabase {
    /// Its URL.
    pub url: String,
    name: String,
}

impl SharedDatabase {
    /// Creates the tables, with one round of long ago.
    pub fn create() -> Self {
        let url = Cluster::shared().database();
        let (_, name) = url.rsplit_once('/').unwrap();
        let name = name.split('?').next().unwrap().to_owned();
        let shared = Self { url, name };
        shared.sql(TABLES);
        shared
    }

    /// Runs statements with `psql`; returns the rows as text.
    pub fn sql(&self, sql: &str) -> String {
        Cluster::shared().psql(&self.name, sql).trim().to_owned()
    }
}

/// The gametimes files of the match, and of a round 1 that was cut off after it.
pub fn recorded() -> Vec<IngestItem> {
    let files = native_files("stopwatch").into_iter();
    files
        .map(|(name, bytes)| IngestItem::from_file("folder", &name, "", bytes))
        .collect()
}

/// The stats files of the same rounds.
pub fn stats_files() -> Vec<IngestItem> {
    let files = sample_files("gamestats").into_iter();
    files
        .filter(|(name, _)| name.contains("room2"))
        .map(|(name, bytes)| IngestItem::from_file("ssh", &name, "", bytes))
        .collect()
}
