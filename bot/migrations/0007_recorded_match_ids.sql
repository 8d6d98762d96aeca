-- The match_id of a round's rows in lua_round_teams and lua_spawn_stats. The match_id in rounds is that of round 1.
ALTER TABLE gametimes_groups ADD COLUMN {if_missing} recorded_match_id VARCHAR(64);

UPDATE gametimes_groups SET recorded_match_id = match_id WHERE recorded_match_id IS NULL;

CREATE INDEX IF NOT EXISTS idx_gametimes_groups_recorded ON gametimes_groups (recorded_match_id);
