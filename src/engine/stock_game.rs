//! The stock game behind us: where it lies, opened at `GAME_INIT`, closed after `GAME_SHUTDOWN`.
//!
//! It is opened anew for every map, because it relies on fresh statics.

use std::ffi::{CStr, CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The file name by which the engine loads a game, and by which we are installed.
pub const GAME_FILE: &str = "qagame.mp.x86_64.so";
/// The stock game's name beside us where home and base folder are one.
pub const RENAMED_GAME_FILE: &str = "qagame_real.mp.x86_64.so";

/// The stock game, opened.
#[derive(Debug)]
pub struct StockGame {
    handle: *mut c_void,
    /// Its `dllEntry`.
    pub dll_entry: *mut c_void,
    /// Its `vmMain`.
    pub vm_main: *mut c_void,
    /// The file.
    pub path: PathBuf,
}

/// Where the stock game may lie, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GamePaths {
    /// Cvar `gametimes_qagame`, when set.
    pub configured: Option<PathBuf>,
    /// Cvar `fs_basepath`.
    pub basepath: PathBuf,
    /// Cvar `fs_game`.
    pub fs_game: String,
    /// The file we were loaded from.
    pub ourselves: Option<PathBuf>,
}

impl GamePaths {
    fn candidates(&self) -> Vec<PathBuf> {
        let beside = self
            .ourselves
            .as_ref()
            .map(|us| us.with_file_name(RENAMED_GAME_FILE));
        self.configured
            .iter()
            .cloned()
            .chain([self.basepath.join(&self.fs_game).join(GAME_FILE)])
            .chain(beside)
            .collect()
    }
}

/// Opens the first game that is not ourselves.
///
/// # Errors
/// When there is none: one line that names every path tried and why it would not do.
pub fn open(places: &GamePaths) -> Result<StockGame, String> {
    let mut tried = Vec::new();
    for path in places.candidates() {
        match open_one(&path, places.ourselves.as_deref()) {
            Ok(game) => return Ok(game),
            Err(why) => tried.push(format!("{} ({why})", path.display())),
        }
    }
    Err(format!(
        "gametimes: the stock game was not found; tried {}. Set gametimes_qagame to its path, or remove gametimes.",
        tried.join(", ")
    ))
}

fn open_one(path: &Path, ourselves: Option<&Path>) -> Result<StockGame, String> {
    let found = std::fs::metadata(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => "not there".to_owned(),
        _ => e.to_string(),
    })?;
    let is_us = ourselves
        .and_then(|us| std::fs::metadata(us).ok())
        .is_some_and(|us| us.dev() == found.dev() && us.ino() == found.ino());
    if is_us {
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
        // SAFETY: nothing of it is used.
        unsafe { libc::dlclose(handle) };
        return Err("no game: it lacks dllEntry or vmMain".to_owned());
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
        // SAFETY: opened by us, closed once. Whoever drops a game makes sure that no frame of it is on the stack.
        unsafe { libc::dlclose(self.handle) };
    }
}

fn dl_error() -> String {
    // SAFETY: dlerror gives null or a C string that stays valid until the next dl call of this thread.
    unsafe {
        let text = libc::dlerror();
        if text.is_null() {
            return "cannot be opened".to_owned();
        }
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}

/// The file that this code was loaded from.
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
