//! Plays recorded matches through the script and leaves the gametimes files: `play HOME [NAME ...]`.

use std::path::PathBuf;

use gametimes_lua_tests::SCRIPT;
use gametimes_lua_tests::tape::Player;
use gametimes_lua_tests::world::Server;
use gametimes_standin::recorded::NAMES as TAPES;

fn main() {
    let mut args = std::env::args().skip(1);
    let home = PathBuf::from(args.next().expect("usage: play HOME [NAME ...]"));
    let mut names: Vec<String> = args.collect();
    if names.is_empty() {
        names = TAPES.map(str::to_owned).to_vec();
    }
    for name in names {
        let mut server = Server::new(&home.join(&name), SCRIPT);
        Player::new(&name).play(&mut server, &mut |_, _| {});
        print!("{}", server.log());
    }
}
