//! Injected faults: with the feature `faults`, a test can make a named point of the code panic. Without the feature, as on
//! servers, the points compile to nothing.

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

    /// Makes this point panic once, the next time the code reaches it.
    pub fn arm(name: &str) {
        name.clone_into(&mut ARMED.lock());
    }

    /// Panics if a test has armed this point.
    pub fn point(name: &str) {
        let mut armed = ARMED.lock();
        if *armed == name {
            armed.clear();
            drop(armed);
            panic!("fault injected at {name}");
        }
    }
}
