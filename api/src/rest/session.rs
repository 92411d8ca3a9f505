//! Setting up, logging in and out, and one's own account.

use std::{sync::Arc, time::Duration};

use hermod_storage::registry::{self, AccessRole, Session};
use hyper::{StatusCode, header::SET_COOKIE};

use super::{
    Shared,
    call::{Call, Proof, Reply},
    failure::{invalid_at, password, sign_in, stale},
    identity::{COOKIE_NAME, SESSION_MS},
    route::Access,
    routes,
    shape::{Login, Me, PasswordChange, Setup, SetupState},
};
use crate::{
    Code,
    access::{administrator, csrf_of, hash_of, is_username, random, same},
    problem::Problem,
};

/// The name under which attempts at the setup are counted; no user's.
const SETUP_NAME: &str = "SETUP";

pub(crate) async fn state(shared: Arc<Shared>, _: Call) -> Result<Reply, Problem> {
    let needed = !shared.registry.is_set_up().await?;
    Ok(Reply::json(&SetupState { needed }))
}

pub(crate) async fn setup(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let given: Setup = call.body()?;
    if shared.registry.is_set_up().await? {
        return Err(registry::Error::SetUp.into());
    }
    attempt(&shared, &call, SETUP_NAME)?;
    let now_ms = shared.registry.store().now_ms();
    let kept = shared.registry.setup_token().await?;
    let fits = kept
        .is_some_and(|kept| same(&kept.hash, &hash_of(&given.token)) && now_ms < kept.expires_ms);
    if !fits {
        return Err(registry::Error::SetupToken.into());
    }
    if !is_username(&given.username) {
        return Err(invalid_at("/username", "a name has a letter or digit"));
    }
    let hashed = shared
        .passwords
        .hash(&given.username, &given.password)
        .await;
    let hashed = hashed.map_err(|error| password(error, "/password"))?;
    let user = administrator(&given.username, &given.full_name, hashed, now_ms);
    let audit = call.audit("platform.setup");
    shared
        .registry
        .make_first_administrator(&user, &audit)
        .await?;
    shared.attempts.succeeded(call.address, SETUP_NAME);
    opened(&shared, &call, &given.username, StatusCode::CREATED).await
}

pub(crate) async fn login(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let given: Login = call.body()?;
    let name = given.username.to_ascii_lowercase();
    attempt(&shared, &call, &name)?;
    let known = if is_username(&name) {
        shared.registry.user(&name).await?
    } else {
        None
    };
    let known = known.map(|(_, user)| user).filter(|user| !user.disabled);
    let kept = known.as_ref().map(|user| &user.password);
    let fits = shared.passwords.fits(&given.password, kept).await;
    if !fits.map_err(|error| password(error, "/password"))? {
        tracing::warn!(address = %call.address, "a login has failed");
        let detail = "name and password do not fit";
        return Err(Problem::new(Code::SignIn, StatusCode::UNAUTHORIZED, detail));
    }
    shared.attempts.succeeded(call.address, &name);
    opened(&shared, &call, &name, StatusCode::OK).await
}

/// I9: guesses are counted, in a table that is bounded.
fn attempt(shared: &Shared, call: &Call, name: &str) -> Result<(), Problem> {
    shared.attempts.begin(call.address, name).map_err(|wait| {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Problem::new(
            Code::TooManyAttempts,
            status,
            "too many attempts have failed",
        )
        .retry_after(Some(wait))
    })
}

/// Opens a session and answers with its cookie.
async fn opened(
    shared: &Shared,
    call: &Call,
    user: &str,
    status: StatusCode,
) -> Result<Reply, Problem> {
    let token = random().map_err(|_| {
        let detail = "the system has no random numbers";
        Problem::new(
            Code::NodeUnavailable,
            StatusCode::SERVICE_UNAVAILABLE,
            detail,
        )
        .retry_after(Some(Duration::from_secs(1)))
    })?;
    let now_ms = shared.registry.store().now_ms();
    let session = Session {
        created_ms: now_ms,
        seen_ms: now_ms,
        address: call.address.to_string(),
    };
    let mut audit = call.audit("user.login");
    audit.user = user.into();
    shared
        .registry
        .open_session(user, &hash_of(&token), &session, &audit)
        .await?;
    let Some((_, known)) = shared.registry.user(user).await? else {
        return Err(sign_in());
    };
    let me = me_of(
        &known.username,
        &known.full_name,
        known.role,
        Some(csrf_of(&token)),
    );
    let cookie = cookie(
        &format!("{user}:{token}"),
        SESSION_MS / 1000,
        secure(shared, call),
    );
    let reply = match status {
        StatusCode::CREATED => Reply::made(&me),
        _ => Reply::json(&me),
    };
    Ok(reply.header(SET_COOKIE, &cookie))
}

fn secure(shared: &Shared, call: &Call) -> bool {
    call.https || shared.options.hsts
}

/// Strict keeps the cookie out of every request that another site causes. Our pages are public, and what they ask for
/// is asked from themselves, so a link from elsewhere still finds its reader signed in.
fn cookie(value: &str, seconds: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!(
        "{COOKIE_NAME}={value}; Path=/api; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    )
}

pub(crate) async fn logout(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let caller = call.caller()?;
    if let Proof::Session { hash, .. } = &caller.proof {
        let audit = call.audit("user.logout");
        shared
            .registry
            .close_session(&caller.user, hash, &audit)
            .await?;
    }
    let gone = cookie("", 0, secure(&shared, &call));
    Ok(Reply::done().header(SET_COOKIE, &gone))
}

pub(crate) async fn logout_everywhere(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let audit = call.audit("user.logout_everywhere");
    shared
        .registry
        .close_sessions(&call.caller()?.user, &audit)
        .await?;
    let gone = cookie("", 0, secure(&shared, &call));
    Ok(Reply::done().header(SET_COOKIE, &gone))
}

pub(crate) async fn me(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let caller = call.caller()?;
    let Some((_, user)) = shared.registry.user(&caller.user).await? else {
        return Err(sign_in());
    };
    let csrf = match &caller.proof {
        Proof::Session { csrf, .. } => Some(csrf.clone()),
        Proof::Token | Proof::Registration => None,
    };
    Ok(Reply::json(&me_of(
        &user.username,
        &user.full_name,
        caller.role,
        csrf,
    )))
}

fn me_of(username: &str, full_name: &str, role: AccessRole, csrf: Option<String>) -> Me {
    let allowed = |access| match access {
        Access::Public | Access::Own => true,
        Access::Role(needed) => role >= needed,
        Access::Registration => role >= AccessRole::Administrator,
    };
    let routes = routes::routes();
    let capable = routes.iter().filter(|route| allowed(route.access));
    Me {
        username: username.to_owned(),
        full_name: full_name.to_owned(),
        role: role.into(),
        csrf_token: csrf,
        capabilities: capable.map(|route| route.id.to_owned()).collect(),
    }
}

pub(crate) async fn change_password(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let given: PasswordChange = call.body()?;
    let caller = call.caller()?;
    // A token that got into wrong hands must not become the account.
    let Proof::Session { hash, .. } = &caller.proof else {
        return Err(super::failure::forbidden(
            "a password is changed in a session, not with a token",
        ));
    };
    attempt(&shared, &call, &caller.user)?;
    let Some((version, mut user)) = shared.registry.user(&caller.user).await? else {
        return Err(sign_in());
    };
    let fits = shared
        .passwords
        .fits(&given.current, Some(&user.password))
        .await;
    if !fits.map_err(|error| password(error, "/current"))? {
        return Err(invalid_at("/current", "the present password is another"));
    }
    shared.attempts.succeeded(call.address, &caller.user);
    let hashed = shared.passwords.hash(&user.username, &given.new).await;
    user.password = hashed.map_err(|error| password(error, "/new"))?;
    user.password_changed_ms = shared.registry.store().now_ms();
    let audit = call.audit("user.password");
    let saved = shared
        .registry
        .save_user(&user, version, Some(hash), &audit)
        .await;
    saved.map_err(stale)?;
    Ok(Reply::done())
}
