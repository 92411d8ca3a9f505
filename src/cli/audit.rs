//! `hermod audit`: what was done by whom.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::ClientArguments;
use crate::{
    failure::{Exit, Failure},
    output::{self, cell, short},
};

const AFTER_HELP: &str = "\
Newest first. `--since` takes how long ago (`90s`, `2h`, `1d`), a day, or a moment in UTC.

Examples:
  hermod audit --since 1d
  hermod audit --user ann --action workflow.update --limit 20
  hermod audit --since 2026-11-25T08:00:00Z --output json";

/// Entries of a page, the most that the API gives.
const PAGE: u64 = 1000;

const DAY_MS: u64 = 86_400_000;

/// Show what was done on a server, and by whom
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    /// Only what was done since then
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    since: Option<u64>,
    /// Only by this person
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only this, for example `workflow.update`
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Most entries to show
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    limit: u64,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let client = arguments.client.client()?;
    let mut entries: Vec<Value> = Vec::new();
    let mut next = Value::Null;
    loop {
        let left = arguments.limit - entries.len() as u64;
        let mut page = client
            .ask(Method::GET, &["audit"])
            .query("limit", left.min(PAGE))
            .query_if("before", next.as_u64().as_ref())
            .query_if("from_ms", arguments.since.as_ref())
            .query_if("user", arguments.user.as_deref())
            .query_if("action", arguments.action.as_deref())
            .send()?
            .body;
        next = page["next"].take();
        if let Value::Array(data) = page["data"].take() {
            entries.extend(data);
        }
        if next.is_null() || entries.len() as u64 >= arguments.limit {
            break;
        }
    }
    let answer = json!({"data": entries, "next": next});
    arguments.client.print(&answer, print);
    Ok(Exit::Done)
}

fn print(answer: &Value) {
    let entries = answer["data"].as_array().into_iter().flatten();
    let rows: Vec<_> = entries
        .map(|entry| {
            let what = format!(
                "{}/{}",
                word(&entry["entity_kind"]),
                word(&entry["entity_id"])
            );
            [
                cell(&entry["at"]),
                cell(&entry["user"]),
                cell(&entry["action"]),
                short(&what, 60),
                short(&entry["details"].to_string(), 100),
            ]
        })
        .collect();
    output::table(["AT", "USER", "ACTION", "DONE TO", "DETAILS"], &rows);
    if !answer["next"].is_null() {
        output::line("there are more: --limit takes a higher number");
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Reads a moment, in milliseconds since 1970.
fn moment(text: &str) -> Result<u64, String> {
    if let Some(ago) = hermod_sdk::parse_duration(text) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        return Ok(now.saturating_sub(ago).as_millis() as u64);
    }
    utc(text).ok_or_else(|| {
        "give how long ago (`2h`), a day (`2026-11-25`) or a moment (`2026-11-25T08:00:00Z`)"
            .to_owned()
    })
}

/// Reads `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`.
fn utc(text: &str) -> Option<u64> {
    let (day, time) = match text.split_once('T') {
        Some((day, time)) => (day, time.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let [year, month, day] = numbers(day, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if leap { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    if year < 1970 || !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let years = (1970..year).map(|year| {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        if leap { 366 } else { 365 }
    });
    let months: u64 = lengths.iter().take(month as usize - 1).sum();
    let days = years.sum::<u64>() + months + day - 1;
    Some(days * DAY_MS + (hour * 3600 + minute * 60 + second) * 1000)
}

fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(between);
    let mut found = [0; 3];
    for (number, digits) in found.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits)?;
        let plain = part.bytes().all(|byte| byte.is_ascii_digit());
        *number = part.parse().ok().filter(|_| plain)?;
    }
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_they_are_written() {
        for ms in [
            0,
            951_782_399_000,
            951_782_400_000,
            1_795_593_600_000,
            4_102_444_799_000,
        ] {
            let text = hermod_api::rfc3339_ms(ms as i64);
            let whole = format!("{}Z", text.split(['.', 'Z']).next().unwrap());
            assert_eq!(utc(&whole), Some(ms), "{whole}");
        }
        assert_eq!(utc("1970-01-02"), Some(DAY_MS));
        for bad in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-1-1",
            "2026-01-01T00:00:00",
            "yesterday",
        ] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }
}
