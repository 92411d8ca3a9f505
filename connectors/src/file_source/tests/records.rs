//! Records of each format, long ones, and limits.

use super::*;

#[test]
fn ndjson_lines_are_delivered_as_they_are_and_blank_ones_skipped() {
    let mut rig = Rig::new(|config| config.format = RecordFormat::Ndjson);
    rig.append(
        "app.log",
        "{\"n\": 9007199254740993}\r\n\n \t\r\n{not json\n\"x\"\n",
    );
    assert_eq!(
        rig.texts(),
        ["{\"n\": 9007199254740993}", "{not json", "\"x\""]
    );
    assert_eq!(rig.position.as_ref().unwrap().file, "app.log");
}

#[test]
fn a_field_becomes_the_ordering_key() {
    for (format, path, text) in [
        (
            RecordFormat::Ndjson,
            "a.b",
            "{\"a\":{\"b\":7}}\n{\"a\":null}\nno json\n",
        ),
        (RecordFormat::Csv, "b", "a,b\nx,7\ny\n"),
    ] {
        let mut rig = Rig::new(|config| {
            config.format = format;
            config.key_field = Some(path.to_owned());
        });
        rig.append("app.log", text);
        let keys: Vec<_> = rig.messages().into_iter().map(|m| m.key).collect();
        assert_eq!(keys[0].as_deref(), Some(&b"7"[..]));
        assert!(keys.len() > 1 && keys[1..].iter().all(Option::is_none));
    }
}

#[test]
fn raw_lines_keep_blank_lines_and_bytes() {
    let mut rig = Rig::new(|_| {});
    rig.append("app.log", b"a\r\n\n \xff\x00\n");
    let bytes: Vec<_> = rig.messages().iter().map(|m| m.payload.bytes()).collect();
    assert_eq!(bytes, [&b"a"[..], b"", b" \xff\x00"]);
}

#[test]
fn csv_rows_of_other_lengths_say_so_in_their_metadata() {
    let mut rig = Rig::new(|config| {
        config.format = RecordFormat::Csv;
        config.delimiter = ";".to_owned();
    });
    rig.append("app.log", "a;b\n1;2\n1;2;3\n\n1\n");
    let messages = rig.messages();
    let texts: Vec<_> = messages.iter().map(text).collect();
    assert_eq!(
        texts,
        [
            r#"{"a":"1","b":"2"}"#,
            r#"{"a":"1","b":"2","column_3":"3"}"#,
            r#"{"a":"1"}"#
        ]
    );
    let found = |message: &Message| message.metadata.get("csv_fields_found").cloned();
    let found: Vec<_> = messages.iter().map(found).collect();
    assert_eq!(found, [None, Some("3".into()), Some("1".into())]);
    assert_eq!(
        messages[1].metadata.get("csv_fields_expected").unwrap(),
        "2"
    );
    assert_eq!(messages[1].table, "app.log");
}

#[test]
fn csv_columns_of_files_without_a_header_are_named_by_the_configuration() {
    let mut rig = Rig::new(|config| {
        config.format = RecordFormat::Csv;
        config.has_header = false;
        config.columns = vec!["x".to_owned(), "y".to_owned()];
    });
    rig.append("app.log", "1,2\n");
    assert_eq!(rig.texts(), [r#"{"x":"1","y":"2"}"#]);
}

#[test]
fn a_record_that_is_too_long_stops_before_it_and_is_named() {
    for ending in ["\n", ""] {
        let mut rig = Rig::new(|config| config.line_bytes_max = 10);
        rig.append(
            "app.log",
            format!("0123456789\r\n{}{ending}", "x".repeat(13)),
        );
        assert_eq!(rig.texts_until_error(), ["0123456789"]);
        for _ in 0..2 {
            let error = rig.reader.next(LIMIT).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            let shown = error.to_string();
            assert!(
                shown.contains("app.log") && shown.contains("offset 12"),
                "{shown}"
            );
        }
        // Once more is allowed, it goes on from where it stopped.
        rig.config.line_bytes_max = 100;
        rig.append("app.log", "y\n");
        rig.restart();
        let rest = rig.texts().join("|");
        assert_eq!(rest.replace('|', ""), format!("{}y", "x".repeat(13)));
    }
}

impl Rig {
    fn texts_until_error(&mut self) -> Vec<String> {
        let mut texts = Vec::new();
        while let Ok(Step::Batch(batch)) = self.reader.next(LIMIT) {
            self.position = Some(batch.position.decode().unwrap());
            texts.extend(batch.messages.iter().map(text));
        }
        texts
    }
}

#[test]
fn a_record_that_is_too_long_is_left_out_where_that_is_chosen() {
    let mut rig = Rig::new(|config| {
        config.line_bytes_max = 10;
        config.oversized = Oversized::Skip;
    });
    // One that is longer than what is read at once, several in a row, and one that comes in pieces.
    let huge = "x".repeat(2_000_000);
    rig.append(
        "app.log",
        format!("1\n{huge}\n{}\n{}\n2\n", "y".repeat(11), "z".repeat(99)),
    );
    assert_eq!(rig.texts(), ["1", "2"]);
    rig.append("app.log", "w".repeat(50));
    assert!(rig.texts().is_empty());
    rig.append("app.log", format!("{}\n3\n", "w".repeat(50)));
    assert_eq!(rig.texts(), ["3"]);
}

#[test]
fn a_csv_record_that_is_too_long_is_left_out_whole() {
    let mut rig = Rig::new(|config| {
        config.format = RecordFormat::Csv;
        config.line_bytes_max = 10;
        config.oversized = Oversized::Skip;
    });
    rig.append("app.log", "a,b\n1,\"long\nand longer\"\n2,3\n");
    assert_eq!(rig.texts(), [r#"{"a":"2","b":"3"}"#]);
}

#[test]
fn records_across_the_edges_of_what_is_read_at_once_are_whole() {
    let mut rig = Rig::new(|config| config.line_bytes_max = 4 << 20);
    let mut length = 1;
    let mut expected = Vec::new();
    while expected.iter().map(String::len).sum::<usize>() < 6 << 20 {
        length = length * 7 % 3_000_017;
        let letter = char::from(b'a' + (length % 26) as u8);
        expected.push(letter.to_string().repeat(length % 1_500_000));
    }
    rig.append("app.log", expected.join("\n") + "\n");
    let limit = ReadLimit {
        messages: 3,
        bytes: 2 << 20,
    };
    let mut found = Vec::new();
    loop {
        let some = rig.step(limit);
        let bytes: usize = some.iter().map(Message::size).sum();
        assert!(some.len() <= 3 && (some.len() == 1 || bytes <= limit.bytes + 2000));
        if some.is_empty() {
            break;
        }
        found.extend(some.iter().map(text));
        rig.restart();
    }
    assert_eq!(found, expected);
}
