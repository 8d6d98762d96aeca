//! Tapes: the calls of a real server and what the real game did, line by line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde::Deserialize;

/// A recorded match.
#[derive(Debug, Clone)]
pub struct Tape {
    /// Its lines, in order.
    pub lines: Vec<Line>,
}

impl Tape {
    /// Reads a tape, gzipped or plain.
    ///
    /// # Errors
    /// The file, the line and what is wrong there.
    pub fn read(path: &Path) -> Result<Self, String> {
        let wrong = |what: String| format!("{}: {what}", path.display());
        let file = File::open(path).map_err(|e| wrong(e.to_string()))?;
        let reader: Box<dyn BufRead> = if path.extension().is_some_and(|e| e == "gz") {
            Box::new(BufReader::new(GzDecoder::new(file)))
        } else {
            Box::new(BufReader::new(file))
        };
        let mut lines = Vec::new();
        for (n, line) in (1..).zip(reader.lines()) {
            let line = line.map_err(|e| wrong(format!("line {n}: {e}")))?;
            if !line.ends_with('}') {
                break; // the recording was interrupted
            }
            lines.push(serde_json::from_str(&line).map_err(|e| wrong(format!("line {n}: {e}")))?);
        }
        if lines.is_empty() {
            return Err(wrong("this is not a tape: it has no lines".to_owned()));
        }
        Ok(Self { lines })
    }

    /// The time from the first to the last call.
    pub fn duration(&self) -> Duration {
        let mut times = self.lines.iter().filter_map(|line| match line {
            Line::Call { unix_ms, .. } => Some(*unix_ms),
            _ => None,
        });
        let first = times.next().unwrap_or(0);
        let last = times.next_back().unwrap_or(first);
        Duration::from_millis(u64::try_from(last - first).unwrap_or(0))
    }
}

/// A string of the engine. Each byte is one character 0..=255 in the tape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        bytes
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a character above 255"))
    }
}

/// One line of a tape.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "e", rename_all = "snake_case")]
pub enum Line {
    Cvars {
        values: BTreeMap<String, Bytes>,
    },
    Call {
        cmd: String,
        args: Vec<i64>,
        unix_ms: i64,
    },
    Ret {
        value: i64,
    },
    Ps {
        c: Vec<Record>,
    },
    Locate {
        num_entities: i64,
        entity_size: i64,
        client_size: i64,
    },
    Print {
        text: Bytes,
    },
    CvarSet {
        name: Bytes,
        value: Bytes,
    },
    Configstring {
        n: i64,
        value: Bytes,
    },
    Servercmd {
        text: Bytes,
    },
    FsOpen {
        path: Bytes,
        mode: i64,
        handle: i64,
    },
    FsClose {
        handle: i64,
    },
    Userinfo {
        n: usize,
        value: Bytes,
    },
    Clientcmd {
        n: i64,
        text: Bytes,
    },
}

/// The content of a client record at the end of a call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Record {
    pub n: i64,
    pub pm_type: i64,
    pub pm_flags: i64,
    pub eflags: i64,
    pub cnum: i64,
    pub stats: Vec<i64>,
    pub pers: Vec<i64>,
}

/// The number of a call's command.
pub fn command(name: &str) -> Option<i32> {
    const NAMES: [&str; 10] = [
        "init",
        "shutdown",
        "connect",
        "begin",
        "userinfo_changed",
        "disconnect",
        "command",
        "think",
        "frame",
        "console",
    ];
    NAMES.iter().position(|n| *n == name).map(|n| n as i32)
}
