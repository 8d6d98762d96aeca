//! What only the recorder knows: the rows of `lua_round_teams` and `lua_spawn_stats`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use gametimes_format::text::{cut, strip_colors};
use gametimes_format::{EndReason, Meta, Pause, PlayerRef, SpawnStats, Team, TeamNumber};
use serde::{Serialize, Serializer};

use super::int4;
use crate::matches::ReportedMatch;
use crate::player_id::player_key;
use crate::report::{Completeness, Report};

/// Characters of a player's key in the tables.
const KEY_CHARS_MAX: usize = 32;

/// A row of `lua_round_teams`: the fields are its columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(
    missing_docs,
    reason = "the columns of the table, named as other programs know them"
)]
pub struct TeamsRow {
    pub match_id: String,
    pub round_number: u8,
    pub axis_players: Vec<PlayerRef>,
    pub allies_players: Vec<PlayerRef>,
    pub round_start_unix: i64,
    pub round_end_unix: i64,
    pub actual_duration_seconds: i64,
    pub total_pause_seconds: i64,
    pub pause_count: i64,
    pub end_reason: EndReason,
    pub winner_team: TeamNumber,
    pub defender_team: TeamNumber,
    pub map_name: String,
    pub time_limit_minutes: i64,
    pub lua_version: String,
    pub lua_warmup_seconds: i64,
    pub lua_warmup_start_unix: i64,
    pub lua_pause_events: Vec<Pause>,
    pub surrender_team: TeamNumber,
    pub surrender_caller_guid: Option<String>,
    pub surrender_caller_name: Option<String>,
    pub axis_score: i64,
    pub allies_score: i64,
    pub gametimes_match: ReportedMatch,
}

impl TeamsRow {
    pub(super) fn new(report: &Report, match_id: &str) -> Self {
        let meta = &report.meta;
        let surrendered =
            meta.end_reason == EndReason::Surrender || meta.surrender.team != TeamNumber::NONE;
        let caller = |text: &str, most| surrendered.then(|| cut(text, most));
        Self {
            match_id: match_id.to_owned(),
            round_number: meta.round,
            axis_players: without_colors(&meta.teams.axis),
            allies_players: without_colors(&meta.teams.allies),
            round_start_unix: meta.round_start_unix,
            round_end_unix: meta.round_end_unix,
            actual_duration_seconds: meta.actual_duration_seconds,
            total_pause_seconds: meta.pause_seconds,
            pause_count: meta.pause_count,
            end_reason: meta.end_reason,
            winner_team: meta.winner,
            defender_team: meta.defender,
            map_name: cut(&meta.map, 64),
            time_limit_minutes: int4(meta.timelimit_minutes.round() as i64),
            lua_version: cut(&report.version, 16),
            lua_warmup_seconds: int4(meta.warmup_seconds),
            lua_warmup_start_unix: report.warmup_start_unix,
            lua_pause_events: meta.pauses.clone(),
            surrender_team: meta.surrender.team,
            surrender_caller_guid: caller(&meta.surrender.caller_guid, 32),
            surrender_caller_name: caller(&strip_colors(&meta.surrender.caller_name), 64),
            axis_score: int4(meta.score.axis.into()),
            allies_score: int4(meta.score.allies.into()),
            gametimes_match: ReportedMatch::of(meta),
        }
    }
}

/// A row of `lua_spawn_stats`: the fields are its columns. `None` where the recorder is an old script that does not count it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(
    missing_docs,
    reason = "the columns of the table, named as other programs know them"
)]
pub struct SpawnRow {
    pub match_id: String,
    pub round_number: u8,
    pub map_name: String,
    pub round_end_unix: i64,
    pub player_guid: String,
    pub player_name: String,
    pub spawn_count: u32,
    pub death_count: u32,
    pub dead_seconds: i64,
    pub avg_respawn_seconds: i64,
    pub max_respawn_seconds: i64,
    #[serde(serialize_with = "as_number")]
    pub team: Option<Team>,
    pub revive_count: Option<i64>,
    pub kill_count: Option<i64>,
    pub denied_seconds: Option<i64>,
    pub dead_ms: Option<i64>,
    pub max_dead_ms: Option<i64>,
    pub denied_ms: Option<i64>,
    pub alive_ms: Option<i64>,
    pub played_ms: Option<i64>,
    pub wave_wait_ms: Option<i64>,
}

impl SpawnRow {
    pub(super) fn of_report(report: &Report, match_id: &str) -> Vec<Self> {
        let mut players: BTreeMap<String, Vec<&SpawnStats>> = BTreeMap::new();
        for player in &report.meta.spawn_stats {
            let key = player_key(&player.guid, &player.name);
            players.entry(key).or_default().push(player);
        }
        let mut taken: BTreeSet<String> = players.keys().cloned().collect();
        let mut rows = Vec::new();
        for (key, mut entries) in players {
            // The longest entry keeps the key. Content decides, so the order in the file makes no difference.
            entries
                .sort_by_cached_key(|p| Reverse((p.played_ms, p.dead_seconds, format!("{p:?}"))));
            let mut others = (2..).map(|n| numbered(&key, n));
            for (i, player) in entries.into_iter().enumerate() {
                let own = if i == 0 {
                    Some(key.clone())
                } else {
                    others.find(|other| taken.insert(other.clone()))
                };
                rows.extend(own.map(|own| Self::new(report, match_id, own, player)));
            }
        }
        rows
    }

    fn new(report: &Report, match_id: &str, player_guid: String, p: &SpawnStats) -> Self {
        let meta = &report.meta;
        let is_exact = report.completeness == Completeness::File;
        let exact = |n: i64| is_exact.then_some(n);
        Self {
            match_id: match_id.to_owned(),
            round_number: meta.round,
            map_name: cut(&meta.map, 64),
            round_end_unix: meta.round_end_unix,
            player_guid,
            player_name: cut(&strip_colors(&p.name), 64),
            spawn_count: p.spawns,
            death_count: p.deaths,
            dead_seconds: int4(p.dead_seconds),
            avg_respawn_seconds: int4(p.avg_respawn),
            max_respawn_seconds: int4(p.max_respawn),
            team: team_of(p, meta),
            revive_count: exact(p.revives.into()),
            kill_count: exact(p.kills.into()),
            denied_seconds: exact(p.denied_seconds),
            dead_ms: exact(p.dead_ms),
            max_dead_ms: exact(p.max_dead_ms),
            denied_ms: exact(p.denied_ms),
            alive_ms: exact(p.alive_ms),
            played_ms: exact(p.played_ms),
            wave_wait_ms: p.wave_wait_ms.filter(|_| is_exact),
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn as_number<S: Serializer>(team: &Option<Team>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&team.map_or(0, Team::number))
}

/// The key of the `n`-th entry of one key, with a suffix, as twins in a stats file have. The column has room for 32 characters.
fn numbered(key: &str, n: usize) -> String {
    let suffix = format!("#{n}");
    cut(key, KEY_CHARS_MAX - suffix.len()) + &suffix
}

/// The player's team. Old scripts list it only in the teams at the end of the round.
fn team_of(player: &SpawnStats, meta: &Meta) -> Option<Team> {
    let is = |other: &PlayerRef| {
        other.guid == player.guid && (!player.guid.is_empty() || other.name == player.name)
    };
    let listed = || match () {
        () if meta.teams.axis.iter().any(is) => Some(Team::Axis),
        () if meta.teams.allies.iter().any(is) => Some(Team::Allies),
        () => None,
    };
    player.team.team().or_else(listed)
}

/// Players with their names as other programs store them. Old scripts report colour codes.
fn without_colors(players: &[PlayerRef]) -> Vec<PlayerRef> {
    let plain = |player: &PlayerRef| PlayerRef {
        guid: player.guid.clone(),
        name: strip_colors(&player.name),
    };
    players.iter().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SURRENDER: &[u8] =
        include_bytes!("../../../tests/data/native/surrender/gametime-room1-R1-1795179043.json");

    /// The keys and the times played of the rows of a report.
    fn rows(report: &Report) -> Vec<(String, Option<i64>)> {
        let rows = SpawnRow::of_report(report, "id").into_iter();
        rows.map(|row| (row.player_guid, row.played_ms)).collect()
    }

    #[test]
    fn players_without_guid_and_with_one_name_keep_a_row_each() {
        let mut report = Report::from_file(SURRENDER).unwrap();
        let before = rows(&report);
        for (i, played_ms) in [(2, 50_000), (7, 40_000), (9, 45_000)] {
            let player = &mut report.meta.spawn_stats[i];
            player.guid.clear();
            player.name = "ETPlayer".into();
            player.played_ms = played_ms;
        }
        let key = player_key("", "ETPlayer");
        assert_eq!(key.len(), 32);
        let found = rows(&report);
        assert_eq!((before.len(), found.len()), (12, 12));
        let short = &key[..30];
        for expected in [
            (key.clone(), Some(50_000)),
            (format!("{short}#2"), Some(45_000)),
            (format!("{short}#3"), Some(40_000)),
        ] {
            assert!(found.contains(&expected), "{expected:?}: {found:?}");
        }
        report.meta.spawn_stats.reverse();
        assert_eq!(rows(&report), found);
    }

    #[test]
    fn guids_that_are_alike_keep_different_keys() {
        let mut report = Report::from_file(SURRENDER).unwrap();
        let guids = [
            "A".repeat(31) + "B",
            "A".repeat(31) + "C",
            "A".repeat(30) + "#2",
        ];
        for (i, player) in report.meta.spawn_stats.iter_mut().enumerate() {
            player.guid.clone_from(&guids[i % 3]);
        }
        let keys: BTreeSet<String> = rows(&report).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), 12, "{keys:?}");
        assert!(
            keys.iter().all(|key| key.len() <= KEY_CHARS_MAX),
            "{keys:?}"
        );
    }

    #[test]
    fn entries_with_one_guid_keep_a_row_each() {
        let mut report = Report::from_file(SURRENDER).unwrap();
        let guid = report.meta.spawn_stats[0].guid.clone();
        report.meta.spawn_stats[1].guid.clone_from(&guid);
        let found = rows(&report);
        let keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys.len(), 12);
        assert!(keys.contains(&guid.as_str()), "{keys:?}");
        assert!(
            keys.contains(&format!("{}#2", &guid[..30]).as_str()),
            "{keys:?}"
        );
    }
}
