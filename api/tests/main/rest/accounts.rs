use hermod_storage::{
    Kind,
    registry::{AccessRole, Session},
};
use serde_json::json;

use super::{
    desk::{Desk, PASSWORD, Visitor},
    platform::audit,
};

#[tokio::test]
async fn a_session_lets_in_until_it_is_ended() {
    let (desk, ann) = Desk::administered().await;
    let me = desk.get(&ann, "/api/me").await.json();
    assert_eq!(
        (&me["username"], &me["role"]),
        (&json!("ann"), &json!("Administrator"))
    );
    let capable = me["capabilities"].as_array().unwrap();
    assert!(capable.contains(&json!("createUser")));
    assert_eq!(desk.send(&ann, "POST", "/api/logout", "").await.status, 204);
    let after = desk.get(&ann, "/api/me").await;
    assert_eq!((after.status, after.code()), (401, "HMD-0133".to_owned()));
    assert_eq!(after.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_and_other_sites() {
    let (desk, _) = Desk::administered().await;
    let login = json!({"username": "Ann", "password": PASSWORD});
    let answer = desk.post(&Visitor::nobody(), "/api/login", &login).await;
    let cookie = answer.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/api"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"));
    let https = Visitor::nobody().with("x-forwarded-proto", "https");
    let answer = desk.post(&https, "/api/login", &login).await;
    assert!(answer.header("set-cookie").unwrap().ends_with("; Secure"));
    // What is kept is no cookie.
    let token = cookie.split([':', ';']).nth(1).unwrap();
    for object in desk.registry.all(Kind::Session).await.unwrap() {
        assert!(!object.key.id.contains(token));
        assert!(!String::from_utf8_lossy(&object.document).contains(token));
    }
}

#[tokio::test]
async fn sessions_end_when_idle_and_in_any_case() {
    let (desk, ann) = Desk::administered().await;
    let hour = 60 * 60 * 1000;
    let now = desk.registry.store().now_ms();
    let key = desk.registry.all(Kind::Session).await.unwrap()[0]
        .key
        .id
        .clone();
    let hash = key.split_once('/').unwrap().1.to_owned();
    let check = async |created: u64, seen: u64, status: u16| {
        let (version, old) = desk.registry.session("ann", &hash).await.unwrap().unwrap();
        let session = Session {
            created_ms: now - created * hour,
            seen_ms: now - seen * hour,
            ..old
        };
        let registry = &desk.registry;
        registry
            .touch_session("ann", &hash, version, &session)
            .await
            .unwrap();
        assert_eq!(desk.get(&ann, "/api/me").await.status, status);
    };
    check(13, 11, 200).await;
    check(13, 12, 401).await;
    check(24 * 7, 0, 401).await;
    // A use that was long ago is written down, within the minutes that it is exact to.
    check(13, 11, 200).await;
    let (_, session) = desk.registry.session("ann", &hash).await.unwrap().unwrap();
    assert!(session.seen_ms >= now);
}

#[tokio::test]
async fn logging_out_everywhere_ends_all_sessions() {
    let (desk, ann) = Desk::administered().await;
    let other = desk.log_in("ann").await;
    let answer = desk.send(&ann, "POST", "/api/logout-everywhere", "").await;
    assert_eq!(answer.status, 204);
    assert_eq!(desk.get(&other, "/api/me").await.status, 401);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let (desk, ann) = Desk::administered().await;
    let other = desk.log_in("ann").await;
    let wrong = json!({"current": "not this one", "new": "another long password"});
    let answer = desk.put(&ann, "/api/me/password", &wrong).await;
    assert_eq!(answer.json()["errors"][0]["pointer"], "/current");
    let right = json!({"current": PASSWORD, "new": "another long password"});
    assert_eq!(desk.put(&ann, "/api/me/password", &right).await.status, 204);
    assert_eq!(desk.get(&ann, "/api/me").await.status, 200);
    assert_eq!(desk.get(&other, "/api/me").await.status, 401);
    let login = json!({"username": "ann", "password": PASSWORD});
    let old = desk.post(&Visitor::nobody(), "/api/login", &login).await;
    assert_eq!(old.status, 401);
}

#[tokio::test]
async fn a_stranger_is_not_told_who_exists() {
    let (desk, _) = Desk::administered().await;
    let mut answers = Vec::new();
    for name in ["ann", "nobody", "No Name At All"] {
        let login = json!({"username": name, "password": "a wrong password"});
        let answer = desk.post(&Visitor::nobody(), "/api/login", &login).await;
        assert_eq!(answer.status, 401);
        answers.push(answer.json());
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn logins_are_limited() {
    let (desk, _) = Desk::administered().await;
    let login = json!({"username": "nobody", "password": "a wrong password"});
    for _ in 0..10 {
        let answer = desk.post(&Visitor::nobody(), "/api/login", &login).await;
        assert_eq!(answer.status, 401);
    }
    let answer = desk.post(&Visitor::nobody(), "/api/login", &login).await;
    assert_eq!((answer.status, answer.code()), (429, "HMD-0126".to_owned()));
    assert!(answer.header("retry-after").is_some());
    desk.log_in("ann").await;
}

#[tokio::test]
async fn users_are_added_changed_and_removed() {
    let (desk, ann) = Desk::administered().await;
    let bob = json!({"username": "bob", "password": PASSWORD, "role": "Editor", "email": "b@x"});
    let made = desk.post(&ann, "/api/users", &bob).await;
    assert_eq!(made.status, 201, "{}", made.json());
    assert!(made.json().get("password").is_none());
    let twice = desk.post(&ann, "/api/users", &bob).await;
    assert_eq!((twice.status, twice.code()), (409, "HMD-0122".to_owned()));
    let session = desk.log_in("bob").await;
    let viewer = json!({"role": "Viewer", "disabled": false});
    let changed = desk
        .put(&ann.if_match(&made), "/api/users/bob", &viewer)
        .await;
    assert_eq!(changed.status, 200, "{}", changed.json());
    // The role of a session is what it is now.
    assert_eq!(desk.get(&session, "/api/me").await.json()["role"], "Viewer");
    let off = json!({"role": "Viewer", "disabled": true});
    let changed = desk
        .put(&ann.if_match(&changed), "/api/users/bob", &off)
        .await;
    assert_eq!(desk.get(&session, "/api/me").await.status, 401);
    let login = json!({"username": "bob", "password": PASSWORD});
    let out = desk.post(&Visitor::nobody(), "/api/login", &login).await;
    assert_eq!(out.status, 401);
    let gone = desk
        .send(&ann.if_match(&changed), "DELETE", "/api/users/bob", "")
        .await;
    assert_eq!(gone.status, 204);
    assert_eq!(desk.get(&ann, "/api/users/bob").await.status, 404);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let (desk, ann) = Desk::administered().await;
    let read = desk.get(&ann, "/api/users/ann").await;
    let who = ann.if_match(&read);
    let demoted = desk
        .put(&who, "/api/users/ann", &json!({"role": "Editor"}))
        .await;
    assert_eq!(
        (demoted.status, demoted.code()),
        (409, "HMD-0122".to_owned())
    );
    let disabled = json!({"role": "Administrator", "disabled": true});
    assert_eq!(
        desk.put(&who, "/api/users/ann", &disabled).await.status,
        409
    );
    assert_eq!(
        desk.send(&who, "DELETE", "/api/users/ann", "").await.status,
        409
    );
}

#[tokio::test]
async fn a_reset_password_ends_all_sessions() {
    let (desk, ann) = Desk::administered().await;
    let bob = desk.visitor("bob", AccessRole::Viewer).await;
    let new = json!({"new": "another long password"});
    assert_eq!(
        desk.put(&ann, "/api/users/bob/password", &new).await.status,
        204
    );
    assert_eq!(desk.get(&bob, "/api/me").await.status, 401);
}

#[tokio::test]
async fn tokens_are_shown_once_and_let_in() {
    let (desk, ann) = Desk::administered().await;
    let bob = desk.visitor("bob", AccessRole::Editor).await;
    let more = json!({"name": "ci", "role": "Administrator"});
    assert_eq!(desk.post(&bob, "/api/tokens", &more).await.status, 403);
    let wanted = json!({"name": "ci", "role": "Editor", "expires_in_days": 1});
    let made = desk.post(&bob, "/api/tokens", &wanted).await;
    assert_eq!(made.status, 201);
    let (id, token) = (made.json()["id"].clone(), made.json()["token"].clone());
    let (id, token) = (id.as_str().unwrap(), token.as_str().unwrap());
    assert!(token.starts_with("hmd_"));
    let program = Visitor::bearing(token);
    // A token needs no proof of where it comes from: no browser sends it by itself.
    let source = json!({"id": "s", "type": "webhook"});
    assert_eq!(
        desk.post(&program, "/api/sources", &source).await.status,
        201
    );
    let nested = desk.post(&program, "/api/tokens", &wanted).await;
    assert_eq!(nested.status, 403, "a token makes no token");
    let listed = desk.get(&bob, "/api/tokens").await.json();
    assert_eq!(listed["data"][0]["id"], id);
    assert!(!listed.to_string().contains(&token[4..]));
    for object in desk.registry.all(Kind::Token).await.unwrap() {
        assert!(!String::from_utf8_lossy(&object.document).contains(&token[4..]));
    }
    // Its person's role is its limit, as it is now.
    let (version, mut user) = desk.registry.user("bob").await.unwrap().unwrap();
    user.role = AccessRole::Viewer;
    desk.registry
        .save_user(&user, version, None, &audit())
        .await
        .unwrap();
    let source = json!({"id": "s2", "type": "webhook"});
    assert_eq!(
        desk.post(&program, "/api/sources", &source).await.status,
        403
    );
    let path = format!("/api/tokens/{id}");
    let eve = desk.visitor("eve", AccessRole::Editor).await;
    assert_eq!(desk.send(&eve, "DELETE", &path, "").await.status, 404);
    assert_eq!(desk.send(&ann, "DELETE", &path, "").await.status, 204);
    assert_eq!(desk.get(&program, "/api/me").await.status, 401);
}

#[tokio::test]
async fn an_ended_token_lets_nobody_in() {
    let (desk, ann) = Desk::administered().await;
    let wanted = json!({"name": "ci", "role": "Viewer", "expires_in_days": 1});
    let made = desk.post(&ann, "/api/tokens", &wanted).await.json();
    let program = Visitor::bearing(made["token"].as_str().unwrap());
    assert_eq!(desk.get(&program, "/api/me").await.status, 200);
    let id = made["id"].as_str().unwrap();
    let (_, mut token) = desk.registry.token(id).await.unwrap().unwrap();
    token.expires_ms = Some(desk.registry.store().now_ms());
    desk.registry.delete_token(id, &audit()).await.unwrap();
    desk.registry.add_token(id, &token, &audit()).await.unwrap();
    assert_eq!(desk.get(&program, "/api/me").await.status, 401);
}
