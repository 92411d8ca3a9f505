//! The book: decisions, table of contents, links.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::{assert_none, files_below, read, root, shown};

/// What was asked to be decided about, one decision each.
const DECISIONS: &[&str] = &[
    "tokio",
    "glommio",
    "io-uring",
    "memmap2",
    "crc32fast",
    "bincode",
    "rkyv",
    "sled",
    "serde",
    "axum",
    "tonic",
    "tracing",
    "prometheus",
    "sqlx",
    "jsonschema",
    "apache-avro",
    "openraft",
];

#[test]
fn every_decision_is_written_down() {
    let decisions = files_below(&root().join("docs/adr"), "md");
    for slug in DECISIONS {
        let page = decisions.iter().find(|path| {
            let name = path.file_stem().unwrap().to_string_lossy();
            name.get(8..) == Some(&format!("-{slug}"))
                && name[..8].bytes().all(|b| b.is_ascii_digit())
        });
        let page = page.unwrap_or_else(|| panic!("docs/adr/YYYYMMDD-{slug}.md is missing"));
        let text = read(page);
        for part in ["**Decision.**", "**Why", "**Rejected.**"] {
            assert!(text.contains(part), "{}: {part}", shown(page));
        }
    }
}

/// Returns the targets of the links of a page, without those that lead out of the repository.
fn links(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let target: String = line[at + 2..].chars().take_while(|c| *c != ')').collect();
            if !target.contains("://") && !target.starts_with("mailto:") {
                targets.push(target);
            }
        }
    }
    targets
}

/// Returns the anchors of a page's headings, as mdBook and GitHub make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut in_code = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        }
        let title = line.trim_start_matches('#');
        if in_code || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let title = title.trim().to_lowercase();
        let anchor = title.chars().filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        });
        found.insert(anchor.collect());
    }
    found
}

fn pages_with_links() -> Vec<PathBuf> {
    let mut pages = files_below(&root().join("docs"), "md");
    for path in ["README.md", "CONTRIBUTING.md", "ui/README.md"] {
        pages.push(root().join(path));
    }
    pages
}

fn broken(page: &Path, target: &str) -> bool {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if path.is_empty() {
        page.to_path_buf()
    } else {
        page.parent().unwrap().join(path)
    };
    if !file.exists() {
        return true;
    }
    !anchor.is_empty() && !anchors(&read(&file)).contains(anchor)
}

#[test]
fn every_relative_link_resolves() {
    let mut checked = 0;
    let mut findings = Vec::new();
    for page in pages_with_links() {
        for target in links(&read(&page)) {
            checked += 1;
            if broken(&page, &target) {
                findings.push(format!("{}: {target}", shown(&page)));
            }
        }
    }
    assert!(checked > 20, "links were found");
    assert_none("links that lead nowhere", &findings);
}

#[test]
fn the_table_of_contents_covers_every_page() {
    let docs = root().join("docs");
    let listed: BTreeSet<_> = links(&read(&docs.join("SUMMARY.md")))
        .into_iter()
        .map(|target| docs.join(target))
        .collect();
    let findings: Vec<_> = files_below(&docs, "md")
        .into_iter()
        .filter(|path| !path.ends_with("SUMMARY.md") && !listed.contains(path))
        .map(|path| shown(&path))
        .collect();
    assert_none("pages that are not in docs/SUMMARY.md", &findings);
}

#[test]
fn the_map_of_the_book_names_every_directory_of_the_layout() {
    let page = read(&root().join("docs/architecture.md"));
    for directory in [
        "src/",
        "api/",
        "storage/",
        "engine/",
        "connectors/",
        "sdk/",
        "wal/",
        "proto/",
        "ui/",
        "chaos/",
        "benches/",
        "docs/",
        "examples/",
    ] {
        assert!(page.contains(&format!("`{directory}`")), "{directory}");
        assert!(root().join(directory).is_dir(), "{directory} exists");
    }
}
