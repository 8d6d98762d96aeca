//! Why the recorder's time dead and that of the stats file differ.

use std::collections::BTreeMap;

use gametimes_format::check::bounds;
use gametimes_format::{EventKind, Pause, TeamNumber, TimelineEvent};

use crate::chart::stops;

/// The stats file rounds times to a tenth of a minute, so a difference up to this tells nothing.
const ROUNDING_SECONDS: i64 = 6;

/// What tells the reason.
pub(super) struct Evidence<'a> {
    pub(super) guid: &'a str,
    pub(super) recorded_seconds: i64,
    pub(super) stats_seconds: i64,
    pub(super) player_flags: &'a str,
    pub(super) end_reason: &'a str,
    pub(super) stats_duration_seconds: Option<i64>,
    pub(super) duration_seconds: Option<i64>,
    pub(super) pauses: &'a [Pause],
    pub(super) timeline: &'a [TimelineEvent],
    pub(super) duration_ms: i64,
    pub(super) start_unix: i64,
    /// The recorder is an old script, which counts pauses as dead.
    pub(super) old_script: bool,
}

/// The most likely reason: first what is marked, then what explains the difference to within the rounding.
pub(super) fn reason(e: &Evidence<'_>) -> String {
    let more = e.recorded_seconds - e.stats_seconds;
    if e.player_flags.contains("counter_reset") {
        return "counter reset: the stats file's counters fell since the round before".into();
    }
    if more.abs() <= ROUNDING_SECONDS {
        return "rounding: the stats file knows tenths of a minute only".into();
    }
    let spells = spells(e);
    let explained = |seconds: i64| (more.abs() - seconds).abs() <= ROUNDING_SECONDS;
    let pauses = sums(&pauses_while_dead(e, &spells));
    if (more < 0 || e.old_script) && pauses.iter().copied().any(explained) {
        let side = if more < 0 {
            "the stats file"
        } else {
            "the recorder"
        };
        return format!("pause counted as dead by {side}");
    }
    let open: i64 = spells
        .iter()
        .filter(|s| s.end == End::Open)
        .map(Spell::seconds)
        .sum();
    let left: i64 = spells
        .iter()
        .filter(|s| s.end == End::Left)
        .map(Spell::seconds)
        .sum();
    if more > 0 && open > 0 && explained(open) {
        return format!("still dead at the end: {open} s that the stats file does not count");
    }
    if more > 0 && left > 0 && explained(left) {
        return format!(
            "left while dead (the team or the server): {left} s that the stats file does not count"
        );
    }
    if more > 0 && open > 0 && left > 0 && explained(open + left) {
        return "left while dead, and still dead at the end".into();
    }
    if open + left > 0
        && pauses
            .iter()
            .any(|p| (more - (open + left) + p).abs() <= ROUNDING_SECONDS)
    {
        return "pause counted as dead by the stats file, which does not count having left or still being dead".into();
    }
    let beyond =
        e.stats_duration_seconds.unwrap_or_default() - e.duration_seconds.unwrap_or_default();
    let counts_on =
        matches!(e.end_reason, "surrender" | "time_expired") && beyond > ROUNDING_SECONDS;
    if more < 0 && counts_on && -more <= beyond + ROUNDING_SECONDS {
        return "surrender or time limit in the stats file: it counts on after the end".into();
    }
    "unknown".into()
}

/// One time dead, on the play clock.
struct Spell {
    from_ms: i64,
    to_ms: i64,
    end: End,
}

/// How a time dead ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Alive again.
    Alive,
    /// With the round.
    Open,
    /// The player left, or changed the team in between: the stats scripts lose sight of them.
    Left,
}

impl Spell {
    fn seconds(&self) -> i64 {
        let seconds = self.to_ms.saturating_sub(self.from_ms) / 1000;
        seconds.clamp(0, bounds::ROUND_SECONDS)
    }
}

fn spells(e: &Evidence<'_>) -> Vec<Spell> {
    let mut spells = Vec::new();
    let mut dead: Option<(i64, bool)> = None;
    for event in e
        .timeline
        .iter()
        .filter(|event| event.guid.eq_ignore_ascii_case(e.guid))
    {
        let to_ms = event.t_ms;
        match (event.kind, dead) {
            (EventKind::Death, None) => dead = Some((to_ms, false)),
            (EventKind::Spawn | EventKind::Revive, Some((from_ms, left))) => {
                spells.push(Spell {
                    from_ms,
                    to_ms,
                    end: if left { End::Left } else { End::Alive },
                });
                dead = None;
            }
            (EventKind::Team, Some((from_ms, _))) if event.team != Some(TeamNumber::SPECTATOR) => {
                dead = Some((from_ms, true));
            }
            (EventKind::Leave | EventKind::Team, Some((from_ms, _))) => {
                spells.push(Spell {
                    from_ms,
                    to_ms,
                    end: End::Left,
                });
                dead = None;
            }
            _ => {}
        }
    }
    if let Some((from_ms, left)) = dead {
        spells.push(Spell {
            from_ms,
            to_ms: e.duration_ms,
            end: if left { End::Left } else { End::Open },
        });
    }
    spells
}

/// The lengths of the pauses that began while the player was dead; all pauses where no timeline tells.
fn pauses_while_dead(e: &Evidence<'_>, spells: &[Spell]) -> Vec<i64> {
    let mut lengths = Vec::new();
    for stop in stops(e.pauses, e.start_unix) {
        // Unix times are cut to seconds.
        let dead = |s: &Spell| {
            (s.from_ms.saturating_sub(1500)..=s.to_ms.saturating_add(1500)).contains(&stop.at_ms)
        };
        if stop.seconds > 0 && (e.timeline.is_empty() || spells.iter().any(dead)) {
            lengths.push(stop.seconds);
        }
    }
    lengths
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

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, t_ms: i64) -> TimelineEvent {
        let event = serde_json::json!({"t_ms": t_ms, "kind": kind, "guid": "A0000001"});
        serde_json::from_value(event).unwrap()
    }

    fn told(timeline: &[TimelineEvent], pauses: &[Pause]) -> String {
        reason(&Evidence {
            guid: "A0000001",
            recorded_seconds: 10,
            stats_seconds: 40,
            player_flags: "",
            end_reason: "objective",
            stats_duration_seconds: None,
            duration_seconds: None,
            pauses,
            timeline,
            duration_ms: 600_000,
            start_unix: 1_795_179_000,
            old_script: false,
        })
    }

    /// The unix time puts the pause far from the time dead; the play clock puts it into it.
    #[test]
    fn a_pause_lies_where_the_play_clock_says() {
        let timeline = [event("death", 100_000), event("spawn", 110_000)];
        let mut pause = Pause {
            start: 1_795_179_300,
            sec: 30,
            ..Pause::default()
        };
        assert_eq!(told(&timeline, &[pause]), "unknown");
        pause.at_play_ms = Some(105_000);
        assert_eq!(
            told(&timeline, &[pause]),
            "pause counted as dead by the stats file"
        );
    }

    #[test]
    fn numbers_at_the_edge_break_nothing() {
        for n in [i64::MIN, i64::MAX] {
            let timeline = [
                event("death", n),
                event("spawn", n.wrapping_neg()),
                event("death", n.wrapping_neg()),
            ];
            let pause = Pause {
                start: n,
                sec: n,
                ..Pause::default()
            };
            let pauses = vec![pause; 9];
            assert!(!told(&timeline, &pauses).is_empty());
            assert!(!told(&[], &pauses).is_empty());
        }
    }
}
