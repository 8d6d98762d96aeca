//! Cvars and the file of webhook URLs with any content.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::CStr;

use gametimes::engine::traps::Engine;
use gametimes::settings::{KeptSecrets, Settings};

/// An engine that has only cvars.
#[derive(Default)]
struct Cvars {
    values: RefCell<BTreeMap<String, String>>,
}

impl Engine for Cvars {
    fn print(&self, _text: &str) {}

    fn cvar(&self, name: &CStr) -> String {
        let values = self.values.borrow();
        let value = values.get(name.to_str().expect("our own name"));
        value.cloned().unwrap_or_default()
    }

    fn cvar_integer(&self, name: &CStr) -> i32 {
        self.cvar(name).trim().parse().unwrap_or(0)
    }

    fn cvar_float(&self, name: &CStr) -> f64 {
        self.cvar(name).trim().parse().unwrap_or(0.0)
    }

    fn register_cvar(&self, _name: &CStr) {}

    fn set_cvar(&self, name: &CStr, value: &str) {
        let name = name.to_str().expect("our own name").to_owned();
        self.values.borrow_mut().insert(name, value.to_owned());
    }

    fn argument(&self, _n: usize) -> String {
        String::new()
    }

    fn userinfo(&self, _slot: usize, buffer: &mut [u8; 1024]) {
        buffer.fill(0);
    }
}

/// The input has lines `cvar value` up to a line `--`, and then the file of webhook URLs.
pub fn settings(bytes: &[u8]) {
    let (cvars, file) = match bytes.windows(4).position(|w| w == b"\n--\n") {
        Some(at) => (&bytes[..at], &bytes[at + 4..]),
        None => (bytes, &b""[..]),
    };
    let home = tempfile::tempdir().expect("a temporary folder");
    let engine = Cvars::default();
    for line in cvars.split(|&b| b == b'\n') {
        // The engine returns text without control characters, at most 255 bytes.
        let line = gametimes_format::text::decode(&line[..line.len().min(300)]);
        let (name, value) = line.split_once(' ').unwrap_or((&line, ""));
        engine
            .values
            .borrow_mut()
            .insert(name.to_owned(), value.to_owned());
    }
    let path = home.path().join("webhooks.txt");
    std::fs::write(&path, file).expect("a file in it");
    engine.set_cvar(c"fs_homepath", &home.path().to_string_lossy());
    engine.set_cvar(c"gametimes_webhook_file", &path.to_string_lossy());

    let urls = engine.cvar(c"gametimes_webhook_url");
    let mut kept = KeptSecrets::default();
    let (settings, warnings) = Settings::read(&engine, &mut kept);

    assert!((0..=3600).contains(&settings.min_seconds) && settings.keep_days <= 36_500);
    assert!(settings.folder.starts_with(home.path()) || settings.folder.is_absolute());
    let mut seen = std::collections::HashSet::new();
    for webhook in &settings.webhooks {
        let url = webhook.reveal();
        let scheme = url.to_ascii_lowercase();
        assert!(scheme.starts_with("http"), "{url}");
        assert!(!url.contains(char::is_whitespace) && seen.insert(url));
    }
    assert!(
        settings.webhooks.len() <= 16,
        "a thread for each, so not any number"
    );

    // URLs, also invalid ones, appear only in the settings themselves. The seeds mark them with SECRET.
    let marked = |text: &str| text.contains("SECRET");
    let public =
        engine.values.borrow().iter().any(|(name, value)| {
            name != "gametimes_webhook_url" && (marked(name) || marked(value))
        });
    if !public {
        let said = format!(
            "{warnings:?} {:?} {settings:?} {kept:?}",
            settings.path_lines()
        );
        assert!(!marked(&said), "{said}");
    }
    assert_eq!(engine.cvar(c"gametimes_webhook_url"), "");
    assert_eq!(engine.cvar(c"gametimes_hmac_key"), "");

    // Reading them again on the next map has the same result, and giving them back restores the cvars.
    let (again, same_warnings) = Settings::read(&engine, &mut kept);
    assert_eq!((&again, &same_warnings), (&settings, &warnings));
    kept.restore(&engine);
    let back = engine.cvar(c"gametimes_webhook_url");
    let expected = match urls.trim() {
        "none" => "",
        urls => urls,
    };
    assert_eq!(back, expected);
}
