//! The part of `init` about Discord: the account, its invitation, the channels and the webhook.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use twilight_http::Client;
use twilight_model::guild::Permissions;

use super::prompt::{Prompt, Question};
use super::settings::Discord;
use super::{Options, TOKEN_VARIABLE, checked, retried, variable};
use crate::discord::access::{self, Account};
use crate::discord::client_with;

/// The name of the webhook that is created.
const WEBHOOK_NAME: &str = "ET:Legacy Stats";

/// Asks for everything about Discord; `None` if it is not wanted. `beside` is the folder of the settings file.
pub(super) async fn ask(
    options: &Options,
    prompt: &mut dyn Prompt,
    beside: &Path,
) -> Result<Option<Discord>, String> {
    let token = match &options.token_file {
        None => variable(TOKEN_VARIABLE),
        Some(path) => {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|e| format!("--token-file {}: {e}", path.display()))?;
            Some(text.trim().to_owned())
        }
    };
    let is_wanted = token.is_some() || prompt.is_interactive();
    if options.no_discord
        || !is_wanted
        || (token.is_none() && !prompt.confirm("Set up Discord?", true)?)
    {
        return Ok(None);
    }
    let mut settings = Discord {
        token: String::new(),
        channel_id: 0,
        webhook_ids: options.webhook_ids.clone(),
        stats_channel_id: None,
        proxy: variable("GAMETIMES_DISCORD_PROXY"),
        gateway_url: variable("GAMETIMES_DISCORD_GATEWAY_URL"),
    };
    let (client, account) = log_in(token, &mut settings, prompt).await?;
    let client = &client;
    prompt.say(&format!("  logged in as {}", account.name));
    let application = retried(prompt, async || {
        let application = access::application(client).await?;
        let enabled = application.reads_content.then_some(application);
        enabled.ok_or_else(|| {
            "enable the Message Content intent: Developer Portal, Bot, Privileged Gateway Intents"
                .into()
        })
    })
    .await?;

    // What is offered is the default for a user, and not done without one.
    let default = prompt.is_interactive();
    let creates = options.create_webhook
        || (options.webhook_ids.is_empty()
            && prompt.confirm("Create a webhook for a game server?", default)?);
    let posts = options.stats_channel.is_some()
        || prompt.confirm("Post the results for players in a stats channel?", default)?;
    let mut control = access::CONTROL;
    control.set(access::WEBHOOKS, creates);
    let mut all = control;
    all.set(access::STATS, posts);
    let link = access::invite(application.id, all);
    prompt.say(&format!(
        "\nIf the bot is not on your Discord server yet, or lacks a permission, open this link:\n  {link}\n"
    ));
    let question = Question {
        text: "The control channel, to which game servers post (for machines: hide it from players):",
        option: "channel",
        default: None,
    };
    settings.channel_id =
        ask_channel(client, &account, options.channel, control, question, prompt).await?;
    if creates {
        let created = retried(prompt, async || {
            access::create_webhook(client, settings.channel_id, WEBHOOK_NAME).await
        });
        let webhook = created.await?;
        let token = webhook.token.as_deref().unwrap_or_default();
        let url = format!("https://discord.com/api/webhooks/{}/{token}", webhook.id);
        let file = beside.join("webhooks.txt");
        add_line(&file, &url).map_err(|e| format!("{}: {e}", file.display()))?;
        settings.webhook_ids.push(webhook.id.get());
        prompt.say(&format!(
            "  a webhook was created; copy {} to the game server (it is a secret, like a password)",
            file.display()
        ));
    } else if settings.webhook_ids.is_empty() {
        let question = Question {
            text: "Ids of the game servers' webhooks (the first number in each URL), separated by commas:",
            option: "webhook-id",
            default: None,
        };
        settings.webhook_ids = checked(prompt, None, question, async |text| ids(text)).await?;
    }
    if posts {
        let question = Question {
            text: "The stats channel, in which players read results:",
            option: "stats-channel",
            default: None,
        };
        let given = options.stats_channel;
        let id = ask_channel(client, &account, given, access::STATS, question, prompt).await?;
        settings.stats_channel_id = Some(id);
    }
    Ok(Some(settings))
}

/// Asks for the token until Discord accepts it.
async fn log_in(
    mut given: Option<String>,
    settings: &mut Discord,
    prompt: &mut dyn Prompt,
) -> Result<(Client, Account), String> {
    let question = Question {
        text: "Token of the bot (Developer Portal, your application, Bot, Reset Token; it is not shown):",
        option: "token-file",
        default: None,
    };
    loop {
        let is_given = given.is_some();
        let token = match given.take() {
            Some(token) => token,
            None => prompt.secret(question)?,
        };
        settings.token = token.trim().to_owned();
        let client = client_with(&settings.token, settings.proxy.as_deref());
        match access::account(&client).await {
            Ok(account) => return Ok((client, account)),
            Err(error) if is_given || !prompt.is_interactive() => return Err(error),
            Err(error) => prompt.say(&format!("  {error}")),
        }
    }
}

/// Asks for a channel in which the bot has these permissions.
async fn ask_channel(
    client: &Client,
    account: &Account,
    given: Option<u64>,
    needed: Permissions,
    question: Question<'_>,
    prompt: &mut dyn Prompt,
) -> Result<u64, String> {
    let id = match given {
        Some(id) => id,
        None => choose_channel(client, question, prompt).await?,
    };
    let check = async || access::channel(client, account, id, needed).await;
    let name = retried(prompt, check).await;
    let name = name.map_err(|e| format!("--{}: {e}", question.option))?;
    prompt.say(&format!("  #{name}: the bot has the permissions it needs"));
    Ok(id)
}

async fn choose_channel(
    client: &Client,
    question: Question<'_>,
    prompt: &mut dyn Prompt,
) -> Result<u64, String> {
    if !prompt.is_interactive() {
        // Fails with the name of the option.
        prompt.choose(question, &[])?;
    }
    let guilds = retried(prompt, async || {
        let guilds = access::guilds(client).await?;
        match guilds.is_empty() {
            false => Ok(guilds),
            true => Err("the bot is on no Discord server; open the link above".into()),
        }
    })
    .await?;
    let guild = match guilds.as_slice() {
        [(id, _)] => *id,
        several => {
            let names: Vec<String> = several.iter().map(|(_, name)| name.clone()).collect();
            let server = Question {
                text: "On which Discord server?",
                ..question
            };
            several[prompt.choose(server, &names)?].0
        }
    };
    let channels = retried(prompt, async || {
        let channels = access::text_channels(client, guild).await?;
        match channels.is_empty() {
            false => Ok(channels),
            true => Err("the bot sees no text channel; create one, and let the bot see it".into()),
        }
    })
    .await?;
    let names: Vec<String> = channels.iter().map(|(_, n)| format!("#{n}")).collect();
    Ok(channels[prompt.choose(question, &names)?].0)
}

fn ids(text: &str) -> Result<Vec<u64>, String> {
    let parse = |id: &str| id.trim().parse().ok();
    let ids: Option<Vec<u64>> = text.split(',').map(parse).collect();
    // The text may be a URL, which is a secret.
    ids.ok_or_else(|| "is not a list of ids such as 123, 456".into())
}

/// Appends a line to a file that only this user can read.
fn add_line(path: &Path, line: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).mode(0o600).open(path)?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_all()
}
