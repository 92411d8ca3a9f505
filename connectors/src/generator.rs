//! Source `generator`: made-up messages at a chosen rate, for trying out, for tests and for measuring.

use std::time::Duration;

use async_trait::async_trait;
use hermod_sdk::{
    Confirms, ConnectorConfig, ConnectorError, Locality, Message, Position, Problems, Read,
    ReadLimit, Repeats, Source, SourceBatch, SourceConnector, SourceContext, Spec, Stability, Text,
    TypedPosition,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Configuration of the source `generator`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeneratorConfig {
    /// Messages a second; 0 makes them as fast as they are taken.
    #[serde(default = "default_rate")]
    #[schemars(range(max = 10_000_000), extend("x-unit" = "messages/s"))]
    pub rate: u64,
    /// Length of each payload. The fixed fields take up to about 80 bytes, shorter payloads have no padding.
    #[serde(default = "default_size")]
    #[schemars(range(max = 8_388_608), extend("x-unit" = "bytes"))]
    pub size: usize,
    /// Messages in all; 0 never ends.
    #[serde(default)]
    pub count: u64,
    /// How many different ordering keys there are; 0 makes messages without a key.
    #[serde(default = "default_keys")]
    pub keys: u64,
    /// What keys and padding are made from; the same seed gives the same messages on any node.
    #[serde(default)]
    pub seed: u64,
}

fn default_rate() -> u64 {
    10
}

fn default_size() -> usize {
    256
}

fn default_keys() -> u64 {
    100
}

impl Default for GeneratorConfig {
    fn default() -> Self {
        Self {
            rate: default_rate(),
            size: default_size(),
            count: 0,
            keys: default_keys(),
            seed: 0,
        }
    }
}

impl ConnectorConfig for GeneratorConfig {
    fn check(&self, problems: &mut Problems) {
        if self.rate == 0 && self.size == 0 && self.count == 0 {
            problems.add(
                "/rate",
                "an endless stream of empty messages needs a `rate`",
            );
        }
    }

    fn example() -> Value {
        json!({"rate": 1000, "size": 1024, "count": 100_000, "keys": 64, "seed": 7})
    }
}

/// How many messages lie behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorPosition {
    /// Index of the next message.
    pub next: u64,
}

impl TypedPosition for GeneratorPosition {
    const VERSION: u16 = 1;

    fn covers(&self, other: &Self) -> bool {
        self.next >= other.next
    }
}

/// A source whose messages are a function of seed and index alone.
///
/// Message `n` has the id `gen-SEED-n` and the payload
/// `{"index": n, "key": "k-…", "pad": "…"}`; its position is `n + 1`.
pub struct GeneratorSource {
    config: GeneratorConfig,
    generation: u64,
    next: u64,
    pace: Pace,
    padding: Vec<u8>,
}

impl GeneratorSource {
    fn message(&self, index: u64) -> Message {
        let draw = mix(self.config.seed ^ mix(index));
        let key = draw
            .checked_rem(self.config.keys)
            .map(|number| format!("k-{number}"));
        let mut payload = format!("{{\"index\":{index}");
        if let Some(key) = &key {
            payload.push_str(",\"key\":\"");
            payload.push_str(key);
            payload.push('"');
        }
        let mut payload = payload.into_bytes();
        self.pad(&mut payload, draw);
        payload.push(b'}');
        let position = Position::encode(self.generation, &GeneratorPosition { next: index + 1 });
        let mut message = Message::new(
            Text::from(format!("gen-{}-{index}", self.config.seed)),
            payload,
        )
        .with_table("generator")
        .with_position(position);
        message.key = key.map(Into::into);
        message
    }

    /// Appends a member `pad` that brings the payload, once closed, to the configured size.
    fn pad(&self, payload: &mut Vec<u8>, draw: u64) {
        let frame = b",\"pad\":\"\"";
        let Some(wanted) = self
            .config
            .size
            .checked_sub(payload.len() + frame.len() + 1)
        else {
            return;
        };
        payload.reserve(wanted + frame.len() + 1);
        payload.extend_from_slice(&frame[..frame.len() - 1]);
        let mut from = draw as usize % self.padding.len();
        let mut left = wanted;
        while left > 0 {
            let part = left.min(self.padding.len() - from);
            payload.extend_from_slice(&self.padding[from..from + part]);
            left -= part;
            from = 0;
        }
        payload.push(b'"');
    }
}

#[async_trait]
impl Source for GeneratorSource {
    /// # Cancel safety
    /// Nothing moves before the batch is made, which takes no await.
    async fn read(&mut self, limit: ReadLimit) -> Result<Read, ConnectorError> {
        let left = match self.config.count {
            0 => u64::MAX,
            count => count.saturating_sub(self.next),
        };
        if left == 0 {
            return Ok(Read::End);
        }
        let due = self.pace.due(self.next).await;
        let most = due.min(left).min(limit.messages.max(1) as u64);
        let mut messages = Vec::with_capacity(most as usize);
        let mut bytes = 0;
        for index in self.next..self.next.saturating_add(most) {
            let message = self.message(index);
            bytes += message.size();
            if bytes > limit.bytes && !messages.is_empty() {
                break;
            }
            messages.push(message);
        }
        self.next += messages.len() as u64;
        let position = Position::encode(self.generation, &GeneratorPosition { next: self.next });
        Ok(Read::Batch(SourceBatch { messages, position }))
    }

    async fn acknowledge(&mut self, _position: &Position) -> Result<(), ConnectorError> {
        Ok(())
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
}

#[async_trait]
impl SourceConnector for GeneratorSource {
    const SPEC: Spec = Spec {
        kind: "generator",
        title: "Generator",
        summary: "Makes messages up from a seed, at a chosen rate and size.",
        stability: Stability::Stable,
        locality: Locality::Any,
        confirms: Confirms::Accepted,
        repeats: Repeats::AtLeastOnce,
        rereadable: true,
        partial: false,
    };
    type Config = GeneratorConfig;
    type At = GeneratorPosition;

    async fn open(
        config: Self::Config,
        position: Option<Position>,
        cx: SourceContext,
    ) -> Result<Self, ConnectorError> {
        let next = match position {
            Some(position) => position.decode::<GeneratorPosition>()?.next,
            None => 0,
        };
        Ok(Self {
            pace: Pace::new(config.rate, next),
            padding: padding(config.seed),
            generation: cx.generation,
            config,
            next,
        })
    }

    async fn probe(_config: &Self::Config) -> Result<(), ConnectorError> {
        Ok(())
    }
}

/// Says when a message is due. A stream that was held back catches up by at most one second.
struct Pace {
    rate: u64,
    from: Instant,
    first: u64,
}

impl Pace {
    fn new(rate: u64, first: u64) -> Self {
        Self {
            rate,
            from: Instant::now(),
            first,
        }
    }

    /// Waits until message `next` is due and returns how many are.
    async fn due(&mut self, next: u64) -> u64 {
        if self.rate == 0 {
            return u64::MAX;
        }
        loop {
            let nanos = self.from.elapsed().as_nanos() * u128::from(self.rate);
            let made = (nanos / 1_000_000_000) as u64;
            let due = (self.first + made + 1).saturating_sub(next);
            if due > self.rate + 1 {
                *self = Self::new(self.rate, next);
            } else if due > 0 {
                return due;
            } else {
                let ahead = u128::from(next - self.first) * 1_000_000_000;
                let at = ahead.div_ceil(u128::from(self.rate)) as u64;
                tokio::time::sleep_until(self.from + Duration::from_nanos(at)).await;
            }
        }
    }
}

/// Letters and digits that all paddings are cut from: a fixed block, so that making a payload is a copy.
fn padding(seed: u64) -> Vec<u8> {
    const SYMBOLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..65_536_u64 / 8)
        .flat_map(|block| mix(seed.wrapping_add(block)).to_le_bytes())
        .map(|byte| SYMBOLS[usize::from(byte % 64)])
        .collect()
}

/// The output function of SplitMix64. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
