//! One suite for both databases.

mod support;

use std::task::Poll;

use gametimes_bot::db::rounds::RoundFilter;
use gametimes_bot::db::value::{Row, Value};
use gametimes_bot::db::{Checkpoint, Content, Db, IngestItem};
use gametimes_bot::files::ingest::ingest;
use gametimes_rounds::reconcile::unix_of;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as ProptestConfig, RngAlgorithm, TestRng, TestRunner};
use support::postgres::Cluster;
use support::{config_in, dump, native_files, sample_files, sqlite};

/// Everything that was written in the matches `stopwatch` and `surrender`: stats files, the old scripts' files and
/// messages, and the module's files.
fn everything() -> Vec<IngestItem> {
    let mut arrivals = Vec::new();
    for (name, bytes) in sample_files("gamestats")
        .into_iter()
        .chain(sample_files("gametimes"))
    {
        arrivals.push(IngestItem::from_file("ingest", &name, "", bytes));
    }
    for (_, bytes) in sample_files("messages") {
        let message = serde_json::from_slice(&bytes).unwrap();
        let report = gametimes_rounds::report::Report::from_message(&message).unwrap();
        arrivals.push(IngestItem {
            source: "discord",
            origin: "message".into(),
            server: String::new(),
            content: Content::Report(Box::new(report)),
            checkpoints: Vec::new(),
        });
    }
    for tape in ["stopwatch", "surrender"] {
        for (name, bytes) in native_files(tape) {
            arrivals.push(IngestItem::from_file("folder", &name, "", bytes));
        }
    }
    arrivals
}

/// The same files, cut off somewhere: what a reader sees that comes too early.
fn cut(share: usize) -> Vec<IngestItem> {
    sample_files("gamestats")
        .into_iter()
        .map(|(name, bytes)| {
            IngestItem::from_file("ssh", &name, "", bytes[..bytes.len() * share / 10].to_vec())
        })
        .collect()
}

async fn open(url: &str) -> Db {
    Db::open(url, TimeZone::UTC).await.unwrap()
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

async fn samples_link(url: &str) {
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
                "2026-11-20-123531".into(),
                2,
                Some(39_950),
                file("2026-11-20-123531-room2-round-2.txt")
            ),
            // The scripts named it round 2; the module knows better.
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
                "2026-11-20-125123".into(),
                2,
                Some(2_000),
                file("2026-11-20-125123-room1-round-1.txt")
            ),
        ]
    );
    let sql = "SELECT COUNT(*), COUNT(round_id) FROM lua_round_teams";
    let row = store.database.row(sql, &[]).await.unwrap().unwrap();
    assert_eq!((row.int(0), row.int(1)), (Some(5), Some(5)));
    let sql = "SELECT COUNT(*), COUNT(round_id) FROM lua_spawn_stats";
    let row = store.database.row(sql, &[]).await.unwrap().unwrap();
    assert_eq!((row.int(0), row.int(1)), (Some(60), Some(60)));
    let sql =
        "SELECT COUNT(*) FROM player_comprehensive_stats p JOIN rounds r ON r.id = p.round_id";
    assert_eq!(
        store.database.row(sql, &[]).await.unwrap().unwrap().int(0),
        Some(60)
    );
    // The file's own values are kept beside the true ones.
    let sql = "SELECT actual_duration_seconds, stats_duration_seconds, stats_playtime_ms, end_reason, winner_team, \
               total_pause_seconds, round_status FROM rounds WHERE match_id = '2026-11-20-125046'";
    let row = store.database.row(sql, &[]).await.unwrap().unwrap();
    assert_eq!(
        (row.int(0), row.int(1), row.int(2)),
        (Some(54), Some(180), Some(54_285))
    );
    assert_eq!(
        (row.text(3), row.int(4), row.int(5)),
        (Some("surrender"), Some(1), Some(16))
    );
    // Everything again changes nothing.
    let before = dump(store).await;
    let applied = store.ingest(&everything()).await.unwrap();
    assert_eq!((applied.new_facts, applied.rounds.len()), (0, 0));
    assert_eq!(dump(store).await, before);
}

async fn ids_stay_when_a_stats_file_comes_late(url: &str) {
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

async fn marks_only_grow(url: &str) {
    let store = &open(url).await;
    let arrival = |value| IngestItem {
        source: "discord",
        origin: String::new(),
        server: String::new(),
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
    assert_eq!(store.reached("x").await.unwrap(), 900_000_000_000_000_000);
    assert_eq!(store.reached("y").await.unwrap(), 0);
}

async fn refused_things_are_kept_and_counted(url: &str) {
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

/// A reason quotes what came: a thousand characters of three bytes each, which no compression makes shorter.
async fn a_long_reason_is_cut(url: &str) {
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
        content: Content::Rejected {
            reason: reason.clone(),
            excerpt: reason.clone(),
        },
        checkpoints: Vec::new(),
    };
    store.ingest_or_reject(&[rejected]).await.unwrap();
    let kept = store.rejected(10).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert!(reason.starts_with(&kept[0].reason) && kept[0].reason.chars().count() == 300);
}

/// Two servers that play the same map and end rounds in the same second: neither is lost, and neither gets the other's
/// numbers.
async fn two_servers_in_the_same_second(url: &str) {
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
    let found = rounds(store).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].0, "2026-11-20-125043");
    assert_eq!(found[1].0, "2026-11-20-125043.2");
}

/// It is the same local time at two servers, two hours apart: neither round overwrites the other.
async fn the_same_local_time_in_two_zones_is_two_rounds(url: &str) {
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
    let found: Vec<String> = rounds(store).await.into_iter().map(|r| r.0).collect();
    assert_eq!(found, ["2026-11-20-125043", "2026-11-20-125043.2"]);
    let sql = "SELECT COUNT(DISTINCT round_id), COUNT(*) FROM lua_spawn_stats";
    let row = store.database.row(sql, &[]).await.unwrap().unwrap();
    assert_eq!((row.int(0), row.int(1)), (Some(2), Some(24)));
}

/// A stats file of a server, in which each player has given this much damage so far.
fn stats_of(host: &str, time: &str, round: u8, guids: &[&str], damage: i64) -> IngestItem {
    let mut text = format!("{host}\\supply\\config\\{round}\\1\\2\\20:00\\10:00\\600000\n");
    for guid in guids {
        let fields = "\t0".repeat(37);
        text.push_str(&format!("{guid}\\player\\0\\1\\0 \t{damage}{fields}\n"));
    }
    let name = format!("2026-11-20-{time}-supply-round-{round}.txt");
    IngestItem::from_file("ssh", &name, "", text.into_bytes())
}

/// By the time in the name of the stats file: the first player's damage and flags, and the round's flags.
async fn damage_in(store: &Db) -> Vec<(String, i64, String, String)> {
    let sql = "SELECT r.match_id, MIN(p.damage_given), MIN(p.gametimes_flags), r.gametimes_flags FROM rounds r \
               JOIN player_comprehensive_stats p ON p.round_id = r.id GROUP BY r.id, r.match_id, r.gametimes_flags \
               ORDER BY r.match_id";
    let rows = store.database.rows(sql, &[]).await.unwrap();
    let time = |row: &Row| row.string(0)[11..].to_owned();
    rows.iter()
        .map(|row| (time(row), row.int(1).unwrap(), row.string(2), row.string(3)))
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

/// Two servers play the same map at the same time, with players who change between them. No setting tells the servers.
async fn a_round_2_counts_on_from_its_own_servers_round_1(url: &str) {
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

/// Both servers have one name, and players change between them; the reports that name the stats files tell the servers.
async fn a_stats_file_is_of_the_server_whose_report_names_it(url: &str) {
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

/// The servers have even the same name: who played tells them apart, and without a player in common nothing is subtracted.
async fn a_round_2_of_other_players_is_an_orphan(url: &str) {
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

/// A map is played twice, and the stats file of the second round 1 is missing: the first one is not it.
async fn a_map_played_twice_does_not_count_on_from_the_first_time(url: &str) {
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

/// Two servers write files of one name: they are two rounds, not two versions of one.
async fn files_of_one_name_from_two_servers_are_two_rounds(url: &str) {
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

/// Hosts with ET:Legacy's default net_ip have one address: their rounds that end in the same second stay two.
async fn two_servers_of_one_address_in_the_same_second(url: &str) {
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
    assert_eq!(rounds(store).await.len(), 2);
}

/// A stats file between two reports of unknown servers stays unlinked, shows why, and links when one of them turns out to
/// belong to another file.
async fn a_tie_stays_unlinked(url: &str) {
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
    let sql = "SELECT COUNT(*), COUNT(round_id) FROM lua_round_teams";
    let row = store.database.row(sql, &[]).await.unwrap().unwrap();
    assert_eq!((row.int(0), row.int(1)), (Some(2), Some(0)));
    let found = rounds(store).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let status = gametimes_bot::status::Status::default();
    let shown = gametimes_bot::db::diagnostics::lua_webhook(store, &status).await;
    assert_eq!(shown.errors, Vec::<String>::new());
    assert_eq!(shown.linkage_health.status, "poor");
    assert!(
        shown.orphans[0].reason.contains("fit equally well"),
        "{shown:?}"
    );
}

/// A fact that cannot be read any more does not make the bot refuse what comes around it.
async fn an_unreadable_fact_stops_nobody(url: &str) {
    let store = &open(url).await;
    store.ingest(&everything()[..1]).await.unwrap();
    let mut transaction = store.database.begin().await.unwrap();
    let sql = "UPDATE gametimes_facts SET body = $1 WHERE kind = 'stats'";
    let garbage = Value::from(b"no stats file".to_vec());
    assert_eq!(transaction.execute(sql, &[garbage]).await.unwrap(), 1);
    transaction.commit().await.unwrap();
    let applied = store.ingest(&everything()[1..]).await.unwrap();
    assert_eq!((applied.new_facts, applied.rejected), (15, 0));
    // The row that was made of it stays; the report that named it stands alone.
    assert_eq!(rounds(store).await.len(), 6);
}

/// What the database itself refuses is rejected alone, and told.
async fn what_the_database_refuses_stops_nobody(url: &str) {
    let store = &open(url).await;
    let mut transaction = store.database.begin().await.unwrap();
    let sql = "CREATE UNIQUE INDEX one_round_a_map ON rounds (map_name)";
    transaction.execute(sql, &[]).await.unwrap();
    transaction.commit().await.unwrap();
    let paths = [support::samples().join("gamestats")];
    let done = ingest(store, &paths, "", false).await.unwrap();
    assert_eq!(
        (done.files, done.new, done.refused.len()),
        (5, 2, 3),
        "{done}"
    );
    assert_eq!(rounds(store).await.len(), 2);
    assert_eq!(store.rejected(10).await.unwrap().len(), 3);
}

/// The statement behind a player's page finds its rows by an index.
async fn a_player_is_found_by_an_index(url: &str) {
    let store = &open(url).await;
    store.ingest(&everything()).await.unwrap();
    store.analyze().await.unwrap();
    let sql = store.spawns_of_player(&["match_id"]);
    let found = async |guid: &str| {
        let rows = store.database.rows(&sql, &[guid.into()]).await.unwrap();
        rows.len()
    };
    assert_eq!(
        (found("a0000003").await, found("A0000003FFFF").await),
        (5, 5)
    );
    assert_eq!((found("A000000").await, found("name:0").await), (0, 0));
    let plan = plan_of(store, &sql, "A0000003".into()).await;
    assert!(plan.contains("idx_lua_spawn_stats_player"), "{plan}");
    assert!(
        !plan.contains("TEMP B-TREE") && !plan.contains("Sort"),
        "{plan}"
    );
}

/// Read with a wrong time zone, nothing fits; with the right one all rows are as if it had been right from the start.
async fn a_wrong_time_zone_can_be_set_right(url: &str) {
    let five_hours = TimeZone::fixed(jiff::tz::offset(5));
    let wrong = Db::open(url, five_hours).await.unwrap();
    // The scripts' files and messages name no stats file, so times tell what belongs together.
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
    // Again it changes nothing.
    let before = dump(store).await;
    store.rebuild(|_, _| ()).await.unwrap();
    assert_eq!(dump(store).await, before);
}

/// Page by page all rounds come, also one that was read in late and one of another bot without a match_id.
async fn pages_of_rounds_leave_none_out(url: &str) {
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
    let sql = store.spawns_of_player(&["match_id"]);
    let rows = store
        .database
        .rows(&sql, &["A0000001".into()])
        .await
        .unwrap();
    let found: Vec<String> = rows.iter().map(|row| row.string(0)).collect();
    assert_eq!(found, ["a", "b"]);
}

/// The statement behind the audit finds each row's player by an index.
async fn the_audit_finds_players_by_an_index(url: &str) {
    let store = &open(url).await;
    store.ingest(&everything()).await.unwrap();
    store.analyze().await.unwrap();
    let sql = gametimes_bot::db::audit::players_of_spawns(store);
    let plan = plan_of(store, &sql, 1000.into()).await;
    assert!(plan.contains("idx_player_stats_guid8"), "{plan}");
}

/// How the database carries out a statement with one value.
async fn plan_of(store: &Db, sql: &str, value: Value) -> String {
    let mut transaction = store.database.begin().await.unwrap();
    let explain = if store.database.is_postgres() {
        // Of a few rows a scan is cheaper; what counts is that the index can be used.
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
        .rows(&format!("{explain} {sql}"), &[value])
        .await
        .unwrap();
    format!("{plan:?}")
}

/// The stats file of a round that a shutdown cut off after 3 s sets a time of 98 minutes, where the limit is 2.
async fn ninety_eight_minutes_are_no_duration(url: &str) {
    let store = &open(url).await;
    store.ingest(&everything()).await.unwrap();
    let sql = "SELECT actual_duration_seconds, stats_duration_seconds, stats_playtime_ms, actual_time, gametimes_flags \
               FROM rounds WHERE match_id = '2026-11-20-123609'";
    let row = store.database.row(sql, &[]).await.unwrap().unwrap();
    assert_eq!(
        (row.int(0), row.int(1), row.int(2), row.text(3)),
        (Some(3), None, Some(-245_893), Some("98:00"))
    );
    let flags = row.string(4);
    assert!(
        flags.contains("sets a time of 98:00 where the limit is 2:00"),
        "{flags}"
    );
}

on_both_databases!(
    samples_link,
    ids_stay_when_a_stats_file_comes_late,
    marks_only_grow,
    refused_things_are_kept_and_counted,
    a_long_reason_is_cut,
    two_servers_in_the_same_second,
    the_same_local_time_in_two_zones_is_two_rounds,
    two_servers_of_one_address_in_the_same_second,
    a_round_2_counts_on_from_its_own_servers_round_1,
    a_stats_file_is_of_the_server_whose_report_names_it,
    a_round_2_of_other_players_is_an_orphan,
    a_map_played_twice_does_not_count_on_from_the_first_time,
    files_of_one_name_from_two_servers_are_two_rounds,
    a_tie_stays_unlinked,
    an_unreadable_fact_stops_nobody,
    what_the_database_refuses_stops_nobody,
    a_player_is_found_by_an_index,
    the_audit_finds_players_by_an_index,
    pages_of_rounds_leave_none_out,
    a_wrong_time_zone_can_be_set_right,
    ninety_eight_minutes_are_no_duration,
    the_bot_may_restart_in_any_order,
);

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_hold_the_same() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let one = sqlite(&folder).await;
    let other = open(&cluster.database()).await;
    one.ingest(&everything()).await.unwrap();
    other.ingest(&everything()).await.unwrap();
    assert_eq!(dump(&one).await, dump(&other).await);
}

async fn clear(store: &Db) {
    let mut transaction = store.database.begin().await.unwrap();
    for table in [
        "gametimes_facts",
        "gametimes_groups",
        "gametimes_rejected",
        "lua_spawn_stats",
        "lua_round_teams",
        "player_comprehensive_stats",
        "rounds",
    ] {
        transaction
            .execute(&format!("DELETE FROM {table}"), &[])
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
}

/// What happens between two batches.
#[derive(Debug, Clone, Copy)]
enum Break {
    /// The bot ends in order and starts again.
    Restart,
    /// The transaction of the next batch is dropped after so many steps, as when the bot is killed in it; then it starts
    /// again, and what was not confirmed comes once more.
    Cut(usize),
}

/// Whatever the order, however often, however cut, and with restarts in between: the same rows.
async fn orders(url: &str, cases: u32, seed: u8) {
    let mut store = open(url).await;
    let mut pool = everything();
    let whole = pool.len();
    pool.extend(cut(7));
    pool.extend(cut(3));
    clear(&store).await;
    store.ingest(&everything()).await.unwrap();
    let expected = dump(&store).await;
    let indices: Vec<usize> = (0..pool.len()).collect();
    let breaks = prop_oneof![1 => Just(Break::Restart), 2 => (0..16_usize).prop_map(Break::Cut)];
    // The order, how many are stored at a time, which come twice, what happens before which batch.
    let strategy = (
        Just(indices).prop_shuffle(),
        1..12_usize,
        prop::collection::vec(0..pool.len(), 0..8),
        prop::collection::btree_map(0..8_usize, breaks, 0..3),
    );
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let (mut restarts, mut cut_short) = (0, 0);
    for case in 0..cases {
        let (mut order, at_a_time, again, breaks) =
            strategy.new_tree(&mut runner).unwrap().current();
        // Some cut files never come.
        order.retain(|i| *i < whole || !again.contains(i));
        order.extend(again.into_iter().filter(|i| *i < whole));
        clear(&store).await;
        for (n, chunk) in order.chunks(at_a_time).enumerate() {
            let arrivals: Vec<IngestItem> = chunk.iter().map(|i| pool[*i].clone()).collect();
            if let Some(what) = breaks.get(&n) {
                if let Break::Cut(steps) = what {
                    let finished = steps_of(store.ingest(&arrivals), *steps).await;
                    cut_short += u32::from(!finished);
                }
                store.database.close().await;
                store = open(url).await;
                restarts += 1;
            }
            store.ingest(&arrivals).await.unwrap();
        }
        let found = dump(&store).await;
        if found != expected {
            let pairs = found
                .lines()
                .zip(expected.lines())
                .filter(|(a, b)| a != b)
                .take(3);
            let difference: Vec<_> = pairs.collect();
            panic!(
                "case {case} of {seed}, order {order:?} in steps of {at_a_time}, {breaks:?}: {difference:#?}"
            );
        }
    }
    assert!(
        restarts > cases / 4 && cut_short > cases / 20,
        "{restarts} restarts, {cut_short} cuts in {cases} cases"
    );
    store.database.close().await;
}

/// Takes a future so many steps far and drops it; tells whether it was over before.
async fn steps_of<T>(future: impl Future<Output = T>, steps: usize) -> bool {
    let mut future = std::pin::pin!(future);
    let mut taken = 0;
    std::future::poll_fn(move |context| {
        if taken >= steps {
            return Poll::Ready(false);
        }
        taken += 1;
        future.as_mut().poll(context).map(|_| true)
    })
    .await
}

async fn the_bot_may_restart_in_any_order(url: &str) {
    orders(url, 40, 9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_orders_give_the_same_rows() {
    let parts = (0..4).map(|seed| {
        tokio::spawn(async move {
            let folder = tempfile::tempdir().unwrap();
            orders(config_in(&folder).database_url.reveal(), 250, seed).await;
        })
    });
    for part in parts.collect::<Vec<_>>() {
        part.await.unwrap();
    }
}
