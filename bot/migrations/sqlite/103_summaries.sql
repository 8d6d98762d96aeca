-- What the bot posted to the stats channel, one row a round. A row without message_id is claimed: a bot is about to post.
CREATE TABLE IF NOT EXISTS gametimes_summaries (
    round_id INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    channel_id INTEGER NOT NULL,
    message_id INTEGER,
    seen TEXT NOT NULL,
    shown TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    not_before_unix INTEGER NOT NULL
);
