//! Pushing figures to Graphite over TCP, in its plain text protocol (`spec/config.md` 7.19).

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::MetricsConfig;

/// Connecting, and writing, may take this long each.
const PATIENCE: Duration = Duration::from_secs(5);

/// A figure under the name that the original gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// Name.
    pub name: &'static str,
    /// It only grows, until the next start.
    pub is_counter: bool,
    /// Value.
    pub value: u64,
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum GraphiteError {
    /// An address without a prefix.
    #[error(
        "GraphiteAddr is set and GraphitePath is not: nothing is sent; expected a prefix such as orchestrator.{{hostname}}"
    )]
    NoPath,
    /// The prefix would break the lines.
    #[error("GraphitePath {0:?} has white space in it: nothing is sent; expected words with dots between them")]
    BadPath(String),
    /// The listener cannot be reached, or does not take what is sent.
    #[error("GraphiteAddr {address}: {source}")]
    Network {
        /// The address as configured.
        address: String,
        /// What the network said.
        source: io::Error,
    },
}

/// Where and how often figures are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graphite {
    address: String,
    prefix: String,
    /// Time between two pushes.
    pub interval: Duration,
}

impl Graphite {
    /// As configured, on this host; `None` when it is switched off.
    ///
    /// # Errors
    /// [`GraphiteError::NoPath`], [`GraphiteError::BadPath`].
    pub fn from_config(config: &MetricsConfig, hostname: &str) -> Result<Option<Self>, GraphiteError> {
        let (address, path) = (config.graphite_address.trim(), config.graphite_path.trim().trim_end_matches('.'));
        let seconds = u64::try_from(config.graphite_poll_seconds).unwrap_or(0);
        if address.is_empty() || seconds == 0 {
            return Ok(None);
        }
        let hostname = match config.graphite_hostname_underscores {
            true => hostname.replace('.', "_"),
            false => hostname.to_owned(),
        };
        let prefix = path.replace("{hostname}", &hostname);
        if prefix.is_empty() {
            return Err(GraphiteError::NoPath);
        }
        if prefix.contains(char::is_whitespace) {
            return Err(GraphiteError::BadPath(prefix));
        }
        Ok(Some(Self { address: address.to_owned(), prefix, interval: Duration::from_secs(seconds) }))
    }

    /// Sends figures over a connection of their own.
    ///
    /// # Errors
    /// [`GraphiteError::Network`].
    pub async fn send(&self, figures: &[Figure], at: DateTime<Utc>) -> Result<(), GraphiteError> {
        let sent = async {
            let mut stream = timeout(PATIENCE, TcpStream::connect(&self.address)).await??;
            let lines = self.lines(figures, at);
            timeout(PATIENCE, async {
                stream.write_all(lines.as_bytes()).await?;
                stream.shutdown().await
            })
            .await?
        };
        sent.await.map_err(|source: io::Error| GraphiteError::Network { address: self.address.clone(), source })
    }

    /// One line a figure: `prefix.name.count` for what only grows, else `prefix.name.value`, then value and time.
    fn lines(&self, figures: &[Figure], at: DateTime<Utc>) -> String {
        let mut lines = String::with_capacity(figures.len() * 64);
        for Figure { name, is_counter, value } in figures {
            let kind = if *is_counter { "count" } else { "value" };
            // Writing to a text cannot fail.
            let _infallible = writeln!(lines, "{}.{name}.{kind} {value} {}", self.prefix, at.timestamp());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Config;

    fn graphite(json: &str) -> Result<Option<Graphite>, GraphiteError> {
        let config = Config::from_json(json).expect("valid");
        Graphite::from_config(&config.metrics, "orc1.example.com")
    }

    #[test]
    fn it_is_off_without_an_address_or_a_period() {
        for text in [
            "{}",
            r#"{"GraphitePath": "a"}"#,
            r#"{"GraphiteAddr": "g:2003", "GraphitePath": "a", "GraphitePollSeconds": 0}"#,
            r#"{"GraphiteAddr": "g:2003", "GraphitePollSeconds": -1}"#,
        ] {
            assert_eq!(graphite(text).expect("no error"), None, "{text}");
        }
        let missing = graphite(r#"{"GraphiteAddr": "g:2003"}"#).expect_err("no path");
        assert!(missing.to_string().contains("orchestrator.{hostname}"), "{missing}");
        let bad = graphite(r#"{"GraphiteAddr": "g:2003", "GraphitePath": "a b"}"#).expect_err("white space");
        assert!(bad.to_string().contains("\"a b\""), "{bad}");
    }

    #[test]
    fn the_prefix_names_the_host() {
        let text = r#"{"GraphiteAddr": "g:2003", "GraphitePath": "dba.{hostname}.orc.", "GraphitePollSeconds": 7}"#;
        let found = graphite(text).expect("valid").expect("on");
        assert_eq!((found.prefix.as_str(), found.interval.as_secs()), ("dba.orc1_example_com.orc", 7));
        let text = text.replace('}', "").replace("{hostname", "{hostname}")
            + r#", "GraphiteConvertHostnameDotsToUnderscores": false}"#;
        assert_eq!(graphite(&text).expect("valid").expect("on").prefix, "dba.orc1.example.com.orc");
    }

    #[tokio::test]
    async fn a_listener_gets_one_line_for_each_figure() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let received = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut text = String::new();
            stream.read_to_string(&mut text).await.expect("text");
            text
        });
        let graphite = Graphite { address, prefix: "dba.orc1".to_owned(), interval: PATIENCE };
        let figures = [
            Figure { name: "discoveries.attempt", is_counter: true, value: 12 },
            Figure { name: "recover.pending", is_counter: false, value: 1 },
        ];
        let at = DateTime::from_timestamp(1_700_000_000, 5).expect("in range");
        graphite.send(&figures, at).await.expect("sent");
        let expected =
            "dba.orc1.discoveries.attempt.count 12 1700000000\ndba.orc1.recover.pending.value 1 1700000000\n";
        assert_eq!(received.await.expect("no panic"), expected);
    }

    #[tokio::test]
    async fn a_listener_that_is_not_there_is_named() {
        for address in ["127.0.0.1:1", "127.0.0.1", "no such host:2003"] {
            let graphite = Graphite { address: address.to_owned(), prefix: "a".to_owned(), interval: PATIENCE };
            let error = graphite.send(&[], Utc::now()).await.expect_err("nobody listens");
            assert!(error.to_string().starts_with(&format!("GraphiteAddr {address}: ")), "{error}");
        }
    }
}
