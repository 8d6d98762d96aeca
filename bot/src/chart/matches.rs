//! Both rounds of a match in one picture: the same time is at the same place, and the time to beat is marked in both.

use askama::Template;

use super::Chart;
use super::colour::{Colour, Theme};
use super::layout::{PLOT_WIDTH, Picture, WIDTH};
use super::scale::{Px, fitting};

#[derive(Template)]
#[template(path = "timeline_match.svg", whitespace = "minimize")]
struct MatchPicture {
    theme: Theme,
    height: Px,
    label: String,
    rounds: Vec<Picture>,
}

/// The rounds of a match, below each other, as an SVG document. `target_ms` is the time to beat. A single round stands alone.
pub fn match_svg(mut rounds: Vec<Chart>, target_ms: Option<i64>, theme: Theme) -> String {
    if let [only] = &rounds[..] {
        return only.svg(theme);
    }
    share_scale(&mut rounds, target_ms);
    let mut y = Px(0.0);
    let mut pictures = Vec::with_capacity(rounds.len());
    for (n, round) in rounds.iter().enumerate() {
        let picture = round.picture(theme, Some(y), n + 1 == rounds.len());
        y = y + picture.height;
        pictures.push(picture);
    }
    let labels: Vec<&str> = pictures
        .iter()
        .map(|picture| picture.label.as_str())
        .collect();
    let picture = MatchPicture {
        theme,
        height: y,
        label: labels.join("; "),
        rounds: pictures,
    };
    let mut svg = String::with_capacity(128 * 1024);
    let rendered = picture.render_into(&mut svg);
    rendered.unwrap_or_else(|e| unreachable!("writing to a string cannot fail: {e}"));
    svg
}

/// Gives rounds the scale on which the longest of them, or the time to beat, fills the width.
fn share_scale(rounds: &mut [Chart], target_ms: Option<i64>) {
    let ends = rounds.iter().map(|round| round.duration_ms);
    let longest_ms = ends.chain(target_ms).max().unwrap_or_default();
    let scales = rounds
        .iter()
        .map(|round| fitting(round, longest_ms, PLOT_WIDTH));
    let px_per_ms = scales.min_by(f64::total_cmp);
    for round in rounds {
        round.target_ms = target_ms;
        round.px_per_ms = px_per_ms;
    }
}
