//! How much a recorder writes at most. Module and script record no more than this, so no gametimes file is larger than
//! [`FILE_BYTES`], and every reader that accepts that many bytes loses no round.
//!
//! What a reader accepts is wider, see [`crate::check::bounds`].

use crate::check::STATS_FILE_NAME;
use crate::check::bounds;
use crate::message::limits::{EMBED, FIELDS, UPLOAD_BYTES};

/// The highest number of slots of a server (the engine's MAX_CLIENTS).
pub const SLOTS: usize = 64;
/// Players in one round: a full server four times over. Further players are not recorded.
pub const PLAYERS: usize = 4 * SLOTS;
/// Entries of the timeline: two hours of heavy fighting on a full server. Further ones are counted, see
/// [`crate::Meta::events_dropped`].
pub const EVENTS: usize = 20_000;
/// Entries of the timeline about objectives, so that a map script that announces something in every frame leaves room for deaths.
pub const OBJECTIVES: usize = 2000;
/// Pauses that a round lists. Further pauses stop the clock, but are not listed.
pub const PAUSES: usize = 200;
/// Bytes of a guid.
pub const GUID: usize = bounds::GUID;
/// Bytes of a player's name, as the engine passes it.
pub const NAME: usize = bounds::NAME;
/// Characters of a means of death: capitals, digits and `_`.
pub const MEANS: usize = 32;
/// Bytes of the game's text after `Exit: `.
pub const EXIT_TEXT: usize = 96;
/// Bytes of the name of an objective, or of an announcement.
pub const OBJECTIVE_TEXT: usize = 104;
/// Bytes of a cvar's value.
pub const CVAR: usize = 1024;

/// The size of the largest gametimes file, in bytes.
pub const FILE_BYTES: usize = (EVENTS - OBJECTIVES) * DEATH
    + OBJECTIVES * OBJECTIVE
    + PLAYERS * (PLAYER + 2 * REFERENCE)
    + PAUSES * PAUSE
    + 2 * bounds::INTERVALS * INTERVAL
    + META
    + PAYLOAD;

// The file is posted as an attachment, together with the message.
const _: () = assert!(FILE_BYTES + PAYLOAD + 1024 <= UPLOAD_BYTES);
// A substitution is made of two entries of the timeline, a player who leaves and one who joins. With it, these are still shorter
// than two deaths, so the longest file contains no substitutions. A player without a guid has an empty one in the substitution, and one
// with a guid has no name in the timeline: either saves the length of a guid, because a name is at least twice as long.
const _: () = assert!(NAME >= 2 * GUID);
const _: () = assert!(SUBSTITUTION + 2 * (JOIN - json(GUID)) <= 2 * DEATH);

/// JSON text of so many bytes of the engine: a byte of Latin-1 has two in UTF-8, and quotes are escaped.
const fn json(bytes: usize) -> usize {
    2 * bytes
}

/// Digits of the longest number, with its sign.
const NUMBER: usize = 20;
/// Digits of a time on the game's clock in milliseconds, a 32-bit number, with its sign.
const TIME: usize = 11;

/// A player without a guid is identified by name, and then `guid` is empty.
const IDENTITY: usize = json(if NAME > GUID { NAME } else { GUID });

const DEATH: usize = concat!(
    r#"{"t_ms":,"kind":"death","guid":"","name":"","by":"","mod":"","class":"covert_ops","#,
    r#""wave_in_ms":,"killer_wave_in_ms":},"#
)
.len()
    + 3 * TIME
    + 2 * IDENTITY
    + MEANS;

const OBJECTIVE: usize = concat!(
    r#"{"t_ms":,"kind":"objective","guid":"","name":"","by":null,"mod":null,"team":3,"#,
    r#""action":"picked_up","text":""},"#
)
.len()
    + TIME
    + IDENTITY
    + json(OBJECTIVE_TEXT);

const JOIN: usize = r#"{"t_ms":,"kind":"leave","guid":"","name":"","by":null,"mod":null,"team":3},"#
    .len()
    + TIME + IDENTITY;

const SUBSTITUTION: usize = r#"{"t_ms":,"team":1,"out":,"in":},"#.len() + TIME + 2 * REFERENCE;

const PLAYER: usize = REFERENCE
    + concat!(
        r#""spawns":,"deaths":,"dead_seconds":,"avg_respawn":,"max_respawn":,"team":,"revives":,"kills":,"#,
        r#""denied_seconds":,"dead_ms":,"max_dead_ms":,"denied_ms":,"alive_ms":,"played_ms":,"#,
        r#""is_bot":false,"wave_wait_ms":,"#
    )
    .len()
    + 15 * NUMBER;

const REFERENCE: usize = r#"{"guid":"","name":""},"#.len() + json(GUID) + json(NAME);

const PAUSE: usize = concat!(
    r#"{"n":,"start":,"end":,"sec":,"start_ms":,"end_ms":,"at_play_ms":,"#,
    r#""by":{"kind":"referee","guid":"","name":"","team":3}},"#
)
.len()
    + 7 * NUMBER
    + json(GUID)
    + json(NAME);

const INTERVAL: usize = r#"{"from_ms":,"interval_ms":},"#.len() + 2 * NUMBER;

/// The keys of `meta` outside of its lists: the map and six other cvars, the surrender, the texts, and what is short.
const META: usize = json(7 * CVAR + GUID + NAME + EXIT_TEXT) + STATS_FILE_NAME + 4096;

/// The message: a character has up to four bytes.
const PAYLOAD: usize =
    4 * EMBED + FIELDS * r#"{"name":"","value":"","inline":false},"#.len() + 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::{Class, ObjectiveAction};
    use crate::file::{
        EndReason, EventKind, Meta, Pause, Score, SpawnStats, Surrender, Teams, TimelineEvent,
    };
    use crate::matches::{MapReason, MapResult, MapWinner, PauseBy, PauseKind, Sides, Stopwatch};
    use crate::message::limits::TITLE;
    use crate::message::{AllowedMentions, CONTENT, Embed, Field, Footer, Message, USERNAME};
    use crate::team::{Team, TeamNumber};
    use crate::waves::{TeamWaves, Waves};

    fn size(value: &impl serde::Serialize) -> usize {
        serde_json::to_string(value).unwrap().len() + ",".len()
    }

    /// Every entry of a list, with each text and number at its longest.
    #[test]
    fn the_largest_entries_of_each_list_have_the_size_that_is_reserved_for_them() {
        let name = "\"".repeat(NAME);
        let time = i64::from(i32::MIN);
        let death = TimelineEvent {
            t_ms: time,
            kind: EventKind::Death,
            name: Some("é".repeat(NAME)),
            by: Some(name.clone()),
            means_of_death: Some("M".repeat(MEANS)),
            class: Some(Class::CovertOps),
            wave_in_ms: Some(time),
            killer_wave_in_ms: Some(time),
            ..TimelineEvent::default()
        };
        assert_eq!(size(&death), DEATH);
        let objective = TimelineEvent {
            t_ms: time,
            kind: EventKind::Objective,
            name: Some(name.clone()),
            team: Some(Team::Axis.into()),
            action: Some(ObjectiveAction::PickedUp),
            text: Some("é".repeat(OBJECTIVE_TEXT)),
            ..TimelineEvent::default()
        };
        assert_eq!(size(&objective), OBJECTIVE);
        let pause = Pause {
            n: u32::MAX,
            start: i64::MIN,
            end: i64::MIN,
            sec: i64::MIN,
            start_ms: i64::MIN,
            end_ms: i64::MIN,
            at_play_ms: Some(i64::MIN),
            by: Some(PauseBy {
                kind: PauseKind::Referee,
                guid: "\\".repeat(GUID),
                name: name.clone(),
                team: Team::Axis.into(),
            }),
        };
        // Its first number is short.
        assert!((PAUSE - 10..=PAUSE).contains(&size(&pause)));
        let player = SpawnStats {
            guid: "\\".repeat(GUID),
            name,
            spawns: u32::MAX,
            deaths: u32::MAX,
            dead_seconds: i64::MIN,
            avg_respawn: i64::MIN,
            max_respawn: i64::MIN,
            team: Team::Axis.into(),
            revives: u32::MAX,
            kills: u32::MAX,
            denied_seconds: i64::MIN,
            dead_ms: i64::MIN,
            max_dead_ms: i64::MIN,
            denied_ms: i64::MIN,
            alive_ms: i64::MIN,
            played_ms: i64::MIN,
            is_bot: false,
            wave_wait_ms: Some(i64::MIN),
        };
        // Five of its numbers are short.
        assert!((PLAYER - 60..=PLAYER).contains(&size(&player)));
    }

    /// `meta` without the entries of its lists, with each text and number at its longest. A new key does not compile until it is here.
    #[test]
    fn the_longest_texts_of_meta_fit_into_the_size_that_is_reserved_for_them() {
        let cvar = "\"".repeat(CVAR);
        let team = TeamNumber::from(u8::MAX);
        let waves = || TeamWaves {
            offset_ms: i64::MIN,
            intervals: Vec::new(),
        };
        let uuid = "f".repeat(36);
        let meta = Meta {
            map: cvar.clone(),
            round: u8::MAX,
            round_start_unix: i64::MIN,
            round_end_unix: i64::MIN,
            actual_duration_seconds: i64::MIN,
            warmup_seconds: i64::MIN,
            pause_seconds: i64::MIN,
            pause_count: i64::MIN,
            server_ip: cvar.clone(),
            server_port: cvar.clone(),
            match_id: i64::MIN.to_string(),
            spawn_stats: Vec::new(),
            schema: u32::MAX,
            source: "native".to_owned(),
            module_version: "100.100.100-a-rather-long-name-of-a-build".to_owned(),
            engine_version: cvar.clone(),
            event_id: uuid.clone(),
            round_canonical_id: "f".repeat(16),
            gametype: i32::MIN,
            timelimit_minutes: -f64::MIN_POSITIVE,
            winner: team,
            defender: team,
            end_reason: EndReason::ServerRestart,
            exit_text: "é".repeat(EXIT_TEXT),
            surrender: Surrender {
                team,
                caller_guid: "\\".repeat(GUID),
                caller_name: "é".repeat(NAME),
            },
            score: Score {
                axis: u32::MAX,
                allies: u32::MAX,
            },
            teams: Teams::default(),
            pauses: Vec::new(),
            duration_ms: i64::MIN,
            warmup_ms: i64::MIN,
            utc_offset_seconds: i32::MIN,
            server_hostname: cvar.clone(),
            stats_file: Some("f".repeat(STATS_FILE_NAME)),
            events: Vec::new(),
            events_dropped: u64::MAX,
            match_uid: uuid.clone(),
            round_1_event_id: Some(uuid),
            sides: Some(Sides {
                team_a: team,
                team_b: team,
            }),
            stopwatch: Some(Stopwatch {
                limit_ms: i64::MIN,
                target_ms: Some(i64::MIN),
                next_limit_ms: Some(i64::MIN),
                held: Some(false),
            }),
            map_result: Some(MapResult {
                winner: Some(MapWinner::Unknown),
                reason: Some(MapReason::Surrender),
                team_a_ms: Some(i64::MIN),
                team_b_ms: Some(i64::MIN),
            }),
            config: cvar.clone(),
            mod_version: cvar,
            teams_start: Teams::default(),
            substitutions: Vec::new(),
            bots: u32::MAX,
            waves: Some(Waves {
                axis: Some(waves()),
                allies: Some(waves()),
            }),
        };
        let size = size(&meta);
        assert!(size <= META, "{size} bytes, more than {META}");
        assert!(size > META - 4096, "{size}: less than its texts");
    }

    /// A message as large as Discord takes it, of characters that are as long as they get.
    #[test]
    fn the_longest_message_fits_into_the_size_that_is_reserved_for_it() {
        let title = "\u{10ffff}".repeat(TITLE);
        let field = |i| Field {
            name: String::new(),
            value: "\u{10ffff}".repeat(if i == 0 { EMBED - TITLE } else { 0 }),
            inline: false,
        };
        let message = Message {
            username: USERNAME.to_owned(),
            content: CONTENT.to_owned(),
            embeds: vec![Embed {
                title,
                description: String::new(),
                color: u32::MAX,
                fields: (0..FIELDS).map(field).collect(),
                footer: Footer::default(),
            }],
            allowed_mentions: Some(AllowedMentions::default()),
        };
        assert_eq!(message.embeds[0].characters(), EMBED);
        let size = size(&message);
        assert!((PAYLOAD - 1024..=PAYLOAD).contains(&size), "{size}");
    }
}
