use proptest::prelude::*;

use super::*;

fn texts(record: &str) -> Vec<(String, bool)> {
    fields(record.as_bytes(), b',')
        .into_iter()
        .map(|field| {
            (
                String::from_utf8(field.text.into_owned()).unwrap(),
                field.quoted,
            )
        })
        .collect()
}

fn plain(text: &str) -> (String, bool) {
    (text.to_owned(), false)
}

fn quoted(text: &str) -> (String, bool) {
    (text.to_owned(), true)
}

#[test]
fn case_file8_a_quoted_empty_field_is_one_field_and_differs_from_nothing() {
    assert_eq!(texts("a,\"\",c\n"), [plain("a"), quoted(""), plain("c")]);
    assert_eq!(texts("a,,c\n"), [plain("a"), plain(""), plain("c")]);
    assert_eq!(texts("a,"), [plain("a"), plain("")]);
    assert_eq!(texts("\"\""), [quoted("")]);
}

#[test]
fn case_file9_crlf_ends_a_record_only_outside_of_quotes() {
    let text = b"1,\"x\r\ny\",z\r\n2,b,c\r\n";
    let mut scanner = Scanner::new(b',');
    let first = scanner.end(text).unwrap();
    assert_eq!(&text[..first], b"1,\"x\r\ny\",z\r\n");
    let record = std::str::from_utf8(&text[..first]).unwrap();
    assert_eq!(texts(record), [plain("1"), quoted("x\r\ny"), plain("z")]);
    assert_eq!(scanner.end(&text[first..]), Some(text.len() - first));
}

#[test]
fn quotes_elsewhere_than_at_the_beginning_are_letters() {
    assert_eq!(
        texts("a\"b,\"c\"d,\"e\"\"f\",\"g"),
        [plain("a\"b"), quoted("cd"), quoted("e\"f"), quoted("g"),]
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_whole_or_in_pieces(
        rows in prop::collection::vec(prop::collection::vec("[a,;\"\r\n é]{0,6}", 1..5), 1..5),
        delimiter in prop::sample::select(vec![b',', b';', b'\t']),
        cut in 1_usize..7,
    ) {
        let mut text = Vec::new();
        for row in &rows {
            for (index, value) in row.iter().enumerate() {
                if index > 0 {
                    text.push(delimiter);
                }
                push_text(&mut text, value.as_bytes(), delimiter);
            }
            text.push(b'\n');
        }
        let (mut scanner, mut start, mut ends) = (Scanner::new(delimiter), 0, Vec::new());
        for piece in text.chunks(cut) {
            let (mut used, base) = (0, start);
            while let Some(length) = scanner.end(&piece[used..]) {
                used += length;
                ends.push(base + used);
            }
            start += piece.len();
        }
        prop_assert_eq!(ends.len(), rows.len());
        let mut begin = 0;
        for (end, row) in ends.into_iter().zip(&rows) {
            let read: Vec<_> = fields(&text[begin..end], delimiter)
                .into_iter()
                .map(|field| String::from_utf8(field.text.into_owned()).unwrap())
                .collect();
            prop_assert_eq!(&read, row);
            begin = end;
        }
    }

    #[test]
    fn scanner_and_splitter_agree_on_any_text(text in "[a,\"\r\n]{0,24}") {
        let mut scanner = Scanner::new(b',');
        if let Some(end) = scanner.end(text.as_bytes()) {
            let joined: usize = fields(&text.as_bytes()[..end], b',').iter().map(|f| f.text.len()).sum();
            prop_assert!(joined <= end);
        }
        fields(text.as_bytes(), b',');
    }
}
