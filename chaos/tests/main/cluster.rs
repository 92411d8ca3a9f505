//! What three nodes do is tried by `make chaos`; here, that the harness says so when they do nothing.

use std::time::Duration;

use hermod_chaos::cluster::{Nemesis, Options, run};

#[test]
fn nodes_that_do_not_start_leave_no_verdict_and_the_run_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        program: "/bin/false".into(),
        nemesis: Nemesis::Kill,
        rounds: 1,
        seed: Some(1),
        lease_ttl: Duration::from_secs(8),
        dir: Some(dir.path().join("run")),
    };
    let error = format!("{:#}", run(&options).unwrap_err());
    assert!(error.contains("`n1` ended by itself"), "{error}");
    assert!(error.contains("seed 1"), "{error}");
    assert!(dir.path().join("run/n1/hermod.toml").exists());
}
