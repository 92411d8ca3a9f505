//! I6: what may be lost is said in the log, with file and offset.

use std::sync::{Arc, Mutex};

use tracing::subscriber::with_default;

use super::*;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Returns the warnings that `call` writes to the log.
fn warnings(call: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::WARN)
        .with_writer(move || writer.clone())
        .finish();
    with_default(subscriber, call);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn assert_one(warnings: &[String], parts: &[&str]) {
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in parts {
        assert!(warnings[0].contains(part), "{part} in {warnings:?}");
    }
}

#[test]
fn i6_a_file_that_was_emptied_without_a_copy_is_reported() {
    for restart in [false, true] {
        let mut rig = Rig::new(|_| {});
        rig.append("app.log", "1\n2\n");
        assert_eq!(rig.texts().len(), 2);
        rig.rewrite("app.log", "");
        let said = warnings(|| {
            if restart {
                rig.restart();
            }
            assert!(rig.texts().is_empty());
        });
        assert_one(&said, &["emptied", "app.log", "offset=4"]);
        let said = warnings(|| assert!(rig.texts().is_empty()));
        assert!(said.is_empty(), "it is said once: {said:?}");
    }
}

#[test]
fn i6_a_file_that_is_gone_is_reported() {
    let mut rig = Rig::new(|_| {});
    rig.append("app.log", "1\n2\n");
    assert_eq!(rig.some(1), ["1"]);
    fs::remove_file(rig.path("app.log")).unwrap();
    rig.append("app.log", "3\n");
    let said = warnings(|| {
        rig.restart();
        assert_eq!(rig.texts(), ["3"]);
    });
    assert_one(&said, &["gone", "app.log", "offset=2"]);
    fs::remove_file(rig.path("app.log")).unwrap();
    let said = warnings(|| {
        for _ in 0..3 {
            assert!(rig.texts().is_empty());
        }
    });
    assert_one(&said, &["removed", "app.log"]);
}

#[test]
fn i6_a_record_that_is_left_out_is_reported() {
    let mut rig = Rig::new(|config| {
        config.line_bytes_max = 10;
        config.oversized = Oversized::Skip;
    });
    rig.append("app.log", format!("1\n{}\n2\n", "x".repeat(1_500_000)));
    let said = warnings(|| assert_eq!(rig.texts(), ["1", "2"]));
    assert_one(&said, &["too long", "app.log", "offset=2", "bytes=1500001"]);
}

#[test]
fn a_rotation_that_loses_nothing_warns_of_nothing() {
    let mut rig = Rig::new(|_| {});
    rig.append("app.log", "1\n2\n");
    assert_eq!(rig.some(1), ["1"]);
    rig.copy_and_empty("app.log", "app.log.1");
    rig.append("app.log", "3\n");
    let said = warnings(|| assert_eq!(rig.texts(), ["2", "3"]));
    assert!(said.is_empty(), "{said:?}");
    rig.rename("app.log", "app.log.2");
    rig.append("app.log", "4\n");
    let said = warnings(|| assert_eq!(rig.texts(), ["4"]));
    assert!(said.is_empty(), "{said:?}");
}
