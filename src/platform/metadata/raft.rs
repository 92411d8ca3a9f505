//! The Raft store's settings, and the listener that other nodes reach.

use std::sync::Arc;

use hermod_api::Code;
use hermod_engine::Tasks;
use hermod_storage::{
    Raft, RaftOptions,
    channel::{Channel, Identity, Listener, Router, Topic},
};

use zeroize::Zeroizing;

use super::{DIRECTORY, wrong};
use crate::{config::Config, data_dir::DataDir, failure::Failure};

/// How other nodes reach this one.
pub(super) struct Wire {
    pub(super) identity: Identity,
    pub(super) router: Arc<Router>,
    /// As other nodes know it.
    pub(super) address: String,
}

impl Wire {
    /// Takes the address for other nodes, if there is to be one; everything is refused until the store answers.
    pub(super) async fn open(
        config: &Config,
        name: &str,
        tasks: &Tasks,
    ) -> Result<Option<Self>, Failure> {
        let Some(listen) = &config.cluster_listen else {
            if config.peers.is_empty() && config.join.is_none() {
                return Ok(None);
            }
            let message =
                "`peers` and `join` need `cluster_listen`, where other nodes reach this one";
            return Err(Failure::new(Code::Configuration, message));
        };
        let identity = Identity::from_secret(secret(config)?.trim().as_bytes(), name);
        let identity = identity.map_err(wrong)?;
        let router = Arc::new(Router::new());
        let handler: Arc<dyn hermod_storage::channel::Handler> = router.clone();
        let listener = Listener::bind(listen, &identity, handler).await;
        let listener =
            listener.map_err(|error| Failure::new(Code::AddressUnusable, super::chain(error)))?;
        let bound = listener.local_addr();
        let address = advertised(config, name, bound)?;
        tasks.spawn("cluster listener", listener.run(tasks.cancelled().clone()));
        tracing::info!(%bound, address, "other nodes reach this one");
        Ok(Some(Self {
            identity,
            router,
            address,
        }))
    }
}

/// Returns how other nodes reach this one: as it says itself, as the list of peers says, or where it listens.
fn advertised(config: &Config, name: &str, bound: std::net::SocketAddr) -> Result<String, Failure> {
    if let Some(address) = &config.cluster_address {
        return Ok(address.clone());
    }
    if let Some((_, address)) = config.peers.iter().find(|(peer, _)| peer == name) {
        return Ok(address.clone());
    }
    if bound.ip().is_unspecified() {
        let message = format!(
            "`cluster_listen` = `{bound}` takes every address; name the one that other nodes reach with `cluster_address`"
        );
        return Err(Failure::new(Code::Configuration, message));
    }
    Ok(bound.to_string())
}

/// Reads the cluster's secret.
fn secret(config: &Config) -> Result<Zeroizing<String>, Failure> {
    let Some(path) = &config.cluster_secret_file else {
        let message = "`cluster_listen` needs `cluster_secret_file`: a file with the same secret on every node, made for example with `openssl rand -hex 32`";
        return Err(Failure::new(Code::Configuration, message));
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("`cluster_secret_file` `{}`: {error}", path.display());
        Failure::new(Code::Configuration, message)
    })?;
    Ok(Zeroizing::new(text))
}

pub(super) fn options(
    config: &Config,
    directory: &DataDir,
    name: &str,
    (channel, address): (&Arc<dyn Channel>, &Option<String>),
) -> Result<RaftOptions, Failure> {
    let mut options = RaftOptions::new(directory.path().join(DIRECTORY), name, channel.clone());
    options.address.clone_from(address);
    options.founders.clone_from(&config.peers);
    options.join.clone_from(&config.join);
    options.clock_skew_max = config.lease_ttl / 25;
    if !config.peers.is_empty() && config.peers.iter().all(|(peer, _)| peer != name) {
        let message =
            format!("`peers` does not list this node, `{name}`; set `node_name` or mend the list");
        return Err(Failure::new(Code::Configuration, message));
    }
    Ok(options)
}

/// Lets members ask, and the store answer them.
pub(super) fn answer(router: &Router, raft: &Arc<Raft>) {
    router.route(Topic::STORE, raft.clone());
    router.admit_by(raft.clone());
}
