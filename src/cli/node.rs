//! `hermod`: a node over a metadata store.

use hermod_api::LogRing;

use crate::{
    config::Config,
    failure::{Exit, Failure},
    platform,
};

pub(super) fn run(config: &Config, logs: &LogRing) -> Result<Exit, Failure> {
    platform::serve(config, logs.clone())
}
