//! The messages in the live channel: one for each round, edited while it is played, and turned into its result at the end.
//!
//! Everything in them is what the public may see. Which message belongs to which round is in the database, so a bot that was restarted
//! edits the message of the one before, and finishes those whose rounds have ended in the meantime.

use std::sync::Arc;
use std::time::Duration;

use gametimes_format::Team;
use gametimes_format::live::{Life, Snapshot, State};
use gametimes_format::rules::is_bot_guid;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use tokio::time;
use tracing::warn;
use twilight_http::Client;

use super::post::{Post, nonce};
use super::sender::{CLAIM_SECONDS, Sender};
use super::{DATABASE_BACKOFF, POLL_INTERVAL};
use crate::db::live::{LiveMessage, LiveRound};
use crate::db::round_list::RoundFilter;
use crate::db::rounds::RoundSummary;
use crate::db::summaries::{LogEntry, PostOutcome};
use crate::db::{Db, DbError};
use crate::discord::match_text::SERVER_CHARACTERS;
use crate::discord::text::{FIELD_CHARACTERS, escaped, lines, plain};
use crate::display;
use crate::live::{Frame, Frames, Health, ServerView};
use crate::status::Status;

/// The name of the live channel in log and status.
const SOURCE: &str = "live channel";
/// A message is edited at most this often.
const EDIT_SECONDS: i64 = 15;
/// How long the result of a round may take to arrive. After that the message shows that the round is over.
const RESULT_SECONDS: i64 = 120;
/// Rounds of a map that are compared with a message.
const ROUNDS: i64 = 5;

/// What the posts need.
pub struct LiveChannel {
    /// The channel's id.
    pub channel_id: u64,
    /// Where people open the pages.
    pub public_url: Option<String>,
    /// Discord's REST API.
    pub client: Client,
    /// The log of messages, and the results of rounds.
    pub db: Db,
    /// Where successes and failures are counted.
    pub status: Arc<Status>,
    /// What the public sees.
    pub frames: Frames,
    /// How much later that is.
    pub delay: Duration,
}

struct Poster {
    public_url: Option<String>,
    sender: Sender,
    db: Db,
    delay_seconds: i64,
}

/// Posts and edits until dropped.
pub async fn run(channel: LiveChannel) {
    let poster = Poster {
        public_url: channel.public_url,
        sender: Sender {
            client: channel.client,
            channel_id: channel.channel_id,
            status: channel.status,
            source: SOURCE,
        },
        db: channel.db,
        delay_seconds: super::seconds(channel.delay),
    };
    let mut backoff = DATABASE_BACKOFF;
    loop {
        let frame = Arc::clone(&channel.frames.borrow());
        let wait = match poster.update_all(&frame).await {
            Ok(()) => {
                backoff.reset();
                POLL_INTERVAL
            }
            Err(error) => {
                let wait = backoff.next_wait();
                warn!("{SOURCE}: {error}; trying again in {} s", wait.as_secs());
                wait
            }
        };
        time::sleep(wait).await;
    }
}

/// Whether a server is shown: a round is played or has just ended, and not only bots play.
fn is_shown(view: &ServerView) -> bool {
    let snapshot = &*view.snapshot;
    let is_round = matches!(
        snapshot.state,
        State::Playing | State::Paused | State::Intermission
    );
    is_round
        && view.health != Health::Offline
        && snapshot
            .players
            .iter()
            .any(|p| !p.is_bot && !is_bot_guid(&p.guid))
}

fn round_of(view: &ServerView) -> LiveRound {
    let snapshot = &*view.snapshot;
    LiveRound {
        server: view.address.clone(),
        round: format!("{} {} {}", snapshot.match_uid, snapshot.map, snapshot.round),
        map: snapshot.map.clone(),
        round_number: snapshot.round.into(),
    }
}

impl Poster {
    async fn update_all(&self, frame: &Frame) -> Result<(), DbError> {
        let channel_id = self.sender.channel_id;
        let known = self.db.live_messages(channel_id).await?;
        for view in frame.servers.iter().filter(|view| is_shown(view)) {
            let round = round_of(view);
            let is_over = view.snapshot.state == State::Intermission;
            if is_over || view.health != Health::Live || known.iter().any(|m| m.round == round) {
                continue;
            }
            let now = Timestamp::now().as_second();
            let begun = self
                .db
                .begin_live_message(channel_id, &round, now, now + CLAIM_SECONDS);
            if let Some(id) = begun.await? {
                self.update(id, &round, None, self.playing(view), Next::edit(now))
                    .await?;
            }
        }
        for message in known {
            let now = Timestamp::now().as_second();
            if message.entry.not_before_unix > now {
                continue;
            }
            let view = frame
                .servers
                .iter()
                .find(|view| is_shown(view) && round_of(view) == message.round);
            let is_played = view.filter(|view| view.snapshot.state != State::Intermission);
            let result = match is_played {
                Some(_) => None,
                None => self.result_of(&message).await?,
            };
            let (post, next) = match (view, result) {
                (_, Some(result)) => (self.result(&result), Next::over(message.seen_unix)),
                (Some(view), None) if is_played.is_some() => (self.playing(view), Next::edit(now)),
                (_, None) if now - message.seen_unix > RESULT_SECONDS + self.delay_seconds => {
                    (over(&message.round), Next::over(message.seen_unix))
                }
                (Some(view), None) => (self.playing(view), Next::again(&message, now)),
                // It may come back: the bot has just been started, or the server has.
                (None, None) => continue,
            };
            if self
                .db
                .claim_live_message(&message, now + CLAIM_SECONDS)
                .await?
            {
                self.update(message.id, &message.round, Some(&message.entry), post, next)
                    .await?;
            }
        }
        Ok(())
    }

    async fn update(
        &self,
        id: i64,
        round: &LiveRound,
        entry: Option<&LogEntry>,
        post: Post,
        next: Next,
    ) -> Result<(), DbError> {
        let nonce = nonce(&format!("{} live {id}", self.sender.channel_id));
        let label = format!(
            "{} round {} on {}",
            round.map, round.round_number, round.server
        );
        let outcome = self.sender.update(&post, entry, &nonce, &label).await;
        let next_unix = match outcome {
            // It shows something older.
            PostOutcome::Outdated { .. } => Timestamp::now().as_second(),
            _ => next.at_unix,
        };
        self.db
            .record_live_message(id, &outcome, next.seen_unix, next_unix, next.is_over)
            .await
    }

    /// The stored round of a message. It may have ended before the message was posted, by the delay.
    async fn result_of(&self, message: &LiveMessage) -> Result<Option<RoundSummary>, DbError> {
        let filter = RoundFilter {
            map: Some(message.round.map.clone()),
            player: None,
            from: None,
            to: None,
            before: None,
            limit: ROUNDS,
        };
        let begun_unix = message.begun_unix - self.delay_seconds;
        let rounds = self.db.rounds(&filter).await?;
        Ok(rounds.into_iter().find(|round| {
            round.server_address.as_deref() == Some(&message.round.server)
                && round.round_number == message.round.round_number
                && round
                    .round_end_unix
                    .is_some_and(|end_unix| end_unix >= begun_unix)
        }))
    }

    fn playing(&self, view: &ServerView) -> Post {
        let snapshot = &*view.snapshot;
        let mut embed = json!({
            "title": title(&snapshot.map, snapshot.round.into()),
            "description": description(snapshot),
            "color": 0x00_9E73,
            "fields": Team::ALL.map(|team| field(snapshot, team)),
        });
        let name = snapshot.server.hostname.as_str();
        embed["footer"] = json!({ "text": plain(name, SERVER_CHARACTERS) });
        if let Some(url) = &self.public_url {
            embed["url"] = format!("{url}/live").into();
        }
        Post::new(embed, None)
    }

    fn result(&self, round: &RoundSummary) -> Post {
        let details = [
            display::round_end(round).to_owned(),
            format!("played {}", display::played(round)),
        ];
        let mut embed = json!({
            "title": format!("{}: {}", title(&round.map_name, round.round_number), display::winner(round)),
            "description": details.join(", "),
            "color": 0x80_8080,
        });
        if let Some(name) = &round.server_name {
            embed["footer"] = json!({ "text": plain(name, SERVER_CHARACTERS) });
        }
        if let Some(url) = &self.public_url {
            embed["url"] = format!("{url}/rounds/{}", round.id).into();
        }
        Post::new(embed, None)
    }
}

/// What is recorded with an attempt that succeeds.
struct Next {
    seen_unix: i64,
    at_unix: i64,
    is_over: bool,
}

impl Next {
    /// The round is played: the next edit is due in a while.
    fn edit(now: i64) -> Self {
        Self {
            seen_unix: now,
            at_unix: now + EDIT_SECONDS,
            is_over: false,
        }
    }

    /// The round is over, and its result has not come yet.
    fn again(message: &LiveMessage, now: i64) -> Self {
        Self {
            seen_unix: message.seen_unix,
            at_unix: now + EDIT_SECONDS,
            is_over: false,
        }
    }

    fn over(seen_unix: i64) -> Self {
        Self {
            seen_unix,
            at_unix: 0,
            is_over: true,
        }
    }
}

fn title(map: &str, round: i64) -> String {
    format!("{}, round {round}", escaped(map))
}

/// A round whose result never came.
fn over(round: &LiveRound) -> Post {
    Post::new(
        json!({
            "title": format!("{}: over", title(&round.map, round.round_number)),
            "description": "No result has arrived.",
            "color": 0x80_8080,
        }),
        None,
    )
}

fn description(snapshot: &Snapshot) -> String {
    let state = match snapshot.state {
        State::Paused => "Paused at",
        State::Intermission => "Over after",
        _ => "Playing,",
    };
    let mut parts = vec![format!(
        "**{state} {}**",
        display::clock(snapshot.played_ms / 1000)
    )];
    match (snapshot.target_ms, snapshot.limit_ms) {
        (Some(ms), _) => parts.push(format!("time to beat {}", display::clock(ms / 1000))),
        (None, Some(ms)) => parts.push(format!("limit {}", display::clock(ms / 1000))),
        (None, None) => {}
    }
    let score = &snapshot.score;
    parts.push(format!(
        "score Axis {} : {} Allies",
        score.axis, score.allies
    ));
    parts.join(", ")
}

/// A team: its players, those who are alive first.
fn field(snapshot: &Snapshot, team: Team) -> Json {
    let mut players: Vec<_> = snapshot.players_of(team).collect();
    players.sort_by_key(|player| player.life != Life::Alive);
    let alive = players.iter().filter(|p| p.life == Life::Alive).count();
    let line = |player: &&gametimes_format::live::LivePlayer| {
        let mark = match player.life {
            Life::Alive => "🟢",
            Life::Wounded => "🟠",
            Life::Limbo | Life::Waiting | Life::Unknown => "⚫",
        };
        format!(
            "{mark} {} {}/{}",
            escaped(&player.name),
            player.kills,
            player.deaths
        )
    };
    let text: Vec<String> = players.iter().map(line).collect();
    let value = match text.is_empty() {
        true => "–".to_owned(),
        false => lines(&text, FIELD_CHARACTERS),
    };
    json!({ "name": format!("{}: {alive} of {} alive", team.name(), players.len()), "value": value, "inline": true })
}
