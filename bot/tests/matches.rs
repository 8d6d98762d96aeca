//! Matches and evenings on both databases: the seven stopwatch matches, played through the module.

use gametimes_bot::db::matches::MatchInSeries;
use gametimes_bot::db::{Db, IngestItem};
use gametimes_format::GametimesFile;
use gametimes_rounds::matches::{Evening, MatchResult};
use gametimes_standin::stopwatch::{CASES, Case};
use gametimes_test_support::bot::items::{everything, stats_of};
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::{config_in, get, open};
use gametimes_test_support::game::{gametimes_files, play_tape};
use gametimes_test_support::on_both_databases;
use serde_json::{Value, json};

/// The files that the module writes in an edited match.
fn files_of(case: &Case) -> Vec<GametimesFile> {
    let home = tempfile::tempdir().unwrap();
    let console = play_tape(home.path(), &case.tape());
    let files = gametimes_files(home.path());
    assert_eq!(files.len(), case.rounds(), "{}\n{console}", case.name);
    files
}

fn item(file: &GametimesFile) -> IngestItem {
    let bytes = serde_json::to_vec(file).unwrap();
    IngestItem::from_file("ingest", &file.file_name(), "", bytes)
}

/// The file as the module wrote it before it knew about matches.
fn without_match(file: &GametimesFile) -> GametimesFile {
    let mut file = file.clone();
    let meta = &mut file.meta;
    meta.match_uid.clear();
    meta.round_1_event_id = None;
    meta.sides = None;
    meta.stopwatch = None;
    meta.map_result = None;
    file
}

/// The evenings as JSON, without the ids of the database, which depend on the order of arrival.
async fn shown(store: &Db) -> Value {
    let list = store.evenings(None, 10).await.unwrap();
    assert_eq!(list.next_before, None);
    let mut json = json!(list.evenings);
    remove_ids(&mut json);
    json
}

fn remove_ids(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.remove("id");
            object.values_mut().for_each(remove_ids);
        }
        Value::Array(list) => list.iter_mut().for_each(remove_ids),
        _ => {}
    }
}

fn results(evenings: &[Evening]) -> Vec<MatchResult> {
    let series = evenings.iter().flat_map(|e| &e.series);
    let matches = series.flat_map(|s| &s.matches);
    matches.map(|m| m.played.result).collect()
}

/// The result in the words of the file; `undecided` is null there.
fn in_words(result: &MatchResult) -> Value {
    let mut json = json!(result);
    if json["winner"] == "undecided" {
        json["winner"] = Value::Null;
        json["reason"] = Value::Null;
    }
    json
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stopwatch_match_has_its_result_in_any_order_of_arrival() {
    for case in CASES {
        let files = files_of(&case);
        let old: Vec<GametimesFile> = files.iter().map(without_match).collect();
        let expected = &case.result;
        let expected = json!({
            "winner": expected.winner, "reason": expected.reason,
            "team_a_ms": expected.team_a_ms, "team_b_ms": expected.team_b_ms,
        });
        for files in [&files, &old] {
            let folder = tempfile::tempdir().unwrap();
            let one = open(config_in(&folder).database_url.reveal()).await;
            let other = open(&Cluster::shared().database()).await;
            let items: Vec<IngestItem> = files.iter().map(item).collect();
            one.ingest(&items).await.unwrap();
            for item in items.iter().rev().chain(&items) {
                other.ingest(std::slice::from_ref(item)).await.unwrap();
            }
            assert_eq!(shown(&one).await, shown(&other).await, "{}", case.name);
            let found = results(&one.evenings(None, 10).await.unwrap().evenings);
            // A round 1 that was cut off is a match of its own.
            assert_eq!(found.len(), case.first.len(), "{}: {found:?}", case.name);
            let last = found.last().unwrap();
            assert_eq!(in_words(last), expected, "{}", case.name);
            for earlier in &found[..found.len() - 1] {
                assert_eq!(in_words(earlier)["winner"], Value::Null, "{}", case.name);
            }
        }
    }
}

async fn round_2_without_its_file_is_decided_by_its_stats_file(url: &str) {
    let store = &open(url).await;
    store.ingest(&everything()).await.unwrap();
    let found = results(&store.evenings(None, 10).await.unwrap().evenings);
    let faster: Vec<&MatchResult> = found.iter().filter(|r| r.margin_ms().is_some()).collect();
    assert_eq!(faster.len(), 1, "{found:?}");
    assert_eq!(faster[0].margin_ms(), Some(55_000 - 39_950));
}

async fn either_round_finds_the_match(url: &str) {
    let store = &open(url).await;
    let files = files_of(&CASES[0]);
    let items: Vec<IngestItem> = files.iter().map(item).collect();
    store.ingest(&items).await.unwrap();
    let mut found: Vec<MatchInSeries> = Vec::new();
    for id in [1, 2] {
        found.push(store.match_of_round(id).await.unwrap().unwrap());
    }
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0].played.rounds.len(), 2);
    assert_eq!(
        found[0].played.match_uid,
        Some(files[0].meta.match_uid.clone())
    );
    assert_eq!(store.match_of_round(3).await.unwrap(), None);
}

async fn lists_give_every_match_once_over_all_pages(url: &str) {
    let bot = gametimes_bot::start(gametimes_bot::Config::with_database(url))
        .await
        .unwrap();
    // Three evenings of five, two and one rounds, whose rounds are 20 minutes apart.
    let mut items = Vec::new();
    for (hour, rounds) in [(8, 5), (13, 2), (18, 1)] {
        for n in 0..rounds {
            let time = format!("{:02}{:02}00", hour + n / 3, n % 3 * 20);
            items.push(stats_of("Server", &time, 1, &["A0000001"], 100));
        }
    }
    bot.store.ingest(&items).await.unwrap();
    for (path, key, pages) in [
        ("/api/evenings?limit=1", "evenings", vec![1, 1, 1]),
        ("/api/evenings?limit=2", "evenings", vec![2, 1]),
        ("/api/matches?limit=2", "matches", vec![3, 5]),
        ("/api/matches", "matches", vec![8]),
    ] {
        let mut found = Vec::new();
        let mut url = bot.url(path);
        loop {
            let (status, body) = get(&url).await;
            assert_eq!(status, 200, "{body}");
            found.push(body[key].as_array().unwrap().len());
            let Some(before) = body["next_before"].as_i64() else {
                break;
            };
            let separator = if path.contains('?') { '&' } else { '?' };
            url = bot.url(&format!("{path}{separator}before={before}"));
        }
        assert_eq!(found, pages, "{path}");
    }
    for (path, status) in [
        ("/api/matches/1", 200),
        ("/api/matches/99", 404),
        ("/api/matches/x", 400),
        ("/api/matches?limit=0", 400),
        ("/api/evenings?limit=51", 400),
        ("/api/evenings?day=1", 400),
    ] {
        assert_eq!(get(&bot.url(path)).await.0, status, "{path}");
    }
    bot.stop().await.unwrap();
}

on_both_databases!(
    round_2_without_its_file_is_decided_by_its_stats_file,
    either_round_finds_the_match,
    lists_give_every_match_once_over_all_pages,
);
