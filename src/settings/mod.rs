//! The settings of the admin: cvars and the file of webhook URLs, read and checked once for each map.
//!
//! For an invalid value, the default is used, and a warning names the cvar, the value and the allowed values.

mod urls;

use std::ffi::CStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gametimes_format::Secret;

use crate::engine::traps::Engine;
pub use urls::LiveUrl;
use urls::check_url;

/// How many webhooks can be set. Each needs a thread.
const WEBHOOKS_LIMIT: usize = 16;
/// The longest file of webhook URLs, in bytes.
const WEBHOOK_FILE_LIMIT: u64 = 64 << 10;
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
    /// `gametimes_live_url`: where snapshots are posted.
    pub live_url: Option<LiveUrl>,
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

        let live_url = match engine.cvar(c"gametimes_live_url").trim() {
            "" => None,
            url => match LiveUrl::parse(url) {
                Ok(url) => Some(url),
                Err(why) => {
                    // The value is not logged, because it may contain a secret.
                    warnings.push(format!(
                        "gametimes_live_url: {why}; expected https://HOST/api/live, or http and a private address; it is ignored"
                    ));
                    None
                }
            },
        };
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
            live_url: live_url.filter(|_| live),
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

#[cfg(test)]
mod tests {
    use super::*;

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
