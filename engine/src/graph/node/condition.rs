//! The node `condition`: sends a message to its branch `true` or `false`.

use hermod_sdk::{Message, Outputs, Transform, TransformError};

use super::{Configured, NodeType};
use crate::graph::predicate::Predicate;

pub(super) const TYPE: NodeType = NodeType {
    kind: "condition",
    branches: &["true", "false"],
    transformations: &[],
    read: |section, report| {
        let (predicate, normal) = Predicate::read(section, report)?;
        Some(Configured {
            reads_payload: predicate.reads_payload(),
            transform: Box::new(Condition(predicate)),
            normal,
        })
    },
};

struct Condition(Predicate);

impl Transform for Condition {
    fn apply(&self, mut message: Message, outputs: &mut Outputs) -> Result<(), TransformError> {
        let branch = if self.0.holds(&mut message)? {
            "true"
        } else {
            "false"
        };
        outputs.push_to(branch, message);
        Ok(())
    }
}
