//! The spawn audit: compares the recorder's time dead of each player with that of the stats file, and explains
//! the difference.
//!
//! The database supplies [`AuditRow`]s; [`compare`] flags them, [`most_telling`] picks what is shown, and [`explain`] finds
//! the reason for a sample.

mod reason;

use std::cmp::Reverse;
use std::collections::HashMap;

use gametimes_format::{Pause, TimelineEvent};
use serde::{Serialize, Serializer};

pub use reason::{Evidence, Reason, reason};

/// How many samples are shown at most.
const SAMPLES_MAX: usize = 25;
/// How many samples of one round are shown before those of other rounds.
const PER_ROUND_MAX: usize = 5;

/// The response of `/api/diagnostics/spawn-audit`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SpawnAudit {
    /// Always `ok`.
    pub status: String,
    /// How many rows have which flag.
    pub summary: Summary,
    /// Flagged rows, 25 at most: the most telling first, from as many rounds as possible.
    pub samples: Vec<Sample>,
    /// The parameters of the request.
    pub params: Params,
}

/// How many rows have which flag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Summary {
    /// All rows that were compared.
    pub checked: i64,
    /// The recorder's row has no round.
    pub missing_round_id: i64,
    /// The stats file has no such player.
    pub missing_player_stats: i64,
    /// More time dead than played.
    pub dead_gt_played: i64,
    /// The two differ by more than `diff_seconds`.
    pub diff_gt_threshold: i64,
}

/// The parameters of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Params {
    /// How many rows are compared at most.
    pub limit: i64,
    /// Differences over this are flagged.
    pub diff_seconds: i64,
}

/// A reason to show a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// The recorder's row has no round.
    MissingRoundId,
    /// The stats file has no such player.
    MissingPlayerStats,
    /// More time dead than played.
    DeadGtPlayed,
    /// The two differ by more than the threshold.
    DiffGtThreshold,
}

/// One flagged player of a round.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sample {
    /// `rounds.id`.
    pub round_id: Option<i64>,
    /// `YYYY-MM-DD-HHMMSS`.
    pub match_id: String,
    /// 1 or 2.
    pub round_number: i64,
    /// The map.
    pub map_name: Option<String>,
    /// The guid, up to 32 digits.
    pub player_guid: Option<String>,
    /// The player's name.
    pub player_name: Option<String>,
    /// How often the player spawned.
    pub spawn_count: Option<i64>,
    /// How often the player died.
    pub death_count: Option<i64>,
    /// Time dead according to the recorder.
    pub dead_seconds_lua: i64,
    /// Time dead according to the stats file.
    pub time_dead_seconds_db: i64,
    /// Time played according to the stats file.
    pub time_played_seconds: i64,
    /// `dead_seconds / deaths`.
    pub avg_respawn_seconds: Option<i64>,
    /// The longest single time dead.
    pub max_respawn_seconds: Option<i64>,
    /// The difference between the two times dead.
    pub diff_seconds: i64,
    /// The flags that were raised.
    pub flags: Vec<Flag>,
    /// Why the two times differ.
    #[serde(serialize_with = "as_label")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub reason: Reason,
}

fn as_label<S: Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&reason.label())
}

impl Sample {
    /// Whether the audit raised this flag.
    pub fn has(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }
}

/// A player's row of the recorder, together with the same player's row of the stats file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditRow {
    /// `rounds.id`.
    pub round_id: Option<i64>,
    /// `YYYY-MM-DD-HHMMSS`.
    pub match_id: String,
    /// 1 or 2.
    pub round_number: i64,
    /// The map.
    pub map_name: Option<String>,
    /// The guid, up to 32 digits.
    pub player_guid: Option<String>,
    /// The player's name.
    pub player_name: Option<String>,
    /// How often the player spawned.
    pub spawn_count: Option<i64>,
    /// How often the player died.
    pub death_count: Option<i64>,
    /// Time dead according to the recorder.
    pub dead_seconds: i64,
    /// `dead_seconds / deaths`.
    pub avg_respawn_seconds: Option<i64>,
    /// The longest single time dead.
    pub max_respawn_seconds: Option<i64>,
    /// The player in the stats file.
    pub stats: Option<AuditStats>,
}

/// What the stats file contains about a player.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditStats {
    /// Time dead.
    pub dead_seconds: i64,
    /// Time played.
    pub played_seconds: i64,
    /// Whether the player's counters were reset.
    pub counter_reset: bool,
}

/// What is stored about the round of a flagged row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditRound {
    /// Whether the round has a stats file.
    pub has_stats_file: bool,
    /// Whether the round ended by surrender or time limit.
    pub ended_early: bool,
    /// The duration according to the stats file.
    pub stats_duration_seconds: Option<i64>,
    /// The duration according to the recorder.
    pub duration_seconds: Option<i64>,
    /// The exact duration; 0 if unknown.
    pub duration_ms: i64,
    /// When play began; 0 if unknown.
    pub start_unix: i64,
    /// Whether an old script recorded the round.
    pub old_script: bool,
}

/// What the recorder reported about a round, for the reasons.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordedRound {
    /// The pauses.
    pub pauses: Vec<Pause>,
    /// The timeline.
    pub timeline: Vec<TimelineEvent>,
}

/// A row that was flagged.
#[derive(Debug, Clone, PartialEq)]
pub struct FlaggedRow {
    /// The part that is shown.
    pub sample: Sample,
    /// The player in the stats file.
    pub stats: Option<AuditStats>,
    /// The round; empty until it was looked up.
    pub round: AuditRound,
}

impl FlaggedRow {
    /// Whether the whole round has no stats file, so that every player lacks the other side.
    fn has_no_stats_file(&self) -> bool {
        self.stats.is_none() && !self.round.has_stats_file
    }
}

/// Compares rows; returns those with a flag, and how many have which.
pub fn compare(
    rows: impl IntoIterator<Item = AuditRow>,
    diff_seconds: i64,
) -> (Summary, Vec<FlaggedRow>) {
    let mut summary = Summary::default();
    let mut flagged = Vec::new();
    for row in rows {
        let stats = row.stats.clone().unwrap_or_default();
        let diff = (row.dead_seconds - stats.dead_seconds).abs();
        summary.checked += 1;
        let mut flags = Vec::new();
        let mut flag = |count: &mut i64, flag: Flag, is_raised: bool| {
            if is_raised {
                *count += 1;
                flags.push(flag);
            }
        };
        flag(
            &mut summary.missing_round_id,
            Flag::MissingRoundId,
            row.round_id.is_none(),
        );
        flag(
            &mut summary.missing_player_stats,
            Flag::MissingPlayerStats,
            row.stats.is_none(),
        );
        flag(
            &mut summary.dead_gt_played,
            Flag::DeadGtPlayed,
            stats.played_seconds > 0 && row.dead_seconds > stats.played_seconds + 1,
        );
        flag(
            &mut summary.diff_gt_threshold,
            Flag::DiffGtThreshold,
            row.stats.is_some() && diff > diff_seconds,
        );
        if flags.is_empty() {
            continue;
        }
        flagged.push(FlaggedRow {
            sample: Sample {
                round_id: row.round_id,
                match_id: row.match_id,
                round_number: row.round_number,
                map_name: row.map_name,
                player_guid: row.player_guid,
                player_name: row.player_name,
                spawn_count: row.spawn_count,
                death_count: row.death_count,
                dead_seconds_lua: row.dead_seconds,
                time_dead_seconds_db: stats.dead_seconds,
                time_played_seconds: stats.played_seconds,
                avg_respawn_seconds: row.avg_respawn_seconds,
                max_respawn_seconds: row.max_respawn_seconds,
                diff_seconds: diff,
                flags,
                reason: Reason::Unknown,
            },
            stats: row.stats,
            round: AuditRound::default(),
        });
    }
    (summary, flagged)
}

/// Picks the samples to show. Differences between two times come first, then players that one side lacks, then rounds that
/// lack a side as a whole, of which one player is enough. Within each kind the rounds take turns, the largest difference of
/// each first, so that one round cannot crowd out the others.
pub fn most_telling(flagged: Vec<FlaggedRow>) -> Vec<FlaggedRow> {
    let kind = |row: &FlaggedRow| {
        if row.sample.has(Flag::DiffGtThreshold) || row.sample.has(Flag::DeadGtPlayed) {
            0
        } else if row.sample.round_id.is_some() && !row.has_no_stats_file() {
            1
        } else {
            2
        }
    };
    let mut ranked: Vec<(i32, FlaggedRow)> =
        flagged.into_iter().map(|row| (kind(&row), row)).collect();
    // A stable sort: of equals the latest comes first.
    ranked.sort_by_key(|(kind, row)| (*kind, Reverse(row.sample.diff_seconds)));
    let mut turns: HashMap<(i32, String, i64), usize> = HashMap::new();
    let mut turned: Vec<_> = ranked
        .into_iter()
        .map(|(kind, row)| {
            let round = (kind, row.sample.match_id.clone(), row.sample.round_number);
            let turn = turns.entry(round).or_default();
            *turn += 1;
            let most = if kind == 2 { 1 } else { PER_ROUND_MAX };
            ((*turn > most, kind, *turn), row)
        })
        .collect();
    turned.sort_by_key(|(rank, _)| *rank);
    turned.truncate(SAMPLES_MAX);
    turned.into_iter().map(|(_, row)| row).collect()
}

/// Finds the reason why the two times of a sample differ.
pub fn explain(row: FlaggedRow, recorded: &RecordedRound) -> Sample {
    let reason = match &row.stats {
        _ if row.sample.round_id.is_none() => Reason::NotLinked,
        None if row.has_no_stats_file() => Reason::NoStatsFile,
        None => Reason::NotInStatsFile,
        Some(stats) => reason(&Evidence {
            guid: row.sample.player_guid.as_deref().unwrap_or_default(),
            recorded_seconds: row.sample.dead_seconds_lua,
            stats_seconds: row.sample.time_dead_seconds_db,
            counter_reset: stats.counter_reset,
            ended_early: row.round.ended_early,
            stats_duration_seconds: row.round.stats_duration_seconds,
            duration_seconds: row.round.duration_seconds,
            pauses: &recorded.pauses,
            timeline: &recorded.timeline,
            duration_ms: row.round.duration_ms,
            start_unix: row.round.start_unix,
            old_script: row.round.old_script,
        }),
    };
    Sample {
        reason,
        ..row.sample
    }
}
