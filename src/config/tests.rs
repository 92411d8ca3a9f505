use std::io::Write;

use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn gather(
    flags: &[(&'static str, &str)],
    environment: &[(&str, &str)],
    file: Option<&Path>,
) -> Result<Settings, Faults> {
    let flags = flags
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    let environment = map(environment);
    Settings::gather(&Sources {
        flags: &flags,
        file,
        environment: &environment,
    })
}

#[test]
fn every_key_is_read_and_every_default_is_valid() {
    let settings = gather(&[], &[], None).unwrap();
    Config::new(&settings).unwrap();
    let names: std::collections::BTreeSet<_> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(names.len(), KEYS.len(), "names are unique");
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(
        file,
        "# ours\nport = 1\ndata_dir = \"/f\"\nlisten = \"::1\""
    )
    .unwrap();
    let path = file.path();
    let environment = [("HERMOD_PORT", "2"), ("HERMOD_DATA_DIR", "/e")];
    let settings = gather(&[("port", "3")], &environment, Some(path)).unwrap();
    assert_eq!(
        settings.text("port").origin,
        Origin::Flag("--port".to_owned())
    );
    assert_eq!(
        settings.text("data_dir").origin,
        Origin::Environment("HERMOD_DATA_DIR".to_owned())
    );
    assert_eq!(
        settings.text("listen").origin,
        Origin::File(format!("{}:4", path.display()))
    );
    assert_eq!(settings.text("log").origin, Origin::Default);
    let config = Config::new(&settings).unwrap();
    assert_eq!((config.port, config.data_dir), (3, PathBuf::from("/e")));
    assert_eq!(config.listen, "::1".parse::<IpAddr>().unwrap());
}

#[test]
fn unknown_keys_and_broken_files_are_faults_with_their_line() {
    let mut faults = Faults::default();
    file::parse("h.toml", "port = 1\nprot = 2\n[table]\n", &mut faults);
    assert_eq!(faults.found.len(), 2, "{faults:?}");
    assert!(faults.found.iter().any(|f| {
        f.text
            .starts_with("h.toml:2: unknown key `prot`; known are ")
    }));
    let mut faults = Faults::default();
    file::parse("h.toml", "port = 1\nlisten = \n", &mut faults);
    assert!(
        faults.found[0].text.starts_with("h.toml:2: is not TOML"),
        "{faults:?}"
    );
    assert_eq!(faults.found[0].value["pointer"], "");
    assert!(gather(&[], &[], Some(Path::new("/nowhere/h.toml"))).is_err());
    assert!(gather(&[], &[(FILE_VARIABLE, "/nowhere/h.toml")], None).is_err());
}

#[test]
fn every_value_at_fault_is_named_at_once() {
    let flags = [
        ("port", "70000"),
        ("listen", "localhost:80"),
        ("drain_timeout", "30"),
        ("sync", "0s"),
    ];
    let faults = Config::new(&gather(&flags, &[], None).unwrap()).unwrap_err();
    assert_eq!(faults.found.len(), 4, "{faults:?}");
    assert!(
        faults.found[0]
            .text
            .contains("`listen` = `localhost:80` (flag --listen)"),
        "{faults:?}"
    );
}

#[test]
fn faults_know_where_they_stand_and_how_logs_are_written() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "log_format = \"text\"\n\"a/b\" = 1").unwrap();
    let faults = gather(&[], &[], Some(file.path())).unwrap_err();
    assert_eq!(faults.log_format, LogFormat::Text);
    assert_eq!(faults.found[0].value["pointer"], "/a~1b");
    let faults = gather(&[("log_format", "json")], &[], Some(file.path())).unwrap_err();
    assert_eq!(faults.log_format, LogFormat::Json);
    let flags = [("log_format", "text"), ("port", "x")];
    let faults = Config::new(&gather(&flags, &[], None).unwrap()).unwrap_err();
    assert_eq!(faults.log_format, LogFormat::Text);
    assert_eq!(faults.found[0].value["pointer"], "/port");
}

#[test]
fn values_have_units() {
    assert_eq!(parse::duration("250ms"), Ok(Duration::from_millis(250)));
    assert_eq!(parse::duration("2 m"), Ok(Duration::from_mins(2)));
    assert_eq!(parse::duration("1m30s"), Ok(Duration::from_secs(90)));
    assert!(parse::duration("30s1m").is_err());
    assert_eq!(parse::quota("20GiB"), Ok(Some(20 << 30)));
    assert_eq!(parse::quota("0"), Ok(None));
    assert_eq!(parse::quota("16MiB"), Ok(Some(16 << 20)));
    assert!(parse::quota("16777215").is_err());
    assert!(parse::quota("20 gigs").is_err());
    assert!(parse::duration("99999999999999999h").is_err());
    assert_eq!(
        parse::sync("100ms"),
        Ok(Sync::Interval(Duration::from_millis(100)))
    );
    assert_eq!(
        parse::list(" a, ,b"),
        Ok(vec!["a".to_owned(), "b".to_owned()])
    );
}

#[test]
fn variables_that_nobody_reads_are_named() {
    let settings = gather(
        &[],
        &[("HERMOD_PROT", "1"), ("HERMOD_PORT", "1"), ("HOME", "/")],
        None,
    );
    assert_eq!(settings.unwrap().unknown_variables, ["HERMOD_PROT"]);
}

/// Gathers with a data directory whose `db_config.yaml` says something.
fn with_database(text: &str, flags: &[(&'static str, &str)]) -> Result<Settings, Faults> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(database::FILE), text).unwrap();
    let data_dir = directory.path().to_str().unwrap();
    gather(&[&[("data_dir", data_dir)], flags].concat(), &[], None)
}

#[test]
fn the_store_that_a_data_directory_has_worked_with_is_remembered() {
    let written = database::text("sqlite", "odd: \"name\".db");
    let found = with_database(&written, &[]).unwrap();
    assert_eq!(found.text("db_type").text, "sqlite");
    assert_eq!(found.text("db_conn").text, "odd: \"name\".db");
    assert!(
        matches!(&found.text("db_conn").origin, Origin::File(place) if place.ends_with("db_config.yaml:2"))
    );
    let found = with_database(&written, &[("db_conn", "other.db")]).unwrap();
    assert_eq!(found.text("db_conn").text, "other.db");
    // Its connection is none of another type.
    let found = with_database(&written, &[("db_type", "raft")]).unwrap();
    assert_eq!(found.text("db_conn").text, "");
    assert_eq!(
        with_database(&database::text("raft", ""), &[])
            .unwrap()
            .text("db_type")
            .text,
        "raft"
    );
}

#[test]
fn what_is_wrong_with_the_remembered_store_is_said_with_its_line() {
    for (text, wrong) in [
        (
            "type: sqlite\ncon: x",
            "db_config.yaml:2: unknown member `con`",
        ),
        (
            "type: sqlite\nconn: 5",
            "db_config.yaml:2: `conn` must be text",
        ),
        ("- sqlite", "db_config.yaml:1: must be a mapping"),
        ("type: [", "db_config.yaml:"),
    ] {
        let faults = with_database(text, &[]).unwrap_err();
        assert!(faults.found[0].text.contains(wrong), "{text}: {faults:?}");
    }
    assert!(with_database("type: sqlite\nlog_type: \"\"", &[]).is_ok());
}
