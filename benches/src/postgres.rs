//! The PostgreSQL sink beside `psql \copy` of the same rows: an id and 1 KiB of `jsonb`, into a table with a primary key.
//!
//! The sink writes batches of the engine's default size, each in a transaction of its own with its token; `\copy` is one
//! statement in one transaction without any. Both tables must be equal in the end.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    time::Instant,
};

use anyhow::{Context as _, anyhow, bail, ensure};
use hermod_engine::DeliveryPlan;
use hermod_sdk::{
    Batch, Message, Operation, Record, SinkContext, SinkFactory, Tenure, Text, Token, Written,
    testkit::server::Postgres,
};
use serde_json::json;

use crate::{case::Case, pace::Pace, records::RECORD_BYTES, report::Report};

const PSQL: &str = "psql \\copy";

/// Runs the workload `copy`.
pub(crate) fn run(pace: &Pace, report: &mut Report) -> anyhow::Result<()> {
    let rows = pace.pick(50_000, 200_000);
    let dir = report.fresh_dir()?;
    let file = dir.path().canonicalize()?.join("rows.tsv");
    write_rows(&file, rows)?;
    let batches = batches(rows);
    let server = Postgres::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut case = Case::new("copy", "rows/s", PSQL);
    for _ in 0..pace.runs {
        server.psql(
            "DROP TABLE IF EXISTS theirs, ours, hermod_tokens; \
             CREATE TABLE theirs (id text PRIMARY KEY, data jsonb)",
        );
        server.psql("CHECKPOINT");
        let started = Instant::now();
        server.psql(&format!("\\copy theirs from '{}'", file.display()));
        case.sample(PSQL, rows as f64 / started.elapsed().as_secs_f64());
        server.psql("CHECKPOINT");
        let started = Instant::now();
        runtime.block_on(write(&*factory(&server)?, &batches))?;
        case.sample("hermod", rows as f64 / started.elapsed().as_secs_f64());
        let equal = "SELECT (SELECT count(*) FROM theirs JOIN ours USING (id, data)), \
                     (SELECT count(*) FROM ours)";
        let counts = server.psql(equal);
        ensure!(
            counts == format!("{rows}|{rows}"),
            "the tables differ: {counts} of {rows} rows"
        );
    }
    report.add(&case)
}

/// The sink as a document would configure it.
fn factory(server: &Postgres) -> anyhow::Result<std::sync::Arc<dyn SinkFactory>> {
    let entry = hermod_connectors::sink("postgres").context("there is no sink `postgres`")?;
    let config = json!({
        "connection_string": server.url(), "table": "ours", "sslmode": "disable",
    });
    entry
        .configure(&config)
        .map_err(|problems| anyhow!("{problems}"))
}

async fn write(factory: &dyn SinkFactory, batches: &[Batch]) -> anyhow::Result<()> {
    let text = Text::from_static;
    let context = SinkContext {
        workflow: text("bench"),
        sink: text("postgres"),
        stream: text("bench/1"),
        epoch: 1,
        tenure: Tenure::Owner,
    };
    let mut sink = factory.open(context).await?;
    for batch in batches {
        match sink.write(batch).await? {
            Written::All => {}
            Written::Each(outcomes) => bail!("not all was written: {:?}", outcomes.first()),
        }
    }
    sink.flush().await?;
    Ok(sink.close().await?)
}

/// Batches as the engine makes them by default.
fn batches(rows: usize) -> Vec<Batch> {
    let size = DeliveryPlan::default().batch.messages;
    let batch = |first: usize| {
        let record = |n: usize| {
            let message = Message::new(id(n), document(n)).with_operation(Operation::Create);
            Record {
                seq: n as u64,
                message,
            }
        };
        let records: Vec<_> = (first..rows.min(first + size)).map(record).collect();
        let token = Token {
            stream: Text::from_static("bench/1"),
            epoch: 1,
            first: first as u64,
            last: (first + records.len() - 1) as u64,
            position: None,
        };
        Batch { records, token }
    };
    (0..rows).step_by(size).map(batch).collect()
}

/// The same rows in the text format of `COPY`.
fn write_rows(file: &Path, rows: usize) -> anyhow::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    for n in 0..rows {
        writeln!(out, "{}\t{}", id(n), document(n))?;
    }
    Ok(out.flush()?)
}

/// Ids are not in the order of their numbers, as those of real messages are not.
fn id(n: usize) -> String {
    format!("{:016x}", (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn document(n: usize) -> String {
    let mut text = format!(r#"{{"n": {n}, "fill": ""#);
    // Letters that do not compress to nothing, or the server would store other bytes than it is sent.
    let mut letter = n as u64 + 1;
    while text.len() < RECORD_BYTES - 2 {
        letter = letter
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.push(char::from(b'a' + (letter >> 33) as u8 % 26));
    }
    text.push_str("\"}");
    text
}
