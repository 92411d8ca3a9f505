//! The contract suite.

use std::sync::Arc;

use async_trait::async_trait;
use hermod_sdk::{
    Format, Message, SinkFactory,
    testkit::{Effect, SinkDriver, check_sink, server::Http},
};
use serde_json::{json, value::RawValue};

use super::factory;

/// A web service that keeps what it was sent.
struct Service {
    server: Http,
    mode: &'static str,
}

#[async_trait]
impl SinkDriver for Service {
    async fn reset(&mut self) -> Arc<dyn SinkFactory> {
        self.server = Http::start();
        factory(&json!({"url": self.server.url("/in"), "mode": self.mode}))
    }

    async fn effects(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for seen in self.server.seen() {
            let id = match self.mode {
                "single" => seen.header("idempotency-key").unwrap().to_owned(),
                _ => String::new(),
            };
            let payloads: Vec<Vec<u8>> = match self.mode {
                "single" => vec![seen.body],
                "ndjson" => {
                    let body = seen.body.strip_suffix(b"\n").unwrap();
                    body.split(|byte| *byte == b'\n')
                        .map(<[u8]>::to_vec)
                        .collect()
                }
                _ => {
                    let items: Vec<Box<RawValue>> = serde_json::from_slice(&seen.body).unwrap();
                    items
                        .iter()
                        .map(|item| item.get().as_bytes().to_vec())
                        .collect()
                }
            };
            effects.extend(payloads.into_iter().map(|payload| Effect {
                id: id.clone().into(),
                payload,
            }));
        }
        effects
    }

    fn form(&self, payload: &[u8]) -> Option<Vec<u8>> {
        match self.mode {
            "single" => Some(payload.to_vec()),
            "ndjson" => {
                let message = Message::new("x", payload.to_vec());
                Format::Payload.line(&message).ok().map(Vec::from)
            }
            _ => {
                let json: &RawValue = serde_json::from_slice(payload).ok()?;
                Some(json.get().as_bytes().to_vec())
            }
        }
    }

    async fn restart(&mut self) -> bool {
        self.server.restart();
        true
    }
}

#[tokio::test]
async fn sink_http() {
    for mode in ["single", "ndjson", "json_array"] {
        let server = Http::start();
        check_sink(&mut Service { server, mode }).await;
    }
}
