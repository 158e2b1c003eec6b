//! Logs: one line per event on stderr, as text or JSON.
//!
//! # Rules
//!
//! - `[TL-1]` One event is one line. Control characters in what strangers sent are escaped, so
//!   nobody can forge a line or drive the terminal that shows it.
//! - `[TL-2]` Losing the log never stops the node: a closed stderr is ignored.
//! - `[TL-3]` Secrets have no textual form, so that they cannot be logged.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::shell::escape_controls;

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line, for collectors.
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

impl FromStr for LogFormat {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, TelemetryError> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(TelemetryError::Format),
        }
    }
}

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The format is neither `text` nor `json`.
    #[error("the log format is `text` or `json`")]
    Format,
    /// The filter does not parse.
    #[error("the log filter is a list like `info,surety_node::net=debug`")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Logging was set up before.
    #[error("logging is set up already")]
    Twice(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Checks a filter without installing it.
///
/// # Errors
/// It does not parse.
pub fn check_filter(filter: &str) -> Result<(), TelemetryError> {
    Ok(EnvFilter::try_new(filter).map(drop)?)
}

/// Sends the events of this process to stderr.
///
/// # Errors
/// The filter does not parse, or logging was set up before.
pub fn init(filter: &str, format: LogFormat) -> Result<(), TelemetryError> {
    let subscriber = subscriber(filter, format, io::stderr)?;
    Ok(tracing::subscriber::set_global_default(subscriber)?)
}

/// A subscriber that writes lines to `out`.
///
/// # Errors
/// The filter does not parse.
pub fn subscriber<W>(
    filter: &str,
    format: LogFormat,
    out: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(filter)?)
        // Colours would be escaped with everything else.
        .with_ansi(false)
        .with_ansi_sanitization(false)
        .log_internal_errors(false)
        .with_writer(Lines(out));
    Ok(match format {
        LogFormat::Text => Box::new(builder.finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

/// Makes writers that keep events to their lines.
struct Lines<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Lines<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self.0.make_writer())
    }
}

/// Writes one event, which comes in one piece and ends with the line.
struct Line<W>(W);

impl<W: Write> Write for Line<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let (line, end) = match text.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (text.as_ref(), ""),
        };
        // `\u001b` is the escape of JSON strings too, so both formats stay what they are. A log
        // that cannot be written is no reason to fail (rule TL-2).
        let _ = self
            .0
            .write_all(format!("{}{end}", escape_controls(line)).as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: LogFormat, events: impl FnOnce()) -> String {
        let paper = Paper::default();
        let writer = paper.clone();
        let subscriber = subscriber(filter, format, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, events);
        let bytes = paper.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    const HOSTILE: &str = "Ping\n2026-01-01T00:00:00Z ERROR forged\r\x1b[2J\u{9b}\u{2028}";

    #[test]
    fn a_stranger_cannot_forge_lines() {
        let text = logged("info", LogFormat::Text, || {
            tracing::info!(action = %HOSTILE, raw = ?HOSTILE, "message {HOSTILE}");
        });
        assert_eq!(text.lines().count(), 1);
        assert!(text.ends_with('\n'));
        assert!(
            !text.trim_end_matches('\n').contains(char::is_control),
            "{text:?}"
        );
        assert!(text.contains("Ping\\u000a2026"));
    }

    #[test]
    fn json_lines_stay_json_and_give_the_text_back() {
        let text = logged("info", LogFormat::Json, || {
            tracing::info!(action = %HOSTILE, slot = 7_u64, "received");
        });
        assert_eq!(text.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["action"], HOSTILE);
        assert_eq!(value["slot"], 7);
        assert_eq!(value["message"], "received");
        assert!(
            !text.trim_end_matches('\n').contains(char::is_control),
            "{text:?}"
        );
    }

    #[test]
    fn the_filter_filters_and_is_checked() {
        let text = logged("warn,surety_node::telemetry=debug", LogFormat::Text, || {
            tracing::debug!("shown");
            tracing::trace!("hidden");
            tracing::info!(target: "other", "hidden");
            tracing::warn!(target: "other", "shown");
        });
        assert_eq!(text.lines().count(), 2);
        assert!(!text.contains("hidden"));
        assert!(check_filter("info,net=debug").is_ok());
        assert!(matches!(
            check_filter("net=loud"),
            Err(TelemetryError::Filter(_))
        ));
        assert!("xml".parse::<LogFormat>().is_err());
        assert_eq!("json".parse::<LogFormat>().unwrap(), LogFormat::Json);
    }

    #[test]
    fn a_closed_log_is_ignored() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let subscriber = subscriber("info", LogFormat::Text, || Closed).unwrap();
        tracing::subscriber::with_default(subscriber, || tracing::info!("nobody reads this"));
        let mut line = Line(Closed);
        line.write_all(b"x\n").unwrap();
        line.flush().unwrap();
    }
}
