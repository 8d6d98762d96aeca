//! A PostgreSQL whose sequences are behind its rows, as after a restored dump.

use gametimes_bot::Config;
use gametimes_bot::db::{Db, IngestItem, prepare};
use gametimes_bot::doctor::examine;
use gametimes_test_support::bot::open;
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::samples::native_files;

const SERIAL: [&str; 7] = [
    "rounds",
    "player_comprehensive_stats",
    "lua_round_teams",
    "lua_spawn_stats",
    "gametimes_facts",
    "gametimes_groups",
    "gametimes_rejected",
];

fn files(tape: &str) -> Vec<IngestItem> {
    let files = native_files(tape).into_iter();
    files
        .map(|(name, bytes)| IngestItem::from_file("folder", &name, "", bytes))
        .collect()
}

fn database_of(url: &str) -> String {
    let (_, name) = url.rsplit_once('/').unwrap();
    name.split('?').next().unwrap().to_owned()
}

/// Sets all sequences back to their beginning.
fn set_back(name: &str) {
    for table in SERIAL {
        let sql = format!("SELECT setval('{table}_id_seq', 1, false)");
        Cluster::shared().psql(name, &sql);
    }
}

async fn rounds(store: &Db) -> i64 {
    let sql = "SELECT COUNT(*) AS rounds FROM rounds";
    store
        .database
        .row(sql, &[])
        .await
        .unwrap()
        .unwrap()
        .get("rounds")
}

async fn finding(url: &str) -> Option<String> {
    let found = examine(&Config::with_database(url)).await;
    let finding = found.into_iter().find(|f| f.what == "database sequences")?;
    (!finding.good).then_some(finding.text)
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences_behind_the_rows_are_put_right_at_the_start() {
    let url = Cluster::shared().database();
    let name = database_of(&url);
    assert_eq!(finding(&url).await, None, "without tables");
    let store = open(&url).await;
    store.ingest(&files("stopwatch")).await.unwrap();
    let before = rounds(&store).await;
    assert_eq!(finding(&url).await, None);
    set_back(&name);
    let text = finding(&url).await.expect("doctor reports it");
    assert!(text.contains("rounds_id_seq"), "{text}");
    assert!(text.contains("setval"), "{text}");
    let again = finding(&url).await;
    assert_eq!(again.as_ref(), Some(&text), "doctor only looks");

    let store = open(&url).await;
    assert_eq!(finding(&url).await, None);
    let report = store
        .ingest_or_reject(&prepare(files("surrender")).await)
        .await
        .unwrap();
    assert_eq!((report.new_facts, report.rejected), (2, 0));
    assert_eq!(rounds(&store).await, before + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences_set_back_while_the_bot_runs_refuse_no_round() {
    let url = Cluster::shared().database();
    let store = open(&url).await;
    store.ingest(&files("stopwatch")).await.unwrap();
    let before = rounds(&store).await;
    let name = database_of(&url);
    // As in tables that were not made with SERIAL.
    Cluster::shared().psql(&name, "ALTER SEQUENCE rounds_id_seq OWNED BY NONE");
    set_back(&name);
    let report = store
        .ingest_or_reject(&prepare(files("public40")).await)
        .await
        .unwrap();
    assert_eq!((report.new_facts, report.rejected), (1, 0));
    assert_eq!(rounds(&store).await, before + 1);
}

/// Another program sets the sequence back. The round is not rejected for it but stored later, and repairs end.
#[tokio::test(flavor = "multi_thread")]
async fn sequence_that_is_set_back_again_and_again_is_repaired_a_few_times_only() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let name = database_of(&url);
    let store = open(&url).await;
    store.ingest(&files("stopwatch")).await.unwrap();
    // A sequence keeps its value when a transaction is rolled back.
    cluster.psql(
        &name,
        "CREATE SEQUENCE tries;
         CREATE FUNCTION set_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('tries') <= 50 THEN
                 PERFORM setval('rounds_id_seq', 1, false);
                 RAISE unique_violation;
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER set_back BEFORE INSERT ON rounds FOR EACH ROW EXECUTE FUNCTION set_back()",
    );
    let batch = prepare(files("public40")).await;
    store.ingest_or_reject(&batch).await.unwrap_err();
    let row = store
        .database
        .row("SELECT last_value FROM tries", &[])
        .await
        .unwrap();
    let tries: i64 = row.unwrap().get("last_value");
    assert!((2..10).contains(&tries), "{tries}");
    assert_eq!(store.rejected(10).await.unwrap(), []);
    cluster.psql(&name, "DROP TRIGGER set_back ON rounds");
    let report = store.ingest_or_reject(&batch).await.unwrap();
    assert_eq!((report.new_facts, report.rejected), (1, 0));
}

/// The role may use the sequences, but not set them.
#[tokio::test(flavor = "multi_thread")]
async fn sequences_that_the_role_may_not_set_are_named_with_the_cure() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let name = database_of(&url);
    open(&url).await.ingest(&files("stopwatch")).await.unwrap();
    cluster.psql(
        &name,
        "CREATE ROLE writer LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO writer;
         GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO writer",
    );
    set_back(&name);
    let store = open(&url.replace("postgres@", "writer@")).await;
    let error = store
        .ingest_or_reject(&prepare(files("surrender")).await)
        .await
        .unwrap_err();
    let error = error.to_string();
    for part in ["sequence", "rounds_id_seq", "SELECT setval", "owner"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    // Nothing was rejected, so everything is stored after the cure.
    let owner = open(&url).await;
    assert_eq!(owner.rejected(10).await.unwrap(), []);
    let report = store
        .ingest_or_reject(&prepare(files("surrender")).await)
        .await
        .unwrap();
    assert_eq!((report.new_facts, report.rejected), (2, 0));
}
