//! The node `filter`: keeps what matches and drops the rest on purpose.

use hermod_sdk::{Message, Outputs, Transform, TransformError};

use super::{Configured, NodeType, ONE};
use crate::graph::predicate::Predicate;

pub(super) const TYPE: NodeType = NodeType {
    kind: "filter",
    branches: ONE,
    transformations: &["filter_data", "validate"],
    read: |section, report| {
        let (predicate, normal) = Predicate::read(section, report)?;
        Some(Configured {
            reads_payload: predicate.reads_payload(),
            transform: Box::new(Filter(predicate)),
            normal,
        })
    },
};

struct Filter(Predicate);

impl Transform for Filter {
    fn apply(&self, mut message: Message, outputs: &mut Outputs) -> Result<(), TransformError> {
        if self.0.holds(&mut message)? {
            outputs.push(message);
        }
        Ok(())
    }
}
