//! A client of the API.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::http::{Answer, Connection};

/// How long one answer may take for those that wait for it; senders have times of their own.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// One connection to an address, kept open while it can be.
pub(super) struct Client {
    address: SocketAddr,
    token: String,
    within: Duration,
    connection: Option<Connection>,
}

impl Client {
    pub(super) fn new(address: SocketAddr, token: &str) -> Self {
        Self {
            address,
            token: token.to_owned(),
            within: ANSWER_WITHIN,
            connection: None,
        }
    }

    pub(super) fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Asks once. An error that is not a refused connection leaves the outcome unknown.
    pub(super) fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> std::io::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open_at(self.address, self.within)?,
        };
        let mut head = format!("{method} {path} HTTP/1.1\r\nContent-Type: application/json");
        if !self.token.is_empty() {
            head += &format!("\r\nAuthorization: Bearer {}", self.token);
        }
        let answer = connection.request(&(head + headers), body)?;
        if answer.keeps_open() {
            self.connection = Some(connection);
        }
        Ok(answer)
    }

    /// Reads a document.
    pub(super) fn get(&mut self, path: &str) -> anyhow::Result<Value> {
        let answer = self.call("GET", path, "", "")?;
        ensure!(
            answer.status == 200,
            "`{path}` answers {}: {}",
            answer.status,
            text(&answer)
        );
        Ok(serde_json::from_slice(&answer.body)?)
    }

    /// Reads a document, again and again until it is there.
    pub(super) fn get_within(&mut self, path: &str, within: Duration) -> anyhow::Result<Value> {
        let started = Instant::now();
        loop {
            match self.get(path) {
                Ok(value) => return Ok(value),
                Err(error) if started.elapsed() > within => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Sends a document, again while the platform says that nothing was done.
    pub(super) fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let started = Instant::now();
        loop {
            let answer = self.call("POST", path, "", &body.to_string())?;
            match answer.status {
                200 | 201 => return Ok(serde_json::from_slice(&answer.body)?),
                204 => return Ok(Value::Null),
                503 if started.elapsed() < Duration::from_secs(20) => {
                    std::thread::sleep(Duration::from_millis(200));
                }
                status => bail!("`{path}` answers {status}: {}", text(&answer)),
            }
        }
    }
}

/// Logs in and makes an API token.
pub(super) fn token(address: SocketAddr, password: &str) -> anyhow::Result<String> {
    let mut client = Client::new(address, "").within(Duration::from_secs(20));
    let login = json!({"username": "admin", "password": password});
    let answer = client.call("POST", "/api/login", "", &login.to_string())?;
    ensure!(
        answer.status == 200,
        "the login answers {}: {}",
        answer.status,
        text(&answer)
    );
    let cookie = answer
        .header("set-cookie")
        .and_then(|value| value.split(';').next())
        .context("the login sets no cookie")?;
    let me: Value = serde_json::from_slice(&answer.body)?;
    let csrf = me["csrf_token"]
        .as_str()
        .context("the login has no CSRF token")?;
    let headers = format!("\r\nCookie: {cookie}\r\nX-CSRF-Token: {csrf}");
    let wanted = json!({"name": "chaos", "role": "Administrator"});
    let made = client.call("POST", "/api/tokens", &headers, &wanted.to_string())?;
    ensure!(
        made.status == 201,
        "a new token answers {}: {}",
        made.status,
        text(&made)
    );
    let made: Value = serde_json::from_slice(&made.body)?;
    Ok(made["token"]
        .as_str()
        .context("the answer has no token")?
        .to_owned())
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}
