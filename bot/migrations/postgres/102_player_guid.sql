-- One player's rounds, latest first, by the first 8 digits of the guid: the page of a player.

CREATE INDEX IF NOT EXISTS idx_lua_spawn_stats_guid8
    ON lua_spawn_stats (UPPER(SUBSTR(player_guid, 1, 8)), round_end_unix, id);
