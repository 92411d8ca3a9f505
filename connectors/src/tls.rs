//! TLS of outgoing connections: rustls with ring, and what it trusts.

use std::{path::PathBuf, sync::Arc};

use hermod_sdk::{ConnectorError, ErrorKind};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{self, CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use rustls_platform_verifier::BuilderVerifierExt as _;

/// Which servers are believed to be who they say they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Those whose certificate the machine's own store vouches for.
    Platform,
    /// Those whose certificate is signed by an authority in this PEM file.
    Authority(PathBuf),
    /// None of them: for a client that must not use TLS at all.
    Nobody,
    /// All of them: encryption against eavesdroppers, none against impostors.
    Anyone,
}

/// Makes a client's configuration without client certificates.
pub(crate) fn client_config(trust: &Trust) -> Result<ClientConfig, ConnectorError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed("TLS cannot be set up", error))?;
    let builder = match trust {
        Trust::Platform => builder.with_platform_verifier().map_err(|error| {
            failed(
                "the machine's certificate store cannot be used; install `ca-certificates` or name a CA file",
                error,
            )
        })?,
        Trust::Authority(path) => builder.with_root_certificates(authorities(path)?),
        Trust::Nobody => builder.with_root_certificates(RootCertStore::empty()),
        Trust::Anyone => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(provider))),
    };
    Ok(builder.with_no_client_auth())
}

fn authorities(path: &PathBuf) -> Result<RootCertStore, ConnectorError> {
    let shown = path.display();
    let unreadable = |error| {
        failed(
            format!("the CA file `{shown}` cannot be read as PEM certificates"),
            error,
        )
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        roots
            .add(certificate)
            .map_err(|error| failed(format!("a certificate in `{shown}` cannot be used"), error))?;
    }
    if roots.is_empty() {
        let message = format!("the CA file `{shown}` holds no certificate");
        return Err(ConnectorError::new(ErrorKind::Auth, message));
    }
    Ok(roots)
}

fn failed(
    message: impl Into<String>,
    error: impl std::error::Error + Send + Sync + 'static,
) -> ConnectorError {
    ConnectorError::new(ErrorKind::Auth, message).with_source(error)
}

/// Takes any certificate, but still checks that the server holds its key.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
