//! The charts of a player's page.

use super::players::Figures;
use crate::db::player_table::PlayerDay;
use crate::db::players::{HistoryEntry, Time};
use crate::display;

/// A chart over rounds or days, the oldest on the left. Coordinates are relative to the plot area, whose place in the picture the template decides.
pub struct Chart {
    pub width: f64,
    pub height: f64,
    pub grid: Vec<GridLine>,
    pub bars: Vec<Bar>,
    pub points: Vec<Point>,
    /// The upper end of the right scale.
    pub most: String,
}

pub struct GridLine {
    pub label: String,
    pub y: f64,
}

pub struct Bar {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    pub title: String,
}

pub struct Point {
    pub x: f64,
    pub y: f64,
    pub title: String,
}

/// A round or a day, with the heights of its bar and its point as parts of the plot.
struct Entry {
    title: String,
    bar: Option<f64>,
    point: Option<f64>,
}

/// The chart of a history, latest round first: bars for the share of the time dead, a line for the time denied. `titles` are the
/// texts of the rounds, one for each.
pub fn history_chart(history: &[HistoryEntry], titles: &[String]) -> Chart {
    let denied = history.iter().filter_map(|e| e.denied).map(Time::ms);
    let most_denied = denied.max().unwrap_or(0).max(1000);
    let entry = |(entry, title): (&HistoryEntry, &String)| Entry {
        title: title.clone(),
        bar: entry
            .dead
            .zip(entry.played)
            .map(|(dead, played)| dead.ms() as f64 / played.ms() as f64),
        point: entry
            .denied
            .map(|denied| denied.ms() as f64 / most_denied as f64),
    };
    let entries = history.iter().zip(titles).map(entry).collect();
    let grid = |share: f64| format!("{:.0} %", share * 100.0);
    Chart::draw(entries, grid, display::clock_ms(most_denied))
}

/// The chart of the latest days, latest first: bars for the kills per death, a line for the damage per minute. `None` if
/// there is only one day.
pub fn form_chart(days: &[PlayerDay]) -> Option<Chart> {
    if days.len() < 2 {
        return None;
    }
    let most = |of: fn(&PlayerDay) -> Option<f64>| days.iter().filter_map(of).fold(0.1, f64::max);
    let (kd, dpm) = (most(|d| d.figures.kd), most(|d| d.figures.dpm));
    let entry = |day: &PlayerDay| {
        let figures = Figures::new(&day.figures);
        Entry {
            title: format!(
                "{}: {} rounds, K/D {}, DPM {}",
                day.day, figures.rounds, figures.kd, figures.dpm
            ),
            bar: day.figures.kd.map(|value| value / kd),
            point: day.figures.dpm.map(|value| value / dpm),
        }
    };
    let grid = |share: f64| format!("{:.2}", share * kd);
    let entries = days.iter().map(entry).collect();
    Some(Chart::draw(entries, grid, format!("{dpm:.0}")))
}

impl Chart {
    const WIDTH: f64 = 620.0;
    const HEIGHT: f64 = 150.0;
    const BAR_WIDTH_MAX: f64 = 48.0;

    /// Draws entries, of which the first is the rightmost.
    fn draw(entries: Vec<Entry>, label: impl Fn(f64) -> String, most: String) -> Self {
        let step = Self::WIDTH / entries.len().max(1) as f64;
        let y = |share: f64| Self::HEIGHT * (1.0 - share);
        let (mut bars, mut points) = (Vec::new(), Vec::new());
        for (i, entry) in entries.into_iter().rev().enumerate() {
            let middle = step * (i as f64 + 0.5);
            if let Some(share) = entry.bar {
                let share = share.clamp(0.0, 1.0);
                let width = (step * 0.7).min(Self::BAR_WIDTH_MAX);
                bars.push(Bar {
                    x: middle - width / 2.0,
                    y: y(share),
                    width,
                    height: Self::HEIGHT * share,
                    title: entry.title.clone(),
                });
            }
            if let Some(share) = entry.point {
                points.push(Point {
                    x: middle,
                    y: y(share.clamp(0.0, 1.0)),
                    title: entry.title,
                });
            }
        }
        Self {
            width: Self::WIDTH,
            height: Self::HEIGHT,
            grid: [0.0, 0.25, 0.5, 0.75, 1.0]
                .map(|share| GridLine {
                    label: label(share),
                    y: y(share),
                })
                .into(),
            bars,
            points,
            most,
        }
    }
}
