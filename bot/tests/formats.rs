//! The formats of the API and the pages: filters, CSV, tags, compression, CORS, the feed, previews of links.

use gametimes_bot::config::Secret;
use gametimes_bot::files::ingest::ingest;
use gametimes_bot::{Bot, Config};
use gametimes_test_support::bot::{config_in, fetch, get};
use gametimes_test_support::on_both_databases;
use gametimes_test_support::samples::samples;
use serde_json::Value;

async fn bot_with_samples(config: Config) -> Bot {
    let bot = gametimes_bot::start(config).await.unwrap();
    let native = samples().join("../native");
    let paths = [
        samples().join("gamestats"),
        native.join("stopwatch"),
        native.join("surrender"),
    ];
    ingest(&bot.store, &paths, "", false).await.unwrap();
    bot
}

fn text(answer: &ureq::http::Response<Vec<u8>>) -> &str {
    std::str::from_utf8(answer.body()).unwrap()
}

fn header<'a>(answer: &'a ureq::http::Response<Vec<u8>>, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

/// The ids of a list of rounds.
fn ids(list: &Value) -> Vec<i64> {
    let list = list.as_array().unwrap().iter();
    list.map(|round| round["id"].as_i64().unwrap()).collect()
}

async fn api_filters_rounds_as_the_pages_do(url: &str) {
    let bot = bot_with_samples(Config::with_database(url)).await;
    let mut transaction = bot.store.database.begin().await.unwrap();
    for sql in [
        "UPDATE lua_spawn_stats SET player_name = 'Ändi_x' WHERE round_id = 2 AND player_guid LIKE 'A0000001%'",
        "UPDATE rounds SET round_date = '2026-11-22' WHERE id = 3",
        "INSERT INTO gametimes_stale_days (day) SELECT DISTINCT SUBSTR(match_id, 1, 10) FROM rounds WHERE TRUE \
         ON CONFLICT (day) DO NOTHING",
    ] {
        transaction.execute(sql, &[]).await.unwrap();
    }
    transaction.commit().await.unwrap();
    bot.store.refresh_players().await.unwrap();
    for (filter, count) in [
        ("", 5),
        ("player=%C3%84NDI_", 1),
        ("player=layer0", 5),
        ("player=%25", 0),
        ("player=%20", 5),
        ("map=room", 0),
        ("map=ROOM2&player=layer0", 3),
        ("from=2026-11-22", 1),
        ("to=2026-11-20", 4),
        ("from=2026-11-21&to=2026-11-21", 0),
    ] {
        let (status, list) = get(&bot.url(&format!("/api/rounds?{filter}"))).await;
        assert_eq!(status, 200, "{filter}: {list}");
        assert_eq!(ids(&list).len(), count, "{filter}: {list}");
        if !filter.contains("map=") {
            let (_, page) = get(&bot.url(&format!("/rounds?{filter}"))).await;
            let links = page.as_str().unwrap().matches("href=\"/rounds/").count();
            assert_eq!(links, count, "{filter}");
        }
    }
    // The next page has the same filter.
    let (_, first) = get(&bot.url("/api/rounds?player=layer0&to=2026-11-20&limit=3")).await;
    let last = ids(&first)[2];
    let next = format!("/api/rounds?player=layer0&to=2026-11-20&limit=3&before={last}");
    let (_, next) = get(&bot.url(&next)).await;
    assert_eq!(ids(&next).len(), 1);
    assert!(!ids(&first).contains(&ids(&next)[0]));
    for bad in ["from=yesterday", "to=2026-02-30"] {
        let (status, body) = get(&bot.url(&format!("/api/rounds?{bad}"))).await;
        assert_eq!(status, 400, "{body}");
        assert!(
            body["error"]["allowed"]
                .as_str()
                .unwrap()
                .contains("2026-12-31"),
            "{body}"
        );
    }
    bot.stop().await.unwrap();
}

async fn lists_are_also_csv(url: &str) {
    let bot = bot_with_samples(Config::with_database(url)).await;
    let mut transaction = bot.store.database.begin().await.unwrap();
    let sql = "UPDATE lua_spawn_stats SET player_name = '=1,\"+\"2' WHERE round_id = 1 AND player_guid LIKE 'A0000001%'";
    transaction.execute(sql, &[]).await.unwrap();
    transaction.commit().await.unwrap();
    for (path, key) in [
        ("/api/rounds", "id"),
        ("/api/rounds/1/players", "guid"),
        ("/api/rejected", "source"),
    ] {
        let (_, list) = get(&bot.url(path)).await;
        let list = list.as_array().unwrap();
        let by_name = fetch(&bot.url(&format!("{path}.csv")), &[]).await;
        let by_header = fetch(&bot.url(path), &[("accept", "text/csv")]).await;
        assert_eq!(by_name.body(), by_header.body(), "{path}");
        for answer in [&by_name, &by_header] {
            assert_eq!(answer.status(), 200);
            assert_eq!(header(answer, "content-type"), "text/csv; charset=utf-8");
            assert!(header(answer, "vary").contains("accept"), "{answer:?}");
        }
        let mut reader = csv::Reader::from_reader(&by_name.body()[..]);
        let at = reader
            .headers()
            .unwrap()
            .iter()
            .position(|name| name == key)
            .unwrap();
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), list.len(), "{path}");
        for (row, item) in rows.iter().zip(list) {
            let expected = item[key]
                .as_str()
                .map_or_else(|| item[key].to_string(), str::to_owned);
            assert_eq!(row[at], expected, "{path}");
        }
    }
    let players = fetch(&bot.url("/api/rounds/1/players.csv"), &[]).await;
    assert!(
        text(&players).contains(",\"'=1,\"\"+\"\"2\","),
        "{}",
        text(&players)
    );
    let missing = fetch(&bot.url("/api/rounds/77/players.csv"), &[]).await;
    assert_eq!(missing.status(), 404);
    bot.stop().await.unwrap();
}

/// A client that has an answer is not sent it again, until a file that arrives late changes the round.
async fn round_that_the_client_has_is_not_sent_again_until_it_changes(url: &str) {
    let bot = gametimes_bot::start(Config::with_database(url))
        .await
        .unwrap();
    let native = [samples().join("../native/surrender")];
    ingest(&bot.store, &native, "", false).await.unwrap();
    let (_, rounds) = get(&bot.url("/api/rounds")).await;
    let id = rounds
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["round_number"] == 1)
        .unwrap()["id"]
        .clone();
    let mut tags = Vec::new();
    for (path, cache) in [
        ("/api/rounds".to_owned(), "no-cache"),
        ("/api/rounds.csv".to_owned(), "no-cache"),
        (format!("/api/rounds/{id}"), "max-age=60"),
        (format!("/api/rounds/{id}/players"), "max-age=60"),
        (format!("/api/rounds/{id}/timeline"), "max-age=60"),
    ] {
        let url = bot.url(&path);
        let answer = fetch(&url, &[("if-none-match", "\"other\"")]).await;
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "cache-control")),
            (200, cache),
            "{path}"
        );
        let tag = header(&answer, "etag").to_owned();
        assert!(tag.starts_with("W/\""), "{path}: {tag}");
        let again = fetch(&url, &[("if-none-match", &format!("\"other\", {tag}"))]).await;
        assert_eq!(
            (again.status().as_u16(), header(&again, "etag")),
            (304, &*tag),
            "{path}"
        );
        assert!(again.body().is_empty(), "{path}");
        tags.push((path, tag));
    }
    let stats = [samples().join("gamestats")];
    ingest(&bot.store, &stats, "", false).await.unwrap();
    for (path, tag) in tags {
        let answer = fetch(&bot.url(&path), &[("if-none-match", &tag)]).await;
        // The stats file adds nothing to the timeline.
        let expected = if path.ends_with("timeline") { 304 } else { 200 };
        assert_eq!(answer.status(), expected, "{path}");
    }
    // Failures and what changes all the time are not kept.
    for path in [
        "/api/rounds/77",
        "/api/rounds?limit=0",
        "/api/diagnostics/lua-webhook",
        "/api/health",
    ] {
        let answer = fetch(&bot.url(path), &[]).await;
        assert_eq!(header(&answer, "cache-control"), "no-store", "{path}");
        assert_eq!(header(&answer, "etag"), "", "{path}");
    }
    bot.stop().await.unwrap();
}

on_both_databases!(
    api_filters_rounds_as_the_pages_do,
    lists_are_also_csv,
    round_that_the_client_has_is_not_sent_again_until_it_changes,
);

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_compressed_for_clients_that_want_it() {
    let folder = tempfile::tempdir().unwrap();
    let bot = bot_with_samples(config_in(&folder)).await;
    for (path, is_compressed) in [
        ("/", true),
        ("/rounds/1", true),
        ("/rounds/1/timeline.svg", true),
        ("/style.css", true),
        ("/api/rounds", true),
        ("/api/rounds.csv", true),
        ("/rounds/1/timeline.png", false),
    ] {
        let plain = fetch(&bot.url(path), &[]).await;
        assert_eq!(header(&plain, "content-encoding"), "", "{path}");
        let answer = fetch(&bot.url(path), &[("accept-encoding", "gzip, br")]).await;
        let encoding = if is_compressed { "gzip" } else { "" };
        assert_eq!(header(&answer, "content-encoding"), encoding, "{path}");
        assert_eq!(
            answer.body().starts_with(&[0x1f, 0x8b]),
            is_compressed,
            "{path}"
        );
        if is_compressed {
            assert!(answer.body().len() < plain.body().len(), "{path}");
            assert!(
                header(&answer, "vary").contains("accept"),
                "{path}: {:?}",
                answer.headers()
            );
        }
    }
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_websites_may_read_the_api() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    let (ours, other) = ("https://stats.example.org", "https://other.example.org");
    let allowed = async |bot: &Bot, path: &str, origin: &str| {
        let answer = fetch(&bot.url(path), &[("origin", origin)]).await;
        header(&answer, "access-control-allow-origin").to_owned()
    };
    let bot = gametimes_bot::start(config.clone()).await.unwrap();
    assert_eq!(
        allowed(&bot, "/api/rounds", ours).await,
        "",
        "nobody by default"
    );
    bot.stop().await.unwrap();

    config.cors_origins = vec![ours.to_owned()];
    config.api_token = Some(Secret::new("a-long-enough-token"));
    let bot = gametimes_bot::start(config.clone()).await.unwrap();
    assert_eq!(allowed(&bot, "/api/health", ours).await, ours);
    assert_eq!(allowed(&bot, "/api/health", other).await, "");
    assert_eq!(allowed(&bot, "/", ours).await, "", "only the API");
    // Browsers ask for permission to send the token without sending it.
    let url = bot.url("/api/rounds");
    let preflight = tokio::task::spawn_blocking(move || {
        let request = ureq::options(url)
            .header("origin", ours)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization");
        request.call().unwrap()
    });
    let preflight = preflight.await.unwrap();
    assert_eq!(preflight.headers()["access-control-allow-origin"], ours);
    let headers = preflight.headers()["access-control-allow-headers"]
        .to_str()
        .unwrap();
    assert!(headers.contains("authorization"), "{headers}");
    assert_eq!(
        fetch(&bot.url("/api/rounds"), &[("origin", ours)])
            .await
            .status(),
        401
    );
    bot.stop().await.unwrap();

    config.cors_origins = vec!["*".to_owned()];
    let bot = gametimes_bot::start(config).await.unwrap();
    assert_eq!(allowed(&bot, "/api/health", other).await, other);
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn feed_and_previews_have_absolute_links_if_the_public_url_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    let bot = bot_with_samples(config.clone()).await;
    assert_eq!(fetch(&bot.url("/feed.atom"), &[]).await.status(), 404);
    let (_, page) = get(&bot.url("/rounds/1")).await;
    assert!(!page.as_str().unwrap().contains("og:"), "{page}");
    let mut transaction = bot.store.database.begin().await.unwrap();
    let sql = "UPDATE rounds SET map_name = 'a<b>&\"c' WHERE id = 1";
    transaction.execute(sql, &[]).await.unwrap();
    transaction.commit().await.unwrap();
    bot.stop().await.unwrap();

    let site = "https://stats.example.org";
    config.public_url = Some(site.to_owned());
    let bot = gametimes_bot::start(config).await.unwrap();
    let answer = fetch(&bot.url("/feed.atom"), &[]).await;
    assert_eq!(
        header(&answer, "content-type"),
        "application/atom+xml; charset=utf-8"
    );
    let tag = header(&answer, "etag");
    let again = fetch(&bot.url("/feed.atom"), &[("if-none-match", tag)]).await;
    assert_eq!(again.status(), 304);
    let feed = roxmltree::Document::parse(text(&answer)).unwrap();
    let child = |node: roxmltree::Node<'_, '_>, name: &str| {
        let child = node
            .children()
            .find(|child| child.tag_name().name() == name);
        child
            .and_then(|child| child.text())
            .unwrap_or_default()
            .to_owned()
    };
    let root = feed.root_element();
    assert_eq!(
        root.tag_name().namespace(),
        Some("http://www.w3.org/2005/Atom")
    );
    let entries: Vec<_> = root
        .children()
        .filter(|n| n.has_tag_name(("http://www.w3.org/2005/Atom", "entry")))
        .collect();
    assert_eq!(entries.len(), 5);
    for entry in &entries {
        for name in ["id", "title", "updated", "summary"] {
            assert_ne!(child(*entry, name), "", "{name}");
        }
        assert!(child(*entry, "id").starts_with("https://stats.example.org/rounds/"));
    }
    let updated: Vec<String> = entries.iter().map(|e| child(*e, "updated")).collect();
    assert!(updated.is_sorted_by(|a, b| a >= b), "{updated:?}");
    assert_eq!(child(root, "updated"), updated[0]);
    let odd = entries
        .iter()
        .find(|e| child(**e, "id").ends_with("/rounds/1"))
        .unwrap();
    assert!(
        child(*odd, "title").starts_with("a<b>&\"c R1: "),
        "{}",
        child(*odd, "title")
    );

    let (_, page) = get(&bot.url("/rounds/2")).await;
    let page = page.as_str().unwrap();
    for expected in [
        "<meta property=\"og:title\" content=\"",
        "<meta property=\"og:url\" content=\"https://stats.example.org/rounds/2\">",
        "<meta property=\"og:image\" content=\"https://stats.example.org/rounds/2/timeline.png\">",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    // The match has a preview of its own, and the evenings that of the latest match.
    let found = bot.store.match_of_round(2).await.unwrap().unwrap();
    let path = format!("/matches/{}", found.played.id);
    let latest = bot.store.evenings(None, 1).await.unwrap();
    let matches = latest.evenings[0]
        .series
        .iter()
        .flat_map(|series| &series.matches);
    let latest = matches
        .max_by_key(|m| m.played.ended_unix)
        .unwrap()
        .played
        .id;
    for (path, image) in [
        (path.clone(), path),
        ("/".to_owned(), format!("/matches/{latest}")),
    ] {
        let (_, page) = get(&bot.url(&path)).await;
        let page = page.as_str().unwrap();
        let image = format!("{site}{image}/timeline.png");
        let expected = format!("<meta property=\"og:image\" content=\"{image}\">");
        assert!(page.contains(&expected), "{expected}: {page}");
        assert!(
            page.contains("<meta property=\"og:title\" content=\""),
            "{page}"
        );
        let picture = fetch(&image.replace(site, &bot.url("")), &[]).await;
        assert_eq!(
            (picture.status().as_u16(), header(&picture, "content-type")),
            (200, "image/png")
        );
    }
    let (_, list) = get(&bot.url("/rounds")).await;
    assert!(
        list.as_str()
            .unwrap()
            .contains("type=\"application/atom+xml\""),
        "{list}"
    );
    bot.stop().await.unwrap();
}
