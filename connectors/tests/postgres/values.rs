//! What comes out is what went in, and what cannot go in rejects only itself.

use hermod_sdk::{Message, Outcome, Record, Written};
use serde_json::json;

use super::{batch, config, letters, message, open, rows, schema, shared, token, write};

const TRICKY: [&str; 8] = [
    "9007199254740993",
    "123456789012345678901234567890.000000000000000000010",
    "-0.10",
    "null",
    r#"{"a": null, "b": [], "c": {}}"#,
    r#""tab\tline\nback\\slash \"quote\" \\N""#,
    "\"\u{1F980}é\u{2028}漢\"",
    r#"{"\\.": "\\.", "t": "\\t"}"#,
];

#[tokio::test]
async fn values_come_out_as_they_went_in() {
    for kind in ["jsonb", "json", "text"] {
        let schema = schema();
        let table = format!("{schema}.t");
        let mut sink = open(&config(shared(), &table, json!({"data_type": kind}))).await;
        let mut payloads: Vec<String> = TRICKY.iter().map(|text| (*text).to_owned()).collect();
        payloads.push(format!("{}1{}", "[".repeat(500), "]".repeat(500)));
        let messages = payloads
            .iter()
            .enumerate()
            .map(|(n, text)| message(&format!("k{n} \t\\é'\n"), text));
        assert_eq!(sink.write(&batch(1, messages)).await.unwrap(), Written::All);
        for (n, text) in payloads.iter().enumerate() {
            let escaped = text.replace('\'', "''");
            let equal = match kind {
                "json" => "data::text = v",
                "jsonb" => "data = v::jsonb",
                _ => "data = v",
            };
            let found = shared().psql(&format!(
                "SET standard_conforming_strings = on; SELECT count(*) FROM {table}, (VALUES ('{escaped}')) AS x(v) \
                 WHERE id = E'k{n} \\t\\\\é''\\n' AND {equal}"
            ));
            assert_eq!(found, "1", "{kind}: {text}");
        }
        let numbers = shared().psql(&format!(
            "SELECT data::text FROM {table} WHERE id LIKE 'k1 %'"
        ));
        assert_eq!(numbers, TRICKY[1], "{kind}");
    }
}

#[tokio::test]
async fn every_byte_comes_out_as_it_went_in() {
    let schema = schema();
    let table = format!("{schema}.t");
    let mut sink = open(&config(shared(), &table, json!({"data_type": "bytea"}))).await;
    let bytes: Vec<u8> = (0..=255).collect();
    let hex: String = bytes
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let messages = [
        Message::new("all", bytes),
        Message::new("uuid-like", vec![7; 16]),
        Message::new("empty", Vec::new()),
    ];
    assert_eq!(sink.write(&batch(1, messages)).await.unwrap(), Written::All);
    let found = shared().psql(&format!(
        "SELECT id, encode(data, 'hex') FROM {table} ORDER BY id"
    ));
    assert_eq!(
        found,
        format!("all|{hex}\nempty|\nuuid-like|{}", "07".repeat(16))
    );
}

#[tokio::test]
async fn case_sql9_rejected_message_rejects_only_itself() {
    let schema = schema();
    let table = format!("{schema}.t");
    let mut sink = open(&config(shared(), &table, json!({}))).await;
    shared().psql(&format!(
        "ALTER TABLE {table} ADD CONSTRAINT small CHECK (data <> '\"too large\"')"
    ));
    // Found before it is sent; by the server while it reads; by the server while it writes.
    for (round, bad) in ["{", r#""\u0000""#, "\"too large\""]
        .into_iter()
        .enumerate()
    {
        let start = 1 + 10 * round as u64;
        let messages =
            (0..10).map(|n| message(&format!("{round}-{n}"), if n == 6 { bad } else { "1" }));
        let outcomes = write(&mut sink, &batch(start, messages)).await;
        assert_eq!(letters(&outcomes), "wwwwwwxrrr", "{bad}");
        assert_eq!(token(&schema), format!("n1/1|1|{}", start + 5));
        // The engine dead-letters it and sends the rest.
        let rest = (7..10).map(|n| message(&format!("{round}-{n}"), "1"));
        assert_eq!(
            letters(&write(&mut sink, &batch(start + 7, rest)).await),
            "www"
        );
    }
    let count = shared().psql(&format!("SELECT count(*) FROM {table} WHERE data = '1'"));
    assert_eq!(count, "27");
}

#[tokio::test]
async fn messages_of_one_number_are_written_together_or_not_at_all() {
    let schema = schema();
    let table = format!("{schema}.t");
    let mut sink = open(&config(shared(), &table, json!({}))).await;
    shared().psql(&format!(
        "ALTER TABLE {table} ADD CONSTRAINT small CHECK (data <> '\"too large\"')"
    ));
    // One message that the workflow made several of: number 2 stands for b, c and d.
    for bad in ["{", "\"too large\""] {
        let payloads = [("a", "1"), ("b", "1"), ("c", bad), ("d", "1"), ("e", "1")];
        let mut batch = batch(1, payloads.map(|(id, payload)| message(id, payload)));
        for (record, seq) in batch.records.iter_mut().zip([1, 2, 2, 2, 3]) {
            record.seq = seq;
        }
        batch.token.last = 3;
        assert_eq!(letters(&write(&mut sink, &batch).await), "wrxrr", "{bad}");
        assert_eq!(
            (rows(&table).as_str(), &*token(&schema)),
            ("a=1", "n1/1|1|1")
        );
        batch.records.remove(2);
        assert_eq!(letters(&write(&mut sink, &batch).await), "wwww");
        assert_eq!(rows(&table), "a=1 b=1 d=1 e=1");
        shared().psql(&format!(
            "TRUNCATE {table}; UPDATE {schema}.hermod_tokens SET sequence = NULL"
        ));
    }
}

#[tokio::test]
async fn wherever_the_refused_messages_stand_all_others_are_written_once() {
    let schema = schema();
    let table = format!("{schema}.t");
    let columns = json!([
        {"source_field": "n", "target_column": "n", "data_type": "int"},
        {"source_field": "$id", "target_column": "id"},
    ]);
    let mut sink = open(&config(
        shared(),
        &table,
        json!({"columns": columns, "operation_mode": "insert"}),
    ))
    .await;
    // A fixed sequence that looks random (Numerical Recipes' generator).
    let mut state = 7_u32;
    let mut below = |limit: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % limit
    };
    let (mut seq, mut good) = (0, Vec::new());
    for round in 0..40 {
        let mut batch = batch(seq + 1, []);
        for place in 0..=below(25) {
            // Now and then the workflow made several messages of one.
            if place == 0 || below(4) > 0 {
                seq += 1;
            }
            let id = format!("{round}-{place}");
            let payload = match below(8) {
                0 => "{",
                1 => r#"{"n": "x"}"#,
                _ => r#"{"n": 1}"#,
            };
            if payload.ends_with("1}") {
                good.push(id.clone());
            }
            let message = message(&id, payload);
            batch.records.push(Record { seq, message });
        }
        batch.token.last = seq;
        while !batch.records.is_empty() {
            let outcomes = write(&mut sink, &batch).await;
            let mut left = outcomes.iter();
            batch
                .records
                .retain(|_| matches!(left.next(), Some(Outcome::Retry { .. })));
        }
    }
    good.sort();
    let found = shared().psql(&format!("SELECT id FROM {table}"));
    let mut found: Vec<_> = found.lines().collect();
    found.sort_unstable();
    assert_eq!(found, good);
    assert!(good.len() > 200, "too few messages were tried");
}

#[tokio::test]
async fn i10_a_reason_names_the_column_and_the_rule_but_no_value() {
    let schema = schema();
    let table = format!("{schema}.t");
    let columns = json!([
        {"source_field": "id", "target_column": "id", "is_primary_key": true, "data_type": "int"},
        {"source_field": "mail", "target_column": "mail", "data_type": "varchar(20)"},
    ]);
    let mut sink = open(&config(shared(), &table, json!({"columns": columns}))).await;
    shared().psql(&format!(
        "ALTER TABLE {table} ADD CONSTRAINT one_mail UNIQUE (mail)"
    ));
    let outcomes = write(
        &mut sink,
        &batch(1, [message("x", r#"{"id": 1, "mail": "hunter2"}"#)]),
    )
    .await;
    assert_eq!(letters(&outcomes), "w");
    let cases = [
        (r#"{"id": "hunter2"}"#, "`id`"),
        (
            r#"{"id": 3, "mail": "hunter2hunter2hunter2hunter2"}"#,
            "`mail`",
        ),
        // Another unique rule than the key's is an error, never an overwritten row.
        (r#"{"id": 2, "mail": "hunter2"}"#, "one_mail"),
        (r#"{"mail": "hunter2hunter2"}"#, "\"id\""),
    ];
    for (payload, word) in cases {
        let outcomes = write(&mut sink, &batch(2, [message("x", payload)])).await;
        let Outcome::Rejected { reason } = &outcomes[0] else {
            panic!("{payload}: {outcomes:?}");
        };
        assert!(reason.contains(word), "{reason}");
        assert!(!reason.contains("hunter2"), "{reason}");
    }
    assert_eq!(
        shared().psql(&format!("SELECT * FROM {table}")),
        "1|hunter2"
    );
}

#[tokio::test]
async fn a_constraint_that_is_deferred_rejects_only_its_message() {
    let schema = schema();
    let table = format!("{schema}.t");
    let mut sink = open(&config(shared(), &table, json!({}))).await;
    shared().psql(&format!(
        "CREATE TABLE {schema}.known (id text PRIMARY KEY); INSERT INTO {schema}.known VALUES ('a'), ('c'); \
         ALTER TABLE {table} ADD FOREIGN KEY (id) REFERENCES {schema}.known DEFERRABLE INITIALLY DEFERRED"
    ));
    let messages = ["a", "b", "c"].map(|id| message(id, "1"));
    assert_eq!(letters(&write(&mut sink, &batch(1, messages)).await), "wxr");
    assert_eq!(
        letters(&write(&mut sink, &batch(3, [message("c", "1")])).await),
        "w"
    );
    assert_eq!(rows(&table), "a=1 c=1");
}

#[tokio::test]
async fn inserts_refuse_a_key_that_is_there() {
    let schema = schema();
    let table = format!("{schema}.t");
    let mut sink = open(&config(
        shared(),
        &table,
        json!({"operation_mode": "insert"}),
    ))
    .await;
    let messages = ["a", "b", "a", "c"].map(|id| message(id, "1"));
    assert_eq!(
        letters(&write(&mut sink, &batch(1, messages)).await),
        "wwxr"
    );
    let rest = [super::delete("a"), message("c", "1")];
    assert_eq!(letters(&write(&mut sink, &batch(4, rest)).await), "xr");
    assert_eq!(rows(&table), "a=1 b=1");
}

#[tokio::test]
async fn a_trigger_of_the_table_may_refuse_a_message() {
    let schema = schema();
    let table = format!("{schema}.t");
    let mut sink = open(&config(shared(), &table, json!({}))).await;
    shared().psql(&format!(
        "CREATE FUNCTION {schema}.judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NEW.id = 'b' THEN RAISE EXCEPTION 'not %', NEW.data; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER judge BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {schema}.judge()"
    ));
    let messages = ["a", "b", "c"].map(|id| message(id, "\"hunter2\""));
    let outcomes = write(&mut sink, &batch(1, messages)).await;
    assert_eq!(letters(&outcomes), "wxr");
    assert!(!format!("{outcomes:?}").contains("hunter2"));
}
