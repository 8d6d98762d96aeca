//! `/live`: what happens on the servers, in cards that a stream keeps up to date; and `/live/obs`, the same for a picture in a video.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use gametimes_format::file::{EventKind, TimelineEvent};
use gametimes_format::live::{Life, LivePlayer, Snapshot, State as Play};
use gametimes_format::matches::{PauseBy, PauseKind};
use gametimes_format::rules::GAMETYPE_STOPWATCH;
use gametimes_format::text::{counted, displayable};
use gametimes_format::{Class, ObjectiveAction, Team, TeamNumber};
use gametimes_rounds::matches::{EVENING_GAP_SECONDS, Evening, Series};
use jiff::Timestamp;

use super::error::PageError;
use super::preview::Preview;
use super::{RawQuery, parameters, render};
use crate::display::{self, clock};
use crate::http::error::ApiError;
use crate::http::live::{Viewer, frames, stream};
use crate::http::state::App;
use crate::live::{Frame, Health, ServerView};

/// How many events a card shows.
const EVENTS_SHOWN: usize = 8;

/// A time that the script lets run; without it, the time of the snapshot.
struct Ticking {
    ms: i64,
    /// 1 counts up, -1 counts down.
    step: i8,
    /// The time between two waves, for a countdown that begins again.
    interval_ms: Option<i64>,
}

struct PlayerLine {
    name: String,
    class: &'static str,
    life: &'static str,
    /// The name of the style.
    mark: &'static str,
    /// The countdown to the wave that brings the player back.
    back_in: Option<Ticking>,
    kills: u32,
    deaths: u32,
    dead_share: String,
}

struct TeamCard {
    team: Team,
    is_attacker: bool,
    won: u32,
    alive: usize,
    wave: Option<Ticking>,
    players: Vec<PlayerLine>,
}

#[derive(Template)]
#[template(path = "live_card.html")]
struct Card {
    address: String,
    title: String,
    map: String,
    round: String,
    state: &'static str,
    /// The name of the style.
    health: &'static str,
    is_running: bool,
    /// When the snapshot was taken, in milliseconds since the bot started.
    taken_ms: i64,
    has_clock: bool,
    clock: Ticking,
    limit: Option<(String, Ticking)>,
    pause: Option<(String, Ticking)>,
    teams: Vec<TeamCard>,
    events: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "live.html")]
struct Page {
    cards: Vec<String>,
    /// The score of each series that is being played.
    series: Vec<String>,
    delay_seconds: u64,
    preview: Option<Preview>,
}

#[derive(Template)]
#[template(path = "live_obs.html")]
struct Obs {
    side: &'static str,
    size: i64,
    server: String,
}

/// `/live`
pub async fn page(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
    query: RawQuery,
) -> Result<Response, PageError> {
    parameters(query).end("none")?;
    let frame = Arc::clone(&frames(&app.live, viewer).borrow());
    let card = |view: &Arc<ServerView>| String::from_utf8_lossy(&card(view)).into_owned();
    // Others see the preview, whoever asks for it.
    let public = Arc::clone(&app.live.public().borrow());
    let busy = public.servers.iter().filter(|view| view.is_busy());
    let maps: Vec<&str> = busy.map(|view| view.snapshot.map.as_str()).collect();
    let description = match maps[..] {
        [] => "Nobody plays right now.".to_owned(),
        _ => displayable(&format!("Now on {}.", maps.join(", "))),
    };
    let preview = Preview::new(
        app.public_url.as_ref(),
        "/live".into(),
        "Live".into(),
        description,
        None,
    );
    Ok(render(&Page {
        cards: frame.servers.iter().map(card).collect(),
        series: series(&app, &frame).await,
        delay_seconds: viewer.delay_seconds(&app),
        preview,
    }))
}

/// The series of this evening on servers where somebody plays: `eA 2 : 0 eB (1 map)`. They are results, which everybody may see.
async fn series(app: &App, frame: &Frame) -> Vec<String> {
    let is_busy = |series: &Series| {
        let mut busy = frame.servers.iter().filter(|view| view.is_busy());
        busy.any(|view| series.server_address.as_ref() == Some(&view.address))
    };
    if !frame.servers.iter().any(|view| view.is_busy()) {
        return Vec::new();
    }
    // Without the database, the page shows the rest.
    let evenings = app
        .db
        .evenings(None, 1)
        .await
        .map_or_else(|_| Vec::new(), |list| list.evenings);
    let evening = evenings.into_iter().next();
    let is_now = |evening: &Evening| {
        Timestamp::now().as_second() - evening.ended_unix <= EVENING_GAP_SECONDS
    };
    let series = evening
        .filter(is_now)
        .map_or_else(Vec::new, |evening| evening.series);
    let mut latest: BTreeMap<Option<String>, Series> = BTreeMap::new();
    for series in series.into_iter().filter(is_busy) {
        latest.insert(series.server_address.clone(), series);
    }
    let text = |series: Series| {
        let maps = counted(series.matches.len(), "map");
        let (one, two) = (
            displayable(&series.team_1.name),
            displayable(&series.team_2.name),
        );
        format!(
            "{one} {} : {} {two} ({maps})",
            series.score_1, series.score_2
        )
    };
    latest.into_values().map(text).collect()
}

/// `/live/obs`: it contains nothing until its script has read the stream, so anybody may have it.
pub async fn obs(query: RawQuery) -> Result<Response, PageError> {
    let mut query = parameters(query);
    let side = query.word("side", &["both", "axis", "allies"])?;
    let size = query.number("size", 4, 1..=10)?;
    let server = query.text("server", 80)?.unwrap_or_default();
    query.end("side, size, server; the token is not a parameter but follows #token=, so that no log contains it")?;
    Ok(render(&Obs { side, size, server }))
}

/// `/live/stream`: the cards.
pub async fn cards(
    State(app): State<App>,
    Extension(viewer): Extension<Viewer>,
) -> Result<Response, ApiError> {
    stream(&app, frames(&app.live, viewer), card)
}

/// The card of a server, in one line. It is rendered once for all browsers.
pub fn card(view: &ServerView) -> Bytes {
    let html = view.card.get_or_init(|| {
        let html = Card::new(view).render().unwrap_or_else(|error| {
            tracing::error!("rendering a page: {error}");
            String::new()
        });
        html.replace(['\n', '\r'], " ").into()
    });
    html.clone()
}

impl Ticking {
    fn up(ms: i64) -> Self {
        Self {
            ms,
            step: 1,
            interval_ms: None,
        }
    }

    fn down(ms: i64) -> Self {
        Self {
            step: -1,
            ..Self::up(ms)
        }
    }

    fn wave(snapshot: &Snapshot, team: Team) -> Option<Self> {
        let wave = snapshot.waves.of(team)?;
        Some(Self {
            interval_ms: Some(wave.interval_ms),
            ..Self::down(wave.next_in_ms)
        })
    }

    /// A countdown shows the second that has begun, so that it reaches 0 when the time is over.
    fn text(&self) -> String {
        if self.step > 0 {
            clock(self.ms.div_euclid(1000))
        } else {
            clock(-(-self.ms).div_euclid(1000))
        }
    }
}

impl Card {
    fn new(view: &ServerView) -> Self {
        let snapshot = &*view.snapshot;
        let is_running = view.health == Health::Live && snapshot.state == Play::Playing;
        let has_clock = view.is_in_round() || snapshot.state == Play::Intermission;
        let attackers = attackers(snapshot);
        let team = |team: Team| TeamCard {
            team,
            is_attacker: attackers == Some(team),
            won: match team {
                Team::Axis => snapshot.score.axis,
                Team::Allies => snapshot.score.allies,
            },
            alive: snapshot
                .players_of(team)
                .filter(|p| p.life == Life::Alive)
                .count(),
            wave: Ticking::wave(snapshot, team).filter(|_| view.is_in_round()),
            players: snapshot
                .players_of(team)
                .map(|player| line(view, player, team))
                .collect(),
        };
        let has_teams = snapshot.state != Play::Idle && view.health != Health::Offline;
        let events = snapshot.events.iter().rev().filter_map(|event| {
            let text = event_text(view, event)?;
            Some((clock(event.t_ms / 1000), text))
        });
        Self {
            address: view.address.clone(),
            title: match snapshot.server.hostname.trim() {
                "" => view.address.clone(),
                name => display::plain(name),
            },
            map: displayable(&snapshot.map),
            round: match (snapshot.round, snapshot.gametype) {
                (0, _) => String::new(),
                // Only stopwatch has two rounds.
                (round, GAMETYPE_STOPWATCH) => format!("round {round}"),
                _ => String::new(),
            },
            state: match (view.health, snapshot.state) {
                (Health::Offline, _) => "Offline",
                (_, Play::Idle) => "Nobody plays",
                (_, Play::Warmup) => "Warmup",
                (_, Play::Countdown) => "About to start",
                (_, Play::Playing) => "Playing",
                (_, Play::Paused) => "Paused",
                (_, Play::Intermission) => "Round over",
                (_, Play::Unknown) => "",
            },
            health: match view.health {
                Health::Live => "fresh",
                Health::Stale => "stale",
                Health::Offline => "offline",
            },
            is_running,
            taken_ms: view.taken_ms,
            has_clock: has_clock && view.health != Health::Offline,
            clock: Ticking::up(snapshot.played_ms),
            limit: limit(snapshot, attackers).filter(|_| view.is_in_round()),
            pause: snapshot.pause.as_ref().map(|pause| {
                let since_ms = snapshot.unix_ms.saturating_sub(pause.since_unix_ms).max(0);
                (paused_by(pause.by.as_ref()), Ticking::up(since_ms))
            }),
            teams: match has_teams && !snapshot.players.is_empty() {
                true => Team::ALL.map(team).into(),
                false => Vec::new(),
            },
            events: events.take(EVENTS_SHOWN).filter(|_| has_teams).collect(),
        }
    }
}

/// The team that must complete the map: team A in round 1, team B in round 2.
fn attackers(snapshot: &Snapshot) -> Option<Team> {
    let sides = snapshot
        .sides
        .filter(|_| snapshot.gametype == GAMETYPE_STOPWATCH)?;
    match snapshot.round {
        1 => sides.team_a.team(),
        2 => sides.team_b.team(),
        _ => None,
    }
}

/// What the clock runs against.
fn limit(snapshot: &Snapshot, attackers: Option<Team>) -> Option<(String, Ticking)> {
    let played_ms = snapshot.played_ms;
    match (snapshot.target_ms, snapshot.limit_ms) {
        (Some(target_ms), _) => {
            let who = attackers.map_or("Attackers", Team::name);
            Some((
                format!("{who} must finish within"),
                Ticking::down(target_ms - played_ms),
            ))
        }
        (None, Some(limit_ms)) => {
            let limit = clock(limit_ms / 1000);
            Some((
                format!("limit {limit}, left"),
                Ticking::down(limit_ms - played_ms),
            ))
        }
        (None, None) => None,
    }
}

fn paused_by(by: Option<&PauseBy>) -> String {
    let Some(by) = by else {
        return "Paused".to_owned();
    };
    let name = displayable(&by.name);
    let team = by.team.team().map_or("spectators", Team::name);
    match by.kind {
        PauseKind::Player if !name.is_empty() => format!("Paused by {name} ({team})"),
        PauseKind::Player => format!("Paused by the {team}"),
        PauseKind::Referee => "Paused by a referee".to_owned(),
        PauseKind::Vote => "Paused by a vote".to_owned(),
        PauseKind::Server => "Paused by the server".to_owned(),
        PauseKind::Unknown => "Paused".to_owned(),
    }
}

fn line(view: &ServerView, player: &LivePlayer, team: Team) -> PlayerLine {
    let snapshot = &*view.snapshot;
    let (life, mark) = match player.life {
        Life::Alive => ("alive", "alive"),
        Life::Wounded => ("wounded", "wounded"),
        Life::Limbo => ("dead", "dead"),
        Life::Waiting => ("waiting", "dead"),
        Life::Unknown => ("", ""),
    };
    let waits =
        view.is_in_round() && matches!(player.life, Life::Wounded | Life::Limbo | Life::Waiting);
    let share = match snapshot.played_ms {
        played_ms if played_ms > 0 => {
            let percent = (player.dead_ms.saturating_mul(100) / played_ms).clamp(0, 100);
            format!("{percent} %")
        }
        _ => "–".to_owned(),
    };
    PlayerLine {
        name: displayable(&player.name),
        class: match player.class {
            Some(Class::Soldier) => "Soldier",
            Some(Class::Medic) => "Medic",
            Some(Class::Engineer) => "Engineer",
            Some(Class::FieldOps) => "Field ops",
            Some(Class::CovertOps) => "Covert ops",
            Some(Class::Other) | None => "–",
        },
        life,
        mark,
        back_in: Ticking::wave(snapshot, team).filter(|_| waits),
        kills: player.kills,
        deaths: player.deaths,
        dead_share: share,
    }
}

/// What viewers read of an event; `None` for those that the card does not show.
fn event_text(view: &ServerView, event: &TimelineEvent) -> Option<String> {
    let name = |guid: &str| displayable(view.name_of(guid));
    let player = match (&event.name, event.guid.as_str()) {
        (Some(name), _) => displayable(name),
        (None, guid) => name(guid),
    };
    let means = event.means_of_death.as_deref().map(display::means_of_death);
    let means = means.map_or_else(String::new, |means| displayable(&format!(" ({means})")));
    let text = displayable(event.text.as_deref().unwrap_or_default());
    match (event.kind, &event.by) {
        (EventKind::Death, Some(by)) if *by != event.guid => {
            Some(format!("{} killed {player}{means}", name(by)))
        }
        (EventKind::Death, _) => Some(format!("{player} died{means}")),
        (EventKind::Revive, Some(by)) => Some(format!("{} revived {player}", name(by))),
        (EventKind::Objective, _) => {
            let who = match (player.as_str(), event.team.and_then(TeamNumber::team)) {
                ("", Some(team)) => team.name().to_owned(),
                _ => player,
            };
            let did = match event.action? {
                ObjectiveAction::PickedUp => "picked up",
                ObjectiveAction::Stolen => "stole",
                ObjectiveAction::Returned => "returned",
                ObjectiveAction::Planted => "planted dynamite at",
                ObjectiveAction::Defused => "defused dynamite at",
                ObjectiveAction::Destroyed => "destroyed",
                ObjectiveAction::Repaired => "repaired",
                ObjectiveAction::Announce | ObjectiveAction::Other => return Some(text),
            };
            let text = if text.is_empty() {
                "the objective"
            } else {
                &text
            };
            Some(format!("{who} {did} {text}").trim_start().to_owned())
        }
        _ => None,
    }
}
