//! Draws pictures in the background, a few at a time, and keeps them.
//!
//! A picture of a large round costs seconds of a processor and tens of megabytes. Without limits, a handful of requests would
//! stop everything else that the process does.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use gametimes_format::digest::{hex, sha256};
use metrics::counter;
use tokio::sync::Semaphore;

use super::error::ApiError;
use crate::chart::{Chart, PNG_SCALE, Theme, match_svg, png};
use crate::db::rounds::RoundOverview;
use crate::db::{Db, DbError};

/// How many bytes of pictures of one format are kept.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// What a picture shows: a round, or the rounds of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    round_ids: Vec<i64>,
    /// A hash of everything that the picture shows.
    pub(super) digest: String,
    /// The time to beat in a match.
    target_ms: Option<i64>,
}

impl Subject {
    /// A round.
    pub(super) fn round(round: &RoundOverview) -> Self {
        Self {
            round_ids: vec![round.id()],
            digest: round.digest.clone(),
            target_ms: None,
        }
    }

    /// The rounds of a match, and the time to beat.
    pub(super) fn rounds_of_match(rounds: &[RoundOverview], target_ms: Option<i64>) -> Self {
        let digests = rounds.iter().map(|round| round.digest.as_bytes());
        let target = format!("{target_ms:?}");
        Self {
            round_ids: rounds.iter().map(RoundOverview::id).collect(),
            digest: hex(&sha256(digests.chain([target.as_bytes()]))),
            target_ms,
        }
    }
}

/// The pictures of all rounds and matches: at most one of each format is drawn at a time.
#[derive(Debug, Clone, Default)]
pub struct Drawings {
    svg: Pool,
    png: Pool,
}

/// The reason why a picture cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The round has been removed since it was looked up.
    #[error("there is no such round")]
    NoRound,
    /// The picture cannot be drawn.
    #[error("drawing a picture: {0}")]
    Failed(String),
}

impl From<DrawError> for ApiError {
    fn from(error: DrawError) -> Self {
        match error {
            DrawError::Db(error) => error.into(),
            DrawError::NoRound => Self::not_found("round"),
            DrawError::Failed(_) => {
                tracing::error!("answering a request: {error}");
                Self::internal()
            }
        }
    }
}

impl Drawings {
    /// A timeline as SVG.
    pub(super) async fn svg(&self, db: &Db, subject: &Subject) -> Result<Bytes, DrawError> {
        let load = async {
            let mut pages = Vec::with_capacity(subject.round_ids.len());
            for id in &subject.round_ids {
                let page = db.round_page(*id).await?;
                pages.push(page.ok_or(DrawError::NoRound)?);
            }
            Ok(pages)
        };
        let target_ms = subject.target_ms;
        let picture = self.svg.get(subject, load, move |pages| {
            counter!("gametimes_pictures_drawn_total", "format" => "svg").increment(1);
            let charts = pages
                .iter()
                .map(|page| Chart::new(&page.detail, &page.timeline));
            Ok(match_svg(charts.collect(), target_ms, Theme::Auto).into())
        });
        picture.await
    }

    /// A timeline as PNG.
    pub(super) async fn png(&self, db: &Db, subject: &Subject) -> Result<Bytes, DrawError> {
        let picture = self.png.get(subject, self.svg(db, subject), |svg| {
            counter!("gametimes_pictures_drawn_total", "format" => "png").increment(1);
            let svg = String::from_utf8_lossy(&svg);
            png::render(&svg, PNG_SCALE).map_err(|e| DrawError::Failed(e.to_string()))
        });
        picture.await
    }
}

/// Draws one picture at a time, and keeps the latest ones.
#[derive(Debug, Clone)]
struct Pool {
    turn: Arc<Semaphore>,
    kept: Arc<Mutex<Kept>>,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            kept: Arc::default(),
        }
    }
}

impl Pool {
    /// Returns the picture if it is kept. Otherwise waits its turn, loads what the picture shows, and draws it in the
    /// background.
    ///
    /// If the request has been cancelled, a picture whose turn has not come is not drawn. One that has been begun is
    /// finished and kept.
    async fn get<T: Send + 'static>(
        &self,
        key: &Subject,
        load: impl Future<Output = Result<T, DrawError>>,
        draw: impl FnOnce(T) -> Result<Vec<u8>, DrawError> + Send + 'static,
    ) -> Result<Bytes, DrawError> {
        let failed = |e: &dyn std::fmt::Display| DrawError::Failed(e.to_string());
        if let Some(picture) = self.kept().get(key) {
            return Ok(picture);
        }
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let turn = turn.map_err(|e| failed(&e))?;
        // Another request may have had it drawn in the meantime.
        if let Some(picture) = self.kept().get(key) {
            return Ok(picture);
        }
        let content = load.await?;
        let (pool, key) = (self.clone(), key.clone());
        let drawn = tokio::task::spawn_blocking(move || {
            let picture = draw(content).map(Bytes::from);
            if let Ok(picture) = &picture {
                pool.kept().put(key, picture.clone());
            }
            drop(turn);
            picture
        });
        drawn.await.map_err(|e| failed(&e))?
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pictures, the one that was used last at the end. There are few of them, so a list is fast enough.
#[derive(Debug, Default)]
struct Kept(Vec<(Subject, Bytes)>);

impl Kept {
    fn get(&mut self, key: &Subject) -> Option<Bytes> {
        let at = self.0.iter().position(|(kept, _)| kept == key)?;
        let entry = self.0.remove(at);
        let picture = entry.1.clone();
        self.0.push(entry);
        Some(picture)
    }

    /// Keeps a picture in place of an older one of the same rounds. Drops those that were not used for the longest time.
    fn put(&mut self, key: Subject, picture: Bytes) {
        self.0.retain(|(kept, _)| kept.round_ids != key.round_ids);
        self.0.push((key, picture));
        let mut bytes: usize = self.0.iter().map(|(_, picture)| picture.len()).sum();
        while bytes > KEPT_BYTES_MAX {
            bytes -= self.0.remove(0).1.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    fn key(round_id: i64, digest: &str) -> Subject {
        Subject {
            round_ids: vec![round_id],
            digest: digest.into(),
            target_ms: None,
        }
    }

    /// Asks a pool for a picture whose drawing waits until `go` sends something; reports to `begun` when it begins.
    async fn get(
        pool: Pool,
        key: Subject,
        begun: mpsc::Sender<i64>,
        go: Arc<Mutex<mpsc::Receiver<()>>>,
    ) -> Bytes {
        let id = key.round_ids[0];
        let draw = move |()| {
            begun.send(id).unwrap();
            go.lock().unwrap().recv_timeout(TIMEOUT).unwrap();
            Ok(vec![u8::try_from(id).unwrap()])
        };
        let picture = pool.get(&key, async { Ok(()) }, draw).await;
        picture.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn picture_that_many_ask_for_is_drawn_once_and_one_that_nobody_waits_for_is_not() {
        let pool = Pool::default();
        let (begun, begins) = mpsc::channel();
        let (go, wait) = mpsc::channel();
        let wait = Arc::new(Mutex::new(wait));
        let ask = |id| {
            let picture = get(pool.clone(), key(id, "a"), begun.clone(), Arc::clone(&wait));
            tokio::spawn(picture)
        };
        let mut same: Vec<_> = (0..24).map(|_| ask(1)).collect();
        assert_eq!(begins.recv_timeout(TIMEOUT), Ok(1));
        let left = ask(2);
        tokio::task::yield_now().await;
        left.abort();
        // One of those whose picture is being drawn leaves as well: the others get it all the same.
        same.pop().unwrap().abort();
        go.send(()).unwrap();
        for picture in same {
            assert_eq!(picture.await.unwrap(), [1].as_slice());
        }
        let last = ask(3);
        assert_eq!(
            begins.recv_timeout(TIMEOUT),
            Ok(3),
            "nothing else was drawn"
        );
        go.send(()).unwrap();
        assert_eq!(last.await.unwrap(), [3].as_slice());
        assert!(begins.try_recv().is_err());
    }

    #[test]
    fn kept_pictures_take_a_limited_number_of_bytes_and_show_the_latest_content() {
        let mut kept = Kept::default();
        let large = Bytes::from(vec![0; KEPT_BYTES_MAX / 2]);
        kept.put(key(1, "a"), large.clone());
        kept.put(key(2, "a"), large.clone());
        assert!(kept.get(&key(1, "a")).is_some());
        kept.put(key(3, "a"), large);
        let held: Vec<i64> = kept.0.iter().map(|(key, _)| key.round_ids[0]).collect();
        assert_eq!(held, [1, 3], "2 was not used for the longest time");
        kept.put(key(1, "b"), Bytes::from_static(b"new"));
        assert!(kept.get(&key(1, "a")).is_none());
        assert_eq!(kept.get(&key(1, "b")).unwrap(), "new");
        kept.put(key(4, "a"), Bytes::from(vec![0; KEPT_BYTES_MAX + 1]));
        assert!(kept.0.is_empty(), "larger than all together");
    }
}
