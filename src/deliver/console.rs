//! Lines for the server's console. Background threads queue them; the game's thread prints them in the next frame.

use crossbeam_channel::{Receiver, Sender, bounded};

/// Lines that wait at the most; more are dropped: a console that nobody drains must not grow.
const LINES_LIMIT: usize = 512;

/// Where background threads put their lines.
#[derive(Debug, Clone)]
pub struct Console(Sender<String>);

/// A console and the end that the game's thread prints from.
pub fn console() -> (Console, Receiver<String>) {
    let (sender, receiver) = bounded(LINES_LIMIT);
    (Console(sender), receiver)
}

impl Console {
    /// Queues a line, without a line end and without the prefix.
    pub fn line(&self, text: &str) {
        let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let _ = self.0.try_send(plain.take(900).collect());
    }
}
