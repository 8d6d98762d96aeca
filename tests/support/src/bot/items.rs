//! What arrives at a bot: the samples, and made-up stats files.

use gametimes_bot::db::{Content, IngestItem};
use gametimes_rounds::report::Report;

use crate::samples::{native_files, sample, sample_files};

/// Everything that was written in the matches `stopwatch` and `surrender`: the stats files, the files and messages of the old
/// scripts, and the files of the module.
pub fn everything() -> Vec<IngestItem> {
    let mut arrivals = Vec::new();
    for (name, bytes) in sample_files("gamestats")
        .into_iter()
        .chain(sample_files("gametimes"))
    {
        arrivals.push(IngestItem::from_file("ingest", &name, "", bytes));
    }
    for (name, _) in sample_files("messages") {
        arrivals.push(message(&name));
    }
    for tape in ["stopwatch", "surrender"] {
        for (name, bytes) in native_files(tape) {
            arrivals.push(IngestItem::from_file("folder", &name, "", bytes));
        }
    }
    arrivals
}

/// A message of the old scripts, from the samples.
pub fn message(name: &str) -> IngestItem {
    let message = serde_json::from_slice(&sample(&format!("messages/{name}"))).unwrap();
    let report = Report::from_message(&message).unwrap();
    IngestItem {
        source: "discord",
        origin: "message".into(),
        server: String::new(),
        webhook: None,
        content: Content::Report(Box::new(report)),
        checkpoints: Vec::new(),
    }
}

/// A stats file of the server with this hostname, in which each player has given this much damage so far.
pub fn stats_of(host: &str, time: &str, round: u8, guids: &[&str], damage: i64) -> IngestItem {
    let mut text = format!("{host}\\supply\\config\\{round}\\1\\2\\20:00\\10:00\\600000\n");
    for guid in guids {
        let fields = "\t0".repeat(37);
        text.push_str(&format!("{guid}\\player\\0\\1\\0 \t{damage}{fields}\n"));
    }
    let name = format!("2026-11-20-{time}-supply-round-{round}.txt");
    IngestItem::from_file("ssh", &name, "", text.into_bytes())
}
