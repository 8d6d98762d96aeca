//! The live file: a snapshot of the server in `<folder>/live/`, several times a second at most. It can be posted, too.
//!
//! A snapshot is worth something for seconds only. So it is written without syncing, and none is kept for later: if the disk fails, the
//! next one is simply tried again.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gametimes_format::Secret;
use gametimes_format::live::{BYTES, FASTEST_MS, SLOWEST_MS, Server, Snapshot, file_name};

use super::console::Console;
use super::files;
use super::live_post::{LOG_EVERY, LivePoster, PostStatus, Receiving};
use crate::engine::clock;
use crate::settings::LiveUrl;

/// What the admin wants to see live.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveConfig {
    /// The server, as snapshots name it.
    pub server: Server,
    /// Where they are posted; `None` for nowhere.
    pub url: Option<LiveUrl>,
}

/// Where snapshots go.
#[derive(Debug, Clone, PartialEq)]
struct Target {
    /// Folder of gametimes files.
    folder: PathBuf,
    server: Server,
    /// The permissions of the file.
    mode: u32,
}

impl Target {
    fn folder(&self) -> PathBuf {
        self.folder.join("live")
    }

    fn file_name(&self) -> String {
        file_name(&self.server.ip, &self.server.port)
    }

    fn path(&self) -> PathBuf {
        self.folder().join(self.file_name())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let write = || files::replace(&self.folder(), &self.file_name(), bytes, self.mode);
        match write() {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                files::create_folder(&self.folder, self.mode)?;
                files::create_folder(&self.folder(), self.mode)?;
                write()
            }
            result => result,
        }
    }
}

/// Where snapshots go, for `gametimes status`.
#[derive(Debug, Clone)]
pub struct LiveStatus {
    /// The live file.
    pub path: PathBuf,
    /// The posts, if they are switched on.
    pub post: Option<PostStatus>,
}

/// Writes the live file, and hands snapshots to the thread that posts them.
#[derive(Debug)]
pub struct LiveWriter {
    console: Console,
    /// `None` while it is switched off.
    target: Option<Target>,
    poster: Option<LivePoster>,
    /// Whether something has happened since the last snapshot.
    changed: bool,
    /// The number of the last snapshot.
    seq: u64,
    written: Option<Instant>,
    /// When a failure was logged last.
    logged: Option<Instant>,
}

impl LiveWriter {
    /// A writer that is switched off.
    pub fn new(console: Console) -> Self {
        Self {
            console,
            target: None,
            poster: None,
            changed: false,
            seq: 0,
            written: None,
            logged: None,
        }
    }

    /// Takes over new settings. Readers of a file that is not written any more find the server idle.
    pub fn configure(
        &mut self,
        config: Option<&LiveConfig>,
        folder: &Path,
        file_mode: u32,
        key: Option<&Secret>,
    ) {
        let target = config.map(|live| Target {
            folder: folder.to_owned(),
            server: live.server.clone(),
            mode: file_mode,
        });
        let path = target.as_ref().map(Target::path);
        if self.path() != path {
            self.write(Snapshot::default());
            if let Some(path) = path {
                self.seq = self.seq.max(seq_in(&path));
            }
            self.changed = true;
        }
        self.target = target;
        let url = config.and_then(|live| live.url.clone());
        let key = key.cloned();
        self.set_receiver(url.map(|url| Receiving { url, key }));
    }

    fn set_receiver(&mut self, receiving: Option<Receiving>) {
        let is_same = match (&self.poster, &receiving) {
            (Some(poster), Some(receiving)) => poster.is_for(receiving),
            (poster, receiving) => poster.is_none() && receiving.is_none(),
        };
        if is_same {
            return;
        }
        self.poster = None;
        let Some(receiving) = receiving else { return };
        match LivePoster::start(receiving, self.console.clone()) {
            Ok(poster) => {
                self.poster = Some(poster);
                self.changed = true;
            }
            Err(e) => self
                .console
                .line(&format!("live: cannot start a thread for posts: {e}")),
        }
    }

    /// Where snapshots go; `None` while they are switched off.
    pub fn status(&self) -> Option<LiveStatus> {
        Some(LiveStatus {
            path: self.path()?,
            post: self.poster.as_ref().map(LivePoster::status),
        })
    }

    /// `None` while it is switched off.
    fn path(&self) -> Option<PathBuf> {
        self.target.as_ref().map(Target::path)
    }

    /// Something has happened that people wait for.
    pub fn change(&mut self) {
        self.changed = true;
    }

    /// Whether something has happened since the last snapshot.
    pub fn has_changed(&self) -> bool {
        self.changed
    }

    /// Nothing of what has happened is for this file: the script writes it on this map.
    pub fn forget_change(&mut self) {
        self.changed = false;
    }

    /// Whether it is time for the next snapshot. Of an idle server, one is enough.
    pub fn is_due(&self, is_idle: bool) -> bool {
        let since = self.written.map_or(Duration::MAX, |at| at.elapsed());
        let is_due = if self.changed {
            since >= Duration::from_millis(FASTEST_MS)
        } else {
            since >= Duration::from_millis(SLOWEST_MS) && !is_idle
        };
        self.target.is_some() && is_due
    }

    /// Writes a snapshot now, if the file is switched on.
    pub fn write(&mut self, mut snapshot: Snapshot) {
        let Some(target) = &self.target else { return };
        self.changed = false;
        self.written = Some(Instant::now());
        snapshot.unix_ms = clock::unix_ms();
        // Greater than those of an earlier process, unless the clock was set back since; `configure` takes care of that.
        self.seq = (self.seq + 1).max(snapshot.unix_ms.try_into().unwrap_or(0));
        snapshot.seq = self.seq;
        snapshot.server = target.server.clone();
        let Ok(bytes) = serde_json::to_vec(&snapshot) else {
            return; // impossible: plain data, and no map with other keys than strings
        };
        let written = target.write(&bytes);
        if let Some(poster) = &self.poster {
            poster.post(bytes);
        }
        if let Err(e) = written
            && self.logged.is_none_or(|at| at.elapsed() >= LOG_EVERY)
        {
            self.logged = Some(Instant::now());
            self.console.line(&format!(
                "the live file {} cannot be written: {e}; it is tried again all the time",
                target.path().display()
            ));
        }
    }
}

/// The number of the snapshot that an earlier process wrote.
fn seq_in(path: &Path) -> u64 {
    let read = || {
        let found = std::fs::metadata(path).ok()?;
        let is_ours = found.is_file() && found.len() <= BYTES as u64;
        let bytes = is_ours.then(|| std::fs::read(path).ok())??;
        serde_json::from_slice::<Snapshot>(&bytes).ok()
    };
    read().map_or(0, |snapshot| snapshot.seq)
}
