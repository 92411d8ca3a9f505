//! Nodes of a workflow that change, drop or route messages.

use crate::Message;

/// A message cannot be transformed; it goes to the dead letters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TransformError {
    /// Why; no payload.
    pub reason: String,
}

impl TransformError {
    /// Makes an error.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

/// Where a transform puts what it lets through: messages with the branch that they take.
///
/// A message that is put nowhere is dropped on purpose and counted as filtered.
#[derive(Debug, Default)]
pub struct Outputs {
    items: Vec<(&'static str, Message)>,
}

impl Outputs {
    /// The branch of nodes that have only one.
    pub const DEFAULT: &'static str = "";

    /// Lets a message through on the only branch.
    pub fn push(&mut self, message: Message) {
        self.items.push((Self::DEFAULT, message));
    }

    /// Lets a message through on a labelled branch.
    pub fn push_to(&mut self, branch: &'static str, message: Message) {
        self.items.push((branch, message));
    }

    /// Takes everything out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = (&'static str, Message)> + '_ {
        self.items.drain(..)
    }
}

/// A node that is a pure function of the message: shared by everything that evaluates the graph.
pub trait Transform: Send + Sync {
    /// Handles one message.
    ///
    /// # Errors
    /// [`TransformError`] if the message does not have what the node needs.
    fn apply(&self, message: Message, outputs: &mut Outputs) -> Result<(), TransformError>;
}
