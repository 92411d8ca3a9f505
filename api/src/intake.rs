//! Where pushed messages go.

use std::future::Future;

use hermod_engine::{Ingress, SubmitError};
use hermod_sdk::{Message, PushSource};

/// Takes the messages of one push source. A clone is cheap.
pub trait Intake: Clone + Send + Sync + 'static {
    /// Returns the open source, which authenticates and parses.
    fn source(&self) -> &dyn PushSource;

    /// Gives messages their time, and a fresh id where the sender gave none.
    fn stamp(&self, _messages: &mut [Message]) {}

    /// Takes messages, and returns `Ok` only once the workflow's acknowledge level holds for all (I1).
    fn submit(
        &self,
        messages: Vec<Message>,
    ) -> impl Future<Output = Result<(), SubmitError>> + Send;
}

impl Intake for Ingress {
    fn source(&self) -> &dyn PushSource {
        &**Ingress::source(self)
    }

    fn stamp(&self, messages: &mut [Message]) {
        Ingress::stamp(self, messages);
    }

    async fn submit(&self, messages: Vec<Message>) -> Result<(), SubmitError> {
        Ingress::submit(self, messages).await
    }
}
