//! The recorder's times dead beside those of the stats files, and why they differ.

use std::collections::{BTreeSet, HashMap};

use gametimes_format::{Pause, TimelineEvent};
use serde::Serialize;

use super::reasons::{Evidence, reason};
use crate::args;
use crate::store::apply::placeholders;
use crate::store::value::{Row, Value};
use crate::store::{Store, StoreError};

/// How many samples are shown at most.
const SAMPLES_MAX: usize = 25;
/// How many of one round before others have had their turn.
const OF_ROUND_MAX: usize = 5;

/// The answer of `/api/diagnostics/spawn-audit`.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SpawnAudit {
    /// `ok`.
    pub status: String,
    /// How many rows have which flag.
    pub summary: Summary,
    /// Flagged rows, 25 at most: the most telling first, of as many rounds as possible.
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

/// Compares the latest rows.
///
/// # Errors
/// When the database fails.
pub async fn spawn_audit(
    store: &Store,
    limit: i64,
    diff_seconds: i64,
) -> Result<SpawnAudit, StoreError> {
    let mut summary = Summary::default();
    let mut samples: Vec<(Sample, Row)> = Vec::new();
    let mut last = None;
    let sql = players_of_spawns(store);
    for row in store.database.rows(&sql, args![limit]).await? {
        // Two players of a stats file can share the first 8 digits: the first of them counts.
        if std::mem::replace(&mut last, row.int(0)) == row.int(0) {
            continue;
        }
        summary.checked += 1;
        let sample = compare(&row, diff_seconds, &mut summary);
        if !sample.flags.is_empty() {
            samples.push((sample, row));
        }
    }
    add_rounds(store, &mut samples).await?;
    let mut samples = most_telling(samples);
    let ids: BTreeSet<i64> = samples.iter().filter_map(|(s, _)| s.round_id).collect();
    let rounds = evidence(store, ids).await?;
    let nothing = Told::default();
    for (sample, row) in &mut samples {
        let Told { pauses, timeline } = sample
            .round_id
            .and_then(|id| rounds.get(&id))
            .unwrap_or(&nothing);
        sample.reason = if sample.round_id.is_none() {
            "the round is not linked".into()
        } else if has_no_file(row) {
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
                start_unix: row.int(21).unwrap_or_default(),
                old_script: row.text(22) == Some("old script"),
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

/// SQL for the latest rows of `lua_spawn_stats`, `$1` at most, each with its player of the stats file.
pub fn players_of_spawns(store: &Store) -> String {
    let spawns = [
        "id",
        "round_id",
        "match_id",
        "round_number",
        "map_name",
        "player_guid",
        "player_name",
        "spawn_count",
        "death_count",
        "dead_seconds",
        "avg_respawn_seconds",
        "max_respawn_seconds",
    ];
    let players = [
        "id",
        "time_dead_minutes",
        "time_played_seconds",
        "gametimes_flags",
    ];
    format!(
        "SELECT {}, {} FROM (SELECT * FROM lua_spawn_stats ORDER BY id DESC LIMIT $1) s \
         LEFT JOIN player_comprehensive_stats p ON p.round_id = s.round_id \
         AND UPPER(SUBSTR(p.player_guid, 1, 8)) = UPPER(SUBSTR(s.player_guid, 1, 8)) ORDER BY s.id DESC, p.id",
        store.select("lua_spawn_stats", "s", &spawns),
        store.select("player_comprehensive_stats", "p", &players),
    )
}

/// Adds to each row what its round tells. Joined to a thousand rows, PostgreSQL reads all rounds there are for it.
async fn add_rounds(store: &Store, samples: &mut [(Sample, Row)]) -> Result<(), StoreError> {
    let columns = [
        "end_reason",
        "stats_duration_seconds",
        "actual_duration_seconds",
        "duration_ms",
        "stats_file",
        "round_start_unix",
        "recorder",
    ];
    let ids: BTreeSet<i64> = samples.iter().filter_map(|(s, _)| s.round_id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT r.id, {} FROM rounds r WHERE r.id IN ({})",
        store.select("rounds", "r", &columns),
        store.database.placeholders(ids.len())
    );
    let ids: Vec<Value> = ids.into_iter().map(Value::from).collect();
    let rows = store.database.rows(&sql, &ids).await?;
    let rounds: HashMap<Option<i64>, &Row> = rows.iter().map(|row| (row.int(0), row)).collect();
    for (sample, row) in samples {
        if let Some(round) = sample.round_id.and_then(|id| rounds.get(&Some(id))) {
            row.0.extend_from_slice(&round.0[1..]);
        }
    }
    Ok(())
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

/// The round has no stats file, which is then missing for each of its players.
fn has_no_file(row: &Row) -> bool {
    row.int(12).is_none() && row.text(20).is_none_or(str::is_empty)
}

/// Chooses what is shown. Differences between two times come first, then players that one side lacks, then rounds that lack a
/// side as a whole: of these one player tells all. In each kind the rounds take turns, the largest difference of each first,
/// so that one round cannot push out the others.
fn most_telling(samples: Vec<(Sample, Row)>) -> Vec<(Sample, Row)> {
    let kind = |sample: &Sample, row: &Row| {
        let is = |flag: &str| sample.flags.iter().any(|f| f == flag);
        if is("diff_gt_threshold") || is("dead_gt_played") {
            0
        } else if sample.round_id.is_some() && !has_no_file(row) {
            1
        } else {
            2
        }
    };
    let mut ranked: Vec<(i32, (Sample, Row))> = samples
        .into_iter()
        .map(|(sample, row)| (kind(&sample, &row), (sample, row)))
        .collect();
    // Stable: what is latest comes first of equals.
    ranked.sort_by_key(|(kind, (sample, _))| (*kind, std::cmp::Reverse(sample.diff_seconds)));
    let mut turns: HashMap<(i32, String, i64), usize> = HashMap::new();
    let mut turned: Vec<_> = ranked
        .into_iter()
        .map(|(kind, (sample, row))| {
            let round = (kind, sample.match_id.clone(), sample.round_number);
            let turn = turns.entry(round).or_default();
            *turn += 1;
            let most = if kind == 2 { 1 } else { OF_ROUND_MAX };
            ((*turn > most, kind, *turn), (sample, row))
        })
        .collect();
    turned.sort_by_key(|(rank, _)| *rank);
    turned.truncate(SAMPLES_MAX);
    turned.into_iter().map(|(_, sample)| sample).collect()
}

/// What the recorder tells of a round, for the reasons.
#[derive(Default)]
struct Told {
    pauses: Vec<Pause>,
    timeline: Vec<TimelineEvent>,
}

async fn evidence(
    store: &Store,
    round_ids: BTreeSet<i64>,
) -> Result<HashMap<i64, Told>, StoreError> {
    let mut told: HashMap<i64, Told> = HashMap::new();
    if round_ids.is_empty() {
        return Ok(told);
    }
    if store.has("lua_round_teams") {
        let ids: Vec<Value> = round_ids.iter().map(|id| (*id).into()).collect();
        let sql = format!(
            "SELECT t.round_id, {} FROM lua_round_teams t WHERE t.round_id IN ({})",
            store.select("lua_round_teams", "t", &["lua_pause_events"]),
            placeholders(ids.len())
        );
        for row in store.database.rows(&sql, &ids).await? {
            told.entry(row.int(0).unwrap_or_default())
                .or_default()
                .pauses = serde_json::from_value(row.json(1)).unwrap_or_default();
        }
    }
    for (id, timeline) in store.timelines(&round_ids).await? {
        told.entry(id).or_default().timeline =
            serde_json::from_slice(&timeline).unwrap_or_default();
    }
    Ok(told)
}
