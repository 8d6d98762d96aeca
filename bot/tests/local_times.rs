//! Times on pages: UTC from the server, local times in a browser.

use gametimes_test_support::bot::browser::Browser;
use gametimes_test_support::bot::items::stats_of;
use gametimes_test_support::bot::{config_in, fetch, get};

/// Texts of all elements that a selector finds in the main part of a page.
fn texts(browser: &Browser, selector: &str) -> Vec<String> {
    let script = format!(
        "return [...document.querySelectorAll('main {selector}')].map(e => e.textContent.trim())"
    );
    serde_json::from_value(browser.run(&script)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn list_of_rounds_has_local_times_and_begins_days_at_the_readers_midnight() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    config.time_zone = jiff::tz::TimeZone::UTC;
    let bot = gametimes_bot::start(config).await.unwrap();
    let times = ["013000", "223000", "233000"];
    let items = times.map(|time| stats_of("Server", time, 1, &["A0000001"], 100));
    bot.store.ingest(&items).await.unwrap();
    let (_, page) = get(&bot.url("/rounds")).await;
    let page = page.as_str().unwrap();
    assert_eq!(page.matches("class=\"day\"").count(), 1, "{page}");
    assert!(page.contains(">Friday, 20 November 2026</time>"), "{page}");
    assert!(
        page.contains("<time datetime=\"2026-11-20T22:30:00Z\" data-show=\"moment\">2026-11-20 22:30 UTC</time>"),
        "{page}"
    );
    let url = bot.url("/rounds");
    tokio::task::block_in_place(|| {
        let browser = Browser::start();
        for (zone, days, first) in [
            (
                "Europe/Berlin",
                vec!["Saturday 21 November 2026", "Friday 20 November 2026"],
                "21 Nov 2026, 00:30",
            ),
            ("UTC", vec!["Friday 20 November 2026"], "20 Nov 2026, 23:30"),
            (
                "America/New_York",
                vec!["Friday 20 November 2026", "Thursday 19 November 2026"],
                "20 Nov 2026, 18:30",
            ),
        ] {
            browser.time_zone(zone);
            browser.open(&url);
            let shown: Vec<String> = texts(&browser, ".day")
                .iter()
                .map(|day| day.replace(',', ""))
                .collect();
            assert_eq!(shown, days, "{zone}");
            let shown = texts(&browser, "tr:not(.day) time");
            assert!(shown[0].starts_with(first), "{zone}: {shown:?}");
            assert_eq!(browser.console(), Vec::<String>::new(), "{zone}");
        }
    });
    bot.stop().await.unwrap();
}

/// The round ended two hours ago by the browser's clock.
#[tokio::test(flavor = "multi_thread")]
async fn moment_of_today_shows_how_long_ago_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    config.time_zone = jiff::tz::TimeZone::UTC;
    let bot = gametimes_bot::start(config).await.unwrap();
    bot.store
        .ingest(&[stats_of("Server", "120000", 1, &["A0000001"], 100)])
        .await
        .unwrap();
    let script = fetch(&bot.url("/time.js"), &[]).await;
    let script = String::from_utf8(script.into_body()).unwrap();
    let url = bot.url("/rounds/1");
    tokio::task::block_in_place(|| {
        let browser = Browser::start();
        browser.time_zone("Asia/Seoul");
        for (later_ms, ago) in [
            (0, " (just now)"),
            (59 * 60_000, " (59 min ago)"),
            (2 * 3_600_000, " (2 h ago)"),
            (30 * 3_600_000, " (1 day ago)"),
            (5 * 86_400_000, " (5 days ago)"),
            (15 * 86_400_000, ""),
            (-3_600_000, ""),
        ] {
            browser.open(&url);
            let times = "[...document.querySelectorAll('time')]";
            browser.run(&format!(
                "const at = Date.parse({times}[0].dateTime); Date.now = () => at + {later_ms}"
            ));
            browser.run(&script);
            let expected = format!("20 Nov 2026, 21:00{ago}");
            assert_eq!(texts(&browser, "time")[0], expected);
        }
        let title = browser.run("return document.querySelector('time').title");
        assert_eq!(title, "2026-11-20 12:00 UTC");
    });
    bot.stop().await.unwrap();
}
