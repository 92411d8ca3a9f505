//! Settings of the platform.

use std::sync::Arc;

use hermod_storage::{Expect, Key, Kind, registry::Entity};
use serde_json::Value;

use super::{
    Shared,
    call::{Call, Reply, etag},
    failure::{invalid_at, stale},
    shape::{SettingDraft, SettingView, Whole},
};
use crate::{clock::rfc3339_ms, problem::Problem, secret::mask_sealed};

/// Parts of names whose values are sealed.
const SECRETS: [&str; 7] = [
    "password",
    "passwd",
    "secret",
    "token",
    "credential",
    "private_key",
    "api_key",
];

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase().replace('-', "_");
    SECRETS.iter().any(|part| name.contains(part))
}

fn view(entity: &Entity) -> SettingView {
    let mut value = entity.document.get("value").cloned().unwrap_or(Value::Null);
    mask_sealed(&mut value);
    SettingView {
        name: entity.id.to_string(),
        value,
        etag: etag(entity.version),
        changed_at: rfc3339_ms(entity.changed_ms as i64),
    }
}

pub(crate) async fn list(shared: Arc<Shared>, _: Call) -> Result<Reply, Problem> {
    let settings = shared.registry.settings().await?;
    let data = settings.iter().map(view).collect();
    Ok(Reply::json(&Whole { data }))
}

/// Returns a setting; those of the registry itself, which begin with a dot, are none.
async fn one(shared: &Shared, name: &str) -> Result<Option<Entity>, Problem> {
    if name.starts_with('.') {
        return Ok(None);
    }
    Ok(shared.registry.find(Kind::Setting, name).await?)
}

pub(crate) async fn read(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let Some(entity) = one(&shared, call.name("name")).await? else {
        return Err(super::failure::missing("the setting has its default"));
    };
    Ok(Reply::json(&view(&entity)).etag(entity.version))
}

/// Seals what a name says to be a secret; what is only shown is as it was.
fn sealed(
    shared: &Shared,
    owner: &Key,
    name: &str,
    value: Value,
    old: Option<&Value>,
) -> Result<Value, Problem> {
    match value {
        Value::Object(members) if members.contains_key("$sealed") => {
            Err(invalid_at("/value", "`$sealed` is not for documents"))
        }
        Value::Object(members) if members.contains_key("$secret") => {
            old.cloned().ok_or_else(|| {
                invalid_at(
                    "/value",
                    "the secret has to be given; there is none to keep",
                )
            })
        }
        Value::Object(members) => {
            let seal = |(inner, value): (String, Value)| {
                let old = old.and_then(|old| old.get(&inner));
                let below = if is_secret(name) { name } else { &inner };
                let value = sealed(shared, owner, below, value, old)?;
                Ok((inner, value))
            };
            let members = members
                .into_iter()
                .map(seal)
                .collect::<Result<_, Problem>>()?;
            Ok(Value::Object(members))
        }
        Value::Array(items) => {
            let seal = |item| sealed(shared, owner, name, item, None);
            Ok(Value::Array(
                items.into_iter().map(seal).collect::<Result<_, _>>()?,
            ))
        }
        Value::Null => Ok(Value::Null),
        plain if is_secret(name) => Ok(shared.platform.seal(owner, &plain)?),
        plain => Ok(plain),
    }
}

pub(crate) async fn save(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let given: SettingDraft = call.body()?;
    let name = call.name("name");
    if name.starts_with('.') {
        return Err(super::failure::missing("there is no such setting"));
    }
    let old = one(&shared, name).await?;
    let kept = old.as_ref().and_then(|entity| entity.document.get("value"));
    let owner = Key::new(Kind::Setting, name);
    let value = sealed(&shared, &owner, name, given.value, kept)?;
    let mut shown = value.clone();
    mask_sealed(&mut shown);
    let audit = call.audit("setting.update").with("after", shown);
    // Version 0 is that of a setting that has its default.
    let expect = match call.expected {
        Some(version) if version.0 == 0 => Expect::Absent,
        _ => call.expect(),
    };
    let saved = shared
        .registry
        .save_setting(name, &value, expect, &audit)
        .await;
    saved.map_err(stale)?;
    read(shared, call).await
}

pub(crate) async fn delete(shared: Arc<Shared>, call: Call) -> Result<Reply, Problem> {
    let name = call.name("name");
    if name.starts_with('.') {
        return Err(super::failure::missing("there is no such setting"));
    }
    let audit = call.audit("setting.delete");
    let gone = shared
        .registry
        .delete_setting(name, call.expect(), &audit)
        .await;
    gone.map_err(stale)?;
    Ok(Reply::done())
}
