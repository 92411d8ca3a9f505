//! `hermod`: a node over a metadata store.

use std::{path::Path, process::Command};

use hermod_api::{Code, LogRing, Ui};

use crate::{
    config::Config,
    failure::{Exit, Failure},
    platform::{self, Front},
};

pub(super) fn run(config: &Config, logs: &LogRing, build_ui: bool) -> Result<Exit, Failure> {
    let ui = if build_ui { built()? } else { Ui::BuiltIn };
    let logs = logs.clone();
    platform::serve(config, Front { ui, logs })
}

/// Builds the web interface of the checkout that the working directory lies in.
fn built() -> Result<Ui, Failure> {
    let here = std::env::current_dir().unwrap_or_default();
    let is_checkout =
        |dir: &&Path| dir.join("ui/package.json").is_file() && dir.join("Cargo.toml").is_file();
    let Some(root) = here.ancestors().find(is_checkout) else {
        tracing::info!(
            "there is no checkout here to build the web interface from; what the binary has of it is served"
        );
        return Ok(Ui::BuiltIn);
    };
    let ui = root.join("ui");
    if !ui.join("node_modules").is_dir() {
        npm(&ui, &["ci", "--no-audit", "--no-fund"])?;
    }
    npm(&ui, &["run", "build"])?;
    Ok(Ui::Directory(ui.join("dist")))
}

fn npm(ui: &Path, arguments: &[&str]) -> Result<(), Failure> {
    let command = format!("npm {}", arguments.join(" "));
    tracing::info!(directory = %ui.display(), command, "building the web interface");
    let failed = |reason: String| {
        Failure::new(
            Code::Configuration,
            format!("`--build-ui`: `{command}` {reason}"),
        )
    };
    let mut npm = Command::new("npm");
    // What it says is not the node's answer.
    npm.args(arguments)
        .current_dir(ui)
        .stdout(std::io::stderr());
    match npm.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(format!("ended with {status}"))),
        Err(error) => Err(failed(format!(
            "cannot be run: {error}; it comes with Node"
        ))),
    }
}
