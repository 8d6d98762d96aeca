//! The stock game: found and opened at `GAME_INIT`, closed after `GAME_SHUTDOWN`.
//!
//! It is opened again for every map, because it relies on fresh statics.

use std::ffi::{CStr, CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The file name by which the engine loads a game. The module is installed under it.
pub const GAME_FILE: &str = "qagame.mp.x86_64.so";
/// The name of the stock game beside the module, where the home and the base folder are the same.
pub const RENAMED_GAME_FILE: &str = "qagame_real.mp.x86_64.so";

/// The opened stock game.
#[derive(Debug)]
pub struct StockGame {
    handle: *mut c_void,
    /// The address of its `dllEntry`.
    pub dll_entry: *mut c_void,
    /// The address of its `vmMain`.
    pub vm_main: *mut c_void,
    /// The file it was opened from.
    pub path: PathBuf,
}

/// Where the stock game is looked for, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GamePaths {
    /// Cvar `gametimes_qagame`, when set.
    pub configured: Option<PathBuf>,
    /// Cvar `fs_basepath`.
    pub basepath: PathBuf,
    /// Cvar `fs_game`.
    pub fs_game: String,
    /// The file that this module was loaded from; the renamed stock game may be beside it.
    pub own_path: Option<PathBuf>,
}

impl GamePaths {
    fn candidates(&self) -> Vec<PathBuf> {
        let beside = self
            .own_path
            .as_ref()
            .map(|own| own.with_file_name(RENAMED_GAME_FILE));
        self.configured
            .iter()
            .cloned()
            .chain([self.basepath.join(&self.fs_game).join(GAME_FILE)])
            .chain(beside)
            .collect()
    }
}

/// Opens the first game that is not this module.
///
/// # Errors
/// When no path works: one line with every path and the reason.
pub fn open(paths: &GamePaths) -> Result<StockGame, String> {
    let mut tried = Vec::new();
    for path in paths.candidates() {
        match open_one(&path, paths.own_path.as_deref()) {
            Ok(game) => return Ok(game),
            Err(why) => tried.push(format!("{} ({why})", path.display())),
        }
    }
    Err(format!(
        "gametimes: the stock game was not found; tried {}. Set gametimes_qagame to its path, or remove gametimes.",
        tried.join(", ")
    ))
}

fn open_one(path: &Path, own_path: Option<&Path>) -> Result<StockGame, String> {
    let found = std::fs::metadata(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => "not found".to_owned(),
        _ => e.to_string(),
    })?;
    let is_module = own_path
        .and_then(|own| std::fs::metadata(own).ok())
        .is_some_and(|own| own.dev() == found.dev() && own.ino() == found.ino());
    if is_module {
        return Err("that is gametimes itself".to_owned());
    }
    let file = CString::new(path.as_os_str().as_bytes())
        .map_err(|_| "a zero byte in the path".to_owned())?;
    // SAFETY: opening a library runs its constructors; it is the game that the admin's server would load anyway.
    let handle = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_NOW) };
    if handle.is_null() {
        return Err(dl_error());
    }
    // SAFETY: the handle has just been opened, the names are C strings.
    let (dll_entry, vm_main) = unsafe {
        (
            libc::dlsym(handle, c"dllEntry".as_ptr()),
            libc::dlsym(handle, c"vmMain".as_ptr()),
        )
    };
    if dll_entry.is_null() || vm_main.is_null() {
        // SAFETY: nothing of the library is used.
        unsafe { libc::dlclose(handle) };
        return Err("not a game: it has no dllEntry or no vmMain".to_owned());
    }
    Ok(StockGame {
        handle,
        dll_entry,
        vm_main,
        path: path.to_owned(),
    })
}

impl Drop for StockGame {
    fn drop(&mut self) {
        // SAFETY: opened here and closed once. The owner drops a game only when none of its frames is on the stack.
        unsafe { libc::dlclose(self.handle) };
    }
}

fn dl_error() -> String {
    // SAFETY: dlerror gives null or a C string that stays valid until the next dl call of this thread.
    unsafe {
        let text = libc::dlerror();
        if text.is_null() {
            return "it cannot be opened".to_owned();
        }
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}

/// The file that this module was loaded from.
pub fn own_path() -> Option<PathBuf> {
    // SAFETY: Dl_info is plain data for which zero is valid; dladdr only looks the address up.
    let name = unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(own_path as *const c_void, &raw mut info) == 0 || info.dli_fname.is_null() {
            return None;
        }
        CStr::from_ptr(info.dli_fname)
    };
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes())))
}
