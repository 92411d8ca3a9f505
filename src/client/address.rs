//! Where the server is.

use std::{fmt, net::IpAddr};

use hermod_api::Code;
use reqwest::Url;

use crate::failure::Failure;

/// Address of a server, without the `/api` of its paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server(Url);

impl Server {
    /// A node of this machine with nothing else said.
    pub(crate) const DEFAULT: &'static str = "http://127.0.0.1:8080";

    /// Reads an address.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let refused = |message: &str| {
            // What was given may hold a password: it is not repeated (I10).
            Failure::new(
                Code::Configuration,
                format!("the server's address {message}"),
            )
            .with_hint("give the whole address, such as https://hermod.example.org or http://127.0.0.1:8080")
        };
        let mut url =
            Url::parse(text.trim()).map_err(|error| refused(&format!("is not one: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("must begin with `http://` or `https://`"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(
                "holds a name or password; `hermod login` asks for them",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused("has something behind its path"));
        }
        // One server has one name.
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// Returns the address of something of the API, one name a step.
    pub(crate) fn api(&self, path: &[&str]) -> Url {
        let mut url = self.0.clone();
        // An address of `http` or `https` always has a path.
        if let Ok(mut steps) = url.path_segments_mut() {
            steps.pop_if_empty().push("api").extend(path);
        }
        url
    }

    /// Returns whether what is said to it cannot be overheard by others.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns whether it is this machine.
    pub(crate) fn is_here(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_steps_of_the_path_whatever_they_hold() {
        let server = Server::parse("https://h.example/base/").unwrap();
        assert_eq!(server, Server::parse("https://H.example/base").unwrap());
        assert_eq!(server.to_string(), "https://h.example/base");
        let url = server.api(&["workflows", "a/../b?c", "status"]);
        assert_eq!(
            url.as_str(),
            "https://h.example/base/api/workflows/a%2F..%2Fb%3Fc/status"
        );
    }

    #[test]
    fn i10_an_address_with_a_password_is_refused_and_not_repeated() {
        for bad in [
            "http://ann:hunter2@h",
            "hunter2",
            "ftp://hunter2",
            "http://h/?x=hunter2",
            "localhost:8080",
        ] {
            let failure = Server::parse(bad).unwrap_err();
            assert_eq!(failure.code, Code::Configuration);
            assert!(!failure.to_string().contains("hunter2"), "{failure}");
        }
    }

    #[test]
    fn this_machine_is_known() {
        for here in ["http://localhost:1", "http://127.0.0.9", "http://[::1]:80"] {
            assert!(Server::parse(here).unwrap().is_here(), "{here}");
        }
        assert!(!Server::parse("http://10.0.0.1").unwrap().is_here());
    }
}
