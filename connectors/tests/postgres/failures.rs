//! A server that is down, killed, or not as it should be.

use std::time::{Duration, Instant};

use hermod_sdk::{Batch, ConnectorError, ErrorKind, Sink, Written, testkit::server::Postgres};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{batch, config, context, factory, message, open, open_as, schema, shared};

async fn refusal(config: &Value) -> ConnectorError {
    open_as(config, context(1))
        .await
        .err()
        .expect("it cannot be opened")
}

/// Writes until it is written, as the engine does.
async fn insist(sink: &mut Box<dyn Sink>, batch: &Batch) -> u32 {
    let deadline = Instant::now() + Duration::from_mins(2);
    for failures in 0.. {
        assert!(Instant::now() < deadline, "the batch is never written");
        match sink.write(batch).await {
            Ok(written) => {
                assert_eq!(written, Written::All);
                return failures;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.report()),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    unreachable!("the deadline comes first")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_nothing_written_is_missing_or_double_after_the_server_is_killed() {
    let mut server = Postgres::start();
    // Without a key: a row that is written twice would stand there twice.
    let config = config(
        &server,
        "log",
        json!({
            "operation_mode": "insert",
            "columns": [{"source_field": "n", "target_column": "n", "data_type": "int"}],
        }),
    );
    let mut sink = open(&config).await;
    let (done, mut progress) = tokio::sync::watch::channel(0_u64);
    let mut writer = JoinSet::new();
    writer.spawn(async move {
        let mut failures = 0;
        for start in (1..).step_by(200) {
            let messages = (start..start + 200).map(|n| message("x", &format!("{{\"n\": {n}}}")));
            failures += insist(&mut sink, &batch(start, messages)).await;
            if done.send(start + 199).is_err() {
                return (start + 199, failures);
            }
        }
        unreachable!("the test ends before the numbers do")
    });
    for _ in 0..3 {
        let reached = *progress.borrow();
        progress
            .wait_for(|done| *done > reached + 1000)
            .await
            .unwrap();
        // While a batch is under way, wherever it is just then.
        server = tokio::task::spawn_blocking(move || {
            server.kill();
            server.restart();
            server
        })
        .await
        .unwrap();
    }
    let reached = *progress.borrow();
    progress
        .wait_for(|done| *done > reached + 1000)
        .await
        .unwrap();
    drop(progress);
    let (last, failures) = writer.join_next().await.unwrap().unwrap();
    assert!(failures > 0, "no kill was noticed");
    let found = server.psql("SELECT count(*), count(DISTINCT n), min(n), max(n) FROM log");
    assert_eq!(found, format!("{last}|{last}|1|{last}"));
    let token = server.psql("SELECT sequence FROM hermod_tokens WHERE stream = 'n1/1'");
    assert_eq!(token, last.to_string());
}

#[tokio::test]
async fn a_server_that_is_down_is_unavailable_and_comes_back() {
    let mut server = Postgres::start();
    let config = config(&server, "t", json!({}));
    let mut sink = open(&config).await;
    assert_eq!(
        sink.write(&batch(1, [message("a", "1")])).await.unwrap(),
        Written::All
    );
    server.kill();
    let error = sink
        .write(&batch(2, [message("b", "1")]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(refusal(&config).await.kind(), ErrorKind::Unavailable);
    let error = factory(&config).probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    server.restart();
    insist(&mut sink, &batch(2, [message("b", "1")])).await;
    assert_eq!(server.psql("SELECT count(*) FROM t"), "2");
    assert_eq!(open(&config).await.committed()[0].last, 2);
}

#[tokio::test]
async fn a_dropped_write_is_rolled_back_or_found_in_the_token() {
    let schema = schema();
    let table = format!("{schema}.t");
    let config = config(
        shared(),
        &table,
        json!({
            "operation_mode": "insert",
            "columns": [{"source_field": "n", "target_column": "n", "data_type": "int"}],
        }),
    );
    let mut sink = open(&config).await;
    let messages: Vec<_> = (0..2000)
        .map(|n| message("x", &format!("{{\"n\": {n}}}")))
        .collect();
    let whole = batch(1, messages);
    for polls in [1, 2, 3, 5, 8, 13, 21] {
        let mut write = sink.write(&whole);
        let mut left = polls;
        std::future::poll_fn(|cx| {
            left -= 1;
            match write.as_mut().poll(cx) {
                std::task::Poll::Pending if left > 0 => std::task::Poll::Pending,
                _ => std::task::Poll::Ready(()),
            }
        })
        .await;
    }
    insist(&mut sink, &whole).await;
    let found = shared().psql(&format!("SELECT count(*), count(DISTINCT n) FROM {table}"));
    assert_eq!(found, "2000|2000");
}

#[tokio::test]
async fn what_is_wrong_with_the_target_pauses_and_says_so() {
    let schema = schema();
    shared().psql(&format!(
        "CREATE TABLE {schema}.keyless (id text, data jsonb); CREATE TABLE {schema}.other (key text PRIMARY KEY); \
         CREATE UNLOGGED TABLE {schema}.brittle (id text PRIMARY KEY, data jsonb); \
         CREATE VIEW {schema}.seen AS SELECT * FROM {schema}.keyless; \
         CREATE ROLE {schema}_reader LOGIN; GRANT USAGE ON SCHEMA {schema} TO {schema}_reader; \
         GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {schema}_reader"
    ));
    let cases = [
        ("missing", json!({"create_table": false}), "does not exist"),
        ("keyless", json!({}), "42P10"),
        ("other", json!({}), "no column `id`"),
        ("brittle", json!({}), "UNLOGGED"),
        ("seen", json!({}), "not a table"),
    ];
    for (table, more, word) in cases {
        let error = refusal(&config(shared(), &format!("{schema}.{table}"), more)).await;
        assert_eq!(error.kind(), ErrorKind::Auth, "{table}");
        assert!(error.report().contains(word), "{table}: {}", error.report());
    }
    let url = shared().url();
    for (connection, word) in [
        (
            format!("{}nowhere", url.strip_suffix("postgres").unwrap()),
            "3D000",
        ),
        (
            url.replace("postgres@", &format!("{schema}_reader@")),
            "42501",
        ),
    ] {
        let config =
            json!({"connection_string": connection, "table": format!("{schema}.keyless2")});
        let error = refusal(&config).await;
        assert_eq!(error.kind(), ErrorKind::Auth);
        assert!(error.report().contains(word), "{}", error.report());
    }
}

#[tokio::test]
async fn a_table_that_vanishes_pauses_and_dead_letters_nothing() {
    let schema = schema();
    let table = format!("{schema}.t");
    let mut sink = open(&config(shared(), &table, json!({"create_table": true}))).await;
    shared().psql(&format!("ALTER TABLE {table} RENAME COLUMN data TO info"));
    for _ in 0..2 {
        let error = sink
            .write(&batch(1, [message("a", "1")]))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth, "{}", error.report());
    }
    shared().psql(&format!("ALTER TABLE {table} RENAME COLUMN info TO data"));
    assert_eq!(
        sink.write(&batch(1, [message("a", "1")])).await.unwrap(),
        Written::All
    );
}

#[tokio::test]
async fn under_row_level_security_rows_go_through_the_staging_table() {
    let schema = schema();
    let table = format!("{schema}.t");
    shared().psql(&format!(
        "CREATE ROLE {schema}_tenant LOGIN; GRANT ALL ON SCHEMA {schema} TO {schema}_tenant; \
         CREATE TABLE {table} (id text PRIMARY KEY, data jsonb); GRANT ALL ON {table} TO {schema}_tenant; \
         ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY all_rows ON {table} USING (true) WITH CHECK (true)"
    ));
    let connection = shared()
        .url()
        .replace("postgres@", &format!("{schema}_tenant@"));
    for mode in ["auto", "insert"] {
        let config = json!({
            "connection_string": connection, "table": table, "operation_mode": mode,
        });
        let mut sink = open_as(
            &config,
            super::SinkContext {
                sink: mode.into(),
                ..context(1)
            },
        )
        .await
        .unwrap();
        let messages = [
            message(&format!("{mode}1"), "1"),
            message(&format!("{mode}2"), "2"),
        ];
        assert_eq!(sink.write(&batch(1, messages)).await.unwrap(), Written::All);
    }
    assert_eq!(super::rows(&table), "auto1=1 auto2=2 insert1=1 insert2=2");
}

#[tokio::test]
async fn an_unsafe_default_of_the_server_is_not_taken_over() {
    let schema = schema();
    shared().psql(&format!(
        "CREATE ROLE {schema}_hasty LOGIN; ALTER ROLE {schema}_hasty SET synchronous_commit = off; \
         GRANT ALL ON SCHEMA {schema} TO {schema}_hasty"
    ));
    let connection = shared()
        .url()
        .replace("postgres@", &format!("{schema}_hasty@"));
    // The table's own default shows what the session's setting is.
    shared().psql(&format!(
        "CREATE TABLE {schema}.t (id text PRIMARY KEY, data jsonb, \
         how text DEFAULT current_setting('synchronous_commit')); GRANT ALL ON {schema}.t TO {schema}_hasty"
    ));
    let config = json!({"connection_string": connection, "table": format!("{schema}.t")});
    let mut sink = open(&config).await;
    assert_eq!(
        sink.write(&batch(1, [message("a", "1")])).await.unwrap(),
        Written::All
    );
    assert_eq!(shared().psql(&format!("SELECT how FROM {schema}.t")), "on");
}

#[test]
fn every_mistake_of_a_configuration_is_named() {
    let problems = hermod_connectors::sink("postgres")
        .unwrap()
        .configure(&json!({
            "connection_string": "postgres://u:hunter2@h/d", "host": "h", "table": "a.b.c", "sslrootcert": "/x",
            "columns": [
                {"source_field": "$nope", "target_column": "a", "data_type": "text); DROP TABLE x; --"},
                {"source_field": "b", "target_column": "a"},
            ],
        }))
        .err()
        .expect("it is full of mistakes");
    let text = problems.to_string();
    for pointer in [
        "/host",
        "/table",
        "/sslrootcert",
        "/columns/0/source_field",
        "/columns/0/data_type",
        "/columns/1/target_column",
        "/columns:",
    ] {
        assert!(text.contains(pointer), "{pointer} in {text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
}
