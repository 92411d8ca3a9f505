//! Servers that are away, that are none of ours, and that are not trusted.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use serde_json::json;

use super::Platform;
use crate::{
    documents::write,
    process::{hermod, text},
};

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

    // Something that listens and speaks otherwise; where it sends one to is not asked.
    let other =
        Stub::start(|_| "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n".to_owned());
    let said = other.refuses(platform.path(), &["workflow", "list"]);
    assert!(said.contains("not as a node of Hermod does"), "{said}");
}

/// A server that says whatever a test needs, to one connection after the other.
struct Stub {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// `answer` returns the head of the answer and, behind an empty line, its body; nothing closes the connection.
    fn start(answer: fn(&str) -> String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let seen = heads.clone();
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                while let Some(head) = Self::request(&mut stream) {
                    seen.lock().unwrap().push(head.clone());
                    let said = answer(&head);
                    let Some((head, body)) = said
                        .split_once("\r\n\r\n")
                        .or(Some((said.trim_end(), "")))
                        .filter(|(head, _)| !head.is_empty())
                    else {
                        break;
                    };
                    let length = body.len();
                    let whole = format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}");
                    stream.get_mut().write_all(whole.as_bytes()).unwrap();
                }
            }
        });
        Self { url, heads }
    }

    /// Reads a request with its body, and returns its head.
    fn request(stream: &mut BufReader<TcpStream>) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let head = head.to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        stream.read_exact(&mut vec![0; length]).ok()?;
        Some(head)
    }

    /// Runs what must fail here, and returns what it says.
    fn refuses(&self, directory: &Path, arguments: &[&str]) -> String {
        let output = hermod(directory)
            .args(arguments)
            .env("HERMOD_SERVER", &self.url)
            .env("HERMOD_TOKEN", "hmd_x")
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    }
}

#[test]
fn apply_overwrites_nothing_that_was_saved_after_it_has_looked() {
    let stub = Stub::start(|head| {
        match head {
        head if head.starts_with("get /api/sources/g ") => {
            "HTTP/1.1 200 OK\r\netag: \"7\"\r\n\r\n{\"id\":\"g\",\"type\":\"generator\",\"config\":{\"count\":1}}"
        }
        head if head.starts_with("put ") => {
            "HTTP/1.1 412 X\r\n\r\n{\"code\":\"HMD-0124\",\"detail\":\"`source/g` was changed\"}"
        }
        _ => "HTTP/1.1 404 X\r\n\r\n{\"code\":\"HMD-0132\",\"detail\":\"there is none\"}",
    }.to_owned()
    });
    let directory = tempfile::tempdir().unwrap();
    let bundle = json!({"sources": [{"id": "g", "type": "generator", "config": {"count": 2}}]});
    write(directory.path(), "g.json", &bundle);
    let said = stub.refuses(directory.path(), &["apply", "-f", "g.json"]);
    assert!(
        said.contains("HMD-0124") && said.contains("somebody has changed it meanwhile"),
        "{said}"
    );
    let heads = stub.heads.lock().unwrap();
    let put = heads.iter().find(|head| head.starts_with("put ")).unwrap();
    assert!(put.contains("if-match: \"7\"\r\n"), "{put}");
}

#[test]
fn a_change_whose_answer_is_lost_may_have_been_made_and_a_code_of_later_versions_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let stub = Stub::start(|_| String::new());
    let said = stub.refuses(directory.path(), &["workflow", "start", "orders"]);
    assert!(said.contains("HMD-0128"), "{said}");
    let said = stub.refuses(directory.path(), &["workflow", "list"]);
    assert!(
        said.contains("HMD-0013"),
        "a question that is not answered has changed nothing: {said}"
    );
    let stub = Stub::start(|_| {
        "HTTP/1.1 503 X\r\nretry-after: 7\r\n\r\n{\"code\":\"HMD-9999\",\"detail\":\"the moon is full\"}".to_owned()
    });
    let said = stub.refuses(directory.path(), &["workflow", "list"]);
    assert!(
        said.contains("HMD-9999: the moon is full; again in 7 s"),
        "{said}"
    );
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
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
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
