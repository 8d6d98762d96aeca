//! Pages for people: plain HTML, no scripts.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::api::{ApiError, App, find_round};
use crate::store::read::{Player, RoundDetail, RoundFilter, RoundSummary};

/// The pages' routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/", get(index))
        .route("/rounds/{id}", get(round))
}

#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    rounds: Vec<RoundSummary>,
}

#[derive(Template)]
#[template(path = "round.html")]
struct Round {
    detail: RoundDetail,
    teams: Vec<(&'static str, Vec<Player>)>,
}

#[derive(Template)]
#[template(path = "error.html")]
struct Failure {
    message: String,
}

/// An error as a page.
struct PageError(ApiError);

impl From<ApiError> for PageError {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, message) = self.0.parts();
        (
            status,
            page(&Failure {
                message: message.to_owned(),
            }),
        )
            .into_response()
    }
}

fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!("rendering a page: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn index(State(app): State<App>) -> Result<Response, PageError> {
    let filter = RoundFilter {
        limit: 100,
        ..RoundFilter::default()
    };
    let rounds = app.store.rounds(&filter).await.map_err(ApiError::from)?;
    Ok(page(&Index { rounds }))
}

async fn round(State(app): State<App>, Path(id): Path<String>) -> Result<Response, PageError> {
    let detail = find_round(&app, &id).await?;
    let of_team = |team: Option<i64>| -> Vec<Player> {
        detail
            .players
            .iter()
            .filter(|p| p.team == team)
            .cloned()
            .collect()
    };
    let others = |p: &&Player| !matches!(p.team, Some(1 | 2));
    let mut teams = vec![("Axis", of_team(Some(1))), ("Allies", of_team(Some(2)))];
    teams.push((
        "Others",
        detail.players.iter().filter(others).cloned().collect(),
    ));
    teams.retain(|(_, players)| !players.is_empty());
    Ok(page(&Round { detail, teams }))
}

/// Filters of the templates.
mod filters {
    use askama::{Result, Values};

    /// Milliseconds as `M:SS.mmm`, nothing as a dash.
    #[askama::filter_fn]
    pub fn ms(ms: &Option<i64>, _: &dyn Values) -> Result<String> {
        Ok(ms.map_or_else(
            || "–".to_owned(),
            |ms| format!("{}:{:02}.{:03}", ms / 60_000, ms / 1000 % 60, ms % 1000),
        ))
    }

    /// Seconds as `M:SS`.
    #[askama::filter_fn]
    pub fn clock(seconds: &Option<i64>, _: &dyn Values) -> Result<String> {
        Ok(seconds.map_or_else(|| "–".to_owned(), |s| format!("{}:{:02}", s / 60, s % 60)))
    }

    /// A number, nothing as a dash.
    #[askama::filter_fn]
    pub fn or_dash(n: &Option<i64>, _: &dyn Values) -> Result<String> {
        Ok(n.map_or_else(|| "–".to_owned(), |n| n.to_string()))
    }

    /// A team's name.
    #[askama::filter_fn]
    pub fn team(team: &Option<i64>, _: &dyn Values) -> Result<&'static str> {
        Ok(match team {
            Some(1) => "Axis",
            Some(2) => "Allies",
            _ => "nobody",
        })
    }

    /// A unix time as a date in UTC.
    #[askama::filter_fn]
    pub fn utc(unix: &Option<i64>, _: &dyn Values) -> Result<String> {
        let time = unix.and_then(|unix| jiff::Timestamp::from_second(unix).ok());
        Ok(time.map_or_else(
            || "–".to_owned(),
            |t| t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        ))
    }
}
