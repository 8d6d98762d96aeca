-- What the recorder says of each player.

CREATE TABLE IF NOT EXISTS lua_spawn_stats (
    id SERIAL PRIMARY KEY,
    match_id VARCHAR(64) NOT NULL,
    round_number INTEGER NOT NULL,
    round_id INTEGER,
    map_name VARCHAR(64),
    round_end_unix BIGINT,
    player_guid VARCHAR(32),
    player_name VARCHAR(64),
    spawn_count INTEGER DEFAULT 0,
    death_count INTEGER DEFAULT 0,
    dead_seconds INTEGER DEFAULT 0,
    avg_respawn_seconds INTEGER DEFAULT 0,
    max_respawn_seconds INTEGER DEFAULT 0,
    captured_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (match_id, round_number, player_guid)
);

CREATE INDEX IF NOT EXISTS idx_lua_spawn_stats_match_id ON lua_spawn_stats (match_id);
CREATE INDEX IF NOT EXISTS idx_lua_spawn_stats_round_id ON lua_spawn_stats (round_id);
CREATE INDEX IF NOT EXISTS idx_lua_spawn_stats_round_end ON lua_spawn_stats (round_end_unix);
