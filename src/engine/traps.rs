//! The few traps that the module itself calls. None of them raises the game's error, so none leaves by longjmp: they get
//! only slots that the server has, and buffers that are long enough.

use std::ffi::{CStr, CString, c_char, c_void};

use super::numbers::trap;

/// The traps that the module needs. A trait, so that the module can be tested without an engine.
pub trait Engine {
    /// Writes to the server's console and log.
    fn print(&self, text: &str);
    /// A cvar's value; empty if the cvar does not exist.
    fn cvar(&self, name: &CStr) -> String;
    /// A cvar's value as an integer; 0 if it is not a number.
    fn cvar_integer(&self, name: &CStr) -> i32;
    /// A cvar's value as a decimal number; 0 if it is not a number. Does not allocate.
    fn cvar_float(&self, name: &CStr) -> f64;
    /// Registers a cvar with an empty default. Until then the engine keeps the first value of a cvar as its default, and
    /// lists it.
    fn register_cvar(&self, name: &CStr);
    /// Sets a cvar, and creates it if it does not exist.
    fn set_cvar(&self, name: &CStr, value: &str);
    /// An argument of the console command that is running.
    fn argument(&self, n: usize) -> String;
    /// Copies a client's userinfo, as the engine's bytes, into the buffer. The server must have the slot.
    fn userinfo(&self, slot: usize, buffer: &mut [u8; 1024]);
}

/// The function that the engine passes to `dllEntry`.
pub type Syscall = unsafe extern "C" fn(trap: isize, ...) -> isize;

/// The running engine.
#[derive(Debug, Clone, Copy)]
pub struct Traps(Syscall);

impl Traps {
    /// Uses this engine.
    ///
    /// # Safety
    /// `syscall` is the engine's, and stays callable as long as this value is used, from the game's thread.
    pub unsafe fn new(syscall: Syscall) -> Self {
        Self(syscall)
    }

    fn fill(&self, number: isize, what: isize, buffer: &mut [u8; 1024]) {
        // SAFETY: CVAR_STRING and ARGV write at most `size` bytes, zero included, to the buffer.
        unsafe {
            (self.0)(
                number,
                what,
                buffer.as_mut_ptr(),
                buffer.len() as isize,
                trap::ARGUMENTS_END,
            );
        }
    }

    fn text(&self, number: isize, what: isize) -> String {
        let mut buffer = [0; 1024];
        self.fill(number, what, &mut buffer);
        gametimes_format::text::decode(until_zero(&buffer))
    }
}

impl Engine for Traps {
    fn print(&self, text: &str) {
        // A zero byte would end the line.
        let Ok(text) = CString::new(text.replace('\0', "")) else {
            return;
        };
        // SAFETY: PRINT reads a C string.
        unsafe { (self.0)(trap::PRINT, text.as_ptr(), trap::ARGUMENTS_END) };
    }

    fn cvar(&self, name: &CStr) -> String {
        self.text(trap::CVAR_STRING, name.as_ptr() as isize)
    }

    fn cvar_integer(&self, name: &CStr) -> i32 {
        // SAFETY: CVAR_INTEGER reads a C string.
        unsafe { (self.0)(trap::CVAR_INTEGER, name.as_ptr(), trap::ARGUMENTS_END) as i32 }
    }

    fn cvar_float(&self, name: &CStr) -> f64 {
        let mut buffer = [0; 1024];
        self.fill(trap::CVAR_STRING, name.as_ptr() as isize, &mut buffer);
        let text = std::str::from_utf8(until_zero(&buffer)).unwrap_or_default();
        text.trim().parse().unwrap_or(0.0)
    }

    fn register_cvar(&self, name: &CStr) {
        let (nowhere, flags) = (std::ptr::null_mut::<c_void>(), 0isize);
        // SAFETY: CVAR_REGISTER reads two C strings, and writes nothing if it gets no place for a copy.
        unsafe {
            (self.0)(
                trap::CVAR_REGISTER,
                nowhere,
                name.as_ptr(),
                c"".as_ptr(),
                flags,
                trap::ARGUMENTS_END,
            )
        };
    }

    fn set_cvar(&self, name: &CStr, value: &str) {
        let Ok(value) = CString::new(value.replace('\0', "")) else {
            return;
        };
        // SAFETY: CVAR_SET reads two C strings.
        unsafe {
            (self.0)(
                trap::CVAR_SET,
                name.as_ptr(),
                value.as_ptr(),
                trap::ARGUMENTS_END,
            )
        };
    }

    fn argument(&self, n: usize) -> String {
        self.text(trap::ARGV, n as isize)
    }

    fn userinfo(&self, slot: usize, buffer: &mut [u8; 1024]) {
        let out: *mut c_char = buffer.as_mut_ptr().cast();
        // SAFETY: GET_USERINFO writes at most `size` bytes, zero included; the caller promises that the server has the slot.
        unsafe {
            (self.0)(
                trap::GET_USERINFO,
                slot as isize,
                out,
                buffer.len() as isize,
                trap::ARGUMENTS_END,
            );
        }
    }
}

/// The bytes before the first zero.
pub fn until_zero(buffer: &[u8]) -> &[u8] {
    buffer.split(|&b| b == 0).next().unwrap_or(&[])
}
