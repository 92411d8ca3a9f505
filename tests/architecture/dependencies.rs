//! Dependencies point down the table of `docs/architecture.md` only, and come from one table.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::{assert_none, read, root};

/// One package: its name, its directory, and the packages of this repository that it may use.
struct Place {
    package: &'static str,
    directory: &'static str,
    may_use: &'static [&'static str],
}

/// The table, from the top down. Packages of later versions stand in it already.
const PLACES: &[Place] = &[
    Place {
        package: "hermod-benches",
        directory: "benches",
        may_use: &[
            "hermod",
            "hermod-api",
            "hermod-chaos",
            "hermod-connectors",
            "hermod-engine",
            "hermod-proto",
            "hermod-sdk",
            "hermod-storage",
            "hermod-wal",
        ],
    },
    Place {
        package: "hermod",
        directory: "",
        may_use: &[
            "hermod-api",
            "hermod-chaos",
            "hermod-connectors",
            "hermod-engine",
            "hermod-proto",
            "hermod-sdk",
            "hermod-storage",
            "hermod-wal",
        ],
    },
    Place {
        package: "hermod-api",
        directory: "api",
        may_use: &[
            "hermod-engine",
            "hermod-proto",
            "hermod-sdk",
            "hermod-storage",
        ],
    },
    Place {
        package: "hermod-chaos",
        directory: "chaos",
        may_use: &["hermod-proto"],
    },
    Place {
        package: "hermod-storage",
        directory: "storage",
        may_use: &["hermod-proto", "hermod-wal"],
    },
    Place {
        package: "hermod-engine",
        directory: "engine",
        may_use: &["hermod-sdk", "hermod-wal"],
    },
    Place {
        package: "hermod-connectors",
        directory: "connectors",
        may_use: &["hermod-sdk"],
    },
    Place {
        package: "hermod-sdk",
        directory: "sdk",
        may_use: &[],
    },
    Place {
        package: "hermod-wal",
        directory: "wal",
        may_use: &[],
    },
    Place {
        package: "hermod-proto",
        directory: "proto",
        may_use: &[],
    },
];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs, since it runs this test");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

#[test]
fn every_package_stands_in_the_table_at_its_directory() {
    let packages = packages();
    assert!(packages.len() >= 7, "cargo metadata lists the workspace");
    let mut findings = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        let Some(place) = PLACES.iter().find(|place| place.package == name) else {
            findings.push(format!("`{name}` is not in the table"));
            continue;
        };
        let manifest = root().join(place.directory).join("Cargo.toml");
        if package["manifest_path"].as_str() != manifest.to_str() {
            findings.push(format!("`{name}` is not at `{}`", place.directory));
        }
        if !name.starts_with("hermod") || place.directory.starts_with("hermod") {
            findings.push(format!(
                "`{name}`: the package has the prefix, the directory does not"
            ));
        }
    }
    assert_none("packages", &findings);
}

#[test]
fn dependencies_point_down_the_table_only() {
    let mut findings = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap().to_owned();
        let may_use = PLACES
            .iter()
            .find(|place| place.package == name)
            .map_or(&[][..], |place| place.may_use);
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            // Dependencies of builds and tests count as well: a crate that can only be tested with what stands
            // above it is not below it.
            let ours = used == "hermod" || used.starts_with("hermod-");
            if ours && used != name && !may_use.contains(&used) {
                let kind = dependency["kind"].as_str().unwrap_or("normal");
                findings.push(format!("`{name}` uses `{used}` ({kind})"));
            }
        }
    }
    assert_none("dependencies that the table does not allow", &findings);
}

#[test]
fn the_table_has_no_cycle() {
    let table: BTreeMap<_, _> = PLACES
        .iter()
        .enumerate()
        .map(|(index, place)| (place.package, index))
        .collect();
    for (index, place) in PLACES.iter().enumerate() {
        for used in place.may_use {
            assert!(
                table[used] > index,
                "`{used}` stands below `{}`",
                place.package
            );
        }
    }
}

#[test]
fn every_dependency_comes_from_the_one_table() {
    let mut findings = Vec::new();
    for place in PLACES {
        let manifest = root().join(place.directory).join("Cargo.toml");
        if !manifest.exists() {
            continue;
        }
        let document: toml::Table = read(&manifest).parse().unwrap();
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = document.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for (name, entry) in dependencies {
                let inherited = entry.get("workspace").and_then(toml::Value::as_bool);
                if inherited != Some(true) {
                    findings.push(format!("`{}`: {section}.{name}", place.package));
                }
            }
        }
    }
    assert_none("dependencies without `workspace = true`", &findings);
}

#[test]
fn each_line_of_the_table_says_why_and_turns_default_features_off() {
    let manifest = read(&root().join("Cargo.toml"));
    let table = manifest
        .split("[workspace.dependencies]\n")
        .nth(1)
        .and_then(|rest| rest.split("\n[").next())
        .expect("the root manifest has the table");
    let mut lines = 0;
    let mut findings = Vec::new();
    for line in table.lines().filter(|line| !line.trim().is_empty()) {
        if line.starts_with('#') || line.starts_with("hermod") {
            continue;
        }
        lines += 1;
        let (entry, reason) = line.split_once(" # ").unwrap_or((line, ""));
        if reason.trim().is_empty() || !entry.contains("default-features = false") {
            findings.push(line.to_owned());
        }
    }
    assert!(lines > 10, "the table was found");
    assert_none("lines without a reason or with default features", &findings);
}
