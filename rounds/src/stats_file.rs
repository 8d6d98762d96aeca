//! The stats file of the c0rnp0rn scripts: `YYYY-MM-DD-HHMMSS-<map>-round-<N>.txt`.
//!
//! A header line split at `\`, then one line a player. A broken player line costs that player only; a broken header
//! costs the file.

use std::collections::BTreeMap;

use gametimes_format::{TeamNumber, check, text};
use jiff::civil::DateTime;

use crate::report::Refused;

/// The largest stats file that is read: 64 players take about 16 KB.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// How many TAB-separated fields a player has.
pub const FIELDS: usize = 38;
/// Larger numbers cannot be counters.
const NUMBER_MAX: f64 = 1e12;

/// Numbers of the TAB-separated fields.
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

/// What a stats file's name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsName {
    /// The whole name.
    pub name: String,
    /// `YYYY-MM-DD-HHMMSS`, the id of the round in the tables.
    pub match_id: String,
    /// When it was written, local time of the server.
    pub written: DateTime,
    /// The map.
    pub map: String,
    /// The round.
    pub round: u8,
}

impl StatsName {
    /// Reads a file's name.
    ///
    /// # Errors
    /// When it has another pattern, or an impossible date.
    pub fn parse(name: &str) -> Result<Self, Refused> {
        let refused = || {
            Refused(format!(
                "{name:?} is not like YYYY-MM-DD-HHMMSS-<map>-round-<N>.txt"
            ))
        };
        if !check::is_stats_file_name(name) {
            return Err(refused());
        }
        let (match_id, rest) = name.split_at(17);
        let (map, round) = rest[1..]
            .strip_suffix(".txt")
            .and_then(|r| r.rsplit_once("-round-"))
            .ok_or_else(refused)?;
        let written = DateTime::strptime(crate::reconcile::MATCH_ID_FORMAT, match_id)
            .map_err(|_| refused())?;
        Ok(Self {
            name: name.to_owned(),
            match_id: match_id.to_owned(),
            written,
            map: map.chars().take(check::bounds::MAP).collect(),
            round: round
                .parse()
                .ok()
                .filter(|r| (1..=2).contains(r))
                .ok_or_else(refused)?,
        })
    }
}

/// A stats file.
#[derive(Debug, Clone, PartialEq)]
pub struct StatsFile {
    /// What its name says.
    pub name: StatsName,
    /// Its first line.
    pub header: Header,
    /// The players, in the order of the file.
    pub players: Vec<StatsPlayer>,
    /// Lines that were broken, and why.
    pub problems: Vec<String>,
}

/// The first line of a stats file.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The server's name, colours out.
    pub server: String,
    /// The map.
    pub map: String,
    /// 1 or 2.
    pub round: u8,
    /// 1 Axis, 2 Allies, 0 unknown.
    pub defender: TeamNumber,
    /// 1 Axis, 2 Allies, 0 nobody.
    pub winner: TeamNumber,
    /// The time limit as written, `M:SS`.
    pub timelimit: String,
    /// The next time limit as written, `M:SS`: the stopwatch target. Readers took it for the round's duration.
    pub next_timelimit: String,
    /// Time played; negative when the file was saved at a shutdown, `None` in files of old scripts.
    pub playtime_ms: Option<i64>,
}

/// One player's line.
#[derive(Debug, Clone, PartialEq)]
pub struct StatsPlayer {
    /// The first 8 digits of the guid.
    pub guid: String,
    /// The name with its colours.
    pub name: String,
    /// The name without.
    pub clean_name: String,
    /// Rounds played before.
    pub rounds: i64,
    /// 1 Axis, 2 Allies.
    pub team: TeamNumber,
    /// By number of the weapon: hits, shots, kills, deaths, headshots.
    pub weapons: BTreeMap<u8, [i64; 5]>,
    /// The fields behind the weapons.
    pub fields: [f64; FIELDS],
}

impl StatsFile {
    /// Reads a stats file.
    ///
    /// # Errors
    /// When name or header are unreadable, or the file is too large.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Refused> {
        let name = StatsName::parse(name)?;
        if bytes.len() > FILE_BYTES_MAX {
            return Err(Refused(format!(
                "{} bytes are more than {FILE_BYTES_MAX}",
                bytes.len()
            )));
        }
        let mut lines = bytes
            .split(|b| *b == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let header = Header::parse(lines.next().unwrap_or_default())?;
        let mut file = Self {
            name,
            header,
            players: Vec::new(),
            problems: Vec::new(),
        };
        for (i, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
            match StatsPlayer::parse(line) {
                Ok(player) if file.players.len() < check::bounds::PLAYERS => {
                    file.players.push(player);
                }
                Ok(_) => {
                    file.problems
                        .push("more players than a server can have".into());
                    break;
                }
                Err(Refused(why)) => file.problems.push(format!("line {}: {why}", i + 2)),
            }
        }
        file.problems.truncate(20);
        file.tell_twins_apart();
        Ok(file)
    }

    /// The round was cut off: the scripts saved at a shutdown, and their clock was off.
    pub fn is_cut_off(&self) -> bool {
        self.header.playtime_ms.is_some_and(|ms| ms < 0)
    }

    /// The duration that readers take from the file: its second time limit. `None` where that is beyond the first: no
    /// round sets a longer time than it had itself. The scripts write such a number (98:00 with a limit of 2:00) when they
    /// save at a shutdown, on a clock that ran backwards.
    pub fn target_seconds(&self) -> Option<i64> {
        let target = minutes_seconds(&self.header.next_timelimit)?;
        let limit = minutes_seconds(&self.header.timelimit).filter(|limit| *limit > 0);
        // Both are rounded to seconds.
        limit
            .is_none_or(|limit| target <= limit + 1)
            .then_some(target)
    }

    /// The duration from the file's own clock, where it has one that runs forward.
    pub fn played_seconds(&self) -> Option<i64> {
        self.header
            .playtime_ms
            .filter(|ms| *ms > 0)
            .map(|ms| ms / 1000)
    }

    /// Players who share the first 8 digits (bots do) get `#2`, `#3`... behind them, in the order of their names, so that
    /// each has a row.
    fn tell_twins_apart(&mut self) {
        let mut order: Vec<usize> = (0..self.players.len()).collect();
        order.sort_by(|&a, &b| {
            let key = |i: usize| (&self.players[i].guid, &self.players[i].clean_name, i);
            key(a).cmp(&key(b))
        });
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for i in order {
            let guid = self.players[i].guid.to_ascii_uppercase();
            let count = seen.entry(guid).or_default();
            *count += 1;
            if *count > 1 {
                self.players[i].guid.push_str(&format!("#{count}"));
            }
        }
    }
}

impl Header {
    fn parse(line: &[u8]) -> Result<Self, Refused> {
        let parts: Vec<String> = line.split(|b| *b == b'\\').map(text::decode).collect();
        if !(8..=16).contains(&parts.len()) {
            return Err(Refused(format!(
                "the header has {} parts instead of 9",
                parts.len()
            )));
        }
        let small = |i: usize, what: &str, most: u8| {
            parts[i]
                .trim()
                .parse::<u8>()
                .ok()
                .filter(|n| *n <= most)
                .ok_or_else(|| Refused(format!("the header's {what} is {:?}", parts[i])))
        };
        let limit = |i: usize| parts[i].trim().chars().take(16).collect::<String>();
        let round = small(3, "round", 2)?;
        if round == 0 {
            return Err(Refused("the header's round is 0".into()));
        }
        let map: String = parts[1].trim().chars().take(check::bounds::MAP).collect();
        if map.is_empty() {
            return Err(Refused("the header has no map".into()));
        }
        Ok(Self {
            server: text::strip_colors(&parts[0])
                .chars()
                .take(check::bounds::TEXT)
                .collect(),
            map,
            round,
            defender: small(4, "defender", 2)?.into(),
            winner: small(5, "winner", 2)?.into(),
            timelimit: limit(6),
            next_timelimit: limit(7),
            playtime_ms: match parts.get(8).map(|p| p.trim()) {
                None | Some("") => None,
                Some(ms) => Some(
                    ms.parse::<f64>()
                        .ok()
                        .filter(|ms| ms.abs() < NUMBER_MAX)
                        .ok_or_else(|| Refused(format!("the header's playtime is {ms:?}")))?
                        as i64,
                ),
            },
        })
    }
}

impl StatsPlayer {
    fn parse(line: &[u8]) -> Result<Self, Refused> {
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
            return Err(Refused(format!("{guid:?} is no guid")));
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
        // Older scripts know fewer fields, but all know the time dead.
        if count < 26 {
            return Err(Refused(format!("{count} fields instead of {FIELDS}")));
        }
        let clean_name: String = text::strip_colors(&name)
            .chars()
            .take(check::bounds::NAME)
            .collect();
        Ok(Self {
            guid: guid.chars().take(8).collect(),
            name: name.chars().take(check::bounds::NAME).collect(),
            clean_name,
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

/// `mask n n n n n ...`: five numbers for each bit set.
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
        .ok_or_else(|| Refused(format!("{what}: {:?} is no number", text::decode(bytes))))
}

fn integer(bytes: &[u8], what: &str) -> Result<i64, Refused> {
    decimal(bytes, what).map(|n| n as i64)
}

/// `M:SS` in seconds.
pub fn minutes_seconds(text: &str) -> Option<i64> {
    let (minutes, seconds) = text.split_once(':')?;
    let (minutes, seconds): (i64, i64) = (minutes.parse().ok()?, seconds.parse().ok()?);
    ((0..=100_000).contains(&minutes) && (0..60).contains(&seconds))
        .then_some(minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &str) -> StatsFile {
        let path = format!(
            "{}/../tests/data/samples/gamestats/{name}",
            env!("CARGO_MANIFEST_DIR")
        );
        StatsFile::parse(name, &std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn the_samples_are_read_completely() {
        let file = sample("2026-11-20-123531-room2-round-2.txt");
        assert_eq!(file.header.server, "ETLHost");
        assert_eq!(
            (
                file.header.round,
                file.header.defender.number(),
                file.header.winner.number()
            ),
            (2, 1, 2)
        );
        assert_eq!(file.header.playtime_ms, Some(39_276));
        assert_eq!((file.players.len(), file.problems.len()), (12, 0));
        let player = file.players.iter().find(|p| p.guid == "A0000003").unwrap();
        assert_eq!(player.clean_name, "Žiž<@everyone>&");
        assert_eq!(player.weapons[&5], [33, 126, 4, 0, 1]);
        assert_eq!((player.weapon_sum(2), player.weapon_sum(3)), (4, 4));
        assert_eq!(
            (player.fields[0], player.fields[25], player.fields[37]),
            (569.0, 0.2, 2.0)
        );
        let surrender = sample("2026-11-20-125046-room1-round-1.txt");
        assert_eq!(
            (surrender.target_seconds(), surrender.played_seconds()),
            (Some(180), Some(54))
        );
        assert!(sample("2026-11-20-125123-room1-round-1.txt").is_cut_off());
    }

    #[test]
    fn a_target_of_98_minutes_in_a_map_of_2_is_no_duration() {
        let mut file = sample("2026-11-20-123609-room2-round-2.txt");
        let header = &file.header;
        assert_eq!(
            (
                header.timelimit.as_str(),
                header.next_timelimit.as_str(),
                header.playtime_ms
            ),
            ("2:00", "98:00", Some(-245_893))
        );
        assert_eq!((file.target_seconds(), file.played_seconds()), (None, None));
        // The full limit of a surrender stays what it is: believable, and wrong.
        file.header.next_timelimit = "2:00".into();
        assert_eq!(file.target_seconds(), Some(120));
        // Without a limit, any target may be.
        (file.header.timelimit, file.header.next_timelimit) = ("0:00".into(), "98:00".into());
        assert_eq!(file.target_seconds(), Some(5880));
    }

    #[test]
    fn a_broken_line_costs_one_player_and_says_which() {
        let name = "2026-11-20-123344-room2-round-1.txt";
        let path = format!(
            "{}/../tests/data/samples/gamestats/{name}",
            env!("CARGO_MANIFEST_DIR")
        );
        let whole = std::fs::read(path).unwrap();
        let cut = &whole[..whole.len() - 100];
        let file = StatsFile::parse(name, cut).unwrap();
        assert_eq!(file.players.len(), 11);
        assert!(
            file.problems[0].starts_with("line 13: "),
            "{:?}",
            file.problems
        );
    }

    #[test]
    fn refuses_what_is_no_stats_file() {
        let name = "2026-11-20-123344-room2-round-1.txt";
        for (name, bytes) in [
            ("x.txt", &b"s\\m\\c\\1\\1\\1\\2:00\\2:00\\5"[..]),
            (
                "2026-13-20-123344-room2-round-1.txt",
                b"s\\m\\c\\1\\1\\1\\2:00\\2:00\\5",
            ),
            (name, b""),
            (name, b"s\\m\\c\\0\\1\\1\\2:00\\2:00\\5"),
            (name, b"s\\\\c\\1\\1\\1\\2:00\\2:00\\5"),
            (name, b"s\\m\\c\\1\\1\\9\\2:00\\2:00\\5"),
            (name, b"s\\m\\c\\1\\1\\1\\2:00\\2:00\\1e300"),
        ] {
            assert!(StatsFile::parse(name, bytes).is_err(), "{name} {bytes:?}");
        }
    }

    #[test]
    fn names_in_latin_1_and_twins_keep_their_rows() {
        let fields = "\t0".repeat(38);
        let mut bytes = b"^1Srv\\m\\c\\1\\1\\2\\2:00\\2:00\\5\r\n".to_vec();
        for name in [&b"b^7\xe9"[..], b"a", b"^^x"] {
            bytes.extend(b"OMNIBOT0\\");
            bytes.extend(name);
            bytes.extend(format!("\\0\\1\\0 {fields}\r\n").as_bytes());
        }
        let file = StatsFile::parse("2026-11-20-123344-m-round-1.txt", &bytes).unwrap();
        assert_eq!(file.problems, Vec::<String>::new());
        let found: Vec<_> = file
            .players
            .iter()
            .map(|p| (p.guid.as_str(), p.clean_name.as_str()))
            .collect();
        assert_eq!(
            found,
            [("OMNIBOT0#3", "bé"), ("OMNIBOT0#2", "a"), ("OMNIBOT0", "^")]
        );
        assert_eq!(file.header.server, "Srv");
    }
}
