-- Which of our rounds has a match_id.
CREATE INDEX IF NOT EXISTS idx_gametimes_groups_match ON gametimes_groups (match_id);
