//! API tokens.

use std::{sync::Arc, time::Duration};

use hermod_storage::registry::{AccessRole, Token};
use hyper::StatusCode;

use super::{
    Shared,
    call::{Call, Proof, Reply},
    failure::{forbidden, missing},
    identity::token_id,
    shape::{NewToken, TokenMade, TokenView, Whole},
};
use crate::{
    Code,
    access::{API_TOKEN_PREFIX, hash_of, random},
    clock::rfc3339_ms,
    problem::Problem,
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

pub(crate) async fn list(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let caller = call.caller()?;
    let tokens = shared.registry.tokens().await?.into_iter();
    let shown = tokens
        .filter(|(_, token)| token.user == caller.user || caller.role == AccessRole::Administrator);
    let view = |(id, token): (_, Token)| TokenView {
        id: format!("{id}"),
        name: token.name,
        user: token.user,
        role: token.role.into(),
        created_at: rfc3339_ms(token.created_ms as i64),
        expires_at: token.expires_ms.map(|end| rfc3339_ms(end as i64)),
    };
    let data = shown.map(view).collect();
    Ok(Reply::json(&Whole { data }))
}

pub(crate) async fn create(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let given: NewToken = call.body()?;
    let caller = call.caller()?;
    // A token that got into wrong hands must not make others that outlive it.
    if caller.proof == Proof::Token {
        return Err(forbidden("a token is made in a session, not with a token"));
    }
    let role = AccessRole::from(given.role);
    if role > caller.role {
        return Err(forbidden(format!(
            "a token of role {role} needs role {role}"
        )));
    }
    let secret = random().map_err(|_| {
        let detail = "the system has no random numbers";
        Problem::new(
            Code::NodeUnavailable,
            StatusCode::SERVICE_UNAVAILABLE,
            detail,
        )
        .retry_after(Some(Duration::from_secs(1)))
    })?;
    let (hash, now_ms) = (hash_of(&secret), shared.registry.store().now_ms());
    let id = token_id(&hash).to_owned();
    let expires = given
        .expires_in_days
        .map(|days| now_ms + u64::from(days) * DAY_MS);
    let audit = call
        .audit("token.create")
        .with("name", given.name.as_str())
        .with("role", role.as_str());
    let token = Token {
        name: given.name,
        user: caller.user.clone(),
        role,
        hash,
        created_ms: now_ms,
        expires_ms: expires,
    };
    shared.registry.add_token(&id, &token, &audit).await?;
    let token = format!("{API_TOKEN_PREFIX}{secret}");
    Ok(Reply::made(&TokenMade { id, token }))
}

pub(crate) async fn delete(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let caller = call.caller()?;
    let found = shared.registry.token(call.id()).await?;
    // Tokens of others do not exist for those who may not see them.
    let theirs = found.is_some_and(|(_, token)| {
        token.user == caller.user || caller.role == AccessRole::Administrator
    });
    if !theirs {
        return Err(missing("there is no such token"));
    }
    let audit = call.audit("token.delete");
    shared.registry.delete_token(call.id(), &audit).await?;
    Ok(Reply::done())
}
