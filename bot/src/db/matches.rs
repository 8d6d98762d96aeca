//! Questions about matches and evenings. They are computed from the rows of the rounds whenever they are asked for, so late
//! files need no repair.

use std::collections::{BTreeMap, BTreeSet};

use gametimes_format::{EndReason, PlayerRef, Team};
use gametimes_rounds::matches::{
    Evening, Match, PlayedRound, ReportedMatch, RoundPlayer, Series, evenings, split,
};
use gametimes_rounds::play_order::{end_of_order_key, order_key};
use gametimes_rounds::player_id::player_key;
use serde::Serialize;
use serde_json::Value as Json;

use super::Db;
use super::connection::Reader;
use super::error::DbError;
use super::play_order::{PLAYED, ended_unix};
use super::rounds::RoundSummary;
use super::value::{Row, Value, team};
use crate::args;

/// For each evening that is asked for, so many rounds are loaded. Where evenings are longer, there are fewer of them, at least one: a page
/// takes as long on a server that is full all day.
const ROUNDS_PER_EVENING: usize = 16;
/// How many rounds are loaded at most. On a server that is never empty, an evening is cut here, and continues on the next page.
const ROUNDS_MAX: usize = 1000;
/// The match of a round is looked for among the rounds so long before and after it.
pub(super) const AROUND_SECONDS: i64 = 6 * 3600;

/// Evenings, latest first.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct EveningList {
    /// The evenings.
    pub evenings: Vec<Evening>,
    /// The value of `before` for the next page; null if there is none.
    pub next_before: Option<i64>,
}

/// Matches, latest first.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct MatchList {
    /// The matches.
    pub matches: Vec<Match>,
    /// The value of `before` for the next page; null if there is none.
    pub next_before: Option<i64>,
}

/// A match and its place in a series.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct MatchInSeries {
    /// The match.
    #[serde(rename = "match")]
    pub played: Match,
    /// Which team of the series is team A of the match: 1 or 2.
    pub team_a_is: u8,
    /// The series that the match is in.
    pub series: Series,
}

impl Db {
    /// Up to `count` evenings, fewer of them if they are long, latest first. `before` is a unix time: only rounds that ended before it count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn evenings(
        &self,
        before: Option<i64>,
        count: usize,
    ) -> Result<EveningList, DbError> {
        let before = before.map(|before| order_key(before, self.zone()));
        let mut limit = (ROUNDS_PER_EVENING * count).min(ROUNDS_MAX);
        loop {
            let mut reader = Reader::Database(&self.database);
            let (rounds, is_all) = self
                .rounds_between(&mut reader, "", before.as_deref(), limit)
                .await?;
            let parts = split(&rounds);
            // The oldest one may have more rounds.
            let complete = parts.len() - usize::from(!is_all && !parts.is_empty());
            if complete == 0 && !is_all && limit < ROUNDS_MAX {
                limit = (limit * 4).min(ROUNDS_MAX);
                continue;
            }
            let taken = complete.max(1).min(count);
            let first = parts.len().saturating_sub(taken);
            let has_more = first > 0 || !is_all;
            let mut chosen: Vec<PlayedRound> =
                parts[first..].iter().flatten().copied().cloned().collect();
            let earliest = chosen.iter().map(|round| round.end_unix).min();
            self.add_players(&mut reader, &mut chosen).await?;
            let mut evenings = evenings(&chosen);
            evenings.reverse();
            return Ok(EveningList {
                evenings,
                next_before: earliest.filter(|_| has_more),
            });
        }
    }

    /// Matches, latest first: those of as many evenings as it takes to have `count` of them, so there may be a few more.
    /// `before` is as for [`Self::evenings`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn matches(&self, before: Option<i64>, count: usize) -> Result<MatchList, DbError> {
        let mut list = MatchList {
            matches: Vec::new(),
            next_before: before,
        };
        loop {
            let page = self.evenings(list.next_before, 1 + count / 8).await?;
            for evening in page.evenings {
                if list.matches.len() >= count {
                    return Ok(list);
                }
                let series = evening.series.into_iter();
                let played = series.flat_map(|series| series.matches);
                let mut matches: Vec<Match> = played.map(|m| m.played).collect();
                matches.sort_by_key(|m| (m.started_unix, m.id));
                let ends = matches.iter().flat_map(|m| &m.rounds);
                list.next_before = ends.map(|round| round.ended_unix).min();
                list.matches.extend(matches.into_iter().rev());
            }
            list.next_before = page.next_before;
            if list.next_before.is_none() || list.matches.len() >= count {
                return Ok(list);
            }
        }
    }

    /// The match that a round belongs to; `None` if there is no round with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn match_of_round(&self, round_id: i64) -> Result<Option<MatchInSeries>, DbError> {
        let sql = format!(
            "SELECT {} AS play_order FROM rounds r WHERE r.id = $1",
            self.play_order()
        );
        let Some(row) = self.database.row(&sql, args![round_id]).await? else {
            return Ok(None);
        };
        let Some(end_unix) = end_of_order_key(&row.get::<String>("play_order"), self.zone()) else {
            return Ok(None);
        };
        let at = |seconds: i64| order_key(end_unix.saturating_add(seconds), self.zone());
        let (from, until) = (at(-AROUND_SECONDS), at(AROUND_SECONDS));
        let mut reader = Reader::Database(&self.database);
        let (rounds, _) = self
            .rounds_between(&mut reader, &from, Some(&until), ROUNDS_MAX)
            .await?;
        let parts = split(&rounds);
        let part = parts
            .into_iter()
            .find(|part| part.iter().any(|round| round.id == round_id));
        let mut part: Vec<PlayedRound> = part.into_iter().flatten().cloned().collect();
        self.add_players(&mut reader, &mut part).await?;
        let series = evenings(&part).into_iter().flat_map(|e| e.series);
        let found = series.into_iter().find_map(|series| {
            let has = |m: &Match| m.rounds.iter().any(|round| round.id == round_id);
            let found = series.matches.iter().find(|m| has(&m.played))?.clone();
            Some(MatchInSeries {
                played: found.played,
                team_a_is: found.team_a_is,
                series,
            })
        });
        Ok(found)
    }

    /// The latest rounds with an order in a range, without their players except those that the reports list; and whether these
    /// are all.
    pub(super) async fn rounds_between(
        &self,
        reader: &mut Reader<'_>,
        from: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<PlayedRound>, bool), DbError> {
        let sql = self.rounds_between_sql(before.is_some());
        let values = args![from, before.unwrap_or_default(), limit as i64];
        let rows = reader.rows(&sql, values).await?;
        let mut ids = BTreeSet::new();
        let rounds = rows.iter().filter_map(|row| self.played_round(row));
        let rounds = rounds.filter(|round| ids.insert(round.id)).collect();
        Ok((rounds, rows.len() < limit))
    }

    /// SQL for rounds with an order from `$1`, at most `$3` of them; before `$2` if `is_bounded`, else `$2` is empty.
    pub fn rounds_between_sql(&self, is_bounded: bool) -> String {
        let order = self.play_order();
        let until = match is_bounded {
            true => format!("{order} < $2"),
            false => "$2 = ''".to_owned(),
        };
        let join = match self.has("lua_round_teams") {
            true => "LEFT JOIN lua_round_teams t ON t.round_id = r.id",
            false => "",
        };
        let teams = ["axis_players", "allies_players", "gametimes_match"];
        format!(
            "SELECT {}, {}, {}, {order} AS play_order FROM rounds r {join} \
             WHERE {order} >= $1 AND {until} AND {PLAYED} \
             ORDER BY {order} DESC, r.id DESC LIMIT $3",
            self.select("rounds", "r", &RoundSummary::COLUMNS),
            self.select("rounds", "r", &["gametype"]),
            self.select("lua_round_teams", "t", &teams),
        )
    }

    /// `None` for a row of another bot whose time is unknown.
    fn played_round(&self, row: &Row) -> Option<PlayedRound> {
        let round = RoundSummary::from_row(row);
        let end_reason = round.end_reason.clone().unwrap_or_default();
        let end_reason: EndReason = serde_json::from_value(end_reason.into()).unwrap_or_default();
        let reported: Json = row.get("gametimes_match");
        let reported: ReportedMatch = serde_json::from_value(reported).unwrap_or_default();
        let seconds = round.actual_duration_seconds;
        let listed = [
            ("axis_players", Team::Axis),
            ("allies_players", Team::Allies),
        ];
        Some(PlayedRound {
            id: round.id,
            round_number: u8::try_from(round.round_number).unwrap_or_default(),
            start_unix: round.round_start_unix.filter(|start| *start > 0),
            end_unix: ended_unix(row, self.zone())?,
            played_ms: round
                .duration_ms
                .or(seconds.map(|s| s.saturating_mul(1000))),
            winner: round.winner(),
            defender: round.defender(),
            is_cut_off: !end_reason.is_finished()
                || round.round_status.as_deref() == Some("cancelled"),
            surrendered: end_reason == EndReason::Surrender,
            gametype: row.get("gametype"),
            match_uid: reported.match_uid,
            team_a: reported.team_a.and_then(Team::from_number),
            stopwatch: reported.stopwatch,
            map_result: reported.map_result,
            players: listed
                .iter()
                .flat_map(|(column, team)| listed_players(row, column, *team))
                .collect(),
            match_id: round.match_id,
            map_name: round.map_name,
            server_address: round.server_address.unwrap_or_default(),
            server_name: round.server_name.unwrap_or_default(),
        })
    }

    /// Adds the players that the recorder counted to those that its report lists. Rounds without any get those of the stats file.
    pub(super) async fn add_players(
        &self,
        reader: &mut Reader<'_>,
        rounds: &mut [PlayedRound],
    ) -> Result<(), DbError> {
        let ids = rounds.iter().map(|round| round.id).collect();
        let columns = [
            "round_id",
            "player_guid",
            "player_name",
            "team",
            "kill_count",
        ];
        let mut counted = self
            .players_of(reader, "lua_spawn_stats", &columns, ids)
            .await?;
        for round in rounds.iter_mut() {
            let players = counted.remove(&round.id).unwrap_or_default();
            let listed = std::mem::replace(&mut round.players, players);
            let known: BTreeSet<String> = round.players.iter().map(RoundPlayer::key).collect();
            let missing = listed.into_iter().filter(|p| !known.contains(&p.key()));
            round.players.extend(missing);
        }
        let without = rounds.iter().filter(|round| round.players.is_empty());
        let ids = without.map(|round| round.id).collect();
        let columns = ["round_id", "player_guid", "clean_name", "team", "kills"];
        let table = "player_comprehensive_stats";
        let mut in_files = self.players_of(reader, table, &columns, ids).await?;
        for round in rounds {
            round
                .players
                .extend(in_files.remove(&round.id).unwrap_or_default());
        }
        Ok(())
    }

    /// The players on a team in a table, by round. The columns are those of round, guid, name, team and kills.
    async fn players_of(
        &self,
        reader: &mut Reader<'_>,
        table: &str,
        columns: &[&str; 5],
        ids: Vec<i64>,
    ) -> Result<BTreeMap<i64, Vec<RoundPlayer>>, DbError> {
        let mut players: BTreeMap<i64, Vec<RoundPlayer>> = BTreeMap::new();
        if !self.has(table) {
            return Ok(players);
        }
        let sql = format!(
            "SELECT {} FROM {table} p WHERE p.round_id",
            self.select(table, "p", columns)
        );
        let ids: Vec<Value> = ids.into_iter().map(Value::from).collect();
        for row in reader.rows_in(&sql, &ids).await? {
            let [round_id, guid, name, side, kills] = *columns;
            let Some(team) = team(row.get(side)) else {
                continue;
            };
            let of_round = players.entry(row.get(round_id)).or_default();
            of_round.push(RoundPlayer {
                guid: row.get(guid),
                name: row.get(name),
                team,
                kills: row.get(kills),
            });
        }
        // The databases return them in any order.
        for players in players.values_mut() {
            players.sort_by(|a, b| a.guid.cmp(&b.guid));
        }
        Ok(players)
    }
}

/// The players of a team that a report lists.
fn listed_players(row: &Row, column: &str, team: Team) -> Vec<RoundPlayer> {
    let players: Vec<PlayerRef> = serde_json::from_value(row.get(column)).unwrap_or_default();
    let player = |p: PlayerRef| RoundPlayer {
        guid: player_key(&p.guid, &p.name),
        name: p.name,
        team,
        kills: 0,
    };
    players.into_iter().map(player).collect()
}
