//! Players over many rounds: the sums that are kept are those of a direct computation over all rows, in any order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use gametimes_bot::db::player_figures::{PlayerFigures, PlayerSort};
use gametimes_bot::db::player_table::PlayerFilter;
use gametimes_bot::db::round_list::RoundFilter;
use gametimes_bot::db::value::Row;
use gametimes_bot::db::{Db, IngestItem};
use gametimes_rounds::matches::{Match, Outcome};
use gametimes_rounds::player_id::short_guid;
use gametimes_test_support::bot::items::{everything, stats_of};
use gametimes_test_support::bot::{fetch, get, open, wait_for};
use gametimes_test_support::on_both_databases;
use gametimes_test_support::samples::{native_files, sample_files};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as ProptestConfig, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

const SUMS: [&str; 20] = [
    "rounds",
    "stats_rounds",
    "kills",
    "deaths",
    "damage_given",
    "stats_seconds",
    "shots",
    "hits",
    "headshots",
    "revives",
    "played_ms",
    "dead_ms",
    "dead_of_ms",
    "denied_ms",
    "denied_in_ms",
    "wave_wait_ms",
    "wave_wait_deaths",
    "maps_played",
    "maps_won",
    "maps_drawn",
];

type Sums = BTreeMap<&'static str, i64>;

/// A round's row as far as it decides whether and where the round counts.
struct Round {
    day: String,
    map: String,
    order: String,
    counts: bool,
    state: String,
    played_ms: i64,
}

/// What the tables contain: the sums by day, player and map; those by player and map; the names with first and last round; what
/// was played by day and map.
#[derive(Debug, Default, PartialEq)]
struct Kept {
    days: BTreeMap<(String, String, String), Sums>,
    totals: BTreeMap<(String, String), Sums>,
    names: BTreeMap<(String, String), (String, String)>,
    maps: BTreeMap<(String, String), MapSums>,
}

/// Rounds, matches, times set, rounds held; the fastest time, its round and its team.
type MapSums = ([i64; 4], Option<(i64, i64, String)>);

async fn rows(store: &Db, sql: &str) -> Vec<Row> {
    store.database.rows(sql, &[]).await.unwrap()
}

/// What the tables contain.
async fn kept(store: &Db) -> Kept {
    let mut kept = Kept::default();
    let sums = |row: &Row| SUMS.map(|sum| (sum, row.get::<i64>(sum))).into();
    for row in rows(store, "SELECT * FROM gametimes_player_days").await {
        let key = (row.get("day"), row.get("player"), row.get("map_name"));
        kept.days.insert(key, sums(&row));
    }
    for row in rows(store, "SELECT * FROM gametimes_player_totals").await {
        let key = (row.get("player"), row.get("map_name"));
        kept.totals.insert(key, sums(&row));
    }
    for row in rows(store, "SELECT * FROM gametimes_player_names").await {
        let key = (row.get("player"), row.get("name"));
        let orders = (row.get("first_order"), row.get("last_order"));
        kept.names.insert(key, orders);
    }
    for row in rows(store, "SELECT * FROM gametimes_map_days").await {
        let sums = ["rounds", "matches", "times_set", "held"].map(|sum| row.get::<i64>(sum));
        let fastest = row.get::<Option<i64>>("fastest_ms");
        let fastest = fastest.map(|ms| (ms, row.get("fastest_round_id"), row.get("fastest_by")));
        let key = (row.get("day"), row.get("map_name"));
        kept.maps.insert(key, (sums, fastest));
    }
    kept
}

/// The same, computed from all rows at once.
async fn direct(store: &Db) -> Kept {
    let mut kept = Kept::default();
    let mut rounds: BTreeMap<i64, Round> = BTreeMap::new();
    for row in rows(
        store,
        "SELECT id, match_id, map_name, gametimes_order, round_status, is_bot_round, is_valid, round_stopwatch_state, \
         duration_ms, actual_duration_seconds FROM rounds",
    )
    .await {
        let match_id: String = row.get("match_id");
        let status: String = row.get("round_status");
        let is_bot_round: bool = row.get("is_bot_round");
        let round = Round {
            day: match_id[..10].to_owned(),
            map: row.get("map_name"),
            order: row.get("gametimes_order"),
            counts: row.get("is_valid") && !is_bot_round && status == "completed",
            state: row.get("round_stopwatch_state"),
            played_ms: row
                .get::<Option<i64>>("duration_ms")
                .unwrap_or(row.get::<i64>("actual_duration_seconds") * 1000),
        };
        rounds.insert(row.get("id"), round);
    }
    let mut both: BTreeMap<(i64, String), [Option<Row>; 2]> = BTreeMap::new();
    let tables = [
        (
            "player_comprehensive_stats",
            "time_played_seconds, accuracy, bullets_fired, time_dead_minutes, denied_playtime, kills, deaths, damage_given, \
             headshots, revives_given",
        ),
        (
            "lua_spawn_stats",
            "played_ms, spawn_count, kill_count, death_count, dead_ms, denied_ms, wave_wait_ms",
        ),
    ];
    for (i, (table, columns)) in tables.into_iter().enumerate() {
        let sql = format!("SELECT round_id, player_guid, player_name, {columns} FROM {table}");
        for row in rows(store, &sql).await {
            let round_id = row.get::<i64>("round_id");
            let (player, name): (String, String) = (row.get("player_guid"), row.get("player_name"));
            let player = short_guid(&player);
            let Some(round) = rounds.get(&round_id) else {
                continue;
            };
            let first = (round.order.clone(), round.order.clone());
            let orders = kept.names.entry((player.clone(), name)).or_insert(first);
            orders.0 = orders.0.clone().min(round.order.clone());
            orders.1 = orders.1.clone().max(round.order.clone());
            let has_played = match i {
                0 => row.get::<i64>("time_played_seconds") > 0,
                _ => {
                    row.get::<Option<i64>>("played_ms")
                        .unwrap_or(row.get("spawn_count"))
                        > 0
                }
            };
            if round.counts && has_played {
                both.entry((round_id, player)).or_default()[i] = Some(row);
            }
        }
    }
    for ((round_id, player), [stats, own]) in both {
        let round = &rounds[&round_id];
        let mut sums: Sums = [("rounds", 1)].into();
        let mut dead: Option<(i64, i64)> = None;
        let mut denied: Option<(i64, i64)> = None;
        let mut fought: Option<(i64, i64)> = None;
        let mut played = 0;
        if let Some(own) = &own {
            fought = own
                .get::<Option<i64>>("kill_count")
                .map(|kills| (kills, own.get("death_count")));
            if let Some(waited) = own.get::<Option<i64>>("wave_wait_ms") {
                sums.extend([
                    ("wave_wait_ms", waited),
                    ("wave_wait_deaths", own.get("death_count")),
                ]);
            }
        }
        if let Some(stats) = &stats {
            let count = |name: &str| stats.get::<i64>(name);
            let seconds = count("time_played_seconds");
            let hits = stats.get::<f64>("accuracy") * count("bullets_fired") as f64 / 100.0;
            let minutes_dead: f64 = stats.get("time_dead_minutes");
            fought = Some((count("kills"), count("deaths")));
            dead = Some(((minutes_dead * 60.0).round() as i64 * 1000, seconds * 1000));
            denied = Some((count("denied_playtime") * 1000, seconds * 1000));
            played = seconds * 1000;
            sums.extend([
                ("stats_rounds", 1),
                ("damage_given", count("damage_given")),
                ("stats_seconds", seconds),
                ("shots", count("bullets_fired")),
                ("hits", hits.round() as i64),
                ("headshots", count("headshots")),
                ("revives", count("revives_given")),
            ]);
        }
        if let Some(own_played) = own
            .as_ref()
            .and_then(|own| own.get::<Option<i64>>("played_ms"))
        {
            let own = own.as_ref().unwrap();
            played = own_played;
            dead = Some((own.get("dead_ms"), played));
            denied = Some((own.get("denied_ms"), played));
        }
        let (kills, deaths) = fought.unwrap_or_default();
        let (dead, denied) = (dead.unwrap_or_default(), denied.unwrap_or_default());
        sums.extend([("kills", kills), ("deaths", deaths), ("played_ms", played)]);
        sums.extend([("dead_ms", dead.0), ("dead_of_ms", dead.1)]);
        sums.extend([("denied_ms", denied.0), ("denied_in_ms", denied.1)]);
        add(
            &mut kept,
            (round.day.clone(), player, round.map.clone()),
            &sums,
        );
    }
    for evening in store.evenings(None, 1000).await.unwrap().evenings {
        for played in evening.series.into_iter().flat_map(|s| s.matches) {
            let played = played.played;
            add_map(&mut kept, &rounds, &played);
            let is_decided = played.result.winner != Outcome::Undecided;
            if !is_decided || played.rounds.iter().any(|r| !rounds[&r.id].counts) {
                continue;
            }
            let first = &rounds[&played.id];
            for (team, wins) in [
                (&played.team_a, Outcome::TeamA),
                (&played.team_b, Outcome::TeamB),
            ] {
                for player in &team.players {
                    let sums: Sums = [
                        ("maps_played", 1),
                        ("maps_won", i64::from(played.result.winner == wins)),
                        (
                            "maps_drawn",
                            i64::from(played.result.winner == Outcome::Draw),
                        ),
                    ]
                    .into();
                    add(
                        &mut kept,
                        (first.day.clone(), player.guid.clone(), first.map.clone()),
                        &sums,
                    );
                }
            }
        }
    }
    kept
}

fn add_map(kept: &mut Kept, rounds: &BTreeMap<i64, Round>, played: &Match) {
    let first = &rounds[&played.id];
    let counted = played.rounds.iter().filter(|r| rounds[&r.id].counts);
    let counted: Vec<_> = counted.collect();
    if counted.is_empty() {
        return;
    }
    let key = (first.day.clone(), first.map.clone());
    let (sums, fastest) = kept.maps.entry(key).or_default();
    let is = |state: &str| {
        counted
            .iter()
            .filter(|r| rounds[&r.id].state == state)
            .count() as i64
    };
    let added = [counted.len() as i64, 1, is("TIME_SET"), is("FULL_HOLD")];
    for (sum, n) in sums.iter_mut().zip(added) {
        *sum += n;
    }
    for round in counted.iter().filter(|r| rounds[&r.id].state == "TIME_SET") {
        let team = if round.round_number == 1 {
            &played.team_a
        } else {
            &played.team_b
        };
        let time = rounds[&round.id].played_ms;
        if fastest.as_ref().is_none_or(|(ms, ..)| time < *ms) {
            *fastest = Some((time, round.id, team.name.clone()));
        }
    }
}

fn add(kept: &mut Kept, key: (String, String, String), sums: &Sums) {
    let total = kept
        .totals
        .entry((key.1.clone(), key.2.clone()))
        .or_default();
    for name in SUMS {
        *total.entry(name).or_default() += sums.get(name).unwrap_or(&0);
    }
    let day = kept.days.entry(key).or_default();
    for name in SUMS {
        *day.entry(name).or_default() += sums.get(name).unwrap_or(&0);
    }
}

async fn sums_are_those_of_all_rows_in_any_order_of_arrival(url: &str) {
    let mut pool = everything();
    let files = native_files("public40").into_iter();
    pool.extend(files.map(|(name, bytes)| IngestItem::from_file("folder", &name, "", bytes)));
    // Around midnight; the last round 2 has no round 1 of its own.
    for (time, round, damage) in [("235500", 1, 100), ("235900", 2, 250), ("000700", 2, 400)] {
        pool.push(stats_of(
            "Server",
            time,
            round,
            &["A0000001", "B0000001"],
            damage,
        ));
    }
    // The same on other days, so that a batch changes several.
    for day in ["2026-10-01", "2026-10-09"] {
        let files = sample_files("gamestats").into_iter();
        pool.extend(files.map(|(name, bytes)| {
            IngestItem::from_file("ssh", &name.replace("2026-11-20", day), "", bytes)
        }));
    }
    // Truncated files, as a reader sees them that comes too early: their rounds change or go away.
    let cut = sample_files("gamestats").into_iter().map(|(name, bytes)| {
        IngestItem::from_file("ssh", &name, "", bytes[..bytes.len() * 6 / 10].to_vec())
    });
    pool.extend(cut);
    let indices: Vec<usize> = (0..pool.len()).collect();
    let strategy = (
        Just(indices).prop_shuffle(),
        1..8_usize,
        prop::collection::btree_set(0..8_usize, 0..5),
    );
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[3; 32]);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let store = open(url).await;
    let mut results: BTreeSet<String> = BTreeSet::new();
    for case in 0..12 {
        let (order, at_a_time, refreshed) = strategy.new_tree(&mut runner).unwrap().current();
        let mut transaction = store.database.begin().await.unwrap();
        for table in [
            "gametimes_facts",
            "lua_spawn_stats",
            "lua_round_teams",
            "player_comprehensive_stats",
            "rounds",
            "gametimes_groups",
        ] {
            let sql = format!("DELETE FROM {table}");
            transaction.execute(&sql, &[]).await.unwrap();
        }
        transaction.commit().await.unwrap();
        // Nothing of the case before is left after a rebuild without facts.
        store.rebuild(|_, _| ()).await.unwrap();
        assert_eq!(kept(&store).await, Kept::default(), "case {case}");
        for (n, chunk) in order.chunks(at_a_time).enumerate() {
            let items: Vec<IngestItem> = chunk.iter().map(|i| pool[*i].clone()).collect();
            store.ingest(&items).await.unwrap();
            if refreshed.contains(&n) {
                store.refresh_players().await.unwrap();
                assert_eq!(
                    kept(&store).await,
                    direct(&store).await,
                    "case {case}, {order:?}, batch {n}"
                );
            }
        }
        store.refresh_players().await.unwrap();
        // Repeats change nothing.
        store.ingest(&pool).await.unwrap();
        assert_eq!(store.refresh_players().await.unwrap(), 0);
        let found = kept(&store).await;
        assert_eq!(found, direct(&store).await, "case {case}, {order:?}");
        // The ids of rounds depend on the order of arrival.
        let mut found = found;
        for (_, fastest) in found.maps.values_mut() {
            *fastest = fastest.take().map(|(ms, _, by)| (ms, 0, by));
        }
        results.insert(format!("{found:?}"));
    }
    assert_eq!(results.len(), 1);
}

fn all_players() -> PlayerFilter {
    PlayerFilter {
        min_rounds: Some(1),
        ..PlayerFilter::default()
    }
}

/// The values of a player's rounds, added up by hand from the stats files and the gametimes files of both matches. The round that was
/// cut off and the one after it do not count.
async fn figures_of_a_player_are_those_of_the_files(url: &str) {
    let store = open(url).await;
    store.ingest(&everything()).await.unwrap();
    store.refresh_players().await.unwrap();
    let summary = store
        .player_summary("a0000005FFFF", "2026-11-21")
        .await
        .unwrap()
        .unwrap();
    let expected = PlayerFigures {
        guid: "A0000005".into(),
        name: "Player 05".into(),
        rounds: 3,
        kills: 6 + 1 + 4,
        deaths: 1 + 2,
        // 11 / 3
        kd: Some(3.67),
        // (646 + 358) * 60 / (54 + 42 + 54)
        dpm: Some(401.6),
        // (40 + 22) / (89 + 99)
        accuracy: Some(32.98),
        headshots: Some(0.0),
        revives: Some(0.0),
        // (25.80 + 13.05 + 19.05) / (54.50 + 39.45 + 54.45)
        dead_share: Some(39.02),
        // (46.50 + 2.30 + 34.45) * 60 / (54.50 + 39.45 + 54.45)
        denied: Some(33.66),
        // (24.80 + 11.05 + 5.05) / (6 + 2 + 2)
        wave_wait: Some(4.09),
        // Axis in both rounds, so last on team A, which was slower.
        maps_played: 1,
        maps_won: 0,
        maps_drawn: 0,
        maps_won_share: Some(0.0),
        played_ms: 54_500 + 39_450 + 54_450,
    };
    let expected = PlayerFigures {
        name: summary.names[0].name.clone(),
        ..expected
    };
    assert_eq!(summary.all_time, expected);
    assert_eq!(summary.recent.rounds, 0, "none after that day");
    let maps: Vec<(&str, i64)> = summary
        .maps
        .iter()
        .map(|m| (m.map_name.as_str(), m.figures.rounds))
        .collect();
    assert_eq!(maps, [("room2", 2), ("room1", 1)]);
    assert_eq!(summary.days.len(), 1);
    assert_eq!(
        (summary.days[0].day.as_str(), &summary.days[0].figures),
        ("2026-11-20", &expected)
    );
    let recent = store
        .player_summary("A0000005", "2026-11-20")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(recent.recent, expected);
    assert_eq!(
        store
            .player_summary("B0000005", "2026-11-20")
            .await
            .unwrap(),
        None
    );
    // The whole table has the same figures for each period that contains the day.
    for since in [None, Some("2026-11-20".to_owned())] {
        let filter = PlayerFilter {
            since,
            ..all_players()
        };
        let players = store.player_table(&filter).await.unwrap().players;
        assert_eq!(players.len(), 12);
        assert_eq!(
            players.iter().find(|p| p.guid == "A0000005"),
            Some(&expected)
        );
        // Team B was faster. Most players stayed on their side, so round 2 decides whose team it was: five were on Allies.
        let won: i64 = players.iter().map(|p| p.maps_won).sum();
        assert_eq!(won, 5);
    }
    let filter = PlayerFilter {
        since: Some("2026-11-21".into()),
        ..all_players()
    };
    assert_eq!(store.player_table(&filter).await.unwrap().players, []);
}

/// Every column sorts in both directions, unknown values last, and pages leave nobody out.
async fn table_sorts_by_every_column_over_all_pages(url: &str) {
    let store = open(url).await;
    let mut items = everything();
    // A round with a stats file alone, and players without a shot.
    items.push(stats_of(
        "Server",
        "100000",
        1,
        &["B0000001", "B0000002"],
        100,
    ));
    store.ingest(&items).await.unwrap();
    store.refresh_players().await.unwrap();
    for sort in PlayerSort::ALL {
        let value = |p: &PlayerFigures| match sort {
            PlayerSort::Name => None,
            PlayerSort::Rounds => Some(p.rounds as f64),
            PlayerSort::Kd => p.kd,
            PlayerSort::Dpm => p.dpm,
            PlayerSort::Accuracy => p.accuracy,
            PlayerSort::Headshots => p.headshots,
            PlayerSort::Revives => p.revives,
            PlayerSort::DeadShare => p.dead_share,
            PlayerSort::Denied => p.denied,
            PlayerSort::WaveWait => p.wave_wait,
            PlayerSort::MapsWon => Some(p.maps_won as f64),
            PlayerSort::MapsWonShare => p.maps_won_share,
        };
        for reverse in [false, true] {
            let mut filter = PlayerFilter {
                sort,
                reverse,
                page: 1,
                limit: 5,
                ..all_players()
            };
            let mut players: Vec<PlayerFigures> = Vec::new();
            loop {
                let page = store.player_table(&filter).await.unwrap();
                players.extend(page.players);
                filter.page += 1;
                if !page.has_more {
                    break;
                }
            }
            let guids: BTreeSet<&str> = players.iter().map(|p| p.guid.as_str()).collect();
            assert_eq!((players.len(), guids.len()), (14, 14), "{sort:?}");
            for pair in players.windows(2) {
                let [a, b] = [value(&pair[0]), value(&pair[1])];
                let is_sorted = match (a, b) {
                    (Some(a), Some(b)) if sort.is_ascending() != reverse => a <= b,
                    (Some(a), Some(b)) => a >= b,
                    (None, Some(_)) => false,
                    (_, None) => true,
                };
                assert!(is_sorted, "{sort:?} {reverse}: {a:?} {b:?}");
            }
            if sort == PlayerSort::Name && !reverse {
                let names: Vec<String> = players.iter().map(|p| p.name.to_lowercase()).collect();
                assert!(names.is_sorted(), "{names:?}");
            }
        }
        assert_eq!(PlayerSort::from_key(sort.key()), Some(sort));
    }
}

/// Search finds every name that a player had, as text and not as a pattern, and guids by their beginning.
async fn search_finds_parts_of_all_names_and_guids(url: &str) {
    let store = open(url).await;
    store.ingest(&everything()).await.unwrap();
    let (name, bytes) = native_files("surrender").remove(0);
    let mut file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let meta = &mut file["meta"];
    meta["event_id"] = "01a1f8fc-b99e-7786-b004-c44b525f62fc".into();
    meta["map"] = "odd".into();
    meta["stats_file"] = serde_json::Value::Null;
    for key in ["round_start_unix", "round_end_unix"] {
        meta[key] = (meta[key].as_i64().unwrap() + 7200).into();
    }
    let guid = meta["spawn_stats"][0]["guid"].as_str().unwrap().to_owned();
    meta["spawn_stats"][0]["name"] = "^1100% of_Kid!".into();
    store
        .ingest(&[IngestItem::from_file(
            "folder",
            &name,
            "",
            file.to_string().into_bytes(),
        )])
        .await
        .unwrap();
    assert_eq!(store.player_search("kid", 10).await.unwrap(), []);
    store.refresh_players().await.unwrap();
    let guid = short_guid(&guid);
    let found = async |text: &str| {
        let found = store.player_search(text, 20).await.unwrap();
        found.into_iter().map(|p| p.guid).collect::<Vec<_>>()
    };
    for text in ["OF_KID", "100%", "kid!", "0% of_"] {
        assert_eq!(found(text).await, [guid.as_str()], "{text}");
    }
    for text in ["of.kid", "100_", "nobody"] {
        assert_eq!(found(text).await, Vec::<String>::new(), "{text}");
    }
    assert_eq!(found(&guid.to_lowercase()).await[0], guid);
    assert_eq!(found("a000000").await.len(), 12);
    assert_eq!(found("").await.len(), 12);
    assert_eq!(store.player_search("", 3).await.unwrap().len(), 3);
    // The other names are still found; the latest one is shown.
    let summary = store
        .player_summary(&guid, "2026-11-20")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(summary.all_time.name, "100% of_Kid!");
    assert!(summary.names.len() > 1, "{:?}", summary.names);
    assert!(summary.names[0].last_unix > summary.names[1].last_unix);
    let old = &summary.names[1].name;
    assert!(found(old).await.contains(&guid), "{old}");
    let filter = PlayerFilter {
        text: old.to_uppercase(),
        ..all_players()
    };
    let players = store.player_table(&filter).await.unwrap().players;
    assert!(
        players
            .iter()
            .any(|p| p.guid == guid && p.name == "100% of_Kid!"),
        "{players:?}"
    );
    let filter = PlayerFilter {
        text: "%".into(),
        ..all_players()
    };
    assert_eq!(store.player_table(&filter).await.unwrap().players.len(), 1);
}

/// What was played on the two maps: room2 took 55.00 s and then 39.95 s, and the round after that was cut off; room1 ended by surrender.
async fn maps_have_the_times_of_the_files(url: &str) {
    let bot = gametimes_bot::start(gametimes_bot::Config::with_database(url))
        .await
        .unwrap();
    bot.store.ingest(&everything()).await.unwrap();
    bot.store.refresh_players().await.unwrap();
    let (status, maps) = get(&bot.url("/api/maps")).await;
    assert_eq!(status, 200, "{maps}");
    let room2 = &maps[0];
    let round_2 = room2["fastest_round_id"].clone();
    let expected = json!({
        "map_name": "room2", "rounds": 2, "matches": 1, "times_set": 2, "held": 0, "held_share": 0.0, "fastest_ms": 39950,
        "fastest_round_id": round_2, "fastest_by": room2["fastest_by"], "last_day": "2026-11-20",
    });
    assert_eq!(room2, &expected);
    let (_, found) = get(&bot.url(&format!("/api/matches/{round_2}"))).await;
    assert_eq!(found["match"]["result"]["winner"], "team_b");
    assert_eq!(found["match"]["team_b"]["name"], room2["fastest_by"]);
    let room1 = &maps[1];
    assert_eq!(
        (&room1["rounds"], &room1["times_set"], &room1["held_share"]),
        (&json!(1), &json!(0), &Value::Null)
    );
    assert_eq!(room1["fastest_ms"], Value::Null);
    assert_eq!(get(&bot.url("/api/maps?map=ROOM2")).await.1, json!([room2]));
    let csv = fetch(&bot.url("/api/maps.csv"), &[]).await;
    let text = String::from_utf8(csv.body().clone()).unwrap();
    assert!(
        text.lines()
            .nth(1)
            .unwrap()
            .starts_with("room2,2,1,2,0,0.0,39950,"),
        "{text}"
    );
    for path in ["/maps", "/maps/room2"] {
        let (status, page) = get(&bot.url(path)).await;
        let page = page.as_str().unwrap();
        assert_eq!(status, 200, "{path}");
        assert!(
            page.contains(&format!("<a href=\"/rounds/{round_2}\">0:39.9</a>")),
            "{page}"
        );
    }
    assert_eq!(get(&bot.url("/maps/nowhere")).await.0, 404);
    bot.stop().await.unwrap();
}

/// The API gives what the pages show, as JSON and as CSV, with a tag.
async fn api_lists_players_with_the_filters_of_the_page(url: &str) {
    let bot = gametimes_bot::start(gametimes_bot::Config::with_database(url))
        .await
        .unwrap();
    bot.store.ingest(&everything()).await.unwrap();
    bot.store.refresh_players().await.unwrap();
    let players = async |query: &str| {
        let (status, body) = get(&bot.url(&format!("/api/players{query}"))).await;
        assert_eq!(status, 200, "{query}: {body}");
        body.as_array().unwrap().clone()
    };
    let best = players("?sort=kd&min_rounds=1&limit=3").await;
    let kds: Vec<f64> = best.iter().map(|p| p["kd"].as_f64().unwrap()).collect();
    assert!(kds.len() == 3 && kds.is_sorted_by(|a, b| a >= b), "{kds:?}");
    let (_, player) = get(&bot.url("/api/players/a0000005")).await;
    assert_eq!(player["all_time"]["kd"], 3.67);
    assert_eq!(player["all_time"]["dpm"], 401.6);
    assert_eq!(player["maps"][0]["map_name"], "room2");
    let in_list = players("?player=A0000005").await;
    assert_eq!(in_list, [player["all_time"].clone()]);
    assert_eq!(players("?map=ROOM1&player=A0000005").await[0]["rounds"], 1);
    let reversed = players("?sort=kd&min_rounds=1&order=asc&limit=500").await;
    let mut all = players("?sort=kd&min_rounds=1&limit=500").await;
    let known = all.iter().filter(|p| !p["kd"].is_null()).count();
    all.truncate(known);
    assert!(reversed[0]["kd"].as_f64() <= all[known - 1]["kd"].as_f64());
    let second = players("?sort=kd&min_rounds=1&limit=3&page=2").await;
    assert_eq!(second[0], all[3]);
    let (_, page) = get(&bot.url("/players?sort=kd&min_rounds=1&limit=3")).await;
    let page = page.as_str().unwrap();
    let (before, _) = page.split_once("rel=\"next\"").unwrap();
    let (_, more) = before.rsplit_once("href=").unwrap();
    assert!(more.contains("limit=3"), "{more}");
    assert!(page.contains("name=\"limit\" value=\"3\""), "{page}");
    for (query, says) in [
        ("?period=week", "30d"),
        ("?limit=501", "from 1 to 500"),
        ("?foo=1", "min_rounds"),
    ] {
        let (status, body) = get(&bot.url(&format!("/api/players{query}"))).await;
        assert_eq!(status, 400, "{query}");
        assert!(
            body["error"]["allowed"].as_str().unwrap().contains(says),
            "{body}"
        );
    }
    assert_eq!(get(&bot.url("/api/players/B0000005")).await.0, 404);
    let csv = fetch(&bot.url("/api/players.csv?player=A0000005"), &[]).await;
    let text = String::from_utf8(csv.body().clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("guid,name,rounds,kills,deaths,kd,dpm,"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("A0000005,") && lines[1].contains(",3,11,3,3.67,401.6,32.98,"),
        "{text}"
    );
    let tag = csv.headers()["etag"].to_str().unwrap().to_owned();
    let again = fetch(
        &bot.url("/api/players.csv?player=A0000005"),
        &[("if-none-match", &tag)],
    )
    .await;
    assert_eq!(again.status(), 304);
    bot.stop().await.unwrap();
}

/// The bot itself computes the figures soon after a round has arrived, and a part of an old name finds its rounds.
async fn bot_refreshes_players_and_finds_rounds_by_name(url: &str) {
    let bot = gametimes_bot::start(gametimes_bot::Config::with_database(url))
        .await
        .unwrap();
    bot.store.ingest(&everything()).await.unwrap();
    let found = wait_for("players", || async {
        let (_, players) = get(&bot.url("/api/players?min_rounds=1")).await;
        players
            .as_array()
            .filter(|players| players.len() == 12)
            .cloned()
    })
    .await;
    for player in found {
        let name = player["name"].as_str().unwrap();
        let ids = async |filter: RoundFilter| {
            let rounds = bot.store.rounds(&filter).await.unwrap();
            rounds
                .into_iter()
                .map(|round| round.id)
                .collect::<Vec<i64>>()
        };
        let by_name = RoundFilter {
            player: Some(name[1..].to_owned()),
            limit: 100,
            ..RoundFilter::default()
        };
        let all = ids(RoundFilter {
            limit: 100,
            ..RoundFilter::default()
        })
        .await;
        let mut expected = Vec::new();
        for id in all {
            let round = bot.store.round(id).await.unwrap().unwrap();
            if round
                .players
                .iter()
                .any(|p| p.name.to_lowercase().contains(&name[1..].to_lowercase()))
            {
                expected.push(id);
            }
        }
        assert_eq!(ids(by_name).await, expected, "{name}");
        assert!(!expected.is_empty(), "{name}");
    }
    bot.stop().await.unwrap();
}

on_both_databases!(
    sums_are_those_of_all_rows_in_any_order_of_arrival,
    figures_of_a_player_are_those_of_the_files,
    table_sorts_by_every_column_over_all_pages,
    search_finds_parts_of_all_names_and_guids,
    api_lists_players_with_the_filters_of_the_page,
    bot_refreshes_players_and_finds_rounds_by_name,
    maps_have_the_times_of_the_files,
);
