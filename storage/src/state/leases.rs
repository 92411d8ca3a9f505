//! Leases (I5).

use bytestring::ByteString;

use crate::{
    Answer, Event, Grant, Lease, Owner, Refusal,
    limits::{LEASES_MAX, NAME_BYTES_MAX, TTL_MS_MAX, TTL_MS_MIN},
};

use super::{State, invalid};

impl State {
    pub(super) fn acquire(
        &mut self,
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
        let row = self.leases.get(name);
        if row.is_none() && self.leases.size() >= LEASES_MAX {
            let what = ByteString::from_static("the table of leases");
            return Err(Refusal::Full { what });
        }
        let mut stolen_from = None;
        if let Some(row) = row {
            if let Some(holder) = row.live_owner(self.now_ms) {
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
        let epoch = row.map_or(1, |row| row.epoch + 1).max(self.now_ms);
        let since = row
            .filter(|row| row.node == owner.node)
            .map_or(epoch, |row| row.since);
        let until_ms = self.now_ms + ttl_ms;
        let row = Lease {
            name: name.clone(),
            owner: Some(owner.clone()),
            node: owner.node,
            epoch,
            until_ms,
            since,
        };
        self.leases.insert_mut(name.clone(), row);
        events.push(Event::Lease { name: name.clone() });
        Ok(Answer::Granted(Grant {
            epoch,
            since,
            until_ms,
            stolen_from,
        }))
    }

    pub(super) fn renew(
        &mut self,
        name: &ByteString,
        owner: &Owner,
        epoch: u64,
        ttl_ms: u64,
    ) -> Result<Answer, Refusal> {
        check_ttl(ttl_ms)?;
        let Some(row) = self.held(name, owner, epoch) else {
            let epoch = self.leases.get(name).map_or(0, |row| row.epoch);
            let lease = name.clone();
            return Err(Refusal::Stale { lease, epoch });
        };
        // One that has run out and that nobody has taken is still its owner's: the epoch says so.
        let until_ms = row.until_ms.max(self.now_ms + ttl_ms);
        let row = Lease {
            until_ms,
            ..row.clone()
        };
        self.leases.insert_mut(name.clone(), row);
        Ok(Answer::Renewed { until_ms })
    }

    pub(super) fn release(
        &mut self,
        name: &ByteString,
        owner: &Owner,
        epoch: u64,
        events: &mut Vec<Event>,
    ) -> Answer {
        if let Some(row) = self.held(name, owner, epoch) {
            let row = Lease {
                owner: None,
                until_ms: self.now_ms,
                ..row.clone()
            };
            self.leases.insert_mut(name.clone(), row);
            events.push(Event::Lease { name: name.clone() });
        }
        Answer::Released
    }

    fn held(&self, name: &ByteString, owner: &Owner, epoch: u64) -> Option<&Lease> {
        self.leases
            .get(name)
            .filter(|row| row.owner.as_ref() == Some(owner) && row.epoch == epoch)
    }
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
