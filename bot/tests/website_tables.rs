//! The tables that a website adds to the database: filled where they exist, and never shown as rounds of ours.

use gametimes_bot::Config;
use gametimes_bot::db::value::Row;
use gametimes_bot::db::{Db, IngestItem};
use gametimes_test_support::bot::databases::{create_website_tables, dump};
use gametimes_test_support::bot::items::stats_of;
use gametimes_test_support::bot::other_bot::{recorded, stats_files};
use gametimes_test_support::bot::{get, open};
use gametimes_test_support::on_both_databases;

fn everything() -> Vec<IngestItem> {
    stats_files().into_iter().chain(recorded()).collect()
}

async fn rows(store: &Db, sql: &str) -> Vec<Row> {
    store.database.rows(sql, &[]).await.unwrap()
}

async fn count(store: &Db, condition: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) AS n FROM {condition}");
    rows(store, &sql).await[0].get("n")
}

/// A database of ours alone has no use for the rows. When a website is added later, a rebuild fills them.
async fn tables_are_filled_where_they_exist(url: &str) {
    let store = open(url).await;
    store.ingest(&everything()).await.unwrap();
    assert_eq!(
        count(&store, "rounds WHERE round_number NOT IN (1, 2)").await,
        0
    );
    create_website_tables(&store).await;
    store.database.close().await;
    let store = open(url).await;
    store.rebuild(|_, _| {}).await.unwrap();

    let sql = "SELECT id, match_id, round_date, round_time, winner_team, gaming_session_id, round_status FROM rounds WHERE round_number = 0";
    let [both] = &rows(&store, sql).await[..] else {
        panic!("one match has two rounds");
    };
    let text = |column: &str| both.get::<String>(column);
    assert_eq!(
        [
            text("match_id"),
            text("round_date"),
            text("round_time"),
            text("round_status")
        ],
        ["2026-11-20-123344", "2026-11-20", "123531", "completed"]
    );
    assert_eq!(both.get::<i64>("winner_team"), 2);
    assert_eq!(both.get::<i64>("gaming_session_id"), 1);

    // Damage 569 is the total of both rounds in the file of round 2; the headshots are its 4 and those of round 1.
    let sql = "SELECT p.player_guid, p.kills, p.damage_given, p.xp, p.time_played_seconds, p.player_name, r.round_number \
               FROM player_comprehensive_stats p JOIN rounds r ON r.id = p.round_id WHERE r.match_id = '2026-11-20-123344' \
               AND p.round_number = r.round_number ORDER BY p.player_guid, r.round_number";
    let players = rows(&store, sql).await;
    assert_eq!(players.len(), 36);
    for of_player in players.chunks(3) {
        for column in ["kills", "damage_given", "xp", "time_played_seconds"] {
            let number = |row: &Row| row.get::<f64>(column);
            let sum = number(&of_player[1]) + number(&of_player[2]);
            assert!((number(&of_player[0]) - sum).abs() < 0.01, "{of_player:?}");
        }
    }
    let player = players
        .iter()
        .find(|row| row.get::<String>("player_guid") == "A0000003");
    assert_eq!(player.unwrap().get::<i64>("damage_given"), 569);
    assert!(
        players
            .iter()
            .all(|row| !row.get::<String>("player_name").contains('^'))
    );

    // The kills of the weapons are those of the players, and round 0 has no weapons.
    let sql = "SELECT p.id, p.kills, SUM(w.kills) AS of_weapons FROM player_comprehensive_stats p \
               LEFT JOIN weapon_comprehensive_stats w ON w.round_id = p.round_id AND w.player_guid = p.player_guid \
               WHERE p.round_number > 0 GROUP BY p.id, p.kills";
    for row in rows(&store, sql).await {
        assert_eq!(
            row.get::<i64>("kills"),
            row.get::<i64>("of_weapons"),
            "{row:?}"
        );
    }
    assert_eq!(
        count(&store, "weapon_comprehensive_stats WHERE round_number = 0").await,
        0
    );

    let seen = "SELECT a.times_seen, COUNT(*) AS n FROM player_aliases a JOIN player_comprehensive_stats p \
                ON p.player_guid = a.guid AND p.player_name = a.alias WHERE p.round_number IN (1, 2) GROUP BY a.id, a.times_seen";
    let seen = rows(&store, seen).await;
    assert_eq!(seen.len(), 12);
    assert!(
        seen.iter()
            .all(|row| row.get::<i64>("times_seen") == row.get::<i64>("n")),
        "{seen:?}"
    );
    let days = "player_aliases WHERE CAST(first_seen AS TEXT) = '2026-11-20 00:00:00'";
    assert_eq!(count(&store, days).await, 12);
}

/// Nothing of ours shows both rounds together as one more round.
async fn round_0_appears_nowhere(url: &str) {
    let store = open(url).await;
    store.ingest(&everything()).await.unwrap();
    let before = answers(url).await;
    create_website_tables(&store).await;
    store.database.close().await;
    let store = open(url).await;
    store.rebuild(|_, _| {}).await.unwrap();
    let row = &rows(&store, "SELECT id FROM rounds WHERE round_number = 0").await[0];
    assert_eq!(store.round(row.get("id")).await.unwrap(), None);
    assert!(store.match_of_round(row.get("id")).await.unwrap().is_none());
    store.database.close().await;
    assert_eq!(answers(url).await, before);
}

/// What pages and API show.
async fn answers(url: &str) -> Vec<String> {
    let bot = gametimes_bot::start(Config::with_database(url))
        .await
        .unwrap();
    // The bot does so in the background.
    bot.store.refresh_players().await.unwrap();
    let mut answers = Vec::new();
    for path in [
        "/api/rounds",
        "/api/rounds?player=Player08",
        "/api/matches",
        "/api/evenings",
        "/api/diagnostics/lua-webhook",
        "/api/diagnostics/spawn-audit",
        "/rounds",
        "/players/A0000008",
    ] {
        let (status, body) = get(&bot.url(path)).await;
        assert_eq!(status, 200, "{path}");
        answers.push(format!("{path} {body}"));
    }
    bot.stop().await.unwrap();
    answers
}

async fn late_round_1_completes_round_0_and_its_loss_removes_it(url: &str) {
    let store = open(url).await;
    create_website_tables(&store).await;
    store.database.close().await;
    let store = open(url).await;
    let guids = ["A0000001", "A0000002"];
    let two = stats_of("Alpha", "195500", 2, &guids, 150);
    store.ingest(&[two]).await.unwrap();
    assert_eq!(count(&store, "rounds WHERE round_number = 0").await, 0);
    store
        .ingest(&[stats_of("Alpha", "194000", 1, &guids, 100)])
        .await
        .unwrap();
    let damage = "player_comprehensive_stats WHERE round_number = 0 AND damage_given = 150";
    assert_eq!(count(&store, damage).await, 2);
    let whole = dump(&store).await;
    // Another round 2 between them: it is the round 2 of that round 1, and the last one an orphan.
    store
        .ingest(&[stats_of("Alpha", "194500", 2, &guids, 120)])
        .await
        .unwrap();
    assert_eq!(
        count(
            &store,
            "player_comprehensive_stats WHERE round_number = 0 AND damage_given = 120"
        )
        .await,
        2
    );
    assert_eq!(count(&store, "rounds WHERE round_number = 0").await, 1);
    assert_ne!(dump(&store).await, whole);
    assert_eq!(
        count(&store, "player_aliases WHERE times_seen = 3").await,
        2
    );
}

on_both_databases!(
    tables_are_filled_where_they_exist,
    round_0_appears_nowhere,
    late_round_1_completes_round_0_and_its_loss_removes_it,
);
