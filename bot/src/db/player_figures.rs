//! A player's figures over many rounds, from the sums of [`super::player_sums`].

use serde::Serialize;

use super::value::Row;

/// What a player did in the rounds that count: without rounds that were cut off, those with bots, and a round 2 without its round 1.
/// Combat figures come from stats files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct PlayerFigures {
    /// The first 8 digits of the guid, or `name:...` for a client without one.
    pub guid: String,
    /// The latest name, without colour codes.
    pub name: String,
    /// Number of rounds.
    pub rounds: i64,
    /// Number of enemies killed.
    pub kills: i64,
    /// Number of deaths.
    pub deaths: i64,
    /// Kills per death; without a death, the kills.
    pub kd: Option<f64>,
    /// Damage given per minute played; null without stats files.
    pub dpm: Option<f64>,
    /// Hits per hundred shots; null without shots.
    pub accuracy: Option<f64>,
    /// Headshots per hundred hits; null without hits.
    pub headshots: Option<f64>,
    /// How many team mates the player revived per round; null without stats files.
    pub revives: Option<f64>,
    /// The time dead in percent of the time played; exact where a recorder was running.
    pub dead_share: Option<f64>,
    /// For how many seconds of each minute played the enemies whom the player killed were dead.
    pub denied: Option<f64>,
    /// The seconds from a death to the next spawn wave, per death; null if no recorder has reported waves.
    pub wave_wait: Option<f64>,
    /// Number of matches with a result.
    pub maps_played: i64,
    /// How many of them the player's team won.
    pub maps_won: i64,
    /// How many of them were a draw.
    pub maps_drawn: i64,
    /// Matches won in percent of those with a result.
    pub maps_won_share: Option<f64>,
    /// Time played in ms.
    pub played_ms: i64,
}

/// A column of the table of players.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlayerSort {
    /// The latest name.
    Name,
    /// Number of rounds.
    #[default]
    Rounds,
    /// Kills per death.
    Kd,
    /// Damage given per minute.
    Dpm,
    /// Hits per shot.
    Accuracy,
    /// Headshots per hit.
    Headshots,
    /// Revives per round.
    Revives,
    /// Share of the time dead.
    DeadShare,
    /// Time denied per minute.
    Denied,
    /// Wait for the wave per death.
    WaveWait,
    /// Number of matches won.
    MapsWon,
    /// Matches won per match.
    MapsWonShare,
}

impl PlayerSort {
    /// All columns, in the order in which tables show them.
    pub const ALL: [Self; 12] = [
        Self::Name,
        Self::Rounds,
        Self::Kd,
        Self::Dpm,
        Self::Accuracy,
        Self::Headshots,
        Self::Revives,
        Self::DeadShare,
        Self::Denied,
        Self::WaveWait,
        Self::MapsWon,
        Self::MapsWonShare,
    ];

    /// The name in addresses, that of the field of [`PlayerFigures`].
    pub fn key(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Rounds => "rounds",
            Self::Kd => "kd",
            Self::Dpm => "dpm",
            Self::Accuracy => "accuracy",
            Self::Headshots => "headshots",
            Self::Revives => "revives",
            Self::DeadShare => "dead_share",
            Self::Denied => "denied",
            Self::WaveWait => "wave_wait",
            Self::MapsWon => "maps_won",
            Self::MapsWonShare => "maps_won_share",
        }
    }

    /// The column with a name.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.key() == key)
    }

    /// Whether the smallest value comes first unless the other direction is asked for.
    pub fn is_ascending(self) -> bool {
        matches!(self, Self::Name | Self::DeadShare | Self::WaveWait)
    }

    /// SQL for the value, from the summed columns; NULL if it is unknown.
    pub(super) fn sql(self) -> String {
        let ratio = |part: &str, whole: &str| {
            format!("CAST({part} AS DOUBLE PRECISION) / NULLIF({whole}, 0)")
        };
        match self {
            Self::Name => "LOWER(name)".to_owned(),
            Self::Rounds => "rounds".to_owned(),
            Self::Kd => {
                "CAST(kills AS DOUBLE PRECISION) / CASE WHEN deaths > 0 THEN deaths WHEN kills > 0 THEN 1 END"
                    .to_owned()
            }
            Self::Dpm => ratio("damage_given", "stats_seconds"),
            Self::Accuracy => ratio("hits", "shots"),
            Self::Headshots => ratio("headshots", "hits"),
            Self::Revives => ratio("revives", "stats_rounds"),
            Self::DeadShare => ratio("dead_ms", "dead_of_ms"),
            Self::Denied => ratio("denied_ms", "denied_in_ms"),
            Self::WaveWait => ratio("wave_wait_ms", "wave_wait_deaths"),
            Self::MapsWon => "maps_won".to_owned(),
            Self::MapsWonShare => ratio("maps_won", "maps_played"),
        }
    }
}

impl PlayerFigures {
    /// From a row with the sums; `guid` and `name` are left to the caller.
    pub(super) fn from_sums(row: &Row) -> Self {
        let ratio = |part: &str, whole: &str, factor: f64| {
            let (part, whole) = (row.get::<i64>(part), row.get::<i64>(whole));
            (whole > 0).then(|| rounded(part as f64 / whole as f64 * factor))
        };
        let (kills, deaths): (i64, i64) = (row.get("kills"), row.get("deaths"));
        let has_fought = kills > 0 || deaths > 0;
        Self {
            guid: String::new(),
            name: String::new(),
            rounds: row.get("rounds"),
            kills,
            deaths,
            kd: has_fought.then(|| rounded(kills as f64 / deaths.max(1) as f64)),
            dpm: ratio("damage_given", "stats_seconds", 60.0),
            accuracy: ratio("hits", "shots", 100.0),
            headshots: ratio("headshots", "hits", 100.0),
            revives: ratio("revives", "stats_rounds", 1.0),
            dead_share: ratio("dead_ms", "dead_of_ms", 100.0),
            denied: ratio("denied_ms", "denied_in_ms", 60.0),
            wave_wait: ratio("wave_wait_ms", "wave_wait_deaths", 0.001),
            maps_played: row.get("maps_played"),
            maps_won: row.get("maps_won"),
            maps_drawn: row.get("maps_drawn"),
            maps_won_share: ratio("maps_won", "maps_played", 100.0),
            played_ms: row.get("played_ms"),
        }
    }
}

/// To two decimals, so that both databases and all programs show the same.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
