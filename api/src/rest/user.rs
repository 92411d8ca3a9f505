//! People.

use std::sync::Arc;

use hermod_storage::{
    Kind, Revision,
    registry::{self, User},
};

use super::{
    Shared,
    call::{Call, Reply, etag},
    failure::{invalid_at, missing, password, stale},
    page::page_of,
    shape::{NewUser, PasswordReset, UserChange, UserView},
};
use crate::{access::is_username, clock::rfc3339_ms, problem::Problem};

fn view(user: User, version: Revision, created_ms: u64, changed_ms: u64) -> UserView {
    UserView {
        username: user.username,
        full_name: user.full_name,
        email: user.email,
        role: user.role.into(),
        disabled: user.disabled,
        etag: etag(version),
        created_at: rfc3339_ms(created_ms as i64),
        changed_at: rfc3339_ms(changed_ms as i64),
    }
}

pub(crate) async fn list(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let mut users = shared.registry.users().await?;
    if let Some(search) = call.text("search").map(str::to_lowercase) {
        users.retain(|(_, user)| {
            user.username.contains(&search) || user.full_name.to_lowercase().contains(&search)
        });
    }
    let page = page_of(&call, users);
    Ok(Reply::json(&page.map(|(object, user)| {
        view(user, object.version, object.created_ms, object.changed_ms)
    })))
}

async fn shown(shared: &Shared, id: &str) -> Result<(UserView, Revision), Problem> {
    let entity = shared.registry.get(Kind::User, id).await?;
    let Some((version, user)) = shared.registry.user(id).await? else {
        return Err(missing("there is no such user"));
    };
    Ok((
        view(user, version, entity.created_ms, entity.changed_ms),
        version,
    ))
}

pub(crate) async fn read(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let (user, version) = shown(&shared, call.id()).await?;
    Ok(Reply::json(&user).etag(version))
}

pub(crate) async fn create(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let given: NewUser = call.body()?;
    if !is_username(&given.username) {
        return Err(invalid_at("/username", "a name has a letter or digit"));
    }
    let hashed = shared
        .passwords
        .hash(&given.username, &given.password)
        .await;
    let user = User {
        username: given.username,
        full_name: given.full_name,
        email: given.email,
        role: given.role.into(),
        disabled: false,
        password: hashed.map_err(|error| password(error, "/password"))?,
        password_changed_ms: shared.registry.store().now_ms(),
    };
    let audit = call.audit("user.create").with("role", user.role.as_str());
    shared.registry.add_user(&user, &audit).await?;
    let (user, version) = shown(&shared, &user.username).await?;
    Ok(Reply::made(&user).etag(version))
}

/// Returns a person and the version that the caller has seen.
async fn seen(shared: &Shared, call: &Call) -> Result<(Revision, User), Problem> {
    let Some((version, user)) = shared.registry.user(call.id()).await? else {
        return Err(missing("there is no such user"));
    };
    Ok((call.expected.unwrap_or(version), user))
}

pub(crate) async fn update(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let given: UserChange = call.body()?;
    let (version, before) = seen(&shared, &call).await?;
    let user = User {
        full_name: given.full_name,
        email: given.email,
        role: given.role.into(),
        disabled: given.disabled,
        ..before.clone()
    };
    let audit = call
        .audit("user.update")
        .with("role_before", before.role.as_str())
        .with("role", user.role.as_str())
        .with("disabled", user.disabled);
    // Who may not log in any more is out at once.
    let keep = user.disabled.then_some("");
    let saved = shared
        .registry
        .save_user(&user, version, keep, &audit)
        .await;
    saved.map_err(stale)?;
    let (user, version) = shown(&shared, call.id()).await?;
    Ok(Reply::json(&user).etag(version))
}

pub(crate) async fn delete(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let (version, _) = seen(&shared, &call).await?;
    let audit = call.audit("user.delete");
    let gone = shared
        .registry
        .delete_user(call.id(), version, &audit)
        .await;
    gone.map_err(stale)?;
    Ok(Reply::done())
}

pub(crate) async fn reset_password(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let given: PasswordReset = call.body()?;
    let (version, mut user) = seen(&shared, &call).await?;
    let hashed = shared.passwords.hash(&user.username, &given.new).await;
    user.password = hashed.map_err(|error| password(error, "/new"))?;
    user.password_changed_ms = shared.registry.store().now_ms();
    let audit = call.audit("user.password_reset");
    let saved = shared
        .registry
        .save_user(&user, version, Some(""), &audit)
        .await;
    match saved {
        Err(registry::Error::Conflict { .. }) => {
            Err(super::failure::conflict("the user is being changed"))
        }
        other => other.map_err(Problem::from),
    }?;
    Ok(Reply::done())
}
