//! The parameters by which pages and API filter and sort players.

use super::error::ApiError;
use super::query::{PageNumber, Parameters};
use crate::db::Db;
use crate::db::player_figures::PlayerSort;
use crate::db::player_table::{PLAYERS_PER_PAGE, PlayerFilter};

/// The names of the parameters, for the answer to an unknown one.
pub const NAMES: &str = "player, map, period, min_rounds, sort, order, page, limit";

/// The rounds that count: all, or those of the last [`RECENT_DAYS`](crate::db::player_table::RECENT_DAYS) days.
pub const PERIODS: [&str; 2] = ["all", "30d"];
/// The last page of the table.
const PAGES_MAX: i64 = 1_000;

/// Takes the parameters of the table of players.
pub fn player_filter(
    query: &mut Parameters,
    db: &Db,
) -> Result<(PlayerFilter, PageNumber), ApiError> {
    let text = |text: Option<String>| text.unwrap_or_default();
    let keys = PlayerSort::ALL.map(PlayerSort::key);
    let sort = match query.text("sort", 64)? {
        None => PlayerSort::default(),
        Some(key) => PlayerSort::from_key(&key).ok_or_else(|| {
            ApiError::bad_request(
                "sort has an invalid value".to_owned(),
                format!("sort: {}", keys.join(", ")),
            )
        })?,
    };
    let order = query.word("order", &["", "asc", "desc"])?;
    let least = query.number("min_rounds", 0, 0..=1_000_000)?;
    let page = query.page(PAGES_MAX)?;
    let filter = PlayerFilter {
        text: text(query.text("player", 64)?),
        map: text(query.text("map", 64)?),
        since: since(query.word("period", &PERIODS)?, db),
        min_rounds: (least > 0).then_some(least),
        sort,
        reverse: !order.is_empty() && (order == "asc") != sort.is_ascending(),
        page: page.number,
        limit: query.number("limit", PLAYERS_PER_PAGE, 1..=500)?,
    };
    Ok((filter, page))
}

/// The first day of a period; `None` for all days.
pub fn since(period: &str, db: &Db) -> Option<String> {
    (period == "30d").then(|| db.recent_since())
}
