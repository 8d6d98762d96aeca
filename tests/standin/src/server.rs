//! A server: folders, a module, and the game behind it.

use std::ffi::{CStr, CString, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::clock::{Clock, ClockFn};
use crate::engine::{ENGINE, Engine};
use crate::fight::{Fight, Plan};
use crate::step::{Step, Trap};

/// The file name by which an engine loads a game.
pub const GAME_FILE: &str = "qagame.mp.x86_64.so";

unsafe extern "C" {
    fn standin_syscall(trap: isize, ...) -> isize;
    fn standin_set_quiet(on: i32);
    fn standin_quiet_traps() -> u64;
    fn standin_call(
        entry: *mut c_void,
        command: i32,
        arguments: *const isize,
        result: *mut isize,
    ) -> i32;
}

/// Passes the engine's traps to a module.
///
/// # Safety
/// `dll_entry` is a module's.
unsafe fn bind(dll_entry: *mut c_void) {
    type DllEntry = unsafe extern "C" fn(unsafe extern "C" fn(isize, ...) -> isize);
    // SAFETY: the caller's promise.
    unsafe { std::mem::transmute::<*mut c_void, DllEntry>(dll_entry)(standin_syscall) };
}

/// A server of this thread: folders, a module, and the game behind it.
pub struct Server {
    /// `<fs_homepath>`.
    pub home: PathBuf,
    handle: *mut c_void,
    vm_main: *mut c_void,
    clock: Option<Clock>,
    linked: Option<Linked>,
    /// The game reads it until it is unloaded.
    plan: Option<Box<Plan>>,
    /// How many players fight.
    players: isize,
}

/// A module that is linked into this program.
#[derive(Clone, Copy)]
struct Linked {
    dll_entry: *mut c_void,
    vm_main: *mut c_void,
    set_wall_clock: *mut c_void,
}

impl Server {
    /// Creates the folders of a server, with the module in `<home>/legacy/` and the stand-in game in `<base>/legacy/`.
    ///
    /// # Errors
    /// When a folder or file cannot be created.
    pub fn new(module: &Path, home: &Path, base: &Path) -> Result<Self, String> {
        let install = |from: &Path, root: &Path| {
            let folder = root.join("legacy");
            let result = std::fs::create_dir_all(&folder).and_then(|()| {
                let to = folder.join(GAME_FILE);
                let _ = std::fs::remove_file(&to); // a mapped library must not be overwritten
                std::fs::copy(from, to)
            });
            result.map_err(|e| format!("{} -> {}: {e}", from.display(), folder.display()))
        };
        install(module, home)?;
        install(Path::new(crate::GAME), base)?;
        Ok(Self::at(home, base))
    }

    /// A server with these folders as they are.
    pub fn at(home: &Path, base: &Path) -> Self {
        ENGINE.with_borrow_mut(|engine| *engine = Engine::default());
        // SAFETY: sets a flag of this thread.
        unsafe { standin_set_quiet(0) };
        let server = Self {
            home: home.to_owned(),
            handle: std::ptr::null_mut(),
            vm_main: std::ptr::null_mut(),
            clock: None,
            linked: None,
            plan: None,
            players: 0,
        };
        for (name, value) in [
            ("fs_game", "legacy"),
            ("fs_homepath", &home.to_string_lossy()),
            ("fs_basepath", &base.to_string_lossy()),
            ("sv_maxclients", "16"),
            ("mapname", "supply"),
            ("gamestate", "-1"),
            ("g_gametype", "3"),
            ("g_currentRound", "0"),
            ("timelimit", "20"),
            ("net_ip", "127.0.0.1"),
            ("net_port", "27960"),
            ("sv_hostname", "Stand-in"),
        ] {
            server.set_cvar(name, value);
        }
        server
    }

    /// Sets a cvar.
    pub fn set_cvar(&self, name: &str, value: impl AsRef<[u8]>) {
        ENGINE.with_borrow_mut(|engine| {
            engine.set(name.to_ascii_lowercase(), value.as_ref().to_vec());
        });
    }

    /// The engine's list of all cvars, with values and defaults.
    pub fn cvar_list(&self) -> String {
        ENGINE.with_borrow(|engine| {
            let all = engine.cvars.iter().chain(&engine.defaults);
            all.map(|(name, value)| format!("{name} {}\n", String::from_utf8_lossy(value)))
                .collect()
        })
    }

    /// A cvar's value.
    pub fn cvar(&self, name: &str) -> String {
        ENGINE.with_borrow(|engine| {
            let value = engine.cvars.get(&name.to_ascii_lowercase());
            String::from_utf8_lossy(value.map_or(&[][..], Vec::as_slice)).into_owned()
        })
    }

    /// Sets a client's userinfo.
    pub fn set_userinfo(&self, slot: usize, userinfo: impl AsRef<[u8]>) {
        ENGINE.with_borrow_mut(|engine| engine.userinfo.insert(slot, userinfo.as_ref().to_vec()));
    }

    /// Sets the arguments of the next command.
    pub fn set_command(&self, text: &[u8]) {
        let words = text
            .split(u8::is_ascii_whitespace)
            .filter(|w| !w.is_empty());
        ENGINE.with_borrow_mut(|engine| engine.command = words.map(<[u8]>::to_vec).collect());
    }

    /// Records every trap from now on, and returns those recorded so far.
    pub fn record_traps(&self) -> Vec<Trap> {
        ENGINE.with_borrow_mut(|engine| engine.traps.replace(Vec::new()).unwrap_or_default())
    }

    /// Records every call that the game receives from now on, and returns those recorded so far.
    pub fn record_calls(&self) -> Vec<(isize, [isize; 5])> {
        ENGINE.with_borrow_mut(|engine| engine.calls.replace(Vec::new()).unwrap_or_default())
    }

    /// Everything printed since the last call.
    pub fn take_console(&self) -> String {
        let bytes = ENGINE.with_borrow_mut(|engine| std::mem::take(&mut engine.console));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The errors that the game raised since the last call.
    pub fn take_errors(&self) -> Vec<String> {
        ENGINE.with_borrow_mut(|engine| std::mem::take(&mut engine.errors))
    }

    /// Loads the module, as the engine does before every `GAME_INIT`.
    ///
    /// # Errors
    /// When `dlopen` fails.
    pub fn load(&mut self) -> Result<(), String> {
        self.unload();
        if let Some(linked) = self.linked {
            self.vm_main = linked.vm_main;
            self.bind_clock();
            // SAFETY: by the promise of who linked it.
            unsafe { bind(linked.dll_entry) };
            return Ok(());
        }
        let path = self.home.join("legacy").join(GAME_FILE);
        let file = CString::new(path.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
        // SAFETY: loads the module under test; its entry points are called as an engine calls them.
        unsafe {
            let handle = libc::dlopen(file.as_ptr(), libc::RTLD_NOW);
            if handle.is_null() {
                return Err(CStr::from_ptr(libc::dlerror())
                    .to_string_lossy()
                    .into_owned());
            }
            let entry = libc::dlsym(handle, c"dllEntry".as_ptr());
            let vm_main = libc::dlsym(handle, c"vmMain".as_ptr());
            if entry.is_null() || vm_main.is_null() {
                return Err(format!("{}: no dllEntry or vmMain", path.display()));
            }
            self.handle = handle;
            self.vm_main = vm_main;
            self.bind_clock();
            bind(entry);
        }
        Ok(())
    }

    /// From now on [`Server::load`] uses a module that is linked into this program, by its `dllEntry`, `vmMain` and
    /// `gametimes_set_wall_clock`, instead of the one in the folder. All such servers of a process share the module's state.
    ///
    /// # Safety
    /// The three functions belong to a module and have the types that an engine expects.
    pub unsafe fn link(
        &mut self,
        dll_entry: *mut c_void,
        vm_main: *mut c_void,
        set_wall_clock: *mut c_void,
    ) {
        self.linked = Some(Linked {
            dll_entry,
            vm_main,
            set_wall_clock,
        });
    }

    /// Starts a round in which players fight without further steps: from now on the game allocates nothing, and the engine answers
    /// every trap with 0 at once. [`Server::frame`] plays it. Used for measurements.
    pub fn fight(&mut self, fight: &Fight) {
        self.set_cvar("sv_maxclients", "64");
        self.set_cvar("gamestate", "0");
        let located = Step::Locate {
            entities: 64,
            entity_size: 1728,
            client_size: 124_352,
        };
        let seeds = Step::configstring(31, "41 6 154 39 91 14 6 65 3 119");
        self.set_cvar("g_redlimbotime", "30000");
        self.set_cvar("g_bluelimbotime", "20000");
        self.call(0, &[0, 7, 1, 1, 283_010_000], [located, seeds]);
        for slot in 0..fight.players as isize {
            let team = 1 + slot % 2;
            self.set_userinfo(slot as usize, format!("\\cl_guid\\GUID{slot:028}"));
            let info = Step::configstring(689 + slot, format!("n\\p{slot}\\t\\{team}"));
            self.call(2, &[slot, 1, 0], [info]);
            self.call(
                3,
                &[slot],
                [Step::Write(slot, vec![(284, team as i64), (288, 1)])],
            );
        }
        let plan = self.plan.insert(fight.plan());
        let address = std::ptr::from_ref::<Plan>(plan) as isize;
        self.players = fight.players as isize;
        self.call(4712, &[address], []);
        self.set_quiet(true);
    }

    /// Lets the game make a trap this many times, without arguments. Used for measurements, see [`Server::set_quiet`].
    pub fn traps(&mut self, trap: isize, count: isize) {
        self.call(4713, &[trap, count], []);
    }

    /// Sets whether the engine answers every trap with 0 at once, and every cvar is "20".
    pub fn set_quiet(&self, on: bool) {
        // SAFETY: sets a flag of this thread.
        unsafe { standin_set_quiet(on.into()) };
    }

    /// Plays one frame of a fight, without an allocation: `CLIENT_THINK` of every player, then `RUN_FRAME`.
    pub fn frame(&mut self, level_ms: isize) {
        for slot in 0..self.players {
            self.bare_call(7, slot);
        }
        self.bare_call(8, level_ms);
    }

    /// How many traps the engine has answered at once, see [`Server::set_quiet`].
    pub fn traps_made(&self) -> u64 {
        // SAFETY: reads a counter of this thread.
        unsafe { standin_quiet_traps() }
    }

    /// What happens in the fight.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_deref()
    }

    /// Makes one call with one argument, without an allocation.
    pub fn bare_call(&mut self, command: i32, argument: isize) {
        let mut arguments = [0isize; 16];
        arguments[0] = argument;
        let mut result = 0;
        // SAFETY: as in `call`.
        unsafe { standin_call(self.vm_main, command, arguments.as_ptr(), &raw mut result) };
    }

    /// Unloads the module, as the engine does after every `GAME_SHUTDOWN`.
    pub fn unload(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: opened by `load`, closed once.
            unsafe { libc::dlclose(self.handle) };
            self.handle = std::ptr::null_mut();
        }
        self.vm_main = std::ptr::null_mut();
    }

    /// Sets the wall clock that the module reads instead of the system's.
    pub fn set_unix_ms(&mut self, unix_ms: i64) {
        if self.clock.is_none() {
            self.clock = Some(Clock::take());
            self.bind_clock();
        }
        if let Some(clock) = &self.clock {
            clock.set(unix_ms);
        }
    }

    fn bind_clock(&self) {
        if let Some(clock) = &self.clock {
            self.give_clock(Some(clock.function()));
        }
    }

    fn give_clock(&self, clock: Option<ClockFn>) {
        // SAFETY: the module's symbol has this type; a game without it keeps the system's clock.
        unsafe {
            let set = match self.linked {
                Some(linked) => linked.set_wall_clock,
                None if self.handle.is_null() => return,
                None => libc::dlsym(self.handle, c"gametimes_set_wall_clock".as_ptr()),
            };
            if !set.is_null() {
                type SetClock = unsafe extern "C" fn(Option<ClockFn>);
                std::mem::transmute::<*mut c_void, SetClock>(set)(clock);
            }
        }
    }

    /// Lets a named point in the module panic the next time it is reached. The module needs the feature `faults`.
    pub fn arm_fault(&self, point: &str) {
        let point = CString::new(point).expect("no zero in a name");
        // SAFETY: the module's symbol has this type.
        unsafe {
            let arm = libc::dlsym(self.handle, c"gametimes_arm_fault".as_ptr());
            assert!(
                !arm.is_null(),
                "this module is built without the feature faults"
            );
            type Arm = unsafe extern "C" fn(*const c_char);
            std::mem::transmute::<*mut c_void, Arm>(arm)(point.as_ptr());
        }
    }

    /// Calls the game, which carries out these steps. Returns its result, or `None` if it raised its error and left
    /// through longjmp.
    pub fn call(
        &mut self,
        command: i32,
        arguments: &[isize],
        steps: impl IntoIterator<Item = Step>,
    ) -> Option<isize> {
        assert!(!self.vm_main.is_null(), "no module is loaded");
        let mut all = [0isize; 16];
        all[..arguments.len()].copy_from_slice(arguments);
        ENGINE.with_borrow_mut(|engine| engine.steps = steps.into_iter().collect());
        let mut result = 0;
        // SAFETY: `vm_main` is the loaded module's; no Rust frame that owes a drop is between here and the longjmp's target.
        let left = unsafe { standin_call(self.vm_main, command, all.as_ptr(), &raw mut result) };
        (left == 0).then_some(result)
    }

    /// Runs a console command as `GAME_CONSOLE_COMMAND`. Returns true if the game or the module knows it.
    pub fn console_command(&mut self, text: &str) -> bool {
        self.set_command(text.as_bytes());
        self.call(9, &[], []) == Some(1)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.clock.is_some() {
            self.give_clock(None);
        }
        self.unload();
    }
}
