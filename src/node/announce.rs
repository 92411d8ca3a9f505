//! What a person sees when a node starts: the address, and a line to paste for each webhook.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

use hermod_api::Code;
use hermod_engine::WorkflowPlan;
use hermod_sdk::{PushProtocol, SourceOpener};

use crate::{failure::Failure, output};

/// What will be announced once the address is known.
pub(crate) struct Announcement {
    /// A workflow writes data to standard output, which must stay clean then.
    stdout_is_data: bool,
    /// Paths of the webhooks, and whether their requests need a signature.
    webhooks: BTreeMap<String, bool>,
    /// Whether there is another push source.
    has_push: bool,
}

impl Announcement {
    pub(crate) fn new(plans: &[&WorkflowPlan]) -> Self {
        let stdout_is_data = plans
            .iter()
            .flat_map(|plan| &plan.sinks)
            .any(|sink| sink.kind == "stdout");
        let mut webhooks = BTreeMap::new();
        let mut has_push = false;
        for plan in plans.iter().filter(|plan| plan.active) {
            if let SourceOpener::Push {
                open,
                warning,
                protocol,
            } = &plan.source.opener
            {
                has_push = true;
                if *protocol == PushProtocol::Webhook
                    && let Ok(source) = open()
                {
                    webhooks.insert(source.path().to_owned(), warning.is_none());
                }
            }
        }
        Self {
            stdout_is_data,
            webhooks,
            has_push,
        }
    }

    pub(crate) fn print(&self, address: SocketAddr, directory: &Path) {
        if !self.has_push {
            return;
        }
        let base = format!("http://{}", reachable(address));
        self.line(&format!(
            "hermod listens on {base} and keeps its data in {}",
            directory.display()
        ));
        for (path, is_signed) in &self.webhooks {
            self.line(&Self::curl(&base, path, *is_signed));
        }
    }

    fn curl(base: &str, path: &str, is_signed: bool) -> String {
        let url = format!("{base}/api/webhooks/{}", encode(path));
        let body = r#"{"id":1,"item":"book"}"#;
        if is_signed {
            // The secret is never printed (I10).
            return format!(
                "BODY='{body}'; curl -i '{url}' -H \"X-Hub-Signature-256: sha256=$(printf %s \"$BODY\" | \
                 openssl dgst -sha256 -hmac \"$SECRET\" | sed 's/.*= //')\" -d \"$BODY\""
            );
        }
        format!("curl -i '{url}' -H 'Content-Type: application/json' -d '{body}'")
    }

    fn line(&self, text: &str) {
        if self.stdout_is_data {
            output::error_line(text);
        } else {
            output::line(text);
        }
    }
}

/// Returns an address that a client on this machine can use.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Percent-encodes what cannot stand in a path, or would end the quotes around the address.
fn encode(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text += &format!("%{byte:02X}");
        }
    }
    text
}

/// Refuses two workflows that want the same path.
pub(crate) fn paths_are_unique(plans: &[&WorkflowPlan]) -> Result<(), Failure> {
    let mut taken = BTreeMap::new();
    for plan in plans.iter().filter(|plan| plan.active) {
        let SourceOpener::Push { protocol, open, .. } = &plan.source.opener else {
            continue;
        };
        // A source that cannot be opened is reported when its workflow starts.
        let Ok(source) = open() else { continue };
        let path = source.path().to_owned();
        if let Some(other) = taken.insert((*protocol, path.clone()), plan.id.clone()) {
            let message = format!("workflows `{other}` and `{}` both want `{path}`", plan.id);
            return Err(Failure::new(Code::PathTaken, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_pasted() {
        let line = Announcement::curl("http://127.0.0.1:1", "it's/ü", false);
        assert!(
            line.starts_with("curl -i 'http://127.0.0.1:1/api/webhooks/it%27s/%C3%BC'"),
            "{line}"
        );
        assert!(Announcement::curl("http://x", "s", true).contains("$SECRET"));
        assert_eq!(
            reachable("0.0.0.0:80".parse().unwrap()).to_string(),
            "127.0.0.1:80"
        );
        assert_eq!(
            reachable("[::]:80".parse().unwrap()).to_string(),
            "[::1]:80"
        );
    }
}
