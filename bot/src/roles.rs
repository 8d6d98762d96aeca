//! The bot as a whole: starts every part and ends them in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use notify::RecommendedWatcher;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::config::Config;
use crate::db::{Db, DbError};
use crate::discord;
use crate::files::folder::{self, Local};
use crate::files::poller::{ExpectedFiles, PollConfig, Poller};
use crate::files::sftp::Server;
use crate::http::{self, App};
use crate::status::Status;
use crate::writer::Writer;

/// Why the bot does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The API's address.
    #[error("listen = {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// A source ended by itself; the log tells which.
    #[error("a part of the bot has ended")]
    Part,
    /// The API ended by itself.
    #[error("the API failed: {0}")]
    Serve(std::io::Error),
}

/// A running bot.
#[derive(Debug)]
pub struct Bot {
    /// Where API and pages are.
    pub address: SocketAddr,
    /// The database.
    pub store: Db,
    /// The sources' state.
    pub status: Arc<Status>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<Result<(), RunError>>,
}

/// How long open requests and waiting arrivals have at the end.
const FAREWELL: Duration = Duration::from_secs(10);

/// Starts the bot; it runs until [`Bot::stop`].
///
/// # Errors
/// When the database cannot be opened or the address cannot be bound.
pub async fn start(config: Config) -> Result<Bot, RunError> {
    // One provider for every TLS connection of this process; a second start finds it there.
    drop(rustls::crypto::ring::default_provider().install_default());
    http::metrics::install();
    let store = Db::open(config.database_url.reveal(), config.time_zone.clone()).await?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|e| RunError::Listen(config.listen, e))?;
    let address = listener
        .local_addr()
        .map_err(|e| RunError::Listen(config.listen, e))?;
    let status = Arc::new(Status::default());
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(work(
        config,
        store.clone(),
        Arc::clone(&status),
        listener,
        stopped,
    ));
    info!("listening on http://{address}");
    Ok(Bot {
        address,
        store,
        status,
        stop,
        task,
    })
}

/// Runs the bot until `shutdown` is over.
///
/// # Errors
/// When it cannot start, or a part of it ends by itself.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let mut bot = start(config).await?;
    tokio::select! {
        result = &mut bot.task => return flatten(result),
        () = shutdown => {}
    }
    bot.stop().await
}

impl Bot {
    /// Ends the bot: sources first, then what they handed over is stored.
    ///
    /// # Errors
    /// When a part of it had failed.
    pub async fn stop(self) -> Result<(), RunError> {
        self.stop.send_replace(true);
        flatten(self.task.await)
    }

    /// The address of a page or of the API: `/api/rounds`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn flatten(result: Result<Result<(), RunError>, tokio::task::JoinError>) -> Result<(), RunError> {
    result.unwrap_or_else(|e| Err(RunError::Serve(std::io::Error::other(e.to_string()))))
}

async fn work(
    config: Config,
    store: Db,
    status: Arc<Status>,
    listener: TcpListener,
    stopped: watch::Receiver<bool>,
) -> Result<(), RunError> {
    let (keeper, writer) = Writer::new(store.clone(), Arc::clone(&status), stopped.clone());
    let writer = tokio::spawn(writer);
    let mut sources = JoinSet::new();
    let (awaited, _) = broadcast::channel(64);
    let watchers = spawn_files(&config, &mut sources, &store, &keeper, &status, &awaited);
    match config.discord {
        Some(discord) => {
            if let Some(channel) = discord.stats_channel.clone() {
                let client = discord::client(&discord);
                let status = Arc::clone(&status);
                sources.spawn(discord::posts::run(channel, client, store.clone(), status));
            }
            sources.spawn(discord::run(
                discord,
                store.clone(),
                keeper.clone(),
                Arc::clone(&status),
                awaited,
            ));
        }
        None => info!("no discord.token: no messages are received"),
    }
    drop(keeper);
    let app = App {
        db: store.clone(),
        status,
        token: config.api_token,
    };
    let mut end = stopped.clone();
    let server = axum::serve(listener, http::router(app)).with_graceful_shutdown(async move {
        drop(end.wait_for(|stop| *stop).await);
    });
    let server = tokio::spawn(async move { server.await });
    let mut end = stopped;
    let mut failed = false;
    tokio::select! {
        _ = end.wait_for(|stop| *stop) => {}
        Some(ended) = sources.join_next() => {
            error!("a part of the bot has ended, so the bot ends: {ended:?}");
            failed = true;
        }
    }
    sources.shutdown().await;
    drop(watchers);
    if tokio::time::timeout(FAREWELL, writer).await.is_err() {
        warn!("the database did not take everything in time; it is taken again at the next start");
    }
    match tokio::time::timeout(FAREWELL, server).await {
        Ok(result) => drop(result),
        Err(_) => warn!("a client kept its connection open"),
    }
    store.database.close().await;
    if failed { Err(RunError::Part) } else { Ok(()) }
}

/// Starts looking through folders and servers; what comes back must be kept as long as folders shall be watched.
fn spawn_files(
    config: &Config,
    sources: &mut JoinSet<()>,
    store: &Db,
    keeper: &Writer,
    status: &Arc<Status>,
    awaited: &ExpectedFiles,
) -> Vec<RecommendedWatcher> {
    let pace = PollConfig {
        poll: config.poll,
        lookback: Some(config.lookback),
    };
    let mut watchers: Vec<RecommendedWatcher> = Vec::new();
    for folder in &config.folders {
        let local = Local::new(&folder.path);
        let all = PollConfig {
            lookback: None,
            ..pace.clone()
        };
        let sweeper = Poller::new(
            local,
            folder.server.clone(),
            all,
            store.clone(),
            keeper.clone(),
            Arc::clone(status),
            awaited,
        );
        let (changed, names) = mpsc::channel(64);
        watchers.extend(folder::watch(&folder.path, changed));
        sources.spawn(sweeper.watching(names).run());
    }
    for ssh in &config.ssh {
        let server = Server::new(ssh.clone());
        let folders = [(&ssh.stats_dir, true), (&ssh.gametimes_dir, false)];
        for (path, stats) in folders
            .into_iter()
            .filter_map(|(p, s)| Some((p.as_ref()?, s)))
        {
            let sweeper = Poller::new(
                server.directory(path, stats),
                ssh.server.clone(),
                pace.clone(),
                store.clone(),
                keeper.clone(),
                Arc::clone(status),
                awaited,
            );
            sources.spawn(sweeper.run());
        }
    }
    watchers
}
