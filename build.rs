//! Builds the C door (`ffi/shim.c`) and writes `include/gametimes.h`, which tells the door what of the Rust side it may
//! call.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=ffi/shim.c");
    println!("cargo::rerun-if-changed=src/entry.rs");
    println!("cargo::rerun-if-changed=cbindgen.toml");

    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let config = cbindgen::Config::from_file(Path::new(&root).join("cbindgen.toml"))
        .expect("cbindgen.toml is in the repository and valid");
    cbindgen::Builder::new()
        .with_config(config)
        .with_src(Path::new(&root).join("src/entry.rs"))
        .generate()
        .expect("src/entry.rs can be parsed")
        .write_to_file(Path::new(&root).join("include/gametimes.h"));

    cc::Build::new()
        .file("ffi/shim.c")
        .include("include")
        .std("c11")
        .warnings(true)
        .extra_warnings(true)
        .compile("gametimes_shim");

    // Stay mapped when the engine unloads us at a map change: the background thread lives in this library.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
