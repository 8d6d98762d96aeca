//! The engine's version numbers.

/// The engine's version in the numbering that it uses since 2.77: minor (two digits), patch (two) and commit (four) follow the
/// major number. 2.76 passes just 276.
pub(super) fn whole_version(version: i32) -> i32 {
    match version {
        1..1000 => version * 1_000_000,
        _ => version,
    }
}

/// `2.83.1` for 283010000; empty if the engine passed no version.
pub(super) fn version_text(version: i32) -> String {
    if version < 100_000_000 {
        return String::new();
    }
    format!(
        "{}.{}.{}",
        version / 100_000_000,
        version / 1_000_000 % 100,
        version / 10_000 % 100
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::numbers::OLDEST_VERSION;

    #[test]
    fn version_numbers_of_all_engines_are_understood() {
        assert_eq!(version_text(283_010_000), "2.83.1");
        assert_eq!(version_text(285_000_045), "2.85.0");
        assert_eq!(version_text(whole_version(276)), "2.76.0");
        assert!(whole_version(276) >= OLDEST_VERSION && whole_version(275) < OLDEST_VERSION);
        assert_eq!(whole_version(283_010_000), 283_010_000);
        assert_eq!(version_text(0), "");
    }
}
