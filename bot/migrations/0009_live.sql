-- What the servers do now, one row a server, for processes that share the database. taken_unix_ms is on the clock of the database.
CREATE TABLE IF NOT EXISTS gametimes_live (
    server VARCHAR(80) PRIMARY KEY,
    seq BIGINT NOT NULL,
    unix_ms BIGINT NOT NULL,
    taken_unix_ms BIGINT NOT NULL,
    body {bytes} NOT NULL
);

-- The messages in the live channel, one for each round. A row without message_id is claimed: a bot is about to post it.
CREATE TABLE IF NOT EXISTS gametimes_live_messages (
    id {id},
    channel_id BIGINT NOT NULL,
    server VARCHAR(80) NOT NULL,
    round VARCHAR(200) NOT NULL,
    map VARCHAR(64) NOT NULL,
    round_number BIGINT NOT NULL,
    begun_unix BIGINT NOT NULL,
    seen_unix BIGINT NOT NULL,
    state VARCHAR(16) NOT NULL,
    message_id BIGINT,
    shown VARCHAR(64) NOT NULL,
    attempts BIGINT NOT NULL,
    not_before_unix BIGINT NOT NULL,
    UNIQUE (channel_id, server, round)
);
