//! The roles of a process, and how its parts are started and stopped.
//!
//! A receiving process runs the sources, the writer and the posts to the stats channel. A serving process answers HTTP
//! requests. The database is all that they share, so they may run on different machines.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use notify::RecommendedWatcher;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tracing::{error, info, warn};

use crate::backoff::Backoff;
use crate::config::Config;
use crate::db::{Db, DbError, files as database_files};
use crate::discord;
use crate::files::folder::{self, LocalDirectory};
use crate::files::live as live_files;
use crate::files::poller::{PollConfig, Poller};
use crate::files::sftp::{FolderKind, LiveFolder, RemoteDirectory};
use crate::files::ssh::SshServer;
use crate::http::server::{self, Limits};
use crate::http::{self, App, Drawings, Sources};
use crate::live::{self, Live};
use crate::status::Status;
use crate::writer::{SourceContext, Writer};

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Receives and serves.
    Run,
    /// Reads Discord, folders and servers, writes the database, and posts to the stats channel.
    Receive,
    /// Serves the API and the pages. It only reads the database, and runs no migrations.
    Serve,
}

impl Role {
    fn receives(self) -> bool {
        matches!(self, Self::Run | Self::Receive)
    }

    fn serves(self) -> bool {
        matches!(self, Self::Run | Self::Serve)
    }
}

/// Why the bot did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database cannot be opened.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The address of the API is not available.
    #[error("listen = {0}: {1}; choose a free address of this machine")]
    Listen(SocketAddr, std::io::Error),
    /// A part of the bot stopped on its own, which is a bug.
    #[error("a part of the bot stopped unexpectedly; see the log")]
    Part,
    /// The bot's main task was aborted.
    #[error("the bot stopped unexpectedly: {0}")]
    Aborted(tokio::task::JoinError),
}

/// A running bot.
#[derive(Debug)]
pub struct Bot {
    /// Where the API and the pages are; `None` in the role [`Role::Receive`].
    pub address: Option<SocketAddr>,
    /// The database.
    pub store: Db,
    /// The state of the sources.
    pub status: Arc<Status>,
    /// What happens on the servers.
    pub live: Arc<Live>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), RunError>>,
}

/// How long open requests and queued items have when the bot stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the rows of another bot are looked for in companion mode.
const TIE_INTERVAL: Duration = Duration::from_secs(15);
/// How often the bot looks for days on which rounds have changed.
const REFRESH_INTERVAL: Duration = Duration::from_millis(500);
/// The waits between attempts to reach the database's server at the start.
const DATABASE_WAIT_FIRST: Duration = Duration::from_millis(500);
const DATABASE_WAIT_LIMIT: Duration = Duration::from_secs(30);

/// Starts the bot; it runs until [`Bot::stop`]. Waits while the database's server cannot be reached.
///
/// # Errors
/// If the database cannot be opened or the address cannot be bound.
pub async fn start(config: Config, role: Role) -> Result<Bot, RunError> {
    // One TLS provider per process. A second bot in the same process, as in tests, finds it installed.
    drop(rustls::crypto::ring::default_provider().install_default());
    http::metrics::install();
    let db = open(&config, role).await?;
    if let Some(discord) = config.discord.as_ref().filter(|_| role.receives()) {
        db.release_servers(&discord.webhook_ids).await?;
    }
    let (mut listener, mut address) = (None, None);
    if role.serves() {
        let failed = |e| RunError::Listen(config.listen, e);
        let bound = TcpListener::bind(config.listen).await.map_err(failed)?;
        let bound_to = bound.local_addr().map_err(failed)?;
        info!("listening on http://{bound_to}");
        (listener, address) = (Some(bound), Some(bound_to));
    }
    let store = db.clone();
    let status = Arc::new(Status::default());
    let (stop, stopped) = watch::channel(false);
    let sources = match role.receives() {
        true if config.has_sources() => Sources::Configured,
        true => Sources::None,
        false => Sources::Elsewhere,
    };
    let live = Arc::new(Live::new(config.live_delay));
    let limits = Limits::new(config.max_connections);
    let server = listener.zip(address).map(|(listener, listen)| {
        let app = App {
            db: db.clone(),
            status: Arc::clone(&status),
            token: config.api_token.clone(),
            listen,
            allowed_hosts: config.allowed_hosts.clone().into(),
            cors_origins: config.cors_origins.clone().into(),
            public_url: config.public_url.as_deref().map(Into::into),
            sources,
            drawings: Drawings::default(),
            live: Arc::clone(&live),
            live_delay: config.live_delay,
            live_token: config.live_token.clone(),
            // Only a bot that receives has a use for it.
            live_key: config.live_key.clone().filter(|_| role.receives()),
            streams: Arc::new(Semaphore::new(limits.streams())),
            stopped: stopped.clone(),
        };
        tokio::spawn(server::serve(
            listener,
            http::router(app),
            limits,
            stopped.clone(),
        ))
    });
    let receiver = role.receives().then(|| {
        let (db, status, live) = (db.clone(), Arc::clone(&status), Arc::clone(&live));
        Receiver::start(config, db, status, live, stopped.clone())
    });
    let mut live_tasks = JoinSet::new();
    live_tasks.spawn(Arc::clone(&live).play());
    if db.is_shared() {
        live_tasks.spawn(live::share::share(
            Arc::clone(&live),
            db.clone(),
            role.receives(),
        ));
    }
    let task = tokio::spawn(async move {
        let live_tasks = live_tasks;
        let result = supervise(db, receiver, server, stopped).await;
        drop(live_tasks);
        result
    });
    Ok(Bot {
        address,
        store,
        status,
        live,
        stop,
        task,
    })
}

/// Opens the database. While its server cannot be reached, waits for it, as a machine may start before its database does.
async fn open(config: &Config, role: Role) -> Result<Db, DbError> {
    let url = config.database_url.reveal();
    if let Some(mode) = config.database_file_mode.filter(|_| role.receives()) {
        database_files::set_modes(url, mode);
    }
    let mut backoff = Backoff::new(DATABASE_WAIT_FIRST, DATABASE_WAIT_LIMIT);
    loop {
        let zone = config.time_zone.clone();
        let result = if role.receives() {
            Db::open_as(url, zone, config.database_mode).await
        } else {
            Db::open_read_only_as(url, zone, config.database_mode).await
        };
        match result {
            Err(error) if error.is_unavailable() => {
                // Once, although the same failure has several texts: a connection is refused, reset or closed.
                if backoff.failures() == 0 {
                    warn!("waiting for the database: {error}");
                }
                tokio::time::sleep(backoff.next_wait()).await;
            }
            result => {
                if backoff.failures() > 0 && result.is_ok() {
                    info!("the database answers");
                }
                return result;
            }
        }
    }
}

/// Runs the bot until `shutdown` completes.
///
/// # Errors
/// If it cannot start, or a part of it stops on its own.
pub async fn run(
    config: Config,
    role: Role,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    tokio::pin!(shutdown);
    let mut bot = tokio::select! {
        // First, so that a signal is received from the start.
        biased;
        // It may wait for the database.
        () = &mut shutdown => return Ok(()),
        bot = start(config, role) => bot?,
    };
    tokio::select! {
        result = &mut bot.task => return result.unwrap_or_else(|e| Err(RunError::Aborted(e))),
        () = &mut shutdown => {}
    }
    bot.stop().await
}

impl Bot {
    /// Stops the bot: the sources first, so that what they have submitted is still stored.
    ///
    /// # Errors
    /// If a part of it had failed.
    pub async fn stop(self) -> Result<(), RunError> {
        self.stop.send_replace(true);
        let result = self.task.await;
        result.unwrap_or_else(|e| Err(RunError::Aborted(e)))
    }

    /// The URL of a page or of the API, for example of `/api/rounds`.
    ///
    /// # Panics
    /// In the role [`Role::Receive`], which serves nothing.
    pub fn url(&self, path: &str) -> String {
        let address = self.address.expect("a bot that serves");
        format!("http://{address}{path}")
    }
}

/// Waits until the bot is stopped or a part of it stops on its own, then stops everything in order.
async fn supervise(
    db: Db,
    receiver: Option<Receiver>,
    server: Option<JoinHandle<()>>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), RunError> {
    let mut result = Ok(());
    if let Some(mut receiver) = receiver {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => {}
            Some(ended) = receiver.sources.join_next() => {
                error!("a part of the bot stopped unexpectedly, so the bot stops: {ended:?}");
                result = Err(RunError::Part);
            }
        }
        receiver.stop().await;
    } else {
        drop(stopped.wait_for(|stop| *stop).await);
    }
    if let Some(server) = server {
        match tokio::time::timeout(SHUTDOWN_TIMEOUT, server).await {
            Ok(ended) => drop(ended),
            Err(_) => warn!("a client kept its connection open"),
        }
    }
    db.database.close().await;
    result
}

/// Completes the rows that another bot writes, for as long as the bot runs: it does not tell when it has written one.
async fn tie_waiting(db: Db) {
    let mut failed = None;
    loop {
        tokio::time::sleep(TIE_INTERVAL).await;
        let failure = db.tie_waiting(false).await.err().map(|e| e.to_string());
        if let Some(error) = failure.as_ref().filter(|_| failure != failed) {
            warn!("completing the rounds of the other bot: {error}; trying again");
        }
        failed = failure;
    }
}

/// Computes what the questions about players know, after each change of rounds, for as long as the bot runs.
async fn refresh_players(db: Db) {
    let mut failed = None;
    loop {
        let failure = db.refresh_players().await.err().map(|e| e.to_string());
        if let Some(error) = failure.as_ref().filter(|_| failure != failed) {
            warn!("computing the sums of players: {error}; trying again");
        }
        failed = failure;
        tokio::time::sleep(REFRESH_INTERVAL).await;
    }
}

/// The receiving parts of a bot.
struct Receiver {
    sources: JoinSet<()>,
    /// Folders are watched for as long as these exist.
    watchers: Vec<RecommendedWatcher>,
    writer: JoinHandle<()>,
}

impl Receiver {
    fn start(
        config: Config,
        db: Db,
        status: Arc<Status>,
        live: Arc<Live>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let (writer, write) = Writer::new(db.clone(), Arc::clone(&status), stopped);
        let context = SourceContext {
            db,
            writer,
            status,
            expected_files: broadcast::channel(64).0,
        };
        let mut receiver = Self {
            sources: JoinSet::new(),
            watchers: Vec::new(),
            writer: tokio::spawn(write),
        };
        receiver.start_files(&config, &context, &live);
        receiver.sources.spawn(refresh_players(context.db.clone()));
        if context.db.is_companion() {
            receiver.sources.spawn(tie_waiting(context.db.clone()));
        }
        match config.discord {
            Some(settings) => {
                if let Some(channel) = settings.stats_channel.clone() {
                    let client = discord::client(&settings);
                    let (db, status) = (context.db.clone(), Arc::clone(&context.status));
                    let posts =
                        discord::posts::run(channel, config.public_url.clone(), client, db, status);
                    receiver.sources.spawn(posts);
                }
                if let Some(channel_id) = settings.live_channel_id {
                    let channel = discord::posts::live::LiveChannel {
                        channel_id,
                        public_url: config.public_url.clone(),
                        client: discord::client(&settings),
                        db: context.db.clone(),
                        status: Arc::clone(&context.status),
                        frames: live.public(),
                        delay: config.live_delay,
                    };
                    receiver.sources.spawn(discord::posts::live::run(channel));
                }
                receiver
                    .sources
                    .spawn(discord::run(settings, config.public_url, context));
            }
            None => info!("discord.token is not set: no messages are received"),
        }
        receiver
    }

    fn start_files(&mut self, config: &Config, context: &SourceContext, live: &Arc<Live>) {
        for folder in &config.folders {
            let poll = PollConfig {
                server: folder.server.clone(),
                interval: config.poll,
                lookback: None,
            };
            let (changed, names) = mpsc::channel(64);
            self.watchers.extend(folder::watch(&folder.path, changed));
            let poller = Poller::new(LocalDirectory::new(&folder.path), poll, context);
            self.sources.spawn(poller.watching(names).run());
            let watch = live_files::watch(folder.path.clone(), Arc::clone(live));
            self.sources.spawn(watch);
        }
        for ssh in &config.ssh {
            let server = SshServer::new(ssh.clone());
            let folders = [
                (&ssh.stats_dir, FolderKind::Stats),
                (&ssh.gametimes_dir, FolderKind::Gametimes),
            ];
            for (path, kind) in folders {
                let Some(path) = path else { continue };
                let poll = PollConfig {
                    server: ssh.server.clone(),
                    interval: config.poll,
                    lookback: Some(config.lookback),
                };
                let poller = Poller::new(
                    RemoteDirectory::new(server.clone(), path, kind),
                    poll,
                    context,
                );
                self.sources.spawn(poller.run());
            }
            if let Some(path) = &ssh.gametimes_dir {
                let folder = LiveFolder::new(server.clone(), path);
                self.sources
                    .spawn(live_files::poll(folder, Arc::clone(live)));
            }
        }
    }

    /// Stops the sources, then waits until what they submitted is stored.
    async fn stop(mut self) {
        self.sources.shutdown().await;
        drop(self.watchers);
        let written = tokio::time::timeout(SHUTDOWN_TIMEOUT, self.writer).await;
        if written.is_err() {
            warn!(
                "the database did not store everything in time; the rest is read again after the next start"
            );
        }
    }
}
