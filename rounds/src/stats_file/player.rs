//! A player's line in a stats file.

use std::collections::BTreeMap;

use gametimes_format::text::cut;
use gametimes_format::{TeamNumber, check, text};

use crate::report::Refused;

/// How many TAB-separated fields a player's line has.
pub const FIELDS: usize = 38;
/// No counter reaches this number.
pub(super) const NUMBER_MAX: f64 = 1e12;

/// The numbers of the TAB-separated fields.
pub mod field {
    #![allow(missing_docs, reason = "the names are the meanings")]
    pub const DAMAGE_GIVEN: usize = 0;
    pub const DAMAGE_RECEIVED: usize = 1;
    pub const TEAM_DAMAGE_GIVEN: usize = 2;
    pub const TEAM_DAMAGE_RECEIVED: usize = 3;
    pub const GIBS: usize = 4;
    pub const SELF_KILLS: usize = 5;
    pub const TEAM_KILLS: usize = 6;
    pub const TEAM_GIBS: usize = 7;
    pub const PERCENT_PLAYED: usize = 8;
    pub const XP: usize = 9;
    pub const KILLING_SPREE: usize = 10;
    pub const DEATH_SPREE: usize = 11;
    pub const KILL_ASSISTS: usize = 12;
    pub const KILL_STEALS: usize = 13;
    pub const HEADSHOT_KILLS: usize = 14;
    pub const OBJECTIVES_STOLEN: usize = 15;
    pub const OBJECTIVES_RETURNED: usize = 16;
    pub const DYNAMITES_PLANTED: usize = 17;
    pub const DYNAMITES_DEFUSED: usize = 18;
    pub const TIMES_REVIVED: usize = 19;
    pub const BULLETS_FIRED: usize = 20;
    pub const DPM: usize = 21;
    pub const MINUTES_PLAYED: usize = 22;
    pub const TANK_MEATSHIELD: usize = 23;
    pub const MINUTES_DEAD: usize = 25;
    pub const USEFUL_KILLS: usize = 27;
    pub const DENIED_SECONDS: usize = 28;
    pub const MULTI_KILLS_2: usize = 29;
    pub const MULTI_KILLS_3: usize = 30;
    pub const MULTI_KILLS_4: usize = 31;
    pub const MULTI_KILLS_5: usize = 32;
    pub const MULTI_KILLS_6: usize = 33;
    pub const USELESS_KILLS: usize = 34;
    pub const FULL_SELF_KILLS: usize = 35;
    pub const REPAIRS: usize = 36;
    pub const REVIVES_GIVEN: usize = 37;
}

/// A player's line.
#[derive(Debug, Clone, PartialEq)]
pub struct StatsPlayer {
    /// The first 8 digits of the guid.
    pub guid: String,
    /// The name with colour codes.
    pub name: String,
    /// The name without colour codes.
    pub clean_name: String,
    /// How many rounds the player has played.
    pub rounds: i64,
    /// 1 Axis, 2 Allies.
    pub team: TeamNumber,
    /// Hits, shots, kills, deaths and headshots, by the number of the weapon.
    pub weapons: BTreeMap<u8, [i64; 5]>,
    /// The fields after the weapons, by the numbers in [`field`].
    pub fields: [f64; FIELDS],
}

impl StatsPlayer {
    pub(super) fn parse(line: &[u8]) -> Result<Self, Refused> {
        let mut parts = line.splitn(5, |b| *b == b'\\');
        let mut part = |what: &str| {
            parts
                .next()
                .ok_or_else(|| Refused(format!("ends before the {what}")))
        };
        let guid = text::decode(part("guid")?);
        let name = text::decode(part("name")?);
        let rounds = integer(part("rounds")?, "rounds")?;
        let team = integer(part("team")?, "team")?;
        let rest = part("weapons")?;
        if guid.is_empty() || guid.chars().count() > 32 || guid.chars().any(char::is_whitespace) {
            return Err(Refused(format!("{guid:?} is not a guid")));
        }
        let tab = rest
            .iter()
            .position(|b| *b == b'\t')
            .ok_or_else(|| Refused("ends before the fields".into()))?;
        let weapons = weapons(&rest[..tab])?;
        let mut fields = [0.0; FIELDS];
        let mut count = 0;
        for field in rest[tab + 1..].split(|b| *b == b'\t') {
            if count == FIELDS {
                break;
            }
            fields[count] = decimal(field, "field")?;
            count += 1;
        }
        // Older scripts write fewer fields, but all write the time dead.
        if count < 26 {
            return Err(Refused(format!("{count} fields instead of {FIELDS}")));
        }
        Ok(Self {
            guid: cut(&guid, 8),
            clean_name: cut(&text::strip_colors(&name), check::bounds::NAME),
            name: cut(&name, check::bounds::NAME),
            rounds,
            team: u8::try_from(team)
                .ok()
                .filter(|t| *t <= 3)
                .map_or(TeamNumber::NONE, TeamNumber::from),
            weapons,
            fields,
        })
    }

    /// The sum over all weapons of hits (0), shots (1), kills (2), deaths (3) or headshots (4).
    pub fn weapon_sum(&self, index: usize) -> i64 {
        self.weapons
            .values()
            .map(|w| w[index])
            .fold(0, i64::saturating_add)
    }
}

/// Parses `mask n n n n n ...`: five numbers for each bit that is set in the mask.
fn weapons(text: &[u8]) -> Result<BTreeMap<u8, [i64; 5]>, Refused> {
    let mut numbers = text
        .split(|b| *b == b' ')
        .filter(|n| !n.is_empty())
        .map(|n| integer(n, "weapons"));
    let mask = numbers
        .next()
        .ok_or_else(|| Refused("no weapon mask".into()))??;
    let mut weapons = BTreeMap::new();
    for bit in (0..28).filter(|bit| mask >> bit & 1 == 1) {
        let mut weapon = [0; 5];
        for n in &mut weapon {
            *n = numbers
                .next()
                .ok_or_else(|| Refused("the weapons end early".into()))??;
        }
        weapons.insert(bit as u8, weapon);
    }
    Ok(weapons)
}

fn decimal(bytes: &[u8], what: &str) -> Result<f64, Refused> {
    let text = std::str::from_utf8(bytes).unwrap_or_default().trim();
    text.parse::<f64>()
        .ok()
        .filter(|n| n.is_finite() && n.abs() < NUMBER_MAX)
        .ok_or_else(|| Refused(format!("{what}: {:?} is not a number", text::decode(bytes))))
}

fn integer(bytes: &[u8], what: &str) -> Result<i64, Refused> {
    decimal(bytes, what).map(|n| n as i64)
}
