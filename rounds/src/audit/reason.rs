//! Why the recorder and the stats file disagree about a player's time dead.

use std::collections::BTreeSet;

use gametimes_format::check::bounds;
use gametimes_format::rules::STATS_ROUNDING_SECONDS;
use gametimes_format::{EventKind, Pause, TeamNumber, TimelineEvent};

use crate::pauses::pause_marks;

/// Why two times dead differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The recorder's row belongs to no round.
    NotLinked,
    /// No stats file of the round has arrived.
    NoStatsFile,
    /// The stats file does not have the player.
    NotInStatsFile,
    /// The player's counters in the stats file fell since the round before.
    CounterReset,
    /// The difference is smaller than the stats file's precision.
    Rounding,
    /// The stats file counts a pause as time dead.
    PauseCountedByStatsFile,
    /// The recorder, an old script, counts a pause as time dead.
    PauseCountedByRecorder,
    /// The player was dead when the round ended; the stats file misses that time.
    StillDead {
        /// The missed time.
        seconds: i64,
    },
    /// The player left the team or the server while dead; the stats file misses that time.
    LeftWhileDead {
        /// The missed time.
        seconds: i64,
    },
    /// Both of the above.
    LeftAndStillDead,
    /// The stats file counts a pause, and misses a time dead that had not ended.
    PauseCountedOpenTimeMissed,
    /// The stats file continues counting after a surrender or the time limit.
    CountedAfterTheEnd,
    /// Nothing that is recorded explains the difference.
    Unknown,
}

impl Reason {
    /// A short text for tables and the API.
    pub fn label(self) -> String {
        match self {
            Self::NotLinked => "the round is not linked".into(),
            Self::NoStatsFile => "no stats file".into(),
            Self::NotInStatsFile => "player missing on one side: not in the stats file".into(),
            Self::CounterReset => {
                "counter reset: the stats file's counters fell since the round before".into()
            }
            Self::Rounding => "rounding: the stats file has a precision of 6 seconds".into(),
            Self::PauseCountedByStatsFile => "pause counted as dead by the stats file".into(),
            Self::PauseCountedByRecorder => "pause counted as dead by the recorder".into(),
            Self::StillDead { seconds } => {
                format!("still dead at the end: {seconds} s that the stats file does not count")
            }
            Self::LeftWhileDead { seconds } => format!(
                "left while dead (the team or the server): {seconds} s that the stats file does not count"
            ),
            Self::LeftAndStillDead => "left while dead, and still dead at the end".into(),
            Self::PauseCountedOpenTimeMissed => {
                "pause counted as dead by the stats file, which does not count having left or still being dead".into()
            }
            Self::CountedAfterTheEnd => {
                "surrender or time limit in the stats file: it counts on after the end".into()
            }
            Self::Unknown => "unknown".into(),
        }
    }

    /// What the reason means and what to do about it, in a sentence or two.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::NotLinked => "No round was found for this report. The page Delivery shows why.",
            Self::NoStatsFile => {
                "No stats file of this round has arrived. Check the bot's folders and the server's gamestats script."
            }
            Self::NotInStatsFile => {
                "Only one of the two has this player: they joined or left around the end, or have another guid there."
            }
            Self::CounterReset => {
                "The player's counters started again during the round: they reconnected, or the server restarted."
            }
            Self::Rounding => {
                "The stats file rounds to 6 seconds, so a difference this small has no meaning."
            }
            Self::PauseCountedByStatsFile
            | Self::PauseCountedByRecorder
            | Self::PauseCountedOpenTimeMissed => {
                "A player who was dead when the match was paused stayed dead in that count while the clock stood still. The other number is right."
            }
            Self::StillDead { .. } => {
                "The stats file adds a time dead when it ends with a spawn; the last one of the round did not."
            }
            Self::LeftWhileDead { .. } | Self::LeftAndStillDead => {
                "The recorder counts the time dead until the player left; the stats file drops it."
            }
            Self::CountedAfterTheEnd => {
                "The stats file uses the full time limit as the round's length, so its times are too long."
            }
            Self::Unknown => "Nothing that is recorded explains it. Look at the round's timeline.",
        }
    }
}

/// Everything that the reason depends on.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The player, as in the timeline.
    pub guid: &'a str,
    /// Time dead according to the recorder.
    pub recorded_seconds: i64,
    /// Time dead according to the stats file.
    pub stats_seconds: i64,
    /// Whether the stats file's counters of the player were reset.
    pub counter_reset: bool,
    /// Whether the round ended by surrender or time limit. The stats file continues counting then.
    pub ended_early: bool,
    /// The round's duration according to the stats file.
    pub stats_duration_seconds: Option<i64>,
    /// The round's duration according to the recorder.
    pub duration_seconds: Option<i64>,
    /// The pauses of the round.
    pub pauses: &'a [Pause],
    /// The timeline of the round; empty if the recorder wrote none.
    pub timeline: &'a [TimelineEvent],
    /// The round's exact duration.
    pub duration_ms: i64,
    /// When play began.
    pub start_unix: i64,
    /// The recorder is an old script, which counts pauses as time dead.
    pub old_script: bool,
}

/// The most likely reason: first what is flagged, then what explains the difference to within the rounding.
pub fn reason(e: &Evidence<'_>) -> Reason {
    let more = e.recorded_seconds - e.stats_seconds;
    if e.counter_reset {
        return Reason::CounterReset;
    }
    if more.abs() <= STATS_ROUNDING_SECONDS {
        return Reason::Rounding;
    }
    let spells = spells(e);
    let explained = |seconds: i64| (more.abs() - seconds).abs() <= STATS_ROUNDING_SECONDS;
    let pauses = sums(&pauses_while_dead(e, &spells));
    if (more < 0 || e.old_script) && pauses.iter().copied().any(explained) {
        return if more < 0 {
            Reason::PauseCountedByStatsFile
        } else {
            Reason::PauseCountedByRecorder
        };
    }
    let sum_of = |end: End| -> i64 {
        let ended = spells.iter().filter(|s| s.end == end);
        ended.map(Spell::seconds).sum()
    };
    let (open, left) = (sum_of(End::Open), sum_of(End::Left));
    if more > 0 && open > 0 && explained(open) {
        return Reason::StillDead { seconds: open };
    }
    if more > 0 && left > 0 && explained(left) {
        return Reason::LeftWhileDead { seconds: left };
    }
    if more > 0 && open > 0 && left > 0 && explained(open + left) {
        return Reason::LeftAndStillDead;
    }
    let missed = open + left;
    if missed > 0
        && pauses
            .iter()
            .any(|p| (more - missed + p).abs() <= STATS_ROUNDING_SECONDS)
    {
        return Reason::PauseCountedOpenTimeMissed;
    }
    let beyond =
        e.stats_duration_seconds.unwrap_or_default() - e.duration_seconds.unwrap_or_default();
    let counts_on = e.ended_early && beyond > STATS_ROUNDING_SECONDS;
    if more < 0 && counts_on && -more <= beyond + STATS_ROUNDING_SECONDS {
        return Reason::CountedAfterTheEnd;
    }
    Reason::Unknown
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
    /// The player spawned or was revived.
    Alive,
    /// The round ended.
    Open,
    /// The player left or changed the team while dead: the stats scripts stop counting.
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

/// The lengths of the pauses that began while the player was dead, or of all pauses if there is no timeline.
fn pauses_while_dead(e: &Evidence<'_>, spells: &[Spell]) -> Vec<i64> {
    let mut lengths = Vec::new();
    for mark in pause_marks(e.pauses, e.start_unix) {
        // Unix times are cut to seconds.
        let dead = |s: &Spell| {
            (s.from_ms.saturating_sub(1500)..=s.to_ms.saturating_add(1500)).contains(&mark.at_ms)
        };
        if mark.seconds > 0 && (e.timeline.is_empty() || spells.iter().any(dead)) {
            lengths.push(mark.seconds);
        }
    }
    lengths
}

/// The sums of all ways to choose some of a few pauses.
fn sums(pauses: &[i64]) -> Vec<i64> {
    let mut sums = BTreeSet::from([0]);
    for pause in pauses.iter().take(8) {
        let with: Vec<i64> = sums.iter().map(|s| s + pause).collect();
        sums.extend(with);
    }
    sums.into_iter().filter(|s| *s > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, t_ms: i64) -> TimelineEvent {
        let event = serde_json::json!({"t_ms": t_ms, "kind": kind, "guid": "A0000001"});
        serde_json::from_value(event).unwrap()
    }

    fn reason_of(timeline: &[TimelineEvent], pauses: &[Pause]) -> Reason {
        reason(&Evidence {
            guid: "A0000001",
            recorded_seconds: 10,
            stats_seconds: 40,
            counter_reset: false,
            ended_early: false,
            stats_duration_seconds: None,
            duration_seconds: None,
            pauses,
            timeline,
            duration_ms: 600_000,
            start_unix: 1_795_179_000,
            old_script: false,
        })
    }

    /// By unix time the pause is far from the time dead; by the play clock it is inside.
    #[test]
    fn pause_is_placed_by_the_play_clock() {
        let timeline = [event("death", 100_000), event("spawn", 110_000)];
        let mut pause = Pause {
            start: 1_795_179_300,
            sec: 30,
            ..Pause::default()
        };
        assert_eq!(reason_of(&timeline, &[pause.clone()]), Reason::Unknown);
        pause.at_play_ms = Some(105_000);
        assert_eq!(
            reason_of(&timeline, &[pause]),
            Reason::PauseCountedByStatsFile
        );
    }

    #[test]
    fn extreme_numbers_do_not_overflow() {
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
            assert!(!reason_of(&timeline, &pauses).label().is_empty());
            assert!(!reason_of(&[], &pauses).label().is_empty());
        }
    }
}
