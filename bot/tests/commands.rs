//! Slash commands: registered once, answered on the bot's own Discord server, and nothing that arrives stops the bot.

use std::cell::RefCell;

use gametimes_bot::db::IngestItem;
use gametimes_bot::doctor::examine;
use gametimes_bot::{Bot, Config};
use gametimes_discord_standin::{Discord, GUILD_ID, Interaction};
use gametimes_test_support::bot::postgres::Cluster;
use gametimes_test_support::bot::stats_channel::{A_WHILE, compare_golden_texts, text_of_embed};
use gametimes_test_support::bot::stopwatch::{evening, item};
use gametimes_test_support::bot::{config_in, open, settings_for, wait_for};
use serde_json::{Value, json};

/// Types of interactions and responses.
const COMMAND: u64 = 2;
const AUTOCOMPLETE: u64 = 4;
const DEFERRED: u64 = 5;

fn config(mut config: Config, discord: &Discord) -> Config {
    let mut settings = settings_for(discord);
    settings.commands = true;
    config.discord = Some(settings);
    config.public_url = Some("https://stats.example.org".into());
    config
}

/// Starts a bot and waits until its commands are registered.
async fn start(config: Config, discord: &Discord) -> Bot {
    let bot = gametimes_bot::start(config).await.unwrap();
    wait_for("the commands", || async {
        let (commands, _) = discord.registered_commands();
        (commands.len() >= 5).then_some(())
    })
    .await;
    bot
}

async fn response(discord: &Discord, token: &str) -> Interaction {
    wait_for("a response", || async {
        let interaction = discord.interaction(token)?;
        (!interaction.response.is_null()).then_some(interaction)
    })
    .await
}

/// Waits until the bot answers commands. Those that were used before it had connected are lost.
async fn is_answered(discord: &Discord) {
    let tokens = RefCell::new(Vec::new());
    wait_for("an answer", || async {
        let mut tokens = tokens.borrow_mut();
        // Another person each time, as each has a limit.
        let person = 100 + tokens.len() as u64;
        tokens.push(discord.use_command(person, "last", &[]));
        let mut sent = tokens.iter().filter_map(|token| discord.interaction(token));
        sent.any(|sent| !sent.response.is_null()).then_some(())
    })
    .await;
}

/// The message that everybody sees.
async fn shown(discord: &Discord, token: &str) -> String {
    let interaction = response(discord, token).await;
    let message = &interaction.message;
    assert!(!Interaction::is_ephemeral(message), "{message}");
    assert_eq!(message["allowed_mentions"], json!({ "parse": [] }));
    text_of_embed(&message["embeds"][0])
}

/// The text that only the person sees.
async fn refusal(discord: &Discord, token: &str) -> String {
    let interaction = response(discord, token).await;
    let message = &interaction.message;
    assert!(Interaction::is_ephemeral(message), "{message}");
    assert_eq!(message["embeds"], json!([]));
    message["content"].as_str().unwrap().to_owned()
}

async fn suggestions(discord: &Discord, command: &str, option: &str, typed: &str) -> Vec<Value> {
    let token = discord.type_option(1, command, option, typed);
    let interaction = response(discord, &token).await;
    let choices = &interaction.response["data"]["choices"];
    choices.as_array().unwrap().clone()
}

async fn store_evening(bot: &Bot) {
    let items: Vec<IngestItem> = evening().iter().map(item).collect();
    bot.store.ingest(&items).await.unwrap();
    bot.store.refresh_players().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_registered_once_and_removed_when_switched_off() {
    let discord = Discord::start().unwrap();
    let foreign = json!({
        "id": "5", "application_id": "1001", "guild_id": "1000", "version": "6", "type": 1, "name": "foreign",
        "description": "Of another program", "options": [], "default_member_permissions": null,
    });
    discord.add_foreign_command(foreign.clone());
    let folder = tempfile::tempdir().unwrap();
    let mut settings = config(config_in(&folder), &discord);
    let names = || {
        let (commands, writes) = discord.registered_commands();
        let names = commands
            .iter()
            .map(|c| c["name"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), writes)
    };
    let bot = start(settings.clone(), &discord).await;
    let all = ["foreign", "last", "match", "player", "evening", "top"].map(str::to_owned);
    assert_eq!(names(), (all.to_vec(), 1));
    bot.stop().await.unwrap();

    // What Discord returns has defaults that the bot did not write.
    let bot = start(settings.clone(), &discord).await;
    is_answered(&discord).await;
    assert_eq!(names(), (all.to_vec(), 1));
    bot.stop().await.unwrap();

    settings.discord.as_mut().unwrap().commands = false;
    let bot = gametimes_bot::start(settings).await.unwrap();
    wait_for("the commands to be removed", || async {
        (names().0 == ["foreign"]).then_some(())
    })
    .await;
    let token = discord.use_command(1, "last", &[]);
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(discord.interaction(&token).unwrap().response, Value::Null);
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_show_the_seven_stopwatch_matches() {
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bot = start(config(config_in(&folder), &discord), &discord).await;
    store_evening(&bot).await;
    let match_choices = suggestions(&discord, "match", "match", "MAP0 ea").await;
    assert_eq!(match_choices.len(), 1, "{match_choices:?}");
    let evening_choices = suggestions(&discord, "evening", "evening", "").await;
    let player_choices = suggestions(&discord, "player", "name", "lo").await;
    let mut texts = Vec::new();
    for choices in [&match_choices, &evening_choices, &player_choices] {
        let names = choices
            .iter()
            .map(|choice| choice["name"].as_str().unwrap());
        texts.push(names.collect::<Vec<_>>().join("\n"));
    }
    let value = |choices: &[Value]| choices[0]["value"].as_str().unwrap().to_owned();
    let (of_match, of_evening) = (value(&match_choices), value(&evening_choices));
    let of_player = value(&player_choices);
    for (name, options) in [
        ("last", vec![]),
        ("match", vec![("match", of_match.as_str())]),
        // Typed, not chosen from the list.
        ("match", vec![("match", "Draw map2")]),
        ("evening", vec![]),
        ("evening", vec![("evening", of_evening.as_str())]),
        ("top", vec![("period", "all")]),
        ("top", vec![("figure", "maps_won"), ("period", "all")]),
    ] {
        let token = discord.use_command(2, name, &options);
        texts.push(format!(
            "/{name} {options:?}\n{}",
            shown(&discord, &token).await
        ));
    }
    compare_golden_texts("commands", &texts);
    // What counts as the last 30 days depends on the clock. The second is not a choice from the list.
    for (name, expected) in [(of_player.as_str(), "Lou"), ("DAN", "Dan")] {
        let token = discord.use_command(3, "player", &[("name", name)]);
        let text = shown(&discord, &token).await;
        assert!(
            text.contains(&format!("{expected}\u{2069}\nhttps://")),
            "{text}"
        );
        assert!(text.contains("Kills per death"), "{text}");
    }
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_options_are_refused_in_words_that_only_the_person_sees() {
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bot = start(config(config_in(&folder), &discord), &discord).await;
    for (name, options, words) in [
        ("last", vec![], "No round has been played yet."),
        ("match", vec![("match", "1")], "no such match"),
        ("match", vec![("match", "@everyone")], "no such match"),
        ("match", vec![], "no such match"),
        ("evening", vec![], "No round has been played yet."),
        ("evening", vec![("evening", "yesterday")], "no such evening"),
        ("evening", vec![("evening", "5")], "no such evening"),
        ("player", vec![("name", "% _")], "no such player"),
        ("top", vec![("figure", "luck")], "cannot be compared"),
    ] {
        let token = discord.use_command(1, name, &options);
        let text = refusal(&discord, &token).await;
        assert!(text.contains(words), "/{name} {options:?}: {text}");
    }
    assert_eq!(
        suggestions(&discord, "match", "match", "x").await,
        Vec::<Value>::new()
    );
    bot.stop().await.unwrap();
}

/// Interactions from elsewhere, of other programs, and events that are not as Discord sends them, are ignored.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_and_damaged_interactions_are_ignored() {
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bot = start(config(config_in(&folder), &discord), &discord).await;
    let last = json!({ "id": "1", "name": "last", "type": 1 });
    let of_match =
        |options: Value| json!({ "id": "1", "name": "match", "type": 1, "options": options });
    let ignored = [
        discord.interact(COMMAND, Some(GUILD_ID + 1), 1, &last),
        discord.interact(COMMAND, None, 1, &last),
        discord.use_command(1, "foreign", &[]),
        discord.type_option(1, "foreign", "match", ""),
        discord.type_option(1, "match", "other", ""),
        // A button, a type from the future, and data of other shapes.
        discord.interact(
            3,
            Some(GUILD_ID),
            1,
            &json!({ "custom_id": "x", "component_type": 2 }),
        ),
        discord.interact(99, Some(GUILD_ID), 1, &last),
        discord.interact(COMMAND, Some(GUILD_ID), 1, &json!({ "name": "last" })),
        discord.interact(COMMAND, Some(GUILD_ID), 1, &json!([])),
        discord.interact(COMMAND, Some(GUILD_ID), 1, &Value::Null),
        discord.interact(AUTOCOMPLETE, Some(GUILD_ID), 1, &of_match(json!([]))),
        discord.interact(AUTOCOMPLETE, Some(GUILD_ID), 1, &of_match(json!(7))),
    ];
    for data in [
        json!(null),
        json!([]),
        json!({ "id": 1 }),
        json!({ "token": "\u{0}" }),
    ] {
        discord.send_event("INTERACTION_CREATE", &data);
    }
    let integer = of_match(json!([{ "type": 4, "name": "match", "value": 1 }]));
    let token = discord.interact(COMMAND, Some(GUILD_ID), 1, &integer);
    assert!(refusal(&discord, &token).await.contains("no such match"));
    let token = discord.use_command(1, "last", &[]);
    assert!(refusal(&discord, &token).await.contains("No round"));
    for token in ignored {
        let interaction = discord.interaction(&token).unwrap();
        assert_eq!(interaction.response, Value::Null, "{interaction:?}");
    }
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn person_with_many_commands_is_refused_and_others_are_answered() {
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bot = start(config(config_in(&folder), &discord), &discord).await;
    let tokens: Vec<String> = (0..20)
        .map(|_| discord.use_command(1, "last", &[]))
        .collect();
    let other = discord.use_command(2, "last", &[]);
    assert!(refusal(&discord, &other).await.contains("No round"));
    assert!(refusal(&discord, &tokens[9]).await.contains("No round"));
    assert!(
        refusal(&discord, &tokens[10])
            .await
            .contains("many commands")
    );
    tokio::time::sleep(A_WHILE).await;
    for token in &tokens[11..] {
        assert_eq!(discord.interaction(token).unwrap().response, Value::Null);
    }
    bot.stop().await.unwrap();
}

/// While the database is slow, an answer is announced, and follows. A refusal then too is seen by the person alone.
#[tokio::test(flavor = "multi_thread")]
async fn slow_answers_are_announced() {
    let cluster = Cluster::shared();
    let discord = Discord::start().unwrap();
    let url = cluster.database();
    let bot = start(config(Config::with_database(&url), &discord), &discord).await;
    store_evening(&bot).await;
    let other = open(&url).await;
    let mut transaction = other.database.begin().await.unwrap();
    let lock = "LOCK TABLE rounds IN ACCESS EXCLUSIVE MODE";
    transaction.execute(lock, &[]).await.unwrap();
    let found = discord.use_command(1, "last", &[]);
    let missing = discord.use_command(1, "match", &[("match", "99999")]);
    for token in [&found, &missing] {
        let announced = response(&discord, token).await;
        assert_eq!(announced.response["type"], DEFERRED);
        assert_eq!(announced.message, Value::Null);
    }
    transaction.commit().await.unwrap();
    let text = wait_for("the answer", || async {
        let interaction = discord.interaction(&found)?;
        let embed = &interaction.message["embeds"][0];
        (!embed.is_null()).then(|| text_of_embed(embed))
    })
    .await;
    assert!(text.contains("map6"), "{text}");
    let followup = wait_for("the refusal", || async {
        discord.interaction(&missing)?.followups.first().cloned()
    })
    .await;
    assert!(Interaction::is_ephemeral(&followup), "{followup}");
    assert!(
        followup["content"]
            .as_str()
            .unwrap()
            .contains("no such match")
    );
    assert_eq!(discord.interaction(&missing).unwrap().message, Value::Null);
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_explains_how_to_allow_commands() {
    let discord = Discord::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = config(config_in(&folder), &discord);
    for is_allowed in [true, false] {
        discord.set_commands_scope(is_allowed);
        let found = examine(&config).await;
        let finding = found.iter().find(|f| f.what == "discord.commands").unwrap();
        assert_eq!(finding.good, is_allowed, "{finding}");
        let advice = "client_id=1001&scope=bot+applications.commands";
        assert_eq!(finding.text.contains(advice), !is_allowed, "{finding}");
    }
    // The bot runs without commands.
    let bot = gametimes_bot::start(config).await.unwrap();
    store_evening(&bot).await;
    bot.stop().await.unwrap();
}
