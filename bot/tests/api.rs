//! The API on both databases: shapes, limits, and the diagnostics of the samples.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use gametimes_bot::config::Secret;
use gametimes_bot::files::ingest::ingest;
use gametimes_bot::{Bot, Config};
use gametimes_test_support::bot::{get, get_with};
use gametimes_test_support::on_both_databases;
use gametimes_test_support::samples::samples;
use serde_json::{Value, json};

/// A bot with the samples and the module's files of the same matches.
async fn bot_with_samples(url: &str, edit: impl FnOnce(&mut Config)) -> Bot {
    let mut config = Config::with_database(url);
    edit(&mut config);
    let bot = gametimes_bot::start(config).await.unwrap();
    let native = samples().join("../native");
    let paths = [
        samples().join("gamestats"),
        native.join("stopwatch"),
        native.join("surrender"),
    ];
    let done = ingest(&bot.store, &paths, "", false).await.unwrap();
    assert_eq!(
        (done.new, done.rejected.len(), done.rounds),
        (10, 0, 5),
        "{done}"
    );
    bot
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

async fn audit_explains_every_difference_in_time_dead(url: &str) {
    let bot = bot_with_samples(url, |_| ()).await;
    let (status, audit) =
        get(&bot.url("/api/diagnostics/spawn-audit?limit=1000&diff_seconds=6")).await;
    assert_eq!(status, 200);
    assert_eq!(audit["summary"]["checked"], 60);
    assert_eq!(audit["summary"]["missing_player_stats"], 0);
    let mut found: Vec<(String, String)> = audit["samples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            let who = format!(
                "{} {}",
                s["match_id"].as_str().unwrap(),
                &s["player_guid"].as_str().unwrap()[..8]
            );
            (who, s["reason"].as_str().unwrap().to_owned())
        })
        .collect();
    found.sort();
    let pause = "pause counted as dead by the stats file";
    let left = "left while dead (the team or the server): 9 s that the stats file does not count";
    let expected = [
        ("2026-11-20-123341 A0000003", pause),
        ("2026-11-20-123341 A0000006", pause),
        ("2026-11-20-123341 A0000007", pause),
        ("2026-11-20-123528 A0000008", left),
        ("2026-11-20-123528 A0000009", pause),
        ("2026-11-20-123528 A000000B", pause),
        ("2026-11-20-123528 A000000C", pause),
    ]
    .map(|(who, why)| (who.to_owned(), why.to_owned()));
    assert_eq!(found, expected);
    assert_eq!(
        keys(&audit["samples"][0]),
        [
            "avg_respawn_seconds",
            "dead_seconds_lua",
            "death_count",
            "diff_seconds",
            "flags",
            "map_name",
            "match_id",
            "max_respawn_seconds",
            "player_guid",
            "player_name",
            "reason",
            "round_id",
            "round_number",
            "spawn_count",
            "time_dead_seconds_db",
            "time_played_seconds"
        ]
    );
    assert_eq!(keys(&audit), ["params", "samples", "status", "summary"]);
    assert_eq!(audit["params"], json!({"limit": 1000, "diff_seconds": 6}));
    // Even with a threshold of 0 seconds, every difference has a reason.
    let (_, audit) = get(&bot.url("/api/diagnostics/spawn-audit?limit=1000&diff_seconds=0")).await;
    for sample in audit["samples"].as_array().unwrap() {
        assert_ne!(sample["reason"], "unknown", "{sample}");
    }
    bot.stop().await.unwrap();
}

/// 40 players of the latest round have no stats file. In the order of the rows, they would fill all samples.
async fn round_without_a_stats_file_does_not_displace_real_differences(url: &str) {
    let bot = bot_with_samples(url, |_| ()).await;
    let paths = [samples().join("../native/public40")];
    ingest(&bot.store, &paths, "", false).await.unwrap();
    let path = "/api/diagnostics/spawn-audit?limit=1000&diff_seconds=6";
    let (_, audit) = get(&bot.url(path)).await;
    assert_eq!(audit["summary"]["checked"], 100);
    assert_eq!(audit["summary"]["missing_player_stats"], 40);
    assert_eq!(audit["summary"]["diff_gt_threshold"], 7);
    let samples = audit["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 25);
    let reasons: Vec<&str> = samples
        .iter()
        .map(|s| s["reason"].as_str().unwrap())
        .collect();
    assert!(!reasons[..7].contains(&"no stats file"), "{reasons:?}");
    assert!(reasons[7..].iter().all(|r| *r == "no stats file"));
    // The rounds alternate, each with its largest difference first.
    let round = |i: usize| samples[i]["match_id"].as_str().unwrap();
    assert_ne!(round(0), round(1));
    assert_ne!(round(2), round(3));
    let difference = |i: usize| samples[i]["diff_seconds"].as_i64().unwrap();
    assert!(difference(0) >= difference(1) && difference(2) >= difference(3));
    assert!(difference(0) >= difference(2) && difference(1) >= difference(3));
    bot.stop().await.unwrap();
}

async fn webhook_diagnostics_have_the_documented_shape(url: &str) {
    let bot = bot_with_samples(url, |_| ()).await;
    let (status, body) = get(&bot.url("/api/diagnostics/lua-webhook")).await;
    assert_eq!(
        (status, &body["status"], &body["errors"]),
        (200, &json!("ok"), &json!([]))
    );
    assert_eq!(
        keys(&body),
        [
            "conflicts",
            "counts",
            "delivery",
            "errors",
            "latest",
            "linkage_health",
            "orphans",
            "r1_r2_coverage",
            "recent",
            "status",
            "trends"
        ]
    );
    assert_eq!(
        body["counts"],
        json!({"total": 5, "unlinked_total": 0, "last_24h": 5, "unlinked_24h": 0})
    );
    let health = json!({"linked": 5, "orphans": 0, "linkage_pct": 100.0, "status": "healthy"});
    assert_eq!(body["linkage_health"], health);
    assert_eq!(
        body["r1_r2_coverage"][0],
        json!({"round_number": 1, "total_rounds": 3, "with_lua": 3, "without_lua": 0, "coverage_pct": 100.0})
    );
    assert_eq!(
        keys(&body["latest"]),
        [
            "actual_duration_seconds",
            "captured_at",
            "end_reason",
            "id",
            "lua_version",
            "map_name",
            "round_end_unix",
            "round_id",
            "round_number",
            "round_start_unix",
            "total_pause_seconds"
        ]
    );
    assert_eq!(
        keys(&body["recent"][0]),
        [
            "actual_duration_seconds",
            "captured_at",
            "end_reason",
            "id",
            "map_name",
            "round_end_unix",
            "round_id",
            "round_number",
            "total_pause_seconds"
        ]
    );
    assert_eq!(body["recent"].as_array().unwrap().len(), 5);
    assert_eq!(
        keys(&body["trends"]),
        ["lua_rows_by_day", "rounds_without_lua_by_day"]
    );
    assert_eq!(
        keys(&body["trends"]["lua_rows_by_day"][0]),
        ["day", "lua_rows", "unlinked_rows"]
    );
    bot.stop().await.unwrap();
}

async fn rounds_players_and_timeline_are_served(url: &str) {
    let bot = bot_with_samples(url, |_| ()).await;
    let (_, rounds) = get(&bot.url("/api/rounds?map=ROOM1&limit=1")).await;
    assert_eq!(
        (rounds.as_array().unwrap().len(), &rounds[0]["map_name"]),
        (1, &json!("room1"))
    );
    let (_, rounds) = get(&bot.url("/api/rounds")).await;
    let round = rounds
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["match_id"] == "2026-11-20-125046" && r["round_number"] == 1)
        .unwrap();
    let id = round["id"].as_i64().unwrap();
    let (_, round) = get(&bot.url(&format!("/api/rounds/{id}"))).await;
    assert_eq!(round["recorded"]["surrender_caller_name"], "Player01");
    assert_eq!(round["recorded"]["pauses"].as_array().unwrap().len(), 1);
    let players = round["players"].as_array().unwrap();
    assert_eq!(players.len(), 12);
    let player = players.iter().find(|p| p["name"] == "Player05").unwrap();
    assert_eq!(
        (&player["dead_ms"], &player["stats_time_dead_seconds"]),
        (&json!(19_050), &json!(18))
    );
    let (_, timeline) = get(&bot.url(&format!("/api/rounds/{id}/timeline"))).await;
    assert_eq!(timeline.as_array().unwrap().len(), 134);
    let (_, page) = get(&bot.url("/rounds")).await;
    assert!(page.as_str().unwrap().contains(&format!("/rounds/{id}")));
    bot.stop().await.unwrap();
}

async fn invalid_parameters_are_answered_with_the_allowed_values(url: &str) {
    let bot = bot_with_samples(url, |_| ()).await;
    for (path, allowed) in [
        ("/api/diagnostics/spawn-audit?limit=0", "1 to 1000"),
        ("/api/diagnostics/spawn-audit?limit=1001", "1 to 1000"),
        (
            "/api/diagnostics/spawn-audit?diff_seconds=3601",
            "0 to 3600",
        ),
        ("/api/diagnostics/spawn-audit?diff_seconds=x", "0 to 3600"),
        ("/api/rounds?limit=-1", "1 to 500"),
        ("/api/rounds?nope=1", "limit, map, player, from, to, before"),
        ("/api/rounds/abc", "the id of a round"),
        ("/api/rounds/99999999999", "the id of a round"),
    ] {
        let (status, body) = get(&bot.url(path)).await;
        assert_eq!(status, 400, "{path}");
        assert!(
            body["error"]["allowed"].as_str().unwrap().contains(allowed),
            "{path}: {body}"
        );
    }
    for path in ["/api/rounds/77", "/rounds/77", "/api/nope", "/rounds/%00"] {
        let (status, _) = get(&bot.url(path)).await;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
    let url = bot.url("/api/rounds");
    let (status, headers) = tokio::task::spawn_blocking(move || {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let response = agent.post(url).send("x").unwrap();
        (response.status().as_u16(), response.headers().clone())
    })
    .await
    .unwrap();
    assert_eq!(status, 405);
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert!(
        headers["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("default-src 'none'")
    );
    bot.stop().await.unwrap();
}

async fn everything_but_health_requires_the_token(url: &str) {
    let token = "a-long-enough-token";
    let log = Log::start();
    let bot = bot_with_samples(url, |config| config.api_token = Some(Secret::new(token))).await;
    for path in ["/api/rounds", "/metrics", "/", "/api/openapi.json"] {
        assert_eq!(get(&bot.url(path)).await.0, 401, "{path}");
        assert_eq!(
            get_with(&bot.url(path), Some("wrong")).await.0,
            401,
            "{path}"
        );
        assert_eq!(get_with(&bot.url(path), Some(token)).await.0, 200, "{path}");
    }
    assert_eq!(get(&bot.url("/api/health")).await.0, 200);
    let answer = async |authorization: &'static str| {
        let url = bot.url("/");
        tokio::task::spawn_blocking(move || {
            let agent: ureq::Agent = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .build()
                .into();
            let request = agent.get(url).header("Authorization", authorization);
            let mut response = request.call().unwrap();
            let ask = response.headers().get("www-authenticate").cloned();
            let body = response.body_mut().read_to_string().unwrap();
            (response.status().as_u16(), ask, body)
        })
        .await
        .unwrap()
    };
    // admin:a-long-enough-token, as a browser sends it.
    let (status, _, _) = answer("Basic YWRtaW46YS1sb25nLWVub3VnaC10b2tlbg==").await;
    assert_eq!(status, 200);
    // admin:a-long-enough-tokem, the token as user name, and no base64.
    for wrong in [
        "Basic YWRtaW46YS1sb25nLWVub3VnaC10b2tlbQ==",
        "Basic YS1sb25nLWVub3VnaC10b2tlbjo=",
        "Basic ====",
    ] {
        let (status, ask, body) = answer(wrong).await;
        assert_eq!(status, 401, "{wrong}");
        assert_eq!(ask.unwrap(), "Basic realm=\"gametimes\"");
        assert!(!body.contains(token), "{body}");
    }
    let (_, description) = get_with(&bot.url("/api/openapi.json"), Some(token)).await;
    bot.store.refresh_players().await.unwrap();
    let (_, round) = get_with(&bot.url("/api/rounds/1"), Some(token)).await;
    let guid = round["players"][0]["guid"].as_str().unwrap();
    for path in keys(&description["paths"]) {
        // It takes its time; tests/live.rs reads it.
        if path.ends_with("/stream") {
            continue;
        }
        let url = bot.url(&path.replace("{id}", "1").replace("{guid}", guid));
        assert_eq!(
            get_with(&url, Some(token)).await.0,
            200,
            "{path} is described and there"
        );
    }
    assert_eq!(description["paths"].as_object().unwrap().len(), 17);
    bot.stop().await.unwrap();
    let log = log.0.lock().unwrap().clone();
    let log = String::from_utf8(log).unwrap();
    assert!(log.contains("listening on http://"), "something was logged");
    for secret in [token, "YWRtaW46", "YS1sb25nLWVub3VnaC10b2tlb"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

on_both_databases!(
    audit_explains_every_difference_in_time_dead,
    round_without_a_stats_file_does_not_displace_real_differences,
    webhook_diagnostics_have_the_documented_shape,
    rounds_players_and_timeline_are_served,
    invalid_parameters_are_answered_with_the_allowed_values,
    everything_but_health_requires_the_token,
);

/// Everything that this process logs, at all levels.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn start() -> &'static Self {
        static LOG: LazyLock<Log> = LazyLock::new(|| {
            let log = Log::default();
            let writer = log.clone();
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .init();
            log
        });
        &LOG
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
