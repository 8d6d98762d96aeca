//! The seven stopwatch matches, played through the module, as API answers and pages. `UPDATE_GOLDEN=1 cargo test --package
//! gametimes-bot --test stopwatch_cases` regenerates the golden files; review what changed.

use std::path::Path;

use gametimes_bot::db::IngestItem;
use gametimes_standin::stopwatch::{CASES, Case};
use gametimes_test_support::bot::{config_in, get};
use gametimes_test_support::game::{gametimes_files, play_tape};
use serde_json::{Value, json};

/// Elements that begin a line.
const BLOCKS: [&str; 9] = [
    "p", "h1", "h2", "h3", "li", "tr", "dt", "article", "caption",
];

/// The text of a page's main part, a line for each block, without the pictures.
fn lines(html: &str) -> Vec<String> {
    let main = html.split("<main").nth(1).unwrap();
    let main = main
        .split_once('>')
        .unwrap()
        .1
        .split("</main>")
        .next()
        .unwrap();
    let pictures = main.find("<svg").zip(main.rfind("</svg>"));
    let (before, after) = pictures.map_or((main, ""), |(from, to)| (&main[..from], &main[to..]));
    let mut text = String::new();
    for part in before.split('<').chain(after.split('<')) {
        let (tag, words) = part.split_once('>').unwrap_or(("", part));
        let name = tag.trim_start_matches('/').split([' ', '\n']).next();
        let is_block = name.is_some_and(|name| BLOCKS.contains(&name));
        text.push_str(if is_block { "\n" } else { " " });
        text.push_str(words);
    }
    let lines = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect()
}

/// Replaces ids that differ from run to run.
fn without_ids(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                match key.as_str() {
                    "match_uid" if value.is_string() => *value = "UUID".into(),
                    _ => without_ids(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(without_ids),
        _ => {}
    }
}

/// What the API and the pages show of a match.
async fn shown(case: &Case) -> Value {
    let home = tempfile::tempdir().unwrap();
    let console = play_tape(home.path(), &case.tape());
    let files = gametimes_files(home.path());
    assert_eq!(files.len(), case.rounds(), "{}\n{console}", case.name);
    let items = files.iter().map(|file| {
        let bytes = serde_json::to_vec(file).unwrap();
        IngestItem::from_file("ingest", &file.file_name(), "", bytes)
    });
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(config_in(&folder)).await.unwrap();
    bot.store.ingest(&items.collect::<Vec<_>>()).await.unwrap();
    let (_, mut list) = get(&bot.url("/api/matches?limit=1")).await;
    let id = list["matches"][0]["id"].clone();
    let (_, found) = get(&bot.url(&format!("/api/matches/{id}"))).await;
    let (_, page) = get(&bot.url(&format!("/matches/{id}"))).await;
    let (_, evenings) = get(&bot.url("/")).await;
    // The same match, without its series.
    let matches = list["matches"].take();
    assert_eq!(matches[0], found["match"], "{}", case.name);
    bot.stop().await.unwrap();
    let mut shown = json!({
        "/api/matches/{id}": found,
        "/matches/{id}": lines(page.as_str().unwrap()),
        "/": lines(evenings.as_str().unwrap()),
    });
    without_ids(&mut shown);
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stopwatch_match_is_shown_as_in_its_golden_file() {
    for case in &CASES {
        let text = serde_json::to_string_pretty(&shown(case).await).unwrap() + "\n";
        let name = format!("stopwatch-{}.json", case.name.replace(' ', "-"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(golden == text, "{} differs:\n{text}", path.display());
    }
}
