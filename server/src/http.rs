//! The HTTP client of webhooks and of Consul.

use std::path::Path;
use std::time::Duration;

/// What a client trusts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trust<'a> {
    /// File with certificates of further authorities (PEM).
    pub ca_file: Option<&'a Path>,
    /// Any certificate will do.
    pub skip_verify: bool,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The certificates cannot be read.
    #[error("cannot read the certificates in {file}: {reason}")]
    Certificates {
        /// File.
        file: String,
        /// Why.
        reason: String,
    },
    /// The library refuses.
    #[error("no HTTP client: {0}")]
    Client(String),
}

/// A client whose requests end within `limit`. It follows no redirects: what is sent is meant for the address that
/// was configured.
///
/// # Errors
/// [`HttpError`].
pub fn client(limit: Duration, trust: Trust<'_>) -> Result<reqwest::Client, HttpError> {
    // The second call finds the first one's provider, which is the same.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .timeout(limit)
        .connect_timeout(limit)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent("orchestrator");
    if trust.skip_verify {
        builder = builder.tls_danger_accept_invalid_certs(true);
    } else if let Some(file) = trust.ca_file {
        let failed = |reason: String| HttpError::Certificates { file: file.display().to_string(), reason };
        let pem = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| failed(told(&error)))?;
        if certificates.is_empty() {
            return Err(failed("there are none".to_owned()));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| HttpError::Client(told(&error)))
}

/// An error with its causes, without the address: that may hold a token.
pub fn told(error: &reqwest::Error) -> String {
    let mut text = match () {
        () if error.is_timeout() => "no answer in time".to_owned(),
        () if error.is_connect() => "cannot connect".to_owned(),
        () => "the request failed".to_owned(),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
