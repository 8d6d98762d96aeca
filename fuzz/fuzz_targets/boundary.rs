#![no_main]

use std::cell::RefCell;
use std::path::Path;

use gametimes::ffi;
use gametimes_fuzz_checks::boundary;
use gametimes_standin::{GAME, Server};

/// A server whose module is linked into this program, so that libFuzzer sees the coverage of its inputs.
fn server() -> Server {
    let home = tempfile::tempdir().expect("a temporary folder").keep();
    let base = home.join("base");
    let mut server = Server::new(Path::new(GAME), &home, &base).expect("a server's folders");
    // SAFETY: the three functions are the module's.
    unsafe {
        server.link(
            ffi::dllEntry as *mut _,
            ffi::vmMain as *mut _,
            ffi::gametimes_set_wall_clock as *mut _,
        );
    }
    server
}

thread_local! {
    static SERVER: RefCell<Server> = RefCell::new(server());
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    SERVER.with_borrow_mut(|server| boundary::play(server, bytes));
});
