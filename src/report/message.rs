//! The STATS_READY message of a round, never over Discord's limits.

use gametimes_format::file::{Meta, PlayerRef};
use gametimes_format::message::{
    AllowedMentions, CONTENT, Embed, Field, Footer, Message, USERNAME, limits,
};
use gametimes_format::text::cut;
use serde_json::json;

/// Discord's blue.
const COLOR: u32 = 3_447_003;

/// The message of a round, as it stands in the file's payload. `warmup_start_unix`: the start of play when there was no
/// warmup.
pub fn compose(meta: &Meta, warmup_start_unix: i64) -> Message {
    let fields = fields(meta, warmup_start_unix);
    let embed = Embed {
        title: cut(
            &format!("Round Complete: {} R{}", meta.map, meta.round),
            limits::TITLE,
        ),
        description: "Playtime without pauses · warmup · wall clock".to_owned(),
        color: COLOR,
        fields,
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

/// Fields in the order that readers know, then four of ours.
fn fields(meta: &Meta, warmup_start_unix: i64) -> Vec<Field> {
    let mut fields = Vec::with_capacity(limits::FIELDS);
    let mut put = |name: &str, value: String, inline: bool| {
        fields.push(Field {
            name: name.to_owned(),
            value: cut(&value, limits::FIELD_VALUE),
            inline,
        });
    };
    put("Map", plain(&meta.map), true);
    put("Round", meta.round.to_string(), true);
    put("Winner", meta.winner.to_string(), true);
    put("Defender", meta.defender.to_string(), true);
    put(
        "Lua_Playtime",
        format!("{} sec", meta.actual_duration_seconds),
        true,
    );
    put(
        "Lua_Timelimit",
        format!("{} min", meta.timelimit_minutes),
        true,
    );
    put(
        "Lua_Pauses",
        format!("{} ({} sec)", meta.pause_count, meta.pause_seconds),
        true,
    );
    put("Lua_EndReason", meta.end_reason.as_str().to_owned(), true);
    put("Lua_Warmup", format!("{} sec", meta.warmup_seconds), true);
    put("Lua_WarmupStart", warmup_start_unix.to_string(), true);
    put("Lua_RoundStart", meta.round_start_unix.to_string(), true);
    put("Lua_RoundEnd", meta.round_end_unix.to_string(), true);
    put("Lua_SurrenderTeam", meta.surrender.team.to_string(), true);
    put(
        "Lua_SurrenderCaller",
        plain(&meta.surrender.caller_guid),
        true,
    );
    put(
        "Lua_SurrenderCallerName",
        plain(&meta.surrender.caller_name),
        true,
    );
    put("Lua_AxisScore", meta.score.axis.to_string(), true);
    put("Lua_AlliesScore", meta.score.allies.to_string(), true);
    put(
        "Axis_JSON",
        team_json(&meta.teams.axis, limits::FIELD_VALUE),
        false,
    );
    put(
        "Allies_JSON",
        team_json(&meta.teams.allies, limits::FIELD_VALUE),
        false,
    );
    put("Lua_Pauses_JSON", pauses_json(meta), false);
    put("Lua_SpawnSummary", spawn_summary(meta), false);
    put("Lua_WarmupEnd", meta.round_start_unix.to_string(), true);
    put("Lua_RoundID", meta.round_canonical_id.clone(), true);
    let stats_file = meta.stats_file.as_deref().unwrap_or("none");
    put("Lua_StatsFile", plain(stats_file), true);
    put("Lua_EventID", meta.event_id.clone(), true);
    fields
}

fn spawn_summary(meta: &Meta) -> String {
    let sum = |f: fn(&gametimes_format::SpawnStats) -> i64| meta.spawn_stats.iter().map(f).sum();
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

/// The pauses as JSON; when there are too many for a field, the first ones.
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

/// A team as JSON that fits: names are shortened first, then guids to the 8 digits that stats files have, then names
/// left out, and at last the players that are too many.
fn team_json(team: &[PlayerRef], limit: usize) -> String {
    let json = |guid_limit: usize, name_limit: usize, count: usize| {
        let team: Vec<_> = team[..count]
            .iter()
            .map(|p| json!({"guid": cut(&plain(&p.guid), guid_limit), "name": cut(&plain(&p.name), name_limit)}))
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

/// Text that does no harm in a field: no control characters, no quotes or backslashes (some readers unescape before they
/// parse). Mentions need no care here: `allowed_mentions` lets nobody be pinged.
fn plain(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '"' => Some('\''),
            '\\' => Some('/'),
            c if c.is_control() => None,
            c => Some(c),
        })
        .collect()
}

/// Brings an embed under Discord's total: the two teams share what the rest leaves.
fn fit(mut embed: Embed) -> Embed {
    embed.fields.truncate(limits::FIELDS);
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
        // JSON that was cut is no JSON: an empty list is.
        longest.value = if longest.value.starts_with('[') {
            "[]".to_owned()
        } else {
            cut(&longest.value, keep)
        };
    }
    embed
}

/// The same message made small, for a Discord that refused the whole one: without the JSON fields and empty ones.
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

/// The message of `gametimes test`: says that it is one, and no reader takes it for a round.
pub fn test_message(server_hostname: &str) -> Message {
    Message {
        username: USERNAME.to_owned(),
        content: "gametimes test".to_owned(),
        embeds: vec![Embed {
            title: "This is a test".to_owned(),
            description: cut(
                &format!(
                    "{} can post here. No round was played.",
                    plain(server_hostname)
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

/// Puts the signature over the attached file into the message, where a bot that has the key looks for it.
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
