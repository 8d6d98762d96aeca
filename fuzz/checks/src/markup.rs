//! Looks for foreign scripts in a page.

/// The scripts of the pages.
const SCRIPTS: [&str; 2] = ["/time.js", "/live.js"];

/// Checks that a page contains no script except its own: no such element, no attribute that runs one, and no link that does.
///
/// # Panics
/// If it does, or if an element or a quote is not closed.
pub fn check(page: &str) {
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if rest.starts_with(['!', '?', '/']) {
            rest = after(rest, ">");
            continue;
        }
        let (name, inside) = split(rest, |c| !c.is_ascii_alphanumeric() && c != '-');
        assert!(!name.is_empty(), "a lone < before {rest:.40}");
        rest = element(name, inside);
    }
}

/// Reads the attributes of an element; returns what follows it.
fn element<'a>(element: &str, mut rest: &'a str) -> &'a str {
    let mut source = None;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if let Some(rest) = rest.strip_prefix('>') {
            if element.eq_ignore_ascii_case("script") {
                assert!(source.is_some_and(|s| SCRIPTS.contains(&s)), "{source:?}");
            }
            return rest;
        }
        let ends = |c: char| c.is_ascii_whitespace() || ['=', '>', '/'].contains(&c);
        let (name, after_name) = split(rest, ends);
        assert!(!name.is_empty(), "<{element} is not closed: {rest:.40}");
        let name = name.to_ascii_lowercase();
        assert!(
            name.chars()
                .all(|c| c.is_ascii_alphanumeric() || ['-', ':'].contains(&c))
                && !name.starts_with("on"),
            "<{element} {name}"
        );
        rest = after_name;
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let (value, _) = split(quoted, |c| c == '"');
            let target = value.trim().to_ascii_lowercase();
            assert!(!target.starts_with("javascript:"), "{name}={value}");
            if name == "src" {
                source = Some(value);
            }
            rest = after(quoted, "\"");
        } else {
            assert!(!rest.starts_with('='), "<{element} {name} is not quoted");
        }
    }
}

fn split(text: &str, ends: impl FnMut(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

fn after<'a>(text: &'a str, end: &str) -> &'a str {
    let (_, rest) = text
        .split_once(end)
        .unwrap_or_else(|| panic!("no {end} after {text:.40}"));
    rest
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn pages_without_foreign_scripts_pass() {
        check(
            "<!DOCTYPE html><p class=\"a\">a &#60;b&#62; > c<br/></p><script src=\"/time.js\" defer></script><svg viewBox=\"0 0 1 1\"><path d=\"M0 0\"/></svg>",
        );
    }

    #[test]
    fn foreign_scripts_are_found() {
        for page in [
            "<script>alert(1)</script>",
            "<SCRIPT src=\"//example.org/x.js\"></SCRIPT>",
            "<a href=\"/\" onfocus=\"x\">",
            "<a href=\" JavaScript:alert(1)\">",
            "<a href=/x>",
            "<p title=\"a\"b\">",
            "a < b",
            "<p title=\"a>",
        ] {
            let found = std::panic::catch_unwind(|| check(page));
            assert!(found.is_err(), "{page}");
        }
    }
}
