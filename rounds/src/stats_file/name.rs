//! The name of a stats file.

use gametimes_format::check;
use gametimes_format::text::cut;
use jiff::civil::DateTime;

use crate::report::Refused;

/// The format of a match id, for `strftime`: the server's local time.
pub const MATCH_ID_FORMAT: &str = "%Y-%m-%d-%H%M%S";

/// The parts of a stats file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsName {
    /// The whole name.
    pub name: String,
    /// `YYYY-MM-DD-HHMMSS`, the id of the round in the tables.
    pub match_id: String,
    /// When the file was written, in the server's local time.
    pub written: DateTime,
    /// The map.
    pub map: String,
    /// 1 or 2.
    pub round: u8,
}

impl StatsName {
    /// Parses a name.
    ///
    /// # Errors
    /// When the name has another pattern or an impossible date.
    pub fn parse(name: &str) -> Result<Self, Refused> {
        let refused = || {
            Refused(format!(
                "{name:?} does not match YYYY-MM-DD-HHMMSS-<map>-round-<N>.txt"
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
        let written = DateTime::strptime(MATCH_ID_FORMAT, match_id).map_err(|_| refused())?;
        Ok(Self {
            name: name.to_owned(),
            match_id: match_id.to_owned(),
            written,
            map: cut(map, check::bounds::MAP),
            round: round
                .parse()
                .ok()
                .filter(|r| (1..=2).contains(r))
                .ok_or_else(refused)?,
        })
    }
}
