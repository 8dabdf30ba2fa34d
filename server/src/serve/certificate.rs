//! What a client's certificate says of its holder. Only certificates that were verified get here.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The holder of a verified certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The common name of the subject, or all of the subject where it has none.
    pub name: String,
    /// Organisational units of the subject.
    pub units: Vec<String>,
}

impl ClientCertificate {
    /// Reads a certificate; `None` when its subject cannot be read, which is as good as no certificate.
    pub fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let subject = parsed.subject();
        let text = |value: &x509_parser::prelude::AttributeTypeAndValue<'_>| value.as_str().ok().map(str::to_owned);
        let name = subject.iter_common_name().find_map(text).filter(|name| !name.trim().is_empty());
        Some(Self {
            name: name.unwrap_or_else(|| subject.to_string()),
            units: subject.iter_organizational_unit().filter_map(text).collect(),
        })
    }

    /// One of its units is one of these.
    pub fn is_of(&self, units: &[String]) -> bool {
        self.units.iter().any(|unit| units.contains(unit))
    }
}
