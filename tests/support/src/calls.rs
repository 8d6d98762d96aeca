//! The engine's calls one by one, for tests that need more than [`Match`](crate::game::Match).

use std::path::Path;

use gametimes_standin::recorded::built_module;
use gametimes_standin::{Server, Step};

/// `GAME_INIT`.
pub const INIT: i32 = 0;
/// `GAME_SHUTDOWN`.
pub const SHUTDOWN: i32 = 1;
/// `GAME_CLIENT_CONNECT`.
pub const CONNECT: i32 = 2;
/// `GAME_CLIENT_BEGIN`.
pub const BEGIN: i32 = 3;
/// `GAME_CLIENT_DISCONNECT`.
pub const DISCONNECT: i32 = 5;
/// `GAME_CLIENT_COMMAND`.
pub const COMMAND: i32 = 6;
/// `GAME_CLIENT_THINK`.
pub const THINK: i32 = 7;
/// `GAME_RUN_FRAME`.
pub const FRAME: i32 = 8;
/// `GAME_CONSOLE_COMMAND`.
pub const CONSOLE: i32 = 9;

/// The version of an engine that the module supports.
pub const VERSION: isize = 283_010_000;
/// The size of a client record in that version.
pub const CLIENT_SIZE: isize = 124_320;

/// A server in this folder, with a wall clock that stands still.
pub fn server(home: &Path) -> Server {
    let mut server = Server::new(&built_module(), home, &home.join("base")).unwrap();
    server.set_unix_ms(1_795_000_000_000);
    server
}

/// Begins a map whose round is played from the start.
pub fn start(server: &mut Server) {
    server.set_cvar("gamestate", "0");
    server.load().unwrap();
    init(server, 1000);
}

/// Sends `GAME_INIT` at this level time.
pub fn init(server: &mut Server, level_ms: isize) {
    let located = Step::Locate {
        entities: 64,
        entity_size: 1728,
        client_size: CLIENT_SIZE,
    };
    server
        .call(INIT, &[level_ms, 7, 1, 1, VERSION], [located])
        .unwrap();
}

/// Ends the map and returns the console.
pub fn stop(server: &mut Server) -> String {
    server.call(SHUTDOWN, &[0], []);
    server.unload();
    server.take_console()
}

/// Lets a player join a team and spawn in this slot, with what the game writes and sends then.
pub fn join(server: &mut Server, slot: isize, team: isize) {
    server.set_userinfo(
        slot as usize,
        format!("\\name\\p{slot}\\cl_guid\\GUID{slot:028}"),
    );
    let info = Step::configstring(689 + slot, format!("n\\p{slot}\\t\\{team}\\c\\0"));
    server.call(CONNECT, &[slot, 1, 0], [info]);
    let alive = Step::Write(slot, vec![(272 + 12, team as i64), (272 + 16, 1)]);
    server.call(BEGIN, &[slot], [alive]);
}
