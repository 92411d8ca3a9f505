//! What stands beside a sink's `config`: how the sink is written to, the same for every type.

use std::ops::RangeInclusive;

use super::{
    DeliveryPlan, OnOutage, OnSlowSink, RetryPlan, keys::Keys, report::Report, section::Section,
};

/// Messages of one batch: what a sink is given at once must fit into memory beside everything else (I9).
const BATCH_MESSAGES: RangeInclusive<u64> = 1..=100_000;

/// Bytes of one batch (I9).
const BATCH_BYTES: RangeInclusive<u64> = 1..=(64 << 20);

/// Longest wait for a batch to fill, in milliseconds: messages lie unwritten meanwhile.
const BATCH_WAIT_MS: RangeInclusive<u64> = 0..=600_000;

/// Longest wait between two attempts, in milliseconds: a day.
const INTERVAL_MS: RangeInclusive<u64> = 0..=86_400_000;

/// Attempts after the first.
const RETRIES: RangeInclusive<u64> = 0..=(u32::MAX as u64);

/// Reads how a sink is written to.
pub(super) fn delivery(
    section: &mut Section<'_>,
    defaults: &DeliveryPlan,
    report: &mut Report,
) -> DeliveryPlan {
    let mut plan = defaults.clone();
    if let Some(mut batch) = section.section("batch", report) {
        if let Some(messages) = batch.number("messages", BATCH_MESSAGES, report) {
            plan.batch.messages = messages as usize;
        }
        if let Some(bytes) = batch.number("bytes", BATCH_BYTES, report) {
            plan.batch.bytes = bytes as usize;
        }
        if let Some(wait) = batch.duration_ms("wait", BATCH_WAIT_MS, report) {
            plan.batch.wait_ms = wait;
        }
        batch.judge(&Keys::NONE, report);
    }
    if let Some(mut retry) = section.section("retry", report) {
        plan.retry = retry_plan(&mut retry, "max_retries", "interval", &plan.retry, report);
        if let Some(longest) = retry.duration_ms("interval_max", INTERVAL_MS, report) {
            if longest < plan.retry.interval_ms {
                let message = format!(
                    "is less than `interval`, which is {}ms",
                    plan.retry.interval_ms
                );
                report.refuse(retry.at("interval_max"), message);
            }
            plan.retry.interval_ms_max = longest;
        }
        retry.judge(&Keys::NONE, report);
    }
    let outage = [
        ("wait", OnOutage::Wait),
        ("dead_letter", OnOutage::DeadLetter),
    ];
    if let Some(on_outage) = section.one_of("on_outage", &outage, report) {
        plan.on_outage = on_outage;
    }
    let slow = [("lag", OnSlowSink::Lag), ("block", OnSlowSink::Block)];
    if let Some(on_slow_sink) = section.one_of("on_slow_sink", &slow, report) {
        if (on_slow_sink, defaults.on_slow_sink) == (OnSlowSink::Lag, OnSlowSink::Block) {
            let message =
                "a ring buffer has nothing to read again, so a slow sink can only `block`";
            report.refuse(section.at("on_slow_sink"), message);
        }
        plan.on_slow_sink = on_slow_sink;
    }
    plan.ordered = section.flag("ordered", report).unwrap_or(plan.ordered);
    plan
}

/// Reads attempts and the first wait; a first wait beyond the longest raises that.
pub(super) fn retry_plan(
    section: &mut Section<'_>,
    retries: &'static str,
    interval: &'static str,
    defaults: &RetryPlan,
    report: &mut Report,
) -> RetryPlan {
    let mut plan = defaults.clone();
    if let Some(retries) = section.number(retries, RETRIES, report) {
        plan.max_retries = u32::try_from(retries).unwrap_or(u32::MAX);
    }
    if let Some(interval) = section.duration_ms(interval, INTERVAL_MS, report) {
        plan.interval_ms = interval;
        plan.interval_ms_max = plan.interval_ms_max.max(interval);
    }
    plan
}
