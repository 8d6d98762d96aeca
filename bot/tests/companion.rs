//! A PostgreSQL that another bot uses at the same time: its rows stay its own, and ours complete them.

use gametimes_bot::Config;
use gametimes_bot::db::round_list::RoundFilter;
use gametimes_bot::db::{Database, Db, IngestItem, Mode};
use gametimes_bot::doctor::examine;
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::{config_in, items, open, wait_for};
use gametimes_test_support::samples::{native_files, sample_files};
use jiff::tz::TimeZone;

/// The tables of the other bot, with the constraints and defaults that matter here.
const TABLES: &str = "
CREATE TABLE rounds (id serial PRIMARY KEY, match_id text, round_number integer, round_date text, round_time text,
    map_name text, time_limit text, actual_time text, defender_team integer DEFAULT 0, winner_team integer DEFAULT 0,
    is_tied boolean DEFAULT false, round_outcome text, gaming_session_id integer, created_at timestamp DEFAULT now(),
    round_status varchar(20) DEFAULT 'completed', round_start_unix bigint, round_end_unix bigint,
    actual_duration_seconds integer, total_pause_seconds integer DEFAULT 0, pause_count integer DEFAULT 0,
    end_reason varchar(20), is_bot_round boolean DEFAULT false, score_confidence varchar(32),
    round_canonical_id varchar(64), is_valid boolean NOT NULL DEFAULT true, UNIQUE (match_id, round_number));
CREATE UNIQUE INDEX uniq_rounds_canonical_id ON rounds (round_canonical_id) WHERE round_canonical_id IS NOT NULL;
CREATE TABLE player_comprehensive_stats (id serial PRIMARY KEY, round_id integer NOT NULL REFERENCES rounds (id),
    round_date text NOT NULL, map_name text NOT NULL, round_number integer NOT NULL, player_guid text NOT NULL,
    player_name text NOT NULL, clean_name text, kills integer DEFAULT 0, UNIQUE (round_id, player_guid));
CREATE TABLE lua_round_teams (id serial PRIMARY KEY, match_id varchar(64) NOT NULL, round_number integer NOT NULL,
    axis_players jsonb DEFAULT '[]', allies_players jsonb DEFAULT '[]', round_start_unix bigint, round_end_unix bigint,
    actual_duration_seconds integer, total_pause_seconds integer DEFAULT 0, pause_count integer DEFAULT 0,
    end_reason varchar(20), winner_team integer, defender_team integer, map_name varchar(64),
    time_limit_minutes integer, captured_at timestamptz DEFAULT now(), lua_version varchar(16),
    round_id integer UNIQUE, UNIQUE (match_id, round_number));
CREATE TABLE lua_spawn_stats (id serial PRIMARY KEY, match_id varchar(64) NOT NULL, round_number integer NOT NULL,
    round_id integer, map_name varchar(64), round_end_unix bigint, player_guid varchar(32), player_name varchar(64),
    spawn_count integer DEFAULT 0, death_count integer DEFAULT 0, dead_seconds integer DEFAULT 0,
    avg_respawn_seconds integer DEFAULT 0, max_respawn_seconds integer DEFAULT 0, captured_at timestamptz DEFAULT now(),
    UNIQUE (match_id, round_number, player_guid));
INSERT INTO rounds (id, match_id, round_number, round_date, round_time, map_name, winner_team)
    VALUES (1, '2020-01-01-120000', 1, '2020-01-01', '120000', 'supply', 2);
SELECT setval('rounds_id_seq', 40);
";

/// The other bot reads the stats files of a match: round 2 gets the match_id of round 1, and both together are round 0.
const STATS_FILES: &str = "
INSERT INTO rounds (id, match_id, round_number, round_date, round_time, map_name, actual_time, winner_team, defender_team,
    round_outcome, gaming_session_id) VALUES
    (51, '2026-11-20-123344', 1, '2026-11-20', '123344', 'room2', '0:55', 1, 0, 'Completed', 9),
    (52, '2026-11-20-123344', 2, '2026-11-20', '123531', 'room2', '0:39', 1, 0, 'Completed', 9),
    (50, '2026-11-20-123344', 0, '2026-11-20', '123531', 'room2', '0:39', 1, 0, 'Completed', 9);
INSERT INTO player_comprehensive_stats (round_id, round_date, map_name, round_number, player_guid, player_name, kills)
    VALUES (51, '2026-11-20', 'room2', 1, 'A0000008', 'Player08', 3), (52, '2026-11-20', 'room2', 2, 'A0000008', 'Player08', 4);
";

/// The other bot reads the messages of the match, whole seconds only, and does not link them.
const MESSAGES: &str = "
INSERT INTO lua_round_teams (match_id, round_number, round_start_unix, round_end_unix, actual_duration_seconds, map_name,
    end_reason, lua_version) VALUES
    ('2026-11-20-123341', 1, 1795177951, 1795178021, 1, 'room2', 'objective', '1.6.0'),
    ('2026-11-20-123528', 2, 1795178059, 1795178128, 1, 'room2', 'objective', '1.6.0')
    ON CONFLICT (match_id, round_number) DO UPDATE SET round_id = EXCLUDED.round_id;
INSERT INTO lua_spawn_stats (match_id, round_number, map_name, round_end_unix, player_guid, player_name, dead_seconds)
    SELECT '2026-11-20-123341', 1, 'room2', 1795178021, 'A0000008A3DA0A350BADF005C0FFEE08', 'Player08', 7
    ON CONFLICT (match_id, round_number, player_guid) DO UPDATE SET round_id = EXCLUDED.round_id;
";

/// What the shared tables contain, without ids of lua rows and times of capture.
const SHARED: [&str; 4] = [
    "SELECT id, match_id, round_number, map_name, actual_time, round_outcome, gaming_session_id, round_status, is_valid, \
     round_canonical_id, round_start_unix, round_end_unix, actual_duration_seconds, total_pause_seconds, pause_count, \
     end_reason, winner_team, defender_team FROM public.rounds ORDER BY id",
    "SELECT round_id, player_guid, player_name, kills FROM public.player_comprehensive_stats ORDER BY 1, 2",
    "SELECT match_id, round_number, round_id, round_end_unix, actual_duration_seconds, end_reason, axis_players \
     FROM public.lua_round_teams ORDER BY 1, 2",
    "SELECT match_id, round_number, round_id, player_guid, player_name, dead_seconds, dead_ms \
     FROM public.lua_spawn_stats ORDER BY 1, 2, 4",
];

struct Shared {
    url: String,
    name: String,
}

impl Shared {
    /// A new database that the other bot has used before.
    fn new() -> Self {
        let url = Cluster::shared().database();
        let (_, name) = url.rsplit_once('/').unwrap();
        let name = name.split('?').next().unwrap().to_owned();
        let shared = Self { url, name };
        shared.sql(TABLES);
        shared
    }

    fn sql(&self, sql: &str) -> String {
        Cluster::shared().psql(&self.name, sql).trim().to_owned()
    }

    fn content(&self) -> String {
        SHARED.map(|sql| self.sql(sql)).join("\n\n")
    }

    async fn open(&self) -> Db {
        let db = open(&self.url).await;
        assert!(db.is_companion());
        db
    }
}

/// The gametimes files of the match, and of a round 1 that was cut off after it.
fn recorded() -> Vec<IngestItem> {
    let files = native_files("stopwatch").into_iter();
    files
        .map(|(name, bytes)| IngestItem::from_file("folder", &name, "", bytes))
        .collect()
}

fn stats_files() -> Vec<IngestItem> {
    let files = sample_files("gamestats").into_iter();
    files
        .filter(|(name, _)| name.contains("room2"))
        .map(|(name, bytes)| IngestItem::from_file("ssh", &name, "", bytes))
        .collect()
}

async fn listed(store: &Db) -> usize {
    let filter = RoundFilter {
        limit: 100,
        ..RoundFilter::default()
    };
    store.rounds(&filter).await.unwrap().len()
}

/// What both bots have written, whoever came first.
async fn assert_complete(shared: &Shared, store: &Db) {
    let timing = "SELECT id, round_end_unix, actual_duration_seconds, end_reason, winner_team, defender_team FROM public.rounds ORDER BY id";
    assert_eq!(
        shared.sql(timing).lines().collect::<Vec<_>>(),
        [
            "1||||2|0",
            "50||||1|0",
            "51|1795178021|55|objective|2|1",
            "52|1795178128|39|objective|2|1"
        ]
    );
    let players =
        "SELECT round_id, player_name, kills FROM public.player_comprehensive_stats ORDER BY 1";
    assert_eq!(shared.sql(players), "51|Player08|3\n52|Player08|4");
    let teams = "SELECT match_id, round_number, round_id, actual_duration_seconds FROM public.lua_round_teams ORDER BY 1";
    assert_eq!(
        shared.sql(teams).lines().collect::<Vec<_>>(),
        [
            "2026-11-20-123341|1|51|55",
            "2026-11-20-123528|2|52|39",
            "2026-11-20-123609|1||3"
        ]
    );
    let spawns = "SELECT round_id, count(*), count(dead_ms), count(DISTINCT player_guid) FROM public.lua_spawn_stats GROUP BY round_id ORDER BY 1";
    assert_eq!(shared.sql(spawns), "51|12|12|12\n52|12|12|12\n|12|12|12");
    assert_eq!(listed(store).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bot_that_comes_first_keeps_its_rows_and_gets_ours() {
    let shared = Shared::new();
    shared.sql(STATS_FILES);
    shared.sql(MESSAGES);
    let store = shared.open().await;
    store.ingest(&recorded()).await.unwrap();
    assert_complete(&shared, &store).await;
    let before = shared.content();
    store.ingest(&stats_files()).await.unwrap();
    assert_eq!(shared.content(), before);
    assert_complete(&shared, &store).await;
    let audit = store.spawn_audit(1000, 0).await.unwrap();
    assert_eq!(audit.summary.missing_round_id, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_the_other_bot_are_tied_when_they_come_last() {
    let shared = Shared::new();
    let store = shared.open().await;
    let both: Vec<IngestItem> = stats_files().into_iter().chain(recorded()).collect();
    store.ingest(&both).await.unwrap();
    assert_eq!(shared.sql("SELECT count(*) FROM public.rounds"), "1");
    assert_eq!(listed(&store).await, 3);
    shared.sql(STATS_FILES);
    store.tie_waiting(true).await.unwrap();
    assert_complete(&shared, &store).await;
    let before = shared.content();
    // It writes over our links and seconds.
    shared.sql(MESSAGES);
    shared.sql(
        "UPDATE public.lua_spawn_stats SET dead_seconds = 1 WHERE match_id = '2026-11-20-123341'",
    );
    assert_ne!(shared.content(), before);
    store.tie_waiting(true).await.unwrap();
    assert_eq!(shared.content(), before);
    assert_complete(&shared, &store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_orders_and_either_kind_of_files_write_the_same_shared_rows() {
    let mut contents = Vec::new();
    for first in [true, false] {
        for with_stats in [true, false] {
            let shared = Shared::new();
            let mut files = recorded();
            if with_stats {
                files.extend(stats_files());
            } else {
                files.reverse();
            }
            if first {
                shared.sql(STATS_FILES);
            }
            let store = shared.open().await;
            for file in files {
                store.ingest(&[file]).await.unwrap();
            }
            if !first {
                shared.sql(STATS_FILES);
                store.tie_waiting(true).await.unwrap();
            }
            contents.push(shared.content());
        }
    }
    for content in &contents {
        assert_eq!(content, &contents[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stats_files_alone_change_nothing_in_the_shared_tables() {
    let shared = Shared::new();
    shared.sql(STATS_FILES);
    let store = shared.open().await;
    let before = shared.content();
    store.ingest(&stats_files()).await.unwrap();
    assert_eq!(shared.content(), before);
    assert_eq!(listed(&store).await, 3);
}

/// The messages of old scripts name no stats file.
#[tokio::test(flavor = "multi_thread")]
async fn message_of_an_old_script_finds_the_row_by_time() {
    let shared = Shared::new();
    shared.sql(STATS_FILES);
    let store = shared.open().await;
    let names = ["room2-R1-1795178021.json", "room2-R2-1795178128.json"];
    store.ingest(&names.map(items::message)).await.unwrap();
    let ends = "SELECT id, round_end_unix FROM public.rounds WHERE round_end_unix > 0 ORDER BY id";
    assert_eq!(shared.sql(ends), "51|1795178021\n52|1795178128");
}

/// Both bots read the same files at once.
#[tokio::test(flavor = "multi_thread")]
async fn both_bots_at_the_same_moment_lose_and_double_nothing() {
    let shared = Shared::new();
    let store = shared.open().await;
    let theirs = Database::open(&shared.url).await.unwrap();
    let Database::Postgres(pool) = &theirs else {
        unreachable!("the URL is PostgreSQL's");
    };
    let mut other = pool.begin().await.unwrap();
    for sql in [STATS_FILES, MESSAGES] {
        sqlx::raw_sql(sql).execute(&mut *other).await.unwrap();
    }
    let ours = tokio::spawn({
        let store = store.clone();
        async move { store.ingest_or_reject(&recorded()).await }
    });
    wait_for("our statement to wait", || async {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        (shared.sql(waits) == "1").then_some(())
    })
    .await;
    other.commit().await.unwrap();
    let report = ours.await.unwrap().unwrap();
    assert_eq!((report.new_facts, report.rejected), (3, 0));
    store.tie_waiting(true).await.unwrap();
    assert_complete(&shared, &store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_shared_tables_do_not_stop_the_bot() {
    let shared = Shared::new();
    shared.sql(STATS_FILES);
    let store = shared.open().await;
    shared.sql(
        "ALTER TABLE public.lua_round_teams ADD CONSTRAINT closed CHECK (match_id = '') NOT VALID",
    );
    let report = store.ingest(&recorded()).await.unwrap();
    assert_eq!((report.new_facts, listed(&store).await), (3, 3));
    shared.sql("ALTER TABLE public.lua_round_teams DROP CONSTRAINT closed");
    store.tie_waiting(true).await.unwrap();
    assert_complete(&shared, &store).await;
}

/// The bot had the database for itself. Then another bot began to use it.
#[tokio::test(flavor = "multi_thread")]
async fn mode_can_change_both_ways_without_losing_rounds() {
    let url = Cluster::shared().database();
    let own = open(&url).await;
    assert!(!own.is_companion());
    let ids = own.ingest(&recorded()).await.unwrap().rounds;
    own.database.close().await;
    let (_, name) = url.rsplit_once('/').unwrap();
    let name = name.split('?').next().unwrap().to_owned();
    let mode = |url: String| async move {
        let found = examine(&Config::with_database(&url)).await;
        let mode = found.into_iter().find(|f| f.what == "database mode");
        mode.unwrap().text
    };
    let text = mode(url.clone()).await;
    assert!(text.contains("own: ") && text.contains("no row"), "{text}");
    Cluster::shared().psql(
        &name,
        "INSERT INTO rounds (id, match_id, round_number, map_name) VALUES (90, '2026-11-21-120000', 1, 'supply')",
    );
    let text = mode(url.clone()).await;
    assert!(
        text.contains("companion: ") && text.contains("1 row"),
        "{text}"
    );
    let companion = open(&url).await;
    assert!(companion.is_companion());
    for id in &ids {
        assert!(companion.round(*id).await.unwrap().is_some(), "{id}");
    }
    assert_eq!(listed(&companion).await, 3);
    let read = Db::open_read_only(&url, TimeZone::UTC).await.unwrap();
    assert_eq!(listed(&read).await, 3);
    for db in [companion, read] {
        db.database.close().await;
    }
    let own = Db::open_as(&url, TimeZone::UTC, Some(Mode::Own))
        .await
        .unwrap();
    assert!(!own.is_companion());
    assert_eq!(listed(&own).await, 4);
    let text = mode(url.clone()).await;
    assert!(text.contains("1 row"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_has_no_companion_mode() {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(&folder);
    let url = config.database_url.reveal();
    let error = Db::open_as(url, TimeZone::UTC, Some(Mode::Companion))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("needs PostgreSQL"), "{error}");
    assert!(!open(url).await.is_companion());
}
