//! One server against a webhook and a receiver of live snapshots that fail a lot.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gametimes_format::digest;
use gametimes_format::live::Snapshot;
use gametimes_test_support::live::{live_folder, snapshot};
use gametimes_test_support::wait_for;
use gametimes_test_support::webhook::{NO_CONTENT, Reply, Webhook};

use super::server::{Event, ServerProcess, names, outbox, round_count, rounds, waiting};
use super::usage::{Usage, check_nothing_grew, count};
use super::{KEY, SERVER_NOISE};
use crate::run::build_module;

pub fn run(hours: u32) -> Result<(), String> {
    let module = build_module()?;
    let home = tempfile::tempdir().map_err(|e| e.to_string())?;
    let hook = Webhook::start(hostile(hours as usize * 200));
    // At the end of the day the receiver recovers, so that the last snapshot must arrive.
    let has_recovered = Arc::new(AtomicBool::new(false));
    let receiver = live_receiver(&has_recovered);
    let began = Instant::now();
    let (report, events) = mpsc::channel();
    let mut server = ServerProcess::start(
        home.path(),
        &[
            ("--module", &module.display().to_string()),
            ("--port", "27960"),
            ("--webhook", &hook.url()),
            ("--live-url", &receiver.url()),
            ("--key", KEY),
            ("--hours", &hours.to_string()),
        ],
        move |event| drop(report.send(event)),
    )?;
    println!(
        "| hour | memory KiB | threads | descriptors | rounds written | messages waiting | posts | delivered | snapshots posted | delivered |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut samples = Vec::new();
    for event in &events {
        match event {
            Event::Hour => {
                let usage = Usage::of(server.id())?;
                samples.push(usage);
                let [posts, snapshots] = [&hook, &receiver].map(|receiver| {
                    let requests = receiver.requests();
                    let accepted = requests.iter().filter(|r| r.accepted).count();
                    format!("{} | {accepted}", requests.len())
                });
                println!(
                    "| {} | {} | {} | {} | {} | {} | {posts} | {snapshots} |",
                    samples.len(),
                    usage.memory_kib,
                    usage.threads,
                    usage.descriptors,
                    round_count(home.path()),
                    waiting(home.path()),
                );
                server.go_on()?;
            }
            Event::LastMatch => has_recovered.store(true, Ordering::Relaxed),
            Event::Done => break,
            Event::Console(line) => println!("server: {line}"),
        }
    }
    println!("\n{hours} hours in {} seconds", began.elapsed().as_secs());
    check_snapshots(home.path(), &receiver)?;
    server.stop()?;
    check_nothing_is_lost(home.path(), &hook)?;
    check_nothing_grew("server", &samples, SERVER_NOISE)
}

/// Checks that every saved round was delivered, or is kept in `rejected/` because the webhook refused it permanently.
fn check_nothing_is_lost(home: &Path, hook: &Webhook) -> Result<(), String> {
    let rounds = rounds(home)?;
    let taken = hook.accepted();
    let unique: BTreeSet<String> = taken.iter().cloned().collect();
    let rejected: Vec<String> = names(&outbox(home).join("rejected"))
        .filter(|n| n.ends_with(".json"))
        .collect();
    let lost: Vec<&String> = rounds
        .difference(&unique)
        .filter(|id| !rejected.iter().any(|name| name.contains(id.as_str())))
        .collect();
    println!(
        "{} rounds, {} messages delivered ({} repeated), {} refused permanently, {} lost",
        rounds.len(),
        unique.len(),
        taken.len() - unique.len(),
        rejected.len(),
        lost.len()
    );
    if lost.is_empty() && rounds.len() == unique.len() + rejected.len() {
        Ok(())
    } else {
        Err(format!("messages were lost: {lost:?}"))
    }
}

/// Checks that every posted snapshot was signed and newer than the one before, that the last one arrived, and that the live folder
/// contains that one and nothing else.
fn check_snapshots(home: &Path, receiver: &Webhook) -> Result<(), String> {
    let last = snapshot(home).ok_or("there is no live file")?;
    let is_last = |body: &[u8]| serde_json::from_slice::<Snapshot>(body).is_ok_and(|s| s == last);
    wait_for("the last snapshot at the receiver", || {
        let requests = receiver.requests();
        requests
            .last()
            .is_some_and(|r| r.accepted && is_last(&r.body))
    });
    let mut seq = 0;
    let requests = receiver.requests();
    for request in &requests {
        let signature = request.headers.get("x-gametimes-signature");
        let signature = signature.and_then(|s| s.strip_prefix("sha256="));
        if !signature.is_some_and(|s| digest::verify(KEY.as_bytes(), &request.body, s)) {
            return Err("a snapshot has no valid signature".to_owned());
        }
        let snapshot: Snapshot =
            serde_json::from_slice(&request.body).map_err(|e| format!("a snapshot: {e}"))?;
        if snapshot.seq <= seq {
            return Err(format!("snapshot {} came after {seq}", snapshot.seq));
        }
        seq = snapshot.seq;
    }
    println!(
        "{} snapshots posted, all signed and in order; the last one arrived",
        requests.len()
    );
    match count(&live_folder(home)) {
        1 => Ok(()),
        files => Err(format!("{files} files are in the folder live")),
    }
}

/// How the webhook answers the posts of the day. Deterministic for a given length.
fn hostile(length: usize) -> Vec<Reply> {
    const LIMITED: Reply = Reply::Answer(
        429,
        "",
        r#"{"message":"limited","retry_after":0.4,"global":false}"#,
    );
    const INVALID: Reply =
        Reply::Answer(400, "", r#"{"message":"Invalid Form Body","code":50035}"#);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        match random >> 32 & 0xff {
            0..16 => Reply::Answer(500, "", ""),
            16..22 => Reply::Answer(502, "", "<html>bad gateway</html>"),
            22..38 => LIMITED,
            38..46 => Reply::Refuse,
            46..54 => Reply::CutHeaders,
            54..62 => Reply::CutBody,
            62..70 => Reply::Garbage,
            70..78 => Reply::Slow(Duration::from_secs(2)),
            78..88 => INVALID,
            88 => Reply::Hang(Duration::from_secs(100)), // longer than the module waits
            _ => NO_CONTENT,
        }
    };
    (0..length).map(|_| next()).collect()
}

/// A receiver of snapshots that fails as often as the webhook, until it has recovered.
fn live_receiver(has_recovered: &Arc<AtomicBool>) -> Webhook {
    let has_recovered = Arc::clone(has_recovered);
    let replies = hostile(1000);
    Webhook::start_with(move |number, _| {
        if has_recovered.load(Ordering::Relaxed) {
            NO_CONTENT
        } else {
            replies[number % replies.len()].clone()
        }
    })
}
