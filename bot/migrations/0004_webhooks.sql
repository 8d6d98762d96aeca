-- The Discord webhook that each server's reports come through: the first one that reported it, or the one that an admin assigned.
CREATE TABLE IF NOT EXISTS gametimes_servers (
    server VARCHAR(128) PRIMARY KEY,
    webhook_id BIGINT NOT NULL,
    since_unix BIGINT NOT NULL
);

-- The webhook that each fact came through, and the server that it names, if its address is unique. A fact in conflict names a
-- server or a round of another webhook, owner_id; no rows are computed from it. Facts that the bot read itself are not here.
CREATE TABLE IF NOT EXISTS gametimes_reporters (
    identity VARCHAR(64) PRIMARY KEY,
    webhook_id BIGINT NOT NULL,
    server VARCHAR(128) NOT NULL,
    in_conflict BOOLEAN NOT NULL,
    owner_id BIGINT
);

CREATE INDEX IF NOT EXISTS idx_gametimes_reporters_server ON gametimes_reporters (server);
