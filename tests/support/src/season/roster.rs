//! The players of a season.

use gametimes_format::{Class, PlayerRef};

use super::random::Random;

/// What is before and behind the names of a clan's players, with colour codes.
const TAGS: [(&str, &str); 4] = [
    ("^1eA^7.", ""),
    ("", "^7|^3KoD"),
    ("^4[PiG]^7 ", ""),
    ("^2rA^7~", ""),
];
/// Every seventh player in these places of the list is in no clan.
const IN_CLAN: usize = 4;
const GROUP: usize = 7;

/// Names as players choose them: many alphabets, emoji, quotes, tags, the longest that the game takes.
const NAMES: [&str; 40] = [
    "Smoke",
    "^3Vega",
    "bl^1oo^7dy",
    "nitro",
    "Žiž",
    "אריה",
    "^5Ice^7man",
    "Kappa",
    "dr.Phil",
    "^6m^5a^4x",
    "Odin",
    "한국어플레이어",
    "🔥Blaze🔥",
    "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
    "squad",
    "Jaymod",
    "^2frost",
    "Ramirez",
    "<b>bold</b>",
    "日本の兵士",
    "שלום עולם",
    "crumbs",
    "Hexen",
    "^1A^2n^3n^4a",
    "toast",
    "q",
    "Ev\"il & Co",
    "مرحبا",
    "Falke",
    "mint",
    "PanzerPete",
    "^8lowdown",
    "Ilse",
    "Müller",
    "😀 Smiley",
    "Gaelle",
    "^7ghost",
    "Tank",
    "'; DROP TABLE rounds; --",
    "Ludwig",
];

/// A player.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// The 32 digits of the guid.
    pub(super) guid: String,
    /// The name with colour codes, as stats files have it.
    pub(super) name: String,
    /// The number of the clan.
    pub(super) clan: Option<usize>,
    /// How well the player fights: about 1.
    pub(super) skill: f64,
    /// Which of the shots hit.
    pub(super) accuracy: f64,
    /// The class that the player usually plays.
    pub(super) class: Class,
}

impl Member {
    /// Guid and name as gametimes files have them.
    pub(super) fn identity(&self) -> PlayerRef {
        PlayerRef {
            guid: self.guid.clone(),
            name: gametimes_format::text::strip_colors(&self.name),
        }
    }
}

/// The players of a season.
pub(super) fn roster(count: usize, seed: u64) -> Vec<Member> {
    let mut random = Random::new(seed, u64::MAX);
    (0..count).map(|i| member(i, &mut random)).collect()
}

fn member(i: usize, random: &mut Random) -> Member {
    let base = match NAMES.get(i) {
        Some(name) => (*name).to_owned(),
        None => format!("Recruit{i}"),
    };
    let place = i % GROUP;
    let clan = (place < IN_CLAN).then_some(i / (GROUP * NAMES.len()) * IN_CLAN + place);
    let name = match clan {
        // Further clans have numbers.
        Some(clan) if clan >= TAGS.len() => format!("c{clan}.{base}"),
        Some(clan) => format!("{}{base}{}", TAGS[clan].0, TAGS[clan].1),
        None => base,
    };
    let class = match random.between(0, 11) {
        0..=4 => Class::Medic,
        5..=7 => Class::Engineer,
        8 | 9 => Class::FieldOps,
        10 => Class::CovertOps,
        _ => Class::Soldier,
    };
    Member {
        guid: format!(
            "{:08X}{:016X}{i:08X}",
            0xA000_0000_u32 + i as u32,
            random.next()
        ),
        name,
        clan,
        skill: 0.6 + random.share() * 0.9,
        accuracy: 0.22 + random.share() * 0.2,
        class,
    }
}
