//! A real Chromium without a window, driven over WebDriver.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// A running browser. Dropping it ends it.
pub struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts chromedriver on a free port, and with it a Chromium with an empty profile.
    ///
    /// # Panics
    /// When the Debian packages chromium and chromium-driver are not installed.
    pub fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: apt-get install chromium chromium-driver");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port: u16 = lines
            .by_ref()
            .find_map(|line| {
                let line = line.ok()?;
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver prints its port");
        // What it prints later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self {
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            agent,
            _profile: profile,
        };
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={}", browser._profile.path().display()),
        ];
        let answer = browser.post(
            "",
            json!({"capabilities": {"alwaysMatch": {
                "goog:chromeOptions": {"args": arguments},
                "goog:loggingPrefs": {"browser": "ALL"},
            }}}),
        );
        let id = answer["sessionId"].as_str().expect("a session").to_owned();
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.session);
        let mut response = self.agent.post(&url).send(body.to_string()).unwrap();
        let status = response.status();
        let text = response.body_mut().read_to_string().unwrap();
        assert!(status.is_success(), "{path}: {text}");
        serde_json::from_str::<Value>(&text).unwrap()["value"].take()
    }

    /// Sets the width of the page in pixels.
    pub fn width(&self, width: u32) {
        let metrics =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.post(
            "/goog/cdp/execute",
            json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics}),
        );
    }

    /// Chooses the dark or the light color scheme.
    pub fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.post(
            "/goog/cdp/execute",
            json!({"cmd": "Emulation.setEmulatedMedia", "params": features}),
        );
    }

    /// Chooses the reader's time zone.
    pub fn time_zone(&self, name: &str) {
        let zone = json!({ "timezoneId": name });
        self.post(
            "/goog/cdp/execute",
            json!({"cmd": "Emulation.setTimezoneOverride", "params": zone}),
        );
    }

    /// Opens a page.
    pub fn open(&self, url: &str) {
        self.post("/url", json!({ "url": url }));
    }

    /// Runs a script in the page and returns its result.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({"script": script, "args": []}))
    }

    /// Runs a script in the page and waits until it calls its first argument, with the result.
    pub fn run_async(&self, script: &str) -> Value {
        self.post("/execute/async", json!({"script": script, "args": []}))
    }

    /// What axe-core finds on the page: faults that people with disabilities stumble over, as `rule: element`.
    ///
    /// # Panics
    /// When axe-core cannot be read or run.
    pub fn axe(&self) -> Vec<String> {
        let packed = include_bytes!("../../../data/axe-core/axe.min.js.gz");
        let mut axe = String::new();
        flate2::read::GzDecoder::new(&packed[..])
            .read_to_string(&mut axe)
            .unwrap();
        self.run(&axe);
        let script = "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(\
                      r => done(r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.html))), e => done([String(e)]))";
        serde_json::from_value(self.run_async(script)).unwrap()
    }

    /// The lines on the page's console since the last call, including failed loads.
    pub fn console(&self) -> Vec<String> {
        let entries = self.post("/se/log", json!({"type": "browser"}));
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries.iter().map(Value::to_string).collect()
    }

    /// Saves a picture of the whole page in the folder that `GAMETIMES_SCREENSHOTS` names, if it is set.
    pub fn keep_picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("GAMETIMES_SCREENSHOTS") else {
            return;
        };
        let shot = self.post(
            "/goog/cdp/execute",
            json!({"cmd": "Page.captureScreenshot", "params": {"captureBeyondViewport": true}}),
        );
        std::fs::create_dir_all(&folder).unwrap();
        let path = std::path::Path::new(&folder).join(format!("{name}.png"));
        std::fs::write(
            path.with_extension("base64"),
            shot["data"].as_str().unwrap(),
        )
        .unwrap();
        let decode = Command::new("base64")
            .arg("-d")
            .arg(path.with_extension("base64"))
            .output()
            .unwrap();
        std::fs::write(&path, decode.stdout).unwrap();
        std::fs::remove_file(path.with_extension("base64")).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends Chromium; the driver is ended by its process.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
