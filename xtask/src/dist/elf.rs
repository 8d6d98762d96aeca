//! Checks of the two binaries.

use std::path::Path;
use std::process::Command;

use super::build::MODULE_GLIBC;
use crate::run::output;

/// The libraries that every Linux with glibc has.
const LIBRARIES: [&str; 6] = [
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "ld-linux-x86-64.so.2",
];

/// Checks what the engine and an admin rely on: the library stays mapped, exports its entry points, and runs on an old glibc.
pub fn check_module(module: &Path) -> Result<(), String> {
    let readelf = |flag: &str| output(Command::new("readelf").args(["--wide", flag]).arg(module));
    let fail = |problem: &str| Err(format!("{}: {problem}", module.display()));
    if !readelf("--dynamic")?.contains("NODELETE") {
        return fail("the flag NODELETE is missing");
    }
    let symbols = readelf("--dyn-syms")?;
    for name in ["vmMain", "dllEntry"] {
        if !symbols
            .lines()
            .any(|line| line.ends_with(&format!(" {name}")))
        {
            return fail(&format!("{name} is not exported"));
        }
    }
    if symbols.contains("gametimes_arm_fault") {
        return fail("it was built with the feature faults");
    }
    if module
        .components()
        .any(|part| part.as_os_str() == "dist-build")
    {
        check_glibc(module, MODULE_GLIBC)?;
    }
    println!(
        "{}: has NODELETE, exports vmMain and dllEntry",
        module.display()
    );
    Ok(())
}

/// Checks that the file needs no symbol of a newer glibc, and no library but those of glibc.
pub fn check_glibc(file: &Path, limit: &str) -> Result<(), String> {
    let readelf = |flag: &str| output(Command::new("readelf").args(["--wide", flag]).arg(file));
    let versions = readelf("--version-info")?;
    let number =
        |text: &str| -> Vec<u32> { text.split('.').filter_map(|n| n.parse().ok()).collect() };
    let highest = versions
        .split("GLIBC_")
        .skip(1)
        .map(|rest| {
            let end = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len());
            &rest[..end]
        })
        .max_by_key(|version| number(version))
        .unwrap_or("0");
    if number(highest) > number(limit) {
        return Err(format!(
            "{}: needs glibc {highest}, but may need at most {limit}",
            file.display()
        ));
    }
    for line in readelf("--dynamic")?.lines() {
        let Some((_, library)) = line.split_once("Shared library: [") else {
            continue;
        };
        let library = library.trim_end_matches(']');
        if !LIBRARIES.contains(&library) {
            return Err(format!("{}: needs {library}", file.display()));
        }
    }
    println!(
        "{}: needs glibc {highest} and no other library",
        file.display()
    );
    Ok(())
}
