//! The message for players. It depends on the stored rows alone, so the same round always gives the same message.

use gametimes_format::Team;
use gametimes_format::digest::{hex, sha256};
use gametimes_format::text::{cut, displayable};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::chart::{Chart, Theme};
use crate::db::players::Player;
use crate::db::rounds::{RoundDetail, StatsFileHeader};
use crate::display::{self, durations_differ};

/// How many players each list shows.
const TOP_PLAYERS: usize = 3;
/// Longer names are cut. The game allows 35 characters.
const NAME_CHARACTERS: usize = 40;
/// Discord's limit for the description of a picture.
const ALT_CHARACTERS: usize = 1024;

/// The file name of the picture.
pub const FILE_NAME: &str = "timeline.png";

/// One of a player's times in ms.
type TimeOf = fn(&Player) -> Option<i64>;

/// The message about a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    embed: Json,
    /// The timeline; `None` for a round without one.
    pub svg: Option<String>,
    alt: String,
}

impl Summary {
    /// The message for a round with its stats file and timeline.
    pub fn new(detail: &RoundDetail, stats: Option<&StatsFileHeader>, chart: &Chart) -> Self {
        let round = &detail.round;
        let title = format!(
            "{}, round {}: {}",
            escaped_name(&round.map_name),
            round.round_number,
            display::winner(round)
        );
        let mut embed = json!({
            "title": title,
            "description": description(detail),
            "color": match round.winner() {
                Some(Team::Axis) => 0xD5_5E00,
                Some(Team::Allies) => 0x00_72B2,
                None => 0x80_8080,
            },
            "fields": fields(detail, stats),
        });
        if let Some(server) = &round.server_name {
            embed["footer"] = json!({ "text": cut(&displayable(server), 256) });
        }
        if let Some(end) = round
            .round_end_unix
            .and_then(|t| Timestamp::from_second(t).ok())
        {
            embed["timestamp"] = end.to_string().into();
        }
        if chart.has_timeline {
            embed["image"] = json!({ "url": format!("attachment://{FILE_NAME}") });
        }
        let alt = format!("Timeline of {}: {}", chart.title, chart.facts.join(", "));
        Self {
            embed,
            svg: chart.has_timeline.then(|| chart.svg(Theme::Dark)),
            alt: cut(&alt, ALT_CHARACTERS),
        }
    }

    /// The body of the request. If Discord has posted a message with the same `nonce` in the last few minutes, it returns that
    /// one instead of posting another.
    pub fn body(&self, nonce: Option<&str>) -> Json {
        let mut body = json!({
            "embeds": [self.embed],
            "allowed_mentions": { "parse": [] },
            "attachments": [],
        });
        if self.svg.is_some() {
            body["attachments"] =
                json!([{ "id": 0, "filename": FILE_NAME, "description": self.alt }]);
        }
        if let Some(nonce) = nonce {
            body["nonce"] = nonce.into();
            body["enforce_nonce"] = true.into();
        }
        body
    }

    /// Whether a message that Discord returned shows the same.
    pub fn is_shown_by(&self, message: &Json) -> bool {
        let shown = &message["embeds"][0];
        let values = |embed: &Json| -> Vec<Json> {
            let fields = embed["fields"].as_array();
            let value = |field: &Json| field["value"].clone();
            fields.map_or_else(Vec::new, |list| list.iter().map(value).collect())
        };
        shown["title"] == self.embed["title"]
            && shown["description"] == self.embed["description"]
            && values(shown) == values(&self.embed)
    }

    /// A hash of everything the message shows.
    pub fn hash(&self) -> String {
        let body = self.body(None).to_string();
        let svg = self.svg.as_deref().unwrap_or_default();
        hex(&sha256([body.as_bytes(), svg.as_bytes()]))
    }
}

/// The nonce of a round in a channel: always the same, and at most 25 characters long, which is Discord's limit.
pub fn nonce(channel_id: u64, detail: &RoundDetail) -> String {
    let round = &detail.round;
    let text = format!(
        "{channel_id} {} {} {}",
        round.id, round.map_name, round.round_number
    );
    cut(&hex(&sha256([text.as_bytes()])), 25)
}

/// How the round ended, who called a surrender, and the score.
fn description(detail: &RoundDetail) -> String {
    let mut end = display::end(detail);
    let Some(recorded) = &detail.recorded else {
        return end;
    };
    let caller = recorded.surrender_caller_name.as_deref();
    if let Some(caller) = caller.filter(|name| !name.is_empty()) {
        end.push_str(&format!(", called by {}", escaped_name(caller)));
    }
    match (recorded.axis_score, recorded.allies_score) {
        (Some(axis), Some(allies)) => format!("{end} · score Axis {axis} : {allies} Allies"),
        _ => end,
    }
}

fn fields(detail: &RoundDetail, stats: Option<&StatsFileHeader>) -> Json {
    let round = &detail.round;
    let field = |name: &str, value: String, inline: bool| json!({ "name": name, "value": value, "inline": inline });
    let mut fields = vec![field("Played", display::played(round), true)];
    let errors = stats.map_or_else(Vec::new, |stats| stats_file_errors(detail, stats));
    if !errors.is_empty() {
        fields.push(field("The stats file said", errors.join(", "), true));
    }
    fields.push(field("Pauses", display::pauses(round), true));
    let lists: [(&str, TimeOf); 2] = [
        ("Denied the most time", |p| p.denied_ms),
        ("Dead the longest", Player::dead_ms),
    ];
    for (name, of) in lists {
        let lines = top_players(&detail.players, of);
        if !lines.is_empty() {
            fields.push(field(name, lines.join("\n"), false));
        }
    }
    fields.into()
}

/// What the stats file claims that is wrong.
fn stats_file_errors(detail: &RoundDetail, stats: &StatsFileHeader) -> Vec<String> {
    let round = &detail.round;
    let mut errors = Vec::new();
    if let Some(claimed) = stats.duration_seconds
        && durations_differ(round.actual_duration_seconds, Some(claimed))
    {
        errors.push(display::clock(claimed));
    }
    if let (Some(winner), Some(claimed)) = (round.winner_team, stats.winner_team)
        && winner != claimed
    {
        errors.push(match stats.winner() {
            Some(team) => format!("{} won", team.name()),
            None => "no winner".to_owned(),
        });
    }
    errors
}

/// The players with the longest times, one per line. Players with equal times are ordered by name.
fn top_players(players: &[Player], of: TimeOf) -> Vec<String> {
    let mut list: Vec<(i64, &Player)> = players
        .iter()
        .filter_map(|p| Some((of(p).filter(|ms| *ms > 0)?, p)))
        .collect();
    list.sort_by(|(a, p), (b, q)| (b, &p.name, &p.guid).cmp(&(a, &q.name, &q.guid)));
    let line = |(ms, p): &(i64, &Player)| {
        format!("`{}` {}", display::clock_ms(*ms), escaped_name(&p.name))
    };
    list.iter().take(TOP_PLAYERS).map(line).collect()
}

/// A name as plain text in a message. It cannot format, mention or link anything, and right-to-left names do not change the
/// direction of the text around them.
fn escaped_name(name: &str) -> String {
    let mut safe = String::from("\u{2068}");
    for c in displayable(name).chars().take(NAME_CHARACTERS) {
        if c.is_ascii_punctuation() {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe.push('\u{2069}');
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_format_mention_or_link() {
        let bare = |s: &str| {
            escaped_name(s)
                .trim_matches(['\u{2068}', '\u{2069}'])
                .to_owned()
        };
        assert_eq!(bare("**x** <@1>"), r"\*\*x\*\* \<\@1\>");
        assert_eq!(bare("https://a.b"), r"https\:\/\/a\.b");
        assert_eq!(bare("a\u{202E}b\nc"), "abc");
        assert_eq!(bare("שלום"), "שלום");
        assert_eq!(bare(&"`".repeat(99)).chars().count(), 2 * NAME_CHARACTERS);
    }
}
