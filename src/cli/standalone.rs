//! `hermod --mode=standalone`: runs every workflow of a directory.

use hermod_api::Code;

use crate::{
    bundle,
    config::Config,
    failure::{Exit, Failure},
    node::{self, Until},
};

/// The modes of this version.
const MODES: &[&str] = &["standalone"];

pub(super) fn run(config: &Config) -> Result<Exit, Failure> {
    check_mode(&config.mode)?;
    let directory = &config.workflows;
    let files = bundle::files_in(directory).map_err(|error| {
        let message = format!("workflows directory `{}`: {error}", directory.display());
        Failure::new(Code::Document, message)
    })?;
    let plans = super::run::plans(&files)?;
    if plans.is_empty() {
        tracing::warn!(directory = %directory.display(), "there is no workflow to run");
    }
    node::serve(config, plans, Until::Signal)
}

fn check_mode(mode: &str) -> Result<(), Failure> {
    if MODES.contains(&mode) {
        return Ok(());
    }
    let known = MODES.join("`, `");
    let message = if mode.is_empty() {
        format!("no mode was given; there is `{known}` (and `hermod --help`)")
    } else {
        format!("mode `{mode}` does not exist in this version; there is `{known}`")
    };
    Err(Failure::new(Code::Mode, message))
}
