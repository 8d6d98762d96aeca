//! The boundary to engine and game: the jumps through which every call and every trap passes ([`vmMain`], [`gametimes_gate`]), and
//! the functions that `ffi/shim.c` calls before and after it forwards a call or a trap that the module needs.
//!
//! These functions catch every panic. After the first one, which is logged, everything is only passed through until the next
//! map. None of them is on the stack while a call or trap is forwarded, because a trap may leave by longjmp.

use std::cell::{Cell, UnsafeCell};
use std::ffi::{CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::engine::numbers::{call, trap};
use crate::engine::records::GameRecords;
use crate::engine::strings;
use crate::engine::traps::{Syscall, Traps};
use crate::engine::{clock, stock_game};
use crate::fault;
use crate::module::Module;
use crate::observe::Complaint;

/// Calls that Rust sees before the game does, one bit for each number: INIT, SHUTDOWN, CLIENT_DISCONNECT,
/// RUN_FRAME, CONSOLE_COMMAND.
pub const GAMETIMES_CALLS_BEFORE: u32 = 0x323;
/// Calls up to this number pass through the shim, which tells Rust when they have returned; those above go straight to the
/// game. CLIENT_THINK has a shorter way through the shim.
const LAST_NEEDED_CALL: i32 = call::CONSOLE_COMMAND;
/// Traps that Rust sees before the engine does: PRINT, ERROR, CVAR_SET, SEND_CONSOLE_COMMAND,
/// LOCATE_GAME_DATA, SET_CONFIGSTRING.
pub const GAMETIMES_TRAPS_BEFORE: u32 = 0x13_0023;
/// Traps that Rust sees after the engine: FS_FOPEN, FS_FCLOSE, SEND_CONSOLE_COMMAND.
pub const GAMETIMES_TRAPS_AFTER: u32 = 0x1_8800;
/// Traps that pass through the shim; the others go straight to the engine.
const NEEDED_TRAPS: u32 = GAMETIMES_TRAPS_BEFORE | GAMETIMES_TRAPS_AFTER;

/// How many arguments of a call Rust sees.
pub const GAMETIMES_CALL_ARGUMENTS: usize = 5;

/// The stock game, as the shim needs it. If the game could not be opened, `vm_main` is null and `error` contains the reason.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct GametimesGame {
    /// The address of the game's `dllEntry`.
    pub dll_entry: *mut c_void,
    /// The address of the game's `vmMain`.
    pub vm_main: *mut c_void,
    /// The text of the error to raise.
    pub error: *const c_char,
}

/// The first argument of SEND_CONSOLE_COMMAND for a command that runs at once.
const EXEC_NOW: isize = 0;

/// The state on the game's thread. The engine calls a game from one thread only.
struct GameThread {
    state: UnsafeCell<Option<State>>,
    /// Whether a function of this file is on the stack. A nested call then does nothing.
    busy: Cell<bool>,
}

struct State {
    module: Module<Traps>,
    records: GameRecords,
    game: Option<stock_game::StockGame>,
    /// The error text that the shim raises; the engine reads it after we have returned.
    error: CString,
}

// SAFETY: the engine calls its game from one thread, so every access is from that thread.
unsafe impl Sync for GameThread {}

static GAME_THREAD: GameThread = GameThread {
    state: UnsafeCell::new(None),
    busy: Cell::new(false),
};

/// Runs `f` with the state, unless it does not exist yet or is in use further up the stack. After a panic, the module records
/// nothing until the next map.
fn with_state<R>(otherwise: R, f: impl FnOnce(&mut State) -> R) -> R {
    if GAME_THREAD.busy.replace(true) {
        return otherwise;
    }
    // SAFETY: `busy` was clear, so no reference to the state exists on this, the only thread.
    let state = unsafe { &mut *GAME_THREAD.state.get() };
    let result = match state {
        None => otherwise,
        Some(state) => match catch_unwind(AssertUnwindSafe(|| f(state))) {
            Ok(result) => result,
            Err(panic) => {
                state.records = GameRecords::nowhere();
                // If reporting the panic panics too, there is nothing left to do.
                let _ = catch_unwind(AssertUnwindSafe(|| state.module.panicked(panic.as_ref())));
                otherwise
            }
        },
    };
    GAME_THREAD.busy.set(false);
    result
}

/// Called by `dllEntry` with the engine's traps, of which none can be called yet.
///
/// # Safety
/// `syscall` is the engine's, or null, in which case the module never does anything.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gametimes_bind(syscall: *mut c_void) {
    if syscall.is_null() {
        return;
    }
    // SAFETY: the caller promises a function of this type.
    let engine = unsafe { Traps::new(std::mem::transmute::<*mut c_void, Syscall>(syscall)) };
    // A game that raised an error left by longjmp, so no function of this file is on the stack any more.
    GAME_THREAD.busy.set(false);
    // SAFETY: the engine calls dllEntry between games, when no function of this file is on the stack.
    let state = unsafe { &mut *GAME_THREAD.state.get() };
    match state {
        Some(state) => {
            state.module.bind(engine);
            state.records = GameRecords::nowhere();
        }
        None => {
            let module = catch_unwind(|| Module::new(engine)).ok();
            *state = module.map(|module| State {
                module,
                records: GameRecords::nowhere(),
                game: None,
                error: CString::default(),
            });
        }
    }
}

/// Opens the stock game for a new map.
#[unsafe(no_mangle)]
pub extern "C" fn gametimes_open_game() -> GametimesGame {
    let mut result = GametimesGame {
        dll_entry: std::ptr::null_mut(),
        vm_main: std::ptr::null_mut(),
        error: c"gametimes: could not start".as_ptr(),
    };
    with_state((), |state| {
        state.game = None; // a nested shutdown may have left it open
        let paths = state.module.game_paths(stock_game::own_path());
        match stock_game::open(&paths) {
            Ok(opened) => {
                result.dll_entry = opened.dll_entry;
                result.vm_main = opened.vm_main;
                state.module.game_opened(&opened.path);
                state.game = Some(opened);
            }
            Err(text) => {
                state.error = CString::new(text).unwrap_or_default();
                result.error = state.error.as_ptr();
            }
        }
    });
    result
}

/// Closes the stock game after its shutdown. If calls of it are still on the stack, as after a shutdown from inside a trap,
/// it stays open until the next map.
#[unsafe(no_mangle)]
pub extern "C" fn gametimes_close_game(depth: i32) {
    with_state((), |state| {
        state.records = GameRecords::nowhere();
        if depth == 0 {
            state.game = None;
        }
    });
}

/// Called before a call reaches the game. `depth` is the number of calls that are inside the game already. Returns non-zero for
/// a console command of the module, which the game must not see.
///
/// # Safety
/// `arguments` points to the first [`GAMETIMES_CALL_ARGUMENTS`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gametimes_before_call(
    command: i32,
    arguments: *const isize,
    depth: i32,
) -> i32 {
    // SAFETY: the caller promises this many arguments.
    let a = unsafe { std::slice::from_raw_parts(arguments, GAMETIMES_CALL_ARGUMENTS) };
    let ours = with_state(false, |state| {
        fault::point("before_call");
        before_call(state, command, a, depth)
    });
    i32::from(ours)
}

/// The engine's level time is an `int`.
fn level_ms(argument: isize) -> i64 {
    i64::from(argument as i32)
}

/// A client's slot is an `int`.
fn slot(argument: isize) -> isize {
    argument as i32 as isize
}

fn before_call(state: &mut State, command: i32, a: &[isize], depth: i32) -> bool {
    let State {
        module, records, ..
    } = state;
    match command {
        call::RUN_FRAME => {
            module.before_frame(level_ms(a[0]), records);
            false
        }
        // Old engines leave garbage in the upper half of `int` arguments.
        call::INIT => {
            module.before_init(level_ms(a[0]), a[3] as i32, a[4] as i32);
            false
        }
        call::SHUTDOWN => {
            module.before_shutdown(a[0] as i32 != 0, depth > 0, records);
            false
        }
        call::CLIENT_DISCONNECT => {
            if let Some(observer) = module.observer() {
                observer.disconnect(slot(a[0]), records);
            }
            false
        }
        call::CONSOLE_COMMAND => module.console_command(),
        _ => false,
    }
}

/// Called after a call has returned from the game. `depth` is the number of calls that are still inside the game. Returns the
/// slots, one bit for each, of which every CLIENT_THINK must be reported; others only if a trap was seen in it.
///
/// # Safety
/// `arguments` points to the first [`GAMETIMES_CALL_ARGUMENTS`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gametimes_after_call(
    command: i32,
    arguments: *const isize,
    result: isize,
    depth: i32,
) -> u64 {
    // SAFETY: the caller promises this many arguments.
    let a = unsafe { std::slice::from_raw_parts(arguments, GAMETIMES_CALL_ARGUMENTS) };
    with_state(0, |state| {
        fault::point("after_call");
        let State {
            module, records, ..
        } = state;
        match command {
            call::CLIENT_THINK | call::CLIENT_COMMAND => {
                if let Some(observer) = module.observer() {
                    observer.touch(slot(a[0]));
                }
            }
            call::CLIENT_BEGIN => module.after_begin(slot(a[0])),
            call::CLIENT_USERINFO_CHANGED => module.after_userinfo(slot(a[0])),
            call::CLIENT_CONNECT => module.after_connect(slot(a[0]), result == 0),
            call::INIT => module.after_init(),
            call::SHUTDOWN => module.after_shutdown(),
            _ => {}
        }
        if depth == 0 {
            module.call_is_done(command == call::RUN_FRAME, records);
        }
        module.observer().map_or(0, |observer| observer.waiting())
    })
}

/// Called before a trap reaches the engine.
///
/// # Safety
/// `arguments` points to 15 arguments, and what they point to is what the trap of this number takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gametimes_before_trap(number: isize, arguments: *const isize) {
    // SAFETY: the caller promises this many arguments.
    let a = unsafe { std::slice::from_raw_parts(arguments, 15) };
    with_state((), |state| {
        fault::point("before_trap");
        // SAFETY: where the trap takes a string, its argument is null or a C string.
        let text = |n: usize| unsafe { strings::bytes(a[n] as *const c_char) };
        match number {
            trap::PRINT | trap::SET_CONFIGSTRING | trap::CVAR_SET => {
                let Some(observer) = state.module.observer() else {
                    return;
                };
                match number {
                    trap::PRINT => match text(0) {
                        Some(text) => observer.print(text, &state.records),
                        None => observer.complain(Complaint::Null),
                    },
                    trap::SET_CONFIGSTRING => {
                        observer.configstring(
                            a[0] as i32,
                            || text(1).unwrap_or(b""),
                            &state.records,
                        );
                    }
                    _ => match (text(0), text(1)) {
                        (Some(name), Some(value)) => {
                            observer.cvar_set(name, value, &state.records);
                        }
                        (None, _) => observer.complain(Complaint::Null),
                        (Some(_), None) => {} // to the engine, a reset of the cvar
                    },
                }
            }
            trap::ERROR => state.module.game_error(),
            trap::SEND_CONSOLE_COMMAND if a[0] == EXEC_NOW => state.module.runs_command(true),
            trap::LOCATE_GAME_DATA => {
                // SAFETY: the game passes its own arrays, which live until it is closed; `gametimes_close_game` then drops
                // the pointers.
                let located = unsafe { GameRecords::locate(a[2], a[3] as *const u8, a[4]) };
                state.module.located(located.is_ok());
                state.records = located.unwrap_or(GameRecords::nowhere());
            }
            _ => {}
        }
    });
}

/// Called after a trap has returned from the engine.
///
/// # Safety
/// As for [`gametimes_before_trap`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gametimes_after_trap(number: isize, arguments: *const isize) {
    // SAFETY: the caller promises this many arguments.
    let a = unsafe { std::slice::from_raw_parts(arguments, 15) };
    with_state((), |state| {
        fault::point("after_trap");
        // SAFETY: the caller promises the trap's arguments.
        unsafe { after_trap(state, number, a) };
    });
}

/// # Safety
/// As for [`gametimes_after_trap`].
unsafe fn after_trap(state: &mut State, number: isize, a: &[isize]) {
    match number {
        trap::FS_FOPEN => {
            const READ: isize = 0;
            let handle = a[1] as *const i32;
            if a[2] == READ || handle.is_null() {
                return;
            }
            // SAFETY: FS_FOPEN takes a path and has written the handle.
            let (path, handle) = unsafe {
                (
                    strings::bytes(a[0] as *const c_char),
                    handle.read_unaligned(),
                )
            };
            if let (Some(path), Some(observer)) = (path, state.module.observer()) {
                observer.file_opened(path, handle);
            }
        }
        trap::SEND_CONSOLE_COMMAND => state.module.runs_command(false),
        trap::FS_FCLOSE => {
            if let Some(observer) = state.module.observer() {
                observer.file_closed(a[0] as i32);
            }
        }
        _ => {}
    }
}

/// Replaces the wall clock while a recorded match is played, so that it is played with its own unix times. Null restores the
/// system clock. Servers never call this.
#[unsafe(no_mangle)]
pub extern "C" fn gametimes_set_wall_clock(clock: Option<clock::WallClock>) {
    clock::set_wall_clock(clock);
}

/// Makes a point of the code panic the next time the code reaches it, see [`fault`].
///
/// # Safety
/// `name` is a C string.
#[cfg(feature = "faults")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gametimes_arm_fault(name: *const c_char) {
    // SAFETY: the caller promises a C string.
    if let Some(name) = unsafe { strings::bytes(name) } {
        fault::arm(&String::from_utf8_lossy(name));
    }
}

unsafe extern "C" {
    static gametimes_shim_engine: *const c_void;
    static gametimes_shim_game: *const c_void;
    fn gametimes_shim_trap();
    fn gametimes_shim_think();
    fn gametimes_shim_vm_main();
    fn gametimes_shim_dll_entry();
}

/// The game's way to the engine. A server with 44 players makes 3,000 traps a frame, nearly all of which the module does not
/// need: those are a comparison and a jump, with all registers and the stack as the game left them. Only r10 and r11 are free,
/// because a variadic function gets a number in al.
///
/// # Safety
/// Called by the game, as its `syscall`.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn gametimes_gate() {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "cmp rdi, {last}",
        "jbe 3f",
        "jmp qword ptr [rip + {engine}]",
        // Most of the traps with low numbers are not needed either: their way has no taken branch from here on.
        "3: mov r10d, {needed}",
        "bt r10d, edi",
        "jc {shim}",
        "jmp qword ptr [rip + {engine}]",
        ".cfi_endproc",
        last = const NEEDED_TRAPS.ilog2(),
        needed = const NEEDED_TRAPS,
        engine = sym gametimes_shim_engine,
        shim = sym gametimes_shim_trap,
    )
}

/// The engine's entry point. It has to be Rust, because symbols of a linked C library are not exported. It only jumps, like
/// [`gametimes_gate`], so that no Rust frame is on the stack.
///
/// # Safety
/// Called by the engine, with the arguments of a game's `vmMain`.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn vmMain() {
    core::arch::naked_asm!(
        ".cfi_startproc",
        "cmp edi, {last}",
        "jbe 2f",
        "jmp qword ptr [rip + {game}]",
        "2: cmp edi, {think}",
        "je {shim_think}",
        "jmp {shim}",
        ".cfi_endproc",
        last = const LAST_NEEDED_CALL,
        think = const call::CLIENT_THINK,
        game = sym gametimes_shim_game,
        shim_think = sym gametimes_shim_think,
        shim = sym gametimes_shim_vm_main,
    )
}

/// The engine calls this first. It jumps to the shim, like [`vmMain`].
///
/// # Safety
/// Called by the engine, with its `syscall`.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn dllEntry() {
    core::arch::naked_asm!("jmp {}", sym gametimes_shim_dll_entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_have_a_bit_for_each_listed_number() {
        let mask = |numbers: &[isize]| numbers.iter().fold(0u32, |m, n| m | 1 << n);
        let calls = |numbers: &[i32]| numbers.iter().fold(0u32, |m, n| m | 1 << n);
        assert_eq!(
            GAMETIMES_CALLS_BEFORE,
            calls(&[
                call::INIT,
                call::SHUTDOWN,
                call::CLIENT_DISCONNECT,
                call::RUN_FRAME,
                call::CONSOLE_COMMAND
            ])
        );
        assert_eq!(
            GAMETIMES_TRAPS_BEFORE,
            mask(&[
                trap::PRINT,
                trap::ERROR,
                trap::CVAR_SET,
                trap::SEND_CONSOLE_COMMAND,
                trap::LOCATE_GAME_DATA,
                trap::SET_CONFIGSTRING
            ])
        );
        assert_eq!(
            GAMETIMES_TRAPS_AFTER,
            mask(&[trap::FS_FOPEN, trap::FS_FCLOSE, trap::SEND_CONSOLE_COMMAND])
        );
    }
}
