//! Embeds an engine: a source and a sink of its own, a buffer on disk, a graceful stop.
//!
//! Run it with `cargo run --example embed`, or with a directory for the buffer as its argument.

use std::{path::PathBuf, time::Duration};

use hermod::{
    Batch, Buffer, Config, ConnectorError, Ended, Engine, Message, Position, Read, ReadLimit, Sink,
    Source, SourceBatch, TypedPosition, Written, async_trait,
};
use serde::{Deserialize, Serialize};

/// Where the source stands: how many greetings it has given.
#[derive(Serialize, Deserialize)]
struct Given(usize);

impl TypedPosition for Given {
    const VERSION: u16 = 1;

    fn covers(&self, other: &Self) -> bool {
        self.0 >= other.0
    }
}

/// A source of three messages.
struct Greetings {
    generation: u64,
    given: usize,
}

#[async_trait]
impl Source for Greetings {
    async fn read(&mut self, _limit: ReadLimit) -> Result<Read, ConnectorError> {
        let Some(name) = ["Ada", "Grace", "Radia"].get(self.given) else {
            return Ok(Read::End);
        };
        self.given += 1;
        // The id is the same whenever this message is read again.
        let id = format!("greeting-{}", self.given);
        let position = Position::encode(self.generation, &Given(self.given));
        let message =
            Message::new(id, format!(r#"{{"hello": "{name}"}}"#)).with_position(position.clone());
        Ok(Read::Batch(SourceBatch {
            messages: vec![message],
            position,
        }))
    }

    async fn acknowledge(&mut self, _position: &Position) -> Result<(), ConnectorError> {
        Ok(()) // A database would be told here that it may forget what was read.
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
}

/// A sink that prints.
struct Screen;

#[async_trait]
impl Sink for Screen {
    #[expect(clippy::print_stdout, reason = "printing is what this sink is for")]
    async fn write(&mut self, batch: &Batch) -> Result<Written, ConnectorError> {
        for record in &batch.records {
            let message = &record.message;
            println!(
                "{} {}",
                message.id,
                String::from_utf8_lossy(&message.payload.bytes())
            );
        }
        Ok(Written::All)
    }

    async fn flush(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }

    async fn close(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Logs go wherever the process wants them.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let directory = std::env::args_os().nth(1).map_or_else(
        || std::env::temp_dir().join(format!("hermod-embed-{}", std::process::id())),
        PathBuf::from,
    );

    let running = Engine::new("greetings")
        // Called again with the last position after a failure, and in the next run of the process.
        .source_with(|position: Option<Position>, cx| async move {
            let given = match position {
                Some(position) => position.decode::<Given>()?.0,
                None => 0,
            };
            Ok(Greetings {
                generation: cx.generation,
                given,
            })
        })
        .sink("screen", Screen)
        .buffer(Buffer::file(directory))
        .config(Config {
            max_retries: 5,
            retry_interval: Duration::from_millis(200),
            ..Config::default()
        })
        .start()
        .await?;

    // A service would wait for a signal here; this source comes to its end by itself.
    if let Ended::Failed { error } = running.ended().await {
        return Err(error.into());
    }
    let drained = running.stop(Duration::from_secs(10)).await;
    tracing::info!(undelivered = drained.undelivered, "stopped");
    Ok(())
}
