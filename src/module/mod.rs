//! The part on the game's thread that asks the engine for what it needs: starts and ends of maps, settings, clients.
//!
//! [`Module`] holds the observer, which turns calls and traps into events, and the handle of the worker, which takes them.

mod commands;
mod complaints;
mod frame;
mod version;

use std::any::Any;
use std::ffi::CStr;
use std::path::PathBuf;
use std::time::Duration;

use gametimes_format::check::bounds;
use gametimes_format::rules::GAMETYPE_STOPWATCH;
use gametimes_format::text;

use crate::VERSION;
use crate::deliver::command::{Command, CommandSender, WorkerConfig};
use crate::deliver::handle::WorkerHandle;
use crate::engine::numbers::{
    GAMESTATE_INITIALIZE, GAMESTATE_PLAYING, MAX_CLIENTS, OLDEST_VERSION,
};
use crate::engine::signals::{self, Handled};
use crate::engine::stock_game::GamePaths;
use crate::engine::traps::{Engine, until_zero};
use crate::event::{Level, Rules, ShutdownCause};
use crate::first_round::FirstRound;
use crate::observe::{Complaint, Observer, Records};
use crate::settings::{KeptSecrets, Settings, configured_game};
use complaints::Complaints;
use frame::FrameCost;
use version::{version_text, whole_version};

/// How long `GAME_SHUTDOWN` waits for a round to be written.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(2);
/// Gametypes above this are invalid. The game has 8.
const GAMETYPE_MAX: i32 = 64;
/// The cvar in which the engine keeps its last error.
const ENGINE_ERROR: &CStr = c"com_errorMessage";
/// The cvar that hands round 1 of a match over to round 2, see [`FirstRound`].
const FIRST_ROUND: &CStr = c"gametimes_match";

/// Whether rounds are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mode {
    /// The module records.
    Native,
    /// The module does not record, for this reason.
    Off(String),
}

/// The state on the game's thread, except for the records in the game's memory.
pub struct Module<E> {
    engine: E,
    mode: Mode,
    secrets: KeptSecrets,
    observer: Option<Observer<CommandSender>>,
    worker: Option<WorkerHandle>,
    /// The number of webhooks in the settings.
    webhooks: usize,
    engine_version: String,
    game_path: String,
    /// Whether `GAME_INIT` is running. Until it returns, the script can still take over.
    starting: bool,
    /// Whether the game has raised an error. The shutdown that follows is then a crash.
    game_failed: bool,
    /// Whether the game has the engine run a console command at once.
    runs_command: bool,
    /// The engine's last error when the map began.
    engine_error_before: String,
    /// The signals that were blocked when the map began.
    signals_before: signals::Set,
    complaints: Complaints,
    cost: FrameCost,
}

impl<E: Engine> Module<E> {
    /// A module before its first map. It calls no trap yet.
    pub fn new(engine: E) -> Self {
        Self {
            engine,
            mode: Mode::Off("no map yet".to_owned()),
            secrets: KeptSecrets::default(),
            observer: None,
            worker: None,
            webhooks: 0,
            engine_version: String::new(),
            game_path: String::new(),
            starting: false,
            game_failed: false,
            runs_command: false,
            engine_error_before: String::new(),
            signals_before: signals::Set::default(),
            complaints: Complaints::default(),
            cost: FrameCost::default(),
        }
    }

    /// The engine has loaded the library again, for the next map. Calls no trap yet.
    pub fn bind(&mut self, engine: E) {
        self.engine = engine;
        self.mode = Mode::Off("no map yet".to_owned());
    }

    /// The observer, while the module records.
    pub fn observer(&mut self) -> Option<&mut Observer<CommandSender>> {
        match self.mode {
            Mode::Native => self.observer.as_mut(),
            Mode::Off(_) => None,
        }
    }

    /// Where to look for the stock game. `own_path` is the file of this library.
    pub fn game_paths(&mut self, own_path: Option<PathBuf>) -> GamePaths {
        let fs_game = self.engine.cvar(c"fs_game");
        GamePaths {
            configured: configured_game(&self.engine),
            basepath: PathBuf::from(self.engine.cvar(c"fs_basepath")),
            fs_game: if fs_game.is_empty() {
                "legacy".to_owned()
            } else {
                fs_game
            },
            own_path,
        }
    }

    /// Stores the path of the opened stock game for the log.
    pub fn game_opened(&mut self, path: &std::path::Path) {
        self.game_path = path.display().to_string();
    }

    /// `GAME_INIT`, before the game sees it.
    pub fn before_init(&mut self, level_ms: i64, legacy_server: i32, version: i32) {
        self.game_failed = false;
        self.runs_command = false;
        self.engine_error_before = self.engine.cvar(ENGINE_ERROR);
        self.signals_before = signals::blocked_now();
        self.starting = true;
        let version = whole_version(version);
        self.engine_version = version_text(version);
        let (settings, warnings) = Settings::read(&self.engine, &mut self.secrets);
        for line in settings.path_lines() {
            self.say(&line);
        }
        for line in warnings {
            self.say(&line);
        }
        self.webhooks = settings.webhooks.len();
        self.mode = Mode::Native;
        if let Err(why) = self.may_record(&settings, legacy_server, version) {
            self.announce_off(why);
            return;
        }
        self.engine
            .set_cvar(c"gametimes_module", &format!("native {VERSION}"));
        self.say(&format!(
            "v{VERSION} engine {} game {} webhooks {}",
            self.engine_version,
            self.game_path,
            settings.webhooks.len()
        ));
        let level = Box::new(self.level());
        let config = worker_config(&settings, &level);
        if let (Some(observer), Some(worker)) = (&mut self.observer, &self.worker) {
            worker.commands().queue(Command::Configure(config));
            worker.set_level_ms(level_ms);
            observer.level(level_ms, level);
        }
    }

    /// Starts the worker if it is not running. The error is the reason why this map is not recorded.
    fn may_record(
        &mut self,
        settings: &Settings,
        legacy_server: i32,
        version: i32,
    ) -> Result<(), String> {
        if !settings.enabled {
            // Otherwise, the next round 2 would belong to the round 1 of an earlier match.
            self.engine.set_cvar(FIRST_ROUND, "");
            return Err("gametimes_enabled is 0".to_owned());
        }
        if legacy_server != 1 {
            return Err("this engine is not ET:Legacy".to_owned());
        }
        if version < OLDEST_VERSION {
            return Err(format!(
                "ET:Legacy {} is older than 2.76",
                self.engine_version
            ));
        }
        if !self.worker.as_ref().is_some_and(WorkerHandle::is_alive) {
            let worker = WorkerHandle::start()
                .map_err(|e| format!("the system cannot start another thread: {e}"))?;
            self.observer = Some(Observer::new(worker.commands().clone()));
            self.worker = Some(worker);
        }
        Ok(())
    }

    fn level(&self) -> Level {
        let cvar = |name| self.engine.cvar(name);
        let max_clients = self.engine.cvar_integer(c"sv_maxclients");
        let map = cvar(c"mapname");
        Level {
            map: map_name(&map),
            gamestate: self.engine.cvar_integer(c"gamestate"),
            max_clients: max_clients.clamp(1, MAX_CLIENTS as i32) as u8,
            server_ip: cvar(c"net_ip"),
            server_port: cvar(c"net_port"),
            server_hostname: cvar(c"sv_hostname"),
            engine_version: self.engine_version.clone(),
            first_round: cvar(FIRST_ROUND).parse::<FirstRound>().ok(),
        }
    }

    /// Trap LOCATE_GAME_DATA. At the first one of a map, the game is known and the script has not started yet.
    pub fn located(&mut self, sizes_fit: bool) {
        if self.starting {
            self.starting = false;
            let game = self.engine.cvar(c"gamename");
            if !sizes_fit {
                self.stop_recording("the game's player records have unexpected sizes".to_owned());
            } else if !game.is_empty() && game != "legacy" {
                self.stop_recording(format!("the game is {game:?}, not ET:Legacy's"));
            }
        } else if !sizes_fit && let Some(observer) = self.observer() {
            observer.complain(Complaint::Sizes);
        }
    }

    fn stop_recording(&mut self, why: String) {
        let Some(observer) = self.observer() else {
            return;
        };
        observer.discard_map();
        self.announce_off(why);
    }

    /// Gives the reason why this map is not recorded to the log and to the script.
    fn announce_off(&mut self, why: String) {
        self.engine
            .set_cvar(c"gametimes_module", &format!("off: {why}"));
        self.say(&format!("v{VERSION} does not record: {why}"));
        self.secrets.restore(&self.engine);
        self.mode = Mode::Off(why);
    }

    /// `GAME_INIT`, after the game has seen it.
    pub fn after_init(&mut self) {
        self.starting = false;
        let gametype = valid_gametype(self.engine.cvar_integer(c"g_gametype"));
        let current = self.engine.cvar_integer(c"g_currentRound");
        let round = if gametype == GAMETYPE_STOPWATCH && current != 0 {
            2
        } else {
            1
        };
        let decoded = |name| text::decode(self.engine.cvar(name).as_bytes());
        let rules = Rules {
            gametype,
            round,
            timelimit_minutes: self.minutes(c"timelimit"),
            config: decoded(c"g_customConfig"),
            mod_version: decoded(c"mod_version"),
        };
        if let Some(observer) = self.observer() {
            observer.rules(rules);
        }
        self.read_wave_intervals();
    }

    /// Reads the intervals of the spawn waves.
    fn read_wave_intervals(&mut self) {
        let cvars = [c"g_redlimbotime", c"g_bluelimbotime"];
        let intervals = cvars.map(|name| self.engine.cvar_integer(name));
        let at_once = self.engine.cvar_integer(c"g_forcerespawn") == -1;
        if let Some(observer) = self.observer() {
            observer.wave_intervals((!at_once).then_some(intervals));
        }
    }

    /// A time limit in minutes; 0 if the cvar contains none.
    fn minutes(&self, name: &CStr) -> f64 {
        let minutes = self.engine.cvar_float(name);
        if (0.0..=bounds::TIMELIMIT_MINUTES as f64).contains(&minutes) {
            minutes
        } else {
            0.0
        }
    }

    /// Connects the clients that the game has added without a call of the engine, as it does with its bots.
    #[cold]
    fn connect_arrivals(&mut self, records: &impl Records) {
        if let Some(observer) = self.observer() {
            observer.settle(records);
        }
        while let Some(slot) = self.observer().and_then(Observer::take_arrival) {
            let mut buffer = [0; 1024];
            let userinfo = self.userinfo(slot, &mut buffer);
            if let Some(observer) = self.observer() {
                if userinfo.is_empty() {
                    observer.refuse_arrival();
                } else {
                    observer.connect(slot, userinfo);
                }
            }
        }
    }

    /// `CLIENT_CONNECT`, after the game has seen it.
    pub fn after_connect(&mut self, slot: isize, granted: bool) {
        if !granted {
            return;
        }
        let mut buffer = [0; 1024];
        let userinfo = self.userinfo(slot, &mut buffer);
        if let Some(observer) = self.observer() {
            observer.connect(slot, userinfo);
        }
    }

    /// `CLIENT_BEGIN`, after the game has seen it.
    pub fn after_begin(&mut self, slot: isize) {
        self.after_userinfo(slot);
        if let Some(observer) = self.observer() {
            observer.begin(slot);
        }
    }

    /// `CLIENT_USERINFO_CHANGED`, after the game has seen it.
    pub fn after_userinfo(&mut self, slot: isize) {
        let needed = self
            .observer()
            .is_some_and(|observer| observer.lacks_guid(slot));
        if needed {
            let mut buffer = [0; 1024];
            let userinfo = self.userinfo(slot, &mut buffer);
            if let Some(observer) = self.observer() {
                observer.late_guid(slot, userinfo);
            }
        }
    }

    /// A client's userinfo. Empty for a slot that the server does not have: asking for it would raise an error in the engine.
    fn userinfo<'a>(&self, slot: isize, buffer: &'a mut [u8; 1024]) -> &'a [u8] {
        let max_clients = self.engine.cvar_integer(c"sv_maxclients");
        if let Ok(n) = usize::try_from(slot)
            && n < MAX_CLIENTS
            && slot < max_clients as isize
        {
            self.engine.userinfo(n, buffer);
        }
        until_zero(buffer)
    }

    /// Trap ERROR: the game gives up. A shutdown from inside this trap follows.
    pub fn game_error(&mut self) {
        self.game_failed = true;
    }

    /// `GAME_SHUTDOWN`, before the game sees it. `inside_call` is whether it comes from inside another call.
    pub fn before_shutdown(&mut self, restart: bool, inside_call: bool, records: &impl Records) {
        // The engine sets gamestate before it ends the running map: `map` sets "initialize", `map_restart` sets the state that
        // follows. Nothing else identifies a map_restart that changes sv_maxclients. If play follows, it looks like `quit`,
        // which sets nothing.
        let gamestate = self.engine.cvar_integer(c"gamestate");
        let cause = match gamestate {
            _ if self.game_failed => ShutdownCause::Crash,
            _ if restart => ShutdownCause::MapRestart,
            GAMESTATE_INITIALIZE => ShutdownCause::MapChange,
            GAMESTATE_PLAYING if self.engine_failed(inside_call) => ShutdownCause::Crash,
            GAMESTATE_PLAYING => ShutdownCause::Quit,
            _ => ShutdownCause::MapRestart,
        };
        if let Some(observer) = self.observer() {
            observer.shutdown(cause, records);
        }
    }

    /// Whether the engine shuts the game down because of an error: after a signal that tells of one, after an error of its own,
    /// which it puts into a cvar, or from inside a call. `quit` comes between two calls, or from a command that the game has
    /// the engine run at once.
    fn engine_failed(&self, inside_call: bool) -> bool {
        match signals::handled(self.signals_before) {
            Some(Handled::Fault) => return true,
            Some(Handled::Stop) => return false,
            None => {}
        }
        (inside_call && !self.runs_command)
            || self.engine.cvar(ENGINE_ERROR) != self.engine_error_before
    }

    /// Trap SEND_CONSOLE_COMMAND of a command that runs at once begins or ends.
    pub fn runs_command(&mut self, runs: bool) {
        self.runs_command = runs;
    }

    /// `GAME_SHUTDOWN`, after the game has seen it. When this returns, a round of the map is on disk.
    pub fn after_shutdown(&mut self) {
        if let Some(observer) = self.observer() {
            observer.closed();
        }
        // Also if recording stopped in mid-map: the part until then is written.
        let (in_time, alive) = self.worker.as_ref().map_or((true, true), |worker| {
            (worker.wait(SHUTDOWN_PATIENCE), worker.is_alive())
        });
        self.print_lines(usize::MAX);
        if !alive {
            self.say("internal error: the background thread has ended; the next map starts another and recovers the last round");
        } else if !in_time {
            self.say("the disk is slow: the last round was not written within 2 seconds; writing continues");
        }
        if let (Mode::Native, Some(worker)) = (&self.mode, &self.worker) {
            self.engine.set_cvar(FIRST_ROUND, &worker.first_round());
        }
        self.engine.set_cvar(c"gametimes_module", "");
        self.secrets.restore(&self.engine);
        self.mode = Mode::Off("between two maps".to_owned());
    }

    /// A panic was caught: from now on, everything is only passed through until the next map.
    pub fn panicked(&mut self, panic: &(dyn Any + Send)) {
        let why = panic
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        self.mode = Mode::Off("internal error".to_owned());
        // The round ends here, and the worker writes it.
        if let Some(observer) = &mut self.observer {
            observer.panicked();
            observer.closed();
        }
        self.engine
            .set_cvar(c"gametimes_module", "off: internal error");
        self.say(&format!(
            "internal error, recording stops until the next map: {why}; please report this"
        ));
    }

    fn say(&self, line: &str) {
        self.engine.print(&format!("[gametimes] {line}\n"));
    }
}

/// The map's name as file and message contain it: readers refuse an empty name and one over their limit, and some of them
/// unescape the message before they parse it.
fn map_name(cvar: &str) -> String {
    let map: String = cvar.chars().take(bounds::MAP).collect();
    if map.is_empty() {
        return "unknown".to_owned();
    }
    map.replace('"', "'").replace('\\', "/")
}

/// A gametype that readers accept; 0, which no game has, for others.
fn valid_gametype(cvar: i32) -> i32 {
    if (0..=GAMETYPE_MAX).contains(&cvar) {
        cvar
    } else {
        0
    }
}

fn worker_config(settings: &Settings, level: &Level) -> Box<WorkerConfig> {
    Box::new(WorkerConfig::new(
        settings,
        &level.server_ip,
        &level.server_port,
        &level.server_hostname,
    ))
}
