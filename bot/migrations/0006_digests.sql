-- The digests of evenings in the stats channels. A row without message_id is claimed: a bot is about to post it. Late files can change
-- when an evening began and ended, so an evening is found by any overlap.
CREATE TABLE IF NOT EXISTS gametimes_digests (
    id {id},
    channel_id BIGINT NOT NULL,
    started_unix BIGINT NOT NULL,
    ended_unix BIGINT NOT NULL,
    state VARCHAR(16) NOT NULL,
    message_id BIGINT,
    shown VARCHAR(64) NOT NULL,
    attempts BIGINT NOT NULL,
    not_before_unix BIGINT NOT NULL
);

CREATE INDEX IF NOT EXISTS idx_gametimes_digests_ended ON gametimes_digests (channel_id, ended_unix);
