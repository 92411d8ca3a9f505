//! What a workflow says of itself.

use std::ops::RangeInclusive;

use hermod_sdk::{Confirms, Repeats, Text};

use super::{
    BufferPlan, DeliveryPlan, Level, OnSlowSink, SinkPlan,
    connector::check_id,
    delivery::retry_plan,
    graph::{self, Drawn},
    keys::{self, Keys},
    report::Report,
    section::Section,
};

/// Messages in a ring: each takes some hundred bytes beside its payload (I9).
const RING_MESSAGES: RangeInclusive<u64> = 1..=(1 << 20);

/// Bytes of messages in a ring (I9).
const RING_BYTES: RangeInclusive<u64> = 1..=(4 << 30);

/// A workflow's own part of the document.
pub(super) struct Head {
    pub(super) id: Option<Text>,
    pub(super) name: Option<Text>,
    pub(super) active: bool,
    pub(super) buffer: BufferPlan,
    /// Defaults for its sinks.
    pub(super) delivery: DeliveryPlan,
    pub(super) require: Requirements,
    pub(super) graph: Option<Drawn>,
    acknowledge: Option<Level>,
}

/// The least that every sink must give.
#[derive(Default)]
pub(super) struct Requirements {
    confirms: Option<Confirms>,
    repeats: Option<Repeats>,
}

/// Reads a workflow.
pub(super) fn read(section: &mut Section<'_>, report: &mut Report) -> Head {
    let name = section.text("name", report);
    let id = section.text("id", report).or(name);
    if let Some(id) = id {
        check_id(id, &section.at("id"), report);
    } else {
        let message = "`id` is missing, and so is `name` that could stand in";
        report.refuse(section.pointer(), message);
    }
    let active = section.flag("active", report).unwrap_or(true);
    let acknowledge = acknowledge(section, report);
    let buffer = buffer(section, report);
    let mut delivery = DeliveryPlan::default();
    if matches!(buffer, BufferPlan::Ring { .. }) {
        delivery.on_slow_sink = OnSlowSink::Block;
    }
    delivery.retry = retry_plan(
        section,
        "max_retries",
        "retry_interval",
        &delivery.retry,
        report,
    );
    let require = Requirements::read(section, report);
    let graph = graph::read(section, report);
    section.judge(&keys::WORKFLOW, report);
    Head {
        id: id.map(Text::from),
        name: name.or(id).map(Text::from),
        active,
        buffer,
        delivery,
        require,
        graph,
        acknowledge,
    }
}

fn acknowledge(section: &mut Section<'_>, report: &mut Report) -> Option<Level> {
    let words = [
        (Level::Delivered.as_str(), Some(Level::Delivered)),
        (Level::Durable.as_str(), Some(Level::Durable)),
        ("replicated", None),
    ];
    let level = section.one_of("acknowledge", &words, report)?;
    if level.is_none() {
        let message = "level `replicated` is not built yet; it comes with the cluster";
        report.refuse(section.at("acknowledge"), message);
    }
    level
}

fn buffer(section: &mut Section<'_>, report: &mut Report) -> BufferPlan {
    let Some(mut buffer) = section.section("buffer", report) else {
        return BufferPlan::File;
    };
    let ring = buffer.one_of("type", &[("file", false), ("ring", true)], report);
    if ring.is_none() && buffer.value("type").is_none() {
        report.refuse(
            buffer.pointer(),
            "`type` is missing; it is `file` or `ring`",
        );
    }
    let BufferPlan::Ring {
        mut messages,
        mut bytes,
    } = BufferPlan::RING
    else {
        return BufferPlan::File;
    };
    // A file has no limits of its own, so these keys are unknown there.
    if ring != Some(false) {
        if let Some(number) = buffer.number("messages", RING_MESSAGES, report) {
            messages = number as usize;
        }
        if let Some(number) = buffer.number("bytes", RING_BYTES, report) {
            bytes = number as usize;
        }
    }
    buffer.judge(&Keys::NONE, report);
    if ring == Some(true) {
        BufferPlan::Ring { messages, bytes }
    } else {
        BufferPlan::File
    }
}

impl Head {
    /// Returns the acknowledge level, by default what the source calls for.
    pub(super) fn level(&self, rereadable: bool, report: &mut Report) -> Level {
        let ring = matches!(self.buffer, BufferPlan::Ring { .. });
        let default = if rereadable || ring {
            Level::Delivered
        } else {
            Level::Durable
        };
        let level = self.acknowledge.unwrap_or(default);
        if ring && level == Level::Durable {
            // I1: what is in memory only is not durable.
            report.refuse(
                "/workflow/buffer/type",
                "a `ring` is in memory and cannot offer `acknowledge: durable`; use `file`, or `acknowledge: delivered`",
            );
        }
        level
    }
}

impl Requirements {
    fn read(section: &mut Section<'_>, report: &mut Report) -> Self {
        let Some(mut require) = section.section("require", report) else {
            return Self::default();
        };
        let confirms = [Confirms::Accepted, Confirms::Durable].map(|one| (confirms_word(one), one));
        let repeats = [
            Repeats::AtLeastOnce,
            Repeats::Idempotent,
            Repeats::Transactional,
        ];
        let repeats = repeats.map(|one| (repeats_word(one), one));
        let read = Self {
            confirms: require.one_of("confirms", &confirms, report),
            repeats: require.one_of("repeats", &repeats, report),
        };
        require.judge(&Keys::NONE, report);
        read
    }

    /// Refuses a sink that gives less than what is required.
    pub(super) fn check(&self, sink: &SinkPlan, report: &mut Report) {
        let (confirms, repeats) = (sink.factory.spec().confirms, sink.factory.repeats());
        let id = &sink.id;
        if let Some(wanted) = self.confirms.filter(|wanted| confirms < *wanted) {
            let (given, wanted) = (confirms_word(confirms), confirms_word(wanted));
            let message =
                format!("sink `{id}` confirms `{given}`, less than the required `{wanted}`");
            report.refuse("/workflow/require/confirms", message);
        }
        if let Some(wanted) = self.repeats.filter(|wanted| repeats < *wanted) {
            let (given, wanted) = (repeats_word(repeats), repeats_word(wanted));
            let message =
                format!("sink `{id}` is `{given}` on repeats, less than the required `{wanted}`");
            report.refuse("/workflow/require/repeats", message);
        }
    }
}

fn confirms_word(confirms: Confirms) -> &'static str {
    match confirms {
        Confirms::Accepted => "accepted",
        Confirms::Durable => "durable",
    }
}

fn repeats_word(repeats: Repeats) -> &'static str {
    match repeats {
        Repeats::AtLeastOnce => "at_least_once",
        Repeats::Idempotent => "idempotent",
        Repeats::Transactional => "transactional",
    }
}
