//! From an assembled round to the rows of the tables.

use std::collections::BTreeMap;

use gametimes_format::{EndReason, Meta, PlayerRef, SpawnStats};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use ring::digest;
use serde_json::json;

use super::{Assembled, Document, Fact};
use crate::files::stats::StatsFile;
use crate::files::subtract::{self, PlayerRound};
use crate::report::{Completeness, Report};
use crate::store::value::Value;

/// Columns and values of one row.
pub type Columns = Vec<(&'static str, Value)>;

/// All rows of one round.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundRows {
    /// `YYYY-MM-DD-HHMMSS`.
    pub match_id: String,
    /// 1 or 2.
    pub round_number: u8,
    /// The row of `rounds`; `None` for a report that is tied.
    pub round: Option<Columns>,
    /// The row of `lua_round_teams`, without `round_id`.
    pub teams: Option<Columns>,
    /// The rows of `lua_spawn_stats`, without `round_id`.
    pub spawns: Vec<Columns>,
    /// The rows of `player_comprehensive_stats`, without `round_id`. `None` leaves the table alone.
    pub players: Option<Vec<Columns>>,
    /// The row of `rounds` belongs to another bot: only times are written.
    pub foreign_id: Option<i64>,
    /// The comparison that admins read in the log, where there is something to compare.
    pub comparison: Option<String>,
}

/// The rows of all rounds. Two rounds that would get the same id get different ones, the same ones every time.
pub fn build(facts: &[Fact], rounds: &[Assembled], zone: &TimeZone) -> Vec<RoundRows> {
    let mut rows: Vec<RoundRows> = rounds
        .iter()
        .map(|round| build_one(facts, round, zone))
        .collect();
    let mut taken: BTreeMap<(String, u8), Vec<usize>> = BTreeMap::new();
    let mut canonical: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        taken
            .entry((row.match_id.clone(), row.round_number))
            .or_default()
            .push(i);
        if let Some(Value::Text(Some(id))) = row
            .round
            .as_ref()
            .and_then(|r| get(r, "round_canonical_id"))
        {
            canonical.entry(id.clone()).or_default().push(i);
        }
    }
    // A stats file's name is known to others, so its round keeps the id.
    let order = |i: &usize| {
        (
            rounds[*i].stats.is_none(),
            first_identity(facts, &rounds[*i]),
        )
    };
    for ((match_id, _), mut same) in taken {
        same.sort_by_key(order);
        for (n, i) in same.into_iter().enumerate().skip(1) {
            rename(&mut rows[i], &format!("{match_id}.{}", n + 1));
        }
    }
    for mut same in canonical.into_values() {
        same.sort_by_key(order);
        for i in same.into_iter().skip(1) {
            set(
                rows[i].round.as_mut(),
                "round_canonical_id",
                Value::Text(None),
            );
        }
    }
    rows
}

impl RoundRows {
    /// Tells two contents apart.
    pub fn content(&self) -> String {
        let hash = digest::digest(&digest::SHA256, format!("{self:?}").as_bytes());
        hash.as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }
}

fn first_identity(facts: &[Fact], round: &Assembled) -> Vec<String> {
    let mut ids: Vec<String> = round.members().map(|i| facts[i].identity.clone()).collect();
    ids.sort();
    ids
}

fn get<'a>(row: &'a Columns, column: &str) -> Option<&'a Value> {
    row.iter()
        .find(|(name, _)| *name == column)
        .map(|(_, value)| value)
}

fn set(row: Option<&mut Columns>, column: &str, value: Value) {
    if let Some(cell) = row.and_then(|row| row.iter_mut().find(|(name, _)| *name == column)) {
        cell.1 = value;
    }
}

fn rename(rows: &mut RoundRows, match_id: &str) {
    rows.match_id = match_id.to_owned();
    set(rows.round.as_mut(), "match_id", match_id.into());
    set(rows.teams.as_mut(), "match_id", match_id.into());
    for row in &mut rows.spawns {
        set(Some(row), "match_id", match_id.into());
    }
}

fn build_one(facts: &[Fact], round: &Assembled, zone: &TimeZone) -> RoundRows {
    let report = round.report.map(|i| match &facts[i].document {
        Document::Report(report) => (report.as_ref(), facts[i].server.as_str()),
        _ => unreachable!("a round's report is a report"),
    });
    let stats_file = round.stats.map(|i| &facts[i]);
    let file = stats_file.and_then(|fact| match &fact.document {
        Document::Stats(file) => Some(file.as_ref()),
        _ => None,
    });
    let foreign = stats_file.and_then(|fact| match &fact.document {
        Document::Foreign(foreign) => Some(foreign.as_ref()),
        _ => None,
    });
    let base = round.base.and_then(|i| match &facts[i].document {
        Document::Stats(file) => Some(file.as_ref()),
        _ => None,
    });
    let match_id = match (file, foreign, report) {
        (Some(file), ..) => file.name.match_id.clone(),
        (_, Some(foreign), _) => foreign.match_id.clone(),
        (.., Some((report, _))) => local_time(report, zone),
        _ => String::new(),
    };
    let round_number = match (report, file, foreign) {
        (Some((report, _)), ..) => report.meta.round,
        (_, Some(file), _) => file.header.round,
        (_, _, Some(foreign)) => foreign.round,
        _ => 0,
    };
    let tied_report = round.tie && report.is_some();
    let players = file.map(|file| subtract::per_round(file, base, round.orphan));
    let mut rows = RoundRows {
        round: None,
        teams: report.map(|(report, _)| teams_row(report, &match_id)),
        spawns: report
            .map(|(report, _)| spawn_rows(report, &match_id))
            .unwrap_or_default(),
        players: None,
        foreign_id: foreign.map(|f| f.round_id),
        comparison: None,
        match_id,
        round_number,
    };
    if !tied_report {
        let server = report
            .map(|(_, server)| server)
            .or(stats_file.map(|f| f.server.as_str()))
            .unwrap_or_default();
        let known = Known {
            report: report.map(|(report, _)| report),
            file,
            server,
            round,
            players: players.as_deref(),
        };
        rows.round = Some(if foreign.is_some() {
            times(&known)
        } else {
            round_row(&known, &rows)
        });
        rows.comparison = comparison(&known);
    }
    rows.players = players.map(|players| players.iter().map(|p| player_row(p, &rows)).collect());
    rows
}

/// What a round's row is made from.
struct Known<'a> {
    report: Option<&'a Report>,
    file: Option<&'a StatsFile>,
    server: &'a str,
    round: &'a Assembled,
    players: Option<&'a [PlayerRound]>,
}

/// The server's local time at the end of the round, as stats files are named.
fn local_time(report: &Report, zone: &TimeZone) -> String {
    let end = Timestamp::from_second(report.meta.round_end_unix).unwrap_or_default();
    let zone = if report.completeness == Completeness::File {
        Offset::from_seconds(report.meta.utc_offset_seconds)
            .map_or_else(|_| zone.clone(), TimeZone::fixed)
    } else {
        zone.clone()
    };
    end.to_zoned(zone).strftime("%Y-%m-%d-%H%M%S").to_string()
}

/// The columns that come from the recorder; all of a foreign round that we touch.
fn times(known: &Known<'_>) -> Columns {
    let Some(report) = known.report else {
        return Vec::new();
    };
    let meta = &report.meta;
    let mut row: Columns = vec![
        ("round_start_unix", known_start(meta).into()),
        ("round_end_unix", meta.round_end_unix.into()),
        (
            "actual_duration_seconds",
            meta.actual_duration_seconds.into(),
        ),
        ("total_pause_seconds", meta.pause_seconds.into()),
        ("pause_count", meta.pause_count.into()),
        ("end_reason", meta.end_reason.as_str().into()),
        (
            "duration_ms",
            (report.completeness == Completeness::File)
                .then_some(meta.duration_ms)
                .into(),
        ),
    ];
    // An old script that does not know the winner must not wipe out the file's.
    if meta.winner != 0 || !meta.end_reason.is_finished() {
        row.push(("winner_team", meta.winner.into()));
    }
    row
}

fn known_start(meta: &Meta) -> Option<i64> {
    (meta.round_start_unix > 0).then_some(meta.round_start_unix)
}

fn round_row(known: &Known<'_>, rows: &RoundRows) -> Columns {
    let header = known.file.map(|f| &f.header);
    let meta = known.report.map(|r| &r.meta);
    let (date, time) = rows
        .match_id
        .split_at_checked(10)
        .unwrap_or((&rows.match_id, ""));
    let finished = match (meta, known.file) {
        (Some(meta), _) => meta.end_reason.is_finished(),
        (None, Some(file)) => !file.is_cut_off(),
        _ => true,
    };
    let map = meta
        .map(|m| m.map.as_str())
        .or(header.map(|h| h.map.as_str()))
        .unwrap_or_default();
    let limit = header
        .map(|h| h.timelimit.clone())
        .or(meta.map(|m| minutes(m.timelimit_minutes)));
    let actual = header.map(|h| h.next_timelimit.clone());
    let actual = actual.or(meta.map(|m| clock(m.actual_duration_seconds)));
    let winner = header.map_or(0, |h| h.winner);
    let defender = meta
        .map(|m| m.defender)
        .filter(|d| *d != 0)
        .or(header.map(|h| h.defender))
        .unwrap_or(0);
    let bots = known.players.map(|players| {
        let bot = |p: &&PlayerRound| p.player.guid.to_ascii_uppercase().starts_with("OMNIBOT");
        players.iter().filter(bot).count()
    });
    let humans = known.players.map(|p| p.len() - bots.unwrap_or(0));
    let mut row: Columns = vec![
        ("match_id", rows.match_id.as_str().into()),
        ("round_number", rows.round_number.into()),
        ("round_date", date.into()),
        (
            "round_time",
            time.trim_start_matches('-')
                .chars()
                .take(6)
                .collect::<String>()
                .into(),
        ),
        ("map_name", map.into()),
        ("time_limit", limit.into()),
        ("actual_time", actual.into()),
        ("defender_team", defender.into()),
        (
            "round_status",
            if finished { "completed" } else { "cancelled" }.into(),
        ),
        (
            "round_canonical_id",
            meta.map(|m| m.round_canonical_id.clone())
                .filter(|id| !id.is_empty())
                .into(),
        ),
        (
            "is_bot_round",
            (bots.unwrap_or(0) > 0 && humans == Some(0)).into(),
        ),
        ("bot_player_count", bots.map(|n| n as i64).into()),
        ("human_player_count", humans.map(|n| n as i64).into()),
        ("server_address", cut(known.server, 128).into()),
        (
            "server_name",
            server_name(known).map(|s| cut(&s, 256)).into(),
        ),
        (
            "stats_file",
            known.file.map(|f| cut(&f.name.name, 256)).into(),
        ),
        (
            "stats_duration_seconds",
            known
                .file
                .and_then(StatsFile::target_seconds)
                .map(int4)
                .into(),
        ),
        (
            "stats_playtime_ms",
            header.and_then(|h| h.playtime_ms).into(),
        ),
        (
            "stats_winner_team",
            header.map(|h| i64::from(h.winner)).into(),
        ),
        (
            "stats_defender_team",
            header.map(|h| i64::from(h.defender)).into(),
        ),
        (
            "gametype",
            meta.map(|m| i64::from(m.gametype))
                .filter(|g| *g != 0)
                .into(),
        ),
        (
            "recorder",
            known.report.map(|r| cut(recorder(r), 16)).into(),
        ),
        (
            "recorder_version",
            known.report.map(|r| cut(&r.version, 32)).into(),
        ),
        (
            "engine_version",
            meta.map(|m| cut(&m.engine_version, 64)).into(),
        ),
        ("event_id", meta.map(|m| cut(&m.event_id, 64)).into()),
        ("exit_text", meta.map(|m| cut(&m.exit_text, 256)).into()),
        ("gametimes_flags", flags(known).into()),
    ];
    let times = times(known);
    if times.is_empty() {
        row.extend([
            ("round_start_unix", Value::Int(None)),
            ("round_end_unix", Value::Int(None)),
            (
                "actual_duration_seconds",
                known
                    .file
                    .and_then(StatsFile::played_seconds)
                    .map(int4)
                    .into(),
            ),
            ("total_pause_seconds", 0_i64.into()),
            ("pause_count", 0_i64.into()),
            ("end_reason", Value::Text(None)),
            ("duration_ms", Value::Int(None)),
        ]);
    }
    if !times.iter().any(|(column, _)| *column == "winner_team") {
        row.push(("winner_team", winner.into()));
    }
    row.extend(times);
    row
}

fn recorder(report: &Report) -> &str {
    match (report.completeness, report.meta.source.as_str()) {
        (Completeness::File, source) => source,
        (Completeness::OldFile, _) => "old script",
        (Completeness::Embed, _) => "message",
    }
}

fn server_name(known: &Known<'_>) -> Option<String> {
    let of_report = known
        .report
        .map(|r| r.meta.server_hostname.clone())
        .filter(|s| !s.is_empty());
    of_report.or(known.file.map(|f| f.header.server.clone()))
}

/// What a reader of the row should know, separated by `; `.
fn flags(known: &Known<'_>) -> String {
    let mut flags = Vec::new();
    if known.round.orphan {
        flags.push("orphan: round 1 of this round 2 is missing".to_owned());
    }
    if known.round.tie {
        flags.push("tie: several rounds fit equally well".to_owned());
    }
    if let Some(file) = known.file {
        if file.is_cut_off() {
            flags.push("cut off: the stats file was saved at a shutdown".to_owned());
        }
        flags.extend(file.problems.iter().map(|p| format!("stats file: {p}")));
    }
    if let Some(report) = known.report {
        flags.extend(report.doubts.iter().map(|d| format!("report: {d}")));
    }
    flags.join("; ")
}

/// Both sources side by side, in the words admins know.
fn comparison(known: &Known<'_>) -> Option<String> {
    let (report, file) = (known.report?, known.file?);
    let stats = file.target_seconds().unwrap_or_default();
    let lua = report.meta.actual_duration_seconds;
    let difference = (stats - lua).abs();
    let verdict = if difference > 60 {
        "surrender fix applied"
    } else {
        "within tolerance"
    };
    Some(format!(
        "timing [{}]: stats file duration={stats}s limit={} winner={}; recorder duration={lua}s winner={} \
         end_reason={}; difference {difference}s, {verdict}",
        file.name.name,
        file.header.timelimit,
        file.header.winner,
        report.meta.winner,
        report.meta.end_reason.as_str(),
    ))
}

fn teams_row(report: &Report, match_id: &str) -> Columns {
    let meta = &report.meta;
    let players = |team: &[PlayerRef]| Value::Json(json!(team));
    let surrendered = meta.end_reason == EndReason::Surrender || meta.surrender.team != 0;
    vec![
        ("match_id", match_id.into()),
        ("round_number", meta.round.into()),
        ("axis_players", players(&meta.teams.axis)),
        ("allies_players", players(&meta.teams.allies)),
        ("round_start_unix", meta.round_start_unix.into()),
        ("round_end_unix", meta.round_end_unix.into()),
        (
            "actual_duration_seconds",
            meta.actual_duration_seconds.into(),
        ),
        ("total_pause_seconds", meta.pause_seconds.into()),
        ("pause_count", meta.pause_count.into()),
        ("end_reason", meta.end_reason.as_str().into()),
        ("winner_team", meta.winner.into()),
        ("defender_team", meta.defender.into()),
        ("map_name", cut(&meta.map, 64).into()),
        (
            "time_limit_minutes",
            int4(meta.timelimit_minutes.round() as i64).into(),
        ),
        ("lua_version", cut(&report.version, 16).into()),
        ("lua_warmup_seconds", int4(meta.warmup_seconds).into()),
        ("lua_warmup_start_unix", report.warmup_start_unix.into()),
        ("lua_pause_events", Value::Json(json!(meta.pauses))),
        ("surrender_team", meta.surrender.team.into()),
        (
            "surrender_caller_guid",
            surrendered
                .then(|| cut(&meta.surrender.caller_guid, 32))
                .into(),
        ),
        (
            "surrender_caller_name",
            surrendered
                .then(|| cut(&meta.surrender.caller_name, 64))
                .into(),
        ),
        ("axis_score", int4(meta.score.axis.into()).into()),
        ("allies_score", int4(meta.score.allies.into()).into()),
    ]
}

/// What stands for a player in the tables: the guid, or `name:` and 27 hex digits of the SHA-256 of the name where there
/// is none.
pub fn player_key(guid: &str, name: &str) -> String {
    if !guid.is_empty() {
        return guid.to_owned();
    }
    let hash = digest::digest(&digest::SHA256, name.as_bytes());
    let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("name:{}", &hex[..27])
}

fn spawn_rows(report: &Report, match_id: &str) -> Vec<Columns> {
    let meta = &report.meta;
    let ours = report.completeness == Completeness::File;
    let mut keys = BTreeMap::new();
    // Twice the same player is a doubt of the check; the longer entry is kept.
    for player in &meta.spawn_stats {
        let entry = keys
            .entry(player_key(&player.guid, &player.name))
            .or_insert(player);
        if (player.played_ms, player.dead_seconds) > (entry.played_ms, entry.dead_seconds) {
            *entry = player;
        }
    }
    let only_ours = |n: i64| Value::Int(ours.then_some(n));
    let row = |(key, p): (String, &SpawnStats)| -> Columns {
        vec![
            ("match_id", match_id.into()),
            ("round_number", meta.round.into()),
            ("map_name", cut(&meta.map, 64).into()),
            ("round_end_unix", meta.round_end_unix.into()),
            ("player_guid", key.into()),
            ("player_name", cut(&p.name, 64).into()),
            ("spawn_count", p.spawns.into()),
            ("death_count", p.deaths.into()),
            ("dead_seconds", int4(p.dead_seconds).into()),
            ("avg_respawn_seconds", int4(p.avg_respawn).into()),
            ("max_respawn_seconds", int4(p.max_respawn).into()),
            ("team", team_of(p, meta).into()),
            ("revive_count", only_ours(p.revives.into())),
            ("kill_count", only_ours(p.kills.into())),
            ("denied_seconds", only_ours(p.denied_seconds)),
            ("dead_ms", only_ours(p.dead_ms)),
            ("max_dead_ms", only_ours(p.max_dead_ms)),
            ("denied_ms", only_ours(p.denied_ms)),
            ("alive_ms", only_ours(p.alive_ms)),
            ("played_ms", only_ours(p.played_ms)),
        ]
    };
    keys.into_iter().map(row).collect()
}

/// The team; old scripts tell it only in the lists of the teams at the end.
fn team_of(player: &SpawnStats, meta: &Meta) -> Option<i64> {
    let is = |other: &PlayerRef| {
        other.guid == player.guid && (!player.guid.is_empty() || other.name == player.name)
    };
    match player.team {
        0 if meta.teams.axis.iter().any(is) => Some(1),
        0 if meta.teams.allies.iter().any(is) => Some(2),
        0 => None,
        team => Some(team.into()),
    }
}

fn player_row(p: &PlayerRound, rows: &RoundRows) -> Columns {
    let player = &p.player;
    let f = |i: usize| player.fields[i];
    let n = |i: usize| Value::from(int4(player.fields[i] as i64));
    let (hits, shots) = (player.weapon_sum(0), player.weapon_sum(1));
    let (kills, deaths) = (player.weapon_sum(2), player.weapon_sum(3));
    let ratio = |a: f64, b: f64| if b > 0.0 { a / b } else { 0.0 };
    let played = p.played_seconds as f64;
    let flags: Vec<&str> = p.flags.iter().map(|f| f.as_str()).collect();
    vec![
        (
            "round_date",
            rows.match_id.chars().take(10).collect::<String>().into(),
        ),
        (
            "map_name",
            rows.round
                .as_ref()
                .and_then(|r| get(r, "map_name"))
                .cloned()
                .unwrap_or_else(|| "".into()),
        ),
        ("round_number", rows.round_number.into()),
        ("player_guid", player.guid.as_str().into()),
        ("player_name", player.name.as_str().into()),
        ("clean_name", player.clean_name.as_str().into()),
        ("team", player.team.into()),
        ("kills", int4(kills).into()),
        ("deaths", int4(deaths).into()),
        ("damage_given", n(0)),
        ("damage_received", n(1)),
        ("team_damage_given", n(2)),
        ("team_damage_received", n(3)),
        ("gibs", n(4)),
        ("self_kills", n(5)),
        ("team_kills", n(6)),
        ("team_gibs", n(7)),
        ("headshot_kills", n(14)),
        ("headshots", int4(player.weapon_sum(4)).into()),
        ("time_played_seconds", int4(p.played_seconds).into()),
        ("time_played_minutes", f(22).into()),
        ("time_dead_minutes", f(25).into()),
        (
            "time_dead_ratio",
            (ratio(f(25) * 60.0, played) * 100.0).into(),
        ),
        ("xp", f(9).into()),
        (
            "kd_ratio",
            if deaths > 0 {
                kills as f64 / deaths as f64
            } else {
                kills as f64
            }
            .into(),
        ),
        ("dpm", (ratio(f(0), played) * 60.0).into()),
        (
            "efficiency",
            (ratio(kills as f64, (kills + deaths) as f64) * 100.0).into(),
        ),
        ("bullets_fired", n(20)),
        (
            "accuracy",
            (ratio(hits as f64, shots as f64) * 100.0).into(),
        ),
        ("kill_assists", n(12)),
        ("kill_steals", n(13)),
        ("objectives_stolen", n(15)),
        ("objectives_returned", n(16)),
        ("dynamites_planted", n(17)),
        ("dynamites_defused", n(18)),
        ("times_revived", n(19)),
        ("tank_meatshield", n(23)),
        ("most_useful_kills", n(27)),
        ("denied_playtime", n(28)),
        ("double_kills", n(29)),
        ("triple_kills", n(30)),
        ("quad_kills", n(31)),
        ("multi_kills", n(32)),
        ("mega_kills", n(33)),
        ("useless_kills", n(34)),
        ("full_selfkills", n(35)),
        ("constructions", n(36)),
        ("revives_given", n(37)),
        ("killing_spree_best", n(10)),
        ("death_spree_worst", n(11)),
        ("time_played_percent", f(8).into()),
        ("gametimes_flags", flags.join(",").into()),
    ]
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Into the range of an INTEGER column.
fn int4(n: i64) -> i64 {
    n.clamp(i32::MIN.into(), i32::MAX.into())
}

/// Seconds as `M:SS`.
fn clock(seconds: i64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn minutes(minutes: f64) -> String {
    clock((minutes * 60.0).round() as i64)
}
