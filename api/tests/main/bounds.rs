use std::time::Duration;

use hermod_api::BindError;

use crate::{
    node::{Double, options, run, stand, try_run},
    wire::{Client, request},
};

const HEAD: &str = "POST /api/webhooks/orders HTTP/1.1\r\nhost: x\r\n";

#[tokio::test]
async fn i9_a_declared_length_above_the_limit_is_refused_before_a_byte_is_read() {
    let server = run(stand([("orders", Double::limited(10))])).await;
    let mut client = Client::connect(server.address).await;
    client
        .send(format!("{HEAD}content-length: 11\r\n\r\n"))
        .await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "HMD-0102"));
    assert_eq!(answer.header("connection"), Some("close"));
    client.send("01234567890").await;
    assert!(client.rest().await.is_empty());
}

#[tokio::test]
async fn i9_a_sender_of_a_huge_body_gets_to_read_the_413() {
    let double = Double::limited(1 << 20);
    let server = run(stand([("orders", double.clone())])).await;
    for framing in ["content-length: 104857600", "transfer-encoding: chunked"] {
        let mut client = Client::connect(server.address).await;
        client.send(format!("{HEAD}{framing}\r\n\r\n")).await;
        let mut chunk = b"100000\r\n".to_vec();
        chunk.resize(chunk.len() + (1 << 20), b'x');
        chunk.extend_from_slice(b"\r\n");
        for _ in 0..100 {
            // The server may have had enough; its answer can be read all the same.
            if client.try_send(&chunk).await.is_err() {
                break;
            }
        }
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (413, "HMD-0102"),
            "{framing}"
        );
    }
    assert!(double.payloads().is_empty());
}

#[tokio::test]
async fn a_body_at_the_limit_is_taken() {
    let double = Double::limited(10);
    let server = run(stand([("orders", double.clone())])).await;
    let answer = request(server.address, "POST", "/api/webhooks/orders", "0123456789").await;
    assert_eq!(answer.status, 200);
    assert_eq!(double.payloads(), ["0123456789"]);
}

#[tokio::test]
async fn a_slow_body_is_408_and_keeps_nothing() {
    let double = Double::new();
    let mut options = options();
    options.body_timeout = Duration::from_millis(50);
    let server = try_run(stand([("orders", double.clone())]), options)
        .await
        .unwrap();
    let mut client = Client::connect(server.address).await;
    client
        .send(format!("{HEAD}content-length: 10\r\n\r\n12345"))
        .await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "HMD-0103"));
    drop(client);
    assert!(double.payloads().is_empty());
}

#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let mut options = options();
    options.head_timeout = Duration::from_millis(50);
    let server = try_run(stand([]), options).await.unwrap();
    let mut client = Client::connect(server.address).await;
    client.send("GET /livez HTTP/1.1\r\n").await;
    let rest = client.rest().await;
    assert!(
        rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"),
        "{rest:?}"
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_keeps_nothing() {
    let double = Double::new();
    let server = run(stand([("orders", double.clone())])).await;
    let mut client = Client::connect(server.address).await;
    client
        .send(format!("{HEAD}content-length: 10\r\n\r\n12345"))
        .await;
    drop(client);
    let mut client = Client::connect(server.address).await;
    client
        .send(format!("{HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n"))
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 400);
    assert!(double.payloads().is_empty());
}

#[tokio::test]
async fn i9_the_connection_too_many_is_told_so() {
    let mut options = options();
    options.connections_max = 1;
    let server = try_run(stand([]), options).await.unwrap();
    let mut first = Client::connect(server.address).await;
    assert_eq!(first.request("GET", "/livez", "").await.status, 200);
    let answer = Client::connect(server.address).await.answer().await;
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (503, Some("HMD-0112"))
    );
    assert_eq!(answer.header("retry-after"), Some("1"));
    drop(first);
    // The place is free again as soon as the server has seen the close.
    let again = async { while request(server.address, "GET", "/livez", "").await.status != 200 {} };
    tokio::time::timeout(Duration::from_mins(1), again)
        .await
        .unwrap();
}

#[tokio::test]
async fn stopping_finishes_the_open_request_and_takes_no_other() {
    let double = Double::gated();
    let server = run(stand([("orders", double.clone())])).await;
    let mut client = Client::connect(server.address).await;
    client
        .send(format!("{HEAD}content-length: 1\r\n\r\nx"))
        .await;
    let mut idle = Client::connect(server.address).await;
    assert_eq!(idle.request("GET", "/livez", "").await.status, 200);
    server.stop.cancel();
    assert!(idle.rest().await.is_empty(), "an idle connection is closed");
    double.gate.add_permits(1);
    assert_eq!(client.answer().await.status, 200);
    assert!(client.rest().await.is_empty());
    server.ended.await.unwrap();
    assert!(
        tokio::net::TcpStream::connect(server.address)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_port_in_use_is_a_clear_error() {
    let server = run(stand([])).await;
    let mut options = options();
    options.address = server.address;
    let error = try_run(stand([]), options).await.err().unwrap();
    assert!(matches!(error, BindError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&server.address.to_string()));
    assert_eq!(error.code().text(), "HMD-0006");
}
