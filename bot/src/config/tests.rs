//! Settings that are right, wrong, missing or secret.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStringExt;

use super::reader::variable;
use super::*;

fn errors(text: &str, env: &[(&str, &str)]) -> Vec<String> {
    let env = env
        .iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
    Config::parse(text, env)
        .err()
        .map(|e| e.0)
        .unwrap_or_default()
}

#[test]
fn without_settings_the_bot_uses_sqlite_on_loopback() {
    let config = Config::parse("", BTreeMap::new()).unwrap();
    assert_eq!(config.database_url.reveal(), "sqlite:gametimes.db");
    assert!(config.discord.is_none() && config.ssh.is_empty());
    assert!(config.listen.ip().is_loopback());
}

#[test]
fn all_errors_are_reported_at_once() {
    let found = errors(
        "listen = \"0.0.0.0:80\"\ntypo = 1\n[discord]\nchannel_id = \"x\"\n[ssh]\nhost = \"h\"\n[[folders]]\nserver = \"s\"",
        &[
            ("GAMETIMES_POLL_SECONDS", "0"),
            ("GAMETIMES_NOPE", "1"),
            ("GAMETIMES_ALLOWED_HOSTS", "b.example, https://a.example"),
            ("GAMETIMES_TIME_ZONE", "Mars"),
            ("GAMETIMES_CORS_ORIGINS", "https://a.example/path"),
            ("GAMETIMES_PUBLIC_URL", "stats.example.org"),
        ],
    );
    for expected in [
        "api_token: must be set",
        "typo: no such setting",
        "GAMETIMES_NOPE: no such setting",
        "discord.channel_id: is not",
        "ssh.user: missing",
        "ssh.known_hosts: missing",
        "ssh.stats_dir, ssh.gametimes_dir",
        "folders[0].path: missing",
        "poll_seconds: 0",
        "time_zone: \"Mars\"",
        "allowed_hosts: \"https://a.example\" is not",
        "cors_origins: \"https://a.example/path\" is not",
        "public_url: \"stats.example.org\" is not",
    ] {
        assert!(
            found.iter().any(|e| e.starts_with(expected)),
            "{expected}: {found:#?}"
        );
    }
}

#[test]
fn public_url_is_an_origin_whose_host_is_allowed() {
    let env = [
        ("GAMETIMES_PUBLIC_URL", "HTTPS://Stats.Example.ORG:443/"),
        ("GAMETIMES_CORS_ORIGINS", "*, http://[2001:DB8::1]:8080/"),
    ];
    let env = env.map(|(k, v)| (k.to_owned(), v.to_owned()));
    let config = Config::parse("", env.into()).unwrap();
    let url = config.public_url.as_deref();
    assert_eq!(url, Some("https://stats.example.org"));
    assert_eq!(config.allowed_hosts, ["stats.example.org"]);
    assert_eq!(config.cors_origins, ["*", "http://[2001:db8::1]:8080"]);
    for bad in [
        "ftp://a.example",
        "https://user@a.example",
        "https://a.example/?x",
        "https://",
        "*",
    ] {
        let found = errors("", &[("GAMETIMES_PUBLIC_URL", bad)]);
        assert!(found[0].starts_with("public_url: "), "{bad}: {found:?}");
    }
}

#[test]
fn the_environment_overrides_the_file_and_secrets_are_not_printed() {
    let env = [
        ("GAMETIMES_DISCORD_TOKEN", "very-secret"),
        ("GAMETIMES_DISCORD_CHANNEL_ID", "12"),
        ("GAMETIMES_DISCORD_WEBHOOK_IDS", "1, 2"),
        ("GAMETIMES_CONFIG", "x"),
    ];
    let env = env
        .iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
    let text = "[discord]\ntoken = \"other\"\nwebhook_ids = [7]\n[[ssh]]\nhost='a'\nuser='u'\nkey_file='k'\n\
                known_hosts='h'\nstats_dir='d'\n[[folders]]\npath='p'";
    let config = Config::parse(text, env).unwrap();
    let discord = config.discord.as_ref().unwrap();
    assert_eq!(
        (discord.token.reveal(), discord.channel_id),
        ("very-secret", 12)
    );
    assert_eq!(discord.webhook_ids, [1, 2]);
    assert_eq!((config.ssh.len(), config.folders.len()), (1, 1));
    assert!(!format!("{config:?}").contains("very-secret"));
}

#[test]
fn a_syntax_error_names_its_line_and_prints_no_secret() {
    for broken in [
        "[discord]\n\ntoken = \"very-secret",
        "[discord]\n\ntoken = very-secret",
        "[discord]\n\ntoken = 'very-secret\nchannel_id = 1",
        "[discord]\ntoken = 'a'\ntoken = 'very-secret'",
        "[discord]\n\nvery-secret",
    ] {
        let found = errors(broken, &[]).join("");
        assert!(found.starts_with("settings file, line "), "{found}");
        assert!(!found.contains("very-secret"), "{found}");
    }
    let found = errors("[discord]\n\ntoken = \"very-secret", &[]);
    assert!(found[0].starts_with("settings file, line 3: "), "{found:?}");
}

#[test]
fn a_webhook_may_be_given_as_its_url_and_its_secret_is_not_printed() {
    let text =
        |id: &str| format!("[discord]\ntoken = 't'\nchannel_id = 5\nwebhook_ids = [{id}, 7]");
    for url in [
        "'https://discord.com/api/webhooks/42/very-secret'",
        "'https://canary.discord.com/api/v10/webhooks/42/very-secret?wait=true'",
        "'42'",
        "42",
    ] {
        let config = Config::parse(&text(url), BTreeMap::new()).unwrap();
        assert_eq!(config.discord.unwrap().webhook_ids, [42, 7], "{url}");
    }
    for bad in ["'very-secret'", "'https://x/webhooks/very-secret'", "true"] {
        let found = errors(&text(bad), &[]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("discord.webhook_ids: item 1 is not"),
            "{found:?}"
        );
        assert!(!found[0].contains("very-secret"), "{found:?}");
    }
    let text =
        "[discord]\ntoken = 't'\nchannel_id = 'very-secret'\nstats_channel_id = 'very-secret'";
    let found = errors(text, &[]).join("");
    assert!(found.contains("discord.channel_id: is not"), "{found}");
    assert!(!found.contains("very-secret"), "{found}");
}

#[test]
fn a_variable_that_is_not_utf8_is_an_error_only_if_it_is_a_setting_of_the_bot() {
    let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let (env, errors) = environment(
        [
            (bytes(b"LC_NAME"), bytes(b"Andr\xe9")),
            (bytes(b"\xff"), bytes(b"x")),
            (bytes(b"GAMETIMES_DISCORD_TOKEN"), bytes(b"very-secret\xff")),
            (bytes(b"GAMETIMES_\xff"), bytes(b"x")),
            (
                bytes(b"GAMETIMES_CONFIG"),
                bytes(b"/home/andr\xe9/bot.toml"),
            ),
            (bytes(b"GAMETIMES_FOLDERS"), bytes(b"/a")),
        ]
        .into_iter(),
    );
    assert_eq!(
        env.into_iter().collect::<Vec<_>>(),
        [("GAMETIMES_FOLDERS".into(), "/a".into())]
    );
    assert_eq!(
        errors,
        [
            "GAMETIMES_DISCORD_TOKEN: is not valid UTF-8",
            "GAMETIMES_\u{fffd}: no such setting"
        ]
    );
}

#[test]
fn with_a_key_no_file_that_a_recorder_makes_is_too_large() {
    let text = "[discord]\ntoken = 't'\nchannel_id = 5\n";
    let parse = |more: &str| Config::parse(&format!("{text}{more}"), BTreeMap::new());
    let limit = |more| parse(more).unwrap().discord.unwrap().max_attachment_bytes;
    let largest = gametimes_format::limits::FILE_BYTES as u64;
    assert_eq!((limit(""), limit("hmac_key = 'k'")), (largest, largest));
    assert_eq!(limit("max_attachment_bytes = 2097152"), 2 << 20);
    let refused = parse("hmac_key = 'k'\nmax_attachment_bytes = 2097152").unwrap_err();
    let [error] = &refused.0[..] else {
        panic!("{refused}");
    };
    assert!(
        error.starts_with("discord.max_attachment_bytes: recorders make files of up to"),
        "{error}"
    );
    assert_eq!(
        errors(
            &format!("{text}max_attachment_bytes = {}", largest + 1),
            &[]
        )
        .len(),
        1
    );
    for (text, sentence) in [
        (
            include_str!("../../.env.example"),
            format!("_MAX_ATTACHMENT_BYTES={largest}\n"),
        ),
        (
            include_str!("../../../docs/json.md"),
            format!("at most {largest} bytes long"),
        ),
    ] {
        assert!(text.contains(&sentence), "{sentence}");
    }
}

/// What has no effect is an error, not ignored.
#[test]
fn settings_that_need_another_setting_are_errors_without_it() {
    let discord = "[discord]\ntoken = 't'\nchannel_id = 5\n";
    for setting in [
        "digest = false",
        "stats_settle_seconds = 20",
        "stats_max_age_hours = 3",
    ] {
        let (key, _) = setting.split_once(' ').unwrap();
        let found = errors(&format!("{discord}{setting}"), &[]);
        let expected = format!(
            "discord.{key}: is about messages in the stats channel; set discord.stats_channel_id too, or remove discord.{key}"
        );
        assert_eq!(found, [expected]);
        let with_channel = format!("{discord}stats_channel_id = 6\n{setting}");
        assert_eq!(errors(&with_channel, &[]), Vec::<String>::new());
    }
    for (text, expected) in [
        ("[discord]\nhmac_key = 'k'", "discord.token: missing"),
        ("[discord]\ncommands = false", "discord.channel_id: missing"),
        ("[discord]\nlive_channel_id = 6", "discord.token: missing"),
        ("[ssh]\nport = 2222", "ssh.host: missing"),
        ("[ssh]\nknown_hosts = 'h'", "ssh.user: missing"),
        (
            "database_url = 'postgres://db/g'\ndatabase_file_mode = '0640'",
            "database_file_mode: is about an SQLite file",
        ),
    ] {
        let found = errors(text, &[]);
        assert!(
            found.iter().any(|e| e.starts_with(expected)),
            "{text}: {found:?}"
        );
    }
    // How Discord is reached, in the environment of all commands.
    let way = [("GAMETIMES_DISCORD_PROXY", "127.0.0.1:9")];
    assert_eq!(errors("", &way), Vec::<String>::new());
}

/// The settings in the example, also those without a value.
fn example() -> BTreeMap<String, String> {
    let lines = include_str!("../../.env.example").lines();
    lines
        .filter_map(|line| line.strip_prefix('#').unwrap_or(line).split_once('='))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The variables of all settings that the bot reads, and of what it logs.
fn variables() -> BTreeSet<String> {
    let mut reader = Reader::default();
    reader.config(Vec::new(), Vec::new());
    let settings = reader.settings.keys().map(|key| variable(key));
    settings.chain([LOG_VARIABLE.to_owned()]).collect()
}

#[test]
fn the_example_contains_every_setting_and_no_other() {
    let found: BTreeSet<String> = example().into_keys().collect();
    assert_eq!(found, variables());
}

#[test]
fn the_values_in_the_example_are_valid() {
    let mut env = example();
    let unset = env.keys().map(|k| (k.clone(), String::new())).collect();
    assert!(Config::parse("", unset).is_ok());
    env.retain(|_, value| !value.is_empty());
    // Other settings need these, which have no example.
    for name in ["TOKEN", "CHANNEL_ID", "STATS_CHANNEL_ID"] {
        env.insert(format!("{PREFIX}DISCORD_{name}"), "1".to_owned());
    }
    let config = Config::parse("", env).unwrap();
    assert_eq!((config.ssh.len(), config.poll.as_secs()), (1, 60));
}

/// What an admin copies from the documents and the files for containers is a setting.
#[test]
fn documents_name_existing_variables_only() {
    let known = variables();
    // The path of the settings file, and the pictures of a test.
    let others = [CONFIG_VARIABLE, "GAMETIMES_SCREENSHOTS"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let documents = std::fs::read_dir(root.join("docs")).unwrap();
    let mut paths: Vec<PathBuf> = documents.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.extend(["README.md", "compose.yaml", "Containerfile"].map(|name| root.join(name)));
    let mut found = BTreeSet::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for word in words.filter(|word| word.len() > PREFIX.len() && word.starts_with(PREFIX)) {
            let is_known = known.contains(word) || others.contains(&word);
            assert!(is_known, "{}: {word} is not a setting", path.display());
            found.insert(word.to_owned());
        }
    }
    for expected in [
        "GAMETIMES_DISCORD_DIGEST",
        "GAMETIMES_LISTEN",
        "GAMETIMES_LOG",
    ] {
        assert!(found.contains(expected), "{expected}: {found:?}");
    }
}
