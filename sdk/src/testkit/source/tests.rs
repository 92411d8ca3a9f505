//! The suite finds what is wrong: a right source passes, and one for each defect does not.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::{
    Confirms, ConnectorConfig, ConnectorError, Locality, Repeats, SourceConnector, SourceEntry,
    SourceOpener, Spec, Stability, TypedPosition,
};

/// How many records each tape holds; a tape's number is its index.
static TAPES: Mutex<Vec<usize>> = Mutex::new(Vec::new());

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
enum Defect {
    None,
    SkipsAfterResume,
    RepeatsAfterResume,
    NewIds,
    IgnoresTheLimit,
    LosesDroppedReads,
    EndsEarly,
    TakesAnyPosition,
    ForgetsTheGeneration,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct TapeConfig {
    tape: usize,
    defect: Defect,
}

impl ConnectorConfig for TapeConfig {
    fn example() -> Value {
        json!({"tape": 0, "defect": "None"})
    }
}

#[derive(Serialize, Deserialize)]
struct TapeAt(usize);

impl TypedPosition for TapeAt {
    const VERSION: u16 = 1;
    fn covers(&self, other: &Self) -> bool {
        self.0 >= other.0
    }
}

struct Tape {
    config: TapeConfig,
    generation: u64,
    next: usize,
}

static OPENINGS: AtomicUsize = AtomicUsize::new(0);

#[async_trait]
impl Source for Tape {
    async fn read(&mut self, limit: ReadLimit) -> Result<Read, ConnectorError> {
        let defect = self.config.defect;
        let from = self.next;
        let length = || TAPES.lock().unwrap()[self.config.tape];
        while length() <= from {
            if defect == Defect::EndsEarly {
                return Ok(Read::End);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut most = if limit.bytes == 1 { 1 } else { limit.messages };
        if defect == Defect::IgnoresTheLimit {
            most = 5;
        }
        let until = length().min(from + most);
        if defect == Defect::LosesDroppedReads {
            self.next = until;
            tokio::task::yield_now().await;
        }
        self.next = until;
        let opening = OPENINGS.fetch_add(1, Ordering::Relaxed);
        let messages: Vec<_> = (from..until)
            .map(|index| {
                let id = match defect {
                    Defect::NewIds => format!("{opening}-{index}"),
                    _ => index.to_string(),
                };
                let position = Position::encode(self.generation, &TapeAt(index + 1));
                Message::new(id, format!("record {index}")).with_position(position)
            })
            .collect();
        let position = Position::encode(self.generation, &TapeAt(until));
        Ok(Read::Batch(SourceBatch { messages, position }))
    }

    async fn acknowledge(&mut self, _position: &Position) -> Result<(), ConnectorError> {
        Ok(())
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
}

#[async_trait]
impl SourceConnector for Tape {
    const SPEC: Spec = Spec {
        kind: "tape",
        title: "Tape",
        summary: "A tape in memory.",
        stability: Stability::Experimental,
        locality: Locality::Node,
        confirms: Confirms::Accepted,
        repeats: Repeats::AtLeastOnce,
        rereadable: true,
        partial: false,
    };
    type Config = TapeConfig;
    type At = TapeAt;

    async fn open(
        config: Self::Config,
        position: Option<Position>,
        cx: SourceContext,
    ) -> Result<Self, ConnectorError> {
        let mut next = 0;
        if let Some(position) = position {
            let at = position.decode::<TapeAt>();
            next = match config.defect {
                Defect::TakesAnyPosition => at.map_or(0, |at| at.0),
                Defect::SkipsAfterResume => at?.0 + 1,
                Defect::RepeatsAfterResume => at?.0.saturating_sub(1),
                _ => at?.0,
            };
        }
        let generation = match config.defect {
            Defect::ForgetsTheGeneration => 0,
            _ => cx.generation,
        };
        Ok(Self {
            config,
            generation,
            next,
        })
    }

    async fn probe(_config: &Self::Config) -> Result<(), ConnectorError> {
        Ok(())
    }
}

struct Tapes {
    defect: Defect,
    tape: usize,
}

#[async_trait]
impl SourceDriver for Tapes {
    async fn reset(&mut self) -> Arc<dyn SourceFactory> {
        let mut tapes = TAPES.lock().unwrap();
        self.tape = tapes.len();
        tapes.push(0);
        let config = json!({"tape": self.tape, "defect": self.defect});
        match SourceEntry::of::<Tape>().configure(&config).unwrap() {
            SourceOpener::Pull(factory) => factory,
            SourceOpener::Push { .. } => panic!("the tape is read"),
        }
    }

    async fn produce(&mut self, count: usize) {
        TAPES.lock().unwrap()[self.tape] += count;
    }

    async fn restart(&mut self) -> bool {
        true
    }
}

fn passes(defect: Defect) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut driver = Tapes { defect, tape: 0 };
    let run = || runtime.block_on(check_source(&mut driver));
    std::panic::catch_unwind(AssertUnwindSafe(run)).is_ok()
}

#[test]
fn a_right_source_passes() {
    assert!(passes(Defect::None));
}

#[test]
fn each_defect_is_found() {
    // Side by side: some show only in that nothing comes any more.
    let checks = [
        Defect::SkipsAfterResume,
        Defect::RepeatsAfterResume,
        Defect::NewIds,
        Defect::IgnoresTheLimit,
        Defect::LosesDroppedReads,
        Defect::EndsEarly,
        Defect::TakesAnyPosition,
        Defect::ForgetsTheGeneration,
    ]
    .map(|defect| (defect, std::thread::spawn(move || passes(defect))));
    for (defect, check) in checks {
        assert!(!check.join().unwrap(), "{defect:?} is not found");
    }
}
