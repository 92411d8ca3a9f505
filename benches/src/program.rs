//! The program that is measured from outside.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, ensure};

/// Builds the release binary and returns its path.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // Cargo tells a program that it runs about the program's package. Handed on to another Cargo, that would make
    // build scripts that look at it (ring's does) build everything anew.
    for (name, _) in std::env::vars_os() {
        let of_package =
            |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(of_package) {
            command.env_remove(name);
        }
    }
    let status = command
        .args([
            "build",
            "--release",
            "--quiet",
            "-p",
            "hermod",
            "--bin",
            "hermod",
        ])
        .status()
        .context("cannot run `cargo`")?;
    ensure!(status.success(), "the release binary cannot be built");
    // This program was built into the same directory.
    let ours = std::env::current_exe()?;
    Ok(ours
        .parent()
        .context("a program is in a directory")?
        .join("hermod"))
}
