//! Log lines to stderr for journald: priority prefix, level, thread, text; JSON by option.
//!
//! Control characters in a message are escaped, so that nothing a client sends can forge a line.

use super::clock::{utc_text, wall_ms};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::fmt::Write as _;
use std::io::Write as _;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people; under systemd (`JOURNAL_STREAM` is set) with a `<N>` priority in front.
    Text { priority: bool },
    /// One JSON object per line.
    Json,
}

struct Logger {
    format: Format,
}

/// Installs the process's logger; a second call changes nothing.
pub fn init(format: Format, level: LevelFilter) {
    if log::set_boxed_logger(Box::new(Logger { format })).is_ok() {
        log::set_max_level(level);
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("warren") || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("?");
        let line = line(self.format, wall_ms(), record.level(), name, &record.args().to_string());
        // A log line that can not be written has nowhere to be reported.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}

fn line(format: Format, now_ms: i64, level: Level, thread: &str, text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let time = utc_text(now_ms.div_euclid(1000));
    let millis = now_ms.rem_euclid(1000);
    // Writing to a String can not fail.
    let _ = match format {
        Format::Text { priority: true } => write!(out, "<{}>", syslog(level)),
        Format::Text { priority: false } => write!(out, "{time}.{millis:03} "),
        Format::Json => write!(
            out,
            r#"{{"time":"{time}.{millis:03}Z","level":"{level}","thread":"{thread}","text":""#
        ),
    };
    if let Format::Text { .. } = format {
        let _ = write!(out, "{level:<5} {thread}: ");
    }
    escape(text, format == Format::Json, &mut out);
    out.push_str(if format == Format::Json { "\"}\n" } else { "\n" });
    out
}

fn escape(text: &str, json: bool, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' | '\\' if json => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

fn syslog(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_can_not_forge_a_line() {
        let text = line(Format::Text { priority: true }, 0, Level::Info, "t", "a\n<3>b");
        assert_eq!(text, "<6>INFO  t: a\\u000a<3>b\n");
        let json = line(Format::Json, 1, Level::Warn, "t", "say \"x\"\t");
        let value: serde_json::Value = serde_json::from_str(&json).expect("valid JSON");
        assert_eq!(value["text"], "say \"x\"\t");
    }
}
