//! The pages in a real browser: no console errors, nothing wider than a phone, names shown as text, filters that work.

use gametimes_bot::Bot;
use gametimes_bot::files::ingest::ingest;
use gametimes_format::text::strip_colors;
use gametimes_test_support::bot::browser::Browser;
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::{TIMEOUT, config_in, get};
use gametimes_test_support::samples::{native_files, samples};
use serde_json::Value;

/// Names that players choose.
const NAMES: [&str; 4] = [
    "<script>document.title='x'</script>",
    "^1Ev\"il",
    "日本語プレイヤー",
    "שלום עולם",
];

/// A bot with the samples, the module's files, and one round with odd names.
async fn bot(folder: &tempfile::TempDir) -> Bot {
    let bot = gametimes_bot::start(config_in(folder)).await.unwrap();
    let odd = folder.path().join("odd");
    std::fs::create_dir(&odd).unwrap();
    let (_, bytes) = &native_files("public40")[0];
    let mut file: Value = serde_json::from_slice(bytes).unwrap();
    file["meta"]["event_id"] = "01a1f8fc-b99e-7786-b004-c44b525f62fc".into();
    file["meta"]["map"] = "odd".into();
    for (stats, name) in file["meta"]["spawn_stats"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .zip(NAMES)
    {
        stats["name"] = name.into();
    }
    std::fs::write(
        odd.join("gametime-odd-R1-1795178727.json"),
        file.to_string(),
    )
    .unwrap();
    std::fs::write(odd.join("gametime-broken-R1-5.json"), "{").unwrap();
    let paths = [
        samples().join("gamestats"),
        samples().join("../native"),
        odd,
    ];
    let done = ingest(&bot.store, &paths, "", false).await.unwrap();
    assert_eq!(done.rejected.len(), 1, "{done}");
    bot
}

/// Checks a page on a phone, a tablet and a desktop, in light and dark.
fn look(browser: &Browser, name: &str, url: &str) {
    for (width, dark) in [360, 768, 1280]
        .into_iter()
        .flat_map(|width| [(width, false), (width, true)])
    {
        browser.width(width);
        browser.dark(dark);
        browser.open(url);
        let page_width = browser.run("return document.documentElement.scrollWidth");
        assert!(
            page_width.as_i64() <= Some(width.into()),
            "{name} is {page_width} wide in a window of {width}"
        );
        assert_eq!(
            browser.run("return document.querySelectorAll('h1').length"),
            1,
            "{name}"
        );
        assert_eq!(
            browser.axe(),
            Vec::<String>::new(),
            "{name} at {width}, dark: {dark}"
        );
        assert_eq!(browser.console(), Vec::<String>::new(), "{name}");
        let shade = if dark { "-dark" } else { "" };
        browser.keep_picture(&format!("{name}-{width}{shade}"));
    }
    browser.width(1280);
    browser.dark(false);
}

fn text(browser: &Browser) -> String {
    browser
        .run("return document.querySelector('main').innerText")
        .as_str()
        .unwrap()
        .to_owned()
}

fn rows(browser: &Browser) -> i64 {
    browser
        .run("return document.querySelectorAll('tbody tr:not(.day)').length")
        .as_i64()
        .unwrap()
}

/// Fills in a form and submits it.
fn submit(browser: &Browser, field: &str, value: &str) {
    browser.run(&format!(
        "document.querySelector('[name={field}]').value = {};",
        Value::from(value)
    ));
    browser.run("document.querySelector('form').requestSubmit()");
    let until = std::time::Instant::now() + TIMEOUT;
    while browser.run("return location.search") == ""
        || browser.run("return document.readyState") != "complete"
    {
        assert!(std::time::Instant::now() < until, "the form was not sent");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_works_in_a_real_browser() {
    let folder = tempfile::tempdir().unwrap();
    let bot = bot(&folder).await;
    let url = |path: &str| bot.url(path);
    let rounds = bot
        .store
        .rounds(&gametimes_bot::db::round_list::RoundFilter {
            limit: 50,
            ..Default::default()
        })
        .await
        .unwrap();
    let id = |map: &str, number: i64, least: i64| {
        let fits = |r: &&gametimes_bot::db::rounds::RoundSummary| {
            r.map_name == map
                && r.round_number == number
                && r.actual_duration_seconds >= Some(least)
        };
        rounds.iter().find(fits).unwrap().id
    };
    let (odd, paused, surrender) = (id("odd", 1, 0), id("room2", 2, 30), id("room1", 1, 30));
    let pages = [
        ("evenings", url("/")),
        ("rounds", url("/rounds")),
        ("nothing-found", url("/rounds?map=nowhere")),
        ("odd", url(&format!("/rounds/{odd}"))),
        ("paused", url(&format!("/rounds/{paused}"))),
        ("surrender", url(&format!("/rounds/{surrender}"))),
        ("match", url(&format!("/matches/{paused}"))),
        ("audit", url("/audit?diff_seconds=6")),
        ("delivery", url("/delivery")),
        ("player", url("/players/A0000001")),
        ("players", url("/players?sort=kd")),
        ("maps", url("/maps")),
        ("map", url("/maps/room2")),
        ("players-nobody", url("/players?player=nobody")),
        ("compare", url("/players/compare?a=A0000001&b=a0000002")),
    ];
    tokio::task::block_in_place(|| {
        let browser = Browser::start();
        for (name, url) in &pages {
            look(&browser, name, url);
        }
        browser.open(&url(&format!("/rounds/{odd}")));
        for name in NAMES.map(strip_colors) {
            let shown = browser
                .run("return [...document.querySelectorAll('td bdi')].map(e => e.textContent)");
            assert!(
                shown.as_array().unwrap().contains(&name.as_str().into()),
                "{name}: {shown}"
            );
        }
        let scripts = browser.run("return [...document.scripts].map(s => s.getAttribute('src'))");
        assert_eq!(scripts, serde_json::json!(["/time.js"]));
        assert!(
            browser
                .run("return document.querySelectorAll('svg.timeline title').length")
                .as_i64()
                > Some(400)
        );

        browser.open(&url("/rounds"));
        let all = rows(&browser);
        assert_eq!(all, 7);
        submit(&browser, "map", "ROOM1");
        assert_eq!(rows(&browser), 2);
        browser.open(&url("/rounds"));
        submit(&browser, "player", "日本語");
        assert_eq!(rows(&browser), 1);
        browser.open(&url("/rounds"));
        submit(&browser, "player", "%");
        assert!(
            text(&browser).contains("No round matches"),
            "a % is a character, not a pattern"
        );
        browser.open(&url("/rounds?from=2026-11-20&to=2026-11-20"));
        assert_eq!(rows(&browser), 7);
        browser.open(&url("/rounds?from=2026-11-21"));
        assert!(text(&browser).contains("No round matches"));

        browser.open(&url("/audit"));
        let differ = "return Number([...document.querySelectorAll('dt')].find(e => e.textContent == 'Times differ').nextElementSibling.textContent)";
        let before = browser.run(differ).as_i64().unwrap();
        submit(&browser, "diff_seconds", "6");
        let after = browser.run(differ).as_i64().unwrap();
        assert!(
            before < after,
            "{before} {after}: a lower threshold tells more"
        );
        assert!(text(&browser).contains("No stats file of this round has arrived"));
        browser.open(&url("/audit?diff_seconds=0"));
        assert!(text(&browser).contains("a difference this small has no meaning"));

        browser.open(&url(&format!("/rounds/{surrender}")));
        let page = text(&browser);
        assert!(
            page.contains("surrender of the Allies")
                && page.contains("3:00 ≠")
                && page.contains("0:54"),
            "{page}"
        );
        // The names stay visible while a table is scrolled.
        browser.width(700);
        let moved = browser.run(
            "const name = document.querySelector('td bdi'), table = name.closest('.wide'); \
             const before = name.getBoundingClientRect().left; table.scrollLeft = 100; \
             return [table.scrollLeft, name.getBoundingClientRect().left - before]",
        );
        assert_eq!(moved, serde_json::json!([100, 0]));
        browser.width(1280);
        // From a round to the other round of its match, and back.
        browser.open(&url(&format!("/rounds/{paused}")));
        for other in ["Round 1 of this match", "Round 2 of this match"] {
            let link = format!(
                "return [...document.querySelectorAll('main a')].find(a => a.textContent == '{other}').href"
            );
            let link = browser.run(&link);
            browser.open(link.as_str().unwrap());
        }
        let path = browser.run("return location.pathname");
        assert_eq!(path, format!("/rounds/{paused}"));
        browser.open(&url("/rounds?map=oom2"));
        assert_eq!(rows(&browser), 4);
        browser.open(&url("/delivery"));
        assert!(text(&browser).contains("gametime-broken-R1-5.json"));
    });
    bot.stop().await.unwrap();
}

/// Every page, every filter and every further page of a list is the same on both databases.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_the_same_on_both_databases() {
    let cluster = Cluster::shared();
    let mut shown: Vec<Vec<(String, String)>> = Vec::new();
    for is_postgres in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let config = match is_postgres {
            true => gametimes_bot::Config::with_database(&cluster.database()),
            false => config_in(&folder),
        };
        let bot = gametimes_bot::start(config).await.unwrap();
        for path in ["stopwatch", "surrender", "public40"] {
            let path = samples().join("../native").join(path);
            ingest(&bot.store, &[path], "", false).await.unwrap();
        }
        let stats = [samples().join("gamestats")];
        ingest(&bot.store, &stats, "", false).await.unwrap();
        let mut transaction = bot.store.database.begin().await.unwrap();
        for i in 0..110 {
            let sql = "INSERT INTO rounds (id, match_id, round_number, map_name, end_reason, round_end_unix) \
                       VALUES ($1, $2, 1, 'et_filler', 'objective', $3)";
            // Another bot may store a match without an id.
            let match_id = (i > 0).then(|| format!("2025-01-01-{i:06}"));
            let values = [
                (1000 + i).into(),
                match_id.into(),
                (1_735_700_000 + i).into(),
            ];
            transaction.execute(sql, &values).await.unwrap();
        }
        let sql =
            "UPDATE lua_spawn_stats SET player_name = 'Ändi' WHERE player_guid LIKE 'A0000001%'";
        transaction.execute(sql, &[]).await.unwrap();
        // The days of the rounds whose names were changed.
        let sql = "INSERT INTO gametimes_stale_days SELECT DISTINCT SUBSTR(match_id, 1, 10) FROM lua_spawn_stats";
        transaction.execute(sql, &[]).await.unwrap();
        transaction.commit().await.unwrap();
        bot.store.refresh_players().await.unwrap();
        let mut paths: Vec<String> = [
            "/",
            "/rounds",
            "/rounds?page=2",
            "/rounds?page=3",
            "/rounds?map=FILLER&page=2",
            "/rounds?map=ROOM1",
            "/rounds?map=room_",
            "/rounds?player=%C3%84NDI",
            "/rounds?player=layer01",
            "/rounds?player=%25",
            "/rounds?from=2026-11-20&to=2026-11-20",
            "/audit",
            "/audit?diff_seconds=6",
            "/players/A0000001",
            "/players",
            "/players?period=30d&min_rounds=1",
            "/maps",
            "/maps?period=30d",
            "/maps/ROOM2",
            "/players?sort=kd&order=asc",
            "/players?sort=name&player=%C3%84NDI",
            "/players?map=ROOM2&sort=accuracy",
            "/players/compare?a=%C3%84ndi&b=a0000002",
            "/rounds/1000",
        ]
        .map(str::to_owned)
        .into();
        for id in 1..=6 {
            paths.push(format!("/rounds/{id}"));
            paths.push(format!("/matches/{id}"));
            paths.push(format!("/rounds/{id}/timeline.svg"));
        }
        let mut pages = Vec::new();
        for path in paths {
            let (status, body) = get(&bot.url(&path)).await;
            let body = body.as_str().unwrap_or_default().to_owned();
            assert_eq!(status, 200, "{path}: {body}");
            pages.push((path, body));
        }
        let (status, body) = get(&bot.url("/delivery")).await;
        assert_eq!(status, 200, "{body}");
        let page = |path: &str| &pages.iter().find(|(p, _)| p == path).unwrap().1;
        let rounds = |path: &str| page(path).matches("href=\"/rounds/").count();
        // 6 rounds of the tapes and 110 others, 50 on a page.
        let counts = [
            "/rounds",
            "/rounds?page=2",
            "/rounds?page=3",
            "/rounds?map=FILLER&page=2",
        ]
        .map(rounds);
        assert_eq!(counts, [50, 50, 16, 50]);
        // The text must match exactly, except for the case of ASCII letters.
        assert_eq!(
            ["/rounds?player=%C3%84NDI", "/rounds?map=room_"].map(rounds),
            [6, 0]
        );
        assert!(
            page("/rounds").contains("rel=\"next\"")
                && !page("/rounds?page=3").contains("rel=\"next\"")
        );
        assert!(page("/rounds?page=3").contains("rel=\"prev\""));
        assert!(page("/players/A0000001").contains("Ändi"));
        assert!(page("/rounds/1").contains("Ändi"));
        shown.push(pages);
        bot.stop().await.unwrap();
    }
    for (sqlite, postgres) in shown[0].iter().zip(&shown[1]) {
        assert!(
            sqlite == postgres,
            "{}:\n{}\n{}",
            sqlite.0,
            sqlite.1,
            postgres.1
        );
    }
}

/// Every player that a round's page links to has a page, also if the round has only a stats file.
#[tokio::test(flavor = "multi_thread")]
async fn players_with_only_a_stats_file_have_pages() {
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(config_in(&folder)).await.unwrap();
    let paths = [samples().join("gamestats")];
    ingest(&bot.store, &paths, "", false).await.unwrap();
    let (_, page) = get(&bot.url("/rounds/1")).await;
    let page = page.as_str().unwrap();
    let links: Vec<&str> = page
        .split("href=\"")
        .filter_map(|rest| rest.split('"').next())
        .filter(|link| link.starts_with("/players/"))
        .collect();
    assert_eq!(links.len(), 12, "{links:?}");
    for link in links {
        let (status, player) = get(&bot.url(link)).await;
        let player = player.as_str().unwrap();
        assert_eq!(status, 200, "{link}: {player}");
        assert!(player.contains("href=\"/rounds/1\""), "{link}: {player}");
        assert!(player.contains("come from the stats file"), "{player}");
    }
    // With the recorder's file, the round appears once, with its exact times.
    let paths = [samples().join("../native/surrender")];
    ingest(&bot.store, &paths, "", false).await.unwrap();
    let (_, player) = get(&bot.url("/players/a0000001")).await;
    let player = player.as_str().unwrap();
    let (_, rounds) = get(&bot.url("/api/rounds")).await;
    for round in rounds.as_array().unwrap() {
        let link = format!("href=\"/rounds/{}\"", round["id"]);
        assert_eq!(player.matches(&link).count(), 1, "{link}: {player}");
    }
    bot.stop().await.unwrap();
}

/// Old or solved problems do not show as problems: the years before the recorder, a rejection of last week, a server that is
/// reachable again.
#[tokio::test(flavor = "multi_thread")]
async fn delivery_page_shows_no_problem_if_the_last_day_had_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    let path = folder.path().join("files");
    std::fs::create_dir(&path).unwrap();
    config.folders = vec![gametimes_bot::config::Folder {
        path,
        server: String::new(),
    }];
    let bot = gametimes_bot::start(config).await.unwrap();
    let paths = [samples().join("../native/stopwatch")];
    ingest(&bot.store, &paths, "", false).await.unwrap();
    let mut transaction = bot.store.database.begin().await.unwrap();
    for sql in [
        "INSERT INTO rounds (match_id, round_number, map_name, round_date) VALUES ('2025-01-01-000000', 1, 'm', '2025-01-01')",
        "INSERT INTO lua_round_teams (match_id, round_number, captured_at) VALUES ('2025-01-01-000000', 1, '2025-01-01 00:00:00')",
        "INSERT INTO gametimes_rejected (source, origin, reason, excerpt, times, first_unix, last_unix) \
         VALUES ('ssh', 'old', 'old', '', 1, 5, 5)",
    ] {
        transaction.execute(sql, &[]).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let page = || async {
        let (status, body) = get(&bot.url("/delivery")).await;
        let body = body.as_str().unwrap().to_owned();
        assert_eq!(status, 200, "{body}");
        body
    };
    let well = page().await;
    assert!(
        well.contains("All is well") && well.contains(">old<"),
        "{well}"
    );
    bot.status.seen("ssh one");
    bot.status.failed("ssh two", "no answer");
    let failed = page().await;
    assert!(!failed.contains("All is well"), "{failed}");
    assert!(
        failed.contains("ssh two failed at 20") && failed.contains("no answer"),
        "{failed}"
    );
    bot.status.recovered("ssh two");
    assert!(page().await.contains("All is well"));
    let mut transaction = bot.store.database.begin().await.unwrap();
    let today = jiff::Zoned::now()
        .with_time_zone(bot.store.zone().clone())
        .date();
    let sql = "UPDATE rounds SET round_date = $1, match_id = $2 WHERE map_name = 'm'";
    let match_id = format!("{today}-000000");
    transaction
        .execute(sql, &[today.to_string().into(), match_id.into()])
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let page = page().await;
    assert!(page.contains("with a stats file only: 1 of "), "{page}");
    bot.stop().await.unwrap();
}

/// A browser that has a picture asks with its tag. The stats file changes the round, and with it the tag.
#[tokio::test(flavor = "multi_thread")]
async fn picture_that_the_browser_has_is_not_sent_again_until_its_round_changes() {
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(config_in(&folder)).await.unwrap();
    let paths = [samples().join("../native/surrender")];
    ingest(&bot.store, &paths, "", false).await.unwrap();
    let (_, rounds) = get(&bot.url("/api/rounds")).await;
    let find = |round: &&serde_json::Value| round["round_number"] == 1;
    let id = rounds.as_array().unwrap().iter().find(find).unwrap()["id"].clone();
    let ask = async |format: &str, tag: &str| {
        let url = bot.url(&format!("/rounds/{id}/timeline.{format}"));
        let tag = tag.to_owned();
        let fetch = move || {
            let mut response = ureq::get(url).header("If-None-Match", tag).call().unwrap();
            let tag = response.headers()["etag"].to_str().unwrap().to_owned();
            let length = response.body_mut().read_to_vec().unwrap().len();
            (response.status().as_u16(), tag, length)
        };
        tokio::task::spawn_blocking(fetch).await.unwrap()
    };
    let mut tags = Vec::new();
    for format in ["svg", "png"] {
        let (status, tag, length) = ask(format, "\"other\"").await;
        assert!(
            status == 200 && length > 1_000,
            "{format}: {status}, {length} bytes"
        );
        for known in [tag.clone(), format!("\"other\", W/{tag}")] {
            assert_eq!(ask(format, &known).await, (304, tag.clone(), 0), "{format}");
        }
        tags.push((format, tag));
    }
    let paths = [samples().join("gamestats")];
    ingest(&bot.store, &paths, "", false).await.unwrap();
    for (format, tag) in tags {
        let (status, new, _) = ask(format, &tag).await;
        assert_eq!(status, 200, "{format}");
        assert_ne!(new, tag, "{format}");
    }
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_pages_show_what_to_do_next() {
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(config_in(&folder)).await.unwrap();
    for (path, status, says) in [
        ("/", 200, "gametimes-bot doctor"),
        ("/rounds", 200, "gametimes-bot doctor"),
        ("/matches/7", 404, "no such match"),
        ("/matches/x", 400, "the id of a round"),
        ("/audit", 200, "nothing to compare yet"),
        (
            "/delivery",
            200,
            "No report from a recorder has arrived yet",
        ),
        ("/rounds/7", 404, "no such round"),
        ("/rounds/x", 400, "the id of a round"),
        ("/rounds/7/timeline.png", 404, "no such round"),
        ("/players/A0000001", 404, "no such player"),
        ("/players", 200, "No player with a round yet"),
        ("/maps", 200, "No map was played yet"),
        ("/maps/room2", 404, "no such map"),
        ("/players?sort=luck", 400, "dead_share"),
        (
            "/players/compare?a=A0000001&b=B0000001",
            404,
            "no such player",
        ),
        ("/players/compare?a=A0000001", 400, "a part of a name"),
        ("/rounds?from=yesterday", 400, "a date such as 2026-12-31"),
        ("/audit?diff_seconds=-1", 400, "from 0 to 3600"),
    ] {
        let (got, body) = get(&bot.url(path)).await;
        let body = body.as_str().unwrap_or_default().to_owned();
        assert_eq!(got, status, "{path}: {body}");
        assert!(body.contains(says), "{path}: {body}");
    }
    bot.stop().await.unwrap();
}
