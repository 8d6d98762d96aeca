//! Builds the stand-in engine's C half, and the stand-in game as a library of its own, as the stock game is one.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=c");
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let mut build = cc::Build::new();
    build.std("c11").warnings(true).extra_warnings(true);
    // The game's own instructions are part of what is measured.
    build.opt_level(2);
    build.clone().file("c/engine.c").compile("standin_engine");

    let game = Path::new(&out).join("game.so");
    let status = build
        .get_compiler()
        .to_command()
        .args(["-shared", "-fPIC", "-fvisibility=hidden", "-o"])
        .arg(&game)
        .args(["c/game.c", "c/fight.c"])
        .status()
        .expect("the C compiler can be run");
    assert!(status.success(), "the stand-in game does not compile");
    println!("cargo::rustc-env=STANDIN_GAME={}", game.display());
}
