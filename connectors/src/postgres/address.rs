//! Where the database is and how it is spoken to.

use std::{fmt::Write as _, time::Duration};

use hermod_sdk::{ConnectorError, ErrorKind};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{PostgresSinkConfig, PostgresSslMode};
use crate::tls::{Trust, client_config};

/// A database's address with everything that connecting needs.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) options: tokio_postgres::Config,
    pub(super) tls: MakeRustlsConnect,
    /// `host:port/database`, for errors.
    pub(super) shown: String,
}

impl Address {
    /// Resolves secrets and reads the certificates that are named.
    pub(super) fn of(config: &PostgresSinkConfig) -> Result<Self, ConnectorError> {
        let mut from_text = None;
        let mut options = match &config.connection_string {
            Some(secret) => {
                let (text, mode) = split_sslmode(&secret.resolve()?)?;
                from_text = mode;
                // I10: the parser's own words may repeat parts of the text.
                text.parse().map_err(|_| {
                    let message = "the connection string is neither a URL nor libpq's pairs";
                    ConnectorError::new(ErrorKind::Auth, message)
                })?
            }
            None => from_fields(config)?,
        };
        let mode = config
            .sslmode
            .or(from_text)
            .unwrap_or(PostgresSslMode::Prefer);
        let (mode, trust) = match mode {
            PostgresSslMode::Disable => (SslMode::Disable, Trust::Nobody),
            PostgresSslMode::Prefer => (SslMode::Prefer, Trust::Anyone),
            PostgresSslMode::Require => (SslMode::Require, Trust::Anyone),
            PostgresSslMode::VerifyFull => {
                let authority = config.sslrootcert.clone().map(Trust::Authority);
                (SslMode::Require, authority.unwrap_or(Trust::Platform))
            }
        };
        options
            .ssl_mode(mode)
            .application_name(&config.application_name)
            .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
            // A server that vanished without a word is noticed though nothing is sent.
            .keepalives_idle(Duration::from_secs(30))
            .tcp_user_timeout(Duration::from_millis(config.timeout_ms));
        Ok(Self {
            tls: MakeRustlsConnect::new(client_config(&trust)?),
            shown: shown(&options),
            options,
        })
    }
}

fn from_fields(config: &PostgresSinkConfig) -> Result<tokio_postgres::Config, ConnectorError> {
    let mut options = tokio_postgres::Config::new();
    options.port(config.port);
    options.host(config.host.as_deref().unwrap_or("localhost"));
    if let Some(user) = &config.user {
        options.user(user);
    }
    if let Some(password) = &config.password {
        options.password(password.resolve()?);
    }
    if let Some(dbname) = &config.dbname {
        options.dbname(dbname);
    }
    Ok(options)
}

fn shown(options: &tokio_postgres::Config) -> String {
    let mut text = String::new();
    for (index, host) in options.get_hosts().iter().enumerate() {
        let port = options
            .get_ports()
            .get(index)
            .or(options.get_ports().first());
        let name = match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        let comma = if index == 0 { "" } else { "," };
        // Writing to text cannot fail.
        write!(text, "{comma}{name}:{}", port.unwrap_or(&5432)).ok();
    }
    if let Some(name) = options.get_dbname().or(options.get_user()) {
        text.push('/');
        text.push_str(name);
    }
    text
}

/// Takes `sslmode` out of a connection string, since the client library does not know all of its values.
fn split_sslmode(text: &str) -> Result<(String, Option<PostgresSslMode>), ConnectorError> {
    const NAME: &str = "sslmode=";
    let is_start = |at: usize| at == 0 || matches!(text.as_bytes()[at - 1], b' ' | b'?' | b'&');
    let found = text.match_indices(NAME).map(|(at, _)| at);
    let Some(at) = found.into_iter().find(|at| is_start(*at)) else {
        return Ok((text.to_owned(), None));
    };
    let value = &text[at + NAME.len()..];
    let end = value.find([' ', '&']).unwrap_or(value.len());
    let mode = match value[..end].trim_matches('\'') {
        "disable" => PostgresSslMode::Disable,
        "prefer" => PostgresSslMode::Prefer,
        "require" => PostgresSslMode::Require,
        "verify-full" => PostgresSslMode::VerifyFull,
        _ => {
            let message = "`sslmode` in the connection string is not one of `disable`, `prefer`, `require`, `verify-full`";
            return Err(ConnectorError::new(ErrorKind::Auth, message));
        }
    };
    let after = &value[end..];
    let rest = match text[..at].strip_suffix('?') {
        Some(before) if after.is_empty() => before.to_owned(),
        Some(before) => format!("{before}?{}", &after[1..]),
        None => format!("{}{after}", text[..at].trim_end_matches(['&', ' '])),
    };
    Ok((rest, Some(mode)))
}

#[cfg(test)]
mod tests {
    use hermod_sdk::Secret;
    use serde_json::json;

    use super::*;

    fn config(text: &str) -> PostgresSinkConfig {
        let mut config: PostgresSinkConfig = serde_json::from_value(json!({"table": "t"})).unwrap();
        config.connection_string = Some(Secret::new(text));
        config
    }

    #[test]
    fn sslmode_is_taken_out_of_both_forms() {
        let cases = [
            ("postgres://u@h/d?sslmode=verify-full", "postgres://u@h/d"),
            (
                "postgres://u@h/d?sslmode=verify-full&options=x",
                "postgres://u@h/d?options=x",
            ),
            (
                "postgres://u@h/d?options=x&sslmode=verify-full",
                "postgres://u@h/d?options=x",
            ),
            ("host=h sslmode=verify-full user=u", "host=h user=u"),
            ("sslmode='verify-full' host=h", " host=h"),
        ];
        for (text, rest) in cases {
            let split = split_sslmode(text).unwrap();
            assert_eq!(split, (rest.to_owned(), Some(PostgresSslMode::VerifyFull)));
        }
        assert_eq!(
            split_sslmode("host=h").unwrap(),
            ("host=h".to_owned(), None)
        );
        assert!(split_sslmode("host=h sslmode=allow").is_err());
    }

    #[test]
    fn i10_an_address_is_shown_without_its_password() {
        let address = Address::of(&config("postgres://joe:hunter2@db.example:6000/shop")).unwrap();
        assert_eq!(address.shown, "db.example:6000/shop");
        let error = Address::of(&config("postgres://joe:hunter2@["))
            .err()
            .unwrap();
        assert!(!error.report().contains("hunter2"), "{}", error.report());
    }
}
