-- What this bot adds to the tables that others read too.

ALTER TABLE rounds ADD COLUMN IF NOT EXISTS round_canonical_id TEXT;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS is_bot_round INTEGER DEFAULT 0;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS bot_player_count INTEGER DEFAULT 0;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS human_player_count INTEGER DEFAULT 0;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS server_address TEXT;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS server_name TEXT;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS stats_file TEXT;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS stats_duration_seconds INTEGER;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS stats_playtime_ms INTEGER;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS stats_winner_team INTEGER;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS stats_defender_team INTEGER;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS duration_ms INTEGER;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS gametype INTEGER;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS recorder TEXT;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS recorder_version TEXT;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS engine_version TEXT;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS event_id TEXT;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS exit_text TEXT;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS gametimes_flags TEXT;

ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS team INTEGER;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS revive_count INTEGER;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS kill_count INTEGER;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS denied_seconds INTEGER;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS dead_ms INTEGER;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS max_dead_ms INTEGER;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS denied_ms INTEGER;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS alive_ms INTEGER;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS played_ms INTEGER;

ALTER TABLE player_comprehensive_stats ADD COLUMN IF NOT EXISTS gametimes_flags TEXT;

CREATE INDEX IF NOT EXISTS idx_rounds_end_unix ON rounds (round_end_unix);

-- Every fact that was received, once. All other rows can be made from these again.
CREATE TABLE IF NOT EXISTS gametimes_facts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    identity TEXT NOT NULL UNIQUE,
    server TEXT NOT NULL,
    at_unix INTEGER NOT NULL,
    stats_name TEXT NOT NULL,
    event_id TEXT NOT NULL,
    source TEXT NOT NULL,
    origin TEXT NOT NULL,
    body BLOB NOT NULL,
    timeline BLOB,
    received_unix INTEGER NOT NULL,
    group_id INTEGER
);

CREATE INDEX IF NOT EXISTS idx_gametimes_facts_at ON gametimes_facts (at_unix);
CREATE INDEX IF NOT EXISTS idx_gametimes_facts_stats ON gametimes_facts (stats_name);
CREATE INDEX IF NOT EXISTS idx_gametimes_facts_event ON gametimes_facts (event_id);
CREATE INDEX IF NOT EXISTS idx_gametimes_facts_group ON gametimes_facts (group_id);

-- Which rows were made from which facts.
CREATE TABLE IF NOT EXISTS gametimes_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    round_id INTEGER,
    match_id TEXT NOT NULL,
    round_number INTEGER NOT NULL,
    content TEXT NOT NULL,
    tie INTEGER NOT NULL,
    adopted INTEGER NOT NULL
);

CREATE INDEX IF NOT EXISTS idx_gametimes_groups_round ON gametimes_groups (round_id);

-- What was refused, and why.
CREATE TABLE IF NOT EXISTS gametimes_rejected (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    origin TEXT NOT NULL,
    reason TEXT NOT NULL,
    excerpt TEXT NOT NULL,
    times INTEGER NOT NULL,
    first_unix INTEGER NOT NULL,
    last_unix INTEGER NOT NULL,
    UNIQUE (source, origin, reason)
);

-- Which files were read, so that none is read twice.
CREATE TABLE IF NOT EXISTS gametimes_files (
    place TEXT NOT NULL,
    path TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    modified_unix INTEGER NOT NULL,
    read_unix INTEGER NOT NULL,
    PRIMARY KEY (place, path)
);

-- Small things to remember, such as the last message seen.
CREATE TABLE IF NOT EXISTS gametimes_state (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
