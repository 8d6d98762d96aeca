-- What the recorder says of a round.

CREATE TABLE IF NOT EXISTS lua_round_teams (
    id SERIAL PRIMARY KEY,
    match_id VARCHAR(64) NOT NULL,
    round_number INTEGER NOT NULL,
    axis_players JSONB DEFAULT '[]',
    allies_players JSONB DEFAULT '[]',
    actual_duration_seconds INTEGER,
    winner_team INTEGER,
    end_reason VARCHAR(20),
    captured_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (match_id, round_number)
);

ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS round_start_unix BIGINT;
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS round_end_unix BIGINT;
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS total_pause_seconds INTEGER DEFAULT 0;
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS pause_count INTEGER DEFAULT 0;
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS defender_team INTEGER;
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS map_name VARCHAR(64);
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS time_limit_minutes INTEGER;
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS lua_version VARCHAR(16);
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS lua_warmup_seconds INTEGER DEFAULT 0;
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS lua_warmup_start_unix BIGINT DEFAULT 0;
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS lua_pause_events JSONB DEFAULT '[]';
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS surrender_team INTEGER DEFAULT 0;
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS surrender_caller_guid VARCHAR(32);
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS surrender_caller_name VARCHAR(64);
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS axis_score INTEGER DEFAULT 0;
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS allies_score INTEGER DEFAULT 0;
ALTER TABLE lua_round_teams ADD COLUMN IF NOT EXISTS round_id INTEGER;

CREATE INDEX IF NOT EXISTS idx_lua_round_teams_round_id ON lua_round_teams (round_id);
