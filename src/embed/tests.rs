use std::sync::Mutex;

use async_trait::async_trait;
use hermod_connectors::{GeneratorConfig, GeneratorSource};
use hermod_engine::Ended;
use hermod_sdk::{Batch, Read, ReadLimit, SourceBatch, TypedPosition, Written};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;

#[derive(Serialize, Deserialize)]
struct At(u64);

impl TypedPosition for At {
    const VERSION: u16 = 1;

    fn covers(&self, other: &Self) -> bool {
        self.0 >= other.0
    }
}

/// Gives the numbers from `next` to 2.
struct Numbers {
    next: u64,
}

#[async_trait]
impl Source for Numbers {
    async fn read(&mut self, _: ReadLimit) -> Result<Read, ConnectorError> {
        if self.next == 3 {
            return Ok(Read::End);
        }
        let position = Position::encode(1, &At(self.next));
        let id = self.next.to_string();
        let message = hermod_sdk::Message::new(id.clone(), id).with_position(position.clone());
        self.next += 1;
        Ok(Read::Batch(SourceBatch {
            messages: vec![message],
            position,
        }))
    }

    async fn acknowledge(&mut self, _: &Position) -> Result<(), ConnectorError> {
        Ok(())
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
}

/// Keeps payloads.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl Sink for Kept {
    async fn write(&mut self, batch: &Batch) -> Result<Written, ConnectorError> {
        let mut kept = self.0.lock().unwrap();
        for record in &batch.records {
            kept.push(String::from_utf8(record.message.payload.bytes().to_vec()).unwrap());
        }
        Ok(Written::All)
    }

    async fn flush(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
}

#[tokio::test]
async fn objects_run_over_a_ring_to_their_end() {
    let (one, two) = (Kept::default(), Kept::default());
    let engine = Engine::new("numbers").source(Numbers { next: 0 });
    let running = engine
        .sink("one", one.clone())
        .sink("two", two.clone())
        .start()
        .await
        .unwrap();
    assert_eq!(running.ended().await, Ended::Completed);
    assert_eq!(running.stop(Duration::from_mins(1)).await.undelivered, 0);
    assert_eq!(*one.0.lock().unwrap(), ["0", "1", "2"]);
    assert_eq!(*two.0.lock().unwrap(), ["0", "1", "2"]);
}

#[tokio::test]
async fn i2_a_restarted_engine_opens_its_source_behind_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let kept = Kept::default();
    let opened: Arc<Mutex<Vec<Option<u64>>>> = Arc::default();
    for _ in 0..2 {
        let seen = opened.clone();
        let open = move |position: Option<Position>, _| {
            let at = position.map(|position| position.decode::<At>().unwrap().0);
            seen.lock().unwrap().push(at);
            async move {
                Ok(Numbers {
                    next: at.map_or(0, |at| at + 1),
                })
            }
        };
        let engine = Engine::new("numbers")
            .source_with(open)
            .sink("out", kept.clone());
        let running = engine
            .buffer(Buffer::file(directory.path()))
            .start()
            .await
            .unwrap();
        assert_eq!(running.ended().await, Ended::Completed);
        assert_eq!(running.stop(Duration::from_mins(1)).await.undelivered, 0);
    }
    assert_eq!(*opened.lock().unwrap(), [None, Some(2)]);
    assert_eq!(*kept.0.lock().unwrap(), ["0", "1", "2"]);
}

#[tokio::test]
async fn connectors_and_documents_run_too() {
    let config: GeneratorConfig = serde_json::from_value(json!({"count": 5})).unwrap();
    let kept = Kept::default();
    let engine = Engine::new("made").source_of::<GeneratorSource>(config);
    let running = engine.sink("out", kept.clone()).start().await.unwrap();
    assert_eq!(running.ended().await, Ended::Completed);
    assert_eq!(kept.0.lock().unwrap().len(), 5);

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("out.ndjson");
    let document = json!({
        "workflow": {
            "id": "made", "buffer": {"type": "ring"},
            "nodes": [{"id": "in", "type": "source", "ref_id": "g"}, {"id": "out", "type": "sink", "ref_id": "f"}],
            "edges": [{"id": "e", "source_id": "in", "target_id": "out"}],
        },
        "sources": [{"id": "g", "type": "generator", "config": {"count": 5}}],
        "sinks": [{"id": "f", "type": "file", "config": {"filename": file}}],
    });
    let running = Engine::from_document(&document)
        .unwrap()
        .start()
        .await
        .unwrap();
    assert_eq!(running.ended().await, Ended::Completed);
    assert_eq!(std::fs::read_to_string(file).unwrap().lines().count(), 5);
}

#[tokio::test]
async fn what_cannot_run_is_refused() {
    let refusal = |engine: Engine| async { engine.start().await.err().unwrap() };
    let numbers = || Engine::new("n").source(Numbers { next: 0 });
    assert!(matches!(
        refusal(Engine::new("n").sink("s", Kept::default())).await,
        Error::NoSource
    ));
    assert!(matches!(refusal(numbers()).await, Error::NoSink));
    let twice = numbers()
        .sink("s", Kept::default())
        .sink("s", Kept::default());
    assert!(matches!(refusal(twice).await, Error::SameSink { .. }));
    let slash = Engine::new("a/b")
        .source(Numbers { next: 0 })
        .sink("s", Kept::default());
    assert!(matches!(refusal(slash).await, Error::Id { .. }));
    let durable = numbers()
        .sink("s", Kept::default())
        .acknowledge(Level::Durable);
    assert!(matches!(refusal(durable).await, Error::RingNotDurable));
    assert!(matches!(
        Engine::from_document(&json!({})),
        Err(Error::Document(_))
    ));
}
