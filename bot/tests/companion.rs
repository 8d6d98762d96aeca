//! A PostgreSQL that another bot uses at the same time: its rows stay its own, and ours complete them.

use gametimes_bot::Config;
use gametimes_bot::db::round_list::RoundFilter;
use gametimes_bot::db::{Database, Db, IngestItem, Mode, prepare};
use gametimes_bot::doctor::examine;
use gametimes_test_support::bot::other_bot::{
    MESSAGES, STATS_FILES, SharedDatabase, recorded, stats_files,
};
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::{config_in, items, open, wait_for};
use jiff::tz::TimeZone;

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

fn content(shared: &SharedDatabase) -> String {
    SHARED.map(|sql| shared.sql(sql)).join("\n\n")
}

async fn open_companion(shared: &SharedDatabase) -> Db {
    let db = open(&shared.url).await;
    assert!(db.is_companion());
    db
}

async fn listed(store: &Db) -> usize {
    let filter = RoundFilter {
        limit: 100,
        ..RoundFilter::default()
    };
    store.rounds(&filter).await.unwrap().len()
}

/// What both bots have written, whoever came first.
async fn assert_complete(shared: &SharedDatabase, store: &Db) {
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
    let shared = SharedDatabase::create();
    shared.sql(STATS_FILES);
    shared.sql(MESSAGES);
    let store = open_companion(&shared).await;
    store.ingest(&recorded()).await.unwrap();
    assert_complete(&shared, &store).await;
    let before = content(&shared);
    store.ingest(&stats_files()).await.unwrap();
    assert_eq!(content(&shared), before);
    assert_complete(&shared, &store).await;
    let audit = store.spawn_audit(1000, 0).await.unwrap();
    assert_eq!(audit.summary.missing_round_id, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_the_other_bot_are_tied_when_they_come_last() {
    let shared = SharedDatabase::create();
    let store = open_companion(&shared).await;
    let both: Vec<IngestItem> = stats_files().into_iter().chain(recorded()).collect();
    store.ingest(&both).await.unwrap();
    assert_eq!(shared.sql("SELECT count(*) FROM public.rounds"), "1");
    assert_eq!(listed(&store).await, 3);
    shared.sql(STATS_FILES);
    store.tie_waiting(true).await.unwrap();
    assert_complete(&shared, &store).await;
    let before = content(&shared);
    // It writes over our links and seconds.
    shared.sql(MESSAGES);
    shared.sql(
        "UPDATE public.lua_spawn_stats SET dead_seconds = 1 WHERE match_id = '2026-11-20-123341'",
    );
    assert_ne!(content(&shared), before);
    store.tie_waiting(true).await.unwrap();
    assert_eq!(content(&shared), before);
    assert_complete(&shared, &store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_orders_and_either_kind_of_files_write_the_same_shared_rows() {
    let mut contents = Vec::new();
    for first in [true, false] {
        for with_stats in [true, false] {
            let shared = SharedDatabase::create();
            let mut files = recorded();
            if with_stats {
                files.extend(stats_files());
            } else {
                files.reverse();
            }
            if first {
                shared.sql(STATS_FILES);
            }
            let store = open_companion(&shared).await;
            for file in files {
                store.ingest(&[file]).await.unwrap();
            }
            if !first {
                shared.sql(STATS_FILES);
                store.tie_waiting(true).await.unwrap();
            }
            contents.push(content(&shared));
        }
    }
    for content in &contents {
        assert_eq!(content, &contents[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stats_files_alone_change_nothing_in_the_shared_tables() {
    let shared = SharedDatabase::create();
    shared.sql(STATS_FILES);
    let store = open_companion(&shared).await;
    let before = content(&shared);
    store.ingest(&stats_files()).await.unwrap();
    assert_eq!(content(&shared), before);
    assert_eq!(listed(&store).await, 3);
}

/// The messages of old scripts name no stats file.
#[tokio::test(flavor = "multi_thread")]
async fn message_of_an_old_script_finds_the_row_by_time() {
    let shared = SharedDatabase::create();
    shared.sql(STATS_FILES);
    let store = open_companion(&shared).await;
    let names = ["room2-R1-1795178021.json", "room2-R2-1795178128.json"];
    store.ingest(&names.map(items::message)).await.unwrap();
    let ends = "SELECT id, round_end_unix FROM public.rounds WHERE round_end_unix > 0 ORDER BY id";
    assert_eq!(shared.sql(ends), "51|1795178021\n52|1795178128");
}

/// Both bots read the same files at once.
#[tokio::test(flavor = "multi_thread")]
async fn both_bots_at_the_same_moment_lose_and_double_nothing() {
    let shared = SharedDatabase::create();
    let store = open_companion(&shared).await;
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
        async move { store.ingest_or_reject(&prepare(recorded()).await).await }
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
    let shared = SharedDatabase::create();
    shared.sql(STATS_FILES);
    let store = open_companion(&shared).await;
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
