//! Certificates for entry points that name a TLS secret nobody made: signed by an authority of the suite's own, so that
//! clients verify them like any other.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The authority could not be read, kept or used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file of the authority.
    #[error("keep the suite's certificate authority in {path}: {cause}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The certificate itself: a host that is no DNS name, for one.
    #[error("make a certificate: {0}")]
    Make(rcgen::Error),
}

// A text holds its cause: as a source of its own it would be told twice.
impl From<rcgen::Error> for CertificateError {
    fn from(cause: rcgen::Error) -> Self {
        CertificateError::Make(cause)
    }
}

/// The suite's own certificate authority. Its key stays in its folder, readable by its owner only.
pub struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    ca_pem: String,
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Gauntlet test authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2074, 1, 1);
    params
}

impl CertificateAuthority {
    /// The authority kept in `dir` (`ca.pem`, `ca-key.pem`); a new one when there is none, or when its two files do not
    /// belong together.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn load_or_create(dir: &Path) -> Result<Self, CertificateError> {
        let (cert_file, key_file) = (dir.join("ca.pem"), dir.join("ca-key.pem"));
        let kept = std::fs::read_to_string(&cert_file).ok().zip(std::fs::read_to_string(&key_file).ok());
        if let Some((ca_pem, key_pem)) = kept
            && let Ok(key) = KeyPair::from_pem(&key_pem)
            && holds_key(&ca_pem, &key)
        {
            return Ok(CertificateAuthority { issuer: Issuer::new(params(), key), ca_pem });
        }
        let key = KeyPair::generate()?;
        let ca_pem = params().self_signed(&key)?.pem();
        let io = |path: &Path| { let path = path.to_owned(); move |cause| CertificateError::Io { path, cause } };
        std::fs::create_dir_all(dir).map_err(io(dir))?;
        write(&key_file, &key.serialize_pem(), 0o600).map_err(io(&key_file))?;
        write(&cert_file, &ca_pem, 0o644).map_err(io(&cert_file))?;
        Ok(CertificateAuthority { issuer: Issuer::new(params(), key), ca_pem })
    }

    /// The authority's certificate, PEM: what clients trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// A server certificate for `hosts` (names or addresses) and its key, both PEM.
    ///
    /// # Errors
    /// When a host is no name.
    pub fn issue(&self, hosts: &[String]) -> Result<(String, String), CertificateError> {
        let mut params = CertificateParams::new(hosts.to_vec())?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, hosts.first().map_or("", String::as_str));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = date_time_ymd(2074, 1, 1);
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, &self.issuer)?;
        Ok((cert.pem(), key.serialize_pem()))
    }
}

/// Whether the certificate carries this key's public half: a killed run may have left one new and one old file.
fn holds_key(cert_pem: &str, key: &KeyPair) -> bool {
    use rustls::pki_types::pem::PemObject;
    let Ok(cert) = rustls::pki_types::CertificateDer::from_pem_slice(cert_pem.as_bytes()) else { return false };
    let public = key.public_key_raw();
    cert.windows(public.len()).any(|part| part == public)
}

fn write(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    /// One TLS handshake in memory between a client that trusts `ca_pem` and a server with the pair.
    fn handshake(ca_pem: &str, pair: &(String, String), host: &str) -> Result<(), rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("ca")).expect("root");
        let cert = CertificateDer::from_pem_slice(pair.0.as_bytes()).expect("cert");
        let key = PrivateKeyDer::from_pem_slice(pair.1.as_bytes()).expect("key");
        let server = rustls::ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?.with_no_client_auth().with_single_cert(vec![cert], key)?;
        let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth();
        let mut server = rustls::ServerConnection::new(Arc::new(server))?;
        let mut client = rustls::ClientConnection::new(Arc::new(client), ServerName::try_from(host.to_owned()).expect("name"))?;
        while client.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).expect("memory");
            server.read_tls(&mut wire.as_slice()).expect("memory");
            server.process_new_packets()?;
            let mut wire = Vec::new();
            server.write_tls(&mut wire).expect("memory");
            client.read_tls(&mut wire.as_slice()).expect("memory");
            client.process_new_packets()?;
        }
        Ok(())
    }

    #[test]
    fn clients_that_trust_the_authority_verify_the_host_and_only_it() {
        let dir = tempfile::tempdir().expect("temp dir");
        let authority = CertificateAuthority::load_or_create(dir.path()).expect("authority");
        let pair = authority.issue(&["orders.example.org".into()]).expect("issued");
        assert_eq!(handshake(authority.ca_pem(), &pair, "orders.example.org"), Ok(()));
        assert!(handshake(authority.ca_pem(), &pair, "other.example.org").is_err(), "another host");
        let stranger = tempfile::tempdir().expect("temp dir");
        let stranger = CertificateAuthority::load_or_create(stranger.path()).expect("authority");
        assert!(handshake(stranger.ca_pem(), &pair, "orders.example.org").is_err(), "another authority");
    }

    #[test]
    fn the_authority_is_kept_and_its_key_is_private() {
        let dir = tempfile::tempdir().expect("temp dir");
        let first = CertificateAuthority::load_or_create(dir.path()).expect("made");
        let again = CertificateAuthority::load_or_create(dir.path()).expect("loaded");
        assert_eq!(first.ca_pem(), again.ca_pem());
        let pair = again.issue(&["a.example.org".into()]).expect("issued");
        assert_eq!(handshake(first.ca_pem(), &pair, "a.example.org"), Ok(()), "the loaded one signs for the made one");
        let mode = std::fs::metadata(dir.path().join("ca-key.pem")).expect("key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn files_that_do_not_belong_together_are_replaced() {
        let dir = tempfile::tempdir().expect("temp dir");
        let first = CertificateAuthority::load_or_create(dir.path()).expect("made");
        let other = KeyPair::generate().expect("key");
        std::fs::write(dir.path().join("ca-key.pem"), other.serialize_pem()).expect("write");
        let again = CertificateAuthority::load_or_create(dir.path()).expect("made anew");
        assert_ne!(first.ca_pem(), again.ca_pem());
    }
}
