//! What is stored, on both databases.

use gametimes_bot::db::round_list::RoundFilter;
use gametimes_bot::db::value::{Row, Value};
use gametimes_bot::db::{Checkpoint, Content, Db, IngestItem, prepare};
use gametimes_bot::files::ingest::ingest;
use gametimes_test_support::bot::databases::dump;
use gametimes_test_support::bot::items::{self, everything};
use gametimes_test_support::bot::{open, sqlite};
use gametimes_test_support::on_both_databases;
use gametimes_test_support::samples::{native_files, sample_files, samples};
use jiff::tz::TimeZone;

/// How many rows a count found, and how many of them belong to a round.
fn linked(row: &gametimes_bot::db::value::Row) -> (i64, i64) {
    (row.get("all_rows"), row.get("linked"))
}

async fn rounds(store: &Db) -> Vec<(String, i64, Option<i64>, Option<String>)> {
    let filter = RoundFilter {
        limit: 100,
        ..RoundFilter::default()
    };
    let mut rounds: Vec<_> = store
        .rounds(&filter)
        .await
        .unwrap()
        .into_iter()
        .map(|r| (r.match_id, r.round_number, r.duration_ms, r.stats_file))
        .collect();
    rounds.sort();
    rounds
}

async fn reports_and_stats_files_of_the_samples_link(url: &str) {
    let store = &open(url).await;
    let applied = store.ingest(&everything()).await.unwrap();
    assert_eq!((applied.new_facts, applied.rejected), (16, 0));
    let file = |name: &str| Some(name.to_owned());
    assert_eq!(
        rounds(store).await,
        [
            (
                "2026-11-20-123344".into(),
                1,
                Some(55_000),
                file("2026-11-20-123344-room2-round-1.txt")
            ),
            (
                "2026-11-20-123344".into(),
                2,
                Some(39_950),
                file("2026-11-20-123531-room2-round-2.txt")
            ),
            // The old scripts named it round 2; the module corrects that.
            (
                "2026-11-20-123609".into(),
                1,
                Some(3_000),
                file("2026-11-20-123609-room2-round-2.txt")
            ),
            (
                "2026-11-20-125046".into(),
                1,
                Some(54_950),
                file("2026-11-20-125046-room1-round-1.txt")
            ),
            (
                "2026-11-20-125046".into(),
                2,
                Some(2_000),
                file("2026-11-20-125123-room1-round-1.txt")
            ),
        ]
    );
    let sql = "SELECT COUNT(*) AS all_rows, COUNT(round_id) AS linked FROM lua_round_teams";
    let row = store.database.row(sql, &[]).await.unwrap().unwrap();
    assert_eq!(linked(&row), (5, 5));
    let sql = "SELECT COUNT(*) AS all_rows, COUNT(round_id) AS linked FROM lua_spawn_stats";
    let row = store.database.row(sql, &[]).await.unwrap().unwrap();
    assert_eq!(linked(&row), (60, 60));
    let sql = "SELECT COUNT(*) AS players FROM player_comprehensive_stats p JOIN rounds r ON r.id = p.round_id";
    let row = store.database.row(sql, &[]).await.unwrap().unwrap();
    assert_eq!(row.get::<i64>("players"), 60);
    // The values of the stats file are kept beside the exact ones.
    let sql = "SELECT actual_duration_seconds, stats_duration_seconds, stats_playtime_ms, end_reason, winner_team, \
               total_pause_seconds, round_status FROM rounds WHERE match_id = '2026-11-20-125046' AND round_number = 1";
    let row = store.database.row(sql, &[]).await.unwrap().unwrap();
    let number = |column| row.get::<Option<i64>>(column);
    assert_eq!(number("actual_duration_seconds"), Some(54));
    assert_eq!(number("stats_duration_seconds"), Some(180));
    assert_eq!(number("stats_playtime_ms"), Some(54_285));
    assert_eq!(row.get::<String>("end_reason"), "surrender");
    assert_eq!(number("winner_team"), Some(1));
    assert_eq!(number("total_pause_seconds"), Some(16));
    // Storing everything again changes nothing.
    let before = dump(store).await;
    let applied = store.ingest(&everything()).await.unwrap();
    assert_eq!((applied.new_facts, applied.rounds.len()), (0, 0));
    assert_eq!(dump(store).await, before);
}

/// Some columns of all rounds, in the order in which they were played.
async fn columns(store: &Db, columns: &[&str]) -> Vec<String> {
    let sql = format!(
        "SELECT {} FROM rounds ORDER BY gametimes_order",
        columns.join(", ")
    );
    let rows = store.database.rows(&sql, &[]).await.unwrap();
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone().unwrap_or_default(),
        Value::Int(n) => n.map(|n| n.to_string()).unwrap_or_default(),
        Value::Bool(b) => i64::from(*b).to_string(),
        other => format!("{other:?}"),
    };
    let line = |row: &Row| row.values().iter().map(text).collect::<Vec<_>>().join(" ");
    rows.iter().map(line).collect()
}

/// What other programs read about stopwatch, and whether they count the round.
async fn rounds_contain_what_they_were_and_whether_they_count(url: &str) {
    let store = open(url).await;
    let what = [
        "round_outcome",
        "round_stopwatch_state",
        "time_to_beat_seconds",
        "next_timelimit_minutes",
        "score_confidence",
        "round_status",
        "is_valid",
        "is_bot_round",
        "bot_player_count",
        "human_player_count",
    ];
    for (name, bytes) in native_files("stopwatch")
        .into_iter()
        .chain(native_files("surrender"))
    {
        let item = IngestItem::from_file("folder", &name, "", bytes);
        store.ingest(&[item]).await.unwrap();
    }
    assert_eq!(
        columns(&store, &what).await,
        [
            "Completed TIME_SET 55 1 verified_header completed 1 0 0 12",
            "Completed TIME_SET   verified_header completed 1 0 0 12",
            "Unknown     cancelled 0 0 0 12",
            "Fullhold    verified_header completed 1 0 0 12",
            "Unknown     cancelled 0 0 0 12",
        ]
    );
    store.ingest(&everything()).await.unwrap();
    assert_eq!(
        columns(&store, &what[..7]).await[..2],
        [
            "Completed TIME_SET 55 1 verified_header completed 1",
            "Completed TIME_SET   verified_header completed 1"
        ]
    );
}

async fn orphans_and_rounds_with_bots_do_not_count(url: &str) {
    let store = open(url).await;
    let item = |time, round, guids: &[&str]| items::stats_of("host", time, round, guids, 100);
    let files = [
        item("120000", 2, &["AAAAAAAA"]),
        item("130000", 1, &["AAAAAAAA", "OMNIBOT1"]),
        item("140000", 1, &["AAAAAAAA", "OMNIBOT1", "OMNIBOT2"]),
        item("150000", 1, &["AAAAAAAA"]),
    ];
    store.ingest(&files).await.unwrap();
    let what = ["round_status", "is_valid", "is_bot_round"];
    assert_eq!(
        columns(&store, &what).await,
        [
            "orphan_r2 0 0",
            "completed 0 0",
            "completed 0 1",
            "completed 1 0"
        ]
    );
}

async fn evenings_are_numbered_once(url: &str) {
    let store = open(url).await;
    let file = |time| items::stats_of("host", time, 1, &["AAAAAAAA"], 100);
    let numbers = || columns(&store, &["round_time", "gaming_session_id"]);
    store
        .ingest(&[file("150000"), file("120000"), file("125000")])
        .await
        .unwrap();
    assert_eq!(numbers().await, ["120000 1", "125000 1", "150000 2"]);
    // Files that come late: of an earlier evening, and between two evenings.
    store.ingest(&[file("090000")]).await.unwrap();
    store
        .ingest(&[file("135500"), file("115500")])
        .await
        .unwrap();
    let expected = [
        "090000 3", "115500 1", "120000 1", "125000 1", "135500 1", "150000 2",
    ];
    assert_eq!(numbers().await, expected);
    store.rebuild(|_, _| {}).await.unwrap();
    assert_eq!(numbers().await, expected);
}

async fn names_are_stored_without_colour_codes(url: &str) {
    let store = open(url).await;
    let mut item = items::message("room2-R1-1795178021.json");
    let Content::Report(report) = &mut item.content else {
        unreachable!("a message is a report");
    };
    report.meta.teams.axis[0].name = "^1Red^7Name".into();
    store.ingest(&[item]).await.unwrap();
    store.ingest(&everything()).await.unwrap();
    for (table, column) in [
        ("player_comprehensive_stats", "player_name"),
        ("player_comprehensive_stats", "clean_name"),
        ("lua_spawn_stats", "player_name"),
        ("lua_round_teams", "CAST(axis_players AS TEXT)"),
        ("lua_round_teams", "CAST(allies_players AS TEXT)"),
    ] {
        let sql = format!("SELECT {column} AS name FROM {table}");
        let rows = store.database.rows(&sql, &[]).await.unwrap();
        assert!(!rows.is_empty());
        for name in rows.iter().map(|row| row.get::<String>("name")) {
            assert!(!name.contains('^'), "{table}.{column}: {name}");
        }
    }
}

async fn round_keeps_its_id_when_a_stats_file_arrives_late(url: &str) {
    let store = &open(url).await;
    let all = everything();
    let (stats, reports): (Vec<IngestItem>, Vec<IngestItem>) = all
        .into_iter()
        .partition(|a| matches!(a.content, Content::Stats(..)));
    store.ingest(&reports).await.unwrap();
    let filter = RoundFilter {
        limit: 100,
        ..RoundFilter::default()
    };
    let ends = |list: Vec<gametimes_bot::db::rounds::RoundSummary>| {
        let mut ends: Vec<_> = list.into_iter().map(|r| (r.id, r.round_end_unix)).collect();
        ends.sort();
        ends
    };
    let before = ends(store.rounds(&filter).await.unwrap());
    store.ingest(&stats).await.unwrap();
    assert_eq!(ends(store.rounds(&filter).await.unwrap()), before);
}

async fn checkpoints_never_move_back(url: &str) {
    let store = &open(url).await;
    let arrival = |value| IngestItem {
        source: "discord",
        origin: String::new(),
        server: String::new(),
        webhook: None,
        content: Content::Nothing,
        checkpoints: vec![Checkpoint::Reached {
            name: "x".into(),
            value,
        }],
    };
    store
        .ingest(&[arrival(900_000_000_000_000_000), arrival(90)])
        .await
        .unwrap();
    assert_eq!(
        store.checkpoint("x").await.unwrap(),
        900_000_000_000_000_000
    );
    assert_eq!(store.checkpoint("y").await.unwrap(), 0);
}

async fn rejected_items_are_kept_and_counted(url: &str) {
    let store = &open(url).await;
    let broken =
        IngestItem::from_file("ssh", "gametime-x-R1-5.json", "", b"{\"meta\":\0}".to_vec());
    for _ in 0..3 {
        store.ingest(std::slice::from_ref(&broken)).await.unwrap();
    }
    let rejected = store.rejected(10).await.unwrap();
    assert_eq!(
        (
            rejected.len(),
            rejected[0].times,
            rejected[0].source.as_str()
        ),
        (1, 3, "ssh")
    );
    assert!(
        rejected[0].reason.contains("not a gametimes file"),
        "{rejected:?}"
    );
}

/// A server whose clock is wrong, or a forged file, must not stay the latest round for decades.
async fn rounds_that_end_in_the_future_are_rejected(url: &str) {
    let store = &open(url).await;
    let (name, bytes) = native_files("surrender").remove(0);
    let mut ahead: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let meta = &mut ahead["meta"];
    meta["round_start_unix"] = 4_070_908_730_i64.into();
    meta["round_end_unix"] = 4_070_908_800_i64.into();
    meta["round_canonical_id"] = "".into();
    let (_, stats) = sample_files("gamestats").remove(0);
    let items = [
        IngestItem::from_file("folder", &name, "", serde_json::to_vec(&ahead).unwrap()),
        IngestItem::from_file("ssh", "2099-01-01-000000-room2-round-1.txt", "", stats),
        IngestItem::from_file("folder", &name, "", bytes),
    ];
    let applied = store.ingest(&items).await.unwrap();
    assert_eq!((applied.new_facts, applied.rejected), (1, 2), "{applied:?}");
    assert_eq!(rounds(store).await.len(), 1);
    let rejected = store.rejected(10).await.unwrap();
    assert!(
        rejected.iter().all(|r| r.reason.contains("after now")),
        "{rejected:?}"
    );
}

/// A reason quotes its input: a thousand characters of three bytes each, which cannot be compressed.
async fn long_reason_is_truncated(url: &str) {
    let store = &open(url).await;
    let mut seed: u32 = 1;
    let reason: String = (0..1000)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from_u32(0x4e00 + (seed >> 16) % 0x5000).unwrap()
        })
        .collect();
    let rejected = IngestItem {
        source: "ssh",
        origin: reason.clone(),
        server: String::new(),
        webhook: None,
        content: Content::Rejected {
            reason: reason.clone(),
            excerpt: reason.clone(),
        },
        checkpoints: Vec::new(),
    };
    store
        .ingest_or_reject(&prepare(vec![rejected]).await)
        .await
        .unwrap();
    let kept = store.rejected(10).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert!(reason.starts_with(&kept[0].reason) && kept[0].reason.chars().count() == 300);
}

/// A stats file that fits two reports of unknown servers equally well is not linked, and the diagnostics show the reason.
async fn ambiguous_stats_file_is_not_linked(url: &str) {
    let store = &open(url).await;
    let (name, bytes) = sample_files("gametimes").remove(0);
    let twin = |port: &str| {
        let mut file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        file["meta"]["server_port"] = port.into();
        IngestItem::from_file("folder", &name, "", serde_json::to_vec(&file).unwrap())
    };
    let stats = sample_files("gamestats")
        .into_iter()
        .find(|(n, _)| n.contains("125046"))
        .unwrap();
    let stats = IngestItem::from_file("folder", &stats.0, "", stats.1);
    store.ingest(&[twin("1"), twin("2"), stats]).await.unwrap();
    let sql = "SELECT COUNT(*) AS all_rows, COUNT(round_id) AS linked FROM lua_round_teams";
    let row = store.database.row(sql, &[]).await.unwrap().unwrap();
    assert_eq!(linked(&row), (2, 0));
    let found = rounds(store).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let shown = store.lua_webhook_diagnostics().await;
    assert_eq!(shown.errors, Vec::<String>::new());
    assert_eq!(shown.linkage_health.status, "poor");
    assert!(
        shown.orphans[0].reason.contains("fit equally well"),
        "{shown:?}"
    );
}

/// A stored fact that cannot be read any more does not stop the facts around it.
async fn unreadable_fact_does_not_stop_other_facts(url: &str) {
    let store = &open(url).await;
    store.ingest(&everything()[..1]).await.unwrap();
    let mut transaction = store.database.begin().await.unwrap();
    let sql = "UPDATE gametimes_facts SET body = $1 WHERE kind = 'stats'";
    let garbage = Value::from(b"no stats file".to_vec());
    assert_eq!(transaction.execute(sql, &[garbage]).await.unwrap(), 1);
    transaction.commit().await.unwrap();
    let applied = store.ingest(&everything()[1..]).await.unwrap();
    assert_eq!((applied.new_facts, applied.rejected), (15, 0));
    // The row made from it remains, and the report that named it gets a separate round.
    assert_eq!(rounds(store).await.len(), 6);
}

/// Changes the database with these statements, and then reads five stats files. Returns how many were stored, and how many rejected.
async fn stored_and_rejected(store: &Db, statements: &[&str]) -> (usize, usize) {
    let mut transaction = store.database.begin().await.unwrap();
    for sql in statements {
        transaction.execute(sql, &[]).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let paths = [samples().join("gamestats")];
    let done = ingest(store, &paths, "", false).await.unwrap();
    assert_eq!(done.files, 5, "{done}");
    (done.new, done.rejected.len())
}

/// Items that the database refuses are rejected one by one and reported.
async fn item_refused_by_the_database_does_not_stop_other_items(url: &str) {
    let store = &open(url).await;
    let sql = "CREATE UNIQUE INDEX one_round_a_map ON rounds (map_name)";
    assert_eq!(stored_and_rejected(store, &[sql]).await, (2, 3));
    assert_eq!(rounds(store).await.len(), 2);
    assert_eq!(store.rejected(10).await.unwrap().len(), 3);
}

/// A column has another type than the value, as in a table that another program changed.
async fn item_with_a_value_of_the_wrong_type_does_not_stop_other_items(url: &str) {
    let store = &open(url).await;
    let statements: &[&str] = match store.database.is_postgres() {
        true => &[
            "CREATE TABLE other (number INTEGER)",
            "CREATE FUNCTION copied() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN EXECUTE 'INSERT INTO other VALUES ($1)' USING NEW.map_name; RETURN NEW; END $$",
            "CREATE TRIGGER copied BEFORE INSERT ON rounds FOR EACH ROW WHEN (NEW.map_name = 'room1') EXECUTE FUNCTION copied()",
        ],
        false => &[
            "CREATE TABLE other (number INTEGER PRIMARY KEY)",
            "CREATE TRIGGER copied BEFORE INSERT ON rounds WHEN NEW.map_name = 'room1' \
             BEGIN INSERT INTO other VALUES (NEW.map_name); END",
        ],
    };
    assert_eq!(stored_and_rejected(store, statements).await, (3, 2));
}

/// With a wrong time zone nothing fits together. After a rebuild with the right one, all rows are as if it had been right
/// from the start.
async fn rebuild_corrects_a_wrong_time_zone(url: &str) {
    let five_hours = TimeZone::fixed(jiff::tz::offset(5));
    let wrong = Db::open(url, five_hours).await.unwrap();
    // The files and messages of the old scripts name no stats file, so only their times link them.
    let arrivals: Vec<IngestItem> = everything()
        .into_iter()
        .filter(|a| a.source != "folder")
        .collect();
    wrong.ingest(&arrivals).await.unwrap();
    wrong.database.close().await;
    let folder = tempfile::tempdir().unwrap();
    let right = sqlite(&folder).await;
    right.ingest(&arrivals).await.unwrap();
    let store = &open(url).await;
    assert_ne!(dump(store).await, dump(&right).await);
    let mut told = Vec::new();
    let made = store
        .rebuild(|done, of| told.push((done, of)))
        .await
        .unwrap();
    assert_eq!(dump(store).await, dump(&right).await);
    assert_eq!(made, rounds(store).await.len());
    assert_eq!(told.first().map(|(done, _)| *done), Some(0));
    // A second rebuild changes nothing.
    let before = dump(store).await;
    store.rebuild(|_, _| ()).await.unwrap();
    assert_eq!(dump(store).await, before);
}

/// The stats file of a round that a shutdown ended after 3 s contains a time of 98 minutes, although the limit is 2.
async fn impossible_duration_of_a_stats_file_is_not_used(url: &str) {
    let store = &open(url).await;
    store.ingest(&everything()).await.unwrap();
    let sql = "SELECT actual_duration_seconds, stats_duration_seconds, stats_playtime_ms, actual_time, gametimes_flags \
               FROM rounds WHERE match_id = '2026-11-20-123609'";
    let row = store.database.row(sql, &[]).await.unwrap().unwrap();
    let number = |column| row.get::<Option<i64>>(column);
    assert_eq!(number("actual_duration_seconds"), Some(3));
    assert_eq!(number("stats_duration_seconds"), None);
    assert_eq!(number("stats_playtime_ms"), Some(-245_893));
    assert_eq!(row.get::<String>("actual_time"), "98:00");
    let flags: String = row.get("gametimes_flags");
    assert!(
        flags.contains("sets a time of 98:00 where the limit is 2:00"),
        "{flags}"
    );
}

on_both_databases!(
    reports_and_stats_files_of_the_samples_link,
    rounds_contain_what_they_were_and_whether_they_count,
    orphans_and_rounds_with_bots_do_not_count,
    evenings_are_numbered_once,
    names_are_stored_without_colour_codes,
    round_keeps_its_id_when_a_stats_file_arrives_late,
    checkpoints_never_move_back,
    rejected_items_are_kept_and_counted,
    rounds_that_end_in_the_future_are_rejected,
    long_reason_is_truncated,
    ambiguous_stats_file_is_not_linked,
    unreadable_fact_does_not_stop_other_facts,
    item_refused_by_the_database_does_not_stop_other_items,
    item_with_a_value_of_the_wrong_type_does_not_stop_other_items,
    rebuild_corrects_a_wrong_time_zone,
    impossible_duration_of_a_stats_file_is_not_used,
);
