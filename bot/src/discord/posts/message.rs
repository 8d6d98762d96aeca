//! The message itself: made from stored rows alone, so that the same round always gives the same message.

use jiff::Timestamp;
use ring::digest;
use serde_json::{Value as Json, json};

use crate::chart::{Chart, Theme, text};
use crate::db::players::Player;
use crate::db::rounds::{RoundDetail, StatsFileHeader};
use crate::display::{self, durations_differ};

/// How many players each list names.
const NAMED: usize = 3;
/// Longer names are cut: a player's name has at most 35 characters.
const NAME_CHARACTERS: usize = 40;
/// Discord's limit for a picture's description.
const ALT_CHARACTERS: usize = 1024;

/// The picture's file name.
pub const FILE_NAME: &str = "timeline.png";

/// One of a player's times in ms.
type TimeOf = fn(&Player) -> Option<i64>;

/// What is posted about a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    embed: Json,
    /// The timeline's drawing; none for a round without a timeline.
    pub svg: Option<String>,
    alt: String,
}

impl Summary {
    /// Puts a round into words.
    pub fn new(detail: &RoundDetail, stats: Option<&StatsFileHeader>, chart: &Chart) -> Self {
        let round = &detail.round;
        let title = format!(
            "{}, round {}: {}",
            name(&round.map_name),
            round.round_number,
            display::winner(round)
        );
        let mut embed = json!({
            "title": title,
            "description": description(detail),
            "color": match round.winner_team {
                Some(1) => 0xD5_5E00,
                Some(2) => 0x00_72B2,
                _ => 0x80_8080,
            },
            "fields": fields(detail, stats),
        });
        if let Some(server) = &round.server_name {
            let server: String = text::plain(server).chars().take(256).collect();
            embed["footer"] = json!({ "text": server });
        }
        if let Some(end) = round
            .round_end_unix
            .and_then(|t| Timestamp::from_second(t).ok())
        {
            embed["timestamp"] = end.to_string().into();
        }
        if chart.known {
            embed["image"] = json!({ "url": format!("attachment://{FILE_NAME}") });
        }
        let alt = format!("Timeline of {}: {}", chart.title, chart.facts.join(", "));
        Self {
            embed,
            svg: chart.known.then(|| chart.svg(Theme::Dark)),
            alt: alt.chars().take(ALT_CHARACTERS).collect(),
        }
    }

    /// The body of the request. With a `nonce`, Discord gives back the message that has it already instead of a second
    /// one, for some minutes.
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

    /// Whether a message, as Discord gives it back, says the same already.
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

    /// A hash over everything that is shown.
    pub fn hash(&self) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(self.body(None).to_string().as_bytes());
        context.update(self.svg.as_deref().unwrap_or_default().as_bytes());
        hex(context.finish().as_ref())
    }
}

/// A nonce of Discord's length (25 characters at most), always the same one for a round.
pub fn nonce(channel_id: u64, detail: &RoundDetail) -> String {
    let round = &detail.round;
    let what = format!(
        "{channel_id} {} {} {}",
        round.id, round.map_name, round.round_number
    );
    let mut nonce = hex(digest::digest(&digest::SHA256, what.as_bytes()).as_ref());
    nonce.truncate(25);
    nonce
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// How the round ended, who called a surrender, and the score.
fn description(detail: &RoundDetail) -> String {
    let mut end = display::end(detail);
    let Some(recorded) = &detail.recorded else {
        return end;
    };
    let caller = recorded.surrender_caller_name.as_deref();
    if let Some(caller) = caller.filter(|name| !name.is_empty()) {
        end.push_str(&format!(", called by {}", name(caller)));
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
    if let Some(said) = stats.map(|stats| wrong(detail, stats))
        && !said.is_empty()
    {
        fields.push(field("The stats file said", said.join(", "), true));
    }
    fields.push(field("Pauses", display::pauses(round), true));
    let lists: [(&str, TimeOf); 2] = [
        ("Denied the most time", |p| p.denied_ms),
        ("Dead the longest", |p| {
            p.dead_ms.or(p.dead_seconds.map(|s| s * 1000))
        }),
    ];
    for (name, of) in lists {
        let lines = most(&detail.players, of);
        if !lines.is_empty() {
            fields.push(field(name, lines.join("\n"), false));
        }
    }
    fields.into()
}

/// What the stats file says otherwise.
fn wrong(detail: &RoundDetail, stats: &StatsFileHeader) -> Vec<String> {
    let round = &detail.round;
    let mut wrong = Vec::new();
    if let Some(said) = stats.duration_seconds
        && durations_differ(round.actual_duration_seconds, Some(said))
    {
        wrong.push(display::clock(said));
    }
    if let (Some(happened), Some(said)) = (round.winner_team, stats.winner_team)
        && happened != said
    {
        wrong.push(match stats.winner() {
            Some(team) => format!("{} won", team.name()),
            None => "no winner".to_owned(),
        });
    }
    wrong
}

/// The players with the most of a time, a line each. Equal ones are in the order of their names.
fn most(players: &[Player], of: TimeOf) -> Vec<String> {
    let mut list: Vec<(i64, &Player)> = players
        .iter()
        .filter_map(|p| Some((of(p).filter(|ms| *ms > 0)?, p)))
        .collect();
    list.sort_by(|(a, p), (b, q)| (b, &p.name, &p.guid).cmp(&(a, &q.name, &q.guid)));
    let line = |(ms, p): &(i64, &Player)| format!("`{}` {}", display::clock_ms(*ms), name(&p.name));
    list.iter().take(NAMED).map(line).collect()
}

/// A name as text in a message: no formatting, no mention, no link, and no say in the direction of what stands beside it.
fn name(name: &str) -> String {
    let plain = text::plain(name);
    let mut safe = String::from("\u{2068}");
    for c in plain.chars().take(NAME_CHARACTERS) {
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
    fn names_are_text() {
        let bare = |s: &str| name(s).trim_matches(['\u{2068}', '\u{2069}']).to_owned();
        assert_eq!(bare("**x** <@1>"), r"\*\*x\*\* \<\@1\>");
        assert_eq!(bare("https://a.b"), r"https\:\/\/a\.b");
        assert_eq!(bare("a\u{202E}b\nc"), "abc");
        assert_eq!(bare("שלום"), "שלום");
        assert_eq!(bare(&"`".repeat(99)).chars().count(), 2 * NAME_CHARACTERS);
    }
}
