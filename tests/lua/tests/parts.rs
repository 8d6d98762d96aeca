//! The script's functions, compared with the crate that module and bot share, and with the standards.

use gametimes_format::check::bounds;
use gametimes_format::{digest, limits, text};
use gametimes_lua_tests::SCRIPT;
use gametimes_lua_tests::world::Server;
use gametimes_test_support::webhook::WEBHOOK_URLS;
use mlua::{Function, LuaString, Table};
use proptest::prelude::*;

/// A Lua state with the script's local functions in the global `parts`.
fn parts() -> (Server, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    let script = format!(
        "{SCRIPT}\nparts = {{ decode = decode, strip_colors = strip_colors, sha256 = sha256, hex = hex, json = json,
           hmac = hmac_sha256, uuid7 = uuid7, info_value = info_value, team_field = team_field, object = object,
           leading_number = leading_number, url_fault = url_fault, canonical_map = canonical_map, quote = quote, utc_offset = utc_offset }}"
    );
    let mut server = Server::new(home.path(), &script);
    server.load();
    (server, home)
}

/// The size of the largest file follows from these numbers.
#[test]
fn script_records_no_more_than_the_module() {
    let lines: Vec<&str> = SCRIPT.lines().collect();
    for limit in [
        format!("local MAX_CLIENTS = {}", limits::SLOTS),
        format!("local EVENTS_LIMIT = {}", limits::EVENTS),
        format!("local OBJECTIVES_LIMIT = {}", limits::OBJECTIVES),
        format!("local TEXT_LIMIT = {}", limits::OBJECTIVE_TEXT),
        format!("local INTERVALS_LIMIT = {}", bounds::INTERVALS),
        format!("local PAUSES_LIMIT = {}", limits::PAUSES),
        format!(
            "local PEOPLE_LIMIT = {} * MAX_CLIENTS",
            limits::PLAYERS / limits::SLOTS
        ),
    ] {
        let is_set = |line: &&str| line.split(" --").next().unwrap_or_default().trim_end() == limit;
        assert!(lines.iter().any(is_set), "{limit}");
    }
}

fn bytes(value: &LuaString) -> Vec<u8> {
    value.as_bytes().to_vec()
}

#[test]
fn sha256_matches_the_standard() {
    let (server, _home) = parts();
    let hash: Function = server.eval("function(m) return parts.hex(parts.sha256(m)) end");
    let hash = |m: &[u8]| {
        hash.call::<String>(
            server
                .eval::<Function>("function(s) return s end")
                .call::<LuaString>(mlua::BString::from(m))
                .unwrap(),
        )
        .unwrap()
    };
    // The examples of FIPS 180-4, and lengths around the edges of the padding compared with the crate.
    assert_eq!(
        hash(b"abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(
        hash(b""),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for (start, map, round) in [
        (1_795_177_951, "room2", 1),
        (0, "", 2),
        (-5, "te_escape2", 1),
    ] {
        let id = digest::round_canonical_id(start, map, round);
        assert_eq!(hash(format!("{start}:{map}:{round}").as_bytes())[..16], id);
    }
    let mac: Function = server.eval("function(k, m) return parts.hex(parts.hmac(k, m)) end");
    for key_length in [0, 1, 63, 64, 65, 200] {
        for length in [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 4096] {
            let (key, message) = (vec![0xa7; key_length], vec![b'x'; length]);
            let mac: String = mac
                .call((
                    mlua::BString::from(key.as_slice()),
                    mlua::BString::from(message.as_slice()),
                ))
                .unwrap();
            assert_eq!(mac, digest::sign(&key, &message), "{key_length} {length}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A name becomes the same text in script and module.
    #[test]
    fn text_is_decoded_as_by_the_shared_crate(
        parts_of_name in proptest::collection::vec(
            prop_oneof![
                any::<Vec<u8>>().prop_map(|mut v| { v.truncate(6); v }),
                any::<String>().prop_map(|s| s.chars().take(4).collect::<String>().into_bytes()),
                Just(b"^".to_vec()), Just(b"^1".to_vec()), Just(b"^^".to_vec()), Just("\u{85}é€".as_bytes().to_vec()),
                Just(b"\xed\xa0\x80".to_vec()),
            ],
            0..8,
        )
    ) {
        thread_local!(static STATE: (Server, tempfile::TempDir) = parts());
        let name = parts_of_name.concat();
        let (decoded, plain) = STATE.with(|(server, _)| {
            let f: Function = server.eval(
                "function(n) local d = parts.decode(n) return d, parts.strip_colors(d) end");
            let (a, b): (LuaString, LuaString) = f.call(mlua::BString::from(name.as_slice())).unwrap();
            (bytes(&a), bytes(&b))
        });
        let expected = text::decode(&name);
        prop_assert_eq!(String::from_utf8(decoded).unwrap(), expected.clone());
        prop_assert_eq!(String::from_utf8(plain).unwrap(), text::strip_colors(&expected));
    }

    /// A team always fits into its field, as JSON that readers may unescape before they parse it.
    #[test]
    fn team_always_fits_into_its_field(
        names in proptest::collection::vec("[ -~é€😀\u{1}]{0,40}", 0..40),
    ) {
        thread_local!(static STATE: (Server, tempfile::TempDir) = parts());
        let field = STATE.with(|(server, _)| {
            let f: Function = server.eval("function(names)
                local team = {}
                for i, n in ipairs(names) do
                  team[i] = { guid = string.format('%032X', i), name = parts.decode(n) }
                end
                return parts.team_field(team) end");
            f.call::<String>(names.clone()).unwrap()
        });
        prop_assert!(field.chars().count() <= 1024);
        prop_assert!(!field.contains('\\'));
        let team: Vec<serde_json::Value> = serde_json::from_str(&field).unwrap();
        if names.len() <= 30 {
            prop_assert_eq!(team.len(), names.len());
        }
        for player in &team {
            let guid = player["guid"].as_str().unwrap();
            prop_assert!(guid.len() == 32 || guid.len() == 8);
        }
    }

    #[test]
    fn strings_survive_json(value in any::<String>()) {
        thread_local!(static STATE: (Server, tempfile::TempDir) = parts());
        let json: String = STATE.with(|(server, _)| {
            server.eval::<Function>("parts.json").call(value.clone()).unwrap()
        });
        prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value);
    }

    /// The shell reads any path as one word.
    #[test]
    fn quoted_path_is_one_word_for_the_shell(value in "[ -~é\n]{0,40}") {
        thread_local!(static STATE: (Server, tempfile::TempDir) = parts());
        let word: String = STATE.with(|(server, _)| {
            server.eval::<Function>("parts.quote").call(value.clone()).unwrap()
        });
        let output = std::process::Command::new("sh").args(["-c", &format!("printf %s {word}")]).output().unwrap();
        prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
    }
}

#[test]
fn six_players_a_side_keep_full_names_and_guids() {
    let (server, _home) = parts();
    let field: String = server.eval(
        "(function() local t = {} for i = 1, 6 do t[i] = { guid = string.format('%032X', i), name = ('n'):rep(35) } end
          return parts.team_field(t) end)()",
    );
    let team: Vec<serde_json::Value> = serde_json::from_str(&field).unwrap();
    assert!(team.iter().all(
        |p| p["name"].as_str().unwrap().len() == 35 && p["guid"].as_str().unwrap().len() == 32
    ));
}

#[test]
fn numbers_objects_and_lists_become_json() {
    let (server, _home) = parts();
    let json: String = server.eval(
        "parts.json(parts.object('a', 1, 'b', 2.0, 'c', 0.916667, 'd', true, 'e', {}, 'f', nil, 'g', -7,
           'h', { parts.object(), 'x' }, 'i', 1795177951))",
    );
    assert_eq!(
        json,
        r#"{"a":1,"b":2,"c":0.916667,"d":true,"e":[],"g":-7,"h":[{},"x"],"i":1795177951}"#
    );
}

#[test]
fn uuids_have_version_7_and_sort_by_time() {
    let (server, _home) = parts();
    let ids: Vec<String> = server.eval::<Table>(
        "(function() local t = {} for i = 1, 50 do t[i] = parts.uuid7(1795177951 + i) end return t end)()",
    ).sequence_values().collect::<Result<_, _>>().unwrap();
    for id in &ids {
        assert_eq!(id.len(), 36, "{id}");
        assert!(
            id.bytes().enumerate().all(|(i, b)| match i {
                8 | 13 | 18 | 23 => b == b'-',
                14 => b == b'7',
                19 => b"89ab".contains(&b),
                _ => b.is_ascii_hexdigit(),
            }),
            "{id}"
        );
    }
    assert!(ids.is_sorted() && ids.iter().collect::<std::collections::HashSet<_>>().len() == 50);
}

#[test]
fn info_strings_and_numbers_are_parsed_as_by_the_game() {
    let (server, _home) = parts();
    for (code, expected) in [
        (r"parts.info_value('\\n\\x\\t\\2', 't')", Some("2")),
        (r"parts.info_value('n\\x\\t\\2', 'n')", Some("x")),
        (r"parts.info_value('\\n\\t\\t\\2', 't')", Some("2")),
        (r"parts.info_value('\\n\\\\t\\2', 'n')", Some("")),
        (r"parts.info_value('', 't')", None),
        (r"parts.info_value('\\t', 't')", None),
    ] {
        assert_eq!(
            server.eval::<Option<String>>(code).as_deref(),
            expected,
            "{code}"
        );
    }
    for (text, expected) in [("12", 12), (" -3x", -3), ("", 0), ("x", 0), ("646", 646)] {
        assert_eq!(
            server.eval::<i64>(&format!("parts.leading_number({text:?})")),
            expected
        );
    }
}

#[test]
fn only_urls_of_webhooks_at_discord_or_on_allowed_hosts_are_accepted() {
    let (server, _home) = parts();
    for &(url, is_valid) in WEBHOOK_URLS {
        let hosts = r#"{["hooks.example.org"] = true}"#;
        let fault = format!("parts.url_fault({url:?}, {hosts})");
        let fault = server.eval::<Option<String>>(&fault);
        assert_eq!(fault.is_none(), is_valid, "{url}: {fault:?}");
    }
}

#[test]
fn id_of_a_round_takes_the_map_as_the_module_does() {
    let (server, _home) = parts();
    let canonical: Function = server.eval("parts.canonical_map");
    for map in [
        "te_escape2",
        "TE_Escape2",
        "^1te_^7escape2",
        " ^1 TE_ESCAPE2 ^7\u{20}",
        "^^1a^",
        "\u{c9}COLE \u{d7} \u{df}",
        "",
    ] {
        let plain: String = canonical.call(map).unwrap();
        let id = digest::round_canonical_id(1_795_177_951, map, 1);
        let of_script = digest::round_id_of_map_as_written(1_795_177_951, &plain, 1);
        assert_eq!(of_script, id, "{map:?} as {plain:?}");
    }
}

#[test]
fn local_time_offset_is_right_in_every_time_zone() {
    let (server, _home) = parts();
    for offset in [0, 3600, 7200, -12_600, 45 * 60] {
        server.world.borrow_mut().utc_offset_seconds = offset;
        assert_eq!(server.eval::<i64>("parts.utc_offset(1795178021)"), offset);
        assert_eq!(server.eval::<i64>("parts.utc_offset(1709210096)"), offset); // 2024-02-29
    }
}
