use hermod_api::{Engines, LogState};

use crate::{
    node::{run, stand},
    wire::request,
};

#[tokio::test]
async fn livez_is_always_200() {
    let mut stand = stand([]);
    *stand.log.get_mut().unwrap() = LogState::Failed {
        reason: "poisoned".to_owned(),
    };
    let server = run(stand).await;
    assert_eq!(
        request(server.address, "GET", "/livez", "").await.status,
        200
    );
}

#[tokio::test]
async fn readyz_has_the_schema_v1() {
    let mut stand = stand([]);
    stand.engines = Engines {
        probing: 0,
        running: 2,
        failed: 1,
    };
    let server = run(stand).await;
    let answer = request(server.address, "GET", "/readyz", "").await;
    assert_eq!(answer.status, 200);
    let json = answer.json();
    assert_eq!(
        (&json["version"], &json["status"]),
        (&"v1".into(), &"ok".into())
    );
    assert!(json["time"].as_str().unwrap().ends_with('Z'));
    let checks = &json["checks"];
    assert_eq!(checks["db"]["ok"], true);
    // A failed workflow is shown and does not gate.
    assert_eq!(
        (
            &checks["registry"]["ok"],
            &checks["registry"]["engines_running"]
        ),
        (&false.into(), &2.into())
    );
    assert_eq!(checks["workers"]["recent"], 1);
    for component in ["db", "registry", "workers"] {
        assert!(checks[component]["duration_ms"].is_u64(), "{component}");
    }
}

#[tokio::test]
async fn i8_a_full_log_is_ready_and_a_failed_one_is_not() {
    let mut full = stand([]);
    *full.log.get_mut().unwrap() = LogState::Full;
    let answer = request(run(full).await.address, "GET", "/readyz", "").await;
    assert_eq!(
        (answer.status, &answer.json()["checks"]["db"]["state"]),
        (200, &"full".into())
    );

    let mut failed = stand([]);
    *failed.log.get_mut().unwrap() = LogState::Failed {
        reason: "poisoned".to_owned(),
    };
    let answer = request(run(failed).await.address, "GET", "/readyz", "").await;
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (503, &"error".into())
    );
}

#[tokio::test]
async fn metrics_show_the_probes() {
    let server = run(stand([])).await;
    request(server.address, "GET", "/readyz", "").await;
    let answer = request(server.address, "GET", "/metrics", "").await;
    assert_eq!(answer.status, 200);
    let text = String::from_utf8(answer.body).unwrap();
    assert!(
        text.contains("hermod_readiness_status{component=\"db\"} 1"),
        "{text}"
    );
    assert!(text.contains("hermod_readiness_latency_seconds_count{component=\"registry\"} 1"));
}

#[tokio::test]
async fn everything_else_is_a_problem() {
    let server = run(stand([])).await;
    let answer = request(server.address, "GET", "/nothing", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "HMD-0100"));
    let answer = request(server.address, "POST", "/livez", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "HMD-0101"));
    assert!(answer.header("allow").unwrap().contains("GET"));
}
