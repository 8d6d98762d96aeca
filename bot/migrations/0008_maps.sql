-- What was played on each day and map, in the rounds that count; and the fastest time of the day, in which round, by which team.
CREATE TABLE IF NOT EXISTS gametimes_map_days (
    day VARCHAR(16) NOT NULL,
    map_name TEXT NOT NULL,
    rounds BIGINT NOT NULL,
    matches BIGINT NOT NULL,
    times_set BIGINT NOT NULL,
    held BIGINT NOT NULL,
    fastest_ms BIGINT,
    fastest_round_id BIGINT,
    fastest_by TEXT,
    PRIMARY KEY (day, map_name)
);

CREATE INDEX IF NOT EXISTS idx_gametimes_map_days_fastest ON gametimes_map_days (map_name, fastest_ms);
