//! The parts of the book that repeat what the binary says of itself are what it says.
//!
//! `UPDATE_DOCS=1 cargo test --test architecture` writes the connectors' pages anew; what stands below the mark
//! on each page is by hand and is kept.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::{assert_none, files_below, read, root, shown};

/// Ends the part of a page that is written by the binary.
const MARK: &str = "<!-- Up to here the page is written by `hermod connectors --markdown`. -->";

fn hermod(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_hermod"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the page and the text of every connector.
fn connectors() -> Vec<(PathBuf, String)> {
    let markdown = hermod(&["connectors", "--markdown"]);
    let sections = format!("\n{markdown}");
    let sections = sections.split("\n## ").skip(1);
    sections
        .map(|section| {
            let section = section.trim_end();
            let (side, rest) = section.split_once(" `").expect("SIDE `KIND`: TITLE");
            let (kind, _) = rest.split_once('`').expect("SIDE `KIND`: TITLE");
            let page = format!("docs/connectors/{side}-{kind}.md");
            let (first, others) = side.split_at(1);
            let title = format!("# {}{others}", first.to_uppercase());
            let text = section.strip_prefix(side).unwrap();
            (root().join(page), format!("{title}{text}\n\n{MARK}\n"))
        })
        .collect()
}

#[test]
fn the_page_of_every_connector_is_what_the_binary_prints() {
    let connectors = connectors();
    assert!(connectors.len() >= 7, "the binary lists its connectors");
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    let mut findings = Vec::new();
    for (page, text) in &connectors {
        let present = if page.exists() {
            read(page)
        } else {
            String::new()
        };
        if present.starts_with(text.as_str()) {
            continue;
        }
        findings.push(format!(
            "{}: run UPDATE_DOCS=1 cargo test --test architecture",
            shown(page)
        ));
        if update {
            let notes = present
                .split_once(MARK)
                .map_or("", |(_, notes)| notes.trim_start_matches('\n'));
            let gap = if notes.is_empty() { "" } else { "\n" };
            std::fs::write(page, format!("{text}{gap}{notes}")).unwrap();
        }
    }
    if !update {
        assert_none("pages that are not what the binary prints", &findings);
    }
    for page in files_below(&root().join("docs/connectors"), "md") {
        let name = page.file_stem().unwrap().to_string_lossy();
        let of_a_connector = name.starts_with("source-") || name.starts_with("sink-");
        let known = connectors.iter().any(|(known, _)| *known == page);
        assert!(
            known || !of_a_connector,
            "{} is of no connector",
            shown(&page)
        );
    }
}

#[test]
fn the_table_of_configuration_is_what_the_binary_says() {
    let keys: Value = serde_json::from_str(&hermod(&["config", "--output", "json"])).unwrap();
    let page = read(&root().join("docs/operations.md"));
    let mut findings = Vec::new();
    let keys = keys["keys"].as_object().unwrap();
    assert!(keys.len() > 5, "the binary lists its keys");
    for (name, key) in keys {
        let (flag, variable) = (
            key["flag"].as_str().unwrap(),
            key["variable"].as_str().unwrap(),
        );
        let default = match key["default"].as_str().unwrap() {
            "" => "–".to_owned(),
            default => format!("`{default}`"),
        };
        let row = format!("| `{name}` | `{flag}` | `{variable}` | {default} | ");
        if !page.contains(&row) {
            findings.push(row);
        }
    }
    assert_none("rows that docs/operations.md lacks", &findings);
}
