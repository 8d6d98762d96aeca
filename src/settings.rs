//! The settings of the admin: cvars and the file of webhook URLs, read and checked once for each map.
//!
//! For an invalid value, the default is used, and a warning names the cvar, the value and the allowed values.

use std::ffi::CStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gametimes_format::Secret;

use crate::engine::traps::Engine;

/// How many webhooks can be set. Each needs a thread.
const WEBHOOKS_LIMIT: usize = 16;
/// The longest file of webhook URLs, in bytes.
const WEBHOOK_FILE_LIMIT: u64 = 64 << 10;

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
    /// `gametimes_hmac_key`: the key that signs messages.
    pub hmac_key: Option<Secret>,
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
        let mut webhooks = Vec::new();
        for (n, (url, cvar)) in urls.iter().enumerate() {
            match check_url(url) {
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
        let min_seconds = number(c"gametimes_min_seconds", 30, 0..=3600);
        let keep_days = number(c"gametimes_keep_days", 90, 0..=36_500) as u32;
        let hmac_key = Some(kept.hmac_key.clone()).filter(|key| !key.reveal().is_empty());
        let settings = Self {
            enabled,
            webhooks,
            folder,
            debug,
            min_seconds,
            keep_days,
            hmac_key,
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
        std::fs::read_to_string(path)
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
    text.lines()
        .filter_map(|line| line.split('#').next())
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Checks that a URL can be posted to. The error never contains the URL, which is a secret.
fn check_url(url: &str) -> Result<(), &'static str> {
    // The parser accepts what copied text can contain: non-breaking spaces, quotes of a word processor.
    let is_url_byte = |b: u8| b.is_ascii_graphic() && !br#""\<>^`{|}"#.contains(&b);
    if !url.bytes().all(is_url_byte) {
        return Err("it contains invalid characters");
    }
    let parsed: ureq::http::Uri = url.parse().map_err(|_| "it cannot be parsed")?;
    match parsed.scheme_str() {
        Some("https" | "http") => {}
        _ => return Err("it does not start with https://"),
    }
    if parsed.host().is_none_or(str::is_empty) {
        return Err("it has no host");
    }
    if parsed.path().len() < 2 {
        return Err("it has no path");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The script has the same rules, and its tests the same list.
    #[test]
    fn only_urls_with_host_path_and_valid_characters_are_accepted() {
        for (url, is_valid) in [
            ("https://discord.com/api/webhooks/1/a-b_c", true),
            ("https://discord.com/api/webhooks/1/a?thread_id=2", true),
            ("http://127.0.0.1:8080/x", true),
            ("https://[::1]:8080/x", true),
            ("HTTPS://discord.com/x", true),
            ("discord.com/api", false),
            ("https://", false),
            ("https:///x", false),
            ("https://discord.com", false),
            ("https://discord.com/", false),
            ("https://discord.com?x", false),
            ("https://a b/x", false),
            ("https://x/\\\"", false),
            ("https://x/<y>", false),
            ("https://x/\u{a0}", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(check_url(url).is_ok(), is_valid, "{url}");
        }
    }
}
