//! Questions about players over many rounds. They are answered from the sums that [`Db::refresh_players`] computes.

use gametimes_rounds::play_order::end_of_order_key;
use gametimes_rounds::player_id::short_guid;
use jiff::{Timestamp, ToSpan as _};
use serde::Serialize;

use super::Db;
use super::error::DbError;
use super::play_order::PLAYED;
use super::player_figures::{PlayerFigures, PlayerSort};
use super::player_sums::SUMS;
use super::round_list::pattern;
use super::value::Row;
use crate::args;

/// How many players a page of the table has.
pub const PLAYERS_PER_PAGE: i64 = 50;
/// How many rounds a player needs to be in the table, if the filter does not say: a tenth of those of the most active player,
/// but at most so many.
const ROUNDS_MIN: i64 = 10;
/// How many days are recent, today included.
pub const RECENT_DAYS: i64 = 30;
/// How many days the form of a player goes back.
const FORM_DAYS: i64 = 30;

/// How many rounds [`Db::duel`] looks at.
const DUEL_ROUNDS: i64 = 1_000;

/// Which players the table lists.
#[derive(Debug, Clone, Default)]
pub struct PlayerFilter {
    /// A part of any name that the player had, or the beginning of the guid; case does not matter. Empty for all players.
    pub text: String,
    /// The first day that counts, `YYYY-MM-DD`; `None` for all days.
    pub since: Option<String>,
    /// The whole name of the only map that counts; case does not matter. Empty for all maps.
    pub map: String,
    /// The rounds that a player needs; `None` for a number that suits the data.
    pub min_rounds: Option<i64>,
    /// The column to sort by. Players for whom it is unknown come last.
    pub sort: PlayerSort,
    /// Whether to sort against the column's usual direction.
    pub reverse: bool,
    /// The number of the page, from 1.
    pub page: i64,
    /// The players of a page; 0 for [`PLAYERS_PER_PAGE`].
    pub limit: i64,
}

/// A page of the table of players.
#[derive(Debug, Clone, PartialEq)]
pub struct PlayerTable {
    /// The players.
    pub players: Vec<PlayerFigures>,
    /// How many rounds they have at least.
    pub min_rounds: i64,
    /// Whether there is another page after this one.
    pub has_more: bool,
}

/// A name of a player.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct PlayerName {
    /// The first 8 digits of the guid, or `name:...` for a client without one.
    pub guid: String,
    /// The name without colour codes.
    pub name: String,
    /// When a player last had the name.
    pub last_unix: Option<i64>,
}

/// What is known about a player over all rounds.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct PlayerSummary {
    /// All rounds that count.
    pub all_time: PlayerFigures,
    /// Those since a day.
    pub recent: PlayerFigures,
    /// The names, latest first.
    pub names: Vec<PlayerName>,
    /// Each map, most rounds first.
    pub maps: Vec<PlayerMap>,
    /// The latest days with rounds that count, latest first.
    pub days: Vec<PlayerDay>,
}

/// A player's figures on one map.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct PlayerMap {
    /// Name of the map.
    pub map_name: String,
    /// The figures.
    pub figures: PlayerFigures,
}

/// A player's figures on one day.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct PlayerDay {
    /// `YYYY-MM-DD` in the server's local time.
    pub day: String,
    /// The figures.
    pub figures: PlayerFigures,
}

/// How two players did in the rounds that both played, and that count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Duel {
    /// How many of the first player's latest rounds were looked at.
    pub looked_at: i64,
    /// On one team.
    pub together: DuelSums,
    /// On different teams.
    pub against: DuelSums,
}

/// Sums over rounds of two players.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DuelSums {
    /// Number of rounds.
    pub rounds: i64,
    /// How many the team of the first player won.
    pub won_a: i64,
    /// Kills of the first player, of anybody.
    pub kills_a: i64,
    /// Deaths of the first player.
    pub deaths_a: i64,
    /// How many the team of the second player won.
    pub won_b: i64,
    /// Kills of the second player.
    pub kills_b: i64,
    /// Deaths of the second player.
    pub deaths_b: i64,
}

impl Db {
    /// How two players did with and against each other, according to stats files, in the first one's latest [`DUEL_ROUNDS`]
    /// rounds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn duel(&self, a: &str, b: &str) -> Result<Duel, DbError> {
        let sql = format!(
            "SELECT a.team AS team_a, b.team AS team_b, r.winner_team, a.kills AS kills_a, a.deaths AS deaths_a, \
             b.kills AS kills_b, b.deaths AS deaths_b FROM (SELECT round_id, team, kills, deaths FROM player_comprehensive_stats \
             WHERE UPPER(SUBSTR(player_guid, 1, 8)) = $1 ORDER BY round_id DESC LIMIT $3) AS a \
             JOIN rounds r ON r.id = a.round_id AND {PLAYED} AND {} \
             LEFT JOIN player_comprehensive_stats b ON b.round_id = a.round_id AND UPPER(SUBSTR(b.player_guid, 1, 8)) = $2",
            self.counts()
        );
        let mut duel = Duel::default();
        for row in self.database.rows(&sql, args![a, b, DUEL_ROUNDS]).await? {
            duel.looked_at += 1;
            let [team_a, team_b] = ["team_a", "team_b"].map(|team| row.get::<i64>(team));
            if team_a == 0 || team_b == 0 {
                continue;
            }
            let sums = match team_a == team_b {
                true => &mut duel.together,
                false => &mut duel.against,
            };
            let winner: i64 = row.get("winner_team");
            sums.rounds += 1;
            sums.won_a += i64::from(winner == team_a);
            sums.won_b += i64::from(winner == team_b);
            sums.kills_a += row.get::<i64>("kills_a");
            sums.deaths_a += row.get::<i64>("deaths_a");
            sums.kills_b += row.get::<i64>("kills_b");
            sums.deaths_b += row.get::<i64>("deaths_b");
        }
        Ok(duel)
    }

    /// A page of the table of players.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn player_table(&self, filter: &PlayerFilter) -> Result<PlayerTable, DbError> {
        let (since, map) = (filter.since.clone().unwrap_or_default(), &filter.map);
        let table = match filter.since {
            Some(_) => "gametimes_player_days",
            None => "gametimes_player_totals",
        };
        // The changed expression keeps SQLite from reading all days in the order of the players.
        let (player, is_in) = match filter.since {
            Some(_) => ("player || ''", "day >= $1"),
            None => ("player", "$1 = ''"),
        };
        let sums = format!(
            "SELECT {player} AS player, {} FROM {table} WHERE {is_in} AND ($2 = '' OR LOWER(map_name) = LOWER($2)) \
             GROUP BY {player}",
            sums(),
        );
        let min_rounds = match filter.min_rounds {
            Some(rounds) => rounds,
            None => {
                let sql = format!("SELECT COALESCE(MAX(rounds), 0) AS rounds FROM ({sums}) AS s");
                let row = self.database.row(&sql, args![&since, map]).await?;
                let most: i64 = row.map(|row| row.get("rounds")).unwrap_or_default();
                (most / 10).clamp(1, ROUNDS_MIN)
            }
        };
        let limit = match filter.limit {
            0 => PLAYERS_PER_PAGE,
            limit => limit,
        };
        let value = filter.sort.sql();
        let direction = match filter.sort.is_ascending() == filter.reverse {
            true => "DESC",
            false => "ASC",
        };
        let sql = format!(
            "SELECT s.*, {NAME_OF_S} AS name FROM ({sums}) AS s WHERE rounds >= $3 AND ($4 = '' OR {FITS_S})"
        );
        let sql = format!(
            "SELECT * FROM ({sql}) AS t ORDER BY CASE WHEN {value} IS NULL THEN 1 ELSE 0 END, {value} {direction}, rounds DESC, \
             player LIMIT $6 OFFSET $7"
        );
        let values = args![
            &since,
            map,
            min_rounds,
            pattern(&filter.text),
            prefix(&filter.text),
            limit + 1,
            (filter.page.max(1) - 1).saturating_mul(limit)
        ];
        let rows = self.database.rows(&sql, values).await?;
        let players = rows.iter().take(usize::try_from(limit).unwrap_or(0));
        let figures = |row: &Row| PlayerFigures {
            guid: row.get("player"),
            name: row.get("name"),
            ..PlayerFigures::from_sums(row)
        };
        Ok(PlayerTable {
            players: players.map(figures).collect(),
            min_rounds,
            has_more: rows.len() as i64 > limit,
        })
    }

    /// Players with a name that contains a text, or with a guid that begins with it: each with the latest such name, first those
    /// whose name begins with the text, then those who played last. An empty text gives those who played last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn player_search(&self, text: &str, limit: i64) -> Result<Vec<PlayerName>, DbError> {
        let sql = "SELECT player, name, last_order FROM (SELECT n.*, ROW_NUMBER() OVER (PARTITION BY player \
                   ORDER BY last_order DESC, name) AS place FROM gametimes_player_names n \
                   WHERE $1 = '' OR LOWER(name) LIKE LOWER($1) ESCAPE '!' OR player LIKE $2 ESCAPE '!') AS n WHERE place = 1 \
                   ORDER BY CASE WHEN LOWER(name) LIKE LOWER($3) ESCAPE '!' THEN 0 ELSE 1 END, last_order DESC, player LIMIT $4";
        let begins = pattern(text);
        let begins = begins.strip_prefix('%').unwrap_or_default();
        let values = args![pattern(text), prefix(text), begins, limit];
        let rows = self.database.rows(sql, values).await?;
        Ok(rows.iter().map(|row| self.player_name(row)).collect())
    }

    /// A player over all rounds; `None` if there is no player with this guid. Of a guid, the first 8 digits count. `since` is the
    /// first day of the recent rounds, `YYYY-MM-DD`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn player_summary(
        &self,
        guid: &str,
        since: &str,
    ) -> Result<Option<PlayerSummary>, DbError> {
        let guid = short_guid(guid);
        let sql = "SELECT player, name, last_order FROM gametimes_player_names WHERE player = $1 ORDER BY last_order DESC, name";
        let rows = self.database.rows(sql, args![&guid]).await?;
        let names: Vec<PlayerName> = rows.iter().map(|row| self.player_name(row)).collect();
        let Some(latest) = names.first() else {
            return Ok(None);
        };
        let name = latest.name.clone();
        let figures = |row: &Row| PlayerFigures {
            guid: guid.clone(),
            name: name.clone(),
            ..PlayerFigures::from_sums(row)
        };
        let one = async |sql: String, values| {
            let row = self.database.row(&sql, values).await?;
            Ok::<_, DbError>(row.as_ref().map(figures).unwrap_or_default())
        };
        let sums = sums();
        let totals = format!("SELECT {sums} FROM gametimes_player_totals WHERE player = $1");
        let recent =
            format!("SELECT {sums} FROM gametimes_player_days WHERE player = $1 AND day >= $2");
        let maps = format!(
            "SELECT map_name, {sums} FROM gametimes_player_totals WHERE player = $1 GROUP BY map_name \
             HAVING SUM(rounds) > 0 ORDER BY SUM(rounds) DESC, map_name"
        );
        let days = format!(
            "SELECT day, {sums} FROM gametimes_player_days WHERE player = $1 GROUP BY day \
             HAVING SUM(rounds) > 0 ORDER BY day DESC LIMIT $2"
        );
        let maps = self.database.rows(&maps, args![&guid]).await?;
        let days = self.database.rows(&days, args![&guid, FORM_DAYS]).await?;
        Ok(Some(PlayerSummary {
            all_time: one(totals, args![&guid]).await?,
            recent: one(recent, args![&guid, since]).await?,
            maps: maps
                .iter()
                .map(|row| PlayerMap {
                    map_name: row.get("map_name"),
                    figures: figures(row),
                })
                .collect(),
            days: days
                .iter()
                .map(|row| PlayerDay {
                    day: row.get("day"),
                    figures: figures(row),
                })
                .collect(),
            names,
        }))
    }

    /// The first of the last [`RECENT_DAYS`] days in the servers' time zone, `YYYY-MM-DD`.
    pub fn recent_since(&self) -> String {
        let today = Timestamp::now().to_zoned(self.zone().clone()).date();
        let day = today.checked_sub((RECENT_DAYS - 1).days()).unwrap_or(today);
        day.to_string()
    }

    fn player_name(&self, row: &Row) -> PlayerName {
        PlayerName {
            guid: row.get("player"),
            name: row.get("name"),
            last_unix: end_of_order_key(&row.get::<String>("last_order"), self.zone()),
        }
    }
}

/// The latest name of the player of a row `s`.
const NAME_OF_S: &str = "COALESCE((SELECT n.name FROM gametimes_player_names n WHERE n.player = s.player \
                         ORDER BY n.last_order DESC, n.name LIMIT 1), '')";

/// Whether the player of a row `s` has a name that matches `$4`, or a guid that matches `$5`.
const FITS_S: &str = "s.player LIKE $5 ESCAPE '!' OR s.player IN (SELECT n.player FROM gametimes_player_names n \
                      WHERE LOWER(n.name) LIKE LOWER($4) ESCAPE '!')";

/// SQL for the sums of all columns.
fn sums() -> String {
    let sums = SUMS.map(|sum| format!("CAST(COALESCE(SUM({sum}), 0) AS BIGINT) AS {sum}"));
    sums.join(", ")
}

/// The LIKE pattern for guids that begin with a text.
fn prefix(text: &str) -> String {
    let key = short_guid(text);
    pattern(&key)
        .strip_prefix('%')
        .unwrap_or_default()
        .to_owned()
}
