//! A round as its recorder reported it: a gametimes file of this version or of the old scripts, or only the fields of the
//! Discord message.

use std::borrow::Cow;

use gametimes_format::check::{self, Problem};
use gametimes_format::digest::{round_canonical_id, round_id_of_map_as_written};
use gametimes_format::message::{Embed, Message};
use gametimes_format::text::counted;
use gametimes_format::{GametimesFile, Meta, Pause, PlayerRef, TimelineEvent, limits, text};
use serde::{Deserialize, Serialize};

/// How much a report contains. Of several reports of one round the most complete one is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// Only the fields of the message, without the times of the players.
    Embed,
    /// A gametimes file of the old Lua scripts: whole seconds, no timeline.
    OldFile,
    /// A gametimes file of this version.
    File,
}

/// One round, as one recorder reported it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How much the report contains.
    pub completeness: Completeness,
    /// The round. Files of schema 1 are completed from the message they contain. The timeline is in [`Report::events`].
    pub meta: Meta,
    /// When the warmup began, as a unix time; 0 if unknown.
    pub warmup_start_unix: i64,
    /// The recorder's version, without `v`.
    pub version: String,
    /// Contradictions in the file. They are stored and shown, but are no reason to refuse it.
    pub doubts: Vec<String>,
    /// The timeline. It is stored separately, because it is large and few pages need it.
    #[serde(skip)]
    pub events: Vec<TimelineEvent>,
}

/// Why a file or a message was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// The largest gametimes file that is read: the largest that a recorder writes.
pub const FILE_BYTES_MAX: usize = limits::FILE_BYTES;

/// How far ahead of the reader's clock a round may end. Two clocks differ by less, and so does local time that is read in a wrong
/// time zone.
pub const AHEAD_SECONDS_MAX: i64 = 24 * 3600;

/// Checks that a round, or the time in the name of a stats file, is not in the future. Such a round would stay the latest for
/// years, and every new one would be listed after it.
///
/// # Errors
/// When the time is more than [`AHEAD_SECONDS_MAX`] after `now_unix`.
pub fn check_not_ahead(at_unix: i64, now_unix: i64) -> Result<(), Refused> {
    let ahead = at_unix.saturating_sub(now_unix);
    if ahead <= AHEAD_SECONDS_MAX {
        return Ok(());
    }
    Err(Refused(format!(
        "the round ends {} after now; check the clocks of the game server and of this machine",
        counted(
            usize::try_from(ahead / (24 * 3600)).unwrap_or_default(),
            "day"
        )
    )))
}

impl Report {
    /// Reads a gametimes file. The old scripts copy names as bytes, which need not be UTF-8.
    ///
    /// # Errors
    /// When it is not a gametimes file, or contains impossible values.
    pub fn from_file(bytes: &[u8]) -> Result<Self, Refused> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(Refused(format!(
                "{} bytes are more than {FILE_BYTES_MAX}",
                bytes.len()
            )));
        }
        let mut file: GametimesFile = serde_json::from_str(&lenient_utf8(bytes))
            .map_err(|e| Refused(format!("not a gametimes file: {e}")))?;
        if file.meta.schema < 2
            && let Some(embed) = file.payload.embeds.first()
        {
            complete_from_embed(&mut file.meta, embed)?;
        }
        let problems = check::check(&file);
        let completeness = if file.meta.schema >= 2 {
            Completeness::File
        } else {
            Completeness::OldFile
        };
        let embed = file.payload.embeds.first().cloned().unwrap_or_default();
        Self::checked(completeness, file.meta, &embed, &problems)
    }

    /// Reads the fields of a message that came without a file.
    ///
    /// # Errors
    /// When a required field is missing, or a field contains an impossible value.
    pub fn from_message(message: &Message) -> Result<Self, Refused> {
        let embed = message
            .embeds
            .first()
            .ok_or_else(|| Refused("the message has no embed".into()))?;
        let mut meta = Meta {
            schema: 1,
            map: field(embed, "Map")?.to_owned(),
            round: number(embed, "Round")?,
            round_start_unix: number(embed, "Lua_RoundStart")?,
            round_end_unix: number(embed, "Lua_RoundEnd")?,
            actual_duration_seconds: number(embed, "Lua_Playtime")?,
            warmup_seconds: number_or(embed, "Lua_Warmup", 0)?,
            ..Meta::default()
        };
        meta.match_id = meta.round_end_unix.to_string();
        let (count, seconds) = pauses(embed.field("Lua_Pauses").unwrap_or_default())?;
        (meta.pause_count, meta.pause_seconds) = (count, seconds);
        complete_from_embed(&mut meta, embed)?;
        if let Some(id) = embed.field("Lua_EventID") {
            meta.event_id = id.to_owned();
        }
        meta.stats_file = embed
            .field("Lua_StatsFile")
            .filter(|name| !matches!(*name, "" | "none"))
            .map(str::to_owned);
        let problems = check::check_meta(&meta);
        Self::checked(Completeness::Embed, meta, embed, &problems)
    }

    fn checked(
        completeness: Completeness,
        mut meta: Meta,
        embed: &Embed,
        problems: &[Problem],
    ) -> Result<Self, Refused> {
        let rejections = check::rejections(problems);
        if !rejections.is_empty() {
            let reasons: Vec<String> = rejections.iter().take(5).map(ToString::to_string).collect();
            return Err(Refused(reasons.join("; ")));
        }
        clean(&mut meta);
        let (start, map, round) = (meta.round_start_unix, &meta.map, meta.round);
        let lacks_id = meta.round_canonical_id.is_empty() && start > 0;
        // A file of an older version: the same round has one id, whichever recorder reports it.
        if lacks_id || meta.round_canonical_id == round_id_of_map_as_written(start, map, round) {
            meta.round_canonical_id = round_canonical_id(start, map, round);
        }
        let version = if meta.module_version.is_empty() {
            version_in(&embed.footer.text).unwrap_or_default()
        } else {
            meta.module_version.clone()
        };
        let mut doubts: Vec<String> = problems.iter().take(20).map(ToString::to_string).collect();
        let mut warmup_start_unix = number_or(embed, "Lua_WarmupStart", 0)?;
        let possible = check::bounds::UNIX_MIN..=meta.round_end_unix;
        if warmup_start_unix != 0 && !possible.contains(&warmup_start_unix) {
            doubts.push(format!(
                "Lua_WarmupStart: {warmup_start_unix}, but the round ends at {}",
                meta.round_end_unix
            ));
            warmup_start_unix = 0;
        }
        Ok(Self {
            completeness,
            warmup_start_unix,
            version: text::cut(&version, 16),
            doubts,
            events: std::mem::take(&mut meta.events),
            meta,
        })
    }

    /// `ip:port` of the server; empty if the report does not contain it.
    pub fn server(&self) -> String {
        match (self.meta.server_ip.as_str(), self.meta.server_port.as_str()) {
            ("", _) | (_, "") => String::new(),
            (ip, port) => format!("{ip}:{port}"),
        }
    }
}

/// The text of a file. Bytes that are not UTF-8 are read as Latin-1, each on its own: the same file may contain names in both.
fn lenient_utf8(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|&byte| char::from(byte)));
    }
    text.into()
}

/// Removes control characters: they have no meaning in a name, and not every database can store them.
fn clean(meta: &mut Meta) {
    let fix = |s: &mut String| s.retain(|c| !c.is_control());
    fix(&mut meta.map);
    fix(&mut meta.exit_text);
    fix(&mut meta.server_hostname);
    fix(&mut meta.surrender.caller_name);
    for text in [
        &mut meta.server_ip,
        &mut meta.server_port,
        &mut meta.event_id,
        &mut meta.engine_version,
        &mut meta.source,
        &mut meta.module_version,
        &mut meta.surrender.caller_guid,
        &mut meta.round_canonical_id,
        &mut meta.match_id,
        &mut meta.match_uid,
    ] {
        fix(text);
    }
    let teams = &mut meta.teams;
    for player in teams.axis.iter_mut().chain(&mut teams.allies) {
        fix(&mut player.guid);
        fix(&mut player.name);
    }
    for player in &mut meta.spawn_stats {
        fix(&mut player.guid);
        fix(&mut player.name);
    }
}

/// Adds what the old scripts write only to the message.
fn complete_from_embed(meta: &mut Meta, embed: &Embed) -> Result<(), Refused> {
    meta.winner = number_or::<u8>(embed, "Winner", 0)?.into();
    meta.defender = number_or::<u8>(embed, "Defender", 0)?.into();
    meta.timelimit_minutes = decimal_or(embed, "Lua_Timelimit", 0.0)?;
    let reason = embed.field("Lua_EndReason").unwrap_or("unknown");
    meta.end_reason = serde_json::from_value(reason.to_ascii_lowercase().into())
        .map_err(|e| Refused(format!("Lua_EndReason: {e}")))?;
    meta.surrender.team = number_or::<u8>(embed, "Lua_SurrenderTeam", 0)?.into();
    let caller = |name| match embed.field(name).unwrap_or_default() {
        "none" | "unknown" | "N/A" => String::new(),
        text => text.to_owned(),
    };
    meta.surrender.caller_guid = caller("Lua_SurrenderCaller");
    meta.surrender.caller_name = text::strip_colors(&caller("Lua_SurrenderCallerName"));
    meta.score.axis = number_or(embed, "Lua_AxisScore", 0)?;
    meta.score.allies = number_or(embed, "Lua_AlliesScore", 0)?;
    meta.teams.axis = list::<PlayerRef>(embed, "Axis_JSON")?;
    meta.teams.allies = list::<PlayerRef>(embed, "Allies_JSON")?;
    meta.pauses = list::<Pause>(embed, "Lua_Pauses_JSON")?;
    Ok(())
}

fn field<'a>(embed: &'a Embed, name: &str) -> Result<&'a str, Refused> {
    embed
        .field(name)
        .map(str::trim)
        .filter(|v| !v.is_empty())
        .ok_or_else(|| Refused(format!("the message has no field {name}")))
}

/// The number that a value begins with: `512 sec` is 512.
fn number<T: std::str::FromStr>(embed: &Embed, name: &str) -> Result<T, Refused> {
    let value = field(embed, name)?;
    value
        .split_whitespace()
        .next()
        .and_then(|n| n.parse().ok())
        .ok_or_else(|| Refused(format!("{name} is {value:?}, not a number in range")))
}

fn number_or<T: std::str::FromStr>(embed: &Embed, name: &str, default: T) -> Result<T, Refused> {
    match embed.field(name).map(str::trim) {
        None | Some("" | "none" | "unknown" | "N/A") => Ok(default),
        Some(_) => number(embed, name),
    }
}

fn decimal_or(embed: &Embed, name: &str, default: f64) -> Result<f64, Refused> {
    let n: f64 = number_or(embed, name, default)?;
    if n.is_finite() {
        Ok(n)
    } else {
        Err(Refused(format!("{name} is not finite")))
    }
}

/// Parses `1 (25 sec)`: the number of pauses and their total length.
fn pauses(value: &str) -> Result<(i64, i64), Refused> {
    let mut numbers = value
        .split(|c: char| !c.is_ascii_digit())
        .filter(|n| !n.is_empty())
        .map(str::parse::<i64>);
    match (numbers.next(), numbers.next()) {
        (None, _) => Ok((0, 0)),
        (Some(Ok(count)), None) => Ok((count, 0)),
        (Some(Ok(count)), Some(Ok(seconds))) => Ok((count, seconds)),
        _ => Err(Refused(format!("Lua_Pauses is {value:?}"))),
    }
}

/// Parses a JSON list in a field. Old scripts escape quotes twice.
fn list<T: serde::de::DeserializeOwned>(embed: &Embed, name: &str) -> Result<Vec<T>, Refused> {
    let value = embed.field(name).unwrap_or_default().trim();
    if value.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(value)
        .or_else(|_| serde_json::from_str(&value.replace("\\\"", "\"")))
        .map_err(|e| Refused(format!("{name} is not a JSON list: {e}")))
}

/// Finds the `1.7.2` in a text that contains `v1.7.2`.
pub fn version_in(text: &str) -> Option<String> {
    text.match_indices('v').find_map(|(at, _)| {
        let version: String = text[at + 1..]
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        let version = version.trim_end_matches('.');
        let parts: Vec<&str> = version.split('.').collect();
        (parts.len() == 3 && parts.iter().all(|p| !p.is_empty())).then(|| version.to_owned())
    })
}

/// The signature in a footer: `hmac-sha256 <64 hex>`.
pub fn signature_in(text: &str) -> Option<&str> {
    let rest = text.split_once("hmac-sha256 ")?.1;
    rest.get(..64)
        .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use gametimes_format::EndReason;

    use super::*;

    const SURRENDER: &[u8] =
        include_bytes!("../../tests/data/samples/gametimes/gametime-room1-R1-1795179043.json");
    const SURRENDER_MESSAGE: &str =
        include_str!("../../tests/data/samples/messages/room1-R1-1795179043.json");

    #[test]
    fn old_file_is_completed_from_its_message() {
        let report = Report::from_file(SURRENDER).unwrap();
        assert_eq!(report.completeness, Completeness::OldFile);
        assert_eq!(report.meta.end_reason, EndReason::Surrender);
        assert_eq!(report.meta.surrender.caller_name, "Player01");
        assert_eq!(
            (report.meta.winner.number(), report.meta.defender.number()),
            (1, 1)
        );
        assert_eq!(report.meta.teams.axis.len(), 6);
        assert_eq!(report.meta.pauses[0].sec, 16);
        assert_eq!(report.meta.timelimit_minutes, 3.0);
        assert_eq!(report.version, "1.7.2");
        assert_eq!(report.server(), "127.0.0.1:27986");
        assert_eq!(report.doubts, Vec::<String>::new());
    }

    #[test]
    fn file_of_the_old_script_with_a_latin_1_name_is_read() {
        let bytes = include_bytes!("../../tests/data/latin1/gametime-room1-R1-1795179043.json");
        assert!(bytes.contains(&0xe9));
        let report = Report::from_file(bytes).unwrap();
        assert_eq!(report.meta.spawn_stats[0].name, "Café");
        // Its server's address was removed before it was shared.
        assert_eq!(report.server(), "");
        assert_eq!(report.completeness, Completeness::OldFile);
        assert_eq!(report.meta.teams.axis.len(), 6);
    }

    #[test]
    fn names_in_latin_1_and_utf_8_are_read_from_one_file() {
        let latin_1 = include_bytes!("../../tests/data/latin1/gametime-room1-R1-1795179043.json");
        let mut bytes = latin_1.to_vec();
        let at = bytes.windows(10).position(|part| part == b"\"Player02\"");
        let at = at.unwrap();
        // A name in UTF-8, beside one in Latin-1 with bytes that have no character there.
        bytes.splice(at..at + 10, "\"Žiž\"".bytes());
        let at = bytes
            .windows(4)
            .position(|part| part == b"Caf\xe9")
            .unwrap();
        bytes.splice(at..at + 4, *b"\x93\xc9t\xe9\x94");
        let report = Report::from_file(&bytes).unwrap();
        let names: Vec<&str> = report
            .meta
            .spawn_stats
            .iter()
            .map(|p| p.name.as_str())
            .collect();
        assert!(names.contains(&"Été"), "{names:?}");
        assert!(names.contains(&"Žiž"), "{names:?}");
    }

    #[test]
    fn message_alone_contains_all_but_the_times_of_players() {
        let message: Message = serde_json::from_str(SURRENDER_MESSAGE).unwrap();
        let alone = Report::from_message(&message).unwrap();
        let file = Report::from_file(SURRENDER).unwrap();
        let mut expected = file.meta.clone();
        expected.spawn_stats.clear();
        expected.server_ip.clear();
        expected.server_port.clear();
        assert_eq!(alone.meta, expected);
        assert_eq!(alone.completeness, Completeness::Embed);
    }

    #[test]
    fn end_reason_is_exact_in_a_file_and_as_sent_in_a_bare_message() {
        let native =
            include_str!("../../tests/data/native/surrender/gametime-room1-R2-1795179083.json");
        let mut file: GametimesFile = serde_json::from_str(native).unwrap();
        assert_eq!(file.meta.end_reason, EndReason::ServerQuit);
        assert_eq!(
            file.payload.embeds[0].field("Lua_EndReason"),
            Some("server_restart")
        );
        let read = Report::from_file(native.as_bytes()).unwrap().meta;
        assert_eq!(read.end_reason, EndReason::ServerQuit);
        let bare = Report::from_message(&file.payload).unwrap().meta;
        assert_eq!(bare.end_reason, EndReason::ServerRestart);
        // As older versions sent it.
        let reason = &mut file.payload.embeds[0].fields[7];
        assert_eq!(reason.name, "Lua_EndReason");
        reason.value = "server_quit".into();
        let bare = Report::from_message(&file.payload).unwrap().meta;
        assert_eq!(bare.end_reason, EndReason::ServerQuit);
    }

    #[test]
    fn file_whose_id_takes_the_map_as_written_has_the_id_of_its_round() {
        let native =
            include_str!("../../tests/data/native/surrender/gametime-room1-R2-1795179083.json");
        let mut file: GametimesFile = serde_json::from_str(native).unwrap();
        let meta = &mut file.meta;
        meta.map = "Room1".into();
        let (start, map, round) = (meta.round_start_unix, meta.map.clone(), meta.round);
        let today = round_canonical_id(start, &map, round);
        let before = round_id_of_map_as_written(start, &map, round);
        assert_ne!(before, today);
        file.payload.embeds[0].fields[0].value = map;
        for id in [before, today.clone(), String::new()] {
            file.meta.round_canonical_id.clone_from(&id);
            let report = Report::from_file(&serde_json::to_vec(&file).unwrap()).unwrap();
            assert_eq!(report.meta.round_canonical_id, today, "{id:?}");
            let doubts = usize::from(id.is_empty());
            assert_eq!(report.doubts.len(), doubts, "{:?}", report.doubts);
        }
        // An id that is neither stays, and is doubted.
        file.meta.round_canonical_id = "0badf00d0badf00d".into();
        let report = Report::from_file(&serde_json::to_vec(&file).unwrap()).unwrap();
        assert_eq!(report.meta.round_canonical_id, "0badf00d0badf00d");
        assert_eq!(report.doubts.len(), 1);
    }

    #[test]
    fn refusal_names_the_broken_field() {
        let refused = |edit: fn(&mut Message)| {
            let mut message: Message = serde_json::from_str(SURRENDER_MESSAGE).unwrap();
            edit(&mut message);
            Report::from_message(&message).unwrap_err().0
        };
        assert!(refused(|m| m.embeds.clear()).contains("no embed"));
        assert!(refused(|m| m.embeds[0].fields[1].value = "7".into()).contains("meta.round"));
        assert!(refused(|m| m.embeds[0].fields[1].value = "x".into()).contains("Round is \"x\""));
        assert!(
            refused(|m| m.embeds[0].fields[11].value = "1".into()).contains("meta.round_end_unix")
        );
        assert!(refused(|m| m.embeds[0].fields[17].value = "[{".into()).contains("Axis_JSON"));
        assert!(
            Report::from_file(b"{}")
                .unwrap_err()
                .0
                .contains("not a gametimes file")
        );
    }

    #[test]
    fn round_that_ends_in_the_future_is_refused() {
        let now = 1_795_179_043;
        let day = 24 * 3600;
        for at in [0, now, now + day, i64::MIN] {
            assert_eq!(check_not_ahead(at, now), Ok(()), "{at}");
        }
        let why = check_not_ahead(4_070_908_800, now).unwrap_err().0;
        assert!(why.contains("ends 26339 days after now"), "{why}");
        assert!(check_not_ahead(now + day + 1, now).is_err());
        assert!(check_not_ahead(i64::MAX, now).is_err());
    }

    #[test]
    fn impossible_times_in_a_message_are_refused_or_doubted() {
        let read = |field: &str, value: &str| {
            let mut message: Message = serde_json::from_str(SURRENDER_MESSAGE).unwrap();
            let fields = &mut message.embeds[0].fields;
            let found = fields.iter_mut().find(|f| f.name == field).unwrap();
            found.value = value.to_owned();
            Report::from_message(&message)
        };
        for (field, value) in [
            ("Lua_Playtime", "-5 sec"),
            ("Lua_Playtime", "700000 sec"),
            ("Lua_Warmup", "-1 sec"),
            ("Lua_RoundStart", "1795179044"),
            ("Lua_RoundEnd", "-1795179043"),
        ] {
            assert!(read(field, value).is_err(), "{field} {value}");
        }
        for value in ["-1", "4070908800", "1795179044"] {
            let report = read("Lua_WarmupStart", value).unwrap();
            assert_eq!(report.warmup_start_unix, 0);
            assert!(
                report.doubts[0].starts_with("Lua_WarmupStart: "),
                "{:?}",
                report.doubts
            );
        }
        let report = read("Lua_WarmupStart", "1795178900").unwrap();
        assert_eq!(
            (report.warmup_start_unix, report.doubts.len()),
            (1_795_178_900, 0)
        );
    }

    #[test]
    fn version_and_signature_are_found_in_footers() {
        let hex = "ab".repeat(32);
        let text = format!("gametimes v0.1.0 hmac-sha256 {hex}");
        assert_eq!(version_in(&text).as_deref(), Some("0.1.0"));
        assert_eq!(signature_in(&text), Some(hex.as_str()));
        assert_eq!(
            version_in("Slomix Lua Webhook v1.7.2").as_deref(),
            Some("1.7.2")
        );
        assert_eq!(version_in("v1.2 only"), None);
        assert_eq!(signature_in("hmac-sha256 zz"), None);
    }
}
