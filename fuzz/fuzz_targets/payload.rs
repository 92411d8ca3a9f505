//! JSON payloads: what is parsed and written again keeps its numbers, and a path that cannot be set changes nothing.
#![no_main]

use hermod_sdk::{get_path, set_path};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: (&str, &str)| {
    let (path, text) = data;
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return;
    };
    let once = value.to_string();
    let again: Value = serde_json::from_str(&once).expect("what was written can be read");
    assert_eq!(once, again.to_string());

    let found = get_path(&value, path).cloned();
    let mut changed = value.clone();
    if set_path(&mut changed, path, Value::from("set")).is_err() {
        assert_eq!(changed, value, "a path that cannot be set has changed something");
    }
    assert_eq!(get_path(&value, path).cloned(), found);
});
