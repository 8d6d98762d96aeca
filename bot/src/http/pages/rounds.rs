//! The list of rounds.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::civil::Date;

use super::{Asked, PageError, dash, encode, number, parameters, seconds, show};
use crate::args;
use crate::db::value::Row;
use crate::db::{Db, DbError};
use crate::display::{self, is_wrong};
use crate::http::{ApiError, App};

/// Rounds on a page.
const PER_PAGE: i64 = 50;

/// Which rounds are asked for; empty fields do not filter.
#[derive(Debug, Default)]
struct Filter {
    map: String,
    player: String,
    from: String,
    to: String,
    page: i64,
}

impl Filter {
    fn is_set(&self) -> bool {
        ![&self.map, &self.player, &self.from, &self.to]
            .into_iter()
            .all(String::is_empty)
    }

    /// The address of another page of the same list.
    fn link(&self, page: i64) -> String {
        let mut link = format!("/?page={page}");
        let fields = [
            ("map", &self.map),
            ("player", &self.player),
            ("from", &self.from),
            ("to", &self.to),
        ];
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            link.push_str(&format!("&{name}={}", encode(value)));
        }
        link
    }
}

/// A line of the list.
struct Line {
    id: i64,
    map: String,
    number: i64,
    ended: String,
    played: String,
    stats_said: String,
    is_wrong: bool,
    pauses: String,
    winner: &'static str,
    end: String,
    players: i64,
    server: String,
}

#[derive(Template)]
#[template(path = "rounds.html")]
struct Page {
    filter: Filter,
    rounds: Vec<Line>,
    more: bool,
    /// The servers' time zone.
    zone: String,
}

/// `/`
pub async fn page(State(app): State<App>, asked: Asked) -> Result<Response, PageError> {
    let mut asked = parameters(asked);
    let filter = Filter {
        map: asked.text("map", 64)?.unwrap_or_default().trim().to_owned(),
        player: asked
            .text("player", 64)?
            .unwrap_or_default()
            .trim()
            .to_owned(),
        from: date("from", asked.text("from", 64)?)?,
        to: date("to", asked.text("to", 64)?)?,
        page: asked.number("page", 1, 1..=100_000)?,
    };
    let mut rounds = list(&app.db, &filter).await?;
    let more = rounds.len() as i64 > PER_PAGE;
    rounds.truncate(PER_PAGE as usize);
    Ok(show(&Page {
        filter,
        rounds,
        more,
        zone: app.db.zone().iana_name().unwrap_or("local time").to_owned(),
    }))
}

fn date(name: &str, given: Option<String>) -> Result<String, ApiError> {
    let Some(given) = given else {
        return Ok(String::new());
    };
    let date: Result<Date, _> = given.parse();
    date.map(|date| date.to_string()).map_err(|_| {
        let shown: String = given.chars().take(40).collect();
        ApiError::bad_request(
            format!("{name} is {shown:?}"),
            format!("{name}: a date as 2026-12-31"),
        )
    })
}

async fn list(store: &Db, filter: &Filter) -> Result<Vec<Line>, DbError> {
    let columns = [
        "id",
        "map_name",
        "round_number",
        "round_end_unix",
        "match_id",
        "actual_duration_seconds",
        "stats_duration_seconds",
        "pause_count",
        "total_pause_seconds",
        "winner_team",
        "end_reason",
        "server_name",
        "server_address",
    ];
    let mut of_player = Vec::new();
    let mut count = "0".to_owned();
    for (table, name) in [
        ("lua_spawn_stats", "player_name"),
        ("player_comprehensive_stats", "clean_name"),
    ] {
        if store.has(table) {
            of_player.push(format!(
                "EXISTS (SELECT 1 FROM {table} p WHERE p.round_id = r.id AND LOWER(p.{name}) LIKE LOWER($2) ESCAPE '!')"
            ));
            count =
                format!("MAX({count}, (SELECT COUNT(*) FROM {table} p WHERE p.round_id = r.id))");
        }
    }
    if store.database.is_postgres() {
        count = count.replace("MAX(", "GREATEST(");
    }
    // match_id begins with the server's local date, which is the date that players remember.
    let sql = format!(
        "SELECT {}, {count} FROM rounds r WHERE ($1 = '' OR LOWER(r.map_name) LIKE LOWER($1) ESCAPE '!') AND ($2 = '' OR {}) \
         AND ($3 = '' OR SUBSTR(r.match_id, 1, 10) >= $3) AND ($4 = '' OR SUBSTR(r.match_id, 1, 10) <= $4) \
         ORDER BY COALESCE(r.match_id, '') DESC, r.id DESC LIMIT $5 OFFSET $6",
        store.select("rounds", "r", &columns),
        if of_player.is_empty() {
            "FALSE".to_owned()
        } else {
            format!("({})", of_player.join(" OR "))
        },
    );
    let values = args![
        part(&filter.map),
        part(&filter.player),
        &filter.from,
        &filter.to,
        PER_PAGE + 1,
        (filter.page - 1) * PER_PAGE
    ];
    Ok(store
        .database
        .rows(&sql, values)
        .await?
        .iter()
        .map(line)
        .collect())
}

/// The pattern of names with this part; empty for none. The database lowers it as it lowers the names, whatever letters it knows.
fn part(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let escaped = text
        .replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_");
    format!("%{escaped}%")
}

fn line(row: &Row) -> Line {
    let (happened, said) = (row.int(5), row.int(6));
    Line {
        id: row.int(0).unwrap_or_default(),
        map: row.string(1),
        number: row.int(2).unwrap_or_default(),
        ended: row.int(3).map_or_else(|| row.string(4), display::utc),
        played: seconds(happened),
        stats_said: seconds(said),
        is_wrong: is_wrong(happened, said),
        pauses: match (row.int(7), row.int(8)) {
            (None, _) => dash(),
            (Some(0), _) => "0".to_owned(),
            (count, length) => format!("{} ({})", number(count), seconds(length)),
        },
        winner: display::team(row.int(9)),
        end: display::end_reason(row.text(10)).to_owned(),
        players: row.int(13).unwrap_or_default(),
        server: [11, 12]
            .into_iter()
            .filter_map(|i| row.text(i))
            .find(|name| !name.is_empty())
            .map_or_else(dash, str::to_owned),
    }
}
