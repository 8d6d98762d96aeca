-- One player of one round, by the first 8 digits of the guid: the audit looks up a thousand of them.

CREATE INDEX IF NOT EXISTS idx_player_stats_round_guid8
    ON player_comprehensive_stats (round_id, UPPER(SUBSTR(player_guid, 1, 8)));

-- Which of our rounds has a match_id.
CREATE INDEX IF NOT EXISTS idx_gametimes_groups_match ON gametimes_groups (match_id);
