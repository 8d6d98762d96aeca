//! The half of the engine that answers traps.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::{CStr, CString, c_char};

use crate::step::{Arg, RawStep, STEP, Step, Trap};

/// The engine's state, one for each thread.
#[derive(Default)]
pub(crate) struct Engine {
    pub(crate) cvars: BTreeMap<String, Vec<u8>>,
    /// The first value of each cvar that the game has not registered. The engine lists it as the default.
    pub(crate) defaults: BTreeMap<String, Vec<u8>>,
    pub(crate) userinfo: BTreeMap<usize, Vec<u8>>,
    pub(crate) command: Vec<Vec<u8>>,
    pub(crate) steps: VecDeque<Step>,
    /// Strings and numbers that the game's current step points to.
    pub(crate) lent: Vec<CString>,
    pub(crate) lent_fields: Vec<(i64, i64)>,
    pub(crate) lent_handle: Option<Box<i32>>,
    pub(crate) console: Vec<u8>,
    pub(crate) errors: Vec<String>,
    pub(crate) traps: Option<Vec<Trap>>,
    /// The calls that the game received: command and first five arguments.
    pub(crate) calls: Option<Vec<(isize, [isize; 5])>>,
}

thread_local! {
    pub(crate) static ENGINE: RefCell<Engine> = RefCell::default();
}

/// Carries out a trap of the game or of the module.
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
                    return 0; // the handle is already written
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

    pub(crate) fn set(&mut self, name: String, value: Vec<u8>) {
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

    /// Writes a string into the caller's buffer as the engine does: truncated, and ended by a zero.
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

    /// Answers the game's question for its next step.
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
            // SAFETY: the stand-in game passes a pointer to the command and five arguments.
            let call = unsafe { (a[2] as *const [isize; 6]).read() };
            calls.push((call[0], call[1..].try_into().expect("five arguments")));
        }
        // SAFETY: the stand-in game passes a pointer to its step.
        unsafe { (a[1] as *mut RawStep).write(raw) };
    }
}

/// A C string that the game or the module passed.
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
