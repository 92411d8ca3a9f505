//! What makes a process a member of its cluster: a certificate that only who knows the cluster's secret can make.
//!
//! The secret gives the key of an authority (HKDF-SHA256, RFC 5869, then Ed25519), the same at every node and never
//! written anywhere. Each node makes a key pair of its own at every start and signs its certificate with the authority's
//! key. A peer is trusted when that authority has signed it, and by nothing else.
//!
//! A certificate lets anyone who connects test guesses of the secret at home. So a secret is random, not thought up.

use std::{error::Error, fmt, sync::Arc};

use hkdf::Hkdf;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
    server::WebPkiClientVerifier,
    version::TLS13,
};
use sha2::Sha256;

/// Bytes of the shortest secret of a cluster. 16 random bytes cannot be guessed.
pub const SECRET_BYTES_MIN: usize = 16;

/// Every node goes by this name in its certificate: nodes are told apart by their ids, not by their addresses.
const NAME: &str = "node.hermod.internal";

/// Keeps the key of the authority apart from anything else that will ever be made from the secret.
const PURPOSE: &[u8] = b"hermod cluster authority v1";

/// What stands before the 32 bytes of an Ed25519 key in PKCS#8. Source: RFC 8410, section 7.
const PKCS8_ED25519: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// HTTP/2, and nothing else, is spoken between nodes.
const PROTOCOL: &[u8] = b"h2";

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The secret is too short to be one.
    #[error(
        "the cluster secret has {bytes} bytes, at least {SECRET_BYTES_MIN} are needed; make one with `openssl rand -hex 32`"
    )]
    ShortSecret {
        /// Its length.
        bytes: usize,
    },
    /// The certificate could not be made.
    #[error("the certificate of node `{node}` cannot be made")]
    Certificate {
        /// The name of the node.
        node: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// A node as a member of its cluster. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    node: Arc<str>,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Identity {
    /// Makes the identity of a node from the secret of its cluster. The secret is taken as it is: a line end counts.
    ///
    /// # Errors
    ///
    /// The secret is shorter than [`SECRET_BYTES_MIN`], or the machine gives no randomness.
    pub fn from_secret(secret: &[u8], node: &str) -> Result<Self, IdentityError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(IdentityError::ShortSecret {
                bytes: secret.len(),
            });
        }
        make(secret, node).map_err(|source| IdentityError::Certificate {
            node: node.to_owned(),
            source,
        })
    }

    /// Returns the name of the node.
    pub fn node(&self) -> &str {
        &self.node
    }

    pub(super) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    pub(super) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }

    pub(super) fn peer_name() -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError>
    {
        ServerName::try_from(NAME)
    }
}

/// I10: neither the secret nor a key is shown.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

fn make(secret: &[u8], node: &str) -> Result<Identity, Box<dyn Error + Send + Sync>> {
    let authority_key = authority_key(secret)?;
    let authority = authority();
    let root = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let certificate = member(node)?.signed_by(&key, &issuer)?;
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let key = || PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));

    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone())?;
    let roots = Arc::new(roots);
    let provider: Arc<CryptoProvider> = Arc::new(rustls::crypto::ring::default_provider());

    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()?;
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.clone(), key())?;
    server.alpn_protocols = vec![PROTOCOL.to_vec()];
    // Connections are few and long. Without resumption each one shows its certificate.
    server.send_tls13_tickets = 0;

    let mut client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key())?;
    client.alpn_protocols = vec![PROTOCOL.to_vec()];
    client.resumption = Resumption::disabled();

    Ok(Identity {
        node: node.into(),
        server: Arc::new(server),
        client: Arc::new(client),
    })
}

fn authority_key(secret: &[u8]) -> Result<KeyPair, Box<dyn Error + Send + Sync>> {
    let mut pkcs8 = [0; PKCS8_ED25519.len() + 32];
    let (head, seed) = pkcs8.split_at_mut(PKCS8_ED25519.len());
    head.copy_from_slice(&PKCS8_ED25519);
    Hkdf::<Sha256>::new(None, secret)
        .expand(PURPOSE, seed)
        .map_err(|error| error.to_string())?;
    let key = PrivatePkcs8KeyDer::from(pkcs8.as_slice());
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ED25519)?)
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("Hermod cluster");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// The certificate holds from 1975 to 4096: a wrong clock must not cut a node off, and its key ends with the process.
fn member(node: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(vec![NAME.to_owned()])?;
    params.distinguished_name = named(node);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}
