//! The store in memory on the suite that every store passes.

use std::sync::Arc;

use async_trait::async_trait;
use hermod_storage::{Memory, Store};

use crate::conformance::{self, Factory, Fixture};

struct InMemory;

#[async_trait]
impl Factory for InMemory {
    async fn make(&self) -> Box<dyn Fixture> {
        Box::new(Kept(Arc::new(Memory::new())))
    }
}

struct Kept(Arc<Memory>);

#[async_trait]
impl Fixture for Kept {
    fn store(&self) -> Arc<dyn Store> {
        self.0.clone()
    }

    async fn reopen(&mut self) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_conforms() {
    conformance::run("memory", InMemory).await;
}
