//! The ready-made bundles are valid, as the binary sees them.

use std::process::Command;

use crate::{files_below, root, shown};

#[test]
fn every_ready_made_bundle_is_valid() {
    let mut bundles = 0;
    for extension in ["yaml", "yml", "json"] {
        for path in files_below(&root().join("examples"), extension) {
            bundles += 1;
            let output = Command::new(env!("CARGO_BIN_EXE_hermod"))
                .arg("validate")
                .arg(&path)
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}:\n{}{}",
                shown(&path),
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    assert!(bundles > 0, "there are ready-made bundles");
}
