//! TLS: who is believed.

use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc};

use hermod_sdk::{ErrorKind, Written, testkit::server::Http};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{factory, open, texts};

/// Puts TLS in front of a server, with a certificate of its own making.
struct Shield {
    address: SocketAddr,
    authority: PathBuf,
    _directory: TempDir,
    _tasks: JoinSet<()>,
}

impl Shield {
    async fn before(server: &Http) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let authority = directory.path().join("ca.pem");
        fs::write(&authority, made.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let port = server.port();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that does not believe the certificate ends the handshake.
                let Ok(mut outside) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut inside = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::io::copy_bidirectional(&mut outside, &mut inside)
                    .await
                    .ok();
            }
        });
        Self {
            address,
            authority,
            _directory: directory,
            _tasks: tasks,
        }
    }
}

#[tokio::test]
async fn a_server_is_believed_if_the_named_authority_vouches_for_it() {
    let server = Http::start();
    let shield = Shield::before(&server).await;
    let url = format!("https://{}/in", shield.address);
    let config = json!({"url": url, "tls_ca_file": shield.authority});
    factory(&config).probe().await.unwrap();
    let mut sink = open(config).await;
    assert_eq!(sink.write(&texts(&["1"])).await.unwrap(), Written::All);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn an_impostor_gets_nothing() {
    let server = Http::start();
    let (shield, other) = (Shield::before(&server).await, Shield::before(&server).await);
    let url = format!("https://{}/in", shield.address);
    let config = json!({"url": url, "tls_ca_file": other.authority});
    let error = factory(&config).probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let mut sink = open(config).await;
    let error = sink.write(&texts(&["1"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_ca_file_that_is_none_is_named() {
    for content in ["", "no certificate\n"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        fs::write(&path, content).unwrap();
        let config = json!({"url": "https://127.0.0.1:1/", "tls_ca_file": path});
        let error = factory(&config).probe().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth);
        assert!(error.report().contains("ca.pem"), "{}", error.report());
    }
}
