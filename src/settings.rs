//! What an admin can set, checked once: cvars and the file of webhook URLs.
//!
//! A wrong value is said in one line that names the cvar, the value and what is allowed; the default is used.

use std::ffi::CStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gametimes_format::Secret;

use crate::engine::traps::Engine;

/// Webhooks at the most: each has a thread of its own.
const WEBHOOKS_LIMIT: usize = 16;
/// The longest file of webhook URLs, in bytes.
const WEBHOOK_FILE_LIMIT: u64 = 64 << 10;

/// All settings, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `gametimes_enabled`.
    pub enabled: bool,
    /// Webhook URLs, from the cvar and from the file.
    pub webhooks: Vec<Secret>,
    /// The folder of gametimes files, resolved.
    pub folder: PathBuf,
    /// `gametimes_debug`.
    pub debug: bool,
    /// `gametimes_min_seconds`: a shorter round is written, but no message is sent.
    pub min_seconds: i64,
    /// `gametimes_keep_days`: older gametimes files are removed; 0 keeps all.
    pub keep_days: u32,
    /// `gametimes_hmac_key`: messages are signed with it.
    pub hmac_key: Option<Secret>,
    /// `gametimes_qagame`: where the stock game lies, when it is not where it is looked for.
    pub qagame: Option<PathBuf>,
    /// Cvar `fs_basepath`.
    pub basepath: String,
    /// Cvar `fs_homepath`.
    pub homepath: String,
    /// Cvar `fs_game`.
    pub fs_game: String,
    /// `gametimes_dir` as it was set.
    pub configured_folder: String,
}

/// Secrets that were taken out of the cvar table, kept for the next map.
#[derive(Debug, Clone, Default)]
pub struct KeptSecrets {
    webhooks: Secret,
    hmac_key: Secret,
}

impl KeptSecrets {
    /// Puts the secrets back into the cvars, for whoever records the next map. Between two maps nothing else runs that could
    /// list them.
    pub fn restore(&self, engine: &impl Engine) {
        for (name, secret) in [
            (c"gametimes_webhook_url", &self.webhooks),
            (c"gametimes_hmac_key", &self.hmac_key),
        ] {
            // A value that somebody has set since is newer.
            if !secret.reveal().is_empty() && engine.cvar(name).is_empty() {
                engine.set_cvar(name, secret.reveal());
            }
        }
    }
}

/// What was wrong, a line each.
pub type Warnings = Vec<String>;

impl Settings {
    /// Reads and checks all settings. Secrets are taken out of the cvar table, so that nobody with rcon can list them, and
    /// kept in `kept`; the value `none` forgets them.
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
            // Not repeated, as the name of a file that is missing would be.
            warnings.push(
                "gametimes_webhook_file: a URL is set where the name of a file belongs; write the URL into that file"
                    .to_owned(),
            );
        } else if !webhook_file.is_empty() {
            let path = mod_home.join(&webhook_file);
            let lines = read_webhook_file(&path, &mut warnings);
            urls.extend(lines.into_iter().map(|url| (url, "gametimes_webhook_file")));
        }
        if urls.len() > WEBHOOKS_LIMIT {
            warnings.push(format!(
                "{} webhooks are set; allowed are {WEBHOOKS_LIMIT}; those after them are not used",
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
                    "{cvar}: entry {} is no webhook URL ({why}); allowed is https://discord.com/api/webhooks/ID/TOKEN; it is not used",
                    n + 1
                )),
            }
        }

        let mut number = |name: &'static CStr,
                          default: i64,
                          range: std::ops::RangeInclusive<i64>| {
            let text = engine.cvar(name);
            if text.is_empty() {
                return default;
            }
            match text.trim().parse() {
                Ok(value) if range.contains(&value) => value,
                _ => {
                    warnings.push(format!(
                        "{}: {text:?} is not allowed; a whole number from {} to {} is; {default} is used",
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

    /// The lines that admins look for when the server starts.
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

/// Cvar `gametimes_qagame`, when set.
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

/// One URL a line; blank lines and what follows a `#` are no URLs.
fn read_webhook_file(path: &Path, warnings: &mut Warnings) -> Vec<String> {
    // Not what never ends, and not what keeps us waiting.
    let read = || -> std::io::Result<String> {
        let found = std::fs::metadata(path)?;
        if !found.is_file() || found.len() > WEBHOOK_FILE_LIMIT {
            return Err(std::io::Error::other(format!(
                "it is no file of up to {WEBHOOK_FILE_LIMIT} bytes"
            )));
        }
        std::fs::read_to_string(path)
    };
    let text = match read() {
        Ok(text) => text,
        Err(e) => {
            warnings.push(format!(
                "gametimes_webhook_file: {} cannot be read ({e}); no URL of it is used",
                path.display()
            ));
            return Vec::new();
        }
    };
    if let Ok(meta) = std::fs::metadata(path)
        && meta.permissions().mode() & 0o044 != 0
    {
        warnings.push(format!(
            "gametimes_webhook_file: others can read {}; run chmod 600 on it",
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

/// Whether a URL can be posted to. The error never repeats the URL: it is a secret.
fn check_url(url: &str) -> Result<(), &'static str> {
    // The parser lets through what comes along when text is copied: blanks that do not break, quotes of a word processor.
    let is_url_byte = |b: u8| b.is_ascii_graphic() && !br#""\<>^`{|}"#.contains(&b);
    if !url.bytes().all(is_url_byte) {
        return Err("it holds characters that no URL has");
    }
    let parsed: ureq::http::Uri = url.parse().map_err(|_| "it cannot be parsed")?;
    match parsed.scheme_str() {
        Some("https" | "http") => {}
        _ => return Err("it does not begin with https://"),
    }
    if parsed.host().is_none_or(str::is_empty) {
        return Err("it names no host");
    }
    if parsed.path().len() < 2 {
        return Err("it has no path");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same ones as in the tests of the script, which has the same rules.
    #[test]
    fn a_url_has_a_host_and_a_path_and_no_character_that_no_url_has() {
        for (url, is_one) in [
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
            assert_eq!(check_url(url).is_ok(), is_one, "{url}");
        }
    }
}
