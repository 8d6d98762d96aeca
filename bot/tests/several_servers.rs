//! Rounds of several servers in one database, and which round 1 a round 2 is counted from.

use gametimes_bot::db::round_list::RoundFilter;
use gametimes_bot::db::{Db, IngestItem};
use gametimes_rounds::reconcile::unix_of;
use gametimes_test_support::bot::items::stats_of;
use gametimes_test_support::bot::open;
use gametimes_test_support::on_both_databases;
use gametimes_test_support::samples::native_files;
use jiff::tz::TimeZone;

/// The ids of all rounds, sorted.
async fn match_ids(store: &Db) -> Vec<String> {
    let filter = RoundFilter {
        limit: 100,
        ..RoundFilter::default()
    };
    let rounds = store.rounds(&filter).await.unwrap();
    let mut ids: Vec<_> = rounds.into_iter().map(|round| round.match_id).collect();
    ids.sort();
    ids
}

/// Two servers play the same map and end rounds in the same second: neither round is lost, and neither gets the
/// other's numbers.
async fn rounds_of_two_servers_in_the_same_second_are_two_rounds(url: &str) {
    let store = &open(url).await;
    let (name, bytes) = native_files("surrender").remove(0);
    let mut other: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    other["meta"]["server_port"] = "27999".into();
    other["meta"]["event_id"] = "01890a5d-ac96-774b-bcce-b302099a8057".into();
    other["meta"]["stats_file"] = serde_json::Value::Null;
    let arrivals = [
        IngestItem::from_file("folder", &name, "", bytes),
        IngestItem::from_file("folder", &name, "", serde_json::to_vec(&other).unwrap()),
    ];
    store.ingest(&arrivals).await.unwrap();
    let found = match_ids(store).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0], "2026-11-20-125043");
    assert_eq!(found[1], "2026-11-20-125043.2");
}

/// Two rounds end at the same local time in two time zones, two hours apart: neither overwrites the other.
async fn same_local_time_in_two_time_zones_is_two_rounds(url: &str) {
    let store = &open(url).await;
    let (name, bytes) = native_files("surrender").remove(0);
    let of = |port: &str, event: &str, offset: i64| {
        let mut file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let meta = &mut file["meta"];
        meta["server_port"] = port.into();
        meta["event_id"] = event.into();
        meta["stats_file"] = serde_json::Value::Null;
        meta["utc_offset_seconds"] = offset.into();
        meta["round_canonical_id"] = "".into();
        let later = |time: &serde_json::Value| (time.as_i64().unwrap() - offset).into();
        for key in ["round_start_unix", "round_end_unix"] {
            meta[key] = later(&meta[key]);
        }
        for pause in meta["pauses"].as_array_mut().unwrap() {
            for key in ["start", "end"] {
                pause[key] = later(&pause[key]);
            }
        }
        IngestItem::from_file("folder", &name, "", serde_json::to_vec(&file).unwrap())
    };
    for arrival in [of("1", "a", 0), of("2", "b", 7200), of("1", "a", 0)] {
        let applied = store.ingest(&[arrival]).await.unwrap();
        assert_eq!(applied.rejected, 0);
    }
    assert_eq!(
        match_ids(store).await,
        ["2026-11-20-125043", "2026-11-20-125043.2"]
    );
    let sql = "SELECT COUNT(DISTINCT round_id) AS rounds, COUNT(*) AS players FROM lua_spawn_stats";
    let row = store.database.row(sql, &[]).await.unwrap().unwrap();
    let counts: (i64, i64) = (row.get("rounds"), row.get("players"));
    assert_eq!(counts, (2, 24));
}

/// Servers with ET:Legacy's default net_ip have the same address. Two of their rounds that end in the same second
/// remain two.
async fn servers_with_the_same_address_in_the_same_second_are_two_rounds(url: &str) {
    let store = &open(url).await;
    let (name, bytes) = native_files("surrender").remove(0);
    let mut other: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    other["meta"]["server_hostname"] = "Beta".into();
    other["meta"]["event_id"] = "01890a5d-ac96-774b-bcce-b302099a8057".into();
    other["meta"]["stats_file"] = serde_json::Value::Null;
    let arrivals = [
        IngestItem::from_file("folder", &name, "", bytes),
        IngestItem::from_file("folder", &name, "", serde_json::to_vec(&other).unwrap()),
    ];
    store.ingest(&arrivals).await.unwrap();
    assert_eq!(match_ids(store).await.len(), 2);
}

/// For each round, by the time in the name of its stats file: the first player's damage and flags, and the round's flags.
async fn damage_in(store: &Db) -> Vec<(String, i64, String, String)> {
    let sql = "SELECT r.round_time, MIN(p.damage_given) AS damage, MIN(p.gametimes_flags) AS player_flags, r.gametimes_flags FROM rounds r \
               JOIN player_comprehensive_stats p ON p.round_id = r.id GROUP BY r.id, r.round_time, r.gametimes_flags \
               ORDER BY r.round_time, r.id";
    let rows = store.database.rows(sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| {
            let flags = (row.get("player_flags"), row.get("gametimes_flags"));
            (row.get("round_time"), row.get("damage"), flags.0, flags.1)
        })
        .collect()
}

const ORPHAN: &str = "orphan: round 1 of this round 2 is missing";

fn expected(rows: &[(&str, i64, &str, &str)]) -> Vec<(String, i64, String, String)> {
    rows.iter()
        .map(|(time, damage, of_player, of_round)| {
            (
                (*time).into(),
                *damage,
                (*of_player).into(),
                (*of_round).into(),
            )
        })
        .collect()
}

/// Two servers play the same map at the same time, and players switch between them. No setting names the servers.
async fn round_2_is_counted_from_round_1_of_the_same_server(url: &str) {
    let store = &open(url).await;
    let arrivals = [
        stats_of("Alpha", "194000", 1, &["A0000001", "A0000002"], 100),
        stats_of("Beta", "195000", 1, &["A0000002", "B0000001"], 70),
        stats_of("Alpha", "195500", 2, &["A0000001", "A0000002"], 150),
    ];
    store.ingest(&arrivals).await.unwrap();
    let found = damage_in(store).await;
    let right = [
        ("194000", 100, "", ""),
        ("195000", 70, "", ""),
        ("195500", 50, "", ""),
    ];
    assert_eq!(found, expected(&right));
}

/// Both servers have the same name, and players switch between them. The reports that name the stats files show the server.
async fn stats_file_belongs_to_the_server_whose_report_names_it(url: &str) {
    let store = &open(url).await;
    let (_, bytes) = native_files("surrender").remove(0);
    let report = |port: &str, time: &str, round: u8| {
        let mut file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let meta = &mut file["meta"];
        let start = meta["round_start_unix"].as_i64().unwrap();
        let end = unix_of(&format!("2026-11-20-{time}"), &TimeZone::UTC).unwrap();
        let later = end - meta["round_end_unix"].as_i64().unwrap();
        meta["round_start_unix"] = (start + later).into();
        meta["round_end_unix"] = end.into();
        meta["pauses"] = serde_json::json!([]);
        meta["event_id"] = format!("{port} {time}").into();
        meta["round_canonical_id"] = "".into();
        meta["server_port"] = port.into();
        meta["map"] = "supply".into();
        meta["round"] = round.into();
        meta["stats_file"] = format!("2026-11-20-{time}-supply-round-{round}.txt").into();
        let bytes = serde_json::to_vec(&file).unwrap();
        IngestItem::from_file("folder", "gametime-supply-R1-1.json", "", bytes)
    };
    let arrivals = [
        report("27960", "194000", 1),
        report("27970", "195000", 1),
        report("27960", "195500", 2),
        stats_of("ETLHost", "194000", 1, &["A0000001"], 100),
        stats_of("ETLHost", "195000", 1, &["A0000001"], 70),
        stats_of("ETLHost", "195500", 2, &["A0000001"], 150),
    ];
    assert_eq!(store.ingest(&arrivals).await.unwrap().rejected, 0);
    let damage: Vec<(String, i64)> = damage_in(store)
        .await
        .into_iter()
        .map(|d| (d.0, d.1))
        .collect();
    let right = [("194000", 100), ("195000", 70), ("195500", 50)];
    assert_eq!(
        damage,
        right.map(|(time, damage)| (time.to_owned(), damage))
    );
}

/// The servers have the same name, so only the players distinguish them. Without a common player, nothing is subtracted.
async fn round_2_with_other_players_is_an_orphan(url: &str) {
    let store = &open(url).await;
    let arrivals = [
        stats_of("ETLHost", "195000", 1, &["B0000001"], 70),
        stats_of("ETLHost", "195500", 2, &["A0000001"], 150),
    ];
    store.ingest(&arrivals).await.unwrap();
    let right = [
        ("195000", 70, "", ""),
        ("195500", 150, "cumulative", ORPHAN),
    ];
    assert_eq!(damage_in(store).await, expected(&right));
    store
        .ingest(&[stats_of("ETLHost", "194000", 1, &["A0000001"], 100)])
        .await
        .unwrap();
    let right = [
        ("194000", 100, "", ""),
        ("195000", 70, "", ""),
        ("195500", 50, "", ""),
    ];
    assert_eq!(damage_in(store).await, expected(&right));
}

/// A map is played twice, and the stats file of the second round 1 is missing. The first round 1 does not replace it.
async fn second_match_on_a_map_is_not_counted_from_the_first(url: &str) {
    let store = &open(url).await;
    let arrivals = [
        stats_of("Alpha", "200000", 1, &["A0000001"], 100),
        stats_of("Alpha", "201000", 2, &["A0000001"], 150),
        stats_of("Alpha", "203000", 2, &["A0000001"], 300),
    ];
    store.ingest(&arrivals).await.unwrap();
    let right = [
        ("200000", 100, "", ""),
        ("201000", 50, "", ""),
        ("203000", 300, "cumulative", ORPHAN),
    ];
    assert_eq!(damage_in(store).await, expected(&right));
}

/// Two servers write files of the same name: these are two rounds, not two versions of one.
async fn files_with_the_same_name_from_two_servers_are_two_rounds(url: &str) {
    let store = &open(url).await;
    let arrivals = [
        stats_of("Alpha", "194000", 1, &["A0000001"], 100),
        stats_of("Beta", "194000", 1, &["B0000001", "B0000002"], 70),
    ];
    store.ingest(&arrivals).await.unwrap();
    let mut damage: Vec<i64> = damage_in(store).await.into_iter().map(|d| d.1).collect();
    damage.sort_unstable();
    assert_eq!(damage, [70, 100]);
}

on_both_databases!(
    rounds_of_two_servers_in_the_same_second_are_two_rounds,
    same_local_time_in_two_time_zones_is_two_rounds,
    servers_with_the_same_address_in_the_same_second_are_two_rounds,
    round_2_is_counted_from_round_1_of_the_same_server,
    stats_file_belongs_to_the_server_whose_report_names_it,
    round_2_with_other_players_is_an_orphan,
    second_match_on_a_map_is_not_counted_from_the_first,
    files_with_the_same_name_from_two_servers_are_two_rounds,
);
