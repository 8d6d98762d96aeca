//! The drawing.
//!
//! Colours are given twice: as attributes for the light drawing, which every viewer and PNG understands, and as a style for
//! viewers on a dark screen. States differ in height too, so that they can be told apart without any colour.

use std::fmt::Write;

use super::text::{escape, fit};
use super::{Chart, Lane, PauseMark, Span, State, Theme};
use crate::display::{clock, clock_ms};

const WIDTH: f64 = 1200.0;
const NAMES: f64 = 186.0;
const NUMBERS: f64 = 132.0;
const MARGIN: f64 = 16.0;
const HEAD: f64 = 96.0;
const FOOT: f64 = 74.0;

/// Class, light colour, dark colour. The states' colours are of the palette of Okabe and Ito.
const COLOURS: [(&str, &str, &str); 12] = [
    ("bg", "#ffffff", "#16191d"),
    ("lane", "#f1f3f5", "#22272d"),
    ("ink", "#1b1f24", "#e8eaed"),
    ("dim", "#555d66", "#aab2bb"),
    ("grid", "#cfd4da", "#3b424a"),
    ("alive", "#56b4e9", "#56b4e9"),
    ("wounded", "#e69f00", "#e69f00"),
    ("waiting", "#7a3b69", "#cc79a7"),
    ("revive", "#006d4e", "#00c896"),
    ("kill", "#1b1f24", "#ffffff"),
    ("pause", "#9aa3ad", "#6d7680"),
    ("end", "#b23c00", "#ff8a50"),
];

struct Drawing {
    out: String,
    theme: Theme,
}

impl Drawing {
    /// A class with its colour as an attribute.
    fn paint(&self, class: &str, attribute: &str) -> String {
        let colours = COLOURS.iter().find(|(name, ..)| *name == class);
        let (_, light, dark) = colours.copied().unwrap_or(("ink", "#000", "#fff"));
        let colour = if self.theme == Theme::Dark {
            dark
        } else {
            light
        };
        let prefix = if attribute == "fill" { "f" } else { "s" };
        format!("class=\"{prefix}-{class}\" {attribute}=\"{colour}\"")
    }

    fn rect(&mut self, class: &str, area: [f64; 4], rest: &str, title: &str) {
        let [x, y, w, h] = area;
        let paint = self.paint(class, "fill");
        let _ = write!(
            self.out,
            "<rect {paint} x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\"{rest}"
        );
        if title.is_empty() {
            self.out.push_str("/>");
        } else {
            let _ = write!(self.out, "><title>{}</title></rect>", escape(title));
        }
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64), width: f64) {
        let paint = self.paint(class, "stroke");
        let _ = write!(
            self.out,
            "<path {paint} stroke-width=\"{width}\" d=\"M{:.1} {:.1}L{:.1} {:.1}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    fn text(&mut self, class: &str, at: (f64, f64), size: f64, anchor: &str, text: &str) {
        let paint = self.paint(class, "fill");
        let _ = write!(
            self.out,
            "<text {paint} x=\"{:.1}\" y=\"{:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\">{}</text>",
            at.0,
            at.1,
            escape(text)
        );
    }

    /// A mark with an outline in the background's colour.
    fn mark(&mut self, class: &str, path: &str, title: &str) {
        let (fill, outline) = (
            self.paint(class, "fill"),
            if self.theme == Theme::Dark {
                "#16191d"
            } else {
                "#ffffff"
            },
        );
        let _ = write!(
            self.out,
            "<path {fill} stroke=\"{outline}\" stroke-width=\"1\" d=\"{path}\"><title>{}</title></path>",
            escape(title)
        );
    }
}

/// From the play clock to the drawing: pauses take room, but not more than a band.
struct Scale {
    x0: f64,
    per_ms: f64,
    /// When, and how wide.
    bands: Vec<(PauseMark, f64)>,
}

impl Scale {
    fn new(chart: &Chart) -> Self {
        let room = WIDTH - 2.0 * MARGIN - NAMES - NUMBERS;
        let paused: i64 = chart.pauses.iter().map(|p| p.seconds).sum();
        let whole_ms = (chart.duration_ms + paused.saturating_mul(1000)).max(1);
        let raw = room / whole_ms as f64;
        let mut bands: Vec<(PauseMark, f64)> = chart
            .pauses
            .iter()
            .map(|p| (*p, (p.seconds as f64 * 1000.0 * raw).clamp(14.0, 56.0)))
            .collect();
        let sum: f64 = bands.iter().map(|b| b.1).sum();
        if sum > room / 3.0 {
            bands.iter_mut().for_each(|b| b.1 *= room / 3.0 / sum);
        }
        let left = room - bands.iter().map(|b| b.1).sum::<f64>();
        Self {
            x0: MARGIN + NAMES,
            per_ms: left / chart.duration_ms.max(1) as f64,
            bands,
        }
    }

    fn x(&self, t_ms: i64) -> f64 {
        let bands = self.bands.iter().filter(|(stop, _)| stop.at_ms < t_ms);
        self.x0 + t_ms as f64 * self.per_ms + bands.map(|b| b.1).sum::<f64>()
    }
}

impl Chart {
    /// The picture as a whole SVG document.
    pub fn svg(&self, theme: Theme) -> String {
        let lane = match self.lanes.len() {
            0..=12 => 28.0,
            13..=24 => 22.0,
            _ => 18.0,
        };
        let groups = self.groups();
        let plot: f64 = groups.iter().map(|g| 24.0 + lane * g.1.len() as f64).sum();
        let plot = if self.known { plot } else { 60.0 };
        let height = HEAD + plot + FOOT;
        let mut d = Drawing {
            out: String::with_capacity(64 * 1024),
            theme,
        };
        let summary = format!("Timeline of {}: {}", self.title, self.facts.join(", "));
        let _ = write!(
            d.out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"timeline\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
             width=\"{WIDTH}\" height=\"{height:.0}\" role=\"img\" aria-label=\"{}\" \
             font-family=\"'DejaVu Sans', 'Noto Sans', system-ui, sans-serif\">",
            escape(&summary)
        );
        if theme == Theme::Auto {
            d.out
                .push_str("<style>@media (prefers-color-scheme: dark) {");
            for (class, _, dark) in COLOURS {
                let _ = write!(
                    d.out,
                    ".timeline .f-{class}{{fill:{dark}}}.timeline .s-{class}{{stroke:{dark}}}"
                );
            }
            d.out.push_str("}</style>");
        }
        d.rect("bg", [0.0, 0.0, WIDTH, height], "", "");
        d.text(
            "ink",
            (MARGIN, 34.0),
            22.0,
            "start",
            &fit(&self.title, 48.0),
        );
        d.text(
            "dim",
            (MARGIN, 58.0),
            13.5,
            "start",
            &fit(&self.facts.join("  ·  "), 80.0),
        );
        if self.known {
            self.plot(&mut d, &groups, lane, plot);
        } else {
            let why = "No timeline: the recorder of this round wrote none.";
            d.text("ink", (MARGIN, HEAD + 30.0), 16.0, "start", why);
        }
        legend(&mut d, height - 20.0);
        d.out.push_str("</svg>");
        d.out
    }

    fn groups(&self) -> Vec<(&'static str, Vec<&Lane>)> {
        let of = |wanted: fn(i64) -> bool| -> Vec<&Lane> {
            let there =
                |l: &&Lane| wanted(l.team) && l.spans.iter().any(|s| s.state != State::Absent);
            self.lanes.iter().filter(there).collect()
        };
        let mut groups = vec![
            ("Axis", of(|t| t == 1)),
            ("Allies", of(|t| t == 2)),
            ("Other", of(|t| !matches!(t, 1 | 2))),
        ];
        groups.retain(|(_, lanes)| !lanes.is_empty());
        groups
    }

    fn plot(&self, d: &mut Drawing, groups: &[(&str, Vec<&Lane>)], lane: f64, plot: f64) {
        let scale = Scale::new(self);
        let (left, right, bottom) = (scale.x0, scale.x(self.duration_ms), HEAD + plot);
        let columns = [WIDTH - MARGIN - 62.0, WIDTH - MARGIN];
        let mut y = HEAD;
        for (i, (name, lanes)) in groups.iter().enumerate() {
            let count = match lanes.len() {
                1 => "1 player".to_owned(),
                n => format!("{n} players"),
            };
            d.text(
                "ink",
                (MARGIN, y + 16.0),
                14.0,
                "start",
                &format!("{name}, {count}"),
            );
            if i == 0 {
                d.text("dim", (columns[0], y + 16.0), 12.0, "end", "dead");
                d.text("dim", (columns[1], y + 16.0), 12.0, "end", "denied");
            }
            y += 24.0;
            for player in lanes {
                draw_lane(d, player, &scale, y, lane, right);
                let size = if lane < 20.0 { 12.0 } else { 13.0 };
                let base = y + lane / 2.0 + size * 0.36;
                let name = fit(&player.name, (NAMES - 10.0) / size);
                d.text("ink", (MARGIN, base), size, "start", &name);
                for (x, ms) in columns.iter().zip([player.dead_ms, player.denied_ms]) {
                    let shown = ms.map_or_else(|| "–".to_owned(), clock_ms);
                    d.text("ink", (*x, base), size, "end", &shown);
                }
                y += lane;
            }
        }
        for (stop, width) in &scale.bands {
            let x = scale.x(stop.at_ms);
            let title = format!(
                "pause at {}, {} long",
                clock(stop.at_ms / 1000),
                clock(stop.seconds)
            );
            let top = HEAD + 4.0;
            d.rect(
                "pause",
                [x, top, *width, bottom - top],
                " fill-opacity=\"0.82\"",
                &title,
            );
            d.text(
                "dim",
                (x + width / 2.0, HEAD - 2.0),
                11.0,
                "middle",
                &format!("❚❚ {}", clock(stop.seconds)),
            );
        }
        axis(d, &scale, self.duration_ms, bottom);
        d.line("end", (right, HEAD - 14.0), (right, bottom + 6.0), 2.0);
        let end = format!("⚑ {}", self.end);
        d.text("end", (right, HEAD - 18.0), 12.0, "end", &fit(&end, 40.0));
        d.line("grid", (left, HEAD + 4.0), (left, bottom + 6.0), 1.0);
    }
}

fn draw_lane(d: &mut Drawing, player: &Lane, scale: &Scale, y: f64, height: f64, right: f64) {
    let bar = height - 4.0;
    d.rect("lane", [scale.x0, y + 2.0, right - scale.x0, bar], "", "");
    for span in player.spans.iter().filter(|s| s.state != State::Absent) {
        let (class, part) = match span.state {
            State::Alive => ("alive", 1.0),
            State::Wounded => ("wounded", 0.66),
            _ => ("waiting", 0.33),
        };
        let (from, to) = (scale.x(span.from_ms), scale.x(span.to_ms));
        // All stand on the lane's floor, like a bar that runs low.
        let top = y + 2.0 + bar * (1.0 - part);
        d.rect(
            class,
            [from, top, (to - from).max(0.4), bar * part],
            "",
            &tell(player, span),
        );
    }
    let r = (height * 0.2).min(5.0);
    for (t_ms, victim) in &player.kills {
        let (x, y) = (scale.x(*t_ms), y + height * 0.5);
        let path = format!(
            "M{x:.1} {:.1}L{:.1} {y:.1}L{x:.1} {:.1}L{:.1} {y:.1}Z",
            y - r,
            x + r,
            y + r,
            x - r
        );
        let title = format!("{}: {} killed {victim}", clock_ms(*t_ms), player.name);
        d.mark("kill", &path, &title);
    }
    for (t_ms, medic) in &player.revives {
        let (x, y, a) = (scale.x(*t_ms), y + height * 0.5, r * 0.4);
        let by = if medic.is_empty() {
            String::new()
        } else {
            format!(" by {medic}")
        };
        let title = format!("{}: {} revived{by}", clock_ms(*t_ms), player.name);
        let r = r * 1.15;
        let path = plus(x, y, r, a);
        d.mark("revive", &path, &title);
    }
}

fn plus(x: f64, y: f64, r: f64, a: f64) -> String {
    let points = [
        (-a, -r),
        (a, -r),
        (a, -a),
        (r, -a),
        (r, a),
        (a, a),
        (a, r),
        (-a, r),
        (-a, a),
        (-r, a),
        (-r, -a),
        (-a, -a),
    ];
    let mut path = String::new();
    for (i, (dx, dy)) in points.into_iter().enumerate() {
        let _ = write!(
            path,
            "{}{:.1} {:.1}",
            if i == 0 { 'M' } else { 'L' },
            x + dx,
            y + dy
        );
    }
    path.push('Z');
    path
}

/// What a stretch of a lane is, for the tooltip.
fn tell(player: &Lane, span: &Span) -> String {
    let what = match span.state {
        State::Alive => "alive",
        State::Wounded => "wounded",
        State::Waiting => "waiting to respawn",
        State::Absent => "not there",
    };
    let cause = span
        .cause
        .as_deref()
        .map_or_else(String::new, |c| format!(", {c}"));
    format!(
        "{}: {what} {}–{} ({:.1} s){cause}",
        player.name,
        clock_ms(span.from_ms),
        clock_ms(span.to_ms),
        (span.to_ms - span.from_ms) as f64 / 1000.0
    )
}

fn axis(d: &mut Drawing, scale: &Scale, duration_ms: i64, y: f64) {
    let steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
    let step = steps
        .into_iter()
        .find(|s| duration_ms / (s * 1000) <= 14)
        .unwrap_or(7200)
        * 1000;
    let end = scale.x(duration_ms);
    for i in 0..=(duration_ms / step).min(1000) {
        let x = scale.x(i * step);
        d.line("grid", (x, y), (x, y + 5.0), 1.0);
        if end - x > 46.0 || i == 0 {
            d.text(
                "dim",
                (x, y + 19.0),
                12.0,
                "middle",
                &clock(i * step / 1000),
            );
        }
    }
    d.line("grid", (scale.x0, y), (end, y), 1.0);
    d.text(
        "end",
        (end, y + 19.0),
        12.0,
        "middle",
        &clock_ms(duration_ms),
    );
}

fn legend(d: &mut Drawing, y: f64) {
    let mut x = MARGIN;
    let bars = [
        ("alive", 1.0, "alive"),
        ("wounded", 0.66, "wounded"),
        ("waiting", 0.33, "waiting to respawn"),
        ("lane", 1.0, "not there"),
    ];
    for (class, part, label) in bars {
        let h = 14.0;
        d.rect("lane", [x, y - 11.0, 22.0, h], "", "");
        d.rect(
            class,
            [x, y - 11.0 + h * (1.0 - part), 22.0, h * part],
            "",
            "",
        );
        d.text("ink", (x + 28.0, y), 12.5, "start", label);
        x += 52.0 + label.len() as f64 * 7.4;
    }
    d.mark("revive", &plus(x + 6.0, y - 4.5, 6.0, 2.0), "revived");
    d.text("ink", (x + 18.0, y), 12.5, "start", "revived");
    x += 92.0;
    d.mark(
        "kill",
        &format!("M{x} {:.1}l5 5l-5 5l-5 -5Z", y - 9.5),
        "killed an enemy",
    );
    d.text("ink", (x + 11.0, y), 12.5, "start", "killed an enemy");
    x += 140.0;
    d.rect(
        "pause",
        [x, y - 11.0, 14.0, 14.0],
        " fill-opacity=\"0.82\"",
        "",
    );
    d.text(
        "ink",
        (x + 20.0, y),
        12.5,
        "start",
        "pause (the clock stands still)",
    );
}
