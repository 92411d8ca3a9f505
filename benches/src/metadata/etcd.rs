//! Three servers of etcd, asked by gRPC.

use std::{process::Command, time::Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::{net::TcpStream, task::JoinSet};

use super::{CLIENTS, Client, NODES, document};
use crate::server::{Server, free_port};

/// Running servers. Dropped in order.
pub(super) struct Servers {
    servers: Vec<Server>,
    _dir: TempDir,
}

/// Starts a cluster with the defaults: every put is synced.
pub(super) fn start(dir: TempDir) -> anyhow::Result<Servers> {
    let mut ports = Vec::new();
    for _ in 0..NODES {
        ports.push((free_port()?, free_port()?));
    }
    let peers: Vec<_> = ports
        .iter()
        .enumerate()
        .map(|(at, (_, peer))| format!("n{at}=http://127.0.0.1:{peer}"))
        .collect();
    let mut servers = Vec::new();
    for (at, (client, peer)) in ports.into_iter().enumerate() {
        let (client_url, peer_url) = (
            format!("http://127.0.0.1:{client}"),
            format!("http://127.0.0.1:{peer}"),
        );
        let mut command = Command::new("etcd");
        command
            .args(["--name", &format!("n{at}"), "--data-dir", &format!("d{at}")])
            .args(["--listen-client-urls", &client_url])
            .args(["--advertise-client-urls", &client_url])
            .args(["--listen-peer-urls", &peer_url])
            .args(["--initial-advertise-peer-urls", &peer_url])
            .args(["--initial-cluster", &peers.join(",")])
            .args(["--logger", "zap", "--log-level", "error"]);
        let directory = dir.path().join(format!("n{at}"));
        std::fs::create_dir(&directory)?;
        // It listens for clients once it has joined; the first has nobody to join yet.
        let server = Server::spawn("etcd", command, &directory, client)
            .context("the reference; on Debian: apt-get install etcd-server")?;
        servers.push(server);
    }
    for server in &mut servers {
        server.wait_until_it_listens()?;
    }
    Ok(Servers { servers, _dir: dir })
}

impl Servers {
    /// Connects all clients, a third of them to each server.
    pub(super) async fn clients(&self) -> anyhow::Result<Vec<Connection>> {
        let mut clients = Vec::new();
        for at in 0..CLIENTS {
            let port = self.servers[at % NODES].port;
            clients.push(Connection::open(port).await?);
        }
        Ok(clients)
    }
}

/// A connection of one client.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    _task: JoinSet<hyper::Result<()>>,
}

impl Connection {
    async fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        let mut task = JoinSet::new();
        task.spawn(connection);
        Ok(Self {
            sender,
            _task: task,
        })
    }
}

impl Client for Connection {
    async fn put(&mut self, key: &str, number: u64) -> anyhow::Result<()> {
        // etcdserverpb.PutRequest: key = 1, value = 2.
        let mut message = Vec::new();
        field(&mut message, 1, key.as_bytes());
        field(&mut message, 2, &document(number));
        self.call("Put", &message).await?;
        Ok(())
    }
}

impl Connection {
    /// Asks for the first documents under a prefix again and again; returns how long each answer took, in milliseconds.
    pub(super) async fn list(
        &mut self,
        prefix: &str,
        limit: u8,
        times: usize,
    ) -> anyhow::Result<Vec<f64>> {
        // etcdserverpb.RangeRequest: key = 1, range_end = 2, limit = 3.
        let mut message = Vec::new();
        field(&mut message, 1, prefix.as_bytes());
        let mut end = prefix.as_bytes().to_vec();
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        field(&mut message, 2, &end);
        message.extend([3 << 3, limit & 0x7f | 0x80, limit >> 7]);
        let mut took = Vec::new();
        for _ in 0..times {
            let begun = Instant::now();
            let answer = self.call("Range", &message).await?;
            took.push(begun.elapsed().as_secs_f64() * 1e3);
            let least = usize::from(limit) * super::DOCUMENT_BYTES;
            ensure!(
                answer.len() > least,
                "etcd lists only {} bytes",
                answer.len()
            );
        }
        Ok(took)
    }

    async fn call(&mut self, method: &str, message: &[u8]) -> anyhow::Result<Bytes> {
        let mut body = vec![0];
        body.extend(u32::try_from(message.len())?.to_be_bytes());
        body.extend(message);
        let request = Request::post(format!("http://127.0.0.1/etcdserverpb.KV/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(Bytes::from(body)))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?;
        let status = |headers: &HeaderMap| headers.get("grpc-status").cloned();
        let status = body.trailers().and_then(status).or(status(&head.headers));
        ensure!(
            status.as_ref().is_some_and(|status| status == "0"),
            "etcd answers {status:?}"
        );
        Ok(body.to_bytes())
    }
}

/// A field of bytes as protobuf has it.
fn field(message: &mut Vec<u8>, number: u8, value: &[u8]) {
    message.push(number << 3 | 2);
    let mut length = value.len();
    while length >= 0x80 {
        message.push(length as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_its_number_its_length_and_its_bytes() {
        let mut message = Vec::new();
        field(&mut message, 1, b"ab");
        field(&mut message, 2, &[7; 300]);
        assert_eq!(message[..4], [0x0a, 2, b'a', b'b']);
        assert_eq!(message[4..8], [0x12, 0xac, 0x02, 7]);
        assert_eq!(message.len(), 307);
    }
}
