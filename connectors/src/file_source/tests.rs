use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use hermod_sdk::{ErrorKind, Message, validate};
use tempfile::TempDir;

use super::*;
use crate::source;

mod cases;
mod log;
mod model;
mod records;

const LIMIT: ReadLimit = ReadLimit {
    messages: 1000,
    bytes: 1 << 30,
};

/// A directory with a file `app.log`, and a reader of it that is asked without waiting.
struct Rig {
    directory: TempDir,
    config: FileSourceConfig,
    reader: Reader,
    position: Option<FilePosition>,
}

impl Rig {
    fn new(change: impl FnOnce(&mut FileSourceConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = FileSourceConfig::new(directory.path().join("app.log").to_str().unwrap());
        config.format = RecordFormat::Raw;
        config.rotate_wait_ms = 0;
        change(&mut config);
        if config.pattern.is_some() {
            config.local_path = directory.path().to_str().unwrap().to_owned();
        }
        Self {
            reader: Reader::new(config.clone(), None, 1),
            directory,
            config,
            position: None,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        append(&self.path(name), text.as_ref());
    }

    /// Writes a file in place: it is emptied first and stays the same file.
    fn rewrite(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn copy_and_empty(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
        self.rewrite(from, "");
    }

    /// Goes on from the position after the last message that was read, as after a crash.
    fn restart(&mut self) {
        self.reader = Reader::new(self.config.clone(), self.position.clone(), 1);
    }

    fn step(&mut self, limit: ReadLimit) -> Vec<Message> {
        match self.reader.next(limit).unwrap() {
            Step::Batch(batch) => {
                let last = batch.messages.last().unwrap();
                assert_eq!(last.position.as_ref(), Some(&batch.position));
                self.position = Some(batch.position.decode().unwrap());
                batch.messages
            }
            Step::Wait | Step::End => Vec::new(),
        }
    }

    /// Reads all that is there.
    fn messages(&mut self) -> Vec<Message> {
        let mut all = Vec::new();
        loop {
            let some = self.step(LIMIT);
            if some.is_empty() {
                return all;
            }
            all.extend(some);
        }
    }

    fn texts(&mut self) -> Vec<String> {
        self.messages().iter().map(text).collect()
    }

    /// Reads at most `count` messages.
    fn some(&mut self, count: usize) -> Vec<String> {
        let limit = ReadLimit {
            messages: count,
            ..LIMIT
        };
        self.step(limit).iter().map(text).collect()
    }
}

fn append(path: &Path, text: &[u8]) {
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).open(path).unwrap();
    file.write_all(text).unwrap();
}

fn text(message: &Message) -> String {
    String::from_utf8(message.payload.bytes().to_vec()).unwrap()
}

fn context() -> SourceContext {
    SourceContext {
        workflow: "w".into(),
        source: "s".into(),
        generation: 1,
    }
}

#[test]
fn rotation_by_renaming_reads_the_old_file_to_its_end_and_then_the_new_one() {
    let mut rig = Rig::new(|_| {});
    rig.append("app.log", "1\n2\n");
    assert_eq!(rig.texts(), ["1", "2"]);
    rig.append("app.log", "3\n");
    rig.rename("app.log", "app.log.1");
    assert_eq!(rig.texts(), ["3"]);
    rig.append("app.log.1", "4\n5");
    assert_eq!(rig.texts(), ["4"], "its writer may still have it open");
    rig.append("app.log", "6\n");
    assert_eq!(
        rig.texts(),
        ["5", "6"],
        "nothing will complete a line of the old file"
    );
    rig.append("app.log", "7\n");
    assert_eq!(rig.texts(), ["7"]);
}

#[test]
fn a_file_that_was_replaced_is_left_only_after_it_was_quiet() {
    let mut rig = Rig::new(|config| config.rotate_wait_ms = 3_600_000);
    rig.append("app.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", "3\n");
    assert!(rig.texts().is_empty());
    rig.append("app.log.1", "2\n");
    assert_eq!(rig.texts(), ["2"]);
    rig.reader = Reader::new(
        FileSourceConfig {
            rotate_wait_ms: 0,
            ..rig.config.clone()
        },
        rig.position.clone(),
        1,
    );
    assert_eq!(rig.texts(), ["3"]);
}

#[test]
fn several_rotations_while_nobody_looked_are_read_in_order() {
    for restart in [false, true] {
        let mut rig = Rig::new(|_| {});
        rig.append("app.log", "1\n2\n");
        assert_eq!(rig.some(1), ["1"]);
        for line in ["3\n", "4\n", "5\n"] {
            for number in (1..3).rev() {
                if rig.path(&format!("app.log.{number}")).exists() {
                    rig.rename(
                        &format!("app.log.{number}"),
                        &format!("app.log.{}", number + 1),
                    );
                }
            }
            rig.rename("app.log", "app.log.1");
            rig.append("app.log", line);
        }
        rig.append("app.log.bak", "never\n");
        if restart {
            rig.restart();
        }
        assert_eq!(rig.texts(), ["2", "3", "4", "5"], "restart: {restart}");
    }
}

#[test]
fn a_file_that_is_gone_is_followed_by_those_that_came_after_it() {
    let mut rig = Rig::new(|_| {});
    rig.append("app.log", "1\n2\n");
    assert_eq!(rig.some(1), ["1"]);
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", "3\n");
    rig.rename("app.log", "app.log-20260102");
    rig.append("app.log", "4\n");
    fs::remove_file(rig.path("app.log.1")).unwrap();
    rig.restart();
    assert_eq!(rig.texts(), ["3", "4"]);
}

#[test]
fn a_last_line_without_a_line_break_is_waited_for_or_counts() {
    for mode in [ReadMode::Follow, ReadMode::Once] {
        let mut rig = Rig::new(|config| config.mode = mode);
        rig.append("app.log", "1\n2");
        let once = mode == ReadMode::Once;
        assert_eq!(rig.texts().len(), if once { 2 } else { 1 });
        rig.restart();
        rig.append("app.log", "3\n");
        assert_eq!(rig.texts(), [if once { "3" } else { "23" }]);
    }
}

#[test]
fn ids_are_the_same_whenever_a_record_is_read_and_differ_otherwise() {
    let mut rig = Rig::new(|_| {});
    rig.append("app.log", "same\nsame\n");
    rig.append("other.log", "same\nsame\n");
    let ids = |rig: &mut Rig| -> Vec<String> {
        rig.messages().iter().map(|m| m.id.to_string()).collect()
    };
    let first = ids(&mut rig);
    assert_ne!(first[0], first[1]);
    rig.append("app.log", "more\n");
    let more = ids(&mut rig);
    rig.position = None;
    rig.restart();
    assert_eq!(ids(&mut rig), [first.clone(), more].concat());
    rig.config.local_path = rig.path("other.log").to_str().unwrap().to_owned();
    rig.position = None;
    rig.restart();
    let other = ids(&mut rig);
    assert!(other.iter().all(|id| !first.contains(id)));
    // Emptied and written with the same text: these are new records.
    rig.rewrite("other.log", "");
    assert!(ids(&mut rig).is_empty());
    rig.rewrite("other.log", "same\nsame\n");
    let again = ids(&mut rig);
    assert!(again.len() == 2 && again.iter().all(|id| !other.contains(id)));
}

#[test]
fn files_of_a_pattern_are_read_in_the_order_of_their_names() {
    let mut rig = Rig::new(|config| {
        config.pattern = Some("orders-*.log".to_owned());
        config.mode = ReadMode::Once;
    });
    rig.append("orders-2.log", "2\n3");
    rig.append("orders-1.log", "1\n");
    rig.append("orders-3.log", "");
    rig.append("others-1.log", "never\n");
    fs::create_dir(rig.path("orders-0.log")).unwrap();
    assert_eq!(rig.texts(), ["1", "2", "3"]);
    rig.append("orders-4.log", "4\n");
    rig.restart();
    assert_eq!(rig.texts(), ["4"]);
    fs::remove_file(rig.path("orders-4.log")).unwrap();
    rig.append("orders-5.log", "5\n");
    rig.restart();
    assert_eq!(
        rig.texts(),
        ["5"],
        "the file of the position was taken away"
    );
}

#[test]
fn a_followed_pattern_goes_on_when_a_later_name_is_there() {
    let mut rig = Rig::new(|config| config.pattern = Some("*.log".to_owned()));
    assert!(rig.texts().is_empty());
    rig.append("2.log", "1\n2");
    assert_eq!(rig.texts(), ["1"]);
    rig.append("1.log", "never\n");
    rig.append("2.log", "2\n");
    rig.append("3.log", "3\n");
    assert_eq!(rig.texts(), ["22", "3"]);
    rig.restart();
    rig.append("3.log", "4\n");
    assert_eq!(rig.texts(), ["4"]);
}

#[test]
fn a_missing_file_is_waited_for_or_is_an_error() {
    let mut rig = Rig::new(|_| {});
    assert!(rig.texts().is_empty());
    rig.append("app.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    rig.config.mode = ReadMode::Once;
    rig.position = None;
    fs::remove_file(rig.path("app.log")).unwrap();
    rig.restart();
    let error = rig.reader.next(LIMIT).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("app.log"), "{error}");
}

#[test]
fn positions_of_files_that_were_read_before_are_covered() {
    use hermod_sdk::TypedPosition;
    let mut rig = Rig::new(|_| {});
    let mut positions = Vec::new();
    for number in 0..4 {
        rig.append("app.log", format!("{number}\n"));
        assert_eq!(rig.texts().len(), 1);
        positions.push(rig.position.clone().unwrap());
        if number == 1 {
            rig.rewrite("app.log", "");
            assert!(rig.texts().is_empty());
        } else {
            rig.rename("app.log", &format!("app.log.{number}"));
        }
    }
    for (index, position) in positions.iter().enumerate() {
        for (other, earlier) in positions.iter().enumerate() {
            assert_eq!(position.covers(earlier), index >= other, "{index} {other}");
        }
    }
}

#[tokio::test]
async fn probe_and_open_say_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.log");
    let config = FileSourceConfig::new(path.to_str().unwrap());
    let error = FileSource::probe(&config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    append(&path, b"");
    FileSource::probe(&config).await.unwrap();
    let no_file = FileSourceConfig::new(directory.path().to_str().unwrap());
    assert!(FileSource::probe(&no_file).await.is_err());
    let several = FileSourceConfig {
        pattern: Some("*".to_owned()),
        ..no_file
    };
    FileSource::probe(&several).await.unwrap();
    let bytes = [&1_u64.to_le_bytes()[..], b"{\"v\":1,\"at\":{\"offset\":3}}"].concat();
    let position = Position::from_bytes(&bytes.into()).unwrap();
    let opened = FileSource::open(config, Some(position), context()).await;
    assert_eq!(opened.err().unwrap().kind(), ErrorKind::Corrupt);
}

#[test]
fn configuration_is_checked_across_fields() {
    let schema = source("file").unwrap().schema();
    for (config, pointer) in [
        (json!({"local_path": "a/"}), "/local_path"),
        (json!({"local_path": "a", "pattern": "b/*"}), "/pattern"),
        (json!({"local_path": "a", "columns": ["x"]}), "/columns"),
        (json!({"local_path": "a", "delimiter": "\n"}), "/delimiter"),
        (
            json!({"local_path": "a", "format": "raw", "key_field": "x"}),
            "/key_field",
        ),
        (
            json!({"local_path": "a", "format": "csv", "has_header": false, "columns": ["x", "x"]}),
            "/columns/1",
        ),
    ] {
        let problems = validate::<FileSourceConfig>(&schema, &config).unwrap_err();
        assert_eq!(problems.iter().next().unwrap().pointer, pointer, "{config}");
    }
}
