//! Questions about many rounds: the list of the API and the list of the pages.

use std::collections::BTreeSet;

use super::Db;
use super::error::DbError;
use super::play_order::{PLAYED, ended_unix};
use super::rounds::RoundSummary;
use super::value::{Row, Value};
use crate::args;
use jiff::tz::TimeZone;

/// If more names than this contain a text, rounds with one of them are everywhere.
const MANY_NAMES: i64 = 20;
/// On at most so many days, rounds are found by their day.
const FEW_DAYS: usize = 32;

/// Which rounds the API lists.
#[derive(Debug, Clone, Default)]
pub struct RoundFilter {
    /// Only rounds on this map; case does not matter.
    pub map: Option<String>,
    /// A part of a player's name; case does not matter.
    pub player: Option<String>,
    /// The first day, `YYYY-MM-DD` in the server's local time.
    pub from: Option<String>,
    /// The last day, `YYYY-MM-DD` in the server's local time.
    pub to: Option<String>,
    /// Only rounds listed after the one with this id.
    pub before: Option<i64>,
    /// How many rounds are returned at most.
    pub limit: i64,
}

/// Which rounds the pages list. Empty fields do not filter.
#[derive(Debug, Clone, Default)]
pub struct RoundListFilter {
    /// A part of the map's name; case does not matter.
    pub map: String,
    /// A part of a player's name; case does not matter.
    pub player: String,
    /// The first day, `YYYY-MM-DD` in the server's local time.
    pub from: String,
    /// The last day, `YYYY-MM-DD` in the server's local time.
    pub to: String,
    /// The number of the page, from 1.
    pub page: i64,
}

impl RoundListFilter {
    /// The latest rounds.
    pub fn first_page() -> Self {
        Self {
            page: 1,
            ..Self::default()
        }
    }
}

/// A page of the list of rounds.
#[derive(Debug, Clone)]
pub struct RoundList {
    /// The rounds, latest first.
    pub rounds: Vec<RoundListEntry>,
    /// Whether there is another page after this one.
    pub has_more: bool,
}

/// A round in the list of rounds.
#[derive(Debug, Clone)]
pub struct RoundListEntry {
    /// The round.
    pub round: RoundSummary,
    /// When the round ended, worked out from its `match_id` if no recorder reported it.
    pub ended_unix: Option<i64>,
    /// The duration according to the stats file.
    pub stats_duration_seconds: Option<i64>,
    /// Number of players.
    pub players: i64,
}

impl RoundListEntry {
    fn from_row(row: &Row, zone: &TimeZone) -> Self {
        Self {
            round: RoundSummary::from_row(row),
            ended_unix: ended_unix(row, zone),
            stats_duration_seconds: row.get("stats_duration_seconds"),
            players: row.get("players"),
        }
    }
}

impl Db {
    /// The API's list of rounds, latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rounds(&self, filter: &RoundFilter) -> Result<Vec<RoundSummary>, DbError> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let player = text(&filter.player);
        let Some(among) = self.days_of_name(&player).await? else {
            return Ok(Vec::new());
        };
        let columns = self.select("rounds", "r", &RoundSummary::COLUMNS);
        let order = self.play_order();
        let sql = format!(
            "SELECT {columns} FROM rounds r WHERE {PLAYED} AND ($1 = '' OR LOWER(r.map_name) = LOWER($1)) \
             AND ($2 = 0 OR ({order}, r.id) < (SELECT {order}, r.id FROM rounds r WHERE r.id = $2)) \
             AND ($4 = '' OR ({has_player})) AND {in_days} AND {of_name} \
             ORDER BY {sorted} DESC, r.id DESC LIMIT $3",
            has_player = self.has_player("$4"),
            in_days = in_days("$5", "$6"),
            of_name = among.condition(self, "$7"),
            sorted = among.order(self),
        );
        let values = args![
            text(&filter.map),
            filter.before.unwrap_or(0),
            filter.limit,
            pattern(&player),
            text(&filter.from),
            text(&filter.to)
        ];
        let rows = self
            .database
            .rows(&sql, &among.with_days(self, values))
            .await?;
        Ok(rows.iter().map(RoundSummary::from_row).collect())
    }

    /// A page of the pages' list of rounds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn round_list(&self, filter: &RoundListFilter) -> Result<RoundList, DbError> {
        const PER_PAGE: i64 = 50;
        let Some(among) = self.days_of_name(&filter.player).await? else {
            return Ok(RoundList {
                rounds: Vec::new(),
                has_more: false,
            });
        };
        let mut players = "0".to_owned();
        let greatest = if self.database.is_postgres() {
            "GREATEST"
        } else {
            "MAX"
        };
        for (table, _) in PLAYER_NAMES {
            if self.has(table) {
                players = format!(
                    "{greatest}({players}, (SELECT COUNT(*) FROM {table} p WHERE p.round_id = r.id))"
                );
            }
        }
        // The page first: PostgreSQL would count the players of every round before it.
        let sql = format!(
            "SELECT {}, {}, {order} AS play_order, {players} AS players FROM (SELECT r.* FROM rounds r \
             WHERE {PLAYED} AND ($1 = '' OR LOWER(r.map_name) LIKE LOWER($1) ESCAPE '!') AND ($2 = '' OR ({has_player})) \
             AND {in_days} AND {of_name} \
             ORDER BY {sorted} DESC, r.id DESC LIMIT $5 OFFSET $6) AS r ORDER BY {sorted} DESC, r.id DESC",
            self.select("rounds", "r", &RoundSummary::COLUMNS),
            self.select("rounds", "r", &["stats_duration_seconds"]),
            order = self.play_order(),
            has_player = self.has_player("$2"),
            in_days = in_days("$3", "$4"),
            of_name = among.condition(self, "$7"),
            sorted = among.order(self),
        );
        let values = args![
            pattern(&filter.map),
            pattern(&filter.player),
            &filter.from,
            &filter.to,
            PER_PAGE + 1,
            (filter.page - 1) * PER_PAGE
        ];
        let rows = self
            .database
            .rows(&sql, &among.with_days(self, values))
            .await?;
        Ok(RoundList {
            rounds: rows
                .iter()
                .take(PER_PAGE as usize)
                .map(|row| RoundListEntry::from_row(row, self.zone()))
                .collect(),
            has_more: rows.len() as i64 > PER_PAGE,
        })
    }

    /// The days on which players with a name that contains a text have played; `None` if nobody has.
    async fn days_of_name(&self, text: &str) -> Result<Option<Among>, DbError> {
        if text.is_empty() {
            return Ok(Some(Among::AllDays));
        }
        // SQLite keeps the order of a CROSS JOIN: the names first.
        let sql = "SELECT DISTINCT d.day FROM (SELECT player, name FROM gametimes_player_names \
                   WHERE LOWER(name) LIKE LOWER($1) ESCAPE '!' LIMIT $2) AS n \
                   CROSS JOIN gametimes_name_days d WHERE d.player = n.player AND d.name = n.name";
        let names = "SELECT COUNT(*) AS names FROM gametimes_player_names WHERE LOWER(name) LIKE LOWER($1) ESCAPE '!'";
        let row = self.database.row(names, args![pattern(text)]).await?;
        match row.map(|row| row.get::<i64>("names")) {
            None | Some(0) => return Ok(None),
            // Almost every round has one of so many.
            Some(names) if names > MANY_NAMES => return Ok(Some(Among::AllDays)),
            Some(_) => {}
        }
        let rows = self
            .database
            .rows(sql, args![pattern(text), MANY_NAMES])
            .await?;
        let days: BTreeSet<String> = rows.iter().map(|row| row.get("day")).collect();
        Ok(Some(Among::Days(days.into_iter().collect())))
    }

    /// SQL for whether the name of a player of the round `r` matches a pattern. With `EXISTS`, PostgreSQL would look through all players
    /// of all rounds first.
    fn has_player(&self, pattern: &str) -> String {
        let tables = PLAYER_NAMES.iter().filter(|(table, _)| self.has(table));
        let conditions: Vec<String> = tables
            .map(|(table, name)| {
                format!(
                    "(SELECT 1 FROM {table} p WHERE p.round_id = r.id AND LOWER(p.{name}) LIKE LOWER({pattern}) ESCAPE '!' LIMIT 1) \
                     IS NOT NULL"
                )
            })
            .collect();
        match conditions.is_empty() {
            true => "FALSE".to_owned(),
            false => conditions.join(" OR "),
        }
    }
}

/// Where rounds of a player are looked for. Without this, each round of the list would have to be looked into.
enum Among {
    /// Everywhere.
    AllDays,
    /// Only on these days.
    Days(Vec<String>),
}

impl Among {
    /// SQL for whether the round `r` is of one of the days, which are the value of a placeholder.
    fn condition(&self, db: &Db, days: &str) -> String {
        let list = match db.database.is_postgres() {
            true => format!("= ANY(string_to_array({days}, ','))"),
            false => format!("IN (SELECT value FROM json_each({days}))"),
        };
        match self {
            Self::AllDays => "TRUE".to_owned(),
            Self::Days(days) if days.len() <= FEW_DAYS => {
                format!("SUBSTR(r.match_id, 1, 10) {list}")
            }
            // The changed expression keeps the databases from using the index, as then they would have to sort.
            Self::Days(_) => format!("SUBSTR(r.match_id, 1, 10) || '' {list}"),
        }
    }

    /// The values of a statement with those of [`Self::condition`].
    fn with_days(&self, db: &Db, values: &[Value]) -> Vec<Value> {
        let mut values = values.to_vec();
        if let Self::Days(days) = self {
            values.push(match db.database.is_postgres() {
                true => days.join(",").into(),
                false => serde_json::json!(days).to_string().into(),
            });
        }
        values
    }

    /// SQL for the order of play. The rounds of a few days are found by their days and then sorted; if there are more, walking
    /// through all rounds in order finds enough of them soon.
    fn order(&self, db: &Db) -> String {
        let order = db.play_order();
        match self {
            Self::Days(days) if days.len() <= FEW_DAYS => format!("{order} || ''"),
            _ => order.to_owned(),
        }
    }
}

/// SQL for the local date of the round `r`.
const DAY: &str = "COALESCE(NULLIF(r.round_date, ''), SUBSTR(r.match_id, 1, 10))";

/// The tables with players of rounds, each with its column of names without colour codes.
const PLAYER_NAMES: [(&str, &str); 2] = [
    ("lua_spawn_stats", "player_name"),
    ("player_comprehensive_stats", "clean_name"),
];

/// SQL for whether the round `r` was played within the days `from` and `to`, of which an empty one does not limit. The server's local
/// date is the one that players remember. The `match_id` of a round 2 begins with that of its round 1.
fn in_days(from: &str, to: &str) -> String {
    format!("({from} = '' OR {DAY} >= {from}) AND ({to} = '' OR {DAY} <= {to})")
}

/// The LIKE pattern for names that contain a text; empty for an empty text. Lowercasing is left to the database, so that
/// pattern and names are treated alike.
pub(super) fn pattern(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let escaped = text
        .replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_");
    format!("%{escaped}%")
}
