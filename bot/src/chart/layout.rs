//! Where everything is in the picture. The template `timeline.svg` draws what is laid out here.
//!
//! The states have different heights, so that they can be told apart without colours.

use askama::Template;
use gametimes_format::Team;
use gametimes_format::text::counted;
use gametimes_rounds::pauses::PauseMark;

use super::colour::{Colour, Paint, Theme};
use super::scale::{Band, Px, Scale, ticks};
use super::text::fit;
use super::{Chart, Lane, Objective, Shape, Span, State};
use crate::display::{clock, clock_ms};

pub(super) const WIDTH: Px = Px(1200.0);
const MARGIN: Px = Px(16.0);
/// The widths of the names to the left of the lanes and of the numbers to the right.
const NAMES: f64 = 186.0;
const NUMBERS: f64 = 132.0;
pub(super) const PLOT_WIDTH: f64 = WIDTH.0 - 2.0 * MARGIN.0 - NAMES - NUMBERS;
/// The right edges of the two columns of numbers.
const DEAD_X: Px = Px(WIDTH.0 - MARGIN.0 - 62.0);
const DENIED_X: Px = Px(WIDTH.0 - MARGIN.0);
/// Where the lanes begin.
const PLOT_LEFT: Px = Px(MARGIN.0 + NAMES);
const PLOT_TOP: Px = Px(96.0);
/// The heights of a team's heading, of the axis with the legend, and of the text in place of a timeline.
const HEADING: f64 = 24.0;
const FOOT: f64 = 74.0;
const FOOT_WITHOUT_LEGEND: f64 = 34.0;
/// The height of the legend's second line, which explains the shapes of objectives.
const SECOND_LINE: f64 = 22.0;
/// Half the size of the shapes in the legend and in the headings.
const SHAPE: Px = Px(6.0);
const NO_TIMELINE: f64 = 60.0;

/// The whole picture.
#[derive(Template)]
#[template(path = "timeline.svg", whitespace = "minimize")]
pub(super) struct Picture {
    theme: Theme,
    /// Where it is in the picture of a match; `None` if it stands alone.
    y: Option<Px>,
    pub(super) height: Px,
    /// The description for screen readers.
    pub(super) label: String,
    title: String,
    facts: String,
    /// `None` for a round without a timeline.
    plot: Option<Plot>,
    /// What is shown without a timeline.
    no_timeline: String,
    legend: Option<Legend>,
}

impl Picture {
    fn fill(&self, colour: Colour) -> Paint {
        colour.fill(self.theme)
    }

    fn stroke(&self, colour: Colour) -> Paint {
        colour.stroke(self.theme)
    }

    /// The colour of the outline of marks, which separates them from the bars.
    fn outline(&self) -> &'static str {
        Colour::Background.in_theme(self.theme)
    }
}

/// The lanes with their axis.
struct Plot {
    sections: Vec<Section>,
    pauses: Vec<PauseBand>,
    ticks: Vec<Tick>,
    right: Px,
    bottom: Px,
    /// The time at the end of the axis.
    duration: String,
    /// Why the round ended.
    end: String,
    /// The time to beat.
    target: Option<Target>,
    sizes: Sizes,
}

/// The mark of the time to beat.
struct Target {
    x: Px,
    label: String,
}

/// The sizes of a lane. With many players the lanes are lower.
#[derive(Clone, Copy)]
struct Sizes {
    lane: f64,
    font: f64,
    /// Half the width of the diamond for a kill.
    kill: Px,
    /// Half the width of the cross for a revive, and of its bars.
    revive: Px,
    revive_bar: Px,
    /// Half the size of the shape for an objective.
    objective: Px,
}

/// The lanes of a team.
struct Section {
    heading: String,
    heading_y: Px,
    /// What the team did with objectives, in the line of the heading.
    objectives: Vec<ShapeMark>,
    rows: Vec<Row>,
}

/// The lane of a player.
struct Row {
    name: String,
    dead: String,
    denied: String,
    text_y: Px,
    top: Px,
    height: Px,
    middle: Px,
    bars: Vec<Bar>,
    kills: Vec<Mark>,
    revives: Vec<Mark>,
    objectives: Vec<ShapeMark>,
}

/// A span of a lane.
struct Bar {
    colour: Colour,
    x: Px,
    y: Px,
    width: Px,
    height: Px,
    title: String,
}

/// A kill or a revive.
struct Mark {
    x: Px,
    title: String,
}

/// Something that happened to an objective.
struct ShapeMark {
    path: String,
    title: String,
}

impl ShapeMark {
    fn new(objective: &Objective, who: &str, scale: &Scale, y: Px, size: Px) -> Self {
        let Objective { t_ms, shape, what } = objective;
        Self {
            path: shape.path(scale.x(*t_ms), y, size),
            title: format!("{}: {who} {what}", clock_ms(*t_ms)),
        }
    }
}

/// A pause, drawn over all lanes.
struct PauseBand {
    x: Px,
    width: Px,
    middle: Px,
    length: String,
    title: String,
}

/// A tick of the axis.
struct Tick {
    x: Px,
    /// `None` where the label would overlap that of the end.
    label: Option<String>,
}

/// The explanations at the bottom.
struct Legend {
    y: Px,
    bars: Vec<LegendBar>,
    revive_x: Px,
    kill_x: Px,
    pause_x: Px,
    /// The shapes of objectives, in a second line; empty for a round without any.
    shapes: Vec<LegendShape>,
    shapes_y: Px,
}

struct LegendShape {
    path: String,
    label_x: Px,
    label: &'static str,
}

struct LegendBar {
    colour: Colour,
    x: Px,
    y: Px,
    height: Px,
    label: &'static str,
}

impl Chart {
    /// The picture as an SVG document.
    pub fn svg(&self, theme: Theme) -> String {
        let mut svg = String::with_capacity(64 * 1024);
        let rendered = self.picture(theme, None, true).render_into(&mut svg);
        rendered.unwrap_or_else(|e| unreachable!("writing to a string cannot fail: {e}"));
        svg
    }

    pub(super) fn picture(&self, theme: Theme, y: Option<Px>, has_legend: bool) -> Picture {
        let sizes = Sizes::for_lanes(self.lanes.len());
        let teams = self.lanes_by_team();
        let plot_height = if self.has_timeline {
            let heights = teams
                .iter()
                .map(|(_, _, lanes)| HEADING + sizes.lane * lanes.len() as f64);
            heights.sum()
        } else {
            NO_TIMELINE
        };
        let bottom = PLOT_TOP + plot_height;
        let has_objectives = self.has_objectives();
        let legend_y = bottom + FOOT - 20.0;
        let height = match (has_legend, has_objectives) {
            (false, _) => bottom + FOOT_WITHOUT_LEGEND,
            (true, false) => bottom + FOOT,
            (true, true) => bottom + FOOT + SECOND_LINE,
        };
        Picture {
            theme,
            y,
            height,
            label: format!("Timeline of {}: {}", self.title, self.facts.join(", ")),
            title: fit(&self.title, 48.0),
            facts: fit(&self.facts.join("  ·  "), 80.0),
            plot: self.has_timeline.then(|| self.plot(&teams, sizes, bottom)),
            legend: has_legend.then(|| Legend::new(legend_y, has_objectives)),
            no_timeline: self.no_timeline.clone(),
        }
    }

    fn has_objectives(&self) -> bool {
        let mut lanes = self.lanes.iter();
        self.has_timeline
            && (!self.objectives.is_empty() || lanes.any(|lane| !lane.objectives.is_empty()))
    }

    /// The teams that have players, with the lanes that are not empty.
    fn lanes_by_team(&self) -> Vec<(&'static str, Option<Team>, Vec<&Lane>)> {
        let teams = [
            ("Axis", Some(Team::Axis)),
            ("Allies", Some(Team::Allies)),
            ("Other", None),
        ];
        let is_present = |lane: &&Lane| lane.spans.iter().any(|s| s.state != State::Absent);
        let lanes_of = |team| {
            let lanes = self.lanes.iter().filter(|lane| lane.team == team);
            lanes.filter(is_present).collect::<Vec<_>>()
        };
        let teams = teams.map(|(name, team)| (name, team, lanes_of(team)));
        teams
            .into_iter()
            .filter(|(_, _, lanes)| !lanes.is_empty())
            .collect()
    }

    fn plot(&self, teams: &[(&str, Option<Team>, Vec<&Lane>)], sizes: Sizes, bottom: Px) -> Plot {
        let scale = Scale::new(self, PLOT_LEFT, PLOT_WIDTH);
        let right = scale.x(self.duration_ms);
        let mut sections = Vec::new();
        let mut y = PLOT_TOP;
        for (team, number, lanes) in teams {
            let heading_y = y + 16.0;
            y = y + HEADING;
            let mut rows = Vec::with_capacity(lanes.len());
            for lane in lanes {
                rows.push(Row::new(lane, &scale, y, sizes));
                y = y + sizes.lane;
            }
            sections.push(Section {
                heading: format!("{team}, {}", counted(lanes.len(), "player")),
                heading_y,
                objectives: self
                    .objectives
                    .iter()
                    .filter(|(of, _)| of == number)
                    .map(|(_, o)| ShapeMark::new(o, team, &scale, heading_y - 5.0, SHAPE))
                    .collect(),
                rows,
            });
        }
        Plot {
            sections,
            pauses: scale
                .bands
                .iter()
                .map(|band| PauseBand::new(band, &scale))
                .collect(),
            ticks: ticks(self.duration_ms)
                .map(|t_ms| Tick::new(t_ms, scale.x(t_ms), right))
                .collect(),
            right,
            bottom,
            duration: clock_ms(self.duration_ms),
            end: fit(&format!("⚑ {}", self.end), 40.0),
            target: self.target_ms.map(|t_ms| Target {
                x: scale.x(t_ms),
                label: format!("to beat: {}", clock_ms(t_ms)),
            }),
            sizes,
        }
    }
}

impl Sizes {
    fn for_lanes(count: usize) -> Self {
        let lane: f64 = match count {
            0..=12 => 28.0,
            13..=24 => 22.0,
            _ => 18.0,
        };
        let mark = (lane * 0.2).min(5.0);
        Self {
            lane,
            font: if lane < 20.0 { 12.0 } else { 13.0 },
            kill: Px(mark),
            revive: Px(mark * 1.15),
            revive_bar: Px(mark * 0.4),
            objective: Px(mark * 1.3),
        }
    }
}

impl Row {
    fn new(lane: &Lane, scale: &Scale, y: Px, sizes: Sizes) -> Self {
        let (top, height) = (y + 2.0, sizes.lane - 4.0);
        let middle = y + sizes.lane / 2.0;
        let number = |ms: Option<i64>| ms.map_or_else(|| "–".to_owned(), clock_ms);
        let bar = |span: &Span| {
            let (from, to) = (scale.x(span.from_ms), scale.x(span.to_ms));
            let (colour, part) = look(span.state)?;
            Some(Bar {
                colour,
                x: from,
                // All bars stand on the bottom of the lane.
                y: top + height * (1.0 - part),
                width: Px((to - from).0.max(0.4)),
                height: Px(height * part),
                title: span_title(lane, span),
            })
        };
        let kill = |(t_ms, victim): &(i64, String)| Mark {
            x: scale.x(*t_ms),
            title: format!("{}: {} killed {victim}", clock_ms(*t_ms), lane.name),
        };
        let revive = |(t_ms, medic): &(i64, String)| {
            let by = if medic.is_empty() { "" } else { " by " };
            Mark {
                x: scale.x(*t_ms),
                title: format!("{}: {} revived{by}{medic}", clock_ms(*t_ms), lane.name),
            }
        };
        Self {
            name: fit(&lane.name, (NAMES - 10.0) / sizes.font),
            dead: number(lane.dead_ms),
            denied: number(lane.denied_ms),
            text_y: middle + sizes.font * 0.36,
            top,
            height: Px(height),
            middle,
            bars: lane.spans.iter().filter_map(bar).collect(),
            kills: lane.kills.iter().map(kill).collect(),
            revives: lane.revives.iter().map(revive).collect(),
            objectives: lane
                .objectives
                .iter()
                .map(|o| ShapeMark::new(o, &lane.name, scale, middle, sizes.objective))
                .collect(),
        }
    }
}

/// The colour of a state, and how much of the lane's height its bar takes; `None` for a state that is not drawn.
fn look(state: State) -> Option<(Colour, f64)> {
    match state {
        State::Absent => None,
        State::Alive => Some((Colour::Alive, 1.0)),
        State::Wounded => Some((Colour::Wounded, 0.66)),
        State::Waiting => Some((Colour::Waiting, 0.33)),
    }
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Absent => "not there",
        State::Alive => "alive",
        State::Wounded => "wounded",
        State::Waiting => "waiting to respawn",
    }
}

/// The tooltip of a bar.
fn span_title(lane: &Lane, span: &Span) -> String {
    let (comma, cause) = match &span.cause {
        Some(cause) => (", ", cause.as_str()),
        None => ("", ""),
    };
    format!(
        "{}: {} {}–{} ({:.1} s){comma}{cause}",
        lane.name,
        state_name(span.state),
        clock_ms(span.from_ms),
        clock_ms(span.to_ms),
        (span.to_ms - span.from_ms) as f64 / 1000.0
    )
}

impl Tick {
    fn new(t_ms: i64, x: Px, right: Px) -> Self {
        let has_room = right - x > Px(46.0) || t_ms == 0;
        Self {
            x,
            label: has_room.then(|| clock(t_ms / 1000)),
        }
    }
}

impl PauseBand {
    fn new(band: &Band, scale: &Scale) -> Self {
        let PauseMark { at_ms, seconds } = band.pause;
        let x = scale.x(at_ms);
        Self {
            x,
            width: Px(band.width),
            middle: x + band.width / 2.0,
            length: clock(seconds),
            title: format!("pause at {}, {} long", clock(at_ms / 1000), clock(seconds)),
        }
    }
}

impl Legend {
    fn new(y: Px, has_objectives: bool) -> Self {
        const HEIGHT: f64 = 14.0;
        let mut x = MARGIN;
        let mut bars = Vec::new();
        for state in [State::Alive, State::Wounded, State::Waiting, State::Absent] {
            let (colour, part) = look(state).unwrap_or((Colour::Lane, 1.0));
            let label = state_name(state);
            bars.push(LegendBar {
                colour,
                x,
                y: y - 11.0 + HEIGHT * (1.0 - part),
                height: Px(HEIGHT * part),
                label,
            });
            x = x + 52.0 + label.len() as f64 * 7.4;
        }
        let shapes_y = y + SECOND_LINE;
        let mut shapes = Vec::new();
        let mut shape_x = MARGIN + SHAPE;
        for (shape, label) in Shape::ALL.into_iter().filter(|_| has_objectives) {
            let label_x = shape_x + SHAPE + 6.0;
            shapes.push(LegendShape {
                path: shape.path(shape_x, shapes_y - 4.5, SHAPE),
                label_x,
                label,
            });
            shape_x = label_x + 30.0 + label.len() as f64 * 7.0;
        }
        let revive_x = x + 6.0;
        let kill_x = x + 92.0;
        Self {
            y,
            bars,
            revive_x,
            kill_x,
            pause_x: kill_x + 140.0,
            shapes,
            shapes_y,
        }
    }
}
