use std::sync::Arc;

use hermod_api::{SetupOffer, make_first_administrator, offer_setup};
use hermod_storage::{Kind, Memory, registry::SetupToken};
use serde_json::json;

use super::desk::{Desk, PASSWORD, Visitor, visitor};

async fn token(desk: &Desk) -> String {
    match offer_setup(&desk.registry, false).await.unwrap() {
        SetupOffer::Made { token } => token,
        other => panic!("no token: {other:?}"),
    }
}

#[tokio::test]
async fn the_setup_token_makes_one_administrator_once() {
    let desk = Desk::open().await;
    let nobody = Visitor::nobody();
    let state = desk.get(&nobody, "/api/setup").await;
    assert_eq!(state.json(), json!({"needed": true}));
    let token = token(&desk).await;
    let pending = offer_setup(&desk.registry, false).await.unwrap();
    assert!(matches!(pending, SetupOffer::Pending { .. }));

    let mut body = json!({"token": "wrong", "username": "ann", "password": PASSWORD});
    let wrong = desk.post(&nobody, "/api/setup", &body).await;
    assert_eq!((wrong.status, wrong.code()), (403, "HMD-0129".to_owned()));
    body["token"] = token.into();
    body["password"] = "short".into();
    let weak = desk.post(&nobody, "/api/setup", &body).await;
    assert_eq!(weak.status, 422);
    assert_eq!(weak.json()["errors"][0]["pointer"], "/password");
    body["password"] = PASSWORD.into();
    let made = desk.post(&nobody, "/api/setup", &body).await;
    assert_eq!(made.status, 201, "{}", made.json());
    assert_eq!(made.json()["role"], "Administrator");
    let ann = visitor(&made);
    assert_eq!(desk.get(&ann, "/api/users").await.status, 200);

    body["username"] = "eve".into();
    let again = desk.post(&nobody, "/api/setup", &body).await;
    assert_eq!(again.status, 409);
    assert_eq!(
        desk.get(&nobody, "/api/setup").await.json(),
        json!({"needed": false})
    );
    let done = offer_setup(&desk.registry, true).await.unwrap();
    assert_eq!(done, SetupOffer::Done);
}

#[tokio::test]
async fn a_setup_token_ends_and_is_kept_as_a_hash_only() {
    let desk = Desk::open().await;
    let token = token(&desk).await;
    for object in desk.registry.all(Kind::Setting).await.unwrap() {
        let text = String::from_utf8(object.document.to_vec()).unwrap();
        assert!(!text.contains(&token));
    }
    let old = desk.registry.setup_token().await.unwrap().unwrap();
    let ended = SetupToken {
        expires_ms: 1,
        ..old
    };
    desk.registry.offer_setup(&ended, true).await.unwrap();
    let body = json!({"token": token, "username": "ann", "password": PASSWORD});
    let late = desk.post(&Visitor::nobody(), "/api/setup", &body).await;
    assert_eq!(late.status, 403);
    assert!(matches!(
        offer_setup(&desk.registry, false).await.unwrap(),
        SetupOffer::Made { .. }
    ));
}

#[tokio::test]
async fn guesses_of_the_setup_token_are_limited() {
    let desk = Desk::open().await;
    token(&desk).await;
    let body = json!({"token": "wrong", "username": "ann", "password": PASSWORD});
    let mut last = 0;
    for _ in 0..11 {
        let answer = desk.post(&Visitor::nobody(), "/api/setup", &body).await;
        last = answer.status;
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn the_first_administrator_can_be_made_without_the_api() {
    let desk = Desk::with(super::desk::api_options(), Arc::new(Memory::new())).await;
    make_first_administrator(&desk.registry, "ann", PASSWORD)
        .await
        .unwrap();
    desk.log_in("ann").await;
    let again = make_first_administrator(&desk.registry, "bob", PASSWORD).await;
    assert!(again.is_err());
}
