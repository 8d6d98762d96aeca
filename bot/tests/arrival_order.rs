//! The rows depend on the facts alone: not on their order, on repetitions, on restarts or on the database.

use std::task::Poll;

use gametimes_bot::db::migrations::columns_of;
use gametimes_bot::db::{Db, IngestItem};
use gametimes_test_support::bot::databases::{create_website_tables, dump};
use gametimes_test_support::bot::items::everything;
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::{config_in, open, sqlite};
use gametimes_test_support::on_both_databases;
use gametimes_test_support::samples::sample_files;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as ProptestConfig, RngAlgorithm, TestRng, TestRunner};

/// The same files, truncated, as a reader sees them that comes too early.
fn cut(share: usize) -> Vec<IngestItem> {
    sample_files("gamestats")
        .into_iter()
        .map(|(name, bytes)| {
            IngestItem::from_file("ssh", &name, "", bytes[..bytes.len() * share / 10].to_vec())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_store_the_same_rows() {
    let cluster = Cluster::shared();
    let folder = tempfile::tempdir().unwrap();
    let one = sqlite(&folder).await;
    let other = open(&cluster.database()).await;
    one.ingest(&everything()).await.unwrap();
    other.ingest(&everything()).await.unwrap();
    assert_eq!(dump(&one).await, dump(&other).await);
}

async fn clear(store: &Db) {
    let mut transaction = store.database.begin().await.unwrap();
    let website = ["weapon_comprehensive_stats", "player_aliases"];
    let columns = columns_of(&store.database, &website).await.unwrap();
    let website = website
        .into_iter()
        .filter(|table| !columns[*table].is_empty());
    for table in website.chain([
        "gametimes_facts",
        "gametimes_groups",
        "gametimes_rejected",
        "lua_spawn_stats",
        "lua_round_teams",
        "player_comprehensive_stats",
        "rounds",
    ]) {
        transaction
            .execute(&format!("DELETE FROM {table}"), &[])
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
}

/// An event between two batches.
#[derive(Debug, Clone, Copy)]
enum Break {
    /// The bot stops and starts again.
    Restart,
    /// The transaction of the next batch is dropped after this many steps, as if the bot were killed. Then it starts again,
    /// and the batch arrives again.
    Cut(usize),
}

/// Stores everything in random orders, with repetitions, truncated files and restarts, and expects the same rows each time.
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
    let breaks = prop_oneof![1 => Just(Break::Restart), 2 => (0..8_usize).prop_map(Break::Cut)];
    // The order, the size of a batch, the items that come twice, and the events before batches.
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
        // Some truncated files never come.
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

/// Polls a future this many times and drops it. Returns whether it was complete before.
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

async fn any_order_with_restarts_gives_the_same_rows(url: &str) {
    orders(url, 40, 9).await;
}

async fn any_order_gives_the_same_rows_in_the_tables_of_a_website(url: &str) {
    let store = open(url).await;
    create_website_tables(&store).await;
    store.database.close().await;
    orders(url, 40, 10).await;
    let store = open(url).await;
    let before = dump(&store).await;
    assert!(before.contains("WS_THOMPSON"), "{before}");
    store.rebuild(|_, _| {}).await.unwrap();
    assert_eq!(dump(&store).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousand_orders_give_the_same_rows() {
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

on_both_databases!(
    any_order_with_restarts_gives_the_same_rows,
    any_order_gives_the_same_rows_in_the_tables_of_a_website,
);
