//! TLS towards the server: what the machine trusts.

use std::sync::Arc;

use hermod_api::Code;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::failure::Failure;

/// Makes the configuration. Without TLS nothing is trusted and no certificate is looked for.
pub(super) fn client_config(encrypted: bool) -> Result<ClientConfig, Failure> {
    let failed = |error: rustls::Error| {
        let message = format!("the machine's certificate store cannot be used: {error}");
        Failure::new(Code::Control, message)
            .with_hint("install `ca-certificates`, or name a file of them in SSL_CERT_FILE")
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let builder = if encrypted {
        builder.with_platform_verifier().map_err(failed)?
    } else {
        builder.with_root_certificates(RootCertStore::empty())
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
