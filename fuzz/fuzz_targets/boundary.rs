#![no_main]

#[path = "../checks/boundary.rs"]
mod checks;

use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use gametimes::engine::clock;
use gametimes::entry;
use gametimes_standin::{GAME, Server};

static UNIX_MS: AtomicI64 = AtomicI64::new(0);

extern "C" fn unix_ms() -> i64 {
    UNIX_MS.load(Ordering::Relaxed)
}

/// The module is linked into this program, so that libFuzzer sees where its inputs lead.
fn host() -> checks::Host {
    let home = tempfile::tempdir().expect("a temporary folder").keep();
    let server = Server::new(Path::new(GAME), &home, &home.join("base")).expect("a server's folders");
    clock::set_wall_clock(Some(unix_ms));
    checks::Host {
        server,
        // SAFETY: the two are the module's.
        load: |server| unsafe {
            server.load_linked(entry::dllEntry as *mut _, entry::vmMain as *mut _);
        },
        set_unix_ms: |_, unix_ms| UNIX_MS.store(unix_ms, Ordering::Relaxed),
    }
}

thread_local! {
    static HOST: RefCell<checks::Host> = RefCell::new(host());
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| HOST.with_borrow_mut(|host| checks::play(host, bytes)));
