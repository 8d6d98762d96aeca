//! The STATS_READY message of a round, within Discord's limits.

use gametimes_format::SpawnStats;
use gametimes_format::file::{Meta, PlayerRef};
use gametimes_format::message::{
    AllowedMentions, CONTENT, Embed, Field, Footer, Message, USERNAME, limits,
};
use gametimes_format::text::cut;
use serde_json::json;

/// Discord's blue.
const COLOR: u32 = 3_447_003;
/// How many fields the embed has. Discord rejects an embed with more than its limit.
const FIELDS: usize = 25;
const _: () = assert!(FIELDS <= limits::FIELDS);

/// The message of a round, as the file's payload contains it. Without a warmup, `warmup_start_unix` is the start of play.
pub fn compose(meta: &Meta, warmup_start_unix: i64) -> Message {
    let fields = fields(meta, warmup_start_unix);
    let embed = Embed {
        title: cut(
            &format!("Round Complete: {} R{}", meta.map, meta.round),
            limits::TITLE,
        ),
        description: "Playtime without pauses · warmup · wall clock".to_owned(),
        color: COLOR,
        fields: fields.into(),
        footer: Footer {
            text: format!("gametimes v{}", meta.module_version),
        },
    };
    Message {
        username: USERNAME.to_owned(),
        content: CONTENT.to_owned(),
        embeds: vec![fit(embed)],
        allowed_mentions: Some(AllowedMentions::default()),
    }
}

/// The fields in the order in which readers know them; the last four are new in gametimes.
fn fields(meta: &Meta, warmup_start_unix: i64) -> [Field; FIELDS] {
    let field = |name: &str, value: String, inline: bool| Field {
        name: name.to_owned(),
        value: cut(&value, limits::FIELD_VALUE),
        inline,
    };
    let short = |name: &str, value: String| field(name, value, true);
    let number = |name: &str, value: i64| short(name, value.to_string());
    let seconds = |name: &str, value: i64| short(name, format!("{value} sec"));
    let json = |name: &str, value: String| field(name, value, false);
    let team = |team: &[PlayerRef]| team_json(team, limits::FIELD_VALUE);
    let stats_file = meta.stats_file.as_deref().unwrap_or("none");
    [
        short("Map", harmless(&meta.map)),
        number("Round", meta.round.into()),
        number("Winner", meta.winner.into()),
        number("Defender", meta.defender.into()),
        seconds("Lua_Playtime", meta.actual_duration_seconds),
        short("Lua_Timelimit", format!("{} min", meta.timelimit_minutes)),
        short(
            "Lua_Pauses",
            format!("{} ({} sec)", meta.pause_count, meta.pause_seconds),
        ),
        short("Lua_EndReason", meta.end_reason.message_str().to_owned()),
        seconds("Lua_Warmup", meta.warmup_seconds),
        number("Lua_WarmupStart", warmup_start_unix),
        number("Lua_RoundStart", meta.round_start_unix),
        number("Lua_RoundEnd", meta.round_end_unix),
        number("Lua_SurrenderTeam", meta.surrender.team.into()),
        short("Lua_SurrenderCaller", harmless(&meta.surrender.caller_guid)),
        short(
            "Lua_SurrenderCallerName",
            harmless(&meta.surrender.caller_name),
        ),
        number("Lua_AxisScore", meta.score.axis.into()),
        number("Lua_AlliesScore", meta.score.allies.into()),
        json("Axis_JSON", team(&meta.teams.axis)),
        json("Allies_JSON", team(&meta.teams.allies)),
        json("Lua_Pauses_JSON", pauses_json(meta)),
        json("Lua_SpawnSummary", spawn_summary(meta)),
        number("Lua_WarmupEnd", meta.round_start_unix),
        short("Lua_RoundID", meta.round_canonical_id.clone()),
        short("Lua_StatsFile", harmless(stats_file)),
        short("Lua_EventID", meta.event_id.clone()),
    ]
}

fn spawn_summary(meta: &Meta) -> String {
    let sum = |f: fn(&SpawnStats) -> i64| meta.spawn_stats.iter().map(f).sum();
    let spawns: i64 = sum(|s| i64::from(s.spawns));
    let deaths: i64 = sum(|s| i64::from(s.deaths));
    let dead_ms: i64 = sum(|s| s.dead_ms);
    let max = meta.spawn_stats.iter().map(|s| s.max_respawn).max();
    format!(
        "Players:{} | Spawns:{spawns} | AvgRespawn:{}s | MaxRespawn:{}s",
        meta.spawn_stats.len(),
        (dead_ms / 1000).checked_div(deaths).unwrap_or(0),
        max.unwrap_or(0)
    )
}

/// The pauses as JSON. If there are too many for a field, the last ones are left out.
fn pauses_json(meta: &Meta) -> String {
    let json = |count: usize| {
        let pauses: Vec<_> = meta.pauses[..count]
            .iter()
            .map(|p| json!({"n": p.n, "start": p.start, "end": p.end, "sec": p.sec}))
            .collect();
        serde_json::Value::from(pauses).to_string()
    };
    (0..=meta.pauses.len())
        .rev()
        .map(json)
        .find(|text| text.chars().count() <= limits::FIELD_VALUE)
        .unwrap_or_else(|| "[]".to_owned())
}

/// A team as JSON within `limit` characters. If it is too long, names are shortened first, then guids to the 8 digits that stats
/// files have; then names are left out, and finally the last players.
fn team_json(team: &[PlayerRef], limit: usize) -> String {
    let json = |guid_limit: usize, name_limit: usize, count: usize| {
        let team: Vec<_> = team[..count]
            .iter()
            .map(|p| json!({"guid": cut(&harmless(&p.guid), guid_limit), "name": cut(&harmless(&p.name), name_limit)}))
            .collect();
        serde_json::Value::from(team).to_string()
    };
    let shorter = [64, 24, 16, 12, 8, 5]
        .map(|name| (32, name))
        .into_iter()
        .chain([16, 12, 8, 5, 3, 0].map(|name| (8, name)));
    shorter
        .map(|(guid, name)| json(guid, name, team.len()))
        .chain((0..team.len()).rev().map(|count| json(8, 0, count)))
        .find(|text| text.chars().count() <= limit)
        .unwrap_or_else(|| "[]".to_owned())
}

/// A text without control characters, quotes and backslashes, because some readers unescape a field before they parse it.
/// Mentions are harmless: `allowed_mentions` prevents all pings.
fn harmless(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '"' => Some('\''),
            '\\' => Some('/'),
            c if c.is_control() => None,
            c => Some(c),
        })
        .collect()
}

/// Shortens the longest fields of an embed until it is within Discord's limit for the whole embed.
fn fit(mut embed: Embed) -> Embed {
    while embed.characters() > limits::EMBED {
        let over = embed.characters() - limits::EMBED;
        let Some(longest) = embed
            .fields
            .iter_mut()
            .max_by_key(|f| f.value.chars().count())
        else {
            break;
        };
        let keep = longest.value.chars().count().saturating_sub(over);
        // Truncated JSON would be invalid; an empty list is not.
        longest.value = if longest.value.starts_with('[') {
            "[]".to_owned()
        } else {
            cut(&longest.value, keep)
        };
    }
    embed
}

/// A shorter message to send after Discord has rejected the whole one: without JSON fields and empty fields.
pub fn trimmed(message: &Message) -> Message {
    let mut message = message.clone();
    for embed in &mut message.embeds {
        embed
            .fields
            .retain(|f| !f.name.ends_with("_JSON") && !f.value.is_empty());
        embed.description.clear();
    }
    message
}

/// The message of `gametimes test`, which readers do not mistake for a round.
pub fn test_message(server_hostname: &str) -> Message {
    Message {
        username: USERNAME.to_owned(),
        content: "gametimes test".to_owned(),
        embeds: vec![Embed {
            title: "This is a test".to_owned(),
            description: cut(
                &format!(
                    "{} can post here. No round was played.",
                    harmless(server_hostname)
                ),
                limits::FIELD_VALUE,
            ),
            color: COLOR,
            fields: Vec::new(),
            footer: Footer {
                text: format!("gametimes v{}", crate::VERSION),
            },
        }],
        allowed_mentions: Some(AllowedMentions::default()),
    }
}

/// Adds the signature of the attached file to the footer, where a bot with the key looks for it.
pub fn sign(message: &mut Message, key: &[u8], file: &[u8]) {
    let signature = gametimes_format::digest::sign(key, file);
    for embed in &mut message.embeds {
        embed
            .footer
            .text
            .push_str(&format!(" hmac-sha256 {signature}"));
        *embed = fit(std::mem::take(embed));
    }
}
