//! A PostgreSQL database that another bot has used for years.

use std::sync::Once;

use gametimes_bot::db::migrations::{Migrated, migrate, pending};
use gametimes_bot::db::round_list::RoundFilter;
use gametimes_bot::db::{Database, Db, IngestItem, Mode, Schema, prepare};
use gametimes_test_support::bot::databases::dump;
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::{config_in, items, sqlite, wait_for};
use gametimes_test_support::samples::{native_files, sample, sample_files};
use jiff::tz::TimeZone;

/// The tables of another bot, with one of its rounds: a stats file that it imported, and a message that it linked.
const OLD: &str = "
CREATE TABLE rounds (id serial PRIMARY KEY, match_id text, round_number integer, round_date text, round_time text,
    map_name text, time_limit text, actual_time text, defender_team integer DEFAULT 0, winner_team integer DEFAULT 0,
    is_tied boolean DEFAULT false, round_outcome text, created_at timestamp DEFAULT now(),
    round_status varchar(20) DEFAULT 'completed', UNIQUE (match_id, round_number));
CREATE TABLE player_comprehensive_stats (id serial PRIMARY KEY, round_id integer NOT NULL REFERENCES rounds (id),
    round_date text NOT NULL, map_name text NOT NULL, round_number integer NOT NULL, player_guid text NOT NULL,
    player_name text NOT NULL, clean_name text, team integer, kills integer, deaths integer, damage_given integer,
    damage_received integer, accuracy real, time_played_seconds integer, time_dead_minutes real,
    UNIQUE (round_id, player_guid));
CREATE TABLE lua_round_teams (id serial PRIMARY KEY, match_id varchar(64) NOT NULL, round_number integer NOT NULL,
    axis_players jsonb, allies_players jsonb, actual_duration_seconds integer, winner_team integer,
    end_reason varchar(20), captured_at timestamptz DEFAULT now(), round_id integer UNIQUE,
    UNIQUE (match_id, round_number));
CREATE TABLE lua_spawn_stats (id serial PRIMARY KEY, match_id varchar(64) NOT NULL, round_number integer NOT NULL,
    round_id integer, map_name varchar(64), round_end_unix bigint, player_guid varchar(32), player_name varchar(64),
    spawn_count integer, death_count integer, dead_seconds integer, avg_respawn_seconds integer,
    max_respawn_seconds integer, captured_at timestamptz DEFAULT now(), UNIQUE (match_id, round_number, player_guid));
INSERT INTO rounds (id, match_id, round_number, round_date, map_name, actual_time, winner_team)
    VALUES (7, '2026-11-20-125046', 1, '2026-11-20', 'room1', '3:00', 1),
           (8, '2020-01-01-120000', 1, '2020-01-01', 'supply', '9:00', 2);
INSERT INTO player_comprehensive_stats (round_id, round_date, map_name, round_number, player_guid, player_name,
    time_played_seconds, time_dead_minutes) VALUES (7, '2026-11-20', 'room1', 1, 'A0000001', 'Player01', 54, 0.3);
INSERT INTO lua_round_teams (id, match_id, round_number, round_id, actual_duration_seconds)
    VALUES (3, '2026-11-20-125043', 1, 7, 54), (4, '2020-01-01-120000', 1, NULL, 1);
INSERT INTO lua_spawn_stats (match_id, round_number, round_id, player_guid, dead_seconds)
    VALUES ('2026-11-20-125043', 1, 7, 'A00000012469579A0BADF00CC0FFEE01', 34);
SELECT setval('rounds_id_seq', 100), setval('lua_round_teams_id_seq', 100);
";

fn database_of(url: &str) -> String {
    let (_, name) = url.rsplit_once('/').unwrap();
    name.split('?').next().unwrap().to_owned()
}

/// Opens a database whose tables are ours, although another bot used them before.
async fn open_own(url: &str) -> Db {
    Db::open_as(url, TimeZone::UTC, Some(Mode::Own))
        .await
        .unwrap()
}

/// The role of the website, which all databases of the cluster share.
fn create_website_role() {
    static CREATED: Once = Once::new();
    CREATED.call_once(|| {
        Cluster::shared().psql("postgres", "CREATE ROLE website_readonly LOGIN");
    });
}

fn surrender() -> Vec<IngestItem> {
    let (name, bytes) = native_files("surrender").remove(0);
    vec![IngestItem::from_file("discord", &name, "", bytes)]
}

/// The old scripts' message of the same round.
fn message() -> IngestItem {
    items::message("room1-R1-1795179043.json")
}

#[tokio::test(flavor = "multi_thread")]
async fn old_rows_are_adopted() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let name = database_of(&url);
    create_website_role();
    cluster.psql(&name, OLD);
    let store = open_own(&url).await;
    let schema = Schema::current();
    for _ in 0..3 {
        let migrated = migrate(&store.database, &schema).await.unwrap();
        assert_eq!(migrated, Migrated::default());
    }
    let to_do = pending(&store.database, &schema).await.unwrap();
    assert_eq!(to_do, Vec::<String>::new());
    // Also if no migration is recorded, as in a database of an earlier version.
    cluster.psql(&name, "DELETE FROM gametimes_schema");
    let migrated = migrate(&store.database, &schema).await.unwrap();
    assert_eq!(
        (migrated.applied.len(), migrated.warnings),
        (schema.own.len(), vec![])
    );
    let can_read = "SELECT bool_and(has_table_privilege('website_readonly', oid, 'SELECT')) FROM pg_class \
                    WHERE relname IN ('rounds', 'lua_spawn_stats', 'gametimes_groups', 'gametimes_rejected', 'gametimes_summaries', 'gametimes_schema')";
    assert_eq!(cluster.psql(&name, can_read).trim(), "t");
    // A role that is created later can read from the next start on.
    cluster.psql(
        &name,
        "REVOKE SELECT ON rounds, gametimes_summaries FROM website_readonly",
    );
    assert_eq!(cluster.psql(&name, can_read).trim(), "f");
    migrate(&store.database, &schema).await.unwrap();
    assert_eq!(cluster.psql(&name, can_read).trim(), "t");

    store.ingest(&surrender()).await.unwrap();
    let row = |sql: &str| cluster.psql(&name, sql).trim().to_owned();
    assert_eq!(row("SELECT count(*) FROM rounds"), "2");
    assert_eq!(
        row(
            "SELECT id, round_end_unix, actual_duration_seconds, end_reason, actual_time FROM rounds WHERE id = 7"
        ),
        "7|1795179043|54|surrender|3:00"
    );
    // The other bot's message is about the same round: its row is kept and completed, and our spawn rows replace its spawn
    // rows.
    assert_eq!(
        row("SELECT id, round_id, match_id FROM lua_round_teams WHERE round_id = 7"),
        "3|7|2026-11-20-125043"
    );
    assert_eq!(
        row("SELECT count(*), count(dead_ms) FROM lua_spawn_stats"),
        "12|12"
    );
    assert_eq!(row("SELECT count(*) FROM player_comprehensive_stats"), "1");
    assert_eq!(
        row("SELECT count(*) FROM lua_round_teams WHERE id = 4 AND round_id IS NULL"),
        "1"
    );
    // Our copy of the stats file arrives: it fills the same row, now with all players.
    let file = sample_files("gamestats")
        .into_iter()
        .find(|(n, _)| n.contains("125046"))
        .unwrap();
    store
        .ingest(&[IngestItem::from_file("ssh", &file.0, "", file.1)])
        .await
        .unwrap();
    assert_eq!(row("SELECT count(*) FROM rounds"), "2");
    assert_eq!(
        row("SELECT count(*), count(DISTINCT round_id) FROM player_comprehensive_stats"),
        "12|1"
    );
    assert_eq!(
        row("SELECT id, stats_duration_seconds FROM rounds WHERE match_id LIKE '2026%'"),
        "7|180"
    );
}

/// First a message without players arrives, then a copy of the stats file that lacks one of them.
#[tokio::test(flavor = "multi_thread")]
async fn additional_rows_of_another_bot_are_kept() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let name = database_of(&url);
    cluster.psql(&name, OLD);
    cluster.psql(
        &name,
        "INSERT INTO player_comprehensive_stats (round_id, round_date, map_name, round_number, player_guid, player_name)
         VALUES (7, '2026-11-20', 'room1', 1, 'F0000009', 'left early'), (7, '2026-11-20', 'room1', 1, 'a0000002', 'Player02');
         UPDATE lua_round_teams SET match_id = '2026-11-20-125044' WHERE id = 3;
         INSERT INTO lua_round_teams (id, match_id, round_number) VALUES (5, '2026-11-20-125043', 1)",
    );
    let store = open_own(&url).await;
    store.ingest(&[message()]).await.unwrap();
    let row = |sql: &str| cluster.psql(&name, sql).trim().to_owned();
    let spawns = "SELECT count(*), sum(dead_seconds) FROM lua_spawn_stats WHERE round_id = 7";
    assert_eq!(row(spawns), "1|34");
    // The other bot has two rows for the round. One is completed, the other remains unchanged.
    let teams = "SELECT string_agg(id || ' ' || coalesce(round_id, 0), ', ' ORDER BY id) FROM lua_round_teams";
    assert_eq!(row(teams), "3 0, 4 0, 5 7");
    let file = "2026-11-20-125046-room1-round-1.txt";
    let bytes = sample(&format!("gamestats/{file}"));
    store
        .ingest(&[IngestItem::from_file("ssh", file, "", bytes)])
        .await
        .unwrap();
    assert_eq!(row(spawns), "1|34");
    assert_eq!(
        row("SELECT count(*), count(DISTINCT upper(player_guid)) FROM player_comprehensive_stats"),
        "13|13"
    );
}

/// The other bot gives a round 2 the match_id of its round 1.
#[tokio::test(flavor = "multi_thread")]
async fn round_2_with_the_match_id_of_round_1_is_found() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let name = database_of(&url);
    cluster.psql(&name, OLD);
    cluster.psql(
        &name,
        "INSERT INTO rounds (id, match_id, round_number, round_date, round_time, map_name)
         VALUES (21, '2026-11-20-123344', 1, '2026-11-20', '123344', 'room2'),
                (22, '2026-11-20-123344', 2, '2026-11-20', '123531', 'room2')",
    );
    let store = open_own(&url).await;
    let messages = ["room2-R1-1795178021.json", "room2-R2-1795178128.json"];
    store.ingest(&messages.map(items::message)).await.unwrap();
    let rows = "SELECT id, round_end_unix FROM rounds WHERE map_name = 'room2' ORDER BY id";
    assert_eq!(
        cluster.psql(&name, rows).trim(),
        "21|1795178021\n22|1795178128"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unlinked_spawn_rows_of_another_bot_do_not_win() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let name = database_of(&url);
    let store = Db::open(&url, TimeZone::UTC).await.unwrap();
    cluster.psql(
        &name,
        "INSERT INTO lua_spawn_stats (match_id, round_number, player_guid, dead_seconds)
         VALUES ('2026-11-20-125043', 1, 'A00000012469579A0BADF00CC0FFEE01', 7777)",
    );
    store.ingest(&surrender()).await.unwrap();
    let rows = "SELECT count(*), count(dead_ms), count(round_id), max(dead_seconds) < 7777 FROM lua_spawn_stats";
    assert_eq!(cluster.psql(&name, rows).trim(), "12|12|12|t");
}

/// Both bots read the stats file at once. Ours waits for the other bot's transaction, and then finds its row.
#[tokio::test(flavor = "multi_thread")]
async fn round_that_another_bot_stores_at_the_same_moment_is_not_rejected() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let name = database_of(&url);
    let store = Db::open(&url, TimeZone::UTC).await.unwrap();
    let Database::Postgres(pool) = &store.database else {
        unreachable!("the URL is PostgreSQL's");
    };
    let mut other = pool.begin().await.unwrap();
    let insert = "INSERT INTO rounds (id, match_id, round_number, map_name) VALUES (700, '2026-11-20-125046', 1, 'room1')";
    sqlx::query(insert).execute(&mut *other).await.unwrap();
    let file = "2026-11-20-125046-room1-round-1.txt";
    let arrival = IngestItem::from_file("ssh", file, "", sample(&format!("gamestats/{file}")));
    let ours = tokio::spawn({
        let store = store.clone();
        async move { store.ingest_or_reject(&prepare(vec![arrival]).await).await }
    });
    wait_for("our statement to wait", || async {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO rounds%'";
        (cluster.psql(&name, waits).trim() == "1").then_some(())
    })
    .await;
    other.commit().await.unwrap();
    let applied = ours.await.unwrap().unwrap();
    assert_eq!((applied.new_facts, applied.rejected), (1, 0));
    let rows = "SELECT r.id, count(*) FROM rounds r JOIN player_comprehensive_stats p ON p.round_id = r.id GROUP BY r.id";
    assert_eq!(cluster.psql(&name, rows).trim(), "700|12");
}

/// The round is posted. Then the other bot imports the stats file, under another id.
#[tokio::test(flavor = "multi_thread")]
async fn post_log_follows_a_round_to_another_id() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let name = database_of(&url);
    let store = Db::open(&url, TimeZone::UTC).await.unwrap();
    let applied = store.ingest(&surrender()).await.unwrap();
    let posted = applied.rounds[0];
    cluster.psql(
        &name,
        &format!(
            "INSERT INTO gametimes_summaries VALUES ({posted}, 'posted', 1, 2, '', '', 0, 0);
             INSERT INTO rounds (id, match_id, round_number, map_name) VALUES (700, '2026-11-20-125046', 1, 'room1')"
        ),
    );
    store.ingest(&[message()]).await.unwrap();
    let rows = cluster.psql(
        &name,
        "SELECT round_id, message_id FROM gametimes_summaries",
    );
    assert_eq!(rows.trim(), "700|2");
    assert_eq!(cluster.psql(&name, "SELECT id FROM rounds").trim(), "700");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_another_role_are_used_as_they_are() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let name = database_of(&url);
    cluster.psql(&name, OLD);
    cluster.psql(
        &name,
        "CREATE ROLE guest LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO guest;
         GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO guest; GRANT CREATE ON SCHEMA public TO guest",
    );
    let store = open_own(&url.replace("postgres@", "guest@")).await;
    let to_do = pending(&store.database, &Schema::current()).await.unwrap();
    let count = |what: &str| to_do.iter().filter(|item| item.starts_with(what)).count();
    assert_eq!(
        [
            count("column rounds."),
            count("column player_comprehensive_stats."),
            count("column lua_round_teams."),
            count("column lua_spawn_stats."),
            count("index "),
            to_do.len()
        ],
        [31, 1, 17, 10, 12, 71]
    );
    store.ingest(&surrender()).await.unwrap();
    let count = cluster.psql(
        &name,
        "SELECT count(*) FROM lua_spawn_stats WHERE round_id = 7",
    );
    assert_eq!(count.trim(), "12");
    let round = store.round(7).await.unwrap().unwrap();
    assert_eq!((round.players.len(), round.players[0].dead_ms), (12, None));
    let audit = store.spawn_audit(1000, 0).await.unwrap();
    assert_eq!(audit.summary.checked, 12);
    store.database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bots_store_each_round_once() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let mut arrivals: Vec<IngestItem> = Vec::new();
    for (name, bytes) in sample_files("gamestats")
        .into_iter()
        .chain(native_files("stopwatch"))
    {
        arrivals.push(IngestItem::from_file("ssh", &name, "", bytes));
    }
    arrivals.extend(surrender());
    let bots = (0..2).map(|bot| {
        let (url, mut arrivals) = (url.clone(), arrivals.clone());
        if bot == 1 {
            arrivals.reverse();
        }
        tokio::spawn(async move {
            // Both bots find an empty database and migrate it.
            let store = Db::open(&url, TimeZone::UTC).await.unwrap();
            for arrival in arrivals {
                store.ingest(&[arrival]).await.unwrap();
            }
            store.database.close().await;
        })
    });
    for bot in bots.collect::<Vec<_>>() {
        bot.await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let alone = sqlite(&folder).await;
    alone.ingest(&arrivals).await.unwrap();
    let store = Db::open(&url, TimeZone::UTC).await.unwrap();
    assert_eq!(dump(&store).await, dump(&alone).await);
    let filter = RoundFilter {
        limit: 100,
        ..RoundFilter::default()
    };
    assert_eq!(store.rounds(&filter).await.unwrap().len(), 5);
}

async fn durations(store: &Db) -> Vec<Option<i64>> {
    let filter = RoundFilter {
        limit: 10,
        ..RoundFilter::default()
    };
    let rounds = store.rounds(&filter).await.unwrap();
    rounds.iter().map(|round| round.duration_ms).collect()
}

/// With a role that can only read, then as the owner.
#[tokio::test(flavor = "multi_thread")]
async fn read_only_database_is_read_and_never_written() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let name = database_of(&url);
    let error = Db::open_read_only(&url, TimeZone::UTC).await.unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("run `gametimes-bot migrate` first"),
        "{error}"
    );
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(cluster.psql(&name, tables).trim(), "0");
    create_website_role();
    let owner = Db::open(&url, TimeZone::UTC).await.unwrap();
    owner.ingest(&surrender()).await.unwrap();
    for url in [url.replace("postgres@", "website_readonly@"), url] {
        let reader = Db::open_read_only(&url, TimeZone::UTC).await.unwrap();
        assert_eq!(durations(&reader).await, [Some(54_950)]);
        let error = reader.ingest(&surrender()).await.unwrap_err().to_string();
        assert!(error.contains("read-only transaction"), "{error}");
        reader.database.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_sqlite_file_is_read_and_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let config = config_in(&folder);
    let url = config.database_url.reveal();
    Db::open_read_only(url, TimeZone::UTC).await.unwrap_err();
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
    // A database that has no tables yet.
    drop(Database::open(url).await.unwrap());
    let error = Db::open_read_only(url, TimeZone::UTC).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("run `gametimes-bot migrate` first"),
        "{error}"
    );
    let owner = Db::open(url, TimeZone::UTC).await.unwrap();
    owner.ingest(&surrender()).await.unwrap();
    for _ in 0..2 {
        let reader = Db::open_read_only(url, TimeZone::UTC).await.unwrap();
        assert_eq!(durations(&reader).await, [Some(54_950)]);
        let error = reader.ingest(&surrender()).await.unwrap_err().to_string();
        assert!(error.contains("readonly database"), "{error}");
        reader.database.close().await;
        // Also if no other process has it open.
        owner.database.close().await;
    }
}
