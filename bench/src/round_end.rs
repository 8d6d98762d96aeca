//! The end of a round on the game's thread.

use std::net::TcpListener;
use std::path::Path;

use gametimes::deliver::outbox::{Entry, Outbox, webhook_key};
use gametimes_format::{GametimesFile, Message, Meta, Secret};
use gametimes_standin::{Fight, GAME};

use crate::server::{fight, timed_frames};
use crate::times::Times;

/// Rounds whose last frame is measured.
const ROUNDS: usize = 40;

/// Times the frame in which the round ends, with a full outbox and a webhook that never answers.
pub fn print(module: &Path) {
    // Connections are made, but never accepted or answered.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let url = format!(
        "http://{}/api/webhooks/1/x",
        silent.local_addr().expect("its address")
    );
    let ending = Fight {
        last_frame: Some(500),
        ..Fight::new(64)
    };
    let (mut base, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let home = tempfile::tempdir().expect("a temporary folder");
        fill_outbox(home.path(), &Secret::new(&url));
        for (game, times) in [(Path::new(GAME), &mut base), (module, &mut with)] {
            let mut server = fight(
                game,
                home.path(),
                &ending,
                &[("gametimes_webhook_url", &url)],
            );
            timed_frames(&mut server, 1, 499);
            times.extend(timed_frames(&mut server, 500, 1));
            server.set_quiet(false);
            server.call(1, &[0], []);
        }
    }
    println!("## The frame in which a round of 64 players ends, in nanoseconds");
    println!();
    println!("The outbox contains 500 waiting messages, and the webhook never answers.");
    println!();
    println!("| | median | p99 | max |");
    println!("| --- | ---: | ---: | ---: |");
    println!("| without the module | {} |", Times::new(base).row());
    println!("| with the module | {} |", Times::new(with).row());
}

fn fill_outbox(home: &Path, url: &Secret) {
    let outbox =
        Outbox::open(&home.join("legacy/gametimes/outbox/127.0.0.1_27960")).expect("an outbox");
    let file = GametimesFile {
        meta: Meta::default(),
        payload: Message::default(),
    };
    for n in 0..500 {
        let entry = Entry {
            event_id: format!("{n}"),
            message: Message::default(),
            file_name: file.file_name(),
            file: "x".repeat(1000),
        };
        outbox
            .put(&webhook_key(url), &entry, &file, 1000 + n)
            .expect("room for a message");
    }
}
