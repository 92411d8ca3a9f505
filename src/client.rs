//! A client of the API.
//!
//! Commands that change a running platform are requests like anybody else's: what a person may do is decided by the node
//! that answers, never here.

mod account;
mod address;
mod difference;
mod event;
mod hidden;
mod problem;
mod session;
mod tls;

use std::time::Duration;

use hermod_api::Code;
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, ETAG, HeaderMap, HeaderValue, IF_MATCH},
};
use serde_json::Value;
use tokio::runtime::Runtime;

pub(crate) use account::Account;
pub(crate) use address::Server;
pub(crate) use difference::{Change, changes};
pub(crate) use event::Event;
pub(crate) use hidden::{Hidden, Prompt, password};
pub(crate) use problem::Places;
pub(crate) use session::Session;

use crate::failure::Failure;

/// Longest time to reach the server.
const CONNECT: Duration = Duration::from_secs(10);

/// Longest silence of a server that was reached. A replay of many dead letters takes a while; streams of events show a
/// sign of life four times a minute.
const SILENCE: Duration = Duration::from_mins(2);

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Objects of a page, the most that the API gives.
const PAGE: usize = 200;

/// Header with which a session proves that a request is meant.
const CSRF: &str = "x-csrf-token";

/// Environment variable that names the server.
pub(crate) const SERVER_VARIABLE: &str = "HERMOD_SERVER";

/// Environment variable that holds an API token.
pub(crate) const TOKEN_VARIABLE: &str = "HERMOD_TOKEN";

/// What shows who asks.
enum Proof {
    Nothing,
    Token(Hidden),
    Session { cookie: Hidden, csrf: Hidden },
}

/// Asks one server, as one person.
pub(crate) struct Client {
    server: Server,
    http: reqwest::Client,
    runtime: Runtime,
    proof: Proof,
}

/// An answer to what was asked.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Version of the object, as `If-Match` takes it.
    pub(crate) etag: Option<String>,
    /// The document; null where there is none.
    pub(crate) body: Value,
}

/// Finds out which server is meant: the flag, the environment, whom one is logged in to, this machine.
pub(crate) fn server(flag: Option<&str>) -> Result<Server, Failure> {
    if let Some(flag) = flag {
        return Server::parse(flag);
    }
    if let Some(named) = variable(SERVER_VARIABLE) {
        return Server::parse(&named);
    }
    match Account::read()? {
        Some(account) => Server::parse(&account.server),
        None => Server::parse(Server::DEFAULT),
    }
}

/// Returns an environment variable that says something.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

impl Client {
    /// Makes a client with the token of the environment or of the last login.
    ///
    /// # Errors
    /// Nobody is logged in to this server: a token is shown to nobody but whom it is from (I10).
    pub(crate) fn signed_in(flag: Option<&str>) -> Result<Self, Failure> {
        let server = server(flag)?;
        if let Some(token) = variable(TOKEN_VARIABLE) {
            return Self::new(server, Proof::Token(Hidden::new(token.trim())));
        }
        match Account::of(&server)? {
            Some(account) => Self::new(server, Proof::Token(account.token)),
            None => Err(
                Failure::new(Code::SignIn, format!("you are not logged in to `{server}`"))
                    .with_hint("run `hermod login`, or set HERMOD_TOKEN to an API token"),
            ),
        }
    }

    /// Makes a client with the token of a login.
    pub(crate) fn of_account(account: &Account) -> Result<Self, Failure> {
        let server = Server::parse(&account.server)?;
        Self::new(server, Proof::Token(account.token.clone()))
    }

    fn new(server: Server, proof: Proof) -> Result<Self, Failure> {
        let impossible = |error: &dyn std::error::Error| {
            Failure::new(
                Code::Control,
                format!("HTTP client cannot be made: {error}"),
            )
        };
        let http = reqwest::Client::builder()
            .user_agent(concat!("hermod/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            // A token goes where it was meant to go, and through nobody's hands.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tls_backend_preconfigured(tls::client_config(server.is_encrypted())?)
            .build()
            .map_err(|error| impossible(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| impossible(&error))?;
        Ok(Self {
            server,
            http,
            runtime,
            proof,
        })
    }

    /// Begins a request; `path` is what follows `/api`, one name a step.
    pub(crate) fn ask<'a>(&'a self, method: Method, path: &[&str]) -> Ask<'a> {
        Ask {
            client: self,
            method,
            url: self.server.api(path),
            body: None,
            etag: None,
            places: None,
        }
    }

    /// Reads an object.
    pub(crate) fn get(&self, path: &[&str]) -> Result<Answer, Failure> {
        self.ask(Method::GET, path).send()
    }

    /// Asks for something to be done that needs no more words.
    pub(crate) fn post(&self, path: &[&str]) -> Result<Answer, Failure> {
        self.ask(Method::POST, path).send()
    }

    /// Reads an object that may not be there.
    pub(crate) fn find(&self, path: &[&str]) -> Result<Option<Answer>, Failure> {
        match self.get(path) {
            Ok(answer) => Ok(Some(answer)),
            Err(failure) if failure.code == Code::NoSuchObject => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads a whole list, page by page.
    pub(crate) fn all(&self, list: &str, search: Option<&str>) -> Result<Vec<Value>, Failure> {
        let mut found = Vec::new();
        for page in 1_usize.. {
            let mut answer = self
                .ask(Method::GET, &[list])
                .query("page", page)
                .query("limit", PAGE)
                .query_if("search", search)
                .send()?;
            let Value::Array(data) = answer.body["data"].take() else {
                break;
            };
            let is_last = data.len() < PAGE;
            found.extend(data);
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    /// Removes an object as it is now.
    pub(crate) fn remove(&self, path: &[&str], discard: bool) -> Result<(), Failure> {
        let etag = self.get(path)?.etag;
        let mut ask = self.ask(Method::DELETE, path).if_match(etag);
        if discard {
            ask = ask.query("discard", true);
        }
        ask.send().map(drop)
    }

    fn headers(&self) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        let mut add = |name: reqwest::header::HeaderName, text: String| {
            let mut value = HeaderValue::try_from(text).map_err(|_| {
                let message = "the token holds characters that no token has";
                Failure::new(Code::SignIn, message)
                    .with_hint("set HERMOD_TOKEN to a token as it was shown, or run `hermod login`")
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
            Ok::<_, Failure>(())
        };
        match &self.proof {
            Proof::Nothing => {}
            Proof::Token(token) => add(AUTHORIZATION, format!("Bearer {}", token.reveal()))?,
            Proof::Session { cookie, csrf } => {
                add(COOKIE, cookie.reveal().to_owned())?;
                add(
                    reqwest::header::HeaderName::from_static(CSRF),
                    csrf.reveal().to_owned(),
                )?;
            }
        }
        Ok(headers)
    }
}

/// A request that is being put together.
pub(crate) struct Ask<'a> {
    client: &'a Client,
    method: Method,
    url: reqwest::Url,
    body: Option<String>,
    etag: Option<String>,
    places: Option<Places<'a>>,
}

impl<'a> Ask<'a> {
    /// Adds a parameter.
    pub(crate) fn query(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.url
            .query_pairs_mut()
            .append_pair(name, &value.to_string());
        self
    }

    /// Adds a parameter where it has a value.
    pub(crate) fn query_if(
        self,
        name: &str,
        value: Option<&(impl std::fmt::Display + ?Sized)>,
    ) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Sends a document.
    pub(crate) fn body(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string());
        self
    }

    /// Names the version that a change is based on.
    pub(crate) fn if_match(mut self, etag: Option<String>) -> Self {
        self.etag = etag;
        self
    }

    /// Says in which file the document stands, for what is wrong with it.
    pub(crate) fn from(mut self, places: Places<'a>) -> Self {
        self.places = Some(places);
        self
    }

    /// Asks.
    ///
    /// # Errors
    /// What the server refuses, and every way of not getting its answer. Where a change may have been made all the
    /// same, the failure says so.
    pub(crate) fn send(self) -> Result<Answer, Failure> {
        self.client
            .runtime
            .block_on(self.exchange())
            .map(|got| got.0)
    }

    /// Asks, and returns the answer's headers too.
    fn send_with_headers(self) -> Result<(Answer, HeaderMap), Failure> {
        self.client.runtime.block_on(self.exchange())
    }

    async fn exchange(&self) -> Result<(Answer, HeaderMap), Failure> {
        let mut response = self.open().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut bytes = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.broken(&error))?
        {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                let message = format!("`{}` answers more than can be read", self.client.server);
                return Err(Failure::new(Code::Control, message));
            }
            bytes.extend_from_slice(&chunk);
        }
        let body = serde_json::from_slice(&bytes);
        if !status.is_success() {
            let answer = problem::Refused {
                server: &self.client.server,
                status,
                headers: &headers,
                body: body.unwrap_or(Value::Null),
            };
            return Err(answer.into_failure(self.places.as_ref()));
        }
        let body = match body {
            Ok(body) => body,
            Err(_) if status == StatusCode::NO_CONTENT || bytes.is_empty() => Value::Null,
            Err(_) => return Err(problem::not_ours(&self.client.server, status)),
        };
        let etag = headers.get(ETAG).and_then(|tag| tag.to_str().ok());
        let etag = etag.map(str::to_owned);
        Ok((Answer { etag, body }, headers))
    }

    async fn open(&self) -> Result<reqwest::Response, Failure> {
        let mut request = self
            .client
            .http
            .request(self.method.clone(), self.url.clone())
            .headers(self.client.headers()?);
        if let Some(etag) = &self.etag {
            request = request.header(IF_MATCH, etag);
        }
        if let Some(body) = &self.body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        request.send().await.map_err(|error| self.broken(&error))
    }

    /// Says why no answer came.
    fn broken(&self, error: &reqwest::Error) -> Failure {
        let (server, cause) = (&self.client.server, problem::cause(error));
        let asked_for_a_change = self.method != Method::GET;
        if asked_for_a_change && !error.is_connect() && !error.is_builder() {
            let message = format!("the connection to `{server}` broke before its answer: {cause}");
            return Failure::new(Code::StoreUnknown, message);
        }
        Failure::new(
            Code::Control,
            format!("`{server}` does not answer: {cause}"),
        )
        .with_hint("check the address (`--server`, HERMOD_SERVER), and that a node listens there")
    }
}
