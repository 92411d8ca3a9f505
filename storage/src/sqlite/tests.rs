use super::*;

#[test]
fn addresses_are_paths_with_or_without_the_scheme() {
    for (text, path) in [
        ("hermod.db", "hermod.db"),
        ("sqlite:hermod.db", "hermod.db"),
        ("sqlite://hermod.db", "hermod.db"),
        ("sqlite:///var/lib/hermod.db", "/var/lib/hermod.db"),
        ("/var/lib/hermod.db", "/var/lib/hermod.db"),
    ] {
        assert_eq!(SqliteOptions::parse(text).unwrap().path, Path::new(path));
    }
    for text in [
        "",
        "sqlite:",
        ":memory:",
        "sqlite::memory:",
        "postgres://host/db",
        "a?mode=ro",
    ] {
        assert!(SqliteOptions::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_busy_timeout_is_taken_from_a_text_in_milliseconds() {
    let options = || SqliteOptions::new("a");
    assert_eq!(options().busy_timeout, Duration::from_secs(15));
    let set = options().with_busy_timeout_ms("250").unwrap();
    assert_eq!(set.busy_timeout, Duration::from_millis(250));
    for text in ["", "0", "-1", "fast", "600001"] {
        assert!(options().with_busy_timeout_ms(text).is_err(), "{text}");
    }
}
