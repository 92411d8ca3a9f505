//! Where the nodes' addresses are: on the loopback interface, or each in a network namespace of its own.
//!
//! Namespaces need root and the programs `ip` and `nft`. The bridge between them stands in the namespace of this
//! process, where the balancer and the database are too, so that a node can be cut off from the other nodes alone.

use std::{net::Ipv4Addr, process::Command};

use anyhow::{Context as _, bail};

/// Which way a node is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// From the other nodes; balancer and database still reach it. The most dangerous one: it can still write.
    Peers,
    /// From everything.
    All,
    /// It does not hear the other nodes, and they hear it.
    Deaf,
}

/// The network of a run.
pub(super) enum Network {
    Loopback,
    Namespaces(Namespaces),
}

/// Namespaces with a bridge. Dropped, they are gone.
pub(super) struct Namespaces {
    /// Begins the names of all; interfaces have 15 letters at most.
    prefix: String,
    subnet: [u8; 2],
    nodes: usize,
}

impl Network {
    /// Makes namespaces for so many nodes.
    pub(super) fn namespaces(nodes: usize) -> anyhow::Result<Self> {
        let id = std::process::id();
        let made = Namespaces {
            prefix: format!("hc{}", id % 100_000),
            // A part of 10.0.0.0/8 that is rarely in use.
            subnet: [231, (id % 250) as u8],
            nodes,
        };
        made.make().context(
            "network namespaces cannot be made; a partition needs root, `ip` (iproute2) and `nft` (nftables)",
        )?;
        Ok(Self::Namespaces(made))
    }

    /// Returns a node's address.
    pub(super) fn node(&self, index: usize) -> Ipv4Addr {
        match self {
            Self::Loopback => Ipv4Addr::LOCALHOST,
            Self::Namespaces(made) => made.address(index as u8 + 1),
        }
    }

    /// Returns the address at which nodes reach what is no node.
    pub(super) fn outside(&self) -> Ipv4Addr {
        match self {
            Self::Loopback => Ipv4Addr::LOCALHOST,
            Self::Namespaces(made) => made.address(254),
        }
    }

    /// Returns a command that starts a program on a node's network.
    pub(super) fn command(&self, index: usize, program: &std::path::Path) -> Command {
        match self {
            Self::Loopback => Command::new(program),
            Self::Namespaces(made) => {
                // `ip netns exec` becomes the program: the child's id is the program's.
                let mut command = Command::new("ip");
                command
                    .args(["netns", "exec", &made.name(index)])
                    .arg(program);
                command
            }
        }
    }

    /// Cuts a node off.
    pub(super) fn cut(&self, index: usize, cut: Cut) -> anyhow::Result<()> {
        let Self::Namespaces(made) = self else {
            bail!("a node on the loopback interface cannot be cut off");
        };
        let peers: Vec<String> = (0..made.nodes)
            .filter(|other| *other != index)
            .map(|other| made.address(other as u8 + 1).to_string())
            .collect();
        let peers = peers.join(", ");
        let hears = match cut {
            Cut::All => "ip saddr != 127.0.0.0/8 drop".to_owned(),
            Cut::Peers | Cut::Deaf => format!("ip saddr {{ {peers} }} drop"),
        };
        let speaks = match cut {
            Cut::All => "ip daddr != 127.0.0.0/8 drop".to_owned(),
            Cut::Peers => format!("ip daddr {{ {peers} }} drop"),
            Cut::Deaf => String::new(),
        };
        let rules = format!(
            "table ip chaos {{\n chain hears {{ type filter hook input priority 0; {hears}; }}\n \
             chain speaks {{ type filter hook output priority 0; {}; }}\n}}\n",
            if speaks.is_empty() { "accept" } else { &speaks }
        );
        run(
            "ip",
            &["netns", "exec", &made.name(index), "nft", "-f", "-"],
            &rules,
        )
    }

    /// Joins a node again.
    pub(super) fn heal(&self, index: usize) -> anyhow::Result<()> {
        let Self::Namespaces(made) = self else {
            return Ok(());
        };
        let delete = ["netns", "exec", &made.name(index), "nft", "-f", "-"];
        run("ip", &delete, "delete table ip chaos\n")
    }
}

impl Namespaces {
    fn name(&self, index: usize) -> String {
        format!("{}n{}", self.prefix, index + 1)
    }

    fn address(&self, host: u8) -> Ipv4Addr {
        let [a, b] = self.subnet;
        Ipv4Addr::new(10, a, b, host)
    }

    fn make(&self) -> anyhow::Result<()> {
        let bridge = format!("{}b", self.prefix);
        let mut script = format!(
            "link add {bridge} type bridge\nlink set {bridge} up\naddr add {}/24 dev {bridge}\n",
            self.address(254)
        );
        for index in 0..self.nodes {
            let (name, address) = (self.name(index), self.address(index as u8 + 1));
            script += &format!(
                "netns add {name}\nlink add {name} type veth peer name eth0 netns {name}\n\
                 link set {name} master {bridge} up\n"
            );
            script += &format!(
                "-n {name} addr add {address}/24 dev eth0\n-n {name} link set eth0 up\n-n {name} link set lo up\n"
            );
        }
        // One call a line: `ip -batch` cannot change the namespace.
        for line in script.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            run("ip", &words, "")?;
        }
        Ok(())
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for index in 0..self.nodes {
            run("ip", &["netns", "del", &self.name(index)], "").ok();
        }
        run("ip", &["link", "del", &format!("{}b", self.prefix)], "").ok();
    }
}

fn run(program: &str, arguments: &[&str], input: &str) -> anyhow::Result<()> {
    super::process::run(Command::new(program).args(arguments), input).map(drop)
}
