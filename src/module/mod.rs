//! The half on the game's thread: asks the engine what must be known, watches, and hands over to the worker.

mod commands;
mod complaints;
mod version;

use std::any::Any;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::VERSION;
use crate::deliver::handle::{Command, Config, WorkerHandle};
use crate::engine::numbers::{
    GAMESTATE_INITIALIZE, GAMESTATE_PLAYING, GAMETYPE_STOPWATCH, MAX_CLIENTS, OLDEST_VERSION,
};
use crate::engine::stock_game::GamePaths;
use crate::engine::traps::{Engine, until_zero};
use crate::event::{Level, ShutdownCause};
use crate::observe::{Complaint, Observer, Records};
use crate::settings::{KeptSecrets, Settings, configured_game};
use complaints::Complaints;
use version::{version_text, whole_version};

/// How long `GAME_SHUTDOWN` waits for a round to be on disk.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(2);
/// One frame in so many is timed for `gametimes status`.
const TIMED_FRAMES: u32 = 64;
/// The longest `timelimit` that is one: ten weeks.
const TIMELIMIT_MINUTES_MAX: f64 = 100_000.0;
/// Lines of the worker that are printed in one frame at the most.
const LINES_A_FRAME: usize = 8;

/// Whether rounds are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mode {
    /// Yes.
    Native,
    /// No; why.
    Off(String),
}

/// What the module costs in a frame, measured now and then.
#[derive(Debug, Clone, Copy, Default)]
struct FrameCost {
    frames: u32,
    began: Option<Instant>,
    last: Duration,
    max: Duration,
}

/// Everything on the game's thread but the records in the game's memory.
pub struct Module<E> {
    engine: E,
    mode: Mode,
    kept: KeptSecrets,
    observer: Option<Observer<WorkerHandle>>,
    engine_version: String,
    game_path: String,
    /// Inside `GAME_INIT`: it is not too late to let the script record.
    starting: bool,
    /// The game raised its error: the shutdown that follows is a crash.
    game_failed: bool,
    complaints: Complaints,
    cost: FrameCost,
}

impl<E: Engine> Module<E> {
    /// A module that has not seen a map yet. No trap may be called now.
    pub fn new(engine: E) -> Self {
        Self {
            engine,
            mode: Mode::Off("no map yet".to_owned()),
            kept: KeptSecrets::default(),
            observer: None,
            engine_version: String::new(),
            game_path: String::new(),
            starting: false,
            game_failed: false,
            complaints: Complaints::default(),
            cost: FrameCost::default(),
        }
    }

    /// The engine has loaded us again. No trap may be called now.
    pub fn bind(&mut self, engine: E) {
        self.engine = engine;
        self.mode = Mode::Off("no map yet".to_owned());
    }

    /// Where the stock game may lie.
    pub fn places(&mut self, ourselves: Option<PathBuf>) -> GamePaths {
        let fs_game = self.engine.cvar(c"fs_game");
        GamePaths {
            configured: configured_game(&self.engine),
            basepath: PathBuf::from(self.engine.cvar(c"fs_basepath")),
            fs_game: if fs_game.is_empty() {
                "legacy".to_owned()
            } else {
                fs_game
            },
            ourselves,
        }
    }

    /// The stock game that was opened, for the log.
    pub fn game_opened(&mut self, path: &std::path::Path) {
        self.game_path = path.display().to_string();
    }

    /// The observer, while rounds are recorded.
    fn watch(&mut self) -> Option<&mut Observer<WorkerHandle>> {
        match self.mode {
            Mode::Native => self.observer.as_mut(),
            Mode::Off(_) => None,
        }
    }

    /// `GAME_INIT`, before the game sees it.
    pub fn before_init(&mut self, level_ms: i64, legacy_server: i32, version: i32) {
        self.game_failed = false;
        self.starting = true;
        let version = whole_version(version);
        self.engine_version = version_text(version);
        let (settings, warnings) = Settings::read(&self.engine, &mut self.kept);
        for line in settings.path_lines() {
            self.say(&line);
        }
        for line in warnings {
            self.say(&line);
        }
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
        let config = self.config(&settings, &level);
        if let Some(observer) = &mut self.observer {
            observer.sink().give(Command::Configure(config));
            observer.sink().set_level_ms(level_ms);
            observer.level(level_ms, level);
        }
    }

    /// Whether to record this map, or why not; starts the worker when it is not there.
    fn may_record(
        &mut self,
        settings: &Settings,
        legacy_server: i32,
        version: i32,
    ) -> Result<(), String> {
        if !settings.enabled {
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
        let alive = self
            .observer
            .as_mut()
            .is_some_and(|observer| observer.sink().is_alive());
        if !alive {
            let worker = WorkerHandle::start()
                .map_err(|e| format!("the system has no thread for us: {e}"))?;
            self.observer = Some(Observer::new(worker));
        }
        Ok(())
    }

    fn level(&self) -> Level {
        let cvar = |name| self.engine.cvar(name);
        let max_clients = self.engine.cvar_integer(c"sv_maxclients");
        let map = cvar(c"mapname");
        Level {
            // No reader takes a file of a map without a name.
            map: if map.is_empty() {
                "unknown".to_owned()
            } else {
                map
            },
            gamestate: self.engine.cvar_integer(c"gamestate"),
            max_clients: max_clients.clamp(1, MAX_CLIENTS as i32) as u8,
            server_ip: cvar(c"net_ip"),
            server_port: cvar(c"net_port"),
            server_hostname: cvar(c"sv_hostname"),
            engine_version: self.engine_version.clone(),
        }
    }

    fn config(&self, settings: &Settings, level: &Level) -> Box<Config> {
        Box::new(Config::new(
            settings,
            &level.server_ip,
            &level.server_port,
            &level.server_hostname,
        ))
    }

    /// Trap LOCATE_GAME_DATA: the game is known by now.
    pub fn located(&mut self, sizes_fit: bool) {
        if self.starting {
            // Its scripts start later in GAME_INIT: they see what is said here.
            self.starting = false;
            let game = self.engine.cvar(c"gamename");
            if !sizes_fit {
                self.stand_down("the game's records have sizes that do not fit".to_owned());
            } else if !game.is_empty() && game != "legacy" {
                self.stand_down(format!("the game is {game:?}, not ET:Legacy's"));
            }
        } else if !sizes_fit {
            self.complain(Complaint::Sizes);
        }
    }

    fn stand_down(&mut self, why: String) {
        let Some(observer) = self.watch() else { return };
        observer.stand_down();
        self.announce_off(why);
    }

    /// Says why this map is not recorded, in the log and to the script.
    fn announce_off(&mut self, why: String) {
        self.engine
            .set_cvar(c"gametimes_module", &format!("off: {why}"));
        self.say(&format!("v{VERSION} does not record: {why}"));
        self.kept.restore(&self.engine);
        self.mode = Mode::Off(why);
    }

    /// `GAME_INIT`, after the game has seen it.
    pub fn after_init(&mut self) {
        self.starting = false;
        let gametype = self.engine.cvar_integer(c"g_gametype");
        let current = self.engine.cvar_integer(c"g_currentRound");
        let round = if gametype == GAMETYPE_STOPWATCH && current != 0 {
            2
        } else {
            1
        };
        let timelimit = self.timelimit_minutes();
        if let Some(observer) = self.watch() {
            observer.rules(gametype, round, timelimit);
        }
    }

    fn timelimit_minutes(&self) -> f64 {
        let minutes = self.engine.cvar_float(c"timelimit");
        // More than anybody plays stands for no limit at all, as 0 does, and no reader believes it.
        if (0.0..=TIMELIMIT_MINUTES_MAX).contains(&minutes) {
            minutes
        } else {
            0.0
        }
    }

    /// `RUN_FRAME`, before the game sees it.
    pub fn before_frame(&mut self, level_ms: i64) {
        self.cost.frames = self.cost.frames.wrapping_add(1);
        let timed = self
            .cost
            .frames
            .is_multiple_of(TIMED_FRAMES)
            .then(Instant::now);
        if let Some(observer) = self.watch() {
            let level_ms = observer.frame(level_ms);
            observer.sink().set_level_ms(level_ms);
        }
        self.cost.last = timed.map_or(self.cost.last, |t| t.elapsed());
        self.cost.began = timed;
    }

    /// A call is done and none is inside the game any more.
    pub fn call_is_done(&mut self, is_frame: bool, records: &impl Records) {
        let timed = if is_frame {
            self.cost.began.take().map(|_| Instant::now())
        } else {
            None
        };
        if self.observer.as_ref().is_some_and(Observer::has_arrivals) {
            self.connect_arrivals();
        }
        let Some(observer) = self.watch() else { return };
        if is_frame {
            observer.after_frame(records);
        } else {
            observer.after_call(records);
        }
        if observer.take_exit() {
            let timelimit = self.timelimit_minutes();
            if let Some(observer) = self.watch() {
                observer.round_over(timelimit);
            }
        }
        if is_frame {
            self.print_lines(LINES_A_FRAME);
            self.print_complaints();
        }
        if let Some(began) = timed {
            self.cost.last += began.elapsed();
            self.cost.max = self.cost.max.max(self.cost.last);
        }
    }

    /// `CLIENT_THINK` or `CLIENT_COMMAND`, after the game has seen it.
    pub fn after_client(&mut self, slot: isize) {
        if let Some(observer) = self.watch() {
            observer.touch(slot);
        }
    }

    /// Connects the bots that the game has added by itself.
    #[cold]
    fn connect_arrivals(&mut self) {
        while let Some(slot) = self.watch().and_then(Observer::take_arrival) {
            self.after_connect(slot, true);
        }
    }

    /// `CLIENT_CONNECT`, after the game has seen it.
    pub fn after_connect(&mut self, slot: isize, granted: bool) {
        if !granted {
            return;
        }
        let mut buffer = [0; 1024];
        let userinfo = self.userinfo(slot, &mut buffer);
        if let Some(observer) = self.watch() {
            observer.connect(slot, userinfo);
        }
    }

    /// `CLIENT_BEGIN`, after the game has seen it.
    pub fn after_begin(&mut self, slot: isize) {
        self.after_userinfo(slot);
        if let Some(observer) = self.watch() {
            observer.begin(slot);
        }
    }

    /// `CLIENT_USERINFO_CHANGED`, after the game has seen it.
    pub fn after_userinfo(&mut self, slot: isize) {
        let needed = self
            .watch()
            .is_some_and(|observer| observer.lacks_guid(slot));
        if needed {
            let mut buffer = [0; 1024];
            let userinfo = self.userinfo(slot, &mut buffer);
            if let Some(observer) = self.watch() {
                observer.late_guid(slot, userinfo);
            }
        }
    }

    /// A client's userinfo; empty for a slot that the server does not have, which the engine would take for an error.
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

    /// `CLIENT_DISCONNECT`, before the game sees it.
    pub fn before_disconnect(&mut self, slot: isize) {
        if let Some(observer) = self.watch() {
            observer.disconnect(slot);
        }
    }

    /// Trap PRINT.
    pub fn print(&mut self, text: &[u8], records: &impl Records) {
        if let Some(observer) = self.watch() {
            observer.print(text, records);
        }
    }

    /// Trap SET_CONFIGSTRING.
    pub fn configstring<'a>(&mut self, index: i32, text: impl FnOnce() -> Option<&'a [u8]>) {
        if let Some(observer) = self.watch() {
            observer.configstring(index, || text().unwrap_or(b""));
        }
    }

    /// Trap CVAR_SET.
    pub fn cvar_set(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"gamestate")
            && let Some(observer) = self.watch()
        {
            observer.gamestate(value);
        }
    }

    /// Trap FS_FOPEN, after the engine has opened a file for writing.
    pub fn file_opened(&mut self, path: &[u8], handle: i32) {
        if let Some(observer) = self.watch() {
            observer.file_opened(path, handle);
        }
    }

    /// Trap FS_FCLOSE, after the engine has closed a file.
    pub fn file_closed(&mut self, handle: i32) {
        if let Some(observer) = self.watch() {
            observer.file_closed(handle);
        }
    }

    /// Trap ERROR: the game gives up; a shutdown from inside this trap follows.
    pub fn game_error(&mut self) {
        self.game_failed = true;
    }

    /// `GAME_SHUTDOWN`, before the game sees it.
    pub fn before_shutdown(&mut self, restart: bool) {
        // The engine sets gamestate before it ends the running map: `map` to "initialize", `map_restart` to what comes next,
        // and that is all to tell one that changes sv_maxclients by. When play comes next it looks like `quit`, which sets
        // nothing.
        let gamestate = self.engine.cvar_integer(c"gamestate");
        let cause = match gamestate {
            _ if self.game_failed => ShutdownCause::Crash,
            _ if restart => ShutdownCause::MapRestart,
            GAMESTATE_INITIALIZE => ShutdownCause::MapChange,
            GAMESTATE_PLAYING => ShutdownCause::Quit,
            _ => ShutdownCause::MapRestart,
        };
        if let Some(observer) = self.watch() {
            observer.shutdown(cause);
        }
    }

    /// `GAME_SHUTDOWN`, after the game has seen it: a round that was played is on disk when this returns.
    pub fn after_shutdown(&mut self) {
        if let Some(observer) = self.watch() {
            observer.closed();
        }
        // Also when recording stopped in mid-map: what was played until then is written.
        let worker = self.observer.as_mut().map(Observer::sink);
        let (in_time, alive) = worker.map_or((true, true), |worker| {
            (worker.wait(SHUTDOWN_PATIENCE), worker.is_alive())
        });
        self.print_lines(usize::MAX);
        if !alive {
            self.say("internal error: the background thread is gone; the next map starts another and recovers the last round");
        } else if !in_time {
            self.say("the disk is slow: the last round was not written within 2 seconds; writing goes on");
        }
        self.engine.set_cvar(c"gametimes_module", "");
        self.kept.restore(&self.engine);
        self.mode = Mode::Off("between two maps".to_owned());
    }

    /// Counts something foreign that was wrong.
    pub fn complain(&mut self, complaint: Complaint) {
        if let Some(observer) = self.watch() {
            observer.complain(complaint);
        }
    }

    fn print_lines(&mut self, limit: usize) {
        for _ in 0..limit {
            let Some(line) = self.observer.as_mut().and_then(|o| o.sink().line()) else {
                return;
            };
            self.say(&line);
        }
    }

    /// Says what was wrong since the last time, each kind in one line with a count.
    fn print_complaints(&mut self) {
        if let Some(observer) = &mut self.observer {
            // With the thread gone it is another matter, said when the map is over.
            if observer.sink().take_lost() > 0 && observer.sink().is_alive() {
                observer.complain(Complaint::Lost);
            }
            if let Some(new) = observer.take_complaints() {
                self.complaints.add(&new);
            }
        }
        while let Some((complaint, count)) = self.complaints.due() {
            self.say(&format!("{} ({count} times)", complaint.text()));
        }
    }

    /// The boundary caught a panic. From now on everything is passed through until the next map.
    pub fn panicked(&mut self, panic: &(dyn Any + Send)) {
        let why = panic
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        self.mode = Mode::Off("internal error".to_owned());
        // What was recorded so far ends here; the worker finishes it.
        if let Some(observer) = &mut self.observer {
            observer.shutdown(ShutdownCause::Crash);
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
