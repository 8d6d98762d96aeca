//! Follows the recipe "Adding a column" in CONTRIBUTING.md, in databases that are in use and in new ones.

use gametimes_bot::db::migrations::{Migration, migrate, pending};
use gametimes_bot::db::schema::{Column, Kind};
use gametimes_bot::db::value::Row;
use gametimes_bot::db::{Database, Db, IngestItem, Schema};
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::samples::native_files;
use jiff::tz::TimeZone;

/// The schema of a later version, with one more column in a shared table and in one of the tables `gametimes_*`.
fn later_schema() -> Schema {
    let mut schema = Schema::current();
    let mut shared = schema.shared.iter_mut();
    let rounds = shared.find(|table| table.name == "rounds").unwrap();
    rounds.added.push(Column::new("spectator_count", Kind::Int));
    schema.own.push(Migration {
        name: "notes",
        sql: "ALTER TABLE gametimes_facts ADD COLUMN note VARCHAR(64)",
    });
    schema
}

const READ: &str = "SELECT r.spectator_count, f.note FROM rounds r JOIN gametimes_groups g ON g.round_id = r.id \
                    JOIN gametimes_facts f ON f.group_id = g.id";

async fn added_column_is_created_written_and_read(old_url: &str, new_url: &str) {
    let schema = later_schema();
    let db = Db::open(old_url, TimeZone::UTC).await.unwrap();
    let (name, bytes) = native_files("surrender").remove(0);
    let item = IngestItem::from_file("folder", &name, "", bytes);
    let round = db.ingest(&[item]).await.unwrap().rounds[0];

    let new = ["migration notes", "column rounds.spectator_count"];
    assert_eq!(pending(&db.database, &schema).await.unwrap(), new);
    assert_eq!(migrate(&db.database, &schema).await.unwrap().applied, new);
    assert!(pending(&db.database, &schema).await.unwrap().is_empty());
    let row = db.database.row(READ, &[]).await.unwrap().unwrap();
    assert_eq!(row.get::<Option<i64>>("spectator_count"), None);

    let mut transaction = db.database.begin().await.unwrap();
    let spectators = vec![("spectator_count", 7.into())];
    let changed = transaction.update_by_id("rounds", &spectators, round);
    assert_eq!(changed.await.unwrap(), 1);
    let sql = "UPDATE gametimes_facts SET note = $1";
    let note = ["a note".into()];
    assert_eq!(transaction.execute(sql, &note).await.unwrap(), 1);
    transaction.commit().await.unwrap();

    // The earlier version can still open the database and rebuild its rows, and keeps the new columns.
    let before = Db::open(old_url, TimeZone::UTC).await.unwrap();
    before.rebuild(|_, _| ()).await.unwrap();
    let row = db.database.row(READ, &[]).await.unwrap().unwrap();
    let read = |row: &Row| (row.get::<i64>("spectator_count"), row.get::<String>("note"));
    assert_eq!(read(&row), (7, "a note".to_owned()));

    let new_database = Database::open(new_url).await.unwrap();
    migrate(&new_database, &schema).await.unwrap();
    assert!(new_database.row(READ, &[]).await.unwrap().is_none());
    for database in [db.database, before.database, new_database] {
        database.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn added_column_is_created_written_and_read_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    added_column_is_created_written_and_read(&url("old.db"), &url("new.db")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn added_column_is_created_written_and_read_on_postgres() {
    let cluster = Cluster::shared();
    added_column_is_created_written_and_read(&cluster.database(), &cluster.database()).await;
}
