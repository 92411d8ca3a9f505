use super::*;

fn column(name: &str, is_key: bool, field: Field, kind: Kind) -> Column {
    Column {
        name: name.to_owned(),
        is_key,
        field,
        kind,
    }
}

fn target(columns: Vec<Column>) -> Target {
    Target {
        table: "t".to_owned(),
        tokens: "tokens".to_owned(),
        columns,
        mode: PostgresOperationMode::Auto,
        takes_copy: true,
    }
}

fn unmapped(kind: Kind) -> Target {
    target(vec![
        column("id", true, Field::Id, Kind::Text),
        column("data", false, Field::Body(Format::Payload), kind),
    ])
}

fn mapped() -> Target {
    let path = |path: &str| Field::Path(path.to_owned());
    target(vec![
        column("id", true, path("id"), Kind::Text),
        column("total", false, path("order.total"), Kind::Text),
        column("tags", false, path("tags"), Kind::Json),
    ])
}

fn encode(target: &Target, messages: Vec<Message>, staged: bool) -> (String, Option<String>) {
    let records: Vec<_> = messages
        .into_iter()
        .map(|message| Record { seq: 1, message })
        .collect();
    let records: Vec<_> = records.iter().collect();
    let (rows, refusal) = Rows::encode(target, &records, staged);
    let text = rows.slice(0..rows.len());
    (String::from_utf8(text.to_vec()).unwrap(), refusal)
}

#[test]
fn what_parts_rows_and_columns_is_escaped() {
    let message = Message::new("a\tb\\", "{\"x\": \"1\\n2\"}\r\n");
    let (text, refusal) = encode(&unmapped(Kind::Json), vec![message], false);
    assert_eq!(text, "a\\tb\\\\\t{\"x\": \"1\\\\n2\"}\\r\\n\n");
    assert_eq!(refusal, None);
}

#[test]
fn case_sql10_what_is_not_json_is_refused_before_it_is_sent() {
    for bad in ["{\"a\": \"\u{1}\"}", "{", "", "{} {}", "\u{feff}{}"] {
        let (text, refusal) = encode(
            &unmapped(Kind::Json),
            vec![
                Message::new("1", "{}"),
                Message::new("2", bad),
                Message::new("3", "{}"),
            ],
            false,
        );
        assert_eq!(text, "1\t{}\n", "{bad:?}");
        assert!(refusal.is_some(), "{bad:?}");
    }
}

#[test]
fn bytes_are_bytes_and_text_is_text() {
    let bytes: Vec<u8> = vec![0, 0x5c, 0xff];
    let (text, _) = encode(
        &unmapped(Kind::Bytes),
        vec![Message::new("1", bytes.clone())],
        false,
    );
    assert_eq!(text, "1\t\\\\x005cff\n");
    for bad in [bytes, b"a\0b".to_vec()] {
        let (_, refusal) = encode(&unmapped(Kind::Text), vec![Message::new("1", bad)], false);
        assert!(refusal.unwrap().contains("`bytea`"));
    }
}

#[test]
fn fields_keep_their_numbers_and_missing_ones_are_null() {
    let payload = r#"{"id": 9007199254740993, "order": {"total": 0.10}, "tags": ["a", 1.0]}"#;
    let messages = vec![
        Message::new("x", payload),
        Message::new("y", r#"{"id": "k", "tags": "t", "order": {"total": null}}"#),
    ];
    let (text, refusal) = encode(&mapped(), messages, false);
    assert_eq!(text, "9007199254740993\t0.10\t[\"a\",1.0]\nk\t\\N\t\"t\"\n");
    assert_eq!(refusal, None);
}

#[test]
fn a_delete_carries_its_key_only_and_looks_at_the_row_before() {
    let mut delete = Message::new("x", "").with_operation(Operation::Delete);
    delete.before = Some(Bytes::from_static(br#"{"id": 5, "order": {"total": 1}}"#));
    let (text, _) = encode(&mapped(), vec![delete.clone()], true);
    assert_eq!(text, "5\t\\N\t\\N\t0\tt\n");

    delete.before = Some(Bytes::from_static(b"{}"));
    let (_, refusal) = encode(&mapped(), vec![delete.clone()], true);
    assert!(refusal.unwrap().contains("`id`"));

    let mut only_inserts = unmapped(Kind::Text);
    only_inserts.mode = PostgresOperationMode::Insert;
    let (_, refusal) = encode(&only_inserts, vec![delete], false);
    assert!(refusal.unwrap().contains("`operation_mode`"));
}
