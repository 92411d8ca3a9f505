//! The contract suite.

use std::sync::Arc;

use async_trait::async_trait;
use hermod_sdk::{
    SinkFactory,
    testkit::{Effect, SinkDriver, check_sink, server::Postgres},
};
use serde_json::{json, value::RawValue};

use super::{config, factory};

/// A table of a server of the suite's own, which it kills.
struct Table {
    server: Postgres,
    data_type: &'static str,
    resets: usize,
}

impl Table {
    fn name(&self) -> String {
        format!("suite_{}_{}", self.data_type, self.resets)
    }

    /// Returns bytes that `psql` printed as hexadecimal digits.
    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<char> = hex.chars().collect();
        let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }
}

#[async_trait]
impl SinkDriver for Table {
    async fn reset(&mut self) -> Arc<dyn SinkFactory> {
        self.resets += 1;
        self.server.psql("DROP TABLE IF EXISTS hermod_tokens");
        let more = json!({"data_type": self.data_type});
        factory(&config(&self.server, &self.name(), more))
    }

    async fn effects(&mut self) -> Vec<Effect> {
        let bytes = match self.data_type {
            "bytea" => "data",
            _ => "convert_to(data::text, 'UTF8')",
        };
        let rows = self.server.psql(&format!(
            "SELECT id, encode({bytes}, 'hex') FROM {}",
            self.name()
        ));
        rows.lines()
            .map(|line| {
                let (id, hex) = line.split_once('|').unwrap();
                Effect {
                    id: id.to_owned().into(),
                    payload: Self::bytes(hex),
                }
            })
            .collect()
    }

    fn form(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(payload).ok();
        match self.data_type {
            "bytea" => Some(payload.to_vec()),
            "text" => text
                .filter(|text| !text.contains('\0'))
                .map(|text| text.as_bytes().to_vec()),
            "json" => serde_json::from_slice::<&RawValue>(payload)
                .is_ok()
                .then(|| payload.to_vec()),
            // By value: the server says how it spells the document.
            _ => {
                serde_json::from_slice::<&RawValue>(payload).ok()?;
                let text = text.filter(|text| !text.contains("\\u0000"))?;
                let sql = format!(
                    "SELECT encode(convert_to(($doc${text}$doc$::jsonb)::text, 'UTF8'), 'hex')"
                );
                Some(Self::bytes(&self.server.psql(&sql)))
            }
        }
    }

    fn keeps_order(&self) -> bool {
        false
    }

    async fn restart(&mut self) -> bool {
        self.server.restart();
        true
    }
}

#[tokio::test]
async fn sink_postgres() {
    let mut table = Table {
        server: Postgres::start(),
        data_type: "",
        resets: 0,
    };
    for data_type in ["jsonb", "json", "text", "bytea"] {
        table.data_type = data_type;
        check_sink(&mut table).await;
    }
}
