//! Where push sources are reached, and the path of one in an address.

use std::borrow::Cow;

use hermod_sdk::PushProtocol;

/// Where webhooks live.
const WEBHOOKS: &str = "/api/webhooks/";

/// Where GraphQL sources live.
const GRAPHQL: &str = "/api/graphql/";

/// Returns what kind of source an address is for, if it is for one.
pub(crate) fn protocol(path: &str) -> Option<PushProtocol> {
    if path.starts_with(WEBHOOKS) {
        Some(PushProtocol::Webhook)
    } else if path.starts_with(GRAPHQL) {
        Some(PushProtocol::Graphql)
    } else {
        None
    }
}

/// Returns the source's path in an address; `None` if it is not valid UTF-8 behind its percent encoding.
pub(super) fn below(protocol: PushProtocol, path: &str) -> Option<Cow<'_, str>> {
    let prefix = match protocol {
        PushProtocol::Webhook => WEBHOOKS,
        PushProtocol::Graphql => GRAPHQL,
        PushProtocol::Grpc => return None,
    };
    decode(path.strip_prefix(prefix).unwrap_or_default())
}

/// Undoes percent encoding; `None` if it is not valid UTF-8 behind it.
fn decode(path: &str) -> Option<Cow<'_, str>> {
    if !path.contains('%') {
        return Some(Cow::Borrowed(path));
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let (digits, behind) = after.split_at_checked(2)?;
            let digit = |byte: u8| char::from(byte).to_digit(16);
            bytes.push((digit(digits[0])? * 16 + digit(digits[1])?) as u8);
            rest = behind;
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_or_refused() {
        assert_eq!(decode("orders").as_deref(), Some("orders"));
        assert_eq!(decode("a%20b/%C3%A9").as_deref(), Some("a b/é"));
        for bad in ["%", "%2", "%zz", "%ff", "%+1"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_prefix_is_of_one_protocol() {
        for (path, expected, rest) in [
            ("/api/webhooks/a/b", PushProtocol::Webhook, "a/b"),
            ("/api/graphql/a%20b", PushProtocol::Graphql, "a b"),
        ] {
            assert_eq!(protocol(path), Some(expected));
            assert_eq!(below(expected, path).as_deref(), Some(rest));
        }
        for other in ["/api/graphql", "/api/webhooks", "/api/grpc/x", "/"] {
            assert_eq!(protocol(other), None, "{other}");
        }
    }
}
