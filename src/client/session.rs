//! A session by password, for the little that a token may not do: making tokens, and changing one's own password.

use hermod_api::Code;
use reqwest::{Method, header::SET_COOKIE};
use serde_json::{Value, json};

use super::{Client, Hidden, Proof, Server, problem};
use crate::{failure::Failure, output};

/// A session. It is closed when it is not needed any more, and ends by itself otherwise.
pub(crate) struct Session {
    client: Client,
    /// Who it is, as the server says.
    me: Value,
}

impl Session {
    /// Opens a session.
    pub(crate) fn open(server: &Server, user: &str, password: &Hidden) -> Result<Self, Failure> {
        let client = Client::new(server.clone(), Proof::Nothing)?;
        let body = json!({"username": user, "password": password.reveal()});
        let asked = client
            .ask(Method::POST, &["login"])
            .body(&body)
            .send_with_headers();
        let (answer, headers) = asked.map_err(|failure| match failure.code {
            Code::SignIn => failure.with_hint(
                "check name and password; a platform without users is set up with `hermod setup` first",
            ),
            _ => failure,
        })?;
        let cookies = headers.get_all(SET_COOKIE).iter();
        let mut cookies = cookies.filter_map(|cookie| cookie.to_str().ok());
        let cookie = cookies.find_map(|cookie| {
            let pair = cookie.split(';').next()?;
            pair.starts_with("hermod_session=")
                .then(|| Hidden::new(pair))
        });
        let csrf = answer.body["csrf_token"].as_str().map(Hidden::new);
        let (Some(cookie), Some(csrf)) = (cookie, csrf) else {
            return Err(problem::not_ours(server, reqwest::StatusCode::OK));
        };
        let mut me = answer.body;
        if let Value::Object(members) = &mut me {
            members.remove("csrf_token");
        }
        let client = Client {
            proof: Proof::Session { cookie, csrf },
            ..client
        };
        Ok(Self { client, me })
    }

    /// Does something within the session, and closes it however that ends.
    pub(crate) fn within<T>(
        self,
        doing: impl FnOnce(&Client, &Value) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let done = doing(&self.client, &self.me);
        self.close();
        done
    }

    fn close(self) {
        if let Err(failure) = self.client.post(&["logout"]) {
            // What was asked for is done; the session ends by itself after twelve hours.
            output::error_line(format!(
                "warning: the session stays open: {}",
                failure.message
            ));
        }
    }
}
