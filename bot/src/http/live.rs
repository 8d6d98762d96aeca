//! What the live pages and the live API share: who sees which view, and the stream of it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout_at};

use super::error::ApiError;
use super::state::App;
use crate::live::{Frame, Frames, Live, ServerView, TokenHolder};

/// After this time a stream ends, and its reader asks again. It is less than a connection has for its last answer, so a stream is never
/// cut; and a reader that reads nothing is dropped then, see [`super::server::Limits`].
const STREAM_LENGTH: Duration = Duration::from_secs(25);
/// A stream without news for so long contains a comment, so that readers notice a connection that is dead.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long readers wait before they ask again.
const RETRY_MS: u64 = 250;

/// Who asks: the holder of the token, or anybody. [`super::auth`] adds it to every request.
#[derive(Debug, Clone, Copy)]
pub struct Viewer(pub Option<TokenHolder>);

impl Viewer {
    /// How much later the view is than what happens.
    pub fn delay_seconds(self, app: &App) -> u64 {
        match self.0 {
            Some(_) => 0,
            None => app.live_delay.as_secs(),
        }
    }
}

/// The view that a request may see. Pages, API and streams have no other way to a snapshot.
pub fn frames(live: &Live, viewer: Viewer) -> Frames {
    match viewer.0 {
        Some(holder) => live.undelayed(holder),
        None => live.public(),
    }
}

/// What a stream sends of a server, without its age.
pub type Render = fn(&ServerView) -> Bytes;

struct Reader {
    live: Arc<Live>,
    frames: Frames,
    stopped: watch::Receiver<bool>,
    render: Render,
    /// `None` before the first event.
    sent: Option<Vec<Arc<ServerView>>>,
    until: Instant,
    _slot: OwnedSemaphorePermit,
}

/// A stream of server-sent events. `server` has the age of a snapshot in milliseconds in its first line, then what `render` makes of it;
/// `servers` lists the addresses, whenever that list changes. A reader who is slow misses what was in between.
pub fn stream(app: &App, mut frames: Frames, render: Render) -> Result<Response, ApiError> {
    let slot = Arc::clone(&app.streams).try_acquire_owned();
    let slot = slot.map_err(|_| ApiError::busy())?;
    frames.mark_changed();
    let reader = Reader {
        live: Arc::clone(&app.live),
        frames,
        stopped: app.stopped.clone(),
        render,
        sent: None,
        until: Instant::now() + STREAM_LENGTH,
        _slot: slot,
    };
    let begin = Bytes::from(format!("retry: {RETRY_MS}\n\n"));
    let chunks = stream::unfold((reader, Some(begin)), async |(mut reader, begin)| {
        let chunk = match begin {
            Some(begin) => begin,
            None => reader.next().await?,
        };
        Some((Ok::<_, Infallible>(chunk), (reader, None)))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    // nginx would collect the events.
    let unbuffered = [("x-accel-buffering", "no")];
    Ok((headers, unbuffered, Body::from_stream(chunks)).into_response())
}

impl Reader {
    /// Waits for news. `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let now = Instant::now();
            if now >= self.until {
                return None;
            }
            let deadline = self.until.min(now + KEEP_ALIVE);
            let changed = tokio::select! {
                _ = self.stopped.wait_for(|stop| *stop) => return None,
                changed = timeout_at(deadline, self.frames.changed()) => changed,
            };
            match changed {
                Ok(Ok(())) => {
                    let frame = Arc::clone(&self.frames.borrow_and_update());
                    let news = self.news(&frame);
                    if !news.is_empty() {
                        return Some(news.into());
                    }
                }
                Ok(Err(_)) => return None,
                Err(_) => return Some(Bytes::from_static(b": \n\n")),
            }
        }
    }

    /// What this reader has not seen.
    fn news(&mut self, frame: &Frame) -> Vec<u8> {
        let mut news = Vec::new();
        let before = self.sent.take();
        let sent = before.as_deref().unwrap_or_default();
        let addresses = |servers: &[Arc<ServerView>]| -> Vec<String> {
            servers
                .iter()
                .map(|server| server.address.clone())
                .collect()
        };
        let now_ms = self.live.now_ms();
        for server in &frame.servers {
            if !sent.iter().any(|sent| Arc::ptr_eq(sent, server)) {
                let age_ms = (now_ms - server.taken_ms).max(0);
                news.extend(format!("event: server\ndata: {age_ms}\ndata: ").bytes());
                news.extend_from_slice(&(self.render)(server));
                news.extend(b"\n\n");
            }
        }
        let list = addresses(&frame.servers);
        if before.is_none() || list != addresses(sent) {
            news.extend(format!("event: servers\ndata: {}\n\n", list.join(" ")).bytes());
        }
        self.sent = Some(frame.servers.clone());
        news
    }
}
