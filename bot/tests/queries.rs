//! Queries use indexes, and pages of a list leave nothing out.

use gametimes_bot::db::round_list::RoundFilter;
use gametimes_bot::db::value::Value;
use gametimes_bot::db::{Db, IngestItem};
use gametimes_test_support::bot::items::{everything, stats_of};
use gametimes_test_support::bot::open;
use gametimes_test_support::on_both_databases;
use gametimes_test_support::season::{RoundFiles, Season};

/// The query of a player's page uses an index.
async fn query_of_a_player_uses_an_index(url: &str) {
    let store = &open(url).await;
    store.ingest(&everything()).await.unwrap();
    store.analyze().await.unwrap();
    let sql = store.spawns_of_player(&["match_id"], 100);
    let found = async |guid: &str| {
        let rows = store.database.rows(&sql, &[guid.into()]).await.unwrap();
        rows.len()
    };
    assert_eq!(
        (found("a0000003").await, found("A0000003FFFF").await),
        (5, 5)
    );
    assert_eq!((found("A000000").await, found("name:0").await), (0, 0));
    let plan = plan_of(store, &sql, &["A0000003".into()]).await;
    assert!(plan.contains("idx_lua_spawn_stats_player"), "{plan}");
    assert!(
        !plan.contains("TEMP B-TREE") && !plan.contains("Sort"),
        "{plan}"
    );
}

/// The list of rounds is read from an index, without sorting.
async fn list_of_rounds_uses_an_index(url: &str) {
    let store = &open(url).await;
    store.ingest(&everything()).await.unwrap();
    store.analyze().await.unwrap();
    let order = store.play_order();
    let sql = format!("SELECT r.id FROM rounds r ORDER BY {order} DESC, r.id DESC LIMIT $1");
    let plan = plan_of(store, &sql, &[50.into()]).await;
    assert!(plan.contains("idx_rounds_play_order"), "{plan}");
    assert!(
        !plan.contains("TEMP B-TREE") && !plan.contains("Sort"),
        "{plan}"
    );
}

/// The rounds of the evenings are read from an index, from any page of the list.
async fn query_of_the_evenings_uses_an_index(url: &str) {
    let store = &open(url).await;
    store.ingest(&everything()).await.unwrap();
    store.analyze().await.unwrap();
    for before in ["", "2026-11-20-125000"] {
        let sql = store.rounds_between_sql(!before.is_empty());
        let plan = plan_of(store, &sql, &["".into(), before.into(), 100.into()]).await;
        assert!(plan.contains("idx_rounds_play_order"), "{plan}");
        assert!(plan.contains("idx_lua_round_teams_round_id"), "{plan}");
        assert!(
            !plan.contains("TEMP B-TREE") && !plan.contains("Sort"),
            "{plan}"
        );
    }
}

/// The query of the audit finds the player of each row through an index.
async fn query_of_the_audit_uses_an_index(url: &str) {
    let store = &open(url).await;
    store.ingest(&everything()).await.unwrap();
    store.analyze().await.unwrap();
    let sql = store.spawn_audit_sql();
    let plan = plan_of(store, &sql, &[1000.into()]).await;
    assert!(plan.contains("idx_player_stats_guid8"), "{plan}");
}

/// The database's plan for a query with these values.
async fn plan_of(store: &Db, sql: &str, values: &[Value]) -> String {
    let mut transaction = store.database.begin().await.unwrap();
    let explain = if store.database.is_postgres() {
        // For a few rows a scan is cheaper. What counts is that the index can be used.
        for way in [
            "enable_seqscan",
            "enable_bitmapscan",
            "enable_hashjoin",
            "enable_mergejoin",
        ] {
            let sql = format!("SET LOCAL {way} = off");
            transaction.execute(&sql, &[]).await.unwrap();
        }
        "EXPLAIN"
    } else {
        "EXPLAIN QUERY PLAN"
    };
    let plan = transaction
        .rows(&format!("{explain} {sql}"), values)
        .await
        .unwrap();
    format!("{plan:?}")
}

/// The pages of the list contain all rounds, also one that was imported late, and one of another bot without a match_id.
async fn pages_of_the_round_list_leave_no_round_out(url: &str) {
    let store = &open(url).await;
    for time in ["203000", "200000", "194000"] {
        let arrival = stats_of("Alpha", time, 1, &["A0000001"], 100);
        store.ingest(&[arrival]).await.unwrap();
    }
    let mut transaction = store.database.begin().await.unwrap();
    for sql in [
        "INSERT INTO rounds (round_number, map_name) VALUES (1, 'supply')",
        "INSERT INTO lua_spawn_stats (match_id, round_number, player_guid, round_end_unix) VALUES ('a', 1, 'A0000001', 5)",
        "INSERT INTO lua_spawn_stats (match_id, round_number, player_guid) VALUES ('b', 1, 'A0000001')",
    ] {
        transaction.execute(sql, &[]).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let mut filter = RoundFilter {
        limit: 1,
        ..RoundFilter::default()
    };
    let mut found = Vec::new();
    while let [round] = &store.rounds(&filter).await.unwrap()[..] {
        found.push(round.match_id.clone());
        filter.before = Some(round.id);
    }
    let right = [
        "2026-11-20-203000",
        "2026-11-20-200000",
        "2026-11-20-194000",
        "",
    ];
    assert_eq!(found, right);
    let sql = store.spawns_of_player(&["match_id"], 100);
    let rows = store
        .database
        .rows(&sql, &["A0000001".into()])
        .await
        .unwrap();
    let found: Vec<String> = rows.iter().map(|row| row.get("match_id")).collect();
    assert_eq!(found, ["a", "b"]);
}

/// The pages of a player contain all rounds, also those that do not count, latest first.
async fn pages_of_a_player_leave_no_round_out(url: &str) {
    let store = &open(url).await;
    let season = Season {
        evenings: 70,
        players: 14,
        rounds: 700,
        evenings_with_timelines: 0,
        ..Season::default()
    };
    // Stats files alone, and for half of the evenings both.
    let items = season.evenings().enumerate().flat_map(|(n, rounds)| {
        let files: Vec<_> = rounds.iter().flat_map(RoundFiles::contents).collect();
        let files = files.into_iter();
        files.filter(move |(name, _)| n % 2 == 0 || name.ends_with(".txt"))
    });
    let items = items.map(|(name, bytes)| IngestItem::from_file("ingest", &name, "", bytes));
    store.ingest(&items.collect::<Vec<_>>()).await.unwrap();
    store.refresh_players().await.unwrap();
    let sql = "SELECT DISTINCT player_guid FROM player_comprehensive_stats";
    for row in store.database.rows(sql, &[]).await.unwrap() {
        let guid: String = row.get("player_guid");
        let (mut rounds, mut pages) = (Vec::new(), 1);
        loop {
            let page = store.player_history(&guid, pages).await.unwrap();
            rounds.extend(page.rounds);
            if !page.has_more {
                break;
            }
            pages += 1;
        }
        assert!(pages > 3, "{guid} has {pages} pages");
        assert!(rounds.is_sorted_by_key(|round| std::cmp::Reverse(round.ended_unix)));
        let mut found: Vec<i64> = rounds.iter().filter_map(|round| round.round_id).collect();
        found.sort_unstable();
        let sql = "SELECT p.round_id FROM player_comprehensive_stats p JOIN rounds r ON r.id = p.round_id \
                   WHERE p.player_guid = $1 AND r.round_number IN (1, 2) UNION \
                   SELECT s.round_id FROM lua_spawn_stats s WHERE UPPER(SUBSTR(s.player_guid, 1, 8)) = $1 ORDER BY 1";
        let played = store.database.rows(sql, &[guid.as_str().into()]).await;
        let played = played.unwrap();
        let played: Vec<i64> = played.iter().map(|row| row.get("round_id")).collect();
        assert_eq!(found, played, "{guid}");
    }
}

on_both_databases!(
    pages_of_a_player_leave_no_round_out,
    query_of_a_player_uses_an_index,
    list_of_rounds_uses_an_index,
    query_of_the_audit_uses_an_index,
    query_of_the_evenings_uses_an_index,
    pages_of_the_round_list_leave_no_round_out,
);
