//! Who is not of the cluster gets no further than TLS.

use std::{sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore, SignatureScheme, client::ResolvesClientCert, sign::CertifiedKey,
    version::TLS12,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::node::{Node, SECRET, call, eventually, identity, stranger};
use crate::channel::{
    CallError, Channel as _, Connections, Identity, IdentityError, Listener, Topic,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

async fn shake(node: &Node, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(&node.address).await.unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(Identity::peer_name().unwrap(), stream)
        .await
}

/// The node is trusted, as by somebody who was let in on its certificate; what is shown to it is somebody else's.
async fn refused_with(certificate: Arc<dyn ResolvesClientCert>) {
    let node = Node::start().await;
    let mut config = (*identity().client()).clone();
    config.client_auth_cert_resolver = certificate;
    // With TLS 1.3 a client is done before it is refused.
    let mut stream = shake(&node, config).await.unwrap();
    let mut answer = Vec::new();
    let sent = stream.write_all(PREFACE).await;
    let read = stream.read_to_end(&mut answer).await;
    assert!(sent.is_err() || read.is_err(), "an alert is an error");
    assert_eq!(answer, b"", "not a byte of HTTP/2");
    eventually(|| node.counters.refused_connections() == 1).await;
    assert_eq!(node.counters.connections(), 0);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_certificate_is_refused() {
    refused_with(Arc::new(NoCertificate)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_a_certificate_of_another_cluster_is_refused() {
    refused_with(Arc::clone(&stranger().client().client_auth_cert_resolver)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_let_in_the_same_way() {
    let node = Node::start().await;
    let mut stream = shake(&node, (*identity().client()).clone()).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    let mut header = [0; 9];
    stream.read_exact(&mut header).await.unwrap();
    assert_eq!(header[3], 4, "SETTINGS comes first");
    assert_eq!(node.counters.connections(), 1);
    drop(stream);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_another_secret_is_not_believed_and_nothing_is_sent_to_it() {
    let node = Node::start().await;
    let connections = Connections::new(&stranger());
    let answer = node.echo(&connections, "secret plans").await;
    let Err(CallError::Unreachable { reason, .. }) = answer else {
        panic!("{answer:?}");
    };
    assert!(reason.contains("certificate"), "{reason}");
    eventually(|| node.counters.refused_connections() == 1).await;
    assert_eq!(node.counters.connections(), 0);
    assert_eq!(node.counters.calls(), 0);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_tls_is_refused_before_it_is_parsed() {
    let node = Node::start().await;
    let garbage = [0xa5; 4096];
    let plain: [&[u8]; 3] = [PREFACE, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", &garbage];
    for (number, bytes) in (1..).zip(plain) {
        let mut stream = TcpStream::connect(&node.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset is as good as an end.
        if stream.read_to_end(&mut answer).await.is_ok() {
            // An alert of TLS is all that may come.
            assert!(answer.is_empty() || answer[0] == 0x15, "{answer:?}");
        }
        eventually(|| node.counters.refused_connections() == number).await;
    }
    assert_eq!(node.counters.connections(), 0);
    node.echo(&Connections::new(&identity()), "on")
        .await
        .unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_is_refused() {
    let node = Node::start().await;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let error = shake(&node, config).await.unwrap_err();
    assert!(error.to_string().contains("ProtocolVersion"), "{error}");
    eventually(|| node.counters.refused_connections() == 1).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i9_strangers_that_say_nothing_are_few_and_are_closed() {
    let node = Node::start().await;
    let connections = Connections::new(&identity());
    node.echo(&connections, "first").await.unwrap();
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(&node.address).await.unwrap());
    }
    let mut one_more = TcpStream::connect(&node.address).await.unwrap();
    let mut nothing = Vec::new();
    one_more.read_to_end(&mut nothing).await.unwrap();
    assert_eq!(node.counters.refused_connections(), 1);
    node.echo(&connections, "members go on").await.unwrap();

    for stream in &mut silent {
        stream.read_to_end(&mut nothing).await.unwrap();
    }
    assert_eq!(nothing, b"");
    eventually(|| node.counters.refused_connections() == 65).await;
    node.echo(&Connections::new(&identity()), "and there is room")
        .await
        .unwrap();
    node.stop().await;
}

#[test]
fn a_short_secret_is_an_error() {
    let error = Identity::from_secret(b"fifteen bytes..", "a").unwrap_err();
    assert!(matches!(error, IdentityError::ShortSecret { bytes: 15 }));
    assert!(!error.to_string().contains("fifteen"), "{error}");
    assert!(Identity::from_secret(b"sixteen bytes...", "a").is_ok());
}

#[tokio::test]
async fn i10_neither_the_secret_nor_a_key_is_shown() {
    let identity = identity();
    assert_eq!(format!("{identity:?}"), "Identity { node: \"a\", .. }");
    let connections = Connections::new(&identity);
    let handler = Arc::new(super::node::Script::default());
    let listener = Listener::bind("127.0.0.1:0", &identity, handler).await;
    let listener = listener.unwrap();
    let secret = String::from_utf8_lossy(SECRET);
    let error = connections
        .call(
            "127.0.0.1:1",
            call(Topic::StoreKey, SECRET),
            Duration::from_secs(5),
        )
        .await
        .unwrap_err();
    for shown in [
        format!("{connections:?}"),
        format!("{listener:?}"),
        format!("{error:?} {error}"),
    ] {
        assert!(!shown.contains(&*secret), "{shown}");
        assert!(shown.len() < 300, "{shown}");
    }
}
