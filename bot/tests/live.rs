//! Live, over real HTTP and in a real browser: what the public sees and what it does not, posted snapshots, hostile bodies, streams.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use gametimes_bot::config::{Folder, Secret};
use gametimes_bot::files::ingest::ingest;
use gametimes_bot::{Bot, Config, Role, roles};
use gametimes_discord_standin::Discord;
use gametimes_format::digest::{round_canonical_id, sign};
use gametimes_format::live::BYTES;
use gametimes_test_support::bot::browser::Browser;
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::sshd::Sshd;
use gametimes_test_support::bot::stats_channel::{A_WHILE, text_of};
use gametimes_test_support::bot::{
    TIMEOUT, agent, config_in, delivery, fetch, get, get_with, settings_for, wait_for,
};
use gametimes_test_support::samples::native_files;
use jiff::Timestamp;
use serde_json::{Value, json};

const KEY: &str = "the key of posted snapshots";
const TOKEN: &str = "the-token-of-a-caster";
/// How long a bot that does something for a message keeps others from it: `CLAIM_SECONDS` in `bot/src/discord/posts/sender.rs`.
const CLAIM_SECONDS: usize = 60;

/// Names that players choose.
const ODD_NAME: &str = "<script>document.title='x'</script>";

fn unix_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

fn player(slot: u8, team: u8, name: &str, class: &str, life: &str) -> Value {
    json!({"slot": slot, "guid": format!("{slot:032X}"), "name": name, "team": team, "class": class, "life": life,
        "since_ms": 60_000, "kills": 7, "deaths": 5, "revives": 1, "dead_ms": 45_000, "denied_ms": 30_000, "is_bot": false})
}

/// A fight in round 2 of stopwatch.
fn snapshot(seq: u64) -> Value {
    json!({"schema": 1, "seq": seq, "unix_ms": unix_ms(),
        "server": {"ip": "192.0.2.7", "port": "27960", "hostname": "A server"},
        "state": "playing", "map": "te_escape2", "round": 2, "match_uid": "01a1", "gametype": 3, "config": "legacy6",
        "played_ms": 300_000, "limit_ms": 372_000, "target_ms": 372_000, "score": {"axis": 1, "allies": 0},
        "sides": {"team_a": 1, "team_b": 2}, "pause": null,
        "waves": {"axis": {"interval_ms": 30_000, "next_in_ms": 21_000}, "allies": {"interval_ms": 20_000, "next_in_ms": 11_000}},
        "players": [player(0, 1, ODD_NAME, "medic", "alive"), player(1, 1, "Zweiter", "engineer", "limbo"),
            player(2, 2, "日本語プレイヤー", "field_ops", "wounded"), player(3, 2, "a rather long name of 35 characters", "soldier", "alive")],
        "events": [
            {"t_ms": 240_000, "kind": "objective", "guid": format!("{:032X}", 3), "by": null, "mod": null, "action": "planted", "text": "the Gate"},
            {"t_ms": 290_000, "kind": "death", "guid": format!("{:032X}", 1), "by": format!("{:032X}", 3), "mod": "MOD_MP40"}]})
}

fn on_map(seq: u64, map: &str) -> Value {
    let mut snapshot = snapshot(seq);
    snapshot["map"] = map.into();
    snapshot
}

fn config(folder: &tempfile::TempDir) -> Config {
    let mut config = config_in(folder);
    config.live_key = Some(Secret::new(KEY));
    config.live_token = Some(Secret::new(TOKEN));
    config
}

async fn start(change: impl FnOnce(&mut Config)) -> (Bot, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    change(&mut config);
    (gametimes_bot::start(config).await.unwrap(), folder)
}

/// Posts a body with this signature; returns the status and the message.
async fn post_as(bot: &Bot, body: Vec<u8>, signature: Option<String>) -> (u16, String) {
    let url = bot.url("/api/live");
    tokio::task::spawn_blocking(move || {
        let mut request = agent().post(url);
        if let Some(signature) = signature {
            request = request.header("X-Gametimes-Signature", signature);
        }
        let mut response = request.send(&body).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), text)
    })
    .await
    .unwrap()
}

async fn post(bot: &Bot, snapshot: &Value) -> u16 {
    let body = snapshot.to_string().into_bytes();
    let signature = format!("sha256={}", sign(KEY.as_bytes(), &body));
    post_as(bot, body, Some(signature)).await.0
}

/// Reads a stream until an event contains the text.
async fn read_until(bot: &Bot, path: &str, token: Option<&str>, text: &str) -> String {
    let (address, path) = (bot.address.unwrap(), path.to_owned());
    let (token, text) = (token.map(str::to_owned), text.to_owned());
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        let token = token.map_or_else(String::new, |t| format!("Authorization: Bearer {t}\r\n"));
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\n{token}\r\n"
        )
        .unwrap();
        let mut read = String::new();
        let mut reader = BufReader::new(stream);
        while !read.contains(&text) {
            let count = reader.read_line(&mut read).unwrap();
            assert!(count > 0, "the stream ended: {read}");
        }
        read
    })
    .await
    .unwrap()
}

async fn text_of_page(bot: &Bot, path: &str, token: Option<&str>) -> String {
    let authorization = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = authorization
        .iter()
        .map(|a| ("Authorization", a.as_str()))
        .collect();
    let answer = fetch(&bot.url(path), &headers).await;
    assert_eq!(answer.status(), 200, "{path}");
    String::from_utf8(answer.into_body()).unwrap()
}

/// Everything over HTTP that anybody gets without a token. The streams are read for a few seconds.
async fn everything_public(bot: &Bot) -> String {
    let mut all = String::new();
    for path in [
        "/live",
        "/live/obs",
        "/api/live",
        "/",
        "/rounds",
        "/delivery",
        "/metrics",
    ] {
        all.push_str(&text_of_page(bot, path, None).await);
    }
    for path in ["/live/stream", "/api/live/stream"] {
        let stream = read_until(bot, path, None, "\n: \n").await;
        assert!(stream.contains("event: servers"), "{stream}");
        all.push_str(&stream);
    }
    // As the wrong token.
    for path in ["/live", "/api/live"] {
        all.push_str(&text_of_page(bot, path, Some("the-token-of-a-castes")).await);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_undelayed_reaches_anybody_without_the_token() {
    // Longer than the test.
    let (bot, _folder) = start(|config| {
        config.live_delay = Duration::from_secs(3600);
        config.public_url = Some("https://stats.example.org".into());
    })
    .await;
    assert_eq!(post(&bot, &snapshot(7_654_321)).await, 204);
    let page = text_of_page(&bot, "/live", Some(TOKEN)).await;
    assert!(
        page.contains("te_escape2") && page.contains("Zweiter"),
        "{page}"
    );
    let (_, api) = get_with(&bot.url("/api/live"), Some(TOKEN)).await;
    assert_eq!(api["servers"][0]["snapshot"]["seq"], 7_654_321);
    assert_eq!(api["delay_seconds"], 0);
    for path in ["/live/stream", "/api/live/stream"] {
        read_until(&bot, path, Some(TOKEN), "te_escape2").await;
    }
    let public = everything_public(&bot).await;
    assert!(public.contains("og:title"), "the preview is there");
    for secret in [
        "te_escape2",
        "Zweiter",
        "192.0.2.7",
        "7654321",
        "A server",
        "01a1",
        "MP40",
        "372",
    ] {
        assert!(!public.contains(secret), "{secret} is public: {public}");
    }
    let (_, api) = get(&bot.url("/api/live")).await;
    assert_eq!(api, json!({"delay_seconds": 3600, "servers": []}));
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_sees_a_server_after_the_delay() {
    let (bot, _folder) = start(|config| config.live_delay = Duration::from_secs(1)).await;
    let posted = std::time::Instant::now();
    assert_eq!(post(&bot, &on_map(1, "first")).await, 204);
    let shown = read_until(&bot, "/live/stream", None, "first").await;
    assert!(posted.elapsed() >= Duration::from_secs(1), "{shown}");
    assert!(!text_of_page(&bot, "/live", None).await.contains(TOKEN));
    bot.stop().await.unwrap();
}

/// A bot whose pages are for members only.
#[tokio::test(flavor = "multi_thread")]
async fn with_an_api_token_only_the_frame_of_the_casters_page_and_posts_need_none() {
    let api_token = "the-token-of-the-members";
    let (bot, _folder) = start(|config| {
        config.api_token = Some(Secret::new(api_token));
        config.live_delay = Duration::from_secs(3600);
    })
    .await;
    assert_eq!(post(&bot, &snapshot(1)).await, 204);
    for path in [
        "/live",
        "/live/stream",
        "/api/live",
        "/api/live/stream",
        "/",
    ] {
        assert_eq!(get(&bot.url(path)).await.0, 401, "{path}");
    }
    let obs = text_of_page(&bot, "/live/obs?side=axis&size=6", None).await;
    assert!(!obs.contains("te_escape2"), "{obs}");
    assert_eq!(get(&bot.url("/live/obs?token=x")).await.0, 400);
    // Members see what everybody would, casters see it at once, and nothing else.
    assert!(
        !text_of_page(&bot, "/live", Some(api_token))
            .await
            .contains("te_escape2")
    );
    assert!(
        text_of_page(&bot, "/live", Some(TOKEN))
            .await
            .contains("te_escape2")
    );
    assert_eq!(get_with(&bot.url("/rounds"), Some(TOKEN)).await.0, 401);
    bot.stop().await.unwrap();

    // Without a token of its own, the API's shows everything at once.
    let (bot, _folder) = start(|config| {
        config.api_token = Some(Secret::new(api_token));
        config.live_token = None;
        config.live_delay = Duration::from_secs(3600);
    })
    .await;
    assert_eq!(post(&bot, &snapshot(1)).await, 204);
    assert!(
        text_of_page(&bot, "/live", Some(api_token))
            .await
            .contains("te_escape2")
    );
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_posts_are_refused_and_change_nothing() {
    let (bot, _folder) = start(|config| config.live_delay = Duration::ZERO).await;
    let good = snapshot(5).to_string().into_bytes();
    let signature = sign(KEY.as_bytes(), &good);
    for wrong in [
        None,
        Some(String::new()),
        Some(signature.clone()),
        Some("sha256=".into()),
        Some(format!("sha256={}", sign(b"another key", &good))),
        Some(format!("sha256={}0", &signature[..63])),
        Some(format!("sha256={signature}00")),
        Some("sha256=ü".into()),
    ] {
        let (status, answer) = post_as(&bot, good.clone(), wrong.clone()).await;
        assert_eq!(status, 401, "{wrong:?}");
        assert!(!answer.contains(KEY));
    }
    let signed = async |body: Vec<u8>| {
        let signature = format!("sha256={}", sign(KEY.as_bytes(), &body));
        post_as(&bot, body, Some(signature)).await.0
    };
    let changed = |pointer: &str, value: Value| {
        let mut snapshot = snapshot(5);
        *snapshot.pointer_mut(pointer).unwrap() = value;
        snapshot.to_string().into_bytes()
    };
    let long = "x".repeat(300);
    for body in [
        Vec::new(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        vec![b'['; BYTES],
        vec![0xff; 100],
        changed(
            "/players",
            json!(vec![player(0, 1, "a", "medic", "alive"); 65]),
        ),
        changed("/events", json!(vec![snapshot(1)["events"][0].clone(); 31])),
        changed("/players/0/name", long.clone().into()),
        changed("/players/0/dead_ms", i64::MIN.into()),
        changed("/server/ip", long.clone().into()),
        changed("/server/ip", "192.0.2.7\n\nevent: servers".into()),
        changed("/server/port", "27960 27961".into()),
        changed("/waves/axis/interval_ms", 0.into()),
        changed("/played_ms", i64::MAX.into()),
        changed("/unix_ms", i64::MAX.into()),
        changed("/map", long.into()),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
        assert_eq!(signed(body).await, 400, "{shown}");
    }
    assert_eq!(signed(vec![b' '; BYTES + 1]).await, 413);
    let (_, api) = get(&bot.url("/api/live")).await;
    assert_eq!(api["servers"], json!([]));
    // Not again, and not much later.
    assert_eq!(signed(good.clone()).await, 204);
    assert_eq!(signed(good).await, 409);
    assert_eq!(post(&bot, &snapshot(4)).await, 409);
    let mut late = snapshot(9);
    late["unix_ms"] = (unix_ms() - 3_600_000).into();
    late["server"]["port"] = "27961".into();
    assert_eq!(post(&bot, &late).await, 409);
    let mut statuses = Vec::new();
    for seq in 10..40 {
        statuses.push(post(&bot, &snapshot(seq)).await);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    bot.stop().await.unwrap();

    let (bot, _folder) = start(|config| config.live_key = None).await;
    assert_eq!(post(&bot, &snapshot(1)).await, 404);
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn reader_that_reads_nothing_holds_up_nobody_and_is_dropped() {
    let (bot, _folder) = start(|config| config.live_delay = Duration::ZERO).await;
    let mut lazy = TcpStream::connect(bot.address.unwrap()).unwrap();
    write!(lazy, "GET /live/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    // Maps change a thousand times. `offer` is what every source calls.
    for seq in 1..=1000 {
        let next = on_map(seq, &format!("map_{seq}"));
        let next = gametimes_bot::live::check::read(next.to_string().as_bytes()).unwrap();
        bot.live.offer(next, gametimes_bot::live::Transport::File);
    }
    let shown = read_until(&bot, "/live/stream", None, "map_").await;
    assert!(shown.contains("map_1000"), "{shown}");
    // The stream ends by itself, and with it the connection.
    let ended = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_secs(27));
        lazy.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut rest = String::new();
        let mut reader = BufReader::new(lazy);
        while !rest.ends_with("\r\n0\r\n") && reader.read_line(&mut rest).unwrap() > 0 {}
        rest
    });
    let ended = ended.await.unwrap();
    assert!(
        ended.ends_with("\r\n0\r\n"),
        "the stream ended: {}",
        ended.len()
    );
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_leave_connections_for_everything_else_and_end_with_the_bot() {
    let (bot, _folder) = start(|config| config.max_connections = 8).await;
    let open = |bot: &Bot| {
        let mut stream = TcpStream::connect(bot.address.unwrap()).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        write!(
            stream,
            "GET /live/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        .unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        (stream, String::from_utf8_lossy(&status).into_owned())
    };
    let streams: Vec<_> = (0..7).map(|_| open(&bot)).collect();
    let statuses: Vec<&str> = streams.iter().map(|(_, status)| &status[9..]).collect();
    assert_eq!(statuses, ["200", "200", "200", "200", "200", "200", "503"]);
    drop(streams.into_iter().nth(6));
    assert_eq!(get(&bot.url("/api/health")).await.0, 200);
    let stopped = tokio::time::timeout(Duration::from_secs(8), bot.stop()).await;
    stopped.expect("the bot waits for no stream").unwrap();
}

/// Everything that a viewer reads of a card.
fn seen(browser: &Browser) -> String {
    let text = browser.run("return document.querySelector('#live')?.innerText ?? ''");
    text.as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_in_a_real_browser_show_and_follow_what_happens() {
    let (bot, _folder) = start(|config| config.live_delay = Duration::ZERO).await;
    let browser = tokio::task::spawn_blocking(Browser::start).await.unwrap();
    browser.open(&bot.url("/live"));
    assert!(
        browser
            .run("return document.querySelector('#empty').checkVisibility()")
            .as_bool()
            .unwrap()
    );
    assert_eq!(post(&bot, &snapshot(1)).await, 204);
    let text = wait_for("the card", || async {
        Some(seen(&browser)).filter(|t| t.contains("te_escape2"))
    })
    .await;
    for part in [
        "A server",
        "round 2",
        "Playing",
        "Allies must finish within",
        "1 of 2 alive",
        ODD_NAME,
        "Engineer",
        "wounded",
        "dead",
        "7/5",
        "15 %",
        "a rather long name of 35 characters planted dynamite at the Gate",
        "a rather long name of 35 characters killed Zweiter (mp40)",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    // All clocks run, from where the snapshot left them: up, down, and round.
    let times = "return [...document.querySelectorAll('[data-ms]')].map(e => [Number(e.dataset.ms), Number(e.dataset.step), \
                 Number(e.dataset.interval || 0), e.now, performance.now() - e.closest('article').taken])";
    wait_for("clocks that run", || async {
        let times = browser.run(times);
        let times: Vec<[f64; 5]> = serde_json::from_value(times).ok()?;
        let elapsed = times.first()?[4];
        (elapsed > 1000.0).then_some(())
    })
    .await;
    let times: Vec<[f64; 5]> = serde_json::from_value(browser.run(times)).unwrap();
    assert!(times.len() >= 5, "{times:?}");
    for [ms, step, interval, now, elapsed] in times {
        let mut expected = ms + step * elapsed;
        if interval > 0.0 {
            expected = expected.rem_euclid(interval);
        }
        // A tick has 50 ms.
        assert!(
            (expected - now).abs() < 100.0,
            "{ms} {step} {interval}: {now}, not {expected}"
        );
    }
    for (name, width, dark) in [
        ("live-phone", 360, false),
        ("live-desktop", 1280, false),
        ("live-dark", 1280, true),
    ] {
        browser.width(width);
        browser.dark(dark);
        let wide = browser.run("return document.documentElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= u64::from(width), "{name}: {wide}");
        browser.keep_picture(name);
    }
    assert_eq!(browser.axe(), Vec::<String>::new());
    // A pause stops the clock of the round.
    let mut paused = snapshot(2);
    paused["state"] = "paused".into();
    paused["pause"] = json!({"n": 1, "since_unix_ms": unix_ms() - 5000, "by": {"kind": "player", "guid": "A", "name": "Zweiter", "team": 1}});
    assert_eq!(post(&bot, &paused).await, 204);
    wait_for("the pause", || async {
        Some(seen(&browser)).filter(|t| t.contains("Paused by Zweiter (Axis)"))
    })
    .await;
    browser.width(360);
    browser.keep_picture("live-paused-phone");
    assert_eq!(
        browser.run("return document.querySelector('.clock [data-ms]').textContent"),
        "5:00"
    );
    // The server is gone.
    let mut idle = snapshot(3);
    idle["state"] = "idle".into();
    idle["players"] = json!([]);
    assert_eq!(post(&bot, &idle).await, 204);
    wait_for("an idle server", || async {
        Some(seen(&browser)).filter(|t| t.contains("Nobody plays"))
    })
    .await;
    assert_eq!(browser.run("return document.title"), "Live – gametimes");
    assert_eq!(browser.console(), Vec::<String>::new());
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn casters_picture_is_transparent_and_reads_the_undelayed_stream_with_the_token_behind_the_hash()
 {
    let (bot, _folder) = start(|config| config.live_delay = Duration::from_secs(3600)).await;
    assert_eq!(post(&bot, &snapshot(1)).await, 204);
    let browser = tokio::task::spawn_blocking(Browser::start).await.unwrap();
    browser.width(1280);
    browser.open(&bot.url(&format!("/live/obs?side=allies&size=6#token={TOKEN}")));
    let text = wait_for("the picture", || async {
        Some(seen(&browser)).filter(|t| t.contains("Allies"))
    })
    .await;
    assert!(
        text.contains("next wave") && text.contains("must finish within"),
        "{text}"
    );
    for hidden in ["Zweiter", "te_escape2", "AXIS", "Engineer", "Axis\n"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    let background = browser.run("return getComputedStyle(document.body).backgroundColor");
    assert_eq!(background, "rgba(0, 0, 0, 0)");
    browser.run("document.documentElement.style.background = '#345'");
    browser.keep_picture("live-obs");
    assert_eq!(browser.console(), Vec::<String>::new());
    // Without the token it is empty.
    browser.open(&bot.url("/live/obs?size=2"));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(seen(&browser), "");
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_token_behind_the_hash_takes_effect_at_once_and_a_link_within_the_page_keeps_it() {
    let (bot, _folder) = start(|config| config.live_delay = Duration::from_secs(3600)).await;
    assert_eq!(post(&bot, &snapshot(1)).await, 204);
    let browser = tokio::task::spawn_blocking(Browser::start).await.unwrap();
    browser.open(&bot.url("/live"));
    assert_eq!(seen(&browser), "");
    browser.run(&format!("location.hash = 'token={TOKEN}'"));
    let has_card = |browser: &Browser| seen(browser).contains("te_escape2");
    wait_for("the card", || async { has_card(&browser).then_some(()) }).await;
    // The browser reports a change of the hash after the script that made it.
    let reported = "const done = arguments[0]; addEventListener('hashchange', () => setTimeout(() => done(window.isSame ?? false), 500));";
    browser.run("window.isSame = true");
    let same = browser.run_async(&format!(
        "{reported} document.querySelector('.skip').click()"
    ));
    assert_eq!((same, has_card(&browser)), (true.into(), true));
    browser.run("location.hash = ''");
    wait_for("the page without the token", || async {
        (!has_card(&browser)).then_some(())
    })
    .await;
    bot.stop().await.unwrap();
}

/// Without scripts, the page contains the cards and loads itself again.
#[tokio::test(flavor = "multi_thread")]
async fn page_works_without_scripts() {
    let (bot, _folder) = start(|config| config.live_delay = Duration::ZERO).await;
    assert_eq!(post(&bot, &snapshot(1)).await, 204);
    let page = text_of_page(&bot, "/live", None).await;
    assert!(
        page.contains("<noscript><meta http-equiv=\"refresh\""),
        "{page}"
    );
    assert!(page.contains(">5:00<") && page.contains(">1:12<"), "{page}");
    assert!(!page.contains(ODD_NAME), "{page}");
    bot.stop().await.unwrap();
}

/// Writes a live file as recorders do: another file that takes its place.
fn write(folder: &Path, snapshot: &Value) {
    let live = folder.join("live");
    std::fs::create_dir_all(&live).unwrap();
    let temporary = live.join("192.0.2.7_27960.json.tmp");
    std::fs::write(&temporary, snapshot.to_string()).unwrap();
    std::fs::rename(temporary, live.join("192.0.2.7_27960.json")).unwrap();
}

/// What the bot shows of the only server: its map and health.
async fn shown(bot: &Bot) -> Option<(String, String)> {
    let (_, api) = get(&bot.url("/api/live")).await;
    let server = api["servers"].as_array()?.first()?.clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some((text(&server["snapshot"]["map"]), text(&server["health"])))
}

async fn wait_for_map(bot: &Bot, map: &str) {
    wait_for(map, || async {
        shown(bot)
            .await
            .filter(|s| *s == (map.into(), "live".into()))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn live_file_in_a_folder_is_shown_also_if_the_folder_comes_later_and_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let (bot, _folder) = start(|config| {
        config.live_delay = Duration::ZERO;
        config.folders = vec![Folder {
            path: home.path().to_owned(),
            server: String::new(),
        }];
    })
    .await;
    write(home.path(), &on_map(1, "first"));
    wait_for_map(&bot, "first").await;
    write(home.path(), &on_map(2, "second"));
    wait_for_map(&bot, "second").await;
    // What no recorder writes changes nothing.
    let live = home.path().join("live");
    std::fs::write(live.join("broken.json"), "{").unwrap();
    std::fs::write(live.join("large.json"), vec![b' '; 10 * BYTES]).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(live.join("pipe.json"))
        .status()
        .unwrap();
    assert!(made.success());
    std::os::unix::fs::symlink("/dev/zero", live.join("endless.json")).unwrap();
    std::fs::create_dir(live.join("folder.json")).unwrap();
    write(home.path(), &on_map(3, "third"));
    wait_for_map(&bot, "third").await;
    std::fs::remove_dir_all(&live).unwrap();
    write(home.path(), &on_map(4, "fourth"));
    wait_for_map(&bot, "fourth").await;
    // Round after round.
    for seq in 5..=1000 {
        write(home.path(), &on_map(seq, &format!("map_{seq}")));
    }
    wait_for_map(&bot, "map_1000").await;
    bot.stop().await.unwrap();
}

/// The file of a server that was killed long ago is still there when the bot starts.
#[tokio::test(flavor = "multi_thread")]
async fn file_of_a_dead_server_is_shown_as_offline_after_a_restart_of_the_bot() {
    let home = tempfile::tempdir().unwrap();
    let mut old = on_map(9, "old");
    old["unix_ms"] = (unix_ms() - 600_000).into();
    write(home.path(), &old);
    let (bot, _folder) = start(|config| {
        config.live_delay = Duration::ZERO;
        config.folders = vec![Folder {
            path: home.path().to_owned(),
            server: String::new(),
        }];
    })
    .await;
    let found = wait_for("the file", || shown(&bot)).await;
    assert_eq!(found, ("old".into(), "offline".into()));
    // A recorder that was installed anew counts from the start, on a clock that is wrong.
    let seq = Cell::new(0);
    wait_for("the new recorder", || async {
        seq.set(seq.get() + 1);
        let mut new = on_map(seq.get(), "new");
        new["unix_ms"] = (unix_ms() - 7_200_000).into();
        write(home.path(), &new);
        shown(&bot)
            .await
            .filter(|s| *s == ("new".into(), "live".into()))
    })
    .await;
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn live_file_on_a_server_is_read_over_sftp_also_after_the_network_was_gone() {
    let home = tempfile::tempdir().unwrap();
    let mut sshd = Sshd::start();
    write(home.path(), &on_map(1, "first"));
    let (bot, _folder) = start(|config| {
        config.live_delay = Duration::ZERO;
        config.poll = Duration::from_secs(1);
        config.ssh = vec![sshd.settings(home.path(), Some(home.path()))];
    })
    .await;
    wait_for_map(&bot, "first").await;
    write(home.path(), &on_map(2, "second"));
    wait_for_map(&bot, "second").await;
    sshd.down();
    write(home.path(), &on_map(3, "third"));
    wait_for("a failure of the server", || async {
        delivery(&bot, "ssh ").and_then(|d| d.last_error)
    })
    .await;
    sshd.up();
    wait_for_map(&bot, "third").await;
    bot.stop().await.unwrap();
}

/// What one process receives, all others show: each a second later, the public after the delay.
#[tokio::test(flavor = "multi_thread")]
async fn bots_on_one_postgresql_show_the_same() {
    let cluster = Cluster::shared();
    let url = cluster.database();
    let home = tempfile::tempdir().unwrap();
    let mut config = Config::with_database(&url);
    config.live_delay = Duration::ZERO;
    config.live_key = Some(Secret::new(KEY));
    let mut receive = config.clone();
    receive.folders = vec![Folder {
        path: home.path().to_owned(),
        server: String::new(),
    }];
    let receiver = roles::start(receive.clone(), Role::Receive).await.unwrap();
    let other = roles::start(config.clone(), Role::Run).await.unwrap();
    let database = url.rsplit_once('/').unwrap().1.split('?').next().unwrap();
    cluster.psql(
        database,
        "CREATE ROLE live_web LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO live_web",
    );
    config.database_url = Secret::new(url.replace("postgres://postgres@", "postgres://live_web@"));
    let mut late = config.clone();
    late.live_delay = Duration::from_secs(3600);
    let serve = roles::start(config, Role::Serve).await.unwrap();
    let serve_late = roles::start(late, Role::Serve).await.unwrap();
    // A process that only serves takes no posts.
    assert_eq!(post(&serve, &snapshot(1)).await, 404);
    write(home.path(), &on_map(10, "first"));
    wait_for_map(&serve, "first").await;
    wait_for_map(&other, "first").await;
    // Through another process, and again through the first.
    assert_eq!(post(&other, &on_map(11, "second")).await, 204);
    wait_for_map(&serve, "second").await;
    write(home.path(), &on_map(12, "third"));
    wait_for_map(&other, "third").await;
    // One is killed, and its recorder counts from the start.
    receiver.stop().await.unwrap();
    let receiver = roles::start(receive, Role::Receive).await.unwrap();
    let seq = Cell::new(0);
    wait_for("the new recorder everywhere", || async {
        seq.set(seq.get() + 1);
        write(home.path(), &on_map(seq.get(), "fourth"));
        let [a, b] = [shown(&serve).await?.0, shown(&other).await?.0];
        (a == "fourth" && b == "fourth").then_some(())
    })
    .await;
    let (_, api) = get(&serve_late.url("/api/live")).await;
    assert_eq!(api["servers"], json!([]));
    for bot in [receiver, other, serve, serve_late] {
        bot.stop().await.unwrap();
    }
}

/// The recorded round of a snapshot, as a file that ends now.
fn result_of(snapshot: &Value) -> Vec<u8> {
    let (_, bytes) = native_files("surrender").remove(0);
    let mut file: Value = serde_json::from_slice(&bytes).unwrap();
    let meta = &mut file["meta"];
    let end = Timestamp::now().as_second();
    let later = end - meta["round_end_unix"].as_i64().unwrap();
    let start = meta["round_start_unix"].as_i64().unwrap() + later;
    meta["round_start_unix"] = start.into();
    meta["round_end_unix"] = end.into();
    meta["match_id"] = end.to_string().into();
    meta["map"] = snapshot["map"].clone();
    meta["round"] = 1.into();
    meta["server_ip"] = snapshot["server"]["ip"].clone();
    meta["server_port"] = snapshot["server"]["port"].clone();
    meta["event_id"] = "01a1f8fc-b99e-7786-b004-c44b525f62fd".into();
    let map = snapshot["map"].as_str().unwrap();
    meta["round_canonical_id"] = round_canonical_id(start, map, 1).into();
    file.to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn live_channel_has_one_message_for_each_round_which_becomes_the_result_also_after_a_restart()
{
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    let channel = discord.add_channel();
    let mut settings = settings_for(&discord);
    settings.live_channel_id = Some(channel);
    config.discord = Some(settings);
    config.live_delay = Duration::ZERO;
    let message = || {
        let mut messages = discord.messages_in(channel);
        assert!(messages.len() <= 1, "{messages:#?}");
        messages.pop().map(|message| text_of(&message))
    };
    let wait_for_text = async |text: &'static str| {
        wait_for(text, || async { message().filter(|m| m.contains(text)) }).await
    };
    let mut round = snapshot(1);
    round["round"] = 1.into();
    round["played_ms"] = 60_000.into();
    let again = |round: &mut Value| {
        round["seq"] = (round["seq"].as_u64().unwrap() + 1).into();
        round["unix_ms"] = unix_ms().into();
    };
    let bot = gametimes_bot::start(config.clone()).await.unwrap();
    assert_eq!(post(&bot, &round).await, 204);
    let text = wait_for_text("Playing, 1:00").await;
    for part in [
        "te\\_escape2",
        "round 1",
        "Axis: 1 of 2 alive",
        "Zweiter",
        "time to beat 6:12",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    // It is edited, and by the bot after this one too.
    round["played_ms"] = 120_000.into();
    again(&mut round);
    assert_eq!(post(&bot, &round).await, 204);
    wait_for_text("Playing, 2:00").await;
    bot.stop().await.unwrap();
    let bot = gametimes_bot::start(config).await.unwrap();
    round["state"] = "intermission".into();
    // The recorder continues. A bot that was stopped between an edit and its own note of it edits again when its claim has run out.
    for _ in 0..2 * CLAIM_SECONDS {
        again(&mut round);
        assert_eq!(post(&bot, &round).await, 204);
        if message().is_some_and(|m| m.contains("Over after 2:00")) {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    wait_for_text("Over after 2:00").await;
    let file = folder.path().join("gametime-te_escape2-R1-5.json");
    std::fs::write(&file, result_of(&round)).unwrap();
    let done = ingest(&bot.store, &[file], "", false).await.unwrap();
    assert_eq!((done.new, done.rejected), (1, vec![]));
    let text = wait_for_text("won").await;
    assert!(text.contains("surrender"), "{text}");
    // The next map: the page shows the score of the series.
    round["state"] = "playing".into();
    round["map"] = "supply".into();
    again(&mut round);
    assert_eq!(post(&bot, &round).await, 204);
    let page = text_of_page(&bot, "/live", None).await;
    assert!(
        page.contains("Series: ") && page.contains("(1 map)"),
        "{page}"
    );
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn live_channel_shows_nothing_before_the_delay() {
    let discord = Discord::start().unwrap();
    let channel = discord.add_channel();
    let (bot, _folder) = start(|config| {
        let mut settings = settings_for(&discord);
        settings.live_channel_id = Some(channel);
        config.discord = Some(settings);
        config.live_delay = Duration::from_secs(3600);
    })
    .await;
    assert_eq!(post(&bot, &snapshot(1)).await, 204);
    assert!(
        text_of_page(&bot, "/live", Some(TOKEN))
            .await
            .contains("te_escape2")
    );
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(discord.messages_in(channel).len(), 0);
    bot.stop().await.unwrap();
}
