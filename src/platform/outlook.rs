//! The platform as the node's probes and push ingress see it.

use std::sync::Arc;

use hermod_api::{Forward, Forwarded, LeaseState, StoreState, Whereabouts, Workers};
use hermod_sdk::PushProtocol;
use hermod_storage::Role;

use super::{core::Core, push::Forwarder};

/// How long a worker that is not heard of counts as recent, in milliseconds.
const RECENT_MS: u64 = 60_000;

/// What is around the workflows of this node.
pub(crate) struct Outlook {
    pub(super) core: Arc<Core>,
    pub(super) forwarder: Forwarder,
    pub(super) leases_required: bool,
}

impl Outlook {
    pub(crate) async fn whereabouts(&self, protocol: PushProtocol, path: &str) -> Whereabouts {
        self.forwarder.whereabouts(protocol, path).await
    }

    pub(crate) async fn forward(&self, request: Forwarded) -> Forward {
        self.forwarder.forward(request).await
    }

    pub(crate) fn store_state(&self) -> StoreState {
        let health = self.core.store().health();
        StoreState {
            writable: health.writable,
            role: match health.role {
                Role::Leader => "leader",
                Role::Follower => "follower",
                Role::Learner => "learner",
                Role::Candidate => "candidate",
                Role::Client => "client",
            },
            reason: health.reason,
        }
    }

    pub(crate) async fn workers(&self) -> Workers {
        let now_ms = self.core.store().now_ms();
        let known = self.core.registry().workers().await.unwrap_or_default();
        let recent = known
            .iter()
            .filter(|(_, worker)| worker.seen_ms.is_some_and(|seen| now_ms < seen + RECENT_MS))
            .count();
        Workers {
            recent,
            stale: known.len() - recent,
        }
    }

    pub(crate) fn leases(&self) -> Option<LeaseState> {
        if !self.core.mode.has_worker() {
            return None;
        }
        let (owned, renewed) = self.core.leases.state();
        Some(LeaseState {
            owned,
            renewed,
            required: self.leases_required,
        })
    }
}
