//! Webhooks: HTTP messages in, acknowledged after the sync, written to a file.
//!
//! `wrk` with one thread and 64 keep-alive connections sends JSON bodies of 1 KiB with unique ids. Ceiling and
//! reference is nginx, which reads the body, throws it away and answers 200; the peer is webdis before Redis with
//! `appendfsync always`, the fastest durable one in the comparison, which has no sink. Afterwards the sink's file must
//! hold at least as many different ids as were acknowledged, else the bench fails.

mod load;
mod subjects;

use anyhow::ensure;

use crate::{
    case::Case,
    pace::Pace,
    program,
    report::{Report, say},
};

use load::Load;
use subjects::Subject;

/// Name of the reference.
const NGINX: &str = "nginx";

/// Runs the workload `durable`.
pub(crate) fn run(pace: &Pace, report: &mut Report) -> anyhow::Result<()> {
    let program = program::build()?;
    let load = Load::new(report.fresh_dir()?, pace.pick(2, 10))?;
    let mut case = Case::new("durable", "requests/s", NGINX);
    let with_redis = subjects::redis_is_installed();
    if !with_redis {
        say("redis-server or webdis is not installed: the row `redis` is left out")?;
    }
    for _ in 0..pace.runs {
        let nginx = subjects::nginx(report.fresh_dir()?)?;
        case.sample(NGINX, load.run(&nginx)?.rate);
        drop(nginx);
        if with_redis {
            let redis = subjects::redis(report.fresh_dir()?)?;
            case.sample("redis", load.run(&redis)?.rate);
        }
        let mut hermod = subjects::hermod(report.fresh_dir()?, &program)?;
        let measured = load.run(&hermod.subject)?;
        case.sample("hermod", measured.rate);
        let delivered = hermod.drain(measured.acknowledged)?;
        ensure!(
            delivered >= measured.acknowledged,
            "{} messages were acknowledged, {delivered} are in the sink's file",
            measured.acknowledged
        );
    }
    report.add(&case)
}
