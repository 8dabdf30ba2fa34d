//! TLS of the listener: certificate and key from files, read again when they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::key::{KeyError, KeyPassword, read_key};

/// The files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// `SSLCertFile`: our certificate and those between it and its authority.
    pub certificate: PathBuf,
    /// `SSLPrivateKeyFile`.
    pub key: PathBuf,
    /// `SSLCAFile`: authorities of clients' certificates; `None` where clients are not asked for one.
    pub client_authorities: Option<PathBuf>,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error("{variable} {file}: {reason}")]
    File {
        /// Variable of the configuration.
        variable: &'static str,
        /// File.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key cannot be used.
    #[error("SSLPrivateKeyFile {file}: {why}")]
    Key {
        /// File.
        file: String,
        /// What is wrong with it.
        why: KeyError,
    },
    /// Certificate and key do not go together.
    #[error("SSLCertFile {certificate} and SSLPrivateKeyFile {key}: {reason}")]
    Pair {
        /// Certificate.
        certificate: String,
        /// Key.
        key: String,
        /// What is wrong with them.
        reason: String,
    },
}

/// What tells one state of the files from another: size, time and number of each.
type Seen = Vec<Option<(u64, SystemTime, u64)>>;

/// TLS as it is configured, with the certificate in force.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    password: Option<KeyPassword>,
    current: ArcSwap<ServerConfig>,
    seen: Mutex<Seen>,
}

impl Tls {
    /// Reads the files. `password` is that of the key, where it has one.
    ///
    /// # Errors
    /// [`TlsError`], naming file and variable.
    pub fn load(files: TlsFiles, password: Option<KeyPassword>) -> Result<Self, TlsError> {
        let seen = look(&files);
        let config = server_config(&files, password.as_ref())?;
        Ok(Self { files, password, current: ArcSwap::from_pointee(config), seen: Mutex::new(seen) })
    }

    /// Reads the files again if they have changed since the last look; `true` when new ones are in force. Connections that are open
    /// keep what they have.
    ///
    /// # Errors
    /// [`TlsError`]: what was in force stays.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let now = look(&self.files);
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == now {
                return Ok(false);
            }
            // Half of a pair, which is told once: the other half is a change again.
            *seen = now;
        }
        let config = server_config(&self.files, self.password.as_ref())?;
        self.current.store(Arc::new(config));
        Ok(true)
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

fn look(files: &TlsFiles) -> Seen {
    use std::os::unix::fs::MetadataExt as _;
    let state = |path: &Path| {
        let file = std::fs::metadata(path).ok()?;
        Some((file.len(), file.modified().ok()?, file.ino()))
    };
    let paths = [Some(&files.certificate), Some(&files.key), files.client_authorities.as_ref()];
    paths.into_iter().flatten().map(|path| state(path)).collect()
}

fn server_config(files: &TlsFiles, password: Option<&KeyPassword>) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let pair = |reason: String| TlsError::Pair {
        certificate: files.certificate.display().to_string(),
        key: files.key.display().to_string(),
        reason,
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| pair(error.to_string()))?;
    let builder = match &files.client_authorities {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let wrong = |reason: String| unusable("SSLCAFile", file, reason);
            let roots = Arc::new(authorities(file)?);
            // Whoever has none gets as far as being told so; what is let through is decided request by request.
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| wrong(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = certificates("SSLCertFile", &files.certificate)?;
    let key =
        read_key(&files.key, password).map_err(|why| TlsError::Key { file: files.key.display().to_string(), why })?;
    let mut config = builder.with_single_cert(chain, key).map_err(|error| pair(error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn authorities(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("SSLCAFile", file)? {
        roots.add(certificate).map_err(|error| unusable("SSLCAFile", file, error.to_string()))?;
    }
    Ok(roots)
}

fn certificates(variable: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |reason: String| unusable(variable, file, reason);
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    match found {
        Ok(found) if found.is_empty() => Err(wrong("there is no certificate in it; expected PEM".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn unusable(variable: &'static str, file: &Path, reason: String) -> TlsError {
    TlsError::File { variable, file: file.display().to_string(), reason }
}
