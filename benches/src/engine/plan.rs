//! The bench's workflow: one source, one sink, nothing between.

use std::sync::Arc;

use hermod_engine::{
    BufferPlan, DeliveryPlan, EdgeDocument, GraphDocument, Level, NodeDocument, SinkPlan,
    SourcePlan, WorkflowPlan,
};
use hermod_sdk::{SinkFactory, SourceFactory, SourceOpener, Text};
use serde_json::Map;

use super::memory::SPEC;

/// Makes the plan, with the delivery that a document gets without settings of its own.
pub(super) fn plan(
    buffer: BufferPlan,
    acknowledge: Level,
    source: Arc<dyn SourceFactory>,
    sink: Arc<dyn SinkFactory>,
) -> WorkflowPlan {
    let text = Text::from_static;
    let node = |id: &str, kind: &str, ref_id: &str| NodeDocument {
        id: id.to_owned(),
        kind: kind.to_owned(),
        ref_id: ref_id.to_owned(),
        config: Map::new(),
    };
    let edge = EdgeDocument {
        id: "e1".to_owned(),
        source_id: "in".to_owned(),
        target_id: "out".to_owned(),
        label: String::new(),
        source_handle: String::new(),
    };
    WorkflowPlan {
        id: text("bench"),
        name: text("bench"),
        active: true,
        acknowledge,
        buffer,
        source: SourcePlan {
            id: text("memory"),
            node: text("in"),
            kind: SPEC.kind,
            opener: SourceOpener::Pull(source),
            rereadable: true,
        },
        sinks: vec![SinkPlan {
            id: text("null"),
            kind: SPEC.kind,
            factory: sink,
            delivery: DeliveryPlan::default(),
        }],
        graph: GraphDocument {
            nodes: vec![node("in", "source", "memory"), node("out", "sink", "null")],
            edges: vec![edge],
        },
    }
}
