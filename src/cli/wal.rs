//! `hermod wal`: looks at the data log without changing it.

use std::path::Path;

use clap::{Args, Subcommand};
use hermod_api::Code;
use hermod_wal::{Damage, Inspection, OpenError, Verification};
use serde_json::{Value, json};

use super::OutputArguments;
use crate::{
    config::Config,
    damage,
    data_dir::{self, log_of},
    failure::{Exit, Failure},
    output::{self, Form},
};

const AFTER_HELP: &str = "\
Both commands only read, and need no lock; beside a running node the answer may mix two moments.
Exit code: 0 without damage, 1 with damage, 2 if there is no log.

Examples:
  hermod wal inspect
  hermod wal verify --data-dir /var/lib/hermod --output json";

/// Look at the data log without changing it
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show segments, streams and registers, as the next opening would find them
    Inspect {
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Read and check every byte, and name what is damaged
    Verify {
        #[command(flatten)]
        output: OutputArguments,
    },
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> Result<Exit, Failure> {
    data_dir::check(&config.data_dir)?;
    let directory = log_of(&config.data_dir);
    let found = match &arguments.action {
        Action::Inspect { output } => {
            let found =
                hermod_wal::inspect(&directory).map_err(|error| unreadable(&directory, &error))?;
            match output.output {
                Form::Json => output::json(&inspection_json(&found)),
                Form::Table => print_inspection(&found),
            }
            found.damage
        }
        Action::Verify { output } => {
            let found =
                hermod_wal::verify(&directory).map_err(|error| unreadable(&directory, &error))?;
            match output.output {
                Form::Json => output::json(&verification_json(&found)),
                Form::Table => print_verification(&found),
            }
            found.damage
        }
    };
    if found.is_empty() {
        return Ok(Exit::Done);
    }
    let message = format!("data log `{}` is damaged", directory.display());
    let details = found.iter().map(damage::detail).collect();
    Err(Failure::new(Code::LogDamaged, message).with_details(details))
}

fn unreadable(directory: &Path, error: &OpenError) -> Failure {
    match error {
        OpenError::NewerFormat { .. } => Failure::new(Code::DirectoryNewer, error),
        OpenError::Missing { .. } => {
            let message = format!("there is no data log in `{}`", directory.display());
            Failure::new(Code::DirectoryUnusable, message)
        }
        _ => Failure::new(Code::Log, error),
    }
}

fn print_inspection(found: &Inspection) {
    print_head(found);
    let rows: Vec<_> = found
        .segments
        .iter()
        .map(|segment| {
            let state = match (segment.readable, segment.table_readable) {
                (true, true) => "ok",
                (true, false) => "table unreadable",
                (false, _) => "header unreadable",
            };
            [
                segment.number.to_string(),
                segment.bytes.to_string(),
                segment.table_bytes.to_string(),
                segment.first_batch.to_string(),
                state.to_owned(),
            ]
        })
        .collect();
    output::line("");
    output::table(
        ["SEGMENT", "BYTES", "TABLE BYTES", "FIRST BATCH", "STATE"],
        &rows,
    );
    print_streams(found);
    let rows: Vec<_> = found
        .registers
        .iter()
        .map(|(name, bytes)| [name.clone(), bytes.to_string()])
        .collect();
    output::line("");
    output::table(["REGISTER", "BYTES"], &rows);
}

fn print_verification(found: &Verification) {
    print_head(&found.inspection);
    output::line(format!(
        "{} batches with {} records were read",
        found.batches, found.records
    ));
    print_streams(&found.inspection);
    let verdict = if found.healthy {
        "no damage"
    } else {
        "damaged, see below"
    };
    output::line(format!("\n{verdict}"));
}

fn print_head(found: &Inspection) {
    output::line(format!(
        "data log {} (format {})",
        found.dir.display(),
        found.format
    ));
    let end = if found.clean {
        "closed cleanly"
    } else {
        "not closed cleanly, or in use"
    };
    output::line(format!(
        "{} segments, {} spare files of {} bytes, {end}, {} torn bytes at the end",
        found.segments.len(),
        found.spares,
        found.spare_bytes,
        found.torn_bytes,
    ));
}

fn print_streams(found: &Inspection) {
    let rows: Vec<_> = found
        .streams
        .iter()
        .map(|stream| {
            [
                stream.name.clone(),
                stream.first.0.to_string(),
                stream.next.0.to_string(),
                stream.records.to_string(),
                stream
                    .bytes
                    .map_or_else(|| "–".to_owned(), |bytes| bytes.to_string()),
            ]
        })
        .collect();
    output::line("");
    output::table(["STREAM", "FIRST", "NEXT", "RECORDS", "BYTES"], &rows);
}

fn inspection_json(found: &Inspection) -> Value {
    let segments: Vec<_> = found
        .segments
        .iter()
        .map(|segment| {
            json!({
                "number": segment.number,
                "bytes": segment.bytes,
                // A header that cannot be read tells neither.
                "table_bytes": segment.readable.then_some(segment.table_bytes),
                "first_batch": segment.readable.then_some(segment.first_batch),
                "readable": segment.readable,
                "table_readable": segment.table_readable,
            })
        })
        .collect();
    let streams: Vec<_> = found
        .streams
        .iter()
        .map(|stream| {
            json!({
                "name": stream.name,
                "first": stream.first.0,
                "next": stream.next.0,
                "records": stream.records,
                "bytes": stream.bytes,
            })
        })
        .collect();
    let registers: Vec<_> = found
        .registers
        .iter()
        .map(|(name, bytes)| json!({"name": name, "bytes": bytes}))
        .collect();
    json!({
        "dir": path_text(&found.dir),
        "format": found.format,
        "clean": found.clean,
        "torn_bytes": found.torn_bytes,
        "spares": found.spares,
        "spare_bytes": found.spare_bytes,
        "segments": segments,
        "streams": streams,
        "registers": registers,
        "damage": damage_json(&found.damage),
    })
}

fn verification_json(found: &Verification) -> Value {
    let mut json = inspection_json(&found.inspection);
    json["batches"] = found.batches.into();
    json["records"] = found.records.into();
    json["healthy"] = found.healthy.into();
    json["damage"] = damage_json(&found.damage);
    json
}

fn damage_json(damage: &[Damage]) -> Value {
    damage.iter().map(damage::value).collect()
}

fn path_text(path: &Path) -> String {
    path.display().to_string()
}
