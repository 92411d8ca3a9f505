//! A workflow document from anywhere: validation answers with a plan or with problems, and never panics.
#![no_main]

use hermod_engine::{Catalog, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(bundle) = serde_json::from_slice(data) else {
        return;
    };
    let catalog = Catalog { sources: hermod_connectors::SOURCES, sinks: hermod_connectors::SINKS };
    match check(&bundle, &catalog) {
        Ok(checked) => assert!(!checked.plan.sinks.is_empty(), "a plan without a sink was accepted"),
        Err(problems) => assert!(!problems.is_empty(), "a document was refused without a reason"),
    }
});
