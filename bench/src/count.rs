//! Instructions that the game's thread executes in a server frame.

use std::path::Path;

use gametimes_standin::callgrind::{self, Counted};
use gametimes_standin::{Fight, GAME};

use crate::frames::PLAYERS;
use crate::script::Script;
use crate::server::fight;

/// The argument with which the benchmark starts itself under callgrind: kind, players, home folder, module.
pub const FLAG: &str = "--count";

const NONE: &str = "none";
const MODULE: &str = "module";
const SCRIPT: &str = "script";

/// The instructions of a server frame.
pub struct Count {
    pub players: usize,
    pub traps: u64,
    /// Those of the module's file, and all of the game's thread without the module.
    pub module: u64,
    pub none: u64,
}

/// Prints the table.
pub fn print(module: &Path) -> Vec<Count> {
    println!("## Instructions that the module adds to a server frame");
    println!();
    println!(
        "`cargo xtask instructions` counts them with valgrind's callgrind on the game's thread, in {} server frames as above. The module's are those of \
         its own file; the script's are everything that Lua and the stub of its interface execute. They depend neither on the machine nor on its load. \
         `cargo xtask test` fails if the module executes 5 % more or less than this table says.",
        callgrind::FRAMES
    );
    println!();
    println!("| players | traps | **the module** | the script | script / module |");
    println!("| ---: | ---: | ---: | ---: | ---: |");
    let row = |players: usize| {
        let [none, with, script] = [NONE, MODULE, SCRIPT].map(|kind| count(kind, players, module));
        let traps = traps(players);
        let added = script.all - none.all;
        println!(
            "| {players} | {traps} | **{}** | {added} | {:.1} |",
            with.module,
            added as f64 / with.module as f64
        );
        Count {
            players,
            traps,
            module: with.module,
            none: none.all,
        }
    };
    PLAYERS.map(row).into()
}

/// The traps of a server frame: the median.
pub fn traps(players: usize) -> u64 {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut server = fight(Path::new(GAME), home.path(), &Fight::new(players), &[]);
    let mut traps: Vec<u64> = (1..callgrind::FRAMES)
        .map(|n| {
            let before = server.traps_made();
            server.frame(n * 50);
            server.traps_made() - before
        })
        .collect();
    traps.sort_unstable();
    traps[traps.len() / 2]
}

fn count(kind: &str, players: usize, module: &Path) -> Counted {
    let home = tempfile::tempdir().expect("a temporary folder");
    let program = std::env::current_exe().expect("this program");
    let (players, folder) = (players.to_string(), home.path().display().to_string());
    let arguments = [FLAG, kind, &players, &folder, &module.display().to_string()];
    callgrind::count(&program, &arguments, home.path()).unwrap_or_else(|e| panic!("{e}"))
}

/// Plays the fight that is counted.
pub fn play(arguments: &[String]) {
    let [kind, players, home, module] = arguments else {
        panic!("usage: {FLAG} KIND PLAYERS HOME MODULE.so");
    };
    let players = players.parse().expect("a number of players");
    let game = if kind == MODULE { module } else { GAME };
    let mut server = fight(Path::new(game), Path::new(home), &Fight::new(players), &[]);
    let mut script = (kind == SCRIPT).then(|| Script::new(players, "0"));
    callgrind::play(&mut server, &mut |server| {
        if let (Some(script), Some(plan)) = (&mut script, server.plan()) {
            script.frame(plan);
        }
    });
}
