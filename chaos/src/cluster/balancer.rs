//! HAProxy in front of the nodes.

use std::{
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
};

use anyhow::Context as _;

use super::process::Server;

/// A running HAProxy.
pub(super) struct Balancer {
    _server: Server,
    address: SocketAddr,
}

impl Balancer {
    pub(super) fn start(dir: &Path, nodes: &[SocketAddr]) -> anyhow::Result<Self> {
        let port = crate::prove::node::free_port()?;
        let path = dir.join("haproxy.cfg");
        fs::write(&path, settings(port, nodes))?;
        // Debian puts it where not everyone's PATH leads.
        let program = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .unwrap_or("haproxy");
        let server = Server::start(
            Command::new(program).arg("-db").arg("-f").arg(&path),
            &dir.join("haproxy.log"),
        )
        .context("the balancer is HAProxy; Debian's package is `haproxy`")?;
        Ok(Self {
            _server: server,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Checks twice a second, two failures: a node that is away or stands still is left out after a second and a half at
/// most, and what waits for it is cut, so that its sender tries again elsewhere. Only a connection that was never made
/// is tried again here: HAProxy cannot know what came of a request that was sent.
fn settings(port: u16, nodes: &[SocketAddr]) -> String {
    let mut text = format!(
        "global\n    maxconn 4096\n\
         defaults\n    mode http\n    timeout connect 500ms\n    timeout client 60s\n    timeout server 35s\n    \
         timeout check 500ms\n    retries 3\n    option redispatch 1\n    retry-on conn-failure\n    \
         option httpchk GET /readyz\n    \
         default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions\n\
         listen hermod\n    bind 127.0.0.1:{port}\n    balance roundrobin\n"
    );
    for (index, node) in nodes.iter().enumerate() {
        // Writing to a text does not fail.
        writeln!(text, "    server n{} {node} check", index + 1).ok();
    }
    text
}
