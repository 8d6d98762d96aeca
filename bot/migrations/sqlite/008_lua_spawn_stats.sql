-- What the recorder says of each player.

CREATE TABLE IF NOT EXISTS lua_spawn_stats (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    match_id TEXT NOT NULL,
    round_number INTEGER NOT NULL,
    round_id INTEGER,
    map_name TEXT,
    round_end_unix INTEGER,
    player_guid TEXT,
    player_name TEXT,
    spawn_count INTEGER DEFAULT 0,
    death_count INTEGER DEFAULT 0,
    dead_seconds INTEGER DEFAULT 0,
    avg_respawn_seconds INTEGER DEFAULT 0,
    max_respawn_seconds INTEGER DEFAULT 0,
    captured_at TEXT DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (match_id, round_number, player_guid)
);

CREATE INDEX IF NOT EXISTS idx_lua_spawn_stats_match_id ON lua_spawn_stats (match_id);
CREATE INDEX IF NOT EXISTS idx_lua_spawn_stats_round_id ON lua_spawn_stats (round_id);
CREATE INDEX IF NOT EXISTS idx_lua_spawn_stats_round_end ON lua_spawn_stats (round_end_unix);
