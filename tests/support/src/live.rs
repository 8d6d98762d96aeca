//! Compares snapshots of a server with the gametimes files of the same match.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gametimes_format::live::{EVENTS, Life, LivePlayer, LiveWave, Snapshot, State};
use gametimes_format::{Class, EventKind, GametimesFile, Meta, Team, TeamNumber, TimelineEvent};
use gametimes_standin::recorded::Round;

use crate::wait_for;

/// The folder of the live file of a server.
pub fn live_folder(home: &Path) -> PathBuf {
    home.join("legacy/gametimes/live")
}

/// The snapshot in the live file of a server; `None` without a file.
///
/// # Panics
/// When there are several files, or it is incomplete.
pub fn snapshot(home: &Path) -> Option<Snapshot> {
    let entries = std::fs::read_dir(live_folder(home)).ok()?;
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
    assert!(paths.len() <= 1, "{paths:?}");
    let bytes = std::fs::read(paths.first()?).ok()?;
    Some(serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{paths:?}: {e}")))
}

/// Waits for a snapshot for which this holds.
///
/// # Panics
/// After 60 seconds.
pub fn wait_for_snapshot(home: &Path, holds: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let mut found = None;
    wait_for("a snapshot", || {
        found = snapshot(home).filter(&holds);
        found.is_some()
    });
    found.expect("it was just found")
}

/// The play clock of a recorded round at this level time, as the game itself ran it.
pub fn played_ms(round: &Round, level_ms: i64) -> i64 {
    let mut paused_ms = 0;
    for pause in &round.pauses {
        if level_ms >= pause.end_ms {
            paused_ms += pause.end_ms - pause.start_ms;
        } else if level_ms >= pause.start_ms {
            return pause.start_ms - round.start_t - paused_ms;
        }
    }
    level_ms - round.start_t - paused_ms
}

/// A player, as the timeline of a file describes one.
#[derive(Debug, Clone, Default)]
struct Player {
    team: TeamNumber,
    class: Option<Class>,
    life: Option<(Life, i64)>,
    /// When the current death began, and who caused it.
    died: Option<(i64, Option<String>)>,
    kills: u32,
    deaths: u32,
    revives: u32,
    dead_ms: i64,
    denied_ms: i64,
}

/// The players of a round up to some time on the play clock, computed from the timeline alone.
#[derive(Debug, Default)]
struct Replay(BTreeMap<String, Player>);

impl Replay {
    fn until(events: &[TimelineEvent], t_ms: i64) -> Self {
        let mut replay = Self::default();
        events.iter().for_each(|event| replay.apply(event));
        let keys: Vec<String> = replay.0.keys().cloned().collect();
        for key in keys {
            let died = replay.player(&key).died.clone();
            replay.end_death(&key, t_ms);
            replay.player(&key).died = died;
        }
        replay
    }

    fn player(&mut self, key: &str) -> &mut Player {
        self.0.entry(key.to_owned()).or_default()
    }

    fn end_death(&mut self, key: &str, t_ms: i64) {
        if let Some((since_ms, by)) = self.player(key).died.take() {
            self.player(key).dead_ms += t_ms - since_ms;
            if let Some(by) = by {
                self.player(&by).denied_ms += t_ms - since_ms;
            }
        }
    }

    fn apply(&mut self, event: &TimelineEvent) {
        let t_ms = event.t_ms;
        let key = event.name.clone().unwrap_or_else(|| event.guid.clone());
        match event.kind {
            EventKind::Join | EventKind::Team => {
                let team = event.team.expect("a join has a team");
                if team.team().is_none() {
                    self.end_death(&key, t_ms);
                    self.player(&key).life = None;
                } else if self.player(&key).died.is_none() {
                    self.player(&key).life = Some((Life::Waiting, t_ms));
                }
                self.player(&key).team = team;
            }
            EventKind::Leave => {
                self.end_death(&key, t_ms);
                self.player(&key).life = None;
                self.player(&key).class = None; // the next one in the slot has not spawned yet
            }
            EventKind::Spawn | EventKind::Revive => {
                self.end_death(&key, t_ms);
                let player = self.player(&key);
                player.life = Some((Life::Alive, t_ms));
                if event.kind == EventKind::Spawn {
                    player.class = event.class;
                } else {
                    player.revives += 1;
                }
            }
            EventKind::Limbo => {
                let player = self.player(&key);
                let life = match (player.life, &player.died) {
                    (Some((Life::Wounded, _)), _) => Life::Limbo,
                    (Some((Life::Alive, _)), _) => Life::Waiting,
                    _ => return,
                };
                player.life = Some((life, t_ms));
            }
            EventKind::Death => {
                let team = self.player(&key).team;
                self.player(&key).deaths += 1;
                if self.player(&key).died.is_some() {
                    return;
                }
                let enemy =
                    |by: &&String| **by != key && self.0.get(*by).map(|k| k.team) != Some(team);
                let by = event.by.as_ref().filter(enemy).cloned();
                if let Some(by) = &by {
                    self.player(by).kills += 1;
                }
                let player = self.player(&key);
                player.life = Some((Life::Wounded, t_ms));
                player.died = Some((t_ms, by));
            }
            EventKind::Objective | EventKind::Other => {}
        }
    }
}

/// Whether each player lived at this time on the play clock, by guid or by the name of a client without one, as the timeline of a file
/// says. Those who had left are missing.
pub fn lives_at(meta: &Meta, t_ms: i64) -> BTreeMap<String, Life> {
    let events = meta.events.partition_point(|e| e.t_ms <= t_ms);
    let replay = Replay::until(&meta.events[..events], t_ms);
    let players = replay.0.into_iter();
    players
        .filter_map(|(key, player)| Some((key, player.life?.0)))
        .collect()
}

fn key(player: &LivePlayer) -> &str {
    if player.guid.is_empty() {
        &player.name
    } else {
        &player.guid
    }
}

/// The entries of the timeline that a snapshot was taken after; its own are the last of them. Entries of the same time can follow later:
/// while the play clock stands still, and in the script's view, who learns of what players do between two frames after the second.
fn events_until<'a>(which: &str, snapshot: &Snapshot, meta: &'a Meta) -> &'a [TimelineEvent] {
    let t_ms = snapshot.played_ms;
    let count = |earliest_ms| meta.events.partition_point(|e| e.t_ms < earliest_ms);
    let all = count(t_ms + 1);
    let paused = meta.pauses.iter().any(|p| p.at_play_ms == Some(t_ms)) || meta.source == "lua";
    let shown = |n: &usize| -> Vec<TimelineEvent> {
        let last = &meta.events[n.saturating_sub(EVENTS)..*n];
        let without_waves = |e: &TimelineEvent| TimelineEvent {
            wave_in_ms: None,
            killer_wave_in_ms: None,
            ..e.clone()
        };
        last.iter().map(without_waves).collect()
    };
    let mut counts = if paused { count(t_ms)..=all } else { all..=all };
    let found = counts.find(|n| shown(n) == snapshot.events);
    let n =
        found.unwrap_or_else(|| panic!("{which}: {:#?}, not {:#?}", snapshot.events, shown(&all)));
    &meta.events[..n]
}

/// Compares a snapshot of a running round with the file that was written at its end. Nothing has a tolerance.
///
/// # Panics
/// When anything differs.
pub fn compare(which: &str, snapshot: &Snapshot, file: &GametimesFile) {
    let meta = &file.meta;
    let t_ms = snapshot.played_ms;
    let which = format!("{which}, {} R{} at {t_ms} ms", meta.map, meta.round);
    let limit_ms = Some((meta.timelimit_minutes * 60_000.0).round() as i64).filter(|ms| *ms > 0);
    assert_eq!(
        (
            &snapshot.map,
            snapshot.round,
            &snapshot.match_uid,
            snapshot.gametype,
            &snapshot.config
        ),
        (
            &meta.map,
            meta.round,
            &meta.match_uid,
            meta.gametype,
            &meta.config
        ),
        "{which}"
    );
    assert_eq!(snapshot.limit_ms, limit_ms, "{which}");
    assert_eq!(
        snapshot.target_ms,
        meta.stopwatch.and_then(|s| s.target_ms),
        "{which}"
    );
    assert_eq!(snapshot.sides, meta.sides, "{which}");
    let mut score = meta.score;
    match meta.winner.team() {
        Some(Team::Axis) => score.axis -= 1,
        Some(Team::Allies) => score.allies -= 1,
        None => {}
    }
    assert_eq!(snapshot.score, score, "{which}");

    let state_pause = meta.pauses.iter().find(|p| {
        let unix = snapshot.unix_ms / 1000;
        p.at_play_ms == Some(t_ms) && (p.start..=p.end).contains(&unix)
    });
    if let Some(pause) = &snapshot.pause {
        let expected = state_pause.unwrap_or_else(|| panic!("{which}: no pause"));
        assert_eq!(snapshot.state, State::Paused, "{which}");
        assert_eq!(
            (pause.n, pause.since_unix_ms / 1000, &pause.by),
            (expected.n, expected.start, &expected.by),
            "{which}"
        );
    } else {
        assert_eq!(snapshot.state, State::Playing, "{which}");
    }

    for team in [Team::Axis, Team::Allies] {
        let waves = meta.waves.as_ref().and_then(|waves| waves.of(team));
        let expected = waves.and_then(|waves| {
            Some(LiveWave {
                interval_ms: waves.interval_ms(t_ms)?,
                next_in_ms: waves.next_in_ms(t_ms)?,
            })
        });
        assert_eq!(
            snapshot.waves.of(team),
            expected.as_ref(),
            "{which} {team:?}"
        );
    }

    let so_far = events_until(&which, snapshot, meta);
    let mut replay = Replay::until(so_far, t_ms);
    replay.0.retain(|_, player| player.life.is_some());
    let mut listed: Vec<&str> = snapshot.players.iter().map(key).collect();
    listed.sort_unstable();
    let mut expected: Vec<&str> = replay.0.keys().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(listed, expected, "{which}: players");
    for player in &snapshot.players {
        let which = format!("{which} {}", key(player));
        let expected = &replay.0[key(player)];
        assert_eq!(
            Some((player.life, player.since_ms)),
            expected.life,
            "{which}"
        );
        assert_eq!(
            (player.team, player.class),
            (expected.team, expected.class),
            "{which}"
        );
        assert_eq!(
            (
                player.kills,
                player.deaths,
                player.revives,
                player.dead_ms,
                player.denied_ms
            ),
            (
                expected.kills,
                expected.deaths,
                expected.revives,
                expected.dead_ms,
                expected.denied_ms
            ),
            "{which}"
        );
        let stats = meta.spawn_stats.iter().find(|s| s.guid == player.guid);
        let stats = stats.unwrap_or_else(|| panic!("{which} is not in the file"));
        assert_eq!(player.is_bot, stats.is_bot, "{which}");
    }
}

/// Checks a snapshot of the time before a round.
///
/// # Panics
/// When it contains anything of a round.
pub fn check_before_round(which: &str, snapshot: &Snapshot) {
    assert!(snapshot.match_uid.is_empty(), "{which}");
    assert!(snapshot.events.is_empty(), "{which}");
    let mut players = snapshot.players.iter();
    assert!(players.all(|p| p.life == Life::Waiting), "{which}");
}

/// Compares the last snapshot of a round, which the intermission shows, with its file.
///
/// # Panics
/// When anything differs.
pub fn compare_result(which: &str, snapshot: &Snapshot, file: &GametimesFile) {
    let meta = &file.meta;
    assert_eq!(
        (
            snapshot.state,
            snapshot.played_ms,
            snapshot.score,
            &snapshot.match_uid
        ),
        (
            State::Intermission,
            meta.duration_ms,
            meta.score,
            &meta.match_uid
        ),
        "{which}"
    );
    let teams = meta.teams.axis.iter().chain(&meta.teams.allies);
    assert_eq!(snapshot.players.len(), teams.count(), "{which}");
    for player in &snapshot.players {
        let stats = meta.spawn_stats.iter().find(|s| s.guid == player.guid);
        let s = stats.unwrap_or_else(|| panic!("{which}: {player:?} is not in the file"));
        assert_eq!(
            (
                player.kills,
                player.deaths,
                player.revives,
                player.dead_ms,
                player.denied_ms,
                player.team
            ),
            (s.kills, s.deaths, s.revives, s.dead_ms, s.denied_ms, s.team),
            "{which} {}",
            key(player)
        );
    }
}
