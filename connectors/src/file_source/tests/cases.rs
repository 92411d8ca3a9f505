//! What users of other file readers met, case by case.

use super::*;

#[test]
fn case_file1_a_file_that_is_copied_and_emptied_is_not_read_again_and_loses_nothing() {
    for restart in [false, true] {
        for pattern in [None, Some("app.log*".to_owned())] {
            let mut rig = Rig::new(|config| config.pattern = pattern.clone());
            rig.append("app.log", "1\n2\n3\n");
            assert_eq!(rig.some(2), ["1", "2"]);
            // The reader looks between copy and truncation.
            fs::copy(rig.path("app.log"), rig.path("app.log.1")).unwrap();
            assert_eq!(rig.some(9), ["3"]);
            rig.rewrite("app.log", "");
            if restart {
                rig.restart();
            }
            assert!(rig.texts().is_empty(), "restart {restart}, {pattern:?}");
            rig.append("app.log", "4\n");
            assert_eq!(rig.texts(), ["4"], "restart {restart}, {pattern:?}");
        }
    }
}

#[test]
fn case_file1_what_was_not_read_before_the_truncation_is_read_from_the_copy() {
    for restart in [false, true] {
        let mut rig = Rig::new(|_| {});
        rig.append("app.log", "1\n2\n3\n");
        let before = rig.some(1);
        rig.copy_and_empty("app.log", "app.log.1");
        rig.append("app.log", "4\n");
        // The reader has read ahead; a restart has not.
        if restart {
            rig.restart();
        }
        assert_eq!(
            (before, rig.texts()),
            (
                vec!["1".to_owned()],
                vec!["2".to_owned(), "3".to_owned(), "4".to_owned()]
            )
        );
    }
}

#[test]
fn case_file2_a_file_that_was_emptied_and_has_grown_beyond_the_offset_is_read_from_its_beginning() {
    for restart in [false, true] {
        let mut rig = Rig::new(|_| {});
        let old = "an old line\n".repeat(100);
        rig.append("app.log", old);
        assert_eq!(rig.texts().len(), 100);
        let new: Vec<String> = (0..300).map(|n| format!("new line {n:04}")).collect();
        rig.rewrite("app.log", &(new.join("\n") + "\n"));
        if restart {
            rig.restart();
        }
        assert_eq!(rig.texts(), new, "restart {restart}");
    }
}

#[test]
fn case_file2_also_when_the_bytes_before_the_offset_are_the_same() {
    for restart in [false, true] {
        let mut rig = Rig::new(|_| {});
        let tail = "x".repeat(100);
        rig.append("app.log", format!("old\n{tail}\n"));
        assert_eq!(rig.texts().len(), 2);
        rig.rewrite("app.log", &format!("new\n{tail}\nmore\n"));
        if restart {
            rig.restart();
        }
        assert_eq!(rig.texts(), ["new", &tail, "more"], "restart {restart}");
    }
}

#[test]
fn case_file3_a_new_file_with_the_inode_number_of_the_old_one_is_read_from_its_beginning() {
    let mut rig = Rig::new(|_| {});
    let old = "an old line\n".repeat(100);
    rig.append("app.log", old);
    assert_eq!(rig.texts().len(), 100);
    let inode = fs::metadata(rig.path("app.log")).unwrap().ino();
    // Let go of it, or its number cannot be given again.
    rig.restart();
    fs::remove_file(rig.path("app.log")).unwrap();
    // The file system chooses; most give the number at once, and the rest of the test holds anyhow.
    for attempt in 0..64 {
        rig.append("app.log", "");
        if fs::metadata(rig.path("app.log")).unwrap().ino() == inode {
            break;
        }
        rig.rename("app.log", &format!("spare {attempt}"));
    }
    let new: Vec<String> = (0..1000).map(|n| format!("new line {n:04}")).collect();
    rig.append("app.log", new.join("\n") + "\n");
    assert_eq!(rig.texts(), new);
}

#[test]
fn case_file4_a_file_that_is_shorter_than_the_offset_is_read_from_its_beginning() {
    for restart in [false, true] {
        let mut rig = Rig::new(|_| {});
        rig.append("app.log", "1\n2\n3\n");
        assert_eq!(rig.texts().len(), 3);
        rig.rewrite("app.log", "4\n");
        if restart {
            rig.restart();
        }
        assert_eq!(rig.texts(), ["4"], "restart {restart}");
        rig.append("app.log", "5\n");
        assert_eq!(rig.texts(), ["5"]);
    }
}

#[test]
fn the_beginning_of_a_line_whose_end_was_cut_off_is_delivered() {
    let mut rig = Rig::new(|_| {});
    rig.append("app.log", "1\nbegin");
    assert_eq!(rig.texts(), ["1"]);
    rig.rewrite("app.log", "2\n");
    assert_eq!(rig.texts(), ["begin", "2"]);
}

#[test]
fn case_file5_case_file6_a_byte_order_mark_before_a_quoted_field_is_removed() {
    let text = "\u{feff}\"na,me\",\"b\"\n\"x,\ny\",2\n";
    for format in [RecordFormat::Csv, RecordFormat::Raw] {
        let mut rig = Rig::new(|config| config.format = format);
        rig.append("app.log", text);
        let expected: &[&str] = match format {
            RecordFormat::Csv => &[r#"{"na,me":"x,\ny","b":"2"}"#],
            _ => &["\"na,me\",\"b\"", "\"x,", "y\",2"],
        };
        assert_eq!(rig.texts(), expected);
    }
}

#[test]
fn case_file5_a_byte_order_mark_before_a_quoted_field_without_a_header() {
    let mut rig = Rig::new(|config| {
        config.format = RecordFormat::Csv;
        config.has_header = false;
    });
    rig.append("app.log", "\u{feff}\"a,\n1\",b\n");
    assert_eq!(rig.texts(), [r#"{"column_1":"a,\n1","column_2":"b"}"#]);
}

#[test]
fn case_file7_a_byte_order_mark_is_three_bytes_also_when_they_come_one_by_one() {
    let mut rig = Rig::new(|config| config.format = RecordFormat::Csv);
    for byte in "\u{feff}a,b\n".bytes() {
        rig.append("app.log", [byte]);
        assert!(rig.texts().is_empty());
    }
    rig.append("app.log", "1,2\n");
    assert_eq!(rig.texts(), [r#"{"a":"1","b":"2"}"#]);
    rig.restart();
    rig.append("app.log", "3,4\n");
    assert_eq!(
        rig.texts(),
        [r#"{"a":"3","b":"4"}"#],
        "the header is read again"
    );
}

#[test]
fn case_file8_a_quoted_empty_field_is_text_and_an_unquoted_one_null_or_text_by_choice() {
    for (null_if_empty, middle) in [(false, "\"\""), (true, "null")] {
        let mut rig = Rig::new(|config| {
            config.format = RecordFormat::Csv;
            config.null_if_empty = null_if_empty;
        });
        rig.append("app.log", "a,b,c\n1,\"\",3\n1,,3\n");
        let quoted = r#"{"a":"1","b":"","c":"3"}"#.to_owned();
        let unquoted = format!(r#"{{"a":"1","b":{middle},"c":"3"}}"#);
        assert_eq!(rig.texts(), [quoted, unquoted]);
    }
}

#[test]
fn case_file9_crlf_ends_records_and_stays_inside_of_quotes() {
    let mut rig = Rig::new(|config| config.format = RecordFormat::Csv);
    rig.append("app.log", "a,b,c\r\n1,\"x\r\ny\",3\r\n4,\"5\",6\r\n");
    assert_eq!(
        rig.texts(),
        [
            r#"{"a":"1","b":"x\r\ny","c":"3"}"#,
            r#"{"a":"4","b":"5","c":"6"}"#
        ]
    );
}
