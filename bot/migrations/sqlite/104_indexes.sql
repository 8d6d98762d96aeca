-- One player's rounds of stats files, by the first 8 digits of the guid: the page of a player. And one player of one round: the
-- audit looks up a thousand of them.
CREATE INDEX IF NOT EXISTS idx_player_stats_guid8
    ON player_comprehensive_stats (UPPER(SUBSTR(player_guid, 1, 8)), round_id);

-- Which of our rounds has a match_id.
CREATE INDEX IF NOT EXISTS idx_gametimes_groups_match ON gametimes_groups (match_id);

-- Rounds, latest first: without a match_id they come last.
CREATE INDEX IF NOT EXISTS idx_rounds_latest ON rounds (COALESCE(match_id, ''), id);

-- One player's rounds, latest first: without an end they come last.
DROP INDEX IF EXISTS idx_lua_spawn_stats_guid8;
CREATE INDEX IF NOT EXISTS idx_lua_spawn_stats_player
    ON lua_spawn_stats (UPPER(SUBSTR(player_guid, 1, 8)), COALESCE(round_end_unix, 0), id);
