//! The log on standard error, one line an event: `YYYY-MM-DD hh:mm:ss LEVEL message` in local time (`spec/cli.md` 8).
//! Operators grep it, so the form and the words of the audit line stay as they are known.

use std::fmt::{self, Write as _};

use chrono::Local;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Our own parts; what libraries say is shown from WARNING on, whatever the level.
const OWN: [&str; 4] = ["orchestrator", "engine", "app", "audit"];

/// What these say stands in the error that they return too, and that is logged once, where it is handled: a driver does
/// not know that a refused statement was a question whether it is allowed.
const SILENT: [&str; 1] = ["mysql_async"];

/// Raises and lowers the threshold.
pub struct Threshold {
    handle: reload::Handle<Targets, tracing_subscriber::Registry>,
}

impl Threshold {
    /// Starts logging from this level on. Called once a process; a second time it changes nothing.
    pub fn start(level: LevelFilter) -> Self {
        let (filter, handle) = reload::Layer::new(targets(level));
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr).event_format(Lines);
        let _already_started = tracing_subscriber::registry().with(filter).with(lines).try_init();
        Self { handle }
    }

    /// Logs from this level on.
    pub fn set(&self, level: LevelFilter) {
        // It fails only when the subscriber is gone, and then there is nothing to set.
        let _gone = self.handle.reload(targets(level));
    }
}

fn targets(level: LevelFilter) -> Targets {
    let others = level.min(LevelFilter::WARN);
    let own = OWN.map(|own| (own, level));
    let silent = SILENT.map(|library| (library, LevelFilter::OFF));
    Targets::new().with_default(others).with_targets(own).with_targets(silent)
}

/// The threshold that flags and configuration ask for: quiet wins, then debug, then verbose.
pub fn level(verbose: bool, debug: bool, quiet: bool) -> LevelFilter {
    match (quiet, debug, verbose) {
        (true, _, _) => LevelFilter::ERROR,
        (_, true, _) => LevelFilter::DEBUG,
        (_, _, true) => LevelFilter::INFO,
        _ => LevelFilter::ERROR,
    }
}

/// A line that ends the process.
pub fn fatal(message: &str) -> String {
    format!("{} FATAL {message}\n", now())
}

fn now() -> String {
    Local::now().format("%Y-%m-%d %H:%M:%S").to_string()
}

fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

/// Writes events as lines.
struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        write!(writer, "{} {} {}", now(), word(level), fields.text(event.metadata().target()))?;
        // What the work is about stands on the span that it is done in.
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<N>>().filter(|fields| !fields.is_empty()) {
                write!(writer, " {fields}")?;
            }
        }
        writeln!(writer)
    }
}

/// The fields of an event.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Fields {
    fn text(&self, target: &str) -> String {
        if target == "audit" {
            return self.audit();
        }
        let mut text = self.message.clone();
        for (name, value) in &self.others {
            // Writing to a text cannot fail.
            let _infallible = write!(text, "{}{name}={value}", if text.is_empty() { "" } else { " " });
        }
        text
    }

    /// The words that operators know, and then who did it, which the original does not tell.
    fn audit(&self) -> String {
        let field = |name: &str| {
            self.others.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        format!(
            "auditType:{} instance:{} cluster:{} message:{} actor:{}",
            field("kind"),
            field("instance"),
            field("cluster"),
            self.message,
            field("actor")
        )
    }

    fn put(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            name => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn lines(level: LevelFilter, talk: impl FnOnce()) -> Vec<String> {
        let kept = Kept::default();
        let writer = kept.clone();
        let layer =
            tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone()).event_format(Lines);
        let subscriber = tracing_subscriber::registry().with(targets(level)).with(layer);
        tracing::subscriber::with_default(subscriber, talk);
        let bytes = kept.0.lock().expect("not poisoned").clone();
        String::from_utf8(bytes).expect("text").lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_has_time_level_and_message() {
        let lines = lines(LevelFilter::INFO, || {
            tracing::info!(target: "orchestrator::x", port = 3306, "Read config: {}", "a.json");
            tracing::warn!(target: "orchestrator", "hm");
            tracing::debug!(target: "orchestrator", "not shown");
            tracing::info!(target: "hyper::proto", "not shown");
            tracing::error!(target: "hyper::proto", "shown");
            tracing::error!(target: "mysql_async::conn", "told by whoever asked");
            let look = tracing::error_span!(target: "orchestrator", "look", instance = "db1:3306");
            look.in_scope(|| tracing::error!(target: "orchestrator", "no answer"));
        });
        let tails: Vec<&str> = lines.iter().map(|line| line.get(20..).expect("a time")).collect();
        assert_eq!(
            tails,
            [
                "INFO Read config: a.json port=3306",
                "WARNING hm",
                "ERROR shown",
                "ERROR no answer instance=\"db1:3306\""
            ]
        );
        let time = chrono::NaiveDateTime::parse_from_str(&lines[0][..19], "%Y-%m-%d %H:%M:%S");
        assert!(time.is_ok(), "{}", lines[0]);
    }

    #[test]
    fn the_audit_line_is_as_operators_know_it() {
        let lines = lines(LevelFilter::INFO, || {
            tracing::info!(
                target: "audit", kind = "relocate", instance = %":0", cluster = "c:1", actor = "dba", "moved"
            );
        });
        assert!(
            lines[0].ends_with("INFO auditType:relocate instance::0 cluster:c:1 message:moved actor:dba"),
            "{lines:?}"
        );
    }

    #[test]
    fn quiet_wins() {
        assert_eq!(level(true, true, true), LevelFilter::ERROR);
        assert_eq!(level(true, true, false), LevelFilter::DEBUG);
        assert_eq!(level(true, false, false), LevelFilter::INFO);
        assert_eq!(level(false, false, false), LevelFilter::ERROR);
        assert!(fatal("no").ends_with(" FATAL no\n"));
    }
}
