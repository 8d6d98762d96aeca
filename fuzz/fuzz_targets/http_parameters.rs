#![no_main]

use gametimes_fuzz_checks::http::WebServer;

thread_local! {
    static SERVER: WebServer = WebServer::start();
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| SERVER.with(|server| server.check(bytes)));
