//! TLS towards an entry point whose certificate authority is the suite's own.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::sync::Arc;

/// A client that trusts this authority (PEM) and no other.
///
/// # Errors
/// What is wrong with the PEM text.
pub(crate) fn trusting(ca_pem: &str) -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        let certificate = certificate.map_err(|e| format!("certificate authority: {e}"))?;
        roots.add(certificate).map_err(|e| format!("certificate authority: {e}"))?;
    }
    if roots.is_empty() {
        return Err("certificate authority: no certificate in the PEM text".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(|e| e.to_string())?.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_certificate_authority_is_refused() {
        assert!(trusting("no pem at all").is_err());
    }
}
