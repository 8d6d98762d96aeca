//! What happened to the objectives of the map, drawn as shapes.

use std::collections::HashSet;

use gametimes_format::text::displayable;
use gametimes_format::{EventKind, ObjectiveAction, Team, TeamNumber, TimelineEvent};

use super::scale::Px;

/// How an objective is drawn. The shapes can be told apart without colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Something was taken or brought back.
    Flag,
    /// Dynamite was planted or defused, or exploded.
    Bomb,
    /// An engineer built or repaired something.
    Wrench,
}

/// Something that happened to an objective.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objective {
    /// When it happened, on the play clock.
    pub t_ms: i64,
    /// How it is drawn.
    pub shape: Shape,
    /// What was done, to come after a name: `took the Gold`.
    pub what: String,
}

impl Shape {
    /// All shapes with their explanations.
    pub(super) const ALL: [(Self, &str); 3] = [
        (Self::Flag, "objective taken or returned"),
        (Self::Bomb, "dynamite planted, defused or exploded"),
        (Self::Wrench, "built or repaired"),
    ];

    /// The shape as an SVG path around a point, `r` high and wide in both directions.
    pub(super) fn path(self, x: Px, y: Px, r: Px) -> String {
        let part = |share: f64| Px(r.0 * share);
        let (left, right, top, bottom) = (x - r, x + r, y - r, y + r);
        match self {
            Self::Flag => {
                let pole = x - part(0.45);
                format!("M{left} {top}H{right}V{y}H{pole}V{bottom}H{left}Z")
            }
            Self::Bomb => {
                let radius = part(0.8);
                let (center, diameter) = (y + part(0.2), part(1.6));
                let (start, fuse) = (x - radius, y - part(0.6));
                format!(
                    "M{start} {center}A{radius} {radius} 0 0 1 {x} {fuse}L{} {top}H{right}V{fuse}L{} {}A{radius} {radius} 0 1 1 {start} {center}Z",
                    x + part(0.4),
                    start + diameter,
                    center
                )
            }
            Self::Wrench => {
                let b = part(0.4);
                let (l, r) = (x - b, x + b);
                let (head, neck) = (y - b, y + part(0.1));
                format!(
                    "M{l} {bottom}V{neck}H{left}V{top}H{l}V{head}H{r}V{top}H{right}V{neck}H{r}V{bottom}Z"
                )
            }
        }
    }
}

impl Objective {
    /// The objective of an event; `None` if it is not drawn, like announcements.
    pub(super) fn new(event: &TimelineEvent) -> Option<Self> {
        use ObjectiveAction::{
            Announce, Defused, Destroyed, Other, PickedUp, Planted, Repaired, Returned, Stolen,
        };
        let (shape, verb) = match event.action? {
            PickedUp | Stolen => (Shape::Flag, "took"),
            Returned => (Shape::Flag, "returned"),
            Planted => (Shape::Bomb, "planted dynamite at"),
            Defused => (Shape::Bomb, "defused dynamite at"),
            Destroyed => (Shape::Bomb, "destroyed"),
            Repaired => (Shape::Wrench, "built or repaired"),
            Announce | Other => return None,
        };
        let text = event.text.as_deref().filter(|text| !text.is_empty());
        let text = match (text, shape) {
            (Some(text), _) => displayable(text),
            (None, Shape::Wrench) => "something".to_owned(),
            (None, _) => "an objective".to_owned(),
        };
        Some(Self {
            t_ms: event.t_ms,
            shape,
            what: format!("{verb} {text}"),
        })
    }
}

/// Whether an event is about an objective and no player.
pub(super) fn is_of_a_team(event: &TimelineEvent) -> bool {
    event.kind == EventKind::Objective && event.guid.is_empty() && event.name.is_none()
}

/// The objectives that no player is known for. What a player has picked up is in the player's lane.
pub(super) fn of_teams(events: &[TimelineEvent]) -> Vec<(Option<Team>, Objective)> {
    let picked_up = |e: &&TimelineEvent| e.action == Some(ObjectiveAction::PickedUp);
    let picked_up: HashSet<_> = events.iter().filter(picked_up).map(|e| e.t_ms).collect();
    let is_drawn = |e: &&TimelineEvent| {
        let in_a_lane = e.action == Some(ObjectiveAction::Stolen) && picked_up.contains(&e.t_ms);
        is_of_a_team(e) && !in_a_lane
    };
    let team = |e: &TimelineEvent| e.team.and_then(TeamNumber::team);
    events
        .iter()
        .filter(is_drawn)
        .filter_map(|e| Some((team(e), Objective::new(e)?)))
        .collect()
}
