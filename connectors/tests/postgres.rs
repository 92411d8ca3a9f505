//! The sink `postgres` against a real server.

mod contract;
mod failures;
mod owners;
mod tls;
mod values;

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, Ordering},
};

use hermod_sdk::{
    Batch, ConnectorError, Message, Operation, Outcome, Record, Sink, SinkContext, SinkFactory,
    Tenure, Token, Written, testkit::server::Postgres,
};
use serde_json::{Value, json};

/// One server for all tests that do not harm it; each has its own table.
fn shared() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(Postgres::start)
}

/// A schema of the test's own, with its own tokens.
fn schema() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("s{}", COUNT.fetch_add(1, Ordering::Relaxed));
    shared().psql(&format!("CREATE SCHEMA {name}"));
    name
}

fn config(server: &Postgres, table: &str, mut more: Value) -> Value {
    more["connection_string"] = server.url().into();
    more["sslmode"] = "disable".into();
    more["table"] = table.into();
    more
}

fn factory(config: &Value) -> Arc<dyn SinkFactory> {
    hermod_connectors::sink("postgres")
        .expect("`postgres` is registered")
        .configure(config)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

fn context(epoch: u64) -> SinkContext {
    SinkContext {
        workflow: "w".into(),
        sink: "s".into(),
        stream: "n1/1".into(),
        epoch,
        tenure: Tenure::Owner,
    }
}

async fn open(config: &Value) -> Box<dyn Sink> {
    open_as(config, context(1))
        .await
        .expect("the sink can be opened")
}

async fn open_as(config: &Value, cx: SinkContext) -> Result<Box<dyn Sink>, ConnectorError> {
    factory(config).open(cx).await
}

/// A batch of the stream `n1/1` under epoch 1.
fn batch(first: u64, messages: impl IntoIterator<Item = Message>) -> Batch {
    let records: Vec<_> = messages
        .into_iter()
        .zip(first..)
        .map(|(message, seq)| Record { seq, message })
        .collect();
    let token = Token {
        stream: "n1/1".into(),
        epoch: 1,
        first,
        last: first + records.len() as u64 - 1,
        position: None,
    };
    Batch { records, token }
}

fn message(id: &str, payload: &str) -> Message {
    Message::new(id, payload.to_owned())
}

fn delete(id: &str) -> Message {
    message(id, "").with_operation(Operation::Delete)
}

async fn write(sink: &mut Box<dyn Sink>, batch: &Batch) -> Vec<Outcome> {
    match sink.write(batch).await.expect("the batch is answered") {
        Written::All => vec![Outcome::Written; batch.records.len()],
        Written::Each(outcomes) => outcomes,
    }
}

/// Outcomes as letters: `w`ritten, `x` rejected, `r`etry.
fn letters(outcomes: &[Outcome]) -> String {
    outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Written => 'w',
            Outcome::Rejected { .. } => 'x',
            Outcome::Retry { .. } => 'r',
        })
        .collect()
}

fn rows(table: &str) -> String {
    let sql = format!("SELECT id || '=' || COALESCE(data::text, 'NULL') FROM {table} ORDER BY id");
    shared().psql(&sql).replace('\n', " ")
}

fn token(schema: &str) -> String {
    shared().psql(&format!(
        "SELECT stream, epoch, sequence FROM {schema}.hermod_tokens WHERE stream <> ''"
    ))
}

#[tokio::test]
async fn a_table_is_made_and_the_last_message_of_an_id_wins() {
    let schema = schema();
    let table = format!("{schema}.Orders");
    let mut sink = open(&config(shared(), &table, json!({}))).await;
    let first = batch(1, [message("a", "{\"n\": 1}"), message("b", "{\"n\": 2}")]);
    assert_eq!(sink.write(&first).await.unwrap(), Written::All);
    let second = batch(
        3,
        [
            message("a", "{\"n\": 3}"),
            message("c", "{\"n\": 4}"),
            message("c", "{\"n\": 5}"),
        ],
    );
    assert_eq!(sink.write(&second).await.unwrap(), Written::All);
    let quoted = format!("{schema}.\"Orders\"");
    assert_eq!(rows(&quoted), r#"a={"n": 3} b={"n": 2} c={"n": 5}"#);
    assert_eq!(token(&schema), "n1/1|1|5");
    sink.close().await.unwrap();
}

#[tokio::test]
async fn a_delete_deletes_and_only_the_last_operation_of_an_id_counts() {
    let schema = schema();
    let table = format!("{schema}.t");
    let mut sink = open(&config(shared(), &table, json!({}))).await;
    write(
        &mut sink,
        &batch(1, ["a", "b", "c"].map(|id| message(id, "1"))),
    )
    .await;
    let second = batch(
        4,
        [
            delete("a"),
            delete("b"),
            message("b", "2"),
            message("d", "3"),
            delete("d"),
            delete("never"),
        ],
    );
    assert_eq!(sink.write(&second).await.unwrap(), Written::All);
    assert_eq!(rows(&table), "b=2 c=1");
}

#[tokio::test]
async fn case_sql1_redelivered_batch_leaves_no_second_effect() {
    let schema = schema();
    let table = format!("{schema}.log");
    // No key, no upsert: only the token keeps a repeat out.
    let config = config(
        shared(),
        &table,
        json!({
            "operation_mode": "insert",
            "columns": [{"source_field": "$payload", "target_column": "data", "data_type": "jsonb"}],
        }),
    );
    let count = format!("SELECT count(*) FROM {table}");
    let mut sink = open(&config).await;
    let one = batch(1, ["1", "2", "3"].map(|n| message(n, n)));
    for _ in 0..3 {
        assert_eq!(sink.write(&one).await.unwrap(), Written::All);
    }
    assert_eq!(shared().psql(&count), "3");
    // The repeat overlaps with what is new, as after a crash with other batch borders.
    let two = batch(2, ["2", "3", "4", "5"].map(|n| message(n, n)));
    assert_eq!(sink.write(&two).await.unwrap(), Written::All);
    assert_eq!(shared().psql(&count), "5");

    let mut sink = open_as(&config, context(2)).await.unwrap();
    assert_eq!(sink.committed()[0].last, 5);
    let mut again = two.clone();
    again.token.epoch = 2;
    assert_eq!(sink.write(&again).await.unwrap(), Written::All);
    assert_eq!(shared().psql(&count), "5");
}

#[tokio::test]
async fn case_sql3_two_sinks_on_one_table_have_their_own_tokens_and_do_not_block_each_other() {
    let schema = schema();
    let config = config(shared(), &format!("{schema}.t"), json!({}));
    let mut other = context(1);
    other.sink = "s2".into();
    let (mut one, mut two) = (open(&config).await, open_as(&config, other).await.unwrap());
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for n in 0..200 {
        first.push(message(&format!("a{n}"), "1"));
        second.push(message(&format!("b{n}"), "2"));
    }
    // Keys that both write, in opposite order: they must not block each other for good.
    for n in 0..50 {
        first.push(message(&format!("k{n}"), "1"));
        second.push(message(&format!("k{}", 49 - n), "2"));
    }
    for (round, start) in (0..5).zip((1..).step_by(250)) {
        let (a, b) = (batch(start, first.clone()), batch(start, second.clone()));
        let (a, b) = tokio::join!(one.write(&a), two.write(&b));
        assert_eq!(
            (a.unwrap(), b.unwrap()),
            (Written::All, Written::All),
            "{round}"
        );
    }
    let count = shared().psql(&format!("SELECT count(*) FROM {schema}.t"));
    assert_eq!(count, "450");
    assert_eq!(token(&schema), "n1/1|1|1250\nn1/1|1|1250");
}

#[tokio::test]
async fn case_sql5_columns_are_filled_from_the_payload_by_their_own_types() {
    let schema = schema();
    let table = format!("{schema}.orders");
    let config = config(
        shared(),
        &table,
        json!({"columns": [
            {"source_field": "customer.id", "target_column": "customer", "is_primary_key": true, "data_type": "bigint"},
            {"source_field": "no", "target_column": "no", "is_primary_key": true, "data_type": "int"},
            {"source_field": "total", "target_column": "total", "data_type": "numeric"},
            {"source_field": "at", "target_column": "at", "data_type": "timestamptz"},
            {"source_field": "lines", "target_column": "lines", "data_type": "jsonb"},
            {"source_field": "$operation", "target_column": "op"},
        ]}),
    );
    let mut sink = open(&config).await;
    let one = message(
        "x",
        r#"{"customer": {"id": 9007199254740993}, "no": 1, "total": 0.10, "at": "2024-02-29T12:00:00+02:00", "lines": [{"sku": "é"}]}"#,
    );
    let two = message(
        "y",
        r#"{"customer": {"id": "9007199254740993"}, "no": "01", "total": null}"#,
    )
    .with_operation(Operation::Update);
    assert_eq!(
        letters(&write(&mut sink, &batch(1, [one.clone()])).await),
        "w"
    );
    let select = format!("SELECT * FROM {table}");
    assert_eq!(
        shared().psql(&select),
        r#"9007199254740993|1|0.10|2024-02-29 10:00:00+00|[{"sku": "é"}]|event"#
    );
    // `01` is the number 1: it is the same key, in the same batch and as the row that is there.
    let both = batch(2, [one.clone().with_operation(Operation::Update), two]);
    assert_eq!(letters(&write(&mut sink, &both).await), "ww");
    assert_eq!(shared().psql(&select), "9007199254740993|1||||update");
    // SQL7: a number is no time, and is not taken for one.
    let micros = r#"{"customer": {"id": 1}, "no": 1, "at": 1709200800000000}"#;
    assert_eq!(
        letters(&write(&mut sink, &batch(4, [message("z", micros)])).await),
        "x"
    );
    let gone = batch(4, [one.with_operation(Operation::Delete)]);
    assert_eq!(letters(&write(&mut sink, &gone).await), "w");
    assert_eq!(shared().psql(&select), "");
}

#[tokio::test]
async fn case_sql4_a_table_of_nothing_but_keys_is_written_twice() {
    let schema = schema();
    let table = format!("{schema}.pairs");
    let config = config(
        shared(),
        &table,
        json!({"columns": [
            {"source_field": "a", "target_column": "a", "is_primary_key": true},
            {"source_field": "b", "target_column": "b", "is_primary_key": true},
        ]}),
    );
    let mut sink = open(&config).await;
    for start in [1, 3] {
        let pairs = [r#"{"a": 1, "b": 2}"#, r#"{"a": 1, "b": 3}"#].map(|pair| message("x", pair));
        assert_eq!(letters(&write(&mut sink, &batch(start, pairs)).await), "ww");
    }
    assert_eq!(
        shared().psql(&format!("SELECT * FROM {table} ORDER BY b")),
        "1|2\n1|3"
    );
}

#[tokio::test]
async fn numbers_that_were_filtered_are_covered_too() {
    let schema = schema();
    let mut sink = open(&config(shared(), &format!("{schema}.t"), json!({}))).await;
    let mut gaps = batch(10, [message("a", "1")]);
    (gaps.token.first, gaps.token.last) = (3, 90);
    assert_eq!(sink.write(&gaps).await.unwrap(), Written::All);
    assert_eq!(token(&schema), "n1/1|1|90");
}

#[tokio::test]
async fn a_probe_creates_nothing() {
    let schema = schema();
    let config = config(shared(), &format!("{schema}.t"), json!({}));
    factory(&config).probe().await.unwrap();
    let found = shared().psql(&format!(
        "SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'"
    ));
    assert_eq!(found, "0");
}
