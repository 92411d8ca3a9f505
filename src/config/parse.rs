//! Values from text.

use std::{net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use hermod_sdk::Secret;
use tracing_subscriber::EnvFilter;

use super::{GrpcPort, LogFormat, Sync};

#[expect(clippy::unnecessary_wraps, reason = "all parsers have one shape")]
pub(super) fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("a path is needed".to_owned());
    }
    Ok(PathBuf::from(text))
}

/// A directory; without a name the usual one, if it is there.
#[expect(clippy::unnecessary_wraps, reason = "all parsers have one shape")]
pub(super) fn directory(text: &str) -> Result<Option<PathBuf>, String> {
    const USUAL: &str = "workflows";
    if text.is_empty() {
        let usual = PathBuf::from(USUAL);
        return Ok(usual.is_dir().then_some(usual));
    }
    Ok(Some(PathBuf::from(text)))
}

#[expect(clippy::unnecessary_wraps, reason = "all parsers have one shape")]
pub(super) fn optional_path(text: &str) -> Result<Option<PathBuf>, String> {
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}

#[expect(clippy::unnecessary_wraps, reason = "all parsers have one shape")]
pub(super) fn optional_text(text: &str) -> Result<Option<String>, String> {
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

#[expect(clippy::unnecessary_wraps, reason = "all parsers have one shape")]
pub(super) fn optional_secret(text: &str) -> Result<Option<Secret>, String> {
    Ok((!text.is_empty()).then(|| Secret::new(text)))
}

pub(super) fn optional_number(text: &str) -> Result<Option<u64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    number(text).map(Some)
}

pub(super) fn grpc_port(text: &str) -> Result<GrpcPort, String> {
    match text {
        "" => Ok(GrpcPort::Usual),
        "off" => Ok(GrpcPort::Off),
        _ => number(text).map(GrpcPort::Is),
    }
}

pub(super) fn optional_endpoint(text: &str) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    endpoint(text).map(Some)
}

fn endpoint(text: &str) -> Result<String, String> {
    let port = text
        .rsplit_once(':')
        .map(|(host, port)| (host.is_empty(), port.parse::<u16>()));
    match port {
        Some((false, Ok(_))) => Ok(text.to_owned()),
        _ => Err("an address with a port is needed, such as 10.0.0.1:7400".to_owned()),
    }
}

pub(super) fn node_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.len() > 63 || !text.chars().all(fits) {
        return Err("a name of at most 63 letters, digits, `-`, `_` and `.` is needed".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn peers(text: &str) -> Result<Vec<(String, String)>, String> {
    let items = text
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    let peers = items.map(|item| {
        let (name, address) = item
            .split_once('=')
            .ok_or_else(|| format!("`{item}`: name=host:port is needed"))?;
        let said = |fault| format!("`{item}`: {fault}");
        let name = node_name(name.trim()).map_err(said)?;
        Ok((name, endpoint(address.trim()).map_err(said)?))
    });
    peers.collect()
}

pub(super) fn milliseconds(text: &str) -> Result<Duration, String> {
    number(text).map(Duration::from_millis)
}

/// With less, a lease would end while a busy disk or a leader's change holds up its renewal.
const LEASE_TTL_MIN: Duration = Duration::from_secs(8);

pub(super) fn lease_ttl(text: &str) -> Result<Duration, String> {
    let ttl = duration(text)?;
    if ttl < LEASE_TTL_MIN || ttl > Duration::from_hours(1) {
        return Err("8s to 1h are possible".to_owned());
    }
    Ok(ttl)
}

pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| {
        "an address without a port is needed, such as 127.0.0.1; the port is the key `port`"
            .to_owned()
    })
}

pub(super) fn number<T: FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error| format!("a number is needed: {error}"))
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    match number(text)? {
        0 => Err("must be at least 1".to_owned()),
        count => Ok(count),
    }
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" | "" => Ok(false),
        _ => Err("`true` or `false` is needed".to_owned()),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "all parsers have one shape")]
pub(super) fn list(text: &str) -> Result<Vec<String>, String> {
    let items = text
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    Ok(items.map(str::to_owned).collect())
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    hermod_sdk::parse_duration(text).ok_or_else(|| {
        "a time with its unit is needed, such as 250ms, 30s, 1m30s or 1h; the larger unit first"
            .to_owned()
    })
}

/// With less, a batch of messages would hardly fit into a segment, which takes an eighth of it.
const QUOTA_BYTES_MIN: u64 = 16 << 20;

/// A size with a unit; 0 is no limit.
pub(super) fn quota(text: &str) -> Result<Option<u64>, String> {
    let fault = || "a size is needed, such as 500MiB or 20GiB, or 0 for no limit".to_owned();
    let (digits, unit) = split(text);
    let number: u64 = digits.parse().map_err(|_| fault())?;
    let factor: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(fault()),
    };
    let bytes = number.checked_mul(factor).ok_or_else(fault)?;
    if (1..QUOTA_BYTES_MIN).contains(&bytes) {
        return Err("at least 16MiB are needed, or 0 for no limit".to_owned());
    }
    Ok((bytes > 0).then_some(bytes))
}

fn split(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = text.split_at(digits);
    (digits, unit.trim())
}

pub(super) fn sync(text: &str) -> Result<Sync, String> {
    match text {
        "always" => Ok(Sync::Always),
        "os" => Ok(Sync::Os),
        _ => match duration(text) {
            Ok(every) if !every.is_zero() => Ok(Sync::Interval(every)),
            _ => Err("`always`, `os`, or an interval such as 100ms is needed".to_owned()),
        },
    }
}

pub(super) fn filter(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("a level or a filter is needed: {error}")),
    }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("`auto`, `text` or `json` is needed".to_owned()),
    }
}
