//! The messages exactly as they are posted. `UPDATE_GOLDEN=1 cargo test --test golden` regenerates the golden files; review
//! the diff before you commit it.

use std::path::{Path, PathBuf};

use gametimes::VERSION;
use gametimes::event::{Event, Rules, ShutdownCause, Stamp, What};
use gametimes::report::{Identity, gametimes_file};
use gametimes::track::{Outcome, Tracker};
use gametimes_format::message::limits;
use gametimes_format::{GametimesFile, Message};
use gametimes_standin::recorded;
use gametimes_test_support::game::{gametimes_files, play_in};

/// The version that the files in `tests/data/native` name.
const SAMPLES_VERSION: &str = "0.1.0";

/// Compares a message with its golden file. Ids that differ from run to run are replaced, and so is the version.
fn check(name: &str, file: &GametimesFile) {
    let text = serde_json::to_string_pretty(&file.payload).unwrap() + "\n";
    let text = match file.meta.event_id.as_str() {
        "" => text,
        id => text.replace(id, "EVENT-ID"),
    };
    let text = text.replace(&format!("gametimes v{VERSION}"), "gametimes vVERSION");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.json"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let golden =
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(
        golden == text,
        "{name} differs from {}:\n{text}",
        path.display()
    );
    within_limits(&file.payload);
}

fn within_limits(message: &Message) {
    let embed = &message.embeds[0];
    assert!(embed.fields.len() <= limits::FIELDS);
    assert!(
        embed.characters() <= limits::EMBED,
        "{}",
        embed.characters()
    );
    for field in &embed.fields {
        assert!(
            field.value.chars().count() <= limits::FIELD_VALUE,
            "{}",
            field.name
        );
        if field.name.ends_with("_JSON") {
            serde_json::from_str::<serde_json::Value>(&field.value).unwrap();
        }
    }
}

/// The tapes have 3v3, 6v6 with pauses and odd names, a surrender, an interrupted round, and 20v20 with long names
/// and markup.
#[test]
fn recorded_matches_produce_the_golden_messages() {
    for name in recorded::NAMES {
        let home = tempfile::tempdir().unwrap();
        play_in(home.path(), name);
        for (n, file) in (1..).zip(gametimes_files(home.path())) {
            check(&format!("{name}-{n}"), &file);
        }
    }
}

/// The files in `tests/data/native`, which the bot's tests and the pictures use, are what the module writes.
#[test]
fn native_samples_are_what_the_module_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/native");
    for name in ["public40", "stopwatch", "surrender"] {
        let home = tempfile::tempdir().unwrap();
        play_in(home.path(), name);
        let written = home.path().join("legacy/gametimes");
        let samples: Vec<(PathBuf, String, String)> = std::fs::read_dir(folder.join(name))
            .unwrap()
            .map(|sample| {
                let sample = sample.unwrap().path();
                let golden = std::fs::read_to_string(&sample).unwrap();
                let text = written.join(sample.file_name().unwrap());
                (sample, golden, std::fs::read_to_string(text).unwrap())
            })
            .collect();
        // Only the ids differ from run to run. A round 2 contains that of its round 1.
        let event_id = |text: &str| {
            let file: GametimesFile = serde_json::from_str(text).unwrap();
            file.meta.event_id
        };
        let ids: Vec<(String, String)> = samples
            .iter()
            .map(|(_, golden, text)| (event_id(text), event_id(golden)))
            .collect();
        for (sample, golden, mut text) in samples {
            for (id, golden_id) in &ids {
                text = text.replace(id, golden_id);
            }
            // The samples stay those of the version that wrote them.
            for key in ["\"module_version\":\"", "gametimes v"] {
                text = text.replace(
                    &format!("{key}{VERSION}"),
                    &format!("{key}{SAMPLES_VERSION}"),
                );
            }
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::write(&sample, &text).unwrap();
                continue;
            }
            assert!(golden == text, "{} differs", sample.display());
        }
    }
}

fn text<const N: usize>(text: &str) -> gametimes::event::Text<N> {
    gametimes::event::Text::new(text.as_bytes())
}

/// A round with this many players on each side, with names of the maximum length, interrupted by a crash.
fn crashed(players: u8, name: impl Fn(u8) -> String) -> GametimesFile {
    let mut tracker = Tracker::default();
    let mut at = Stamp {
        level_ms: 0,
        unix_ms: 1_795_000_000_000,
    };
    let mut apply = |ms: i64, what: What| {
        at.level_ms += ms;
        at.unix_ms += ms;
        tracker.apply(&Event { at, what })
    };
    let level = gametimes::event::Level {
        map: "supply".to_owned(),
        max_clients: 64,
        ..Default::default()
    };
    apply(0, What::Level(Box::new(level)));
    apply(
        0,
        What::Rules(Box::new(Rules {
            gametype: 3,
            round: 2,
            timelimit_minutes: 8.533_333,
            ..Rules::default()
        })),
    );
    for slot in 0..players * 2 {
        let guid = text(&format!("{slot:032X}"));
        let connect = What::Connect {
            slot,
            guid,
            is_local: false,
        };
        apply(0, connect);
        apply(
            0,
            What::Player {
                slot,
                team: (1 + slot % 2).into(),
                name: text(&name(slot)),
            },
        );
        apply(
            0,
            What::Spawn {
                slot,
                revived: false,
                by: None,
                class: None,
            },
        );
    }
    let means = text("MOD_MP40");
    apply(
        61_000,
        What::Death {
            slot: 0,
            by: Some(1),
            means,
        },
    );
    apply(2_000, What::Pause(true));
    apply(25_000, What::Pause(false));
    let ended = apply(4_000, What::Shutdown(ShutdownCause::Crash));
    let Some(Outcome::Ended(round)) = ended else {
        panic!("{ended:?}")
    };
    let identity = Identity {
        event_id: "01900000-0000-7000-8000-000000000000".parse().unwrap(),
        utc_offset_seconds: 3600,
    };
    gametimes_file(&round, &identity)
}

#[test]
fn crashed_20v20_with_longest_names_produces_the_golden_message() {
    let file = crashed(20, |slot| format!("{slot:02}{}", "W".repeat(33)));
    check("crash-20v20-long-names", &file);
    for field in ["Axis_JSON", "Allies_JSON"] {
        let team: Vec<serde_json::Value> =
            serde_json::from_str(file.payload.embeds[0].field(field).unwrap()).unwrap();
        assert_eq!(team.len(), 20, "all players are listed");
        assert!(team.iter().all(|p| p["guid"].as_str().unwrap().len() >= 8));
    }
}

#[test]
fn names_with_markup_produce_the_golden_message() {
    let names = [
        "\\\"},{\"guid\":\"x",
        "@everyone <@&1> <#2>",
        "**bold** ||spoiler|| `code` [x](http://y)",
        "\u{202e}right to left\u{202c}",
        "<script>alert(1)</script>",
        "日本語のなまえ",
    ];
    check(
        "harmful-names",
        &crashed(3, |slot| names[usize::from(slot)].to_owned()),
    );
}

/// For any number of players and any names, the message stays within Discord's limits and its fields are valid JSON.
#[test]
fn message_for_32_players_a_side_with_the_widest_names_fits() {
    for c in ["W", "日", "\u{1f600}", "\"", "\\"] {
        let file = crashed(32, |slot| format!("{slot:02}{}", c.repeat(60)));
        within_limits(&file.payload);
        within_limits(&gametimes::report::message::trimmed(&file.payload));
    }
}
