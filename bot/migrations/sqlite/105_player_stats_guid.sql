-- One player's rounds of stats files, by the first 8 digits of the guid: the page of a player.

CREATE INDEX IF NOT EXISTS idx_player_stats_guid8
    ON player_comprehensive_stats (UPPER(SUBSTR(player_guid, 1, 8)), round_id);
