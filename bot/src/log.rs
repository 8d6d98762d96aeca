//! The log, on standard error: one line for each event. Texts of servers, of Discord and of files are part of many lines, so
//! every line is made safe here, the only place where lines are made.

use std::ffi::{OsStr, OsString};
use std::fmt::{self, Debug};
use std::io::{self, IsTerminal as _};

use gametimes_format::text::one_line;
use tracing::field::Field;
use tracing::{Subscriber, error};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LOG_VARIABLE;

/// The longest text in a line of the log or of the terminal.
pub const LINE_CHARS_MAX: usize = 2000;

/// Starts the log, with the filter in the environment.
pub fn init() {
    let (filter, fault) = match filter(std::env::var_os(LOG_VARIABLE)) {
        Ok(filter) => (filter, None),
        Err(fault) => (EnvFilter::new(DEFAULT_FILTER), Some(fault)),
    };
    let no_color = std::env::var_os("NO_COLOR");
    let colours = colours(io::stderr().is_terminal(), no_color.as_deref());
    subscriber(io::stderr, colours, filter).init();
    if let Some(fault) = fault {
        error!("{LOG_VARIABLE}: {fault}; {DEFAULT_FILTER} is used");
    }
}

const DEFAULT_FILTER: &str = "info";

fn filter(setting: Option<OsString>) -> Result<EnvFilter, String> {
    let setting = setting.filter(|text| !text.is_empty());
    let text = match &setting {
        None => DEFAULT_FILTER,
        Some(text) => text.to_str().ok_or("is not valid UTF-8")?,
    };
    EnvFilter::builder().parse(text).map_err(|e| {
        format!("{text:?} is not a filter such as info or info,gametimes_bot::discord=debug ({e})")
    })
}

/// Whether the log has colours: only on a terminal, and not if <https://no-color.org> forbids them.
fn colours(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

fn subscriber<W>(writer: W, colours: bool, filter: EnvFilter) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colours)
        .fmt_fields(debug_fn(write_field).delimited(" "))
        .finish()
}

fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let value = one_line(&format!("{value:?}"), LINE_CHARS_MAX);
    match field.name() {
        "message" => writer.write_str(&value),
        name => write!(writer, "{name}={value}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{info, info_span, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(colours: bool, events: impl FnOnce()) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = subscriber(move || writer.clone(), colours, EnvFilter::new("info"));
        tracing::subscriber::with_default(subscriber, events);
        let bytes = memory.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn foreign_text_cannot_forge_a_line_of_the_log() {
        let foreign = "x\n2026-11-27T00:00:00.000000Z  INFO gametimes_bot: forged\r\u{85}\u{2028}\u{1b}[2K\u{202e}";
        for colours in [false, true] {
            let text = logged(colours, || {
                info!("ssh: {foreign}");
                warn!(error = foreign, cause = %foreign, "failed");
                info_span!("span", name = %foreign).in_scope(|| info!("in a span"));
                info!("{}", "x".repeat(1_000_000));
            });
            assert_eq!(text.lines().count(), 4, "{text}");
            assert!(text.len() < 10_000, "{}", text.len());
            let bad = ['\r', '\u{85}', '\u{2028}', '\u{202e}'];
            assert!(!text.contains(bad), "{text:?}");
            assert!(!text.contains("\u{1b}[2K"), "{text:?}");
            assert_eq!(text.contains('\u{1b}'), colours, "{text:?}");
        }
    }

    #[test]
    fn only_a_terminal_gets_colours_unless_no_color_is_set() {
        let on = Some(OsStr::new("1"));
        assert!(colours(true, None) && colours(true, Some(OsStr::new(""))));
        assert!(!colours(true, on) && !colours(false, None) && !colours(false, on));
    }

    #[test]
    fn a_filter_that_cannot_be_parsed_is_reported() {
        for good in ["", "debug", "info,gametimes_bot::discord=debug"] {
            assert!(filter(Some(good.into())).is_ok(), "{good}");
        }
        let fault = filter(Some("info,gametimes_bot=loud".into())).unwrap_err();
        assert!(
            fault.starts_with("\"info,gametimes_bot=loud\" is not a filter"),
            "{fault}"
        );
    }
}
