use std::{path::PathBuf, process::Command};

use crate::process::text;

/// Examples are built beside the tests.
fn example() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples/embed")
}

#[test]
fn the_embedding_example_delivers_and_goes_on_where_it_stood() {
    let directory = tempfile::tempdir().unwrap();
    let run = || {
        Command::new(example())
            .arg(directory.path().join("buffer"))
            .output()
            .unwrap()
    };
    let first = run();
    assert!(first.status.success(), "{}", text(&first.stderr));
    let expected = [
        r#"greeting-1 {"hello": "Ada"}"#,
        r#"greeting-2 {"hello": "Grace"}"#,
        r#"greeting-3 {"hello": "Radia"}"#,
    ];
    assert_eq!(text(&first.stdout).lines().collect::<Vec<_>>(), expected);
    let second = run();
    assert!(second.status.success(), "{}", text(&second.stderr));
    assert_eq!(
        text(&second.stdout),
        "",
        "the position was kept, so nothing is read again"
    );
}
