//! The settings of the admin: cvars and the file of webhook URLs, read and checked once for each map.
//!
//! For an invalid value, the default is used, and a warning names the cvar, the value and the allowed values.

use std::ffi::CStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gametimes_format::Secret;

use crate::engine::traps::Engine;

/// How many webhooks can be set. Each needs a thread.
const WEBHOOKS_LIMIT: usize = 16;
/// The longest file of webhook URLs, in bytes.
const WEBHOOK_FILE_LIMIT: u64 = 64 << 10;
/// The hosts of Discord's webhooks.
const DISCORD_HOSTS: [&str; 4] = [
    "discord.com",
    "discordapp.com",
    "ptb.discord.com",
    "canary.discord.com",
];
/// The permissions of gametimes files: not readable by every user of the host.
pub const DEFAULT_FILE_MODE: u32 = 0o640;

/// All settings, after the checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `gametimes_enabled`.
    pub enabled: bool,
    /// Webhook URLs, from the cvar and from the file.
    pub webhooks: Vec<Secret>,
    /// The folder of gametimes files, resolved from `gametimes_dir`.
    pub folder: PathBuf,
    /// `gametimes_debug`.
    pub debug: bool,
    /// `gametimes_min_seconds`: rounds shorter than this are saved but not posted.
    pub min_seconds: i64,
    /// `gametimes_keep_days`: older gametimes files are removed; 0 keeps all.
    pub keep_days: u32,
    /// `gametimes_backlog_seconds`: the time between two messages while several wait for a webhook.
    pub backlog_pause: Duration,
    /// `gametimes_file_mode`: the permissions of gametimes files.
    pub file_mode: u32,
    /// `gametimes_hmac_key`: the key that signs messages.
    pub hmac_key: Option<Secret>,
    /// `gametimes_live`: whether the live file is written.
    pub live: bool,
    /// `gametimes_qagame`: the path of the stock game, if it is in an unusual place.
    pub qagame: Option<PathBuf>,
    /// Cvar `fs_basepath`.
    pub basepath: String,
    /// Cvar `fs_homepath`.
    pub homepath: String,
    /// Cvar `fs_game`.
    pub fs_game: String,
    /// `gametimes_dir` as the admin set it.
    pub configured_folder: String,
}

/// Secrets that were moved out of the cvars, kept for the next map.
#[derive(Debug, Clone, Default)]
pub struct KeptSecrets {
    webhooks: Secret,
    hmac_key: Secret,
}

impl KeptSecrets {
    /// Puts the secrets back into the cvars, for the module or the script that records the next map. Between two maps, rcon
    /// cannot list them.
    pub fn restore(&self, engine: &impl Engine) {
        for (name, secret) in [
            (c"gametimes_webhook_url", &self.webhooks),
            (c"gametimes_hmac_key", &self.hmac_key),
        ] {
            // A value that is set now is newer.
            if !secret.reveal().is_empty() && engine.cvar(name).is_empty() {
                engine.set_cvar(name, secret.reveal());
            }
        }
    }
}

/// Log lines about invalid settings.
pub type Warnings = Vec<String>;

impl Settings {
    /// Reads and checks all settings. Secrets are moved from the cvars to `kept`, so that rcon users cannot list them. The value
    /// `none` deletes a secret.
    pub fn read(engine: &impl Engine, kept: &mut KeptSecrets) -> (Self, Warnings) {
        let mut warnings = Vec::new();
        let homepath = engine.cvar(c"fs_homepath");
        let fs_game = match engine.cvar(c"fs_game") {
            game if game.is_empty() => "legacy".to_owned(),
            game => game,
        };
        let mod_home = Path::new(&homepath).join(&fs_game);
        let configured_folder = engine.cvar(c"gametimes_dir");
        let folder = match configured_folder.as_str() {
            "" => mod_home.join("gametimes"),
            dir => mod_home.join(dir), // an absolute path stays as it is
        };

        take_secret(engine, c"gametimes_webhook_url", &mut kept.webhooks);
        take_secret(engine, c"gametimes_hmac_key", &mut kept.hmac_key);
        let mut urls: Vec<(String, &str)> = kept
            .webhooks
            .reveal()
            .split_ascii_whitespace()
            .map(|url| (url.to_owned(), "gametimes_webhook_url"))
            .collect();
        let webhook_file = engine.cvar(c"gametimes_webhook_file");
        if webhook_file.contains("://") {
            // The value is not logged, because it is a secret.
            warnings.push(
                "gametimes_webhook_file: expected a file name, found a URL; write the URL into a file and set its name"
                    .to_owned(),
            );
        } else if !webhook_file.is_empty() {
            let path = mod_home.join(&webhook_file);
            let lines = read_webhook_file(&path, &mut warnings);
            urls.extend(lines.into_iter().map(|url| (url, "gametimes_webhook_file")));
        }
        if urls.len() > WEBHOOKS_LIMIT {
            warnings.push(format!(
                "{} webhooks are set; only the first {WEBHOOKS_LIMIT} are used",
                urls.len()
            ));
            urls.truncate(WEBHOOKS_LIMIT);
        }
        let hosts = allowed_hosts(&engine.cvar(c"gametimes_webhook_hosts"), &mut warnings);
        let mut webhooks = Vec::new();
        for (n, (url, cvar)) in urls.iter().enumerate() {
            match check_url(url, &hosts) {
                Ok(()) if webhooks.iter().any(|w: &Secret| w.reveal() == url) => {}
                Ok(()) => webhooks.push(Secret::new(url)),
                Err(why) => warnings.push(format!(
                    "{cvar}: entry {} is not a webhook URL ({why}); expected https://discord.com/api/webhooks/ID/TOKEN; it is ignored",
                    n + 1
                )),
            }
        }

        let mut number =
            |name: &'static CStr, default: i64, range: std::ops::RangeInclusive<i64>| {
                let text = engine.cvar(name);
                if text.is_empty() {
                    return default;
                }
                match text.trim().parse() {
                    Ok(value) if range.contains(&value) => value,
                    _ => {
                        warnings.push(format!(
                            "{}: {text:?} is not a whole number from {} to {}; {default} is used",
                            name.to_string_lossy(),
                            range.start(),
                            range.end()
                        ));
                        default
                    }
                }
            };
        let enabled = number(c"gametimes_enabled", 1, 0..=1) != 0;
        let debug = number(c"gametimes_debug", 0, 0..=1) != 0;
        let live = number(c"gametimes_live", 0, 0..=1) != 0;
        let min_seconds = number(c"gametimes_min_seconds", 30, 0..=3600);
        let keep_days = number(c"gametimes_keep_days", 0, 0..=36_500) as u32;
        let backlog_seconds = number(c"gametimes_backlog_seconds", 8, 0..=300) as u64;
        let file_mode = file_mode(&engine.cvar(c"gametimes_file_mode"), &mut warnings);
        let hmac_key = Some(kept.hmac_key.clone()).filter(|key| !key.reveal().is_empty());
        let settings = Self {
            enabled,
            webhooks,
            folder,
            debug,
            min_seconds,
            keep_days,
            backlog_pause: Duration::from_secs(backlog_seconds),
            file_mode,
            hmac_key,
            live,
            qagame: configured_game(engine),
            basepath: engine.cvar(c"fs_basepath"),
            homepath,
            fs_game,
            configured_folder,
        };
        (settings, warnings)
    }

    /// The log lines with the folders of the server.
    pub fn path_lines(&self) -> [String; 2] {
        [
            format!(
                "fs_basepath={} fs_homepath={} fs_game={}",
                self.basepath, self.homepath, self.fs_game
            ),
            format!(
                "gametimes_enabled={} gametimes_dir={} resolved={}",
                u8::from(self.enabled),
                self.configured_folder,
                self.folder.display()
            ),
        ]
    }
}

/// Cvar `gametimes_qagame`, if set.
pub fn configured_game(engine: &impl Engine) -> Option<PathBuf> {
    Some(engine.cvar(c"gametimes_qagame"))
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

fn take_secret(engine: &impl Engine, name: &CStr, kept: &mut Secret) {
    engine.register_cvar(name);
    let value = engine.cvar(name);
    if value.is_empty() {
        return;
    }
    engine.set_cvar(name, "");
    *kept = match value.trim() {
        "none" => Secret::default(),
        value => Secret::new(value),
    };
}

/// The permissions in `gametimes_file_mode`, such as `0644`. The server's user can always read and write.
fn file_mode(text: &str, warnings: &mut Warnings) -> u32 {
    match u32::from_str_radix(text.trim(), 8) {
        _ if text.is_empty() => DEFAULT_FILE_MODE,
        Ok(mode) if mode & !0o066 == 0o600 => mode,
        _ => {
            warnings.push(format!(
                "gametimes_file_mode: {text:?} is not a file mode such as 0640 or 0644; 0640 is used"
            ));
            DEFAULT_FILE_MODE
        }
    }
}

/// The hosts in `gametimes_webhook_hosts`, in lower case.
fn allowed_hosts(text: &str, warnings: &mut Warnings) -> Vec<String> {
    let is_host_byte = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    let mut hosts = Vec::new();
    for (n, host) in (1..).zip(text.split_ascii_whitespace()) {
        if host.bytes().all(is_host_byte) {
            hosts.push(host.to_ascii_lowercase());
        } else {
            // The value is not logged, because it may be a URL.
            warnings.push(format!(
                "gametimes_webhook_hosts: entry {n} is not a host name such as hooks.example.org; it is ignored"
            ));
        }
    }
    hosts
}

/// Reads a file with one URL a line. Empty lines and everything after a `#` are ignored.
fn read_webhook_file(path: &Path, warnings: &mut Warnings) -> Vec<String> {
    // A device or a pipe could be endless, or block.
    let read = || -> std::io::Result<String> {
        let found = std::fs::metadata(path)?;
        if !found.is_file() || found.len() > WEBHOOK_FILE_LIMIT {
            return Err(std::io::Error::other(format!(
                "it is not a regular file of at most {WEBHOOK_FILE_LIMIT} bytes"
            )));
        }
        let bytes = std::fs::read(path)?;
        // Text in UTF-16 begins with one of these marks. Without a mark, it contains zeros.
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0) {
            return Err(std::io::Error::other(
                "it is in UTF-16; save it again as UTF-8",
            ));
        }
        // Comments may be in Latin-1. A URL that is not ASCII is refused later.
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = match read() {
        Ok(text) => text,
        Err(e) => {
            warnings.push(format!(
                "gametimes_webhook_file: {} cannot be read ({e}); its URLs are not used",
                path.display()
            ));
            return Vec::new();
        }
    };
    if let Ok(meta) = std::fs::metadata(path)
        && meta.permissions().mode() & 0o044 != 0
    {
        warnings.push(format!(
            "gametimes_webhook_file: other users can read {}; run chmod 600 on it",
            path.display()
        ));
    }
    text.split(['\n', '\r'])
        .filter_map(|line| line.split('#').next())
        // Editors on Windows begin a file with a byte order mark.
        .map(|line| line.trim_start_matches('\u{feff}').trim())
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Checks that a URL is that of a webhook at Discord, on this host, or on one of the allowed hosts. The error never contains the
/// URL, which is a secret.
fn check_url(url: &str, allowed_hosts: &[String]) -> Result<(), &'static str> {
    // The parser accepts what copied text can contain: non-breaking spaces, quotes of a word processor.
    let is_url_byte = |b: u8| b.is_ascii_graphic() && !br#""\<>^`{|}"#.contains(&b);
    if !url.bytes().all(is_url_byte) {
        return Err("it contains invalid characters");
    }
    let parsed: ureq::http::Uri = url.parse().map_err(|_| "it cannot be parsed")?;
    let Some(scheme @ ("https" | "http")) = parsed.scheme_str() else {
        return Err("it does not start with https://");
    };
    let Some(host) = parsed.host().filter(|host| !host.is_empty()) else {
        return Err("it has no host");
    };
    if parsed.authority().is_some_and(|a| a.as_str().contains('@')) {
        return Err("it contains a user name");
    }
    let host = host.to_ascii_lowercase();
    if parsed.path().len() < 2 {
        return Err("it has no path");
    }
    if allowed_hosts.contains(&host) || is_loopback(&host) {
        return Ok(());
    }
    if !DISCORD_HOSTS.contains(&host.as_str()) {
        return Err("its host is not discord.com; gametimes_webhook_hosts can allow it");
    }
    if scheme != "https" {
        return Err("it does not start with https://");
    }
    if !is_webhook_path(parsed.path()) {
        return Err("its path is not /api/webhooks/ID/TOKEN");
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Whether a path is `/api/webhooks/ID/TOKEN`, or `/api/v10/webhooks/ID/TOKEN` with any version.
fn is_webhook_path(path: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mut parts = path.split('/').skip(1).peekable();
    let api = parts.next() == Some("api");
    let _version = parts.next_if(|part| part.strip_prefix('v').is_some_and(is_number));
    api && parts.next() == Some("webhooks")
        && parts.next().is_some_and(is_number)
        && parts.next().is_some_and(|token| !token.is_empty())
        && parts.all(str::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The script has the same rules, and its tests the same list.
    #[test]
    fn only_urls_of_webhooks_at_discord_or_on_allowed_hosts_are_accepted() {
        for (url, is_valid) in [
            ("https://discord.com/api/webhooks/1/a-b_c", true),
            ("https://discord.com/api/webhooks/1/a?thread_id=2", true),
            ("https://discord.com/api/v10/webhooks/1/a/", true),
            ("https://discordapp.com/api/webhooks/1/a", true),
            ("https://canary.discord.com/api/webhooks/1/a", true),
            ("HTTPS://Discord.com/api/webhooks/1/a", true),
            ("http://127.0.0.1:8080/x", true),
            ("http://localhost/x", true),
            ("https://[::1]:8080/x", true),
            ("https://hooks.example.org/x", true),
            ("http://HOOKS.example.org:81/x", true),
            ("https://example.com/x", false),
            ("https://hooks.example.org.example.com/x", false),
            ("https://discord.com.example.com/api/webhooks/1/a", false),
            ("https://discord.com@example.com/api/webhooks/1/a", false),
            ("https://127.0.0.1@example.com/x", false),
            ("https://localhost.example.com/x", false),
            ("http://discord.com/api/webhooks/1/a", false),
            ("https://discord.com/x", false),
            ("https://discord.com/channels/1/2", false),
            ("https://discord.com/api/webhooks/1", false),
            ("https://discord.com/api/webhooks/a/b", false),
            ("https://discord.com/api/webhooks/1/a/slack", false),
            ("discord.com/api", false),
            ("https://", false),
            ("https:///x", false),
            ("https://discord.com", false),
            ("https://discord.com/", false),
            ("https://discord.com?x", false),
            ("https://a b/x", false),
            ("http://127.0.0.1/\\\"", false),
            ("http://127.0.0.1/<y>", false),
            ("http://127.0.0.1/\u{a0}", false),
            ("file:///etc/passwd", false),
        ] {
            let hosts = ["hooks.example.org".to_owned()];
            assert_eq!(check_url(url, &hosts).is_ok(), is_valid, "{url}");
        }
    }

    #[test]
    fn file_of_urls_from_any_editor_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("webhooks.txt");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let mut warnings = Vec::new();
            let urls = read_webhook_file(&path, &mut warnings);
            warnings.retain(|line| !line.contains("chmod"));
            (urls, warnings)
        };
        let bom = std::fs::read(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/data/webhooks-bom.txt"
        ));
        let one = "http://127.0.0.1:18725/api/webhooks/1/tokentokentoken";
        assert_eq!(read(&bom.unwrap()), (vec![one.to_owned()], vec![]));
        let two = vec!["https://a/1".to_owned(), "https://a/2".to_owned()];
        for text in [
            &b"https://a/1\nhttps://a/2"[..],
            b"https://a/1\r\nhttps://a/2\r\n",
            b"https://a/1\rhttps://a/2\r",
            b"\xef\xbb\xbf# ours\r\n\thttps://a/1 \r\n\r\n  https://a/2\t# theirs\r\n",
            b"\xef\xbb\xbfhttps://a/1\n\xef\xbb\xbfhttps://a/2\n",
            b"# caf\xe9\nhttps://a/1\nhttps://a/2\n",
        ] {
            assert_eq!(read(text), (two.clone(), vec![]), "{text:?}");
        }
        for text in [
            &b"\xff\xfeh\0t\0t\0p\0"[..],
            b"\xfe\xff\0h\0t\0t\0p",
            b"h\0t\0t\0p\0",
        ] {
            let (urls, warnings) = read(text);
            assert_eq!(urls, [""; 0]);
            assert!(warnings[0].contains("it is in UTF-16; save it again as UTF-8"));
        }
    }

    #[test]
    fn file_mode_that_locks_out_the_server_or_is_none_is_refused() {
        let read = |text| {
            let mut warnings = Vec::new();
            (file_mode(text, &mut warnings), warnings.len())
        };
        for (text, mode) in [("", 0o640), ("0600", 0o600), ("644", 0o644), ("0o664", 0)] {
            let expected = if mode == 0 { (0o640, 1) } else { (mode, 0) };
            assert_eq!(read(text), expected, "{text:?}");
        }
        for text in ["0", "0400", "0755", "4644", "rw-r--r--", "-600", "+644 x"] {
            assert_eq!(read(text), (0o640, 1), "{text:?}");
        }
    }
}
