//! Lines for the server's console. Background threads queue them; the game's thread prints them in the next frame.

use crossbeam_channel::{Receiver, Sender, bounded};
use gametimes_format::text::one_line;

/// Lines that wait at the most; more are dropped: a console that nobody drains must not grow.
const LINES_LIMIT: usize = 512;
/// Characters of a line; longer ones are cut.
const LINE_LIMIT: usize = 900;

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
        let _ = self.0.try_send(one_line(text, LINE_LIMIT));
    }
}
