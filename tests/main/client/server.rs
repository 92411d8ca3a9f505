//! Servers that are away, that are none of ours, and that are not trusted.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::Platform;
use crate::process::{hermod, text};

#[test]
fn a_server_that_is_away_or_none_of_ours_is_named() {
    let platform = Platform::signed_in();
    let away = ["workflow", "list", "--server", "http://127.0.0.1:1"];
    let output = hermod(platform.path())
        .args(away)
        .env("HERMOD_TOKEN", "hmd_x")
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("`http://127.0.0.1:1` does not answer: "),
        "{said}"
    );
    assert!(
        said.contains("refused") && said.contains("HMD-0013"),
        "{said}"
    );

    // Something that listens and speaks otherwise.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other = format!("http://{}", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // All of the request is read: who closes before loses the answer.
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut some = [0; 4096];
            let read = stream.read(&mut some).unwrap();
            request.extend_from_slice(&some[..read]);
        }
        let answer =
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let output = hermod(platform.path())
        .args(["workflow", "list"])
        .env("HERMOD_TOKEN", "hmd_x")
        .env("HERMOD_SERVER", &other)
        .output()
        .unwrap();
    answering.join().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("not as a node of Hermod does"), "{said}");
}

/// Answers one request over TLS, with a certificate for `localhost` whose authority is in the file that is returned.
fn answer_over_tls(directory: &Path) -> (String, PathBuf, std::thread::JoinHandle<Option<String>>) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority =
        rcgen::CertifiedIssuer::self_signed(authority, rcgen::KeyPair::generate().unwrap())
            .unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let ours = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let ours = ours.signed_by(&key, &authority).unwrap();
    let file = directory.join("authority.pem");
    fs::write(&file, authority.pem()).unwrap();

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![ours.der().clone()], key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let answering = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut some = [0; 4096];
            // Whoever does not trust the certificate says no more.
            let read = stream.read(&mut some).ok().filter(|read| *read > 0)?;
            request.extend_from_slice(&some[..read]);
        }
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"data\":[]}";
        stream.write_all(answer.as_bytes()).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        Some(String::from_utf8(request).unwrap())
    });
    (url, file, answering)
}

#[test]
fn i10_a_token_goes_only_to_a_server_whose_certificate_the_machine_trusts() {
    let directory = tempfile::tempdir().unwrap();
    let list = |url: &str, authorities: &Path| {
        let mut command = hermod(directory.path());
        command
            .args(["worker", "list", "--output", "json", "--server", url])
            .env("HERMOD_TOKEN", "hmd_a-token")
            .env("SSL_CERT_FILE", authorities)
            .env_remove("SSL_CERT_DIR");
        command.output().unwrap()
    };
    let (url, file, answering) = answer_over_tls(directory.path());
    let output = list(&url, &file);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let request = answering.join().unwrap().unwrap().to_lowercase();
    assert!(
        request.contains("authorization: bearer hmd_a-token"),
        "{request}"
    );

    // The next one has an authority of its own, which is not that of the file.
    let other = directory.path().join("other.pem");
    fs::rename(&file, &other).unwrap();
    let (url, _, answering) = answer_over_tls(directory.path());
    let output = list(&url, &other);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("certificate"), "{said}");
    assert_eq!(answering.join().unwrap(), None, "nothing was said to it");
}
