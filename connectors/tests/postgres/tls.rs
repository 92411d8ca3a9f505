//! TLS to the server, by `sslmode`.

use std::{fs, os::unix::fs::PermissionsExt};

use hermod_sdk::{ErrorKind, SinkFactory, Written, testkit::server::Postgres};
use serde_json::{Value, json};

use super::{batch, config, factory, message, open, open_as, schema, shared};

fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])
        .expect("a certificate can be made");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// Starts a server that offers TLS.
fn start() -> (Postgres, String) {
    let mut server = Postgres::start();
    let (certificate, key) = certificate();
    server.psql("ALTER SYSTEM SET ssl = on");
    for (name, text) in [("server.crt", &certificate), ("server.key", &key)] {
        let path = server.data_dir().join(name);
        fs::write(&path, text).expect("a file can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
        server.give(&path);
    }
    server.restart();
    (server, certificate)
}

fn with(server: &Postgres, sslmode: &str, more: &Value) -> Value {
    let mut config = config(server, "t", more.clone());
    config["sslmode"] = sslmode.into();
    config
}

#[tokio::test]
async fn each_sslmode_does_what_it_says() {
    let (server, certificate) = start();
    let directory = tempfile::tempdir().unwrap();
    let (right, wrong) = (
        directory.path().join("right.pem"),
        directory.path().join("wrong.pem"),
    );
    fs::write(&right, certificate).unwrap();
    fs::write(&wrong, self::certificate().0).unwrap();

    let verified = json!({"sslrootcert": right});
    let encrypted = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'hermod'";
    for (mode, more, ssl) in [
        ("disable", json!({}), "f"),
        ("prefer", json!({}), "t"),
        ("require", json!({}), "t"),
        ("verify-full", verified.clone(), "t"),
    ] {
        let mut sink = open(&with(&server, mode, &more)).await;
        assert_eq!(server.psql(encrypted), ssl, "{mode}");
        sink.close().await.unwrap();
    }

    let impostor = with(&server, "verify-full", &json!({"sslrootcert": wrong}));
    let error = open_as(&impostor, super::context(1)).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let mut misnamed = with(&server, "verify-full", &verified);
    misnamed["connection_string"] = server.url().replace("127.0.0.1", "localhost").into();
    let error = factory(&misnamed).probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn prefer_does_without_where_there_is_no_tls_and_require_does_not() {
    let schema = schema();
    let mut config = config(shared(), &format!("{schema}.t"), json!({}));
    config["sslmode"] = "prefer".into();
    let mut sink = open(&config).await;
    assert_eq!(
        sink.write(&batch(1, [message("a", "1")])).await.unwrap(),
        Written::All
    );
    config["sslmode"] = "require".into();
    let error = factory(&config).probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn sslmode_may_stand_in_the_connection_string() {
    let mut config = config(shared(), "t", json!({}));
    config["connection_string"] = format!("{}?sslmode=require", shared().url()).into();
    let factory: std::sync::Arc<dyn SinkFactory> = {
        config.as_object_mut().unwrap().remove("sslmode");
        factory(&config)
    };
    assert!(factory.probe().await.is_err());
}
