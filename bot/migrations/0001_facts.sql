-- Everything that was received, each item once. All other rows are computed from these.
CREATE TABLE IF NOT EXISTS gametimes_facts (
    id {id},
    kind VARCHAR(8) NOT NULL,
    identity VARCHAR(64) NOT NULL UNIQUE,
    server VARCHAR(128) NOT NULL,
    at_unix BIGINT NOT NULL,
    stats_name VARCHAR(256) NOT NULL,
    event_id VARCHAR(64) NOT NULL,
    source VARCHAR(32) NOT NULL,
    origin VARCHAR(256) NOT NULL,
    body {bytes} NOT NULL,
    timeline {bytes},
    received_unix BIGINT NOT NULL,
    group_id BIGINT
);

CREATE INDEX IF NOT EXISTS idx_gametimes_facts_at ON gametimes_facts (at_unix);
CREATE INDEX IF NOT EXISTS idx_gametimes_facts_stats ON gametimes_facts (stats_name);
CREATE INDEX IF NOT EXISTS idx_gametimes_facts_event ON gametimes_facts (event_id);
CREATE INDEX IF NOT EXISTS idx_gametimes_facts_group ON gametimes_facts (group_id);

-- Which rows were computed from which facts: gametimes_facts.group_id refers to this table.
CREATE TABLE IF NOT EXISTS gametimes_groups (
    id {id},
    round_id BIGINT,
    match_id VARCHAR(64) NOT NULL,
    round_number INTEGER NOT NULL,
    content VARCHAR(64) NOT NULL,
    tie BOOLEAN NOT NULL,
    adopted BOOLEAN NOT NULL
);

CREATE INDEX IF NOT EXISTS idx_gametimes_groups_round ON gametimes_groups (round_id);

-- What was rejected, and why.
CREATE TABLE IF NOT EXISTS gametimes_rejected (
    id {id},
    source VARCHAR(32) NOT NULL,
    origin VARCHAR(256) NOT NULL,
    reason VARCHAR(1024) NOT NULL,
    excerpt TEXT NOT NULL,
    times INTEGER NOT NULL,
    first_unix BIGINT NOT NULL,
    last_unix BIGINT NOT NULL,
    UNIQUE (source, origin, reason)
);

-- Which files were read, so that no file is read twice.
CREATE TABLE IF NOT EXISTS gametimes_files (
    place VARCHAR(256) NOT NULL,
    path VARCHAR(512) NOT NULL,
    size_bytes BIGINT NOT NULL,
    modified_unix BIGINT NOT NULL,
    read_unix BIGINT NOT NULL,
    PRIMARY KEY (place, path)
);

-- Single values, such as the id of the last message read.
CREATE TABLE IF NOT EXISTS gametimes_state (
    name VARCHAR(128) PRIMARY KEY,
    value TEXT NOT NULL
);
