//! Both rounds of a match have the `match_id` of round 1, whatever arrives first.

use gametimes_bot::db::round_list::RoundListFilter;
use gametimes_bot::db::{Content, Db, IngestItem, Mode};
use gametimes_rounds::reconcile::unix_of;
use gametimes_test_support::bot::databases::dump;
use gametimes_test_support::bot::items::stats_of;
use gametimes_test_support::bot::open;
use gametimes_test_support::bot::other_bot::{
    MESSAGES, STATS_FILES, SharedDatabase, recorded, stats_files,
};
use gametimes_test_support::on_both_databases;
use jiff::tz::TimeZone;

/// `rounds.id`, `match_id`, `round_number` and `round_time` of all rounds, in the order in which they were played.
async fn rounds(store: &Db) -> Vec<(i64, String, i64, String)> {
    let sql =
        "SELECT id, match_id, round_number, round_time FROM rounds ORDER BY gametimes_order, id";
    let rows = store.database.rows(sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| {
            let match_id: String = row.get("match_id");
            let time = match_id.get(11..).unwrap_or_default().to_owned();
            let round_time = row.get("round_time");
            (row.get("id"), time, row.get("round_number"), round_time)
        })
        .collect()
}

/// The times in the `match_id`s, the numbers and the own times of all rounds.
async fn ids(store: &Db) -> Vec<(String, i64, String)> {
    let rounds = rounds(store).await.into_iter();
    rounds
        .map(|(_, id, number, time)| (id, number, time))
        .collect()
}

/// The `match_id`s of a table that only recorders fill, with the `match_id` and number of the linked round.
async fn recorded_ids(store: &Db, table: &str) -> Vec<(String, String)> {
    let sql = format!(
        "SELECT DISTINCT t.match_id AS own, r.match_id AS of_round, t.round_number FROM {table} t \
         JOIN rounds r ON r.id = t.round_id AND r.round_number = t.round_number ORDER BY 1"
    );
    let rows = store.database.rows(&sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| (row.get("own"), row.get("of_round")))
        .collect()
}

fn expected(rows: &[(&str, i64, &str)]) -> Vec<(String, i64, String)> {
    let owned =
        |(id, number, time): &(&str, i64, &str)| (id.to_string(), *number, time.to_string());
    rows.iter().map(owned).collect()
}

async fn round_2_gets_the_match_id_of_its_round_1(url: &str) {
    let store = open(url).await;
    let mut all = stats_files();
    all.extend(recorded());
    store.ingest(&all).await.unwrap();
    let own = [
        ("123344", 1, "123344"),
        ("123344", 2, "123531"),
        ("123609", 1, "123609"),
    ];
    assert_eq!(ids(&store).await, expected(&own));
    // The rows that only the recorder knows have the end of their own round.
    let ends = [
        ("2026-11-20-123341", "2026-11-20-123344"),
        ("2026-11-20-123528", "2026-11-20-123344"),
        ("2026-11-20-123609", "2026-11-20-123609"),
    ];
    let ends: Vec<_> = ends.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    assert_eq!(recorded_ids(&store, "lua_round_teams").await, ends);
    assert_eq!(recorded_ids(&store, "lua_spawn_stats").await, ends);
}

async fn gametimes_files_alone_give_both_rounds_one_match_id(url: &str) {
    let store = open(url).await;
    let mut files = recorded();
    files.reverse();
    for file in files {
        store.ingest(&[file]).await.unwrap();
    }
    let own = [
        ("123341", 1, "123341"),
        ("123341", 2, "123528"),
        ("123609", 1, "123609"),
    ];
    assert_eq!(ids(&store).await, expected(&own));
}

/// A round 2 is an orphan until its round 1 arrives. Then its row moves, and keeps its id, which websites link to.
async fn late_round_1_moves_the_row_of_round_2(url: &str) {
    let store = open(url).await;
    let [one, two] = &stats_files()[..2] else {
        panic!("the samples have two rounds");
    };
    store.ingest(std::slice::from_ref(two)).await.unwrap();
    let before = rounds(&store).await;
    assert_eq!(ids(&store).await, expected(&[("123531", 2, "123531")]));
    store.ingest(std::slice::from_ref(one)).await.unwrap();
    let after = rounds(&store).await;
    assert_eq!(
        ids(&store).await,
        expected(&[("123344", 1, "123344"), ("123344", 2, "123531")])
    );
    assert_eq!(after[1].0, before[0].0);
}

/// The file of round 1 was read without its last players, who are the only ones of round 2: it becomes a round 1 later.
async fn replaced_round_1_takes_round_2_along(url: &str) {
    let store = open(url).await;
    let short = stats_of("Alpha", "120000", 1, &["AAAAAAA1"], 1);
    let whole = stats_of("Alpha", "120000", 1, &["AAAAAAA1", "AAAAAAA2"], 1);
    let two = stats_of("Alpha", "121500", 2, &["AAAAAAA2"], 2);
    store.ingest(&[short]).await.unwrap();
    store.ingest(&[two]).await.unwrap();
    assert_eq!(
        ids(&store).await,
        expected(&[("120000", 1, "120000"), ("121500", 2, "121500")])
    );
    store.ingest(&[whole]).await.unwrap();
    assert_eq!(
        ids(&store).await,
        expected(&[("120000", 1, "120000"), ("120000", 2, "121500")])
    );
}

/// Servers of one name and time: the rounds 1 end in the same second, and an orphan in the same second too.
async fn rounds_2_of_two_servers_follow_their_own_round_1(url: &str) {
    let store = open(url).await;
    let items = [
        stats_of("Alpha", "120000", 1, &["AAAAAAA1"], 1),
        stats_of("Beta", "120000", 1, &["BBBBBBB1"], 1),
        stats_of("Gamma", "120000", 2, &["CCCCCCC1"], 1),
        stats_of("Beta", "121500", 2, &["BBBBBBB1"], 2),
        stats_of("Alpha", "121600", 2, &["AAAAAAA1"], 2),
    ];
    let mut dumps = Vec::new();
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 3, 1]] {
        let mut transaction = store.database.begin().await.unwrap();
        for table in [
            "gametimes_facts",
            "gametimes_groups",
            "player_comprehensive_stats",
            "rounds",
        ] {
            transaction
                .execute(&format!("DELETE FROM {table}"), &[])
                .await
                .unwrap();
        }
        transaction.commit().await.unwrap();
        for i in order {
            store.ingest(&[items[i].clone()]).await.unwrap();
        }
        let sql = "SELECT r.match_id, r.round_number, r.server_name FROM rounds r ORDER BY r.server_name, r.round_number";
        let rows = store.database.rows(sql, &[]).await.unwrap();
        let of = |server: &str| -> Vec<String> {
            let rows = rows
                .iter()
                .filter(|row| row.get::<String>("server_name") == server);
            rows.map(|row| row.get("match_id")).collect()
        };
        let (alpha, beta, gamma) = (of("Alpha"), of("Beta"), of("Gamma"));
        assert_eq!((alpha.len(), beta.len(), gamma.len()), (2, 2, 1));
        assert_eq!((&alpha[0], &beta[0]), (&alpha[1], &beta[1]));
        assert_ne!(alpha[0], beta[0]);
        dumps.push(dump(&store).await);
    }
    assert!(
        dumps.windows(2).all(|pair| pair[0] == pair[1]),
        "{dumps:#?}"
    );
}

/// Whoever knows another webhook can name any round 1. The forged round 2 ends before the true one.
async fn forged_round_2_of_another_webhook_leaves_the_true_one_alone(url: &str) {
    let store = open(url).await;
    let through = |item: &IngestItem, webhook| IngestItem {
        webhook: Some(webhook),
        ..item.clone()
    };
    let files = recorded();
    let (one, two) = (&files[0], &files[2]);
    let mut forged = through(two, 2);
    let Content::Report(report) = &mut forged.content else {
        panic!("{forged:?}");
    };
    report.meta.round_end_unix -= 20;
    report.meta.event_id = "forged".into();
    report.meta.round_canonical_id.clear();
    report.meta.stats_file = None;
    store.ingest(&[through(one, 1), forged]).await.unwrap();
    store.ingest(&[through(two, 1)]).await.unwrap();
    let own = [
        ("123341", 1, "123341"),
        ("123508", 2, "123508"),
        ("123341", 2, "123528"),
    ];
    assert_eq!(ids(&store).await, expected(&own));
}

async fn rebuild_moves_the_rows_of_an_earlier_version(url: &str) {
    let store = open(url).await;
    let mut all = stats_files();
    all.extend(recorded());
    store.ingest(&all).await.unwrap();
    let (expected, before) = (dump(&store).await, rounds(&store).await);
    let mut transaction = store.database.begin().await.unwrap();
    for sql in [
        "UPDATE rounds SET match_id = round_date || '-' || round_time",
        "UPDATE gametimes_groups SET content = 'old', match_id = (SELECT r.match_id FROM rounds r WHERE r.id = gametimes_groups.round_id)",
        "UPDATE gametimes_groups SET recorded_match_id = match_id",
        "UPDATE lua_round_teams SET match_id = (SELECT r.match_id FROM rounds r WHERE r.id = lua_round_teams.round_id)",
        "UPDATE lua_spawn_stats SET match_id = (SELECT r.match_id FROM rounds r WHERE r.id = lua_spawn_stats.round_id)",
    ] {
        transaction.execute(sql, &[]).await.unwrap();
    }
    transaction.commit().await.unwrap();
    assert_ne!(dump(&store).await, expected);
    store.rebuild(|_, _| {}).await.unwrap();
    assert_eq!(dump(&store).await, expected);
    assert_eq!(rounds(&store).await, before);
}

on_both_databases!(
    round_2_gets_the_match_id_of_its_round_1,
    gametimes_files_alone_give_both_rounds_one_match_id,
    late_round_1_moves_the_row_of_round_2,
    replaced_round_1_takes_round_2_along,
    rounds_2_of_two_servers_follow_their_own_round_1,
    forged_round_2_of_another_webhook_leaves_the_true_one_alone,
    rebuild_moves_the_rows_of_an_earlier_version,
);

/// The bot continues the tables of another bot, which has read the same files: nothing is doubled.
#[tokio::test(flavor = "multi_thread")]
async fn history_of_another_bot_is_continued_without_second_rows() {
    let [one, two, _] = &stats_files()[..] else {
        panic!("the samples have three rounds");
    };
    let all = || stats_files().into_iter().chain(recorded()).collect();
    let cases: [(Vec<IngestItem>, &str); 5] = [
        (all(), "51|12\n52|12"),
        (vec![one.clone(), two.clone()], "51|12\n52|12"),
        (vec![two.clone(), one.clone()], "51|12\n52|12"),
        // Without round 1, our numbers would be totals over both rounds: those of the other bot stay.
        (vec![two.clone()], "51|1\n52|1"),
        (recorded(), "51|1\n52|1"),
    ];
    for (items, players) in cases {
        let shared = SharedDatabase::create();
        shared.sql(STATS_FILES);
        shared.sql(MESSAGES);
        let open = || Db::open_as(&shared.url, TimeZone::UTC, Some(Mode::Own));
        let store = open().await.unwrap();
        for item in &items {
            store.ingest(std::slice::from_ref(item)).await.unwrap();
        }
        for _ in 0..2 {
            let rows = "SELECT id, match_id, round_number FROM rounds WHERE map_name = 'room2' AND round_time <> '123609' ORDER BY id";
            assert_eq!(
                shared.sql(rows).lines().collect::<Vec<_>>(),
                [
                    "50|2026-11-20-123344|0",
                    "51|2026-11-20-123344|1",
                    "52|2026-11-20-123344|2"
                ]
            );
            let count = "SELECT round_id, count(*) FROM player_comprehensive_stats WHERE round_id IN (51, 52) GROUP BY 1 ORDER BY 1";
            assert_eq!(shared.sql(count), players);
            let twice = "SELECT match_id, round_number, count(*) FROM lua_round_teams GROUP BY 1, 2 HAVING count(*) > 1";
            assert_eq!(shared.sql(twice), "");
            let teams = "SELECT count(*) FROM lua_round_teams WHERE match_id IN ('2026-11-20-123341', '2026-11-20-123528')";
            assert_eq!(shared.sql(teams), "2");
            store.rebuild(|_, _| {}).await.unwrap();
        }
        store.database.close().await;
    }
}

/// A round 2 of another bot has the `match_id` of its round 1, and here the smaller id.
#[tokio::test(flavor = "multi_thread")]
async fn rounds_of_another_bot_are_listed_by_their_own_times() {
    let shared = SharedDatabase::create();
    shared.sql(
        "INSERT INTO rounds (id, match_id, round_number, round_date, round_time, map_name) VALUES
            (61, '2026-11-21-120000', 2, '2026-11-21', '121500', 'supply'),
            (62, '2026-11-21-120000', 1, '2026-11-21', '120000', 'supply'),
            (63, '2026-11-21-120000', 0, '2026-11-21', '121500', 'supply')",
    );
    let store = Db::open_as(&shared.url, TimeZone::UTC, Some(Mode::Own))
        .await
        .unwrap();
    let list = store
        .round_list(&RoundListFilter::first_page())
        .await
        .unwrap();
    let ids: Vec<i64> = list.rounds.iter().map(|entry| entry.round.id).collect();
    assert_eq!(ids, [61, 62, 1]);
    let end = unix_of("2026-11-21-121500", &TimeZone::UTC);
    assert_eq!(list.rounds[0].ended_unix, end);
}
