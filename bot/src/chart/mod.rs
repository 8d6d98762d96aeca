//! The timeline of a round as a picture: who was alive, wounded, waiting to respawn or absent, and when.
//!
//! [`Chart::new`] makes a lane per player from a stored round. [`Chart::svg`] gives everything its place ([`layout`]) and
//! renders the template `timeline.svg`. [`match_svg`] draws both rounds of a match on one scale. [`png::render`] turns the SVG
//! into a PNG.

mod colour;
mod lanes;
mod layout;
mod matches;
mod objectives;
pub mod png;
mod scale;
mod text;

use gametimes_format::text::displayable;
use gametimes_format::{Pause, Team, TimelineEvent};
use gametimes_rounds::pauses::{PauseMark, pause_marks};

pub use self::colour::Theme;
pub use self::lanes::{Lane, Span, State};
pub use self::matches::match_svg;
pub use self::objectives::{Objective, Shape};
use crate::db::rounds::RoundDetail;
use crate::db::{Db, DbError};
use crate::display;

/// How much larger than the SVG a PNG is, so that it looks sharp on high-resolution screens.
pub const PNG_SCALE: f32 = 1.5;

/// Larger rounds are not drawn, because a file can claim any number up to 65,536. The recorded matches have up to 15 events a minute
/// for each player; 64 players reach this number in 40 minutes.
const EVENTS_MAX: usize = 40_000;
/// Players come and go, so there can be more of them than slots.
const PLAYERS_MAX: usize = 256;

/// A round, ready to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Map and round: `supply, round 1`.
    pub title: String,
    /// Result, end, duration, score, pauses, server and date.
    pub facts: Vec<String>,
    /// Why the round ended.
    pub end: String,
    /// The time played.
    pub duration_ms: i64,
    /// The pauses, in order.
    pub pauses: Vec<PauseMark>,
    /// The players: Axis, Allies, others.
    pub lanes: Vec<Lane>,
    /// What a team did with an objective, if no player is known for it.
    pub objectives: Vec<(Option<Team>, Objective)>,
    /// Whether the round has a timeline that can be drawn.
    pub has_timeline: bool,
    /// The reason why it cannot be drawn.
    pub no_timeline: String,
    /// The time to beat, on the play clock. It is marked only beside the other round of the match.
    pub target_ms: Option<i64>,
    /// The scale that the rounds of a match share; `None` if the round fills the width.
    px_per_ms: Option<f64>,
}

impl Chart {
    /// Reads a round from the database; `None` if there is no round with this id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn load(db: &Db, id: i64) -> Result<Option<Self>, DbError> {
        let page = db.round_page(id).await?;
        Ok(page.map(|page| Self::new(&page.detail, &page.timeline)))
    }

    /// Makes the lanes of a round from its timeline.
    pub fn new(detail: &RoundDetail, events: &[TimelineEvent]) -> Self {
        let round = &detail.round;
        let last_event = events.iter().map(|e| e.t_ms).max().unwrap_or_default();
        let duration_ms = round
            .duration_ms
            .or(round
                .actual_duration_seconds
                .map(|s| s.saturating_mul(1000)))
            .unwrap_or_default()
            .max(last_event);
        let facts = display::facts(detail);
        let is_drawable = events.len() <= EVENTS_MAX && detail.players.len() <= PLAYERS_MAX;
        let no_timeline = if round.recorder.is_none() {
            "No timeline: no recorder's report has arrived for this round.".to_owned()
        } else if is_drawable {
            "No timeline: the recorder of this round wrote none.".to_owned()
        } else {
            let (events, players) = (events.len(), detail.players.len());
            format!("No timeline: {events} events of {players} players are too many for a picture.")
        };
        Self {
            title: format!(
                "{}, round {}",
                displayable(&round.map_name),
                round.round_number
            ),
            facts: facts.iter().map(|fact| displayable(fact)).collect(),
            end: displayable(&display::end(detail)),
            duration_ms,
            pauses: pauses(detail, duration_ms),
            lanes: match is_drawable {
                true => lanes::build(&detail.players, events, duration_ms),
                false => Vec::new(),
            },
            objectives: match is_drawable {
                true => objectives::of_teams(events),
                false => Vec::new(),
            },
            has_timeline: is_drawable && !events.is_empty(),
            no_timeline,
            target_ms: None,
            px_per_ms: None,
        }
    }
}

fn pauses(detail: &RoundDetail, duration_ms: i64) -> Vec<PauseMark> {
    let Some(recorded) = &detail.recorded else {
        return Vec::new();
    };
    let pauses: Vec<Pause> = serde_json::from_value(recorded.pauses.clone()).unwrap_or_default();
    let start = detail.round.round_start_unix.unwrap_or_default();
    let mut marks = pause_marks(&pauses, start);
    for mark in &mut marks {
        mark.at_ms = mark.at_ms.clamp(0, duration_ms);
    }
    marks.sort_by_key(|mark| mark.at_ms);
    marks
}

#[cfg(test)]
mod tests;
