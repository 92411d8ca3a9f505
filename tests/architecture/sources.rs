//! Rules about source files that neither rustc nor clippy knows.

use std::collections::BTreeSet;
use std::path::Path;

use crate::{assert_none, files_below, read, root, shown};

#[test]
fn no_file_is_named_mod_rs() {
    let findings: Vec<_> = files_below(root(), "rs")
        .iter()
        .filter(|path| path.ends_with("mod.rs"))
        .map(|path| shown(path))
        .collect();
    assert_none("use `foo.rs` beside `foo/`", &findings);
}

#[test]
fn modules_are_nouns_of_the_domain() {
    let vague = [
        "utils", "util", "common", "types", "helpers", "helper", "manager", "misc",
    ];
    let findings: Vec<_> = files_below(root(), "rs")
        .iter()
        .filter(|path| vague.iter().any(|name| path.file_stem().unwrap() == *name))
        .map(|path| shown(path))
        .collect();
    assert_none("names that say nothing", &findings);
}

/// Returns whether a file holds tests only.
fn is_test(path: &Path) -> bool {
    let inside = path.strip_prefix(root()).unwrap_or(path);
    inside.ends_with("tests.rs") || inside.components().any(|part| part.as_os_str() == "tests")
}

/// Collects the codes of the form `HMD-0042` in a text.
fn codes_in(text: &str) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for (at, _) in text.match_indices("HMD-") {
        let digits: String = text[at + 4..]
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        if digits.len() == 4 {
            codes.insert(format!("HMD-{digits}"));
        }
    }
    codes
}

#[test]
fn every_error_code_has_a_page_and_every_page_a_code() {
    let mut in_code = BTreeSet::new();
    for path in files_below(root(), "rs")
        .iter()
        .filter(|path| !is_test(path))
    {
        let text = read(path);
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        in_code.extend(codes_in(code));
    }
    let in_docs: BTreeSet<_> = files_below(&root().join("docs/errors"), "md")
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "index")
        .collect();
    assert!(!in_code.is_empty(), "error codes were found in the code");
    let without_page: Vec<_> = in_code.difference(&in_docs).cloned().collect();
    let without_code: Vec<_> = in_docs.difference(&in_code).cloned().collect();
    assert_none("codes without a page in docs/errors", &without_page);
    assert_none("pages in docs/errors without a code", &without_code);
}

#[test]
fn every_error_page_says_its_code_the_cause_and_what_to_do() {
    let mut findings = Vec::new();
    for path in files_below(&root().join("docs/errors"), "md") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = read(&path);
        if name != "index" && !(text.starts_with(&format!("# {name}")) && text.len() > 100) {
            findings.push(shown(&path));
        }
    }
    assert_none(
        "pages that do not begin with their code or say too little",
        &findings,
    );
}

/// Collects what looks like the name of a metric: `hermod_`, and at least two words.
fn metrics_in(text: &str, before: char) -> BTreeSet<String> {
    let opening = format!("{before}hermod_");
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices(&opening) {
        let rest = &text[at + before.len_utf8()..];
        let name: String = rest
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '_')
            .collect();
        let whole = rest[name.len()..].starts_with(before);
        if whole && name.matches('_').count() >= 2 {
            found.insert(name);
        }
    }
    found
}

#[test]
fn every_metric_stands_in_the_book_and_every_one_there_exists() {
    let mut in_code = BTreeSet::new();
    for directory in ["api/src", "engine/src", "src"] {
        for path in files_below(&root().join(directory), "rs")
            .iter()
            .filter(|path| !is_test(path))
        {
            let text = read(path);
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            in_code.extend(metrics_in(code, '"'));
            // The engine's own metrics share a prefix, which is written once.
            let prefixed = code.replace("engine(\"", "\"hermod_engine_");
            in_code.extend(metrics_in(&prefixed, '"'));
        }
    }
    let in_docs = metrics_in(&read(&root().join("docs/operations.md")), '`');
    assert!(in_code.len() > 10, "metrics were found in the code");
    let unsaid: Vec<_> = in_code.difference(&in_docs).cloned().collect();
    let unmade: Vec<_> = in_docs.difference(&in_code).cloned().collect();
    assert_none("metrics that docs/operations.md lacks", &unsaid);
    assert_none("metrics in docs/operations.md that do not exist", &unmade);
}
