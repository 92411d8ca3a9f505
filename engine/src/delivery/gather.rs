//! Forms batches: as large as the sink likes, never larger, and never out of order.

use std::{collections::HashSet, time::Duration};

use hermod_sdk::Record;
use tokio::time::Instant;

use super::part::{Boundary, boundary_after, split};
use crate::{buffer::Hole, document::DeliveryPlan, pass::Feed, pipeline::Stop};

pub(super) struct Gather {
    feed: Feed,
    messages_max: usize,
    bytes_max: usize,
    wait: Duration,
    // At most one message per key in a batch: the sink may take a later one while refusing an earlier.
    one_per_key: bool,
    waiting: Vec<Record>,
    // Behind everything that is waiting.
    boundary: Boundary,
    // Whether the cursor may pass something that left no record.
    passable: bool,
    // Comes behind everything that is waiting.
    lost: Option<Hole>,
}

/// What a sink has to do next.
pub(super) enum Step {
    /// Write these, perhaps none where everything was filtered.
    Write(Vec<Record>, Boundary),
    /// Pass messages that are lost to damage.
    Lost(Hole),
}

impl Gather {
    pub(super) fn new(feed: Feed, plan: &DeliveryPlan, partial: bool) -> Self {
        Self {
            feed,
            messages_max: plan.batch.messages.max(1),
            bytes_max: plan.batch.bytes,
            wait: Duration::from_millis(plan.batch.wait_ms),
            one_per_key: partial && plan.ordered,
            waiting: Vec::new(),
            boundary: Boundary::default(),
            passable: false,
            lost: None,
        }
    }

    /// Returns what comes next in log order; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Step>, Stop> {
        if self.waiting.is_empty() && !self.passable && self.lost.is_none() {
            let Some(work) = self.feed.next().await? else {
                return Ok(None);
            };
            self.add(work);
        }
        let until = (!self.wait.is_zero()).then(|| Instant::now() + self.wait);
        while self.lost.is_none()
            && self.waiting.len() < self.messages_max
            && self.bytes() < self.bytes_max
        {
            let Some(work) = self.feed.next_until(until).await else {
                break;
            };
            self.add(work);
        }
        // I4: what is lost keeps its place in the order.
        if self.waiting.is_empty()
            && !self.passable
            && let Some(hole) = self.lost.take()
        {
            return Ok(Some(Step::Lost(hole)));
        }
        let (records, boundary) = self.cut();
        Ok(Some(Step::Write(records, boundary)))
    }

    fn add(&mut self, work: crate::pass::Work) {
        if work.lost.is_some() {
            self.lost = work.lost;
            return;
        }
        self.waiting.extend(work.records);
        self.boundary.next = work.next;
        if work.position.is_some() {
            self.boundary.position = work.position;
        }
        self.passable = true;
    }

    fn bytes(&self) -> usize {
        self.waiting
            .iter()
            .map(|record| record.message.size())
            .sum()
    }

    fn cut(&mut self) -> (Vec<Record>, Boundary) {
        let at = self.cut_at();
        if at >= self.waiting.len() {
            self.passable = false;
            return (std::mem::take(&mut self.waiting), self.boundary.clone());
        }
        let rest = self.waiting.split_off(at);
        let records = std::mem::replace(&mut self.waiting, rest);
        let boundary = boundary_after(&records);
        (records, boundary)
    }

    fn cut_at(&self) -> usize {
        let mut bytes = 0;
        let mut keys = HashSet::new();
        let mut keyless = false;
        for (index, record) in self.waiting.iter().enumerate() {
            bytes += record.message.size();
            let full = index >= self.messages_max || (bytes > self.bytes_max && index > 0);
            let ordered = self.one_per_key
                && index > 0
                && match &record.message.key {
                    // I4: without a key the order is kept over the whole stream.
                    None => true,
                    Some(key) => keyless || keys.contains(key),
                };
            if full || ordered {
                return split(&self.waiting, index);
            }
            match &record.message.key {
                Some(key) if self.one_per_key => drop(keys.insert(key)),
                _ => keyless = true,
            }
        }
        self.waiting.len()
    }
}
