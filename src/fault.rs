//! Faults on purpose, for tests: with the feature `faults`, a test names a point in the code that is to panic. Without the
//! feature, as on servers, a point is nothing.

/// A point that a test can make panic.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub fn point(_name: &str) {}

#[cfg(feature = "faults")]
pub use armed::{arm, point};

#[cfg(feature = "faults")]
mod armed {
    use parking_lot::Mutex;

    static ARMED: Mutex<String> = Mutex::new(String::new());

    /// The next time this point is passed, it panics, once.
    pub fn arm(name: &str) {
        name.clone_into(&mut ARMED.lock());
    }

    /// Panics when armed.
    pub fn point(name: &str) {
        let mut armed = ARMED.lock();
        if *armed == name {
            armed.clear();
            drop(armed);
            panic!("fault injected at {name}");
        }
    }
}
