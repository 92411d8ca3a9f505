//! A disk with no room left: the kernel's own limit on the length of files, in a process of its own.
//!
//! Like a full disk, the limit lets a write take a part of the batch before it fails.

use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;

const PLACE: &str = "HERMOD_TEST_FULL_DISK";

#[test]
fn a_write_that_finds_no_room_is_taken_back_whole_and_goes_on_when_there_is() {
    if let Some(place) = std::env::var_os(PLACE) {
        return within_the_limit(Path::new(&place));
    }
    let directory = tempfile::tempdir().unwrap();
    // An ignored signal stays ignored in the program that is executed: writes fail instead of killing it.
    let script = "trap '' XFSZ; ulimit -S -f 8; exec \"$0\" --exact \"$1\" --nocapture";
    let name = std::thread::current().name().unwrap().to_owned();
    let output = Command::new("bash")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(PLACE, directory.path())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}");
    let done = directory.path().join("done");
    assert!(done.exists(), "the other half did not run: {shown}");
}

/// The half that runs in the process with the limit.
fn within_the_limit(place: &Path) {
    let path = place.join("out.ndjson");
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async {
        let mut sink = open(&config(&path)).await;
        sink.write(&batch(&["first"])).await.unwrap();
        let line = "x".repeat(3000);
        let large = batch(&[&line, &line, &line]);
        for _ in 0..3 {
            let error = sink.write(&large).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert_eq!(text(&path), "first\n", "a part of the batch was left");
        }
        sink.write(&batch(&["second"])).await.unwrap();
        let limit = getrlimit(Resource::Fsize);
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        setrlimit(Resource::Fsize, raised).unwrap();
        sink.write(&large).await.unwrap();
        assert_eq!(
            text(&path),
            format!("first\nsecond\n{line}\n{line}\n{line}\n")
        );
    });
    fs::write(place.join("done"), "").unwrap();
}
