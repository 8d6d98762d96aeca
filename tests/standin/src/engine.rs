//! The stand-in engine: loads a game, calls it, answers its traps.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::{CStr, CString, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// The file name by which an engine loads a game.
pub const GAME_FILE: &str = "qagame.mp.x86_64.so";

const STEP: isize = 4711;

/// An argument of a trap that the stand-in game makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg {
    /// A number, or a pointer that is meant to be wrong.
    Int(isize),
    /// A C string.
    Text(Vec<u8>),
    /// Where FS_FOPEN is to write the handle.
    Handle(i32),
}

/// What the stand-in game does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Makes a trap.
    Trap(isize, Vec<Arg>),
    /// Tells where its records lie (they are real memory of the game).
    Locate {
        /// How many entities.
        entities: isize,
        /// Size of one.
        entity_size: isize,
        /// Size of a client's record.
        client_size: isize,
    },
    /// Writes numbers into a client's record: byte offset and value.
    Write(isize, Vec<(i64, i64)>),
    /// Returns from the call.
    Return(isize),
}

impl Step {
    /// The game prints.
    pub fn print(text: impl AsRef<[u8]>) -> Self {
        Self::Trap(0, vec![Arg::Text(text.as_ref().to_vec())])
    }

    /// The game sets a configstring.
    pub fn configstring(n: isize, text: impl AsRef<[u8]>) -> Self {
        Self::Trap(20, vec![Arg::Int(n), Arg::Text(text.as_ref().to_vec())])
    }
}

/// What C sees of a step.
#[repr(C)]
struct RawStep {
    kind: i64,
    number: isize,
    arguments: [isize; 15],
}

/// A trap as it arrived at the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    /// Number.
    pub number: isize,
    /// All 15 arguments as they were passed (0 from the sentinel on).
    pub arguments: [isize; 15],
}

/// The engine's state, one for each thread.
#[derive(Default)]
struct Engine {
    cvars: BTreeMap<String, Vec<u8>>,
    /// The first value that somebody gave a cvar which the game has not registered: the engine lists it as the default.
    defaults: BTreeMap<String, Vec<u8>>,
    userinfo: BTreeMap<usize, Vec<u8>>,
    command: Vec<Vec<u8>>,
    steps: VecDeque<Step>,
    /// Strings and numbers that the game's current step points to.
    lent: Vec<CString>,
    lent_fields: Vec<(i64, i64)>,
    lent_handle: Option<Box<i32>>,
    console: Vec<u8>,
    errors: Vec<String>,
    traps: Option<Vec<Trap>>,
    /// Calls as the game received them: command and first five arguments.
    calls: Option<Vec<(isize, [isize; 5])>>,
}

thread_local! {
    static ENGINE: RefCell<Engine> = RefCell::default();
}

unsafe extern "C" {
    fn standin_syscall(trap: isize, ...) -> isize;
    fn standin_set_quiet(on: i32);
    fn standin_call(
        entry: *mut c_void,
        command: i32,
        arguments: *const isize,
        result: *mut isize,
    ) -> i32;
}

/// A trap has arrived, from the game or from the module.
///
/// # Safety
/// Called by `engine.c` with 16 numbers, the first of which is the trap's.
#[unsafe(no_mangle)]
unsafe extern "C" fn standin_trap(arguments: *const isize) -> isize {
    // SAFETY: by the caller's promise.
    let a = unsafe { std::slice::from_raw_parts(arguments, 16) };
    ENGINE.with_borrow_mut(|engine| engine.trap(a))
}

impl Engine {
    fn trap(&mut self, a: &[isize]) -> isize {
        if let Some(traps) = &mut self.traps
            && a[0] != STEP
        {
            traps.push(Trap {
                number: a[0],
                arguments: a[1..].try_into().expect("15 arguments"),
            });
        }
        match a[0] {
            0 => {
                let text = text(a[1]).unwrap_or_default();
                self.console.extend(text);
            }
            1 => {
                let text = text(a[1]).unwrap_or_default();
                self.errors
                    .push(String::from_utf8_lossy(&text).into_owned());
            }
            3 => {
                let name = text(a[2]).unwrap_or_default();
                let name = String::from_utf8_lossy(&name).to_ascii_lowercase();
                let default = text(a[3]).unwrap_or_default();
                self.cvars
                    .entry(name.clone())
                    .or_insert_with(|| default.clone());
                self.defaults.insert(name, default);
            }
            5 => {
                if let (Some(name), value) = (text(a[1]), text(a[2])) {
                    let name = String::from_utf8_lossy(&name).to_ascii_lowercase();
                    self.set(name, value.unwrap_or_default());
                }
            }
            6 => return self.integer(a[1]),
            7 => self.give(a[2], a[3], self.cvar(a[1])),
            9 => return self.command.len() as isize,
            10 => {
                let argument = usize::try_from(a[1])
                    .ok()
                    .and_then(|n| self.command.get(n))
                    .cloned();
                self.give(a[2], a[3], argument.unwrap_or_default());
            }
            11 => {
                if let Some(handle) = self.lent_handle.as_deref()
                    && a[2] == std::ptr::from_ref(handle) as isize
                {
                    return 0; // the handle stands there already
                }
            }
            22 => {
                let slot = usize::try_from(a[1]).unwrap_or(usize::MAX);
                let max: usize = self.integer_of("sv_maxclients").try_into().unwrap_or(0);
                assert!(
                    slot < max,
                    "GET_USERINFO: bad index {slot}: the engine would end the server"
                );
                let userinfo = self.userinfo.get(&slot).cloned().unwrap_or_default();
                self.give(a[2], a[3], userinfo);
            }
            STEP => self.step(a),
            _ => {}
        }
        0
    }

    fn set(&mut self, name: String, value: Vec<u8>) {
        self.defaults
            .entry(name.clone())
            .or_insert_with(|| value.clone());
        self.cvars.insert(name, value);
    }

    fn cvar(&self, name: isize) -> Vec<u8> {
        let name = text(name).unwrap_or_default();
        let name = String::from_utf8_lossy(&name).to_ascii_lowercase();
        self.cvars.get(&name).cloned().unwrap_or_default()
    }

    fn integer(&self, name: isize) -> isize {
        let name = text(name).unwrap_or_default();
        self.integer_of(&String::from_utf8_lossy(&name))
    }

    fn integer_of(&self, name: &str) -> isize {
        let value = self.cvars.get(&name.to_ascii_lowercase());
        let text = String::from_utf8_lossy(value.map_or(&[][..], Vec::as_slice)).into_owned();
        let end = text
            .char_indices()
            .find(|&(i, c)| !(c.is_ascii_digit() || i == 0 && c == '-'))
            .map_or(text.len(), |(i, _)| i);
        text[..end].parse().unwrap_or(0)
    }

    /// Writes a string into a buffer of the caller, as the engine does: cut, and ended by a zero.
    fn give(&self, buffer: isize, size: isize, text: Vec<u8>) {
        let Ok(size) = usize::try_from(size) else {
            return;
        };
        if buffer == 0 || size == 0 {
            return;
        }
        let len = text.len().min(size - 1);
        // SAFETY: the caller has passed a buffer of that size.
        unsafe {
            let buffer = buffer as *mut u8;
            std::ptr::copy_nonoverlapping(text.as_ptr(), buffer, len);
            buffer.add(len).write(0);
        }
    }

    /// The game asks what to do next.
    fn step(&mut self, a: &[isize]) {
        self.lent.clear();
        self.lent_handle = None;
        let mut raw = RawStep {
            kind: 3,
            number: 0,
            arguments: [0; 15],
        };
        match self.steps.pop_front() {
            None => {}
            Some(Step::Return(value)) => raw.number = value,
            Some(Step::Locate {
                entities,
                entity_size,
                client_size,
            }) => {
                raw.kind = 1;
                raw.number = entities;
                raw.arguments[..2].copy_from_slice(&[entity_size, client_size]);
            }
            Some(Step::Write(slot, fields)) => {
                raw.kind = 2;
                raw.number = slot;
                self.lent_fields = fields;
                raw.arguments[0] = self.lent_fields.as_ptr() as isize;
                raw.arguments[1] = self.lent_fields.len() as isize;
            }
            Some(Step::Trap(number, arguments)) => {
                raw.kind = 0;
                raw.number = number;
                for (n, argument) in arguments.into_iter().enumerate() {
                    raw.arguments[n] = match argument {
                        Arg::Int(value) => value,
                        Arg::Text(text) => {
                            let text: Vec<u8> = text.into_iter().filter(|&b| b != 0).collect();
                            self.lent.push(CString::new(text).expect("no zero is left"));
                            self.lent[self.lent.len() - 1].as_ptr() as isize
                        }
                        Arg::Handle(handle) => {
                            let handle = self.lent_handle.insert(Box::new(handle));
                            std::ptr::from_mut(handle.as_mut()) as isize
                        }
                    };
                }
            }
        }
        if let Some(calls) = &mut self.calls
            && raw.kind == 3
        {
            calls.push((a[2], a[3..8].try_into().expect("five arguments")));
        }
        // SAFETY: the game has passed a step of its own.
        unsafe { (a[1] as *mut RawStep).write(raw) };
    }
}

/// A C string that somebody passed.
fn text(pointer: isize) -> Option<Vec<u8>> {
    if pointer == 0 {
        return None;
    }
    // SAFETY: the traps that take strings are given C strings.
    Some(
        unsafe { CStr::from_ptr(pointer as *const c_char) }
            .to_bytes()
            .to_vec(),
    )
}

/// Clocks that are fed to modules: one for each server that runs now.
const CLOCKS: usize = 32;
static CLOCK_MS: [AtomicI64; CLOCKS] = [const { AtomicI64::new(0) }; CLOCKS];
static CLOCK_USED: [AtomicBool; CLOCKS] = [const { AtomicBool::new(false) }; CLOCKS];

extern "C" fn clock<const N: usize>() -> i64 {
    CLOCK_MS[N].load(Ordering::Relaxed)
}

/// Gives a module the engine's traps.
///
/// # Safety
/// `dll_entry` is a module's.
unsafe fn bind(dll_entry: *mut c_void) {
    type DllEntry = unsafe extern "C" fn(unsafe extern "C" fn(isize, ...) -> isize);
    // SAFETY: the caller's promise.
    unsafe { std::mem::transmute::<*mut c_void, DllEntry>(dll_entry)(standin_syscall) };
}

type ClockFn = extern "C" fn() -> i64;

/// `clock::<0>` to `clock::<31>`.
const CLOCK_FNS: [ClockFn; CLOCKS] = {
    macro_rules! clocks {
        ($($n:literal)*) => { [$(clock::<$n>),*] };
    }
    clocks!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31)
};

/// A server of this thread: folders, a module, and the game behind it.
pub struct Server {
    /// `<fs_homepath>`.
    pub home: PathBuf,
    handle: *mut c_void,
    vm_main: *mut c_void,
    clock: Option<usize>,
    linked: Option<Linked>,
}

/// A module that is linked into this program.
#[derive(Clone, Copy)]
struct Linked {
    dll_entry: *mut c_void,
    vm_main: *mut c_void,
    set_wall_clock: *mut c_void,
}

impl Server {
    /// Makes a server folder: the module goes to `<home>/legacy/`, the stand-in game to `<base>/legacy/`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn new(module: &Path, home: &Path, base: &Path) -> Result<Self, String> {
        let install = |from: &Path, root: &Path| {
            let folder = root.join("legacy");
            let result = std::fs::create_dir_all(&folder).and_then(|()| {
                let to = folder.join(GAME_FILE);
                let _ = std::fs::remove_file(&to); // a library that is mapped must not be written over
                std::fs::copy(from, to)
            });
            result.map_err(|e| format!("{} -> {}: {e}", from.display(), folder.display()))
        };
        install(module, home)?;
        install(Path::new(crate::GAME), base)?;
        ENGINE.with_borrow_mut(|engine| *engine = Engine::default());
        // SAFETY: sets a flag of this thread.
        unsafe { standin_set_quiet(0) };
        let server = Self {
            home: home.to_owned(),
            handle: std::ptr::null_mut(),
            vm_main: std::ptr::null_mut(),
            clock: None,
            linked: None,
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
        Ok(server)
    }

    /// Sets a cvar.
    pub fn set_cvar(&self, name: &str, value: impl AsRef<[u8]>) {
        ENGINE.with_borrow_mut(|engine| {
            engine.set(name.to_ascii_lowercase(), value.as_ref().to_vec());
        });
    }

    /// All that the engine lists of cvars: values and defaults.
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

    /// Sets the arguments of the command that comes next.
    pub fn set_command(&self, text: &[u8]) {
        let words = text
            .split(u8::is_ascii_whitespace)
            .filter(|w| !w.is_empty());
        ENGINE.with_borrow_mut(|engine| engine.command = words.map(<[u8]>::to_vec).collect());
    }

    /// Keeps every trap that arrives from now on; gives those kept so far.
    pub fn record_traps(&self) -> Vec<Trap> {
        ENGINE.with_borrow_mut(|engine| engine.traps.replace(Vec::new()).unwrap_or_default())
    }

    /// Keeps every call that the game receives from now on; gives those kept so far.
    pub fn record_calls(&self) -> Vec<(isize, [isize; 5])> {
        ENGINE.with_borrow_mut(|engine| engine.calls.replace(Vec::new()).unwrap_or_default())
    }

    /// What was printed since this was last asked.
    pub fn take_console(&self) -> String {
        let bytes = ENGINE.with_borrow_mut(|engine| std::mem::take(&mut engine.console));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The errors that the game raised since this was last asked.
    pub fn take_errors(&self) -> Vec<String> {
        ENGINE.with_borrow_mut(|engine| std::mem::take(&mut engine.errors))
    }

    /// Loads the module, as the engine does before every `GAME_INIT`.
    ///
    /// # Errors
    /// What `dlopen` says.
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

    /// From now on [`Server::load`] takes a module that is linked into this program instead of the one in the folder: its
    /// `dllEntry`, `vmMain` and `gametimes_set_wall_clock`. All such servers of a process share its one state.
    ///
    /// # Safety
    /// The three are a module's, with the types that an engine expects.
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

    /// Starts a round of so many players who fight by themselves: from now on a frame of the game needs no memory and asks
    /// for nothing, and the engine answers every trap with 0 at once. The round ends in the frame of that number. For
    /// measurements.
    pub fn fight(&mut self, players: usize, last_frame: isize) {
        self.set_cvar("sv_maxclients", "64");
        self.set_cvar("gamestate", "0");
        let located = Step::Locate {
            entities: 64,
            entity_size: 1728,
            client_size: 124_352,
        };
        self.call(0, &[0, 7, 1, 1, 283_010_000], [located]);
        for slot in 0..players as isize {
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
        self.call(4712, &[players as isize, last_frame], []);
        self.set_quiet(true);
    }

    /// The game makes a trap so many times, without arguments. For measurements, see [`Server::set_quiet`].
    pub fn traps(&mut self, trap: isize, count: isize) {
        self.call(4713, &[trap, count], []);
    }

    /// Whether the engine answers every trap with 0 at once, and has "20" for every cvar.
    pub fn set_quiet(&self, on: bool) {
        // SAFETY: sets a flag of this thread.
        unsafe { standin_set_quiet(on.into()) };
    }

    /// One frame, nothing else: allocates nothing.
    pub fn frame(&mut self, level_ms: isize) {
        self.bare_call(8, level_ms);
    }

    /// One call with one argument, nothing else: allocates nothing.
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

    /// Feeds the module this wall clock instead of the system's.
    pub fn set_unix_ms(&mut self, unix_ms: i64) {
        if self.clock.is_none() {
            self.clock = (0..CLOCKS).find(|&n| !CLOCK_USED[n].swap(true, Ordering::Relaxed));
            assert!(self.clock.is_some(), "more than {CLOCKS} servers at a time");
            self.bind_clock();
        }
        if let Some(n) = self.clock {
            CLOCK_MS[n].store(unix_ms, Ordering::Relaxed);
        }
    }

    fn bind_clock(&self) {
        if let Some(n) = self.clock {
            self.give_clock(Some(CLOCK_FNS[n]));
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

    /// Makes a point in a module with the feature `faults` panic the next time it is passed.
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

    /// Calls the game; it carries out these steps. Gives its result, or `None` when it raised its error and left by longjmp.
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

    /// A console command of the server, as `GAME_CONSOLE_COMMAND`; true when it was taken.
    pub fn console_command(&mut self, text: &str) -> bool {
        self.set_command(text.as_bytes());
        self.call(9, &[], []) == Some(1)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(n) = self.clock.take() {
            self.give_clock(None);
            CLOCK_USED[n].store(false, Ordering::Relaxed);
        }
        self.unload();
    }
}
