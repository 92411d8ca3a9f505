//! Holds what the workspace promises about itself: who may depend on whom, one dependency table, names of
//! files, decisions, pages and links of the book, error codes and their pages, ready-made bundles.
#![expect(
    clippy::unwrap_used,
    reason = "a test may end on what it did not expect"
)]

mod book;
mod dependencies;
mod examples;
mod reference;
mod sources;

use std::path::{Path, PathBuf};

/// Returns the root of the work tree.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Lists the files below a directory with an extension, without what is built and what is not ours.
fn files_below(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(directory) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let built = ["target", "book", "data", "node_modules"].contains(&name.as_str());
            if path.is_symlink() || name.starts_with('.') {
                continue;
            }
            if path.is_dir() {
                if !built {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Reads a file as text.
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Shows a path as it stands in the work tree.
fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// Fails with all findings at once.
fn assert_none(what: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{what}:\n{}", findings.join("\n"));
}
