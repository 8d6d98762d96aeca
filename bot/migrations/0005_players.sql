-- The days (of match_id, so in the servers' local time) on which rows changed since the tables below were computed.
CREATE TABLE IF NOT EXISTS gametimes_stale_days (
    day VARCHAR(16) PRIMARY KEY
);

-- What each player did on each map and day. The rounds are those that count: valid, complete, without bots.
CREATE TABLE IF NOT EXISTS gametimes_player_days (
    day VARCHAR(16) NOT NULL,
    player TEXT NOT NULL,
    map_name TEXT NOT NULL,
    rounds BIGINT NOT NULL,
    stats_rounds BIGINT NOT NULL,
    kills BIGINT NOT NULL,
    deaths BIGINT NOT NULL,
    damage_given BIGINT NOT NULL,
    stats_seconds BIGINT NOT NULL,
    shots BIGINT NOT NULL,
    hits BIGINT NOT NULL,
    headshots BIGINT NOT NULL,
    revives BIGINT NOT NULL,
    played_ms BIGINT NOT NULL,
    dead_ms BIGINT NOT NULL,
    dead_of_ms BIGINT NOT NULL,
    denied_ms BIGINT NOT NULL,
    denied_in_ms BIGINT NOT NULL,
    wave_wait_ms BIGINT NOT NULL,
    wave_wait_deaths BIGINT NOT NULL,
    maps_played BIGINT NOT NULL,
    maps_won BIGINT NOT NULL,
    maps_drawn BIGINT NOT NULL,
    PRIMARY KEY (day, player, map_name)
);

CREATE INDEX IF NOT EXISTS idx_gametimes_player_days_player ON gametimes_player_days (player, day);

-- The sums of gametimes_player_days over all days; day_rows is how many of its rows are in them.
CREATE TABLE IF NOT EXISTS gametimes_player_totals (
    player TEXT NOT NULL,
    map_name TEXT NOT NULL,
    day_rows BIGINT NOT NULL,
    rounds BIGINT NOT NULL,
    stats_rounds BIGINT NOT NULL,
    kills BIGINT NOT NULL,
    deaths BIGINT NOT NULL,
    damage_given BIGINT NOT NULL,
    stats_seconds BIGINT NOT NULL,
    shots BIGINT NOT NULL,
    hits BIGINT NOT NULL,
    headshots BIGINT NOT NULL,
    revives BIGINT NOT NULL,
    played_ms BIGINT NOT NULL,
    dead_ms BIGINT NOT NULL,
    dead_of_ms BIGINT NOT NULL,
    denied_ms BIGINT NOT NULL,
    denied_in_ms BIGINT NOT NULL,
    wave_wait_ms BIGINT NOT NULL,
    wave_wait_deaths BIGINT NOT NULL,
    maps_played BIGINT NOT NULL,
    maps_won BIGINT NOT NULL,
    maps_drawn BIGINT NOT NULL,
    PRIMARY KEY (player, map_name)
);

-- The names of each player on each day, in all rounds, and the first and the last round of each in the order of play.
CREATE TABLE IF NOT EXISTS gametimes_name_days (
    day VARCHAR(16) NOT NULL,
    player TEXT NOT NULL,
    name TEXT NOT NULL,
    first_order TEXT NOT NULL,
    last_order TEXT NOT NULL,
    PRIMARY KEY (day, player, name)
);

CREATE INDEX IF NOT EXISTS idx_gametimes_name_days_player ON gametimes_name_days (player, name, first_order, last_order);

-- The same over all days.
CREATE TABLE IF NOT EXISTS gametimes_player_names (
    player TEXT NOT NULL,
    name TEXT NOT NULL,
    first_order TEXT NOT NULL,
    last_order TEXT NOT NULL,
    PRIMARY KEY (player, name)
);
