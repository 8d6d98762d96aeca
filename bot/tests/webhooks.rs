//! Everybody who knows the URL of a listed webhook can post any report through it. The rounds of other servers stay as they are.

use gametimes_bot::Config;
use gametimes_bot::db::round_list::RoundFilter;
use gametimes_bot::db::rounds::RoundDetail;
use gametimes_bot::db::webhooks::ServerConflict;
use gametimes_bot::db::{Content, Db, IngestItem};
use gametimes_bot::doctor::examine;
use gametimes_discord_standin::Discord;
use gametimes_test_support::bot::{
    config_in, get, items, open, settings_for, wait_for, wait_for_rounds,
};
use gametimes_test_support::on_both_databases;
use gametimes_test_support::samples::{native_files, sample};
use serde_json::{Value, json};

const OWN: u64 = 1_111_111_111_111_111_111;
const OTHER: u64 = 2_222_222_222_222_222_222;

/// A public address, so that the server can be told from all others.
const ADDRESS: (&str, &str) = ("203.0.113.7", "27960");
const SERVER: &str = "203.0.113.7:27960";

/// The gametimes file of a recorded round, as a server on the internet reports it.
fn file(edit: impl FnOnce(&mut Value)) -> Value {
    let (_, bytes) = native_files("surrender").remove(0);
    let mut file: Value = serde_json::from_slice(&bytes).unwrap();
    file["meta"]["server_ip"] = ADDRESS.0.into();
    file["meta"]["server_port"] = ADDRESS.1.into();
    edit(&mut file);
    file
}

fn through(webhook: Option<u64>, file: &Value) -> IngestItem {
    let bytes = serde_json::to_vec(file).unwrap();
    let mut item = IngestItem::from_file("discord", "gametime-room1-R1-1795179043.json", "", bytes);
    assert!(matches!(item.content, Content::Report(_)), "{item:?}");
    item.webhook = webhook;
    item
}

/// One player more, who was never there.
fn add_ghost(file: &mut Value) {
    let stats = file["meta"]["spawn_stats"].as_array_mut().unwrap();
    let mut ghost = stats[0].clone();
    ghost["guid"] = "F00000000000000000000000000000AA".into();
    ghost["name"] = "ghost".into();
    stats.push(ghost);
}

fn stats_file() -> IngestItem {
    let name = "2026-11-20-125046-room1-round-1.txt";
    IngestItem::from_file("ssh", name, "", sample(&format!("gamestats/{name}")))
}

async fn rounds(store: &Db) -> Vec<RoundDetail> {
    let filter = RoundFilter {
        limit: 100,
        ..RoundFilter::default()
    };
    let mut rounds = Vec::new();
    for round in store.rounds(&filter).await.unwrap() {
        rounds.push(store.round(round.id).await.unwrap().unwrap());
    }
    rounds.sort_by_key(|round| round.round.id);
    rounds
}

/// Forged reports of a round, with the same public `event_id`, or with the same address and map.
fn forgeries() -> Vec<(&'static str, Value)> {
    let other_event = json!("01890a5d-ac96-774b-bcce-b302099a8057");
    vec![
        ("the same event and address", file(add_ghost)),
        (
            "the same event and its own address",
            file(|file| {
                add_ghost(file);
                file["meta"]["server_ip"] = "198.51.100.9".into();
            }),
        ),
        (
            "the same event, and no address that tells servers apart",
            file(|file| {
                add_ghost(file);
                file["meta"]["server_ip"] = "0.0.0.0".into();
            }),
        ),
        (
            "the same address and map",
            file(|file| {
                add_ghost(file);
                file["meta"]["event_id"] = "".into();
            }),
        ),
        (
            "the same address and map, another recorder, and an end that comes first",
            file(|file| {
                add_ghost(file);
                file["meta"]["event_id"] = other_event.clone();
                file["meta"]["source"] = "lua".into();
                file["meta"]["round_end_unix"] = 1_795_179_042_i64.into();
            }),
        ),
        (
            "its own address, and the name of the other server's stats file",
            file(|file| {
                add_ghost(file);
                file["meta"]["event_id"] = other_event.clone();
                file["meta"]["server_ip"] = "198.51.100.9".into();
            }),
        ),
        (
            "no name of a stats file, but the time of the other server's",
            file(|file| {
                add_ghost(file);
                file["meta"]["event_id"] = other_event.clone();
                file["meta"]["server_ip"] = "198.51.100.9".into();
                file["meta"]["stats_file"] = Value::Null;
                file["meta"]["round_end_unix"] = 1_795_179_046_i64.into();
            }),
        ),
    ]
}

/// The webhook's reports and a file of the server, in all orders that can occur after the round.
async fn forged_report_changes_no_round_of_another_webhook(url: &str) {
    let store = open(url).await;
    let own = file(|_| {});
    store
        .ingest(&[through(Some(OWN), &own), stats_file()])
        .await
        .unwrap();
    let before = rounds(&store).await;
    assert_eq!((before.len(), before[0].players.len()), (1, 12));
    for (what, forged) in forgeries() {
        store
            .ingest(&[through(Some(OTHER), &forged)])
            .await
            .unwrap();
        let after = rounds(&store).await;
        let same = after.iter().find(|r| r.round.id == before[0].round.id);
        assert_eq!(same, Some(&before[0]), "{what}");
        let ghosts = |r: &RoundDetail| r.players.iter().any(|p| p.name == "ghost");
        let shown_as_the_server = after
            .iter()
            .filter(|r| ghosts(r) && r.round.server_address.as_deref() == Some(SERVER));
        assert_eq!(shown_as_the_server.count(), 0, "{what}");
    }
    store.rebuild(|_, _| {}).await.unwrap();
    let after = rounds(&store).await;
    let same = after.iter().find(|r| r.round.id == before[0].round.id);
    assert_eq!(same, Some(&before[0]), "rebuilt");
    // The reports in conflict are listed, with what to do.
    let shown = store.lua_webhook_diagnostics().await.conflicts;
    let of = |server: Option<&str>, reports| ServerConflict {
        server: server.map(str::to_owned),
        owner_webhook_id: OWN,
        webhook_id: OTHER,
        reports,
    };
    assert_eq!(shown, [of(None, 2), of(Some(SERVER), 3)]);
    let found = examine(&Config::with_database(url)).await;
    let told = found.iter().filter(|f| f.what == "servers and webhooks");
    let told: Vec<&str> = told.map(|f| f.text.as_str()).collect();
    assert_eq!(told, [shown[0].to_string(), shown[1].to_string()]);
    let rejected = store.rejected(10).await.unwrap();
    let mut reasons = rejected.iter().map(|r| &r.reason);
    let cure = format!("gametimes-bot assign-server {SERVER} {OTHER}");
    assert!(
        reasons.any(|reason| reason.ends_with(&cure)),
        "{rejected:?}"
    );
}

/// As with the default of `net_ip`, and with servers in containers.
async fn forged_report_of_a_server_without_a_unique_address_changes_no_round(url: &str) {
    let store = open(url).await;
    for (n, address) in (1..).zip(["0.0.0.0", "127.0.0.1", "172.17.0.2", "::", ""]) {
        let own = file(|file| {
            file["meta"]["server_ip"] = address.into();
            file["meta"]["map"] = format!("map{n}").into();
            file["meta"]["event_id"] = format!("event {n}").into();
            file["meta"]["stats_file"] = Value::Null;
            file["meta"]["round_canonical_id"] = "".into();
        });
        store.ingest(&[through(Some(OWN), &own)]).await.unwrap();
        let before = rounds(&store).await;
        assert_eq!(before.len(), n as usize);
        let mut forged = own.clone();
        add_ghost(&mut forged);
        store
            .ingest(&[through(Some(OTHER), &forged)])
            .await
            .unwrap();
        assert_eq!(rounds(&store).await, before, "{address}: the same event");
        if !address.is_empty() {
            forged["meta"]["event_id"] = "".into();
            store
                .ingest(&[through(Some(OTHER), &forged)])
                .await
                .unwrap();
            assert_eq!(rounds(&store).await, before, "{address}: the same map");
        }
    }
    let shown = store.lua_webhook_diagnostics().await.conflicts;
    assert_eq!((shown.len(), shown[0].reports), (1, 9), "{shown:?}");
}

/// The server posts no files, so nothing names it.
async fn forged_message_without_a_file_changes_no_round(url: &str) {
    let store = open(url).await;
    let mut own = items::message("room1-R1-1795179043.json");
    own.webhook = Some(OWN);
    store.ingest(&[own.clone(), stats_file()]).await.unwrap();
    let before = rounds(&store).await;
    let mut forged = own.clone();
    forged.webhook = Some(OTHER);
    let Content::Report(report) = &mut forged.content else {
        panic!("a report");
    };
    report.meta.score.axis = 77;
    store.ingest(&[forged]).await.unwrap();
    let with_file = file(add_ghost);
    store
        .ingest(&[through(Some(OTHER), &with_file)])
        .await
        .unwrap();
    let after = rounds(&store).await;
    let same = after.iter().find(|r| r.round.id == before[0].round.id);
    assert_eq!(same, Some(&before[0]));
}

/// The bot reads the server's files itself, and no webhook reports the server.
async fn forged_report_replaces_no_file_that_the_bot_read_itself(url: &str) {
    let store = open(url).await;
    let own = file(|_| {});
    store
        .ingest(&[through(None, &own), stats_file()])
        .await
        .unwrap();
    let before = rounds(&store).await;
    for (what, forged) in forgeries() {
        store
            .ingest(&[through(Some(OTHER), &forged)])
            .await
            .unwrap();
        let after = rounds(&store).await;
        let same = after.iter().find(|r| r.round.id == before[0].round.id);
        assert_eq!(same, Some(&before[0]), "{what}");
    }
}

/// Many communities post the rounds of all their servers through one webhook.
async fn one_webhook_reports_several_servers(url: &str) {
    let store = open(url).await;
    let second = file(|file| {
        file["meta"]["server_port"] = "27970".into();
        file["meta"]["event_id"] = "01890a5d-ac96-774b-bcce-b302099a8057".into();
        file["meta"]["stats_file"] = Value::Null;
    });
    let items = [
        through(Some(OWN), &file(|_| {})),
        through(Some(OWN), &second),
        stats_file(),
    ];
    store.ingest(&items).await.unwrap();
    assert_eq!(rounds(&store).await.len(), 2);
    assert_eq!(store.rejected(10).await.unwrap(), []);
}

/// A message, its file and the server's own copies of another recorder are one round, in every order.
async fn message_and_files_of_one_server_are_still_one_round(url: &str) {
    let store = open(url).await;
    let mut message = items::message("room1-R1-1795179043.json");
    message.webhook = Some(OWN);
    let name = "gametime-room1-R1-1795179043.json";
    let mut old: Value = serde_json::from_slice(&sample(&format!("gametimes/{name}"))).unwrap();
    old["meta"]["server_ip"] = ADDRESS.0.into();
    old["meta"]["server_port"] = ADDRESS.1.into();
    let old = through(None, &old);
    let mut items = [
        message,
        through(Some(OWN), &file(|_| {})),
        old,
        stats_file(),
    ];
    for i in 0..items.len() {
        items.rotate_left(i);
        for item in &items {
            store.ingest(std::slice::from_ref(item)).await.unwrap();
        }
        let found = rounds(&store).await;
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0].round.recorder.as_deref(), Some("native"));
        let mut transaction = store.database.begin().await.unwrap();
        for table in [
            "player_comprehensive_stats",
            "lua_spawn_stats",
            "lua_round_teams",
            "rounds",
            "gametimes_facts",
            "gametimes_groups",
            "gametimes_reporters",
        ] {
            let sql = format!("DELETE FROM {table}");
            transaction.execute(&sql, &[]).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }
}

/// The server posts through two webhooks; the one that it does not belong to is faster.
async fn report_through_the_wrong_webhook_counts_once_it_comes_through_the_right_one(url: &str) {
    let store = open(url).await;
    let earlier = file(|file| {
        file["meta"]["event_id"] = "01890a5d-ac96-774b-bcce-b302099a8057".into();
        file["meta"]["stats_file"] = Value::Null;
        for key in ["round_start_unix", "round_end_unix"] {
            let time = file["meta"][key].as_i64().unwrap() - 3600;
            file["meta"][key] = time.into();
        }
        file["meta"]["pauses"] = json!([]);
        file["meta"]["round_canonical_id"] = "".into();
    });
    store.ingest(&[through(Some(OWN), &earlier)]).await.unwrap();
    let report = file(|_| {});
    for last in [Some(OWN), None] {
        store
            .ingest(&[through(Some(OTHER), &report)])
            .await
            .unwrap();
        store.ingest(&[through(last, &report)]).await.unwrap();
        assert_eq!(rounds(&store).await.len(), 2, "{last:?}");
    }
    assert_eq!(store.lua_webhook_diagnostics().await.conflicts, []);
}

/// The former webhook stays on the list, because other servers use it.
async fn server_that_moved_to_another_webhook_is_assigned_to_it_and_loses_no_round(url: &str) {
    let store = open(url).await;
    let before = file(|file| {
        file["meta"]["map"] = "supply".into();
        file["meta"]["event_id"] = "01890a5d-ac96-774b-bcce-b302099a8057".into();
        file["meta"]["round_canonical_id"] = "".into();
        file["meta"]["stats_file"] = Value::Null;
    });
    store.ingest(&[through(Some(OWN), &before)]).await.unwrap();
    store
        .ingest(&[through(Some(OTHER), &file(|_| {})), stats_file()])
        .await
        .unwrap();
    let recorders = async || {
        let rounds = rounds(&store).await;
        let recorder = |r: &RoundDetail| r.round.recorder.clone();
        rounds.iter().map(recorder).collect::<Vec<_>>()
    };
    let native = Some("native".to_owned());
    assert_eq!(recorders().await, [native.clone(), None]);
    assert_eq!(store.assign_server(SERVER, OTHER).await.unwrap(), 1);
    assert_eq!(recorders().await, [native.clone(), native.clone()]);
    assert_eq!(store.lua_webhook_diagnostics().await.conflicts, []);
    // What came before stays, also if everything is computed again.
    store.rebuild(|_, _| {}).await.unwrap();
    assert_eq!(recorders().await, [native.clone(), native]);
}

/// The webhook was deleted and replaced by a new one.
async fn server_of_a_webhook_that_is_not_listed_any_more_follows_to_the_next(url: &str) {
    let store = open(url).await;
    store
        .ingest(&[through(Some(OWN), &file(|_| {}))])
        .await
        .unwrap();
    store.release_servers(&[OWN, OTHER]).await.unwrap();
    let next = file(|file| {
        file["meta"]["map"] = "supply".into();
        file["meta"]["event_id"] = "01890a5d-ac96-774b-bcce-b302099a8057".into();
        file["meta"]["round_canonical_id"] = "".into();
        file["meta"]["stats_file"] = Value::Null;
    });
    store.ingest(&[through(Some(OTHER), &next)]).await.unwrap();
    assert_eq!(rounds(&store).await.len(), 1);
    store.release_servers(&[OTHER]).await.unwrap();
    assert_eq!(rounds(&store).await.len(), 2);
    // Without a report in conflict, the next report decides.
    store.release_servers(&[OWN]).await.unwrap();
    let last = file(|file| {
        file["meta"]["map"] = "radar".into();
        file["meta"]["event_id"] = "01890a5d-ac96-774b-bcce-b302099a8058".into();
        file["meta"]["round_canonical_id"] = "".into();
        file["meta"]["stats_file"] = Value::Null;
    });
    store.ingest(&[through(Some(OWN), &last)]).await.unwrap();
    assert_eq!(rounds(&store).await.len(), 3);
}

/// From Discord to the pages.
#[tokio::test(flavor = "multi_thread")]
async fn second_listed_webhook_changes_no_round_of_the_first() {
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    let other = discord.add_webhook(discord.channel_id());
    let mut settings = settings_for(&discord);
    settings.webhook_ids.push(other.id);
    config.discord = Some(settings);
    let bot = gametimes_bot::start(config).await.unwrap();
    let post = |webhook: u64, file: &Value| {
        let bytes = serde_json::to_vec(file).unwrap();
        let attached = [("gametime-room1-R1-1795179043.json", bytes.as_slice())];
        discord.post(webhook, &file["payload"], &attached).unwrap();
    };
    post(discord.webhook().id, &file(|_| {}));
    wait_for_rounds(&bot, 1).await;
    let before = rounds(&bot.store).await;
    post(other.id, &file(add_ghost));
    wait_for("the second message", || async {
        let discord = bot.status.delivery().remove("discord")?;
        (discord.failed == 1).then_some(())
    })
    .await;
    assert_eq!(rounds(&bot.store).await, before);
    let (_, body) = get(&bot.url("/api/diagnostics/lua-webhook")).await;
    let told = json!([{"server": SERVER, "owner_webhook_id": discord.webhook().id.to_string(),
        "webhook_id": other.id.to_string(), "reports": 1}]);
    assert_eq!(body["conflicts"], told);
    let (_, page) = get(&bot.url("/delivery")).await;
    let cure = format!("gametimes-bot assign-server {SERVER} {}", other.id);
    assert!(page.as_str().unwrap().contains(&cure), "{page}");
    bot.stop().await.unwrap();
}

on_both_databases!(
    forged_report_changes_no_round_of_another_webhook,
    forged_report_of_a_server_without_a_unique_address_changes_no_round,
    forged_message_without_a_file_changes_no_round,
    forged_report_replaces_no_file_that_the_bot_read_itself,
    one_webhook_reports_several_servers,
    message_and_files_of_one_server_are_still_one_round,
    report_through_the_wrong_webhook_counts_once_it_comes_through_the_right_one,
    server_that_moved_to_another_webhook_is_assigned_to_it_and_loses_no_round,
    server_of_a_webhook_that_is_not_listed_any_more_follows_to_the_next,
);
