//! Checks the keys of the match: its id, sides, time limits and result, the players at the start and the substitutions.

use super::bounds;
use super::checker::Checker;
use super::names::is_uuid_v7;
use crate::file::{Meta, PlayerRef};
use crate::matches::{Sides, Stopwatch};
use crate::team::{Team, TeamNumber};
use std::fmt::Display;

impl Checker {
    pub(super) fn matches(&mut self, meta: &Meta) {
        let round_ms = bounds::ROUND_SECONDS * 1000;
        for (path, id) in [
            ("meta.match_uid", Some(&meta.match_uid)),
            ("meta.round_1_event_id", meta.round_1_event_id.as_ref()),
        ] {
            let Some(id) = id.filter(|id| !id.is_empty()) else {
                continue;
            };
            self.text(path, id, 0, 64);
            self.doubt_unless(is_uuid_v7(id), path, || format!("{id:?} is not a UUIDv7"));
        }
        self.doubt_unless(
            meta.round_1_event_id.is_none() || meta.round == 2,
            "meta.round_1_event_id",
            || "only a round 2 has a round 1".into(),
        );
        if let Some(Sides { team_a, team_b }) = meta.sides {
            let opposed =
                team_a.team().is_some() && team_a.team() == team_b.team().map(Team::opponent);
            self.reject_unless(opposed, "meta.sides", || {
                format!("{team_a} and {team_b}, but the sides are 1 and 2")
            });
        }
        if let Some(Stopwatch {
            limit_ms,
            target_ms,
            next_limit_ms,
            ..
        }) = meta.stopwatch
        {
            for ms in [Some(limit_ms), target_ms, next_limit_ms]
                .into_iter()
                .flatten()
            {
                self.range("meta.stopwatch", ms, 0, bounds::TIMELIMIT_MINUTES * 60_000);
            }
        }
        if let Some(result) = meta.map_result {
            for ms in [result.team_a_ms, result.team_b_ms].into_iter().flatten() {
                self.range("meta.map_result", ms, 0, round_ms);
            }
            self.doubt_unless(
                meta.round == 2 && result.winner.is_some() == result.reason.is_some(),
                "meta.map_result",
                || "only a round 2 has a result, and a winner has a reason".into(),
            );
        }
        self.text("meta.config", &meta.config, 0, bounds::TEXT);
        self.text("meta.mod_version", &meta.mod_version, 0, bounds::TEXT);
        for (path, team) in [
            ("meta.teams_start.axis", &meta.teams_start.axis),
            ("meta.teams_start.allies", &meta.teams_start.allies),
        ] {
            self.players(path, team);
        }
        self.list(
            "meta.substitutions",
            meta.substitutions.len(),
            bounds::EVENTS,
        );
        for (i, change) in meta.substitutions.iter().enumerate().take(bounds::EVENTS) {
            let path = format_args!("meta.substitutions[{i}]");
            self.identity(path, &change.out.guid, &change.out.name);
            self.identity(path, &change.joined.guid, &change.joined.name);
            self.team(path, change.team);
            self.doubt_unless((0..=meta.duration_ms).contains(&change.t_ms), path, || {
                format!("at {} ms of {}", change.t_ms, meta.duration_ms)
            });
        }
        for (i, pause) in meta.pauses.iter().enumerate().take(bounds::PAUSES) {
            if let Some(by) = &pause.by {
                let path = format_args!("meta.pauses[{i}].by");
                self.text(path, &by.guid, 0, bounds::GUID);
                self.text(path, &by.name, 0, bounds::NAME);
                self.team(path, by.team);
            }
        }
        let bots = meta
            .spawn_stats
            .iter()
            .filter(|player| player.is_bot)
            .count();
        self.doubt_unless(meta.bots as usize == bots, "meta.bots", || {
            format!("{}, but {bots} of the players are bots", meta.bots)
        });
    }

    pub(super) fn players(&mut self, path: impl Display + Copy, players: &[PlayerRef]) {
        self.list(path, players.len(), bounds::PLAYERS);
        for (i, PlayerRef { guid, name }) in players.iter().enumerate().take(bounds::PLAYERS) {
            self.identity(format_args!("{path}[{i}]"), guid, name);
        }
    }

    pub(super) fn team(&mut self, path: impl Display + Copy, team: TeamNumber) {
        self.reject_unless(team.number() <= 3, path, || format!("{team} is not a team"));
    }
}
