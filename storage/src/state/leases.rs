//! Leases (I5).

use bytestring::ByteString;

use crate::{
    Answer, Event, Grant, Lease, Owner, Refusal,
    limits::{LEASES_MAX, NAME_BYTES_MAX, TTL_MS_MAX, TTL_MS_MIN},
};

use super::{invalid, rows::Rows};

pub(super) fn acquire<R: Rows>(
    rows: &mut R,
    name: &ByteString,
    owner: &Owner,
    ttl_ms: u64,
    events: &mut Vec<Event>,
) -> Result<Answer, Refusal> {
    check_ttl(ttl_ms)?;
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(invalid(format!(
            "the name of a lease takes 1 to {NAME_BYTES_MAX} bytes"
        )));
    }
    let now_ms = rows.counters().now_ms;
    let row = rows.lease(name);
    if row.is_none() && rows.lease_count() >= LEASES_MAX {
        let what = ByteString::from_static("the table of leases");
        return Err(Refusal::Full { what });
    }
    let mut stolen_from = None;
    if let Some(row) = row {
        if let Some(holder) = row.live_owner(now_ms) {
            // Who holds the directory's lock has the highest start: an older process of the same node is gone.
            let own = holder.node == owner.node && holder.start <= owner.start;
            if !own {
                return Err(Refusal::Held(row.clone()));
            }
        } else if row.owner.is_some() && row.node != owner.node {
            stolen_from = Some(row.node);
        }
    }
    // Also above the clock, so that a store that was set up anew does not begin again below what sinks remember.
    let epoch = row.map_or(1, |row| row.epoch + 1).max(now_ms);
    let since = row
        .filter(|row| row.node == owner.node)
        .map_or(epoch, |row| row.since);
    let until_ms = now_ms + ttl_ms;
    let row = Lease {
        name: name.clone(),
        owner: Some(owner.clone()),
        node: owner.node,
        epoch,
        until_ms,
        since,
    };
    rows.put_lease(row);
    events.push(Event::Lease { name: name.clone() });
    Ok(Answer::Granted(Grant {
        epoch,
        since,
        until_ms,
        stolen_from,
    }))
}

pub(super) fn renew<R: Rows>(
    rows: &mut R,
    name: &ByteString,
    owner: &Owner,
    epoch: u64,
    ttl_ms: u64,
) -> Result<Answer, Refusal> {
    check_ttl(ttl_ms)?;
    let now_ms = rows.counters().now_ms;
    let Some(row) = held(rows, name, owner, epoch) else {
        let epoch = rows.lease(name).map_or(0, |row| row.epoch);
        let lease = name.clone();
        return Err(Refusal::Stale { lease, epoch });
    };
    // One that has run out and that nobody has taken is still its owner's: the epoch says so.
    let until_ms = row.until_ms.max(now_ms + ttl_ms);
    let row = Lease {
        until_ms,
        ..row.clone()
    };
    rows.put_lease(row);
    Ok(Answer::Renewed { until_ms })
}

pub(super) fn release<R: Rows>(
    rows: &mut R,
    name: &ByteString,
    owner: &Owner,
    epoch: u64,
    events: &mut Vec<Event>,
) -> Answer {
    let now_ms = rows.counters().now_ms;
    if let Some(row) = held(rows, name, owner, epoch) {
        let row = Lease {
            owner: None,
            until_ms: now_ms,
            ..row.clone()
        };
        rows.put_lease(row);
        events.push(Event::Lease { name: name.clone() });
    }
    Answer::Released
}

fn held<'a, R: Rows>(
    rows: &'a R,
    name: &ByteString,
    owner: &Owner,
    epoch: u64,
) -> Option<&'a Lease> {
    rows.lease(name)
        .filter(|row| row.owner.as_ref() == Some(owner) && row.epoch == epoch)
}
fn check_ttl(ttl_ms: u64) -> Result<(), Refusal> {
    if (TTL_MS_MIN..=TTL_MS_MAX).contains(&ttl_ms) {
        Ok(())
    } else {
        Err(invalid(format!(
            "a lease lasts {TTL_MS_MIN} to {TTL_MS_MAX} ms, not {ttl_ms}"
        )))
    }
}
