//! The same tests on SQLite and on PostgreSQL.

use gametimes_bot::db::Db;
use gametimes_bot::db::value::Row;
use serde_json::Value;

/// Runs each test, an `async fn(url: &str)`, on a new SQLite file and on a new database of a real PostgreSQL, as the tests
/// `sqlite::NAME` and `postgres::NAME`.
#[macro_export]
macro_rules! on_both_databases {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let folder = tempfile::tempdir().unwrap();
                let config = $crate::bot::config_in(&folder);
                super::$test(config.database_url.reveal()).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(&$crate::bot::postgres::Cluster::shared().database()).await;
            })*
        }
    };
}

const ARRIVAL: [&str; 5] = [
    "id",
    "round_id",
    "captured_at",
    "created_at",
    "gaming_session_id",
];

/// Creates the tables that a website adds to the database, with its constraints.
pub async fn create_website_tables(store: &Db) {
    let id = match store.database.is_postgres() {
        true => "SERIAL PRIMARY KEY",
        false => "INTEGER PRIMARY KEY AUTOINCREMENT",
    };
    let mut transaction = store.database.begin().await.unwrap();
    for sql in [
        "CREATE TABLE weapon_comprehensive_stats (id {id}, round_id INTEGER NOT NULL REFERENCES rounds (id), round_date TEXT NOT NULL, \
         map_name TEXT NOT NULL, round_number INTEGER NOT NULL, player_guid TEXT NOT NULL, player_name TEXT NOT NULL, \
         weapon_name TEXT NOT NULL, kills INTEGER DEFAULT 0, deaths INTEGER DEFAULT 0, headshots INTEGER DEFAULT 0, \
         shots INTEGER DEFAULT 0, hits INTEGER DEFAULT 0, accuracy REAL DEFAULT 0, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, \
         UNIQUE (round_id, player_guid, weapon_name))",
        "CREATE TABLE player_aliases (id {id}, guid TEXT NOT NULL, alias TEXT NOT NULL, first_seen TIMESTAMP DEFAULT CURRENT_TIMESTAMP, \
         last_seen TIMESTAMP DEFAULT CURRENT_TIMESTAMP, times_seen INTEGER DEFAULT 1, UNIQUE (guid, alias))",
    ] {
        let sql = sql.replace("{id}", id);
        transaction.execute(&sql, &[]).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

/// The content of all tables as text, without what depends on the time and the order in which it came: ids, times of capture, and
/// the numbers of the evenings.
pub async fn dump(store: &Db) -> String {
    let round =
        "(SELECT r.match_id || ' ' || r.round_number FROM rounds r WHERE r.id = t.round_id)";
    let mut text = String::new();
    for (table, link) in [
        ("rounds", "NULL"),
        ("lua_round_teams", round),
        ("lua_spawn_stats", round),
        ("player_comprehensive_stats", round),
        ("weapon_comprehensive_stats", round),
        ("player_aliases", "NULL"),
    ] {
        let columns = gametimes_bot::db::migrations::columns_of(&store.database, &[table])
            .await
            .unwrap();
        let columns: Vec<String> = columns[table]
            .iter()
            .filter(|c| !ARRIVAL.contains(&c.as_str()))
            .map(|c| match c.as_str() {
                "first_seen" | "last_seen" => format!("CAST(t.{c} AS TEXT)"),
                _ => format!("t.{c}"),
            })
            .collect();
        // A table that only a website creates.
        if columns.is_empty() {
            continue;
        }
        let sql = format!("SELECT {link}, {} FROM {table} t", columns.join(", "));
        let rows = store.database.rows(&sql, &[]).await.unwrap();
        let mut lines: Vec<String> = rows
            .iter()
            .map(|row| format!("{:?}", normal(row)))
            .collect();
        lines.sort();
        text.push_str(&format!(
            "{table} {}\n{}\n",
            columns.join(" "),
            lines.join("\n")
        ));
    }
    text
}

/// A row as text, in which the two databases' representations of one value look the same.
fn normal(row: &Row) -> Vec<String> {
    use gametimes_bot::db::value::{FromValue, Value as Cell};
    let text = |cell: &Cell| match (cell, f64::from_value(cell)) {
        (Cell::Text(Some(text)), _) => serde_json::from_str::<Value>(text)
            .ok()
            .filter(Value::is_array)
            .map_or_else(|| text.clone(), |list| list.to_string()),
        (_, Some(n)) => format!("{}", (n * 1000.0).round() / 1000.0),
        _ => Value::from_value(cell).unwrap_or_default().to_string(),
    };
    row.values().iter().map(text).collect()
}
