//! Answers to commands, and suggestions while they are typed.

use gametimes_format::text::counted;
use gametimes_rounds::matches::{Evening, Match};
use serde_json::Value as Json;
use tracing::warn;
use twilight_model::application::command::CommandOptionChoice;

use super::definitions::choice;
use super::request::{Partial, Refusal, Request};
use crate::db::player_table::{PlayerFilter, PlayerName};
use crate::db::{Db, DbError};
use crate::discord::evening_text::{evening_embed, evening_rounds};
use crate::discord::match_text::match_embed;
use crate::discord::player_text::{player_embed, top_embed};
use crate::discord::rounds_of;
use crate::discord::text::plain;
use crate::display;

/// Discord shows at most so many suggestions.
const CHOICES: usize = 25;
/// Discord's limit for the name of a suggestion.
const CHOICE_CHARACTERS: usize = 100;
/// How many players `/top` shows.
const TOP_PLAYERS: i64 = 10;
/// Among so many of the latest matches a text is looked for.
const MATCHES: usize = 200;

/// The embed that answers a command.
///
/// # Errors
/// What to tell the person instead.
pub async fn answer(db: &Db, request: &Request, public_url: Option<&str>) -> Result<Json, Refusal> {
    match request {
        Request::LastMatch => {
            let list = known(db.matches(None, 1).await)?;
            let last = list.matches.first().ok_or(Refusal::NoRounds)?;
            match_answer(db, last.id, public_url).await
        }
        Request::Match(text) => {
            let id = match text.parse() {
                Ok(id) => id,
                Err(_) => {
                    let list = known(db.matches(None, MATCHES).await)?;
                    let mut fitting = list.matches.iter().filter(|m| fits(text, &match_choice(m)));
                    fitting.next().ok_or(Refusal::NoMatch)?.id
                }
            };
            match_answer(db, id, public_url).await
        }
        Request::Evening(before) => {
            let list = known(db.evenings(*before, 1).await)?;
            let none = match before {
                Some(_) => Refusal::NoEvening,
                None => Refusal::NoRounds,
            };
            let evening = list.evenings.first().ok_or(none)?;
            let rounds = known(rounds_of(db, evening_rounds(evening)).await)?;
            Ok(evening_embed(evening, &rounds, public_url))
        }
        Request::Player(text) => {
            let since = db.recent_since();
            let by_guid = known(db.player_summary(text, &since).await)?;
            let found = match by_guid {
                Some(found) => found,
                None => {
                    let names = known(db.player_search(text, 1).await)?;
                    let guid = &names.first().ok_or(Refusal::NoPlayer)?.guid;
                    let found = known(db.player_summary(guid, &since).await)?;
                    found.ok_or(Refusal::NoPlayer)?
                }
            };
            Ok(player_embed(&found, public_url))
        }
        Request::Top { figure, is_recent } => {
            let filter = PlayerFilter {
                since: is_recent.then(|| db.recent_since()),
                sort: *figure,
                limit: TOP_PLAYERS,
                ..PlayerFilter::default()
            };
            let table = known(db.player_table(&filter).await)?;
            Ok(top_embed(&table, *figure, *is_recent, public_url))
        }
    }
}

async fn match_answer(db: &Db, id: i64, public_url: Option<&str>) -> Result<Json, Refusal> {
    let found = known(db.match_of_round(id).await)?.ok_or(Refusal::NoMatch)?;
    let ids = found.played.rounds.iter().map(|round| round.id);
    let rounds = known(rounds_of(db, ids.collect()).await)?;
    Ok(match_embed(&found, &rounds, public_url))
}

/// Suggestions that contain what was typed, latest first. None if the database fails.
pub async fn suggestions(db: &Db, partial: &Partial) -> Vec<CommandOptionChoice> {
    let found = match partial {
        Partial::Match(typed) => {
            let list = db.matches(None, MATCHES).await;
            list.map(|list| matching(typed, list.matches.iter().map(match_choice)))
        }
        Partial::Evening(typed) => {
            let list = db.evenings(None, CHOICES).await;
            list.map(|list| matching(typed, list.evenings.iter().map(evening_choice)))
        }
        Partial::Player(typed) => {
            let names = db.player_search(typed.trim(), CHOICES as i64).await;
            names.map(|names| names.iter().filter_map(player_choice).collect())
        }
    };
    known(found).unwrap_or_default()
}

/// The first choices that contain every word that was typed.
fn matching(
    typed: &str,
    choices: impl Iterator<Item = (String, String)>,
) -> Vec<CommandOptionChoice> {
    let fitting = choices.filter(|choice| fits(typed, choice)).take(CHOICES);
    fitting
        .map(|(name, value)| choice(plain(&name, CHOICE_CHARACTERS), value))
        .collect()
}

/// Whether the name of a choice contains every word that was typed.
fn fits(typed: &str, (name, _): &(String, String)) -> bool {
    let name = name.to_lowercase();
    let mut words = typed.split_whitespace().map(str::to_lowercase);
    words.all(|word| name.contains(&word))
}

/// `supply, eA won, faster by 0:15.0, 2026-11-20 19:05 UTC`.
fn match_choice(played: &Match) -> (String, String) {
    let name = format!(
        "{}, {}, {}, {}",
        plain(&played.map_name, 30),
        display::utc(played.started_unix),
        display::match_winner(played),
        display::match_reason(played)
    );
    (name, played.id.to_string())
}

/// `Friday, 20 November 2026, 7 maps, eA, Ada's team`.
fn evening_choice(evening: &Evening) -> (String, String) {
    let maps = evening.series.iter().map(|series| series.matches.len());
    let mut name = format!(
        "{}, {}",
        display::day(evening.started_unix),
        counted(maps.sum(), "map")
    );
    for series in &evening.series {
        name.push_str(&format!(", {}, {}", series.team_1.name, series.team_2.name));
    }
    (name, (evening.ended_unix + 1).to_string())
}

/// The name, and the guid to tell players with the same name apart. `None` for a guid that is too long for Discord.
fn player_choice(player: &PlayerName) -> Option<CommandOptionChoice> {
    let name = plain(&player.name, CHOICE_CHARACTERS - 12);
    let name = match player.guid.starts_with("name:") {
        true => format!("{name} (no guid)"),
        false => format!("{name} ({})", player.guid),
    };
    let fits = player.guid.chars().count() <= CHOICE_CHARACTERS;
    fits.then(|| choice(name, player.guid.clone()))
}

/// The answer of the database, or the refusal if it failed.
fn known<T>(result: Result<T, DbError>) -> Result<T, Refusal> {
    result.map_err(|error| {
        warn!("commands: {error}");
        Refusal::Unavailable
    })
}
