//! The recorder's times dead beside those of the stats files, and why they differ.

use std::collections::{BTreeMap, HashMap};

use gametimes_format::{EventKind, Pause, TimelineEvent};
use serde::Serialize;

use crate::args;
use crate::store::value::Row;
use crate::store::{Store, StoreError};

/// The stats file rounds times to a tenth of a minute, so a difference up to this tells nothing.
const ROUNDING_SECONDS: i64 = 6;

/// The answer of `/api/diagnostics/spawn-audit`.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SpawnAudit {
    /// `ok`.
    pub status: String,
    /// How many rows have which flag.
    pub summary: Summary,
    /// Flagged rows, 25 at most.
    pub samples: Vec<Sample>,
    /// What was asked.
    pub params: Params,
}

/// How many rows have which flag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Summary {
    /// All rows looked at.
    pub checked: i64,
    /// The recorder's row has no round.
    pub missing_round_id: i64,
    /// The stats file has no such player.
    pub missing_player_stats: i64,
    /// More time dead than played.
    pub dead_gt_played: i64,
    /// The two differ by more than was asked.
    pub diff_gt_threshold: i64,
}

/// One flagged player of a round.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
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
    /// The name.
    pub player_name: Option<String>,
    /// Times come alive.
    pub spawn_count: Option<i64>,
    /// Deaths.
    pub death_count: Option<i64>,
    /// Time dead as the recorder says.
    pub dead_seconds_lua: i64,
    /// Time dead as the stats file says.
    pub time_dead_seconds_db: i64,
    /// Time played as the stats file says.
    pub time_played_seconds: i64,
    /// `dead_seconds / deaths`.
    pub avg_respawn_seconds: Option<i64>,
    /// The longest time dead in one piece.
    pub max_respawn_seconds: Option<i64>,
    /// How far the two are apart.
    pub diff_seconds: i64,
    /// `missing_round_id`, `missing_player_stats`, `dead_gt_played`, `diff_gt_threshold`.
    pub flags: Vec<String>,
    /// Why the two differ.
    pub reason: String,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Params {
    /// Rows looked at, at most.
    pub limit: i64,
    /// Differences over this are flagged.
    pub diff_seconds: i64,
}

/// What tells the reason.
struct Evidence<'a> {
    guid: &'a str,
    recorded_seconds: i64,
    stats_seconds: i64,
    player_flags: &'a str,
    end_reason: &'a str,
    stats_duration_seconds: Option<i64>,
    duration_seconds: Option<i64>,
    pauses: &'a [Pause],
    timeline: &'a [TimelineEvent],
    duration_ms: i64,
}

/// Compares the latest rows.
///
/// # Errors
/// When the database fails.
pub async fn spawn_audit(
    store: &Store,
    limit: i64,
    diff_seconds: i64,
) -> Result<SpawnAudit, StoreError> {
    let sql = "SELECT s.id, s.round_id, s.match_id, s.round_number, s.map_name, s.player_guid, s.player_name, \
               s.spawn_count, s.death_count, s.dead_seconds, s.avg_respawn_seconds, s.max_respawn_seconds, p.id, \
               p.time_dead_minutes, p.time_played_seconds, p.gametimes_flags, r.end_reason, r.stats_duration_seconds, \
               r.actual_duration_seconds, r.duration_ms, r.stats_file \
               FROM (SELECT * FROM lua_spawn_stats ORDER BY id DESC LIMIT $1) s \
               LEFT JOIN player_comprehensive_stats p ON p.round_id = s.round_id \
               AND UPPER(SUBSTR(p.player_guid, 1, 8)) = UPPER(SUBSTR(s.player_guid, 1, 8)) \
               LEFT JOIN rounds r ON r.id = s.round_id ORDER BY s.id DESC, p.id";
    let mut summary = Summary::default();
    let mut samples: Vec<(Sample, Row)> = Vec::new();
    let mut last = None;
    for row in store.database.rows(sql, args![limit]).await? {
        // Two players of a stats file can share the first 8 digits: the first of them counts.
        if std::mem::replace(&mut last, row.int(0)) == row.int(0) {
            continue;
        }
        summary.checked += 1;
        let sample = compare(&row, diff_seconds, &mut summary);
        if !sample.flags.is_empty() && samples.len() < 25 {
            samples.push((sample, row));
        }
    }
    let mut rounds: HashMap<i64, (Vec<Pause>, Vec<TimelineEvent>)> = HashMap::new();
    for (sample, row) in &mut samples {
        let (pauses, timeline) = match sample.round_id {
            None => &mut (Vec::new(), Vec::new()),
            Some(id) => match rounds.entry(id) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => {
                    entry.insert(evidence(store, id).await?)
                }
            },
        };
        sample.reason = if sample.round_id.is_none() {
            "the round is not linked".into()
        } else if row.int(12).is_none() && row.text(20).is_none_or(str::is_empty) {
            "no stats file".into()
        } else if row.int(12).is_none() {
            "player missing on one side: not in the stats file".into()
        } else {
            reason(&Evidence {
                guid: sample.player_guid.as_deref().unwrap_or_default(),
                recorded_seconds: sample.dead_seconds_lua,
                stats_seconds: sample.time_dead_seconds_db,
                player_flags: row.text(15).unwrap_or_default(),
                end_reason: row.text(16).unwrap_or_default(),
                stats_duration_seconds: row.int(17),
                duration_seconds: row.int(18),
                duration_ms: row.int(19).unwrap_or_default(),
                pauses,
                timeline,
            })
        };
    }
    Ok(SpawnAudit {
        status: "ok".into(),
        summary,
        samples: samples.into_iter().map(|(sample, _)| sample).collect(),
        params: Params {
            limit,
            diff_seconds,
        },
    })
}

fn compare(row: &Row, diff_seconds: i64, summary: &mut Summary) -> Sample {
    let dead_seconds_lua = row.int(9).unwrap_or_default();
    let time_dead_seconds_db = (row.real(13).unwrap_or_default() * 60.0).round() as i64;
    let time_played_seconds = row.int(14).unwrap_or_default();
    let missing_stats = row.int(12).is_none();
    let diff = (dead_seconds_lua - time_dead_seconds_db).abs();
    let mut flags = Vec::new();
    let mut flag = |count: &mut i64, name: &str, is: bool| {
        if is {
            *count += 1;
            flags.push(name.to_owned());
        }
    };
    flag(
        &mut summary.missing_round_id,
        "missing_round_id",
        row.int(1).is_none(),
    );
    flag(
        &mut summary.missing_player_stats,
        "missing_player_stats",
        missing_stats,
    );
    let dead_gt_played = time_played_seconds > 0 && dead_seconds_lua > time_played_seconds + 1;
    flag(
        &mut summary.dead_gt_played,
        "dead_gt_played",
        dead_gt_played,
    );
    flag(
        &mut summary.diff_gt_threshold,
        "diff_gt_threshold",
        !missing_stats && diff > diff_seconds,
    );
    Sample {
        round_id: row.int(1),
        match_id: row.string(2),
        round_number: row.int(3).unwrap_or_default(),
        map_name: row.text(4).map(str::to_owned),
        player_guid: row.text(5).map(str::to_owned),
        player_name: row.text(6).map(str::to_owned),
        spawn_count: row.int(7),
        death_count: row.int(8),
        dead_seconds_lua,
        time_dead_seconds_db,
        time_played_seconds,
        avg_respawn_seconds: row.int(10),
        max_respawn_seconds: row.int(11),
        diff_seconds: diff,
        flags,
        reason: String::new(),
    }
}

async fn evidence(
    store: &Store,
    round_id: i64,
) -> Result<(Vec<Pause>, Vec<TimelineEvent>), StoreError> {
    let sql = "SELECT lua_pause_events FROM lua_round_teams WHERE round_id = $1";
    let pauses = store
        .database
        .row(sql, args![round_id])
        .await?
        .map(|row| row.json(0))
        .unwrap_or_default();
    let timeline = store.timeline(round_id).await?;
    Ok((
        serde_json::from_value(pauses).unwrap_or_default(),
        serde_json::from_value(timeline).unwrap_or_default(),
    ))
}

/// The most likely reason: first what is marked, then what explains the difference to within the rounding.
fn reason(e: &Evidence<'_>) -> String {
    let more = e.recorded_seconds - e.stats_seconds;
    if e.player_flags.contains("counter_reset") {
        return "counter reset: the stats file's counters fell since the round before".into();
    }
    if more.abs() <= ROUNDING_SECONDS {
        return "rounding: the stats file knows tenths of a minute only".into();
    }
    let (open, left) = dead_spans(e);
    let explained = |seconds: i64| (more.abs() - seconds).abs() <= ROUNDING_SECONDS;
    let pauses: Vec<i64> = e.pauses.iter().map(|p| p.sec).filter(|s| *s > 0).collect();
    if sums(&pauses).into_iter().any(explained) {
        let side = if more < 0 {
            "the stats file"
        } else {
            "the recorder"
        };
        return format!("pause counted as dead by {side}");
    }
    if more > 0 && open > 0 && explained(open) {
        return format!("still dead at the end: {open} s that the stats file does not count");
    }
    if left > 0 && explained(left) {
        return format!("left while dead: {left} s that only one side counts");
    }
    if more > 0 && open > 0 && left > 0 && explained(open + left) {
        return "left while dead, and still dead at the end".into();
    }
    // Both at once.
    if sums(&pauses)
        .into_iter()
        .any(|p| open > 0 && (explained((p - open).abs()) || explained(p + open)))
    {
        return "pause counted as dead by one side, and still dead at the end".into();
    }
    let beyond =
        e.stats_duration_seconds.unwrap_or_default() - e.duration_seconds.unwrap_or_default();
    if more < 0
        && matches!(e.end_reason, "surrender" | "time_expired")
        && beyond > ROUNDING_SECONDS
        && -more <= beyond + ROUNDING_SECONDS
    {
        return "surrender or time limit in the stats file: it counts on after the end".into();
    }
    "unknown".into()
}

/// How long the player was dead at the end of the round, and when leaving it, in seconds.
fn dead_spans(e: &Evidence<'_>) -> (i64, i64) {
    let mut dead_since = None;
    let mut left = 0;
    for event in e
        .timeline
        .iter()
        .filter(|event| event.guid.eq_ignore_ascii_case(e.guid))
    {
        match event.kind {
            EventKind::Death => dead_since = dead_since.or(Some(event.t_ms)),
            EventKind::Spawn | EventKind::Revive => dead_since = None,
            EventKind::Leave | EventKind::Team => {
                if event.kind == EventKind::Leave || event.team == Some(3) {
                    left += dead_since.take().map_or(0, |since| event.t_ms - since);
                }
            }
            EventKind::Limbo | EventKind::Join | EventKind::Other => {}
        }
    }
    let open = dead_since.map_or(0, |since| e.duration_ms - since);
    (open / 1000, left / 1000)
}

/// The sums of all ways to choose some of a few pauses.
fn sums(pauses: &[i64]) -> Vec<i64> {
    let mut sums = BTreeMap::from([(0, ())]);
    for pause in pauses.iter().take(8) {
        let with: Vec<i64> = sums.keys().map(|s| s + pause).collect();
        sums.extend(with.into_iter().map(|s| (s, ())));
    }
    sums.into_keys().filter(|s| *s > 0).collect()
}
