use std::sync::{Arc, Mutex};

use hermod_sdk::{Message, Outcome, Record, Token};

use super::*;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<Vec<u8>>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !bytes.is_empty() {
            self.0.lock().unwrap().push(bytes.to_vec());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn batch(payloads: &[&'static str]) -> Batch {
    let records = payloads.iter().enumerate().map(|(index, payload)| Record {
        seq: index as u64,
        message: Message::new(index.to_string(), *payload),
    });
    Batch {
        records: records.collect(),
        token: Token {
            stream: "s".into(),
            epoch: 1,
            first: 0,
            last: payloads.len() as u64,
            position: None,
        },
    }
}

#[tokio::test]
async fn a_batch_is_one_write_and_a_rejected_message_rejects_only_itself() {
    let shared = Shared::default();
    let mut sink = StdoutSink::to(Format::Payload, Box::new(shared.clone()));
    let written = sink.write(&batch(&["one", "two\nlines", "{\n}"])).await;
    let Written::Each(outcomes) = written.unwrap() else {
        panic!("the second message cannot be written");
    };
    assert_eq!(outcomes[0], Outcome::Written);
    assert!(matches!(outcomes[1], Outcome::Rejected { .. }));
    assert_eq!(outcomes[2], Outcome::Written);
    assert_eq!(*shared.0.lock().unwrap(), [b"one\n{}\n".to_vec()]);
}

#[tokio::test]
async fn a_closed_pipe_is_unavailable() {
    let mut sink = StdoutSink::to(Format::Payload, Box::new(Closed));
    let error = sink.write(&batch(&["one"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
