//! One suite for both databases.

mod support;

use gametimes_bot::store::read::RoundFilter;
use gametimes_bot::store::{Arrival, Content, Mark, Store};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as ProptestConfig, RngAlgorithm, TestRng, TestRunner};
use support::postgres::Cluster;
use support::{dump, native_files, sample_files, sqlite};

/// Everything that was written in the matches `stopwatch` and `surrender`: stats files, the old scripts' files and
/// messages, and the module's files.
fn everything() -> Vec<Arrival> {
    let mut arrivals = Vec::new();
    for (name, bytes) in sample_files("gamestats")
        .into_iter()
        .chain(sample_files("gametimes"))
    {
        arrivals.push(Arrival::from_file("ingest", &name, "", bytes));
    }
    for (_, bytes) in sample_files("messages") {
        let message = serde_json::from_slice(&bytes).unwrap();
        let report = gametimes_bot::report::Report::from_message(&message).unwrap();
        arrivals.push(Arrival {
            source: "discord",
            origin: "message".into(),
            server: String::new(),
            content: Content::Report(Box::new(report)),
            marks: Vec::new(),
        });
    }
    for tape in ["stopwatch", "surrender"] {
        for (name, bytes) in native_files(tape) {
            arrivals.push(Arrival::from_file("folder", &name, "", bytes));
        }
    }
    arrivals
}

/// The same files, cut off somewhere: what a reader sees that comes too early.
fn cut(share: usize) -> Vec<Arrival> {
    sample_files("gamestats")
        .into_iter()
        .map(|(name, bytes)| {
            Arrival::from_file("ssh", &name, "", bytes[..bytes.len() * share / 10].to_vec())
        })
        .collect()
}

async fn rounds(store: &Store) -> Vec<(String, i64, Option<i64>, Option<String>)> {
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

async fn samples_link(store: &Store) {
    let applied = store.apply(&everything()).await.unwrap();
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
    let applied = store.apply(&everything()).await.unwrap();
    assert_eq!((applied.new_facts, applied.rounds.len()), (0, 0));
    assert_eq!(dump(store).await, before);
}

async fn ids_stay_when_a_stats_file_comes_late(store: &Store) {
    let all = everything();
    let (stats, reports): (Vec<Arrival>, Vec<Arrival>) = all
        .into_iter()
        .partition(|a| matches!(a.content, Content::Stats(..)));
    store.apply(&reports).await.unwrap();
    let filter = RoundFilter {
        limit: 100,
        ..RoundFilter::default()
    };
    let ends = |list: Vec<gametimes_bot::store::read::RoundSummary>| {
        let mut ends: Vec<_> = list.into_iter().map(|r| (r.id, r.round_end_unix)).collect();
        ends.sort();
        ends
    };
    let before = ends(store.rounds(&filter).await.unwrap());
    store.apply(&stats).await.unwrap();
    assert_eq!(ends(store.rounds(&filter).await.unwrap()), before);
}

async fn marks_only_grow(store: &Store) {
    let arrival = |value| Arrival {
        source: "discord",
        origin: String::new(),
        server: String::new(),
        content: Content::Nothing,
        marks: vec![Mark::Reached {
            name: "x".into(),
            value,
        }],
    };
    store
        .apply(&[arrival(900_000_000_000_000_000), arrival(90)])
        .await
        .unwrap();
    assert_eq!(store.reached("x").await.unwrap(), 900_000_000_000_000_000);
    assert_eq!(store.reached("y").await.unwrap(), 0);
}

async fn refused_things_are_kept_and_counted(store: &Store) {
    let broken = Arrival::from_file("ssh", "gametime-x-R1-5.json", "", b"{\"meta\":\0}".to_vec());
    for _ in 0..3 {
        store.apply(std::slice::from_ref(&broken)).await.unwrap();
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

/// Two servers that play the same map and end rounds in the same second: neither is lost, and neither gets the other's
/// numbers.
async fn two_servers_in_the_same_second(store: &Store) {
    let (name, bytes) = native_files("surrender").remove(0);
    let mut other: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    other["meta"]["server_port"] = "27999".into();
    other["meta"]["event_id"] = "01890a5d-ac96-774b-bcce-b302099a8057".into();
    other["meta"]["stats_file"] = serde_json::Value::Null;
    let arrivals = [
        Arrival::from_file("folder", &name, "", bytes),
        Arrival::from_file("folder", &name, "", serde_json::to_vec(&other).unwrap()),
    ];
    store.apply(&arrivals).await.unwrap();
    let found = rounds(store).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].0, "2026-11-20-125043");
    assert_eq!(found[1].0, "2026-11-20-125043.2");
}

/// A stats file between two reports of unknown servers stays unlinked, shows why, and links when one of them turns out to
/// belong to another file.
async fn a_tie_stays_unlinked(store: &Store) {
    let (name, bytes) = sample_files("gametimes").remove(0);
    let twin = |port: &str| {
        let mut file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        file["meta"]["server_port"] = port.into();
        Arrival::from_file("folder", &name, "", serde_json::to_vec(&file).unwrap())
    };
    let stats = sample_files("gamestats")
        .into_iter()
        .find(|(n, _)| n.contains("125046"))
        .unwrap();
    let stats = Arrival::from_file("folder", &stats.0, "", stats.1);
    store.apply(&[twin("1"), twin("2"), stats]).await.unwrap();
    let sql = "SELECT COUNT(*), COUNT(round_id) FROM lua_round_teams";
    let row = store.database.row(sql, &[]).await.unwrap().unwrap();
    assert_eq!((row.int(0), row.int(1)), (Some(2), Some(0)));
    let found = rounds(store).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let status = gametimes_bot::status::Status::default();
    let shown = gametimes_bot::api::diagnostics::lua_webhook(store, &status).await;
    assert_eq!(shown.errors, Vec::<String>::new());
    assert_eq!(shown.linkage_health.status, "poor");
    assert!(
        shown.orphans[0].reason.contains("fit equally well"),
        "{shown:?}"
    );
}

macro_rules! suite {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let folder = tempfile::tempdir().unwrap();
                super::$test(&sqlite(&folder).await).await;
            })*
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn on_postgres() {
            let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
            $({
                let store = Store::open(&cluster.database(), TimeZone::UTC).await.unwrap();
                self::$test(&store).await;
                store.database.close().await;
            })*
            both_databases_hold_the_same(&cluster).await;
            orders(&Store::open(&cluster.database(), TimeZone::UTC).await.unwrap(), 40).await;
        }
    };
}

suite!(
    samples_link,
    ids_stay_when_a_stats_file_comes_late,
    marks_only_grow,
    refused_things_are_kept_and_counted,
    two_servers_in_the_same_second,
    a_tie_stays_unlinked,
);

async fn both_databases_hold_the_same(cluster: &Cluster) {
    let folder = tempfile::tempdir().unwrap();
    let one = sqlite(&folder).await;
    let other = Store::open(&cluster.database(), TimeZone::UTC)
        .await
        .unwrap();
    one.apply(&everything()).await.unwrap();
    other.apply(&everything()).await.unwrap();
    assert_eq!(dump(&one).await, dump(&other).await);
}

async fn clear(store: &Store) {
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

/// Whatever the order, however often, however cut, and with restarts in between: the same rows.
async fn orders(store: &Store, cases: u32) {
    let mut pool = everything();
    let whole = pool.len();
    pool.extend(cut(7));
    pool.extend(cut(3));
    clear(store).await;
    store.apply(&everything()).await.unwrap();
    let expected = dump(store).await;
    let indices: Vec<usize> = (0..pool.len()).collect();
    // The order, how many are stored at a time, which come twice.
    let strategy = (
        Just(indices).prop_shuffle(),
        1..12_usize,
        prop::collection::vec(0..pool.len(), 0..8),
    );
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    for case in 0..cases {
        let (mut order, at_a_time, again) = strategy.new_tree(&mut runner).unwrap().current();
        // Some cut files never come.
        order.retain(|i| *i < whole || !again.contains(i));
        order.extend(again.into_iter().filter(|i| *i < whole));
        clear(store).await;
        for chunk in order.chunks(at_a_time) {
            let arrivals: Vec<Arrival> = chunk.iter().map(|i| pool[*i].clone()).collect();
            store.apply(&arrivals).await.unwrap();
        }
        let found = dump(store).await;
        if found != expected {
            let pairs = found
                .lines()
                .zip(expected.lines())
                .filter(|(a, b)| a != b)
                .take(3);
            let difference: Vec<_> = pairs.collect();
            panic!("case {case}, order {order:?} in steps of {at_a_time}: {difference:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_orders_give_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    orders(&store, 1000).await;
}
