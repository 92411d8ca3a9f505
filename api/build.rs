//! Takes in the web interface, if `ui/dist` has one. The node is built without it too, and then serves a page that says so.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let dist = here.join("../ui/dist");
    // What is not there counts as changed in every build.
    fs::create_dir_all(&dist)?;
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    collect(&dist, &dist, &mut files)?;
    files.sort();
    let mut text = String::from("static FILES: &[File] = &[\n");
    for (name, path) in &files {
        if Path::new(name).extension().is_some_and(|end| end == "gz") {
            continue;
        }
        let packed = format!("{path}.gz");
        let gzip = if Path::new(&packed).exists() {
            format!("Some(include_bytes!({packed:?}))")
        } else {
            "None".to_owned()
        };
        text += &format!(
            "    File {{ path: {name:?}, bytes: include_bytes!({path:?}), gzip: {gzip} }},\n"
        );
    }
    text += "];\n";
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("ui.rs"), text)
}

/// Finds all files: their names below the root, and where they are.
fn collect(root: &Path, dir: &Path, files: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Ok(name) = path.strip_prefix(root) {
            let place = path.canonicalize()?.to_string_lossy().into_owned();
            files.push((name.to_string_lossy().into_owned(), place));
        }
    }
    Ok(())
}
