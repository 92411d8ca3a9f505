//! The suite finds what is wrong: a right sink passes, and one for each defect does not.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{Mutex, MutexGuard},
};

use super::*;
use crate::{Committed, Confirms, Locality, Spec, Stability};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Defect {
    None,
    DropsTheLast,
    Reorders,
    RejectsTheBatch,
    ReportsTooFew,
    SpoilsNumbers,
    RepeatsThoughItClaimsNotTo,
    LosesAtARestart,
    LetsAStaleOwnerWrite,
}

#[derive(Default)]
struct Table {
    rows: Vec<(u64, Effect)>,
    last: Option<u64>,
    epoch: u64,
}

#[derive(Clone)]
struct Shelf {
    table: Arc<Mutex<Table>>,
    repeats: Repeats,
    defect: Defect,
}

struct ShelfSink {
    shelf: Shelf,
    epoch: u64,
    committed: Vec<Committed>,
}

type Opening<'a, T> =
    std::pin::Pin<Box<dyn std::future::Future<Output = Result<T, ConnectorError>> + Send + 'a>>;

fn fenced() -> ConnectorError {
    ConnectorError::new(ErrorKind::Fenced, "a newer owner is there")
}

fn takes(payload: &[u8]) -> bool {
    std::str::from_utf8(payload).is_ok()
}

impl Shelf {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap()
    }
}

impl SinkFactory for Shelf {
    fn spec(&self) -> Spec {
        Spec {
            kind: "shelf",
            title: "Shelf",
            summary: "A table in memory.",
            stability: Stability::Experimental,
            locality: Locality::Node,
            confirms: Confirms::Durable,
            repeats: Repeats::Transactional,
            rereadable: false,
            partial: false,
        }
    }

    fn repeats(&self) -> Repeats {
        self.repeats
    }

    fn open(&self, cx: SinkContext) -> Opening<'_, Box<dyn Sink>> {
        Box::pin(async move {
            let mut table = self.table();
            if self.repeats == Repeats::Transactional && cx.epoch < table.epoch {
                return Err(fenced());
            }
            table.epoch = table.epoch.max(cx.epoch);
            let committed = table.last.map(|last| Committed {
                stream: cx.stream.clone(),
                epoch: table.epoch,
                last,
                position: None,
            });
            let sink: Box<dyn Sink> = Box::new(ShelfSink {
                shelf: self.clone(),
                epoch: cx.epoch,
                committed: committed.into_iter().collect(),
            });
            Ok(sink)
        })
    }

    fn probe(&self) -> Opening<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[async_trait]
impl Sink for ShelfSink {
    async fn write(&mut self, batch: &Batch) -> Result<Written, ConnectorError> {
        let Shelf {
            repeats, defect, ..
        } = self.shelf;
        let mut table = self.shelf.table();
        let stale = repeats == Repeats::Transactional && self.epoch < table.epoch;
        if stale && defect != Defect::LetsAStaleOwnerWrite {
            return Err(fenced());
        }
        let mut outcomes = Vec::new();
        for record in &batch.records {
            let mut payload = record.message.payload.bytes().to_vec();
            if !takes(&payload) {
                let reason = "not UTF-8".to_owned();
                outcomes.push(Outcome::Rejected { reason });
                continue;
            }
            outcomes.push(Outcome::Written);
            if defect == Defect::SpoilsNumbers
                && let Ok(value) = serde_json::from_slice::<BTreeMap<String, f64>>(&payload)
            {
                payload = serde_json::to_vec(&value).unwrap();
            }
            let known = table.last.is_some_and(|last| record.seq <= last);
            if known
                && repeats > Repeats::AtLeastOnce
                && defect != Defect::RepeatsThoughItClaimsNotTo
            {
                continue;
            }
            let id = record.message.id.clone();
            table.rows.push((record.seq, Effect { id, payload }));
        }
        table.last = table.last.max(Some(batch.token.last));
        match defect {
            Defect::DropsTheLast => drop(table.rows.pop()),
            Defect::Reorders => table.rows.reverse(),
            Defect::RejectsTheBatch if outcomes.iter().any(|o| *o != Outcome::Written) => {
                let reason = "not UTF-8".to_owned();
                outcomes.fill(Outcome::Rejected { reason });
            }
            Defect::ReportsTooFew => drop(outcomes.pop()),
            _ => {}
        }
        Ok(Written::Each(outcomes))
    }

    async fn flush(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn committed(&self) -> &[Committed] {
        &self.committed
    }
}

struct Shelves {
    repeats: Repeats,
    defect: Defect,
    shelf: Option<Shelf>,
}

#[async_trait]
impl SinkDriver for Shelves {
    async fn reset(&mut self) -> Arc<dyn SinkFactory> {
        let fresh = Shelf {
            table: Arc::default(),
            repeats: self.repeats,
            defect: self.defect,
        };
        self.shelf = Some(fresh.clone());
        Arc::new(fresh)
    }

    async fn effects(&mut self) -> Vec<Effect> {
        let table = self.shelf.as_ref().unwrap().table();
        table
            .rows
            .iter()
            .map(|(_, effect)| effect.clone())
            .collect()
    }

    fn form(&self, payload: &[u8]) -> Option<Vec<u8>> {
        takes(payload).then(|| payload.to_vec())
    }

    async fn restart(&mut self) -> bool {
        if self.defect == Defect::LosesAtARestart {
            self.shelf.as_ref().unwrap().table().rows.pop();
        }
        true
    }
}

fn passes(repeats: Repeats, defect: Defect) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut driver = Shelves {
        repeats,
        defect,
        shelf: None,
    };
    let run = || runtime.block_on(check_sink(&mut driver));
    std::panic::catch_unwind(AssertUnwindSafe(run)).is_ok()
}

#[test]
fn a_right_sink_passes_whatever_it_claims() {
    for repeats in [
        Repeats::AtLeastOnce,
        Repeats::Idempotent,
        Repeats::Transactional,
    ] {
        assert!(passes(repeats, Defect::None), "{repeats:?}");
    }
}

#[test]
fn each_defect_is_found() {
    for defect in [
        Defect::DropsTheLast,
        Defect::Reorders,
        Defect::RejectsTheBatch,
        Defect::ReportsTooFew,
        Defect::SpoilsNumbers,
        Defect::RepeatsThoughItClaimsNotTo,
        Defect::LosesAtARestart,
        Defect::LetsAStaleOwnerWrite,
    ] {
        assert!(
            !passes(Repeats::Transactional, defect),
            "{defect:?} is not found"
        );
    }
}
