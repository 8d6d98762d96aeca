//! Pages in unusual situations: rounds that were cut off, addresses that do not exist, a bot without sources, a player of many
//! rounds.

use gametimes_bot::config::{Folder, Secret};
use gametimes_bot::files::ingest::ingest;
use gametimes_bot::{Bot, Role};
use gametimes_test_support::bot::{config_in, fetch, get, wait_for};
use gametimes_test_support::on_both_databases;
use gametimes_test_support::samples::samples;
use serde_json::Value;

/// What a browser sends.
const BROWSER: (&str, &str) = (
    "accept",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
);

async fn page(bot: &Bot, path: &str) -> String {
    let (status, body) = get(&bot.url(path)).await;
    let body = body.as_str().unwrap_or_default().to_owned();
    assert_eq!(status, 200, "{path}: {body}");
    body
}

/// Where the link to the next page leads.
fn next_page(shown: &str) -> Option<String> {
    let (before, _) = shown.split_once("rel=\"next\"")?;
    let link = before.rsplit("href=\"").next()?.split('"').next()?;
    Some(link.replace("&#38;", "&").replace("&amp;", "&"))
}

/// A page's text without its tags.
fn text(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        text.push_str(part.split_once('>').map_or(part, |(_, text)| text));
    }
    text
}

/// The stats file that a shutdown saves names a winner, a limit and no reason.
async fn round_cut_off_without_a_recorder_shows_no_winner_and_no_timeline(url: &str) {
    let config = gametimes_bot::Config::with_database(url);
    let bot = gametimes_bot::start(config).await.unwrap();
    let paths = [samples().join("gamestats")];
    ingest(&bot.store, &paths, "", false).await.unwrap();
    let (_, rounds) = get(&bot.url("/api/rounds")).await;
    let rounds = rounds.as_array().unwrap();
    let find = |match_id: &str, number: i64| -> &Value {
        let fits = |r: &&Value| r["match_id"] == match_id && r["round_number"] == number;
        rounds.iter().find(fits).unwrap()
    };
    let cut_off = find("2026-11-20-125123", 1);
    assert_eq!(
        (&cut_off["round_status"], &cut_off["winner_team"]),
        (&"cancelled".into(), &0.into())
    );
    let shown = page(&bot, &format!("/rounds/{}", cut_off["id"])).await;
    let shown_text = text(&shown);
    assert!(
        shown_text.contains("no winner, the round was cut off"),
        "{shown}"
    );
    assert!(
        !shown_text.contains("Axis won") && !shown_text.contains("Winner"),
        "{shown}"
    );
    assert!(
        !shown.contains("<svg") && !shown.contains("timeline.png"),
        "{shown}"
    );
    assert!(
        shown.contains("no recorder's report has arrived"),
        "{shown}"
    );
    // A round that was played to its end has its winner, although it has no timeline either.
    let finished = find("2026-11-20-123344", 1);
    let shown = page(&bot, &format!("/rounds/{}", finished["id"])).await;
    assert!(text(&shown).contains(" won"), "{shown}");
    assert!(!shown.contains("<svg"), "{shown}");
    let list = page(&bot, "/rounds").await;
    let row = |id: &Value| {
        let link = format!("href=\"/rounds/{id}\"");
        let row = list.split("<tr>").find(|row| row.contains(&link));
        text(row.unwrap())
    };
    let shown = row(&cut_off["id"]);
    assert!(
        shown.contains("nobody") && shown.contains("cut off"),
        "{list}"
    );
    assert!(!row(&finished["id"]).contains("cut off"), "{list}");
    // Rows that an earlier version stored still have the winner of the file.
    let mut transaction = bot.store.database.begin().await.unwrap();
    let sql = "UPDATE rounds SET winner_team = 1 WHERE round_status = 'cancelled'";
    transaction.execute(sql, &[]).await.unwrap();
    transaction.commit().await.unwrap();
    let shown = page(&bot, &format!("/rounds/{}", cut_off["id"])).await;
    assert!(!text(&shown).contains("Axis won"), "{shown}");
    bot.stop().await.unwrap();
}

/// A player with more rounds than a page has: every round is on one page, in order.
async fn player_with_many_rounds_has_all_of_them_on_pages(url: &str) {
    let config = gametimes_bot::Config::with_database(url);
    let bot = gametimes_bot::start(config).await.unwrap();
    let mut transaction = bot.store.database.begin().await.unwrap();
    for i in 0..230_i64 {
        let end = 1_735_700_000 + i * 60_000;
        let match_id = jiff::Timestamp::from_second(end).unwrap();
        let match_id = match_id.strftime("%Y-%m-%d-%H%M%S").to_string();
        let sql = "INSERT INTO rounds (id, match_id, round_number, map_name, round_end_unix) VALUES ($1, $2, 1, 'm', $3)";
        let values = [(1000 + i).into(), match_id.clone().into(), end.into()];
        transaction.execute(sql, &values).await.unwrap();
        // A third of the rounds has both sources, a third one of the two each.
        if i % 3 != 1 {
            let sql = "INSERT INTO lua_spawn_stats (match_id, round_number, round_id, map_name, round_end_unix, player_guid, player_name) \
                       VALUES ($1, 1, $2, 'm', $3, 'A0000001', 'One')";
            let values = [match_id.clone().into(), (1000 + i).into(), end.into()];
            transaction.execute(sql, &values).await.unwrap();
        }
        if i % 3 != 2 {
            let sql = "INSERT INTO player_comprehensive_stats (round_id, round_date, map_name, round_number, player_guid, player_name, clean_name) \
                       VALUES ($1, '2025-01-01', 'm', 1, 'A0000001', 'One', 'One')";
            transaction
                .execute(sql, &[(1000 + i).into()])
                .await
                .unwrap();
        }
    }
    let sql =
        "INSERT INTO gametimes_stale_days SELECT DISTINCT SUBSTR(match_id, 1, 10) FROM rounds";
    transaction.execute(sql, &[]).await.unwrap();
    transaction.commit().await.unwrap();
    bot.store.refresh_players().await.unwrap();
    let mut found = Vec::new();
    let mut next = Some("/players/A0000001".to_owned());
    while let Some(path) = next {
        let shown = page(&bot, &path).await;
        let rounds = shown.split("href=\"/rounds/").skip(1);
        found.extend(rounds.map(|rest| rest.split('"').next().unwrap().parse::<i64>().unwrap()));
        next = next_page(&shown);
        assert!(found.len() <= 230, "{path}");
    }
    assert_eq!(found, (1000..1230).rev().collect::<Vec<i64>>());
    let second = page(&bot, "/players/A0000001?page=2").await;
    assert!(
        second.contains("101 to 200") && second.contains("rel=\"prev\""),
        "{second}"
    );
    let last = bot.url("/players/A0000001?page=4");
    assert_eq!(get(&last).await.0, 404);
    assert_eq!(get(&bot.url("/players/A0000001?page=0")).await.0, 400);
    bot.stop().await.unwrap();
}

on_both_databases!(
    round_cut_off_without_a_recorder_shows_no_winner_and_no_timeline,
    player_with_many_rounds_has_all_of_them_on_pages,
);

/// Each list has a last page, after which no link leads.
#[tokio::test(flavor = "multi_thread")]
async fn links_of_long_lists_lead_to_pages_that_exist() {
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(config_in(&folder)).await.unwrap();
    let mut transaction = bot.store.database.begin().await.unwrap();
    let zeros = ", 0".repeat(19);
    let sql = format!(
        "INSERT INTO gametimes_player_totals WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1005) \
         SELECT 'P' || i, 'm', 1, 1{zeros} FROM n"
    );
    transaction.execute(&sql, &[]).await.unwrap();
    // A player of 100,050 rounds: the page of a player has 100.
    let sql = "INSERT INTO rounds (id, match_id, round_number, map_name, round_end_unix) \
               WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100050) \
               SELECT i, '2025-01-01-' || i, 1, 'm', 1700000000 + i * 600 FROM n";
    transaction.execute(sql, &[]).await.unwrap();
    let sql = "INSERT INTO lua_spawn_stats (match_id, round_number, round_id, map_name, round_end_unix, player_guid, player_name) \
               SELECT match_id, 1, id, 'm', round_end_unix, 'A0000001', 'One' FROM rounds";
    transaction.execute(sql, &[]).await.unwrap();
    transaction.commit().await.unwrap();
    for first in [
        "/players?min_rounds=1&limit=1&page=999",
        "/players/A0000001?page=999",
    ] {
        let mut next = Some(first.to_owned());
        let mut pages = 0;
        while let Some(path) = next {
            next = next_page(&page(&bot, &path).await);
            pages += 1;
        }
        assert_eq!(pages, 2, "{first}: 999 and 1000");
    }
    bot.stop().await.unwrap();
}

/// Browsers get a page for every failed request, programs get JSON, and so does everybody from the API.
#[tokio::test(flavor = "multi_thread")]
async fn failed_requests_of_browsers_are_answered_with_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    let token = "a-long-enough-token";
    let bot = gametimes_bot::start(config.clone()).await.unwrap();
    for (path, headers, status, is_page) in [
        ("/nowhere", vec![BROWSER], 404, true),
        ("/rounds/1/nowhere", vec![BROWSER], 404, true),
        ("/nowhere", vec![("accept", "*/*")], 404, false),
        ("/nowhere", vec![], 404, false),
        ("/api/nowhere", vec![BROWSER], 404, false),
        ("/api", vec![BROWSER], 404, false),
        ("/api/rounds/1", vec![BROWSER], 404, false),
        ("/rounds/1", vec![], 404, true),
        (
            "/",
            vec![BROWSER, ("host", "rebind.example.com")],
            421,
            true,
        ),
    ] {
        let answer = fetch(&bot.url(path), &headers).await;
        let body = String::from_utf8(answer.body().clone()).unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}: {body}");
        let content_type = answer.headers()["content-type"].to_str().unwrap();
        assert_eq!(
            content_type.starts_with("text/html"),
            is_page,
            "{path}: {content_type}"
        );
        assert_eq!(body.contains("<h1>"), is_page, "{path}: {body}");
        assert_eq!(
            serde_json::from_str::<Value>(&body).is_ok(),
            !is_page,
            "{path}: {body}"
        );
        assert!(
            answer.headers().contains_key("content-security-policy"),
            "{path}"
        );
    }
    bot.stop().await.unwrap();
    config.api_token = Some(Secret::new(token));
    let bot = gametimes_bot::start(config).await.unwrap();
    let answer = fetch(&bot.url("/"), &[BROWSER]).await;
    assert_eq!(answer.status(), 401);
    assert_eq!(
        answer.headers()["www-authenticate"],
        "Basic realm=\"gametimes\""
    );
    assert!(
        answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_every_page_names_exist() {
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(config_in(&folder)).await.unwrap();
    let shown = page(&bot, "/").await;
    let head = shown.split("</head>").next().unwrap();
    let links = head.split("<link ").skip(1);
    let paths: Vec<&str> = links
        .map(|link| {
            link.split("href=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
        })
        .collect();
    assert_eq!(paths, ["/style.css", "/favicon.svg"]);
    for (path, kind) in paths
        .iter()
        .zip(["text/css; charset=utf-8", "image/svg+xml"])
    {
        let answer = fetch(&bot.url(path), &[]).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (200, &kind.parse().unwrap())
        );
    }
    bot.stop().await.unwrap();
}

/// A page that calls every source fine must have sources.
#[tokio::test(flavor = "multi_thread")]
async fn delivery_page_of_a_bot_without_sources_does_not_call_them_working() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    let bot = gametimes_bot::start(config.clone()).await.unwrap();
    let paths = [samples().join("../native/stopwatch")];
    ingest(&bot.store, &paths, "", false).await.unwrap();
    let shown = page(&bot, "/delivery").await;
    assert!(
        shown.contains("No source is configured") && !shown.contains("every source works"),
        "{shown}"
    );
    bot.stop().await.unwrap();

    let bot = gametimes_bot::roles::start(config.clone(), Role::Serve)
        .await
        .unwrap();
    let shown = page(&bot, "/delivery").await;
    assert!(!shown.contains("every source works"), "{shown}");
    assert!(shown.contains("This process only serves"), "{shown}");
    bot.stop().await.unwrap();

    config.folders = vec![Folder {
        path: folder.path().join("files"),
        server: String::new(),
    }];
    std::fs::create_dir(&config.folders[0].path).unwrap();
    let bot = gametimes_bot::start(config).await.unwrap();
    let shown = wait_for("the folder to be read", || async {
        let shown = page(&bot, "/delivery").await;
        (!shown.contains("Nothing has arrived")).then_some(shown)
    })
    .await;
    assert!(shown.contains("every source works"), "{shown}");
    bot.stop().await.unwrap();
}

/// The files are received now, and the rounds were played in 2026-11.
#[tokio::test(flavor = "multi_thread")]
async fn delivery_page_shows_when_the_latest_round_ended_and_when_it_was_received() {
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(config_in(&folder)).await.unwrap();
    let paths = [samples().join("../native/stopwatch")];
    ingest(&bot.store, &paths, "", false).await.unwrap();
    let mut transaction = bot.store.database.begin().await.unwrap();
    let sql = "UPDATE lua_round_teams SET captured_at = '2031-02-03 04:05:06'";
    transaction.execute(sql, &[]).await.unwrap();
    transaction.commit().await.unwrap();
    let (_, diagnostics) = get(&bot.url("/api/diagnostics/lua-webhook")).await;
    let end = diagnostics["latest"]["round_end_unix"].as_i64().unwrap();
    let end = gametimes_bot::display::utc(end);
    let shown = page(&bot, "/delivery").await;
    let expected = format!("ended {end}, received 2031-02-03 04:05 UTC");
    assert!(shown.contains(&expected), "{expected}: {shown}");
    bot.stop().await.unwrap();
}
