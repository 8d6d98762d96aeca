//! Builds the C shim (`ffi/shim.c`) and writes `include/gametimes.h`, the header with the Rust functions that the
//! shim calls.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=ffi/shim.c");
    println!("cargo::rerun-if-changed=src/ffi.rs");
    println!("cargo::rerun-if-changed=cbindgen.toml");

    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let config = cbindgen::Config::from_file(Path::new(&root).join("cbindgen.toml"))
        .expect("cbindgen.toml is in the repository and valid");
    cbindgen::Builder::new()
        .with_config(config)
        .with_src(Path::new(&root).join("src/ffi.rs"))
        .generate()
        .expect("src/ffi.rs can be parsed")
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
