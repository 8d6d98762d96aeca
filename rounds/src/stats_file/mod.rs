//! The stats file of the c0rnp0rn scripts: `YYYY-MM-DD-HHMMSS-<map>-round-<N>.txt`.
//!
//! A header line split at `\`, then one line for each player. If a player's line is broken, that player is missing; if the header is
//! broken, the file is refused.

mod name;
mod player;

use std::collections::BTreeMap;

use gametimes_format::text::cut;
use gametimes_format::{TeamNumber, check, text};

use self::player::NUMBER_MAX;
use crate::report::Refused;

pub use name::{MATCH_ID_FORMAT, StatsName};
pub use player::{FIELDS, StatsPlayer, field};

/// By how much a round may exceed its time limit.
const BEYOND_LIMIT_SECONDS: f64 = 60.0;
/// The longest round on a map without a time limit whose duration is recognized if a file contains it in seconds.
const UNLIMITED_SECONDS: f64 = 3600.0;
/// The shortest round, for a file whose time limit is long.
const ROUND_MS_MIN: f64 = 10_000.0;

/// The largest stats file that is read. 64 players take about 16 KB.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// A stats file.
#[derive(Debug, Clone, PartialEq)]
pub struct StatsFile {
    /// The parts of its name.
    pub name: StatsName,
    /// Its first line.
    pub header: Header,
    /// The players, in the order of the file.
    pub players: Vec<StatsPlayer>,
    /// Broken lines, with the reason.
    pub problems: Vec<String>,
}

/// The first line of a stats file.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The server's name, without colour codes.
    pub server: String,
    /// The map.
    pub map: String,
    /// 1 or 2.
    pub round: u8,
    /// 1 Axis, 2 Allies, 0 unknown.
    pub defender: TeamNumber,
    /// 1 Axis, 2 Allies, 0 for a draw or unknown.
    pub winner: TeamNumber,
    /// The time limit as written, `M:SS`.
    pub timelimit: String,
    /// The next time limit as written, `M:SS`: the time to beat in stopwatch, which other programs take for the round's duration.
    /// `0:00` means that none was set.
    pub next_timelimit: String,
    /// The time played; negative if the file was saved at a shutdown, `None` in files of old scripts. Some scripts write seconds:
    /// see `playtime_ms`.
    pub playtime_ms: Option<i64>,
}

impl StatsFile {
    /// Reads a stats file.
    ///
    /// # Errors
    /// When the name or the header cannot be read, or the file is too large.
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
        file.number_duplicate_guids();
        Ok(file)
    }

    /// Whether a shutdown cut the round off: the clock of the scripts is wrong then.
    pub fn is_cut_off(&self) -> bool {
        self.header.playtime_ms.is_some_and(|ms| ms < 0)
    }

    /// The duration that other programs take from the file: its second time limit. `None` if it is `0:00`, which means that it is
    /// not set, and if it is longer than the first, because no round sets a longer time than it had itself. The scripts write such a number (98:00 with a limit of 2:00) when they save
    /// at a shutdown, because their clock runs backwards then.
    pub fn target_seconds(&self) -> Option<i64> {
        let target = self.header.next_limit_seconds()?;
        let limit = minutes_seconds(&self.header.timelimit).filter(|limit| *limit > 0);
        // Both limits are rounded to seconds.
        limit
            .is_none_or(|limit| target <= limit + 1)
            .then_some(target)
    }

    /// The duration by the clock of the scripts; `None` if the file does not contain it or the clock ran backwards.
    pub fn played_seconds(&self) -> Option<i64> {
        self.header
            .playtime_ms
            .filter(|ms| *ms > 0)
            .map(|ms| ms / 1000)
    }

    /// The longest duration that the file allows; `None` if it contains none.
    pub fn longest_seconds(&self) -> Option<i64> {
        self.target_seconds().max(self.played_seconds())
    }

    /// Appends `#2`, `#3`... to the guids of players whose first 8 digits are the same, as those of bots are, in the order of their
    /// names. So each player has a row.
    fn number_duplicate_guids(&mut self) {
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
        let limit = |i: usize| cut(parts[i].trim(), 16);
        let round = small(3, "round", 2)?;
        if round == 0 {
            return Err(Refused("the header's round is 0".into()));
        }
        let map = cut(parts[1].trim(), check::bounds::MAP);
        if map.is_empty() {
            return Err(Refused("the header has no map".into()));
        }
        Ok(Self {
            server: cut(&text::strip_colors(&parts[0]), check::bounds::TEXT),
            map,
            round,
            defender: small(4, "defender", 2)?.into(),
            winner: small(5, "winner", 2)?.into(),
            playtime_ms: match parts.get(8).map(|p| p.trim()) {
                None | Some("") => None,
                Some(time) => Some(playtime_ms(
                    time.parse::<f64>()
                        .ok()
                        .filter(|time| time.abs() < NUMBER_MAX)
                        .ok_or_else(|| Refused(format!("the header's playtime is {time:?}")))?,
                    minutes_seconds(&limit(6)),
                )),
            },
            timelimit: limit(6),
            next_timelimit: limit(7),
        })
    }

    /// The next time limit in seconds; `None` if it is not set.
    pub fn next_limit_seconds(&self) -> Option<i64> {
        minutes_seconds(&self.next_timelimit).filter(|seconds| *seconds > 0)
    }
}

/// The time played in milliseconds. Most scripts write milliseconds, some write seconds: a number is in seconds if a round of so many
/// seconds fits the time limit. Read as milliseconds, it would be a round of a second or two, or at most ten.
fn playtime_ms(time: f64, limit_seconds: Option<i64>) -> i64 {
    let longest = limit_seconds
        .filter(|limit| *limit > 0)
        .map_or(UNLIMITED_SECONDS, |limit| {
            limit as f64 + BEYOND_LIMIT_SECONDS
        });
    if time.abs() <= longest.min(ROUND_MS_MIN) {
        (time * 1000.0) as i64
    } else {
        time as i64
    }
}

/// Parses `M:SS`; returns seconds.
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
    fn samples_are_read_completely() {
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
    fn target_beyond_the_limit_is_not_a_duration() {
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
        // After a surrender it is the full limit: wrong, but possible.
        file.header.next_timelimit = "2:00".into();
        assert_eq!(file.target_seconds(), Some(120));
        // Without a limit, any target is possible.
        (file.header.timelimit, file.header.next_timelimit) = ("0:00".into(), "98:00".into());
        assert_eq!(file.target_seconds(), Some(5880));
    }

    #[test]
    fn next_limit_of_zero_is_not_set() {
        let name = "2025-01-06-221847-supply-round-2.txt";
        let bytes = include_bytes!(
            "../../../tests/data/round2-zero-limit/2025-01-06-221847-supply-round-2.txt"
        );
        let file = StatsFile::parse(name, bytes).unwrap();
        assert_eq!(file.header.next_timelimit, "0:00");
        assert_eq!(
            (file.target_seconds(), file.longest_seconds()),
            (None, None)
        );
    }

    #[test]
    fn playtime_in_seconds_is_recognized_by_the_limit() {
        for (limit, written, ms) in [
            ("2:00", "54278", 54_278),
            ("2:00", "55", 55_000),
            ("2:00", "55.4", 55_400),
            ("12:00", "720", 720_000),
            ("12:00", "724", 724_000),
            ("12:00", "720050", 720_050),
            // 12 minutes do not fit a limit of 2.
            ("2:00", "720", 720),
            ("0:00", "1800", 1_800_000),
            ("0:00", "54278", 54_278),
            // A limit so long that every number fits it.
            ("1500:00", "54278", 54_278),
            ("3:00", "-139137", -139_137),
            ("3:00", "-139", -139_000),
            ("3:00", "0", 0),
        ] {
            let bytes = format!("s\\m\\c\\1\\1\\1\\{limit}\\{limit}\\{written}\n");
            let file = StatsFile::parse("2026-11-20-123344-m-round-1.txt", bytes.as_bytes());
            let found = file.unwrap().header.playtime_ms;
            assert_eq!(found, Some(ms), "{limit} {written}");
        }
    }

    #[test]
    fn broken_line_is_reported_and_costs_one_player() {
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
