use std::sync::{Arc, Mutex};

use hermod_sdk::{
    Message, Outcome, Record, SinkFactory, Token,
    testkit::{Effect, SinkDriver, check_sink},
};

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

/// Standard output that can be read back, as the contract suite needs it.
#[derive(Clone, Default)]
struct ReadBack(Shared);

type Opening<'a, T> =
    std::pin::Pin<Box<dyn Future<Output = Result<T, ConnectorError>> + Send + 'a>>;

impl SinkFactory for ReadBack {
    fn spec(&self) -> Spec {
        StdoutSink::SPEC
    }

    fn repeats(&self) -> Repeats {
        StdoutSink::SPEC.repeats
    }

    fn open(&self, _cx: SinkContext) -> Opening<'_, Box<dyn Sink>> {
        Box::pin(async {
            let sink: Box<dyn Sink> =
                Box::new(StdoutSink::to(Format::Payload, Box::new(self.0.clone())));
            Ok(sink)
        })
    }

    fn probe(&self) -> Opening<'_, ()> {
        Box::pin(async { StdoutSink::probe(&StdoutSinkConfig::default()).await })
    }
}

#[async_trait]
impl SinkDriver for ReadBack {
    async fn reset(&mut self) -> Arc<dyn SinkFactory> {
        *self = Self::default();
        Arc::new(self.clone())
    }

    async fn effects(&mut self) -> Vec<Effect> {
        let text = self.0.0.lock().unwrap().concat();
        let lines = text.split_inclusive(|&byte| byte == b'\n');
        let effect = |line: &[u8]| Effect {
            id: hermod_sdk::Text::new(),
            payload: line.strip_suffix(b"\n").unwrap().to_vec(),
        };
        lines.map(effect).collect()
    }

    fn form(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let message = Message::new("", payload.to_vec());
        let line = Format::Payload.line(&message).ok()?;
        Some(line.to_vec())
    }
}

#[tokio::test]
async fn contract() {
    check_sink(&mut ReadBack::default()).await;
}
