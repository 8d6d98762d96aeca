-- The messages in the stats channel, one row for each round. A row without message_id is claimed: a bot is about to post it.
CREATE TABLE IF NOT EXISTS gametimes_summaries (
    round_id BIGINT PRIMARY KEY,
    state VARCHAR(16) NOT NULL,
    channel_id BIGINT NOT NULL,
    message_id BIGINT,
    seen VARCHAR(64) NOT NULL,
    shown VARCHAR(64) NOT NULL,
    attempts BIGINT NOT NULL,
    not_before_unix BIGINT NOT NULL
);
