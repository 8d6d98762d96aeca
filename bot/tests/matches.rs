//! Matches and evenings on both databases: the seven stopwatch matches, played through the module.

use gametimes_bot::db::matches::MatchInSeries;
use gametimes_bot::db::{Db, IngestItem};
use gametimes_format::GametimesFile;
use gametimes_rounds::matches::{Evening, MatchResult};
use gametimes_standin::stopwatch::CASES;
use gametimes_test_support::bot::browser::Browser;
use gametimes_test_support::bot::items::{everything, stats_of};
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::stopwatch::{evening, files_of, item};
use gametimes_test_support::bot::{config_in, get, open};
use gametimes_test_support::on_both_databases;
use serde_json::{Value, json};

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

async fn pages_show_who_won_and_why(url: &str) {
    let bot = gametimes_bot::start(gametimes_bot::Config::with_database(url))
        .await
        .unwrap();
    let items: Vec<IngestItem> = evening().iter().map(item).collect();
    bot.store.ingest(&items).await.unwrap();
    let list = bot.store.evenings(None, 10).await.unwrap();
    let series: Vec<_> = list.evenings.iter().flat_map(|e| &e.series).collect();
    assert_eq!(series.len(), 1, "{series:?}");
    // Team B of each match is the clan, which defends first. Two matches that it won by attacking, and one more; two that the
    // others won; one draw; one undecided, and a round 1 that was cut off.
    let clan = &series[0].team_2;
    assert_eq!(clan.name, "eA", "{clan:?}");
    assert_eq!((series[0].score_1, series[0].score_2), (5, 7));
    let other = &series[0].team_1.name;
    assert!(other.ends_with("'s team"), "{other}");
    let other = other.replace('\'', "&#39;");
    let (_, evenings) = get(&bot.url("/")).await;
    let evenings = evenings.as_str().unwrap();
    let won = |team: &str| format!("{team} won");
    let held_them = format!("held {other}");
    for (map, winner, reason) in [
        ("map0", won("eA"), "faster by 0:15.0"),
        ("map1", won(&other), "held eA"),
        ("map2", "Draw".into(), "both held"),
        ("map3", won("eA"), held_them.as_str()),
        ("map4", won(&other), "held eA"),
        ("map5", "Undecided".into(), "round 2 was cut off"),
        ("map6", won("eA"), "faster by 0:15.0"),
    ] {
        let found = series[0].matches.iter().rfind(|m| m.played.map_name == map);
        let id = found.unwrap().played.id;
        let link = format!("<a href=\"/matches/{id}\">{map}</a>");
        let line = evenings.lines().find(|line| line.contains(&link));
        let line = line.unwrap_or_else(|| panic!("{map} is not in {evenings}"));
        let (_, page) = get(&bot.url(&format!("/matches/{id}"))).await;
        let page = page.as_str().unwrap();
        for text in [line, page] {
            assert!(text.contains(&winner), "{map}: {winner}: {text}");
            assert!(text.contains(reason), "{map}: {reason}: {text}");
        }
        assert!(page.contains("Time to beat"), "{map}: {page}");
        // The time to beat is marked in the timelines of both rounds.
        assert_eq!(page.matches(">to beat: ").count(), 2, "{map}");
    }
    bot.stop().await.unwrap();
}

/// The sum of both rounds and each round are shown for every player, and add up.
#[tokio::test(flavor = "multi_thread")]
async fn scoreboard_of_a_match_sums_up_both_rounds() {
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(config_in(&folder)).await.unwrap();
    let files = files_of(&CASES[0]);
    let items: Vec<IngestItem> = files.iter().map(item).collect();
    bot.store.ingest(&items).await.unwrap();
    let (_, page) = get(&bot.url("/matches/1")).await;
    let page = page.as_str().unwrap();
    for player in &files[0].meta.spawn_stats {
        let link = format!("<a href=\"/players/{}\">", &player.guid[..8]);
        let line = page.lines().find(|line| line.contains(&link));
        let line = line.unwrap_or_else(|| panic!("{link}: {page}"));
        let guid = &player.guid;
        let second = files[1].meta.spawn_stats.iter().find(|p| p.guid == *guid);
        let kills = [player.kills, second.map_or(0, |p| p.kills)];
        let each = match second {
            Some(_) => format!("{} / {}", kills[0], kills[1]),
            None => format!("{} / –", kills[0]),
        };
        let sum = kills[0] + kills[1];
        let cell = format!(
            "data-label=\"Kills\"><strong>{sum}</strong><span class=\"each\">{each}</span>"
        );
        assert!(line.contains(&cell), "{cell}: {line}");
    }
    bot.stop().await.unwrap();
}

/// On a phone nothing is wider than the screen, and the winner is seen without scrolling.
#[tokio::test(flavor = "multi_thread")]
async fn winner_is_in_sight_on_a_phone() {
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(config_in(&folder)).await.unwrap();
    let items: Vec<IngestItem> = evening().iter().map(item).collect();
    bot.store.ingest(&items).await.unwrap();
    let pages = [("evenings", bot.url("/")), ("match", bot.url("/matches/1"))];
    tokio::task::block_in_place(|| {
        let browser = Browser::start();
        for (name, url) in &pages {
            for width in [360, 1280] {
                browser.width(width);
                browser.open(url);
                let page_width = browser.run("return document.documentElement.scrollWidth");
                assert!(
                    page_width.as_i64() <= Some(width.into()),
                    "{name}: {page_width}"
                );
                let bottom = browser.run(
                    "return Math.ceil(document.querySelector('.won').getBoundingClientRect().bottom)",
                );
                assert!(bottom.as_i64() < Some(500), "{name} at {width}: {bottom}");
                assert_eq!(browser.console(), Vec::<String>::new(), "{name}");
                browser.keep_picture(&format!("{name}-of-seven-{width}"));
            }
        }
    });
    bot.stop().await.unwrap();
}

on_both_databases!(
    pages_show_who_won_and_why,
    round_2_without_its_file_is_decided_by_its_stats_file,
    either_round_finds_the_match,
    lists_give_every_match_once_over_all_pages,
);
