-- What this bot adds to the tables that others read too.

ALTER TABLE rounds ADD COLUMN IF NOT EXISTS round_canonical_id VARCHAR(64);
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS is_bot_round BOOLEAN DEFAULT FALSE;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS bot_player_count INTEGER DEFAULT 0;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS human_player_count INTEGER DEFAULT 0;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS server_address VARCHAR(128);
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS server_name VARCHAR(256);
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS stats_file VARCHAR(256);
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS stats_duration_seconds INTEGER;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS stats_playtime_ms BIGINT;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS stats_winner_team INTEGER;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS stats_defender_team INTEGER;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS duration_ms BIGINT;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS gametype INTEGER;
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS recorder VARCHAR(16);
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS recorder_version VARCHAR(32);
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS engine_version VARCHAR(64);
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS event_id VARCHAR(64);
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS exit_text VARCHAR(256);
ALTER TABLE rounds ADD COLUMN IF NOT EXISTS gametimes_flags TEXT;

ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS team INTEGER;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS revive_count INTEGER;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS kill_count INTEGER;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS denied_seconds BIGINT;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS dead_ms BIGINT;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS max_dead_ms BIGINT;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS denied_ms BIGINT;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS alive_ms BIGINT;
ALTER TABLE lua_spawn_stats ADD COLUMN IF NOT EXISTS played_ms BIGINT;

ALTER TABLE player_comprehensive_stats ADD COLUMN IF NOT EXISTS gametimes_flags TEXT;

CREATE INDEX IF NOT EXISTS idx_rounds_end_unix ON rounds (round_end_unix);

-- Every fact that was received, once. All other rows can be made from these again.
CREATE TABLE IF NOT EXISTS gametimes_facts (
    id BIGSERIAL PRIMARY KEY,
    kind VARCHAR(8) NOT NULL,
    identity VARCHAR(64) NOT NULL UNIQUE,
    server VARCHAR(128) NOT NULL,
    at_unix BIGINT NOT NULL,
    stats_name VARCHAR(256) NOT NULL,
    event_id VARCHAR(64) NOT NULL,
    source VARCHAR(32) NOT NULL,
    origin VARCHAR(256) NOT NULL,
    body BYTEA NOT NULL,
    timeline BYTEA,
    received_unix BIGINT NOT NULL,
    group_id BIGINT
);

CREATE INDEX IF NOT EXISTS idx_gametimes_facts_at ON gametimes_facts (at_unix);
CREATE INDEX IF NOT EXISTS idx_gametimes_facts_stats ON gametimes_facts (stats_name);
CREATE INDEX IF NOT EXISTS idx_gametimes_facts_event ON gametimes_facts (event_id);
CREATE INDEX IF NOT EXISTS idx_gametimes_facts_group ON gametimes_facts (group_id);

-- Which rows were made from which facts.
CREATE TABLE IF NOT EXISTS gametimes_groups (
    id BIGSERIAL PRIMARY KEY,
    round_id BIGINT,
    match_id VARCHAR(64) NOT NULL,
    round_number INTEGER NOT NULL,
    content VARCHAR(64) NOT NULL,
    tie BOOLEAN NOT NULL,
    adopted BOOLEAN NOT NULL
);

CREATE INDEX IF NOT EXISTS idx_gametimes_groups_round ON gametimes_groups (round_id);

-- What was refused, and why.
CREATE TABLE IF NOT EXISTS gametimes_rejected (
    id BIGSERIAL PRIMARY KEY,
    source VARCHAR(32) NOT NULL,
    origin VARCHAR(256) NOT NULL,
    reason VARCHAR(1024) NOT NULL,
    excerpt TEXT NOT NULL,
    times INTEGER NOT NULL,
    first_unix BIGINT NOT NULL,
    last_unix BIGINT NOT NULL,
    UNIQUE (source, origin, reason)
);

-- Which files were read, so that none is read twice.
CREATE TABLE IF NOT EXISTS gametimes_files (
    place VARCHAR(256) NOT NULL,
    path VARCHAR(512) NOT NULL,
    size_bytes BIGINT NOT NULL,
    modified_unix BIGINT NOT NULL,
    read_unix BIGINT NOT NULL,
    PRIMARY KEY (place, path)
);

-- Small things to remember, such as the last message seen.
CREATE TABLE IF NOT EXISTS gametimes_state (
    name VARCHAR(128) PRIMARY KEY,
    value TEXT NOT NULL
);
