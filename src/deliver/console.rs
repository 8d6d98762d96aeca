//! Lines for the server's console. Background threads queue them, and the game's thread prints them in the next frame.

use crossbeam_channel::{Receiver, Sender, bounded};
use gametimes_format::text::one_line;

/// Length of the queue. Further lines are dropped, because between two maps no line is printed.
const LINES_LIMIT: usize = 512;
/// Characters of a line; longer ones are cut.
const LINE_LIMIT: usize = 900;

/// The background threads' end of the queue.
#[derive(Debug, Clone)]
pub struct Console(Sender<String>);

/// Both ends of a queue of lines; the game's thread prints from the second.
pub fn console() -> (Console, Receiver<String>) {
    let (sender, receiver) = bounded(LINES_LIMIT);
    (Console(sender), receiver)
}

impl Console {
    /// Queues a line. It needs neither a line end nor the prefix.
    pub fn line(&self, text: &str) {
        let _ = self.0.try_send(one_line(text, LINE_LIMIT));
    }
}
