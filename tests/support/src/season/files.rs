//! The gametimes file of a round.

use gametimes_format::check::FIELDS;
use gametimes_format::digest::round_canonical_id;
use gametimes_format::file::{SCHEMA, Substitution};
use gametimes_format::matches::{
    Half, MapResult, PauseBy, PauseKind, Sides, Stopwatch, map_result,
};
use gametimes_format::message::{AllowedMentions, CONTENT, USERNAME};
use gametimes_format::rules::GAMETYPE_STOPWATCH;
use gametimes_format::{
    Embed, EndReason, Field, Footer, GametimesFile, Message, Meta, Pause, Score, SpawnStats,
    Surrender, Team, TeamNumber, Teams, TimelineEvent, Waves,
};
use jiff::{Timestamp, tz::TimeZone};

use super::fight::{Change, Fighter};
use super::roster::Member;

/// How a round ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Completed,
    Held,
    /// This team gives up.
    Surrender(Team),
    CutOff(EndReason),
}

/// A server.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// The name with colour codes.
    pub(super) name: String,
    pub(super) ip: String,
    pub(super) port: String,
    pub(super) config: &'static str,
}

/// A round that was played.
pub(super) struct Played<'a> {
    pub(super) roster: &'a [Member],
    pub(super) server: &'a Server,
    pub(super) map: &'a str,
    pub(super) number: u8,
    pub(super) start_unix: i64,
    pub(super) duration_ms: i64,
    /// When on the play clock it was paused, and for how long.
    pub(super) pause_ms: Option<(i64, i64)>,
    pub(super) warmup_ms: i64,
    pub(super) ending: Ending,
    pub(super) attackers: Team,
    pub(super) limit_ms: i64,
    /// The side of the team that attacked in round 1.
    pub(super) team_a: Team,
    /// Players at the start, Axis and Allies, as places in the roster.
    pub(super) start: [Vec<usize>; 2],
    pub(super) change: Option<Change>,
    pub(super) fighters: Vec<Fighter>,
    pub(super) events: Vec<TimelineEvent>,
    pub(super) waves: Waves,
    pub(super) event_id: String,
    /// The round 1 of a round 2: its event id, and what counts of it.
    pub(super) first: Option<(String, Half)>,
    pub(super) score: Score,
    pub(super) stats_file: Option<String>,
}

impl Played<'_> {
    /// Whether the defenders won; `None` if the round was cut off.
    pub(super) fn held(&self) -> Option<bool> {
        match self.ending {
            Ending::Completed => Some(false),
            Ending::Held => Some(true),
            Ending::Surrender(team) => Some(team == self.attackers),
            Ending::CutOff(_) => None,
        }
    }

    pub(super) fn winner(&self) -> Option<Team> {
        let held = self.held()?;
        Some(if held {
            self.attackers.opponent()
        } else {
            self.attackers
        })
    }

    /// What counts for the result of the map.
    pub(super) fn half(&self) -> Half {
        Half {
            held: self.held(),
            surrendered: matches!(self.ending, Ending::Surrender(_)),
            played_ms: self.duration_ms,
        }
    }

    /// The time limit that the game sets for the next round; `None` if the round was cut off.
    pub(super) fn next_limit_ms(&self) -> Option<i64> {
        self.held().map(|held| {
            if held {
                self.limit_ms
            } else {
                self.duration_ms
            }
        })
    }

    pub(super) fn end_unix(&self) -> i64 {
        let paused_ms = self.pause_ms.map_or(0, |(_, ms)| ms);
        self.start_unix + (self.duration_ms + paused_ms) / 1000
    }

    /// The file that the module writes.
    pub(super) fn file(&self) -> GametimesFile {
        let meta = self.meta();
        let payload = message(&meta);
        GametimesFile { meta, payload }
    }

    fn meta(&self) -> Meta {
        let end_unix = self.end_unix();
        let (end_reason, exit_text) = match self.ending {
            Ending::Completed => (EndReason::Objective, "Wolf EndRound.".to_owned()),
            Ending::Held => (EndReason::TimeExpired, "Timelimit hit.".to_owned()),
            Ending::Surrender(team) => (EndReason::Surrender, format!("{} Surrender", team.name())),
            Ending::CutOff(reason) => (reason, String::new()),
        };
        let paused_ms = self.pause_ms.map_or(0, |(_, ms)| ms);
        let identity = |player: usize| self.roster[player].identity();
        let number = |team: Option<Team>| team.map_or(TeamNumber::NONE, TeamNumber::from);
        Meta {
            map: self.map.to_owned(),
            round: self.number,
            round_start_unix: self.start_unix,
            round_end_unix: end_unix,
            actual_duration_seconds: self.duration_ms / 1000,
            warmup_seconds: self.warmup_ms / 1000,
            pause_seconds: paused_ms / 1000,
            pause_count: i64::from(self.pause_ms.is_some()),
            server_ip: self.server.ip.clone(),
            server_port: self.server.port.clone(),
            match_id: end_unix.to_string(),
            spawn_stats: self.fighters.iter().map(|f| self.spawn_stats(f)).collect(),
            schema: SCHEMA,
            source: "native".to_owned(),
            module_version: "0.2.0".to_owned(),
            engine_version: "2.83.1".to_owned(),
            event_id: self.event_id.clone(),
            round_canonical_id: round_canonical_id(self.start_unix, self.map, self.number),
            gametype: GAMETYPE_STOPWATCH,
            timelimit_minutes: self.limit_ms as f64 / 60_000.0,
            winner: number(self.winner()),
            defender: self.attackers.opponent().into(),
            end_reason,
            exit_text,
            surrender: self.surrender(),
            score: self.score,
            teams: self.teams_at_end(),
            pauses: self.pauses(),
            duration_ms: self.duration_ms,
            warmup_ms: self.warmup_ms,
            utc_offset_seconds: offset_seconds(end_unix),
            server_hostname: gametimes_format::text::strip_colors(&self.server.name),
            stats_file: self.stats_file.clone(),
            events: self.events.clone(),
            match_uid: match &self.first {
                Some((id, _)) => id.clone(),
                None => self.event_id.clone(),
            },
            round_1_event_id: self.first.as_ref().map(|(id, _)| id.clone()),
            sides: Some(Sides::with_team_a(self.team_a)),
            stopwatch: Some(Stopwatch {
                limit_ms: self.limit_ms,
                target_ms: (self.number == 2).then_some(self.limit_ms),
                next_limit_ms: self.next_limit_ms(),
                held: self.held(),
            }),
            map_result: self.map_result(),
            config: self.server.config.to_owned(),
            mod_version: "v2.83.1".to_owned(),
            teams_start: {
                let team = |players: &[usize]| players.iter().map(|p| identity(*p)).collect();
                Teams {
                    axis: team(&self.start[0]),
                    allies: team(&self.start[1]),
                }
            },
            substitutions: self.substitutions(),
            waves: Some(self.waves.clone()),
            ..Meta::default()
        }
    }

    fn map_result(&self) -> Option<MapResult> {
        let (_, first) = self.first.as_ref()?;
        Some(map_result(Some(first), &self.half()))
    }

    fn surrender(&self) -> Surrender {
        let Ending::Surrender(team) = self.ending else {
            return Surrender::default();
        };
        let caller = self.fighters.iter().rfind(|f| f.team == team);
        let caller = caller
            .map(|f| self.roster[f.player].identity())
            .unwrap_or_default();
        Surrender {
            team: team.into(),
            caller_guid: caller.guid,
            caller_name: caller.name,
        }
    }

    fn teams_at_end(&self) -> Teams {
        let left = self.change.map(|change| change.out);
        let of = |team: Team| {
            let stayed = self
                .fighters
                .iter()
                .filter(|f| f.team == team && Some(f.player) != left);
            stayed.map(|f| self.roster[f.player].identity()).collect()
        };
        Teams {
            axis: of(Team::Axis),
            allies: of(Team::Allies),
        }
    }

    fn substitutions(&self) -> Vec<Substitution> {
        let Some(change) = self.change else {
            return Vec::new();
        };
        let joined = self.fighters.iter().find(|f| f.player == change.joined);
        let substitution = |f: &Fighter| Substitution {
            t_ms: change.t_ms,
            team: f.team.into(),
            out: self.roster[change.out].identity(),
            joined: self.roster[change.joined].identity(),
        };
        joined.map(substitution).into_iter().collect()
    }

    fn pauses(&self) -> Vec<Pause> {
        let Some((at_ms, ms)) = self.pause_ms else {
            return Vec::new();
        };
        // The level time runs from the start of the map.
        let start_ms = self.warmup_ms + at_ms;
        let start = self.start_unix + at_ms / 1000;
        let caller = self.fighters.first();
        vec![Pause {
            n: 1,
            start,
            end: start + ms / 1000,
            sec: ms / 1000,
            start_ms,
            end_ms: start_ms + ms,
            at_play_ms: Some(at_ms),
            by: caller.map(|f| PauseBy {
                kind: PauseKind::Player,
                guid: self.roster[f.player].guid.clone(),
                name: self.roster[f.player].identity().name,
                team: f.team.into(),
            }),
        }]
    }

    fn spawn_stats(&self, f: &Fighter) -> SpawnStats {
        let identity = self.roster[f.player].identity();
        let dead_seconds = f.dead_ms / 1000;
        SpawnStats {
            guid: identity.guid,
            name: identity.name,
            spawns: f.spawns,
            deaths: f.deaths,
            dead_seconds,
            avg_respawn: dead_seconds
                .checked_div(f.deaths.into())
                .unwrap_or_default(),
            max_respawn: f.max_dead_ms / 1000,
            team: f.team.into(),
            revives: f.revived,
            kills: f.kills,
            denied_seconds: f.denied_ms / 1000,
            dead_ms: f.dead_ms,
            max_dead_ms: f.max_dead_ms,
            denied_ms: f.denied_ms,
            alive_ms: f.alive_ms,
            played_ms: f.played_ms,
            is_bot: false,
            // The sum is of the deaths in the timeline.
            wave_wait_ms: (!self.events.is_empty()).then_some(f.wave_wait_ms),
        }
    }
}

/// The server's local time.
pub(super) fn zone() -> TimeZone {
    TimeZone::get(super::TIME_ZONE).expect("jiff contains all time zones")
}

fn offset_seconds(unix: i64) -> i32 {
    let at = Timestamp::from_second(unix).expect("a time of this century");
    zone().to_offset(at).seconds()
}

/// The message of a round, with the fields that readers know.
fn message(meta: &Meta) -> Message {
    let value = |name: &str| match name {
        "Map" => meta.map.clone(),
        "Round" => meta.round.to_string(),
        "Winner" => meta.winner.to_string(),
        "Defender" => meta.defender.to_string(),
        "Lua_Playtime" => format!("{} sec", meta.actual_duration_seconds),
        "Lua_Timelimit" => format!("{} min", meta.timelimit_minutes),
        "Lua_Pauses" => format!("{} ({} sec)", meta.pause_count, meta.pause_seconds),
        "Lua_EndReason" => meta.end_reason.message_str().to_owned(),
        "Lua_Warmup" => format!("{} sec", meta.warmup_seconds),
        "Lua_WarmupStart" => (meta.round_start_unix - meta.warmup_seconds).to_string(),
        "Lua_RoundStart" => meta.round_start_unix.to_string(),
        "Lua_RoundEnd" => meta.round_end_unix.to_string(),
        "Lua_SurrenderTeam" => meta.surrender.team.to_string(),
        "Lua_AxisScore" => meta.score.axis.to_string(),
        "Lua_AlliesScore" => meta.score.allies.to_string(),
        name if name.ends_with("_JSON") => "[]".to_owned(),
        _ => String::new(),
    };
    let field = |name: &&str| Field {
        name: (*name).to_owned(),
        value: value(name),
        inline: !name.ends_with("_JSON"),
    };
    Message {
        username: USERNAME.to_owned(),
        content: CONTENT.to_owned(),
        embeds: vec![Embed {
            title: format!("Round Complete: {} R{}", meta.map, meta.round),
            description: "Playtime without pauses · warmup · wall clock".to_owned(),
            color: 3_447_003,
            fields: FIELDS.iter().map(field).collect(),
            footer: Footer {
                text: format!("gametimes v{}", meta.module_version),
            },
        }],
        allowed_mentions: Some(AllowedMentions::default()),
    }
}
