//! How often a login may fail.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long failures count.
const WINDOW: Duration = Duration::from_mins(15);

/// Failures for one name from one address.
const OF_BOTH_MAX: u32 = 10;

/// Failures from one address, and for one name from wherever: higher, so that a stranger does not easily keep somebody
/// out, nor one behind a shared address all others.
const OF_ONE_MAX: u32 = 100;

/// Counters at a time (I9). A new one takes the place of the one that ends first.
const COUNTERS_MAX: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Counter {
    Both(IpAddr, String),
    Address(IpAddr),
    Name(String),
}

impl Counter {
    fn max(&self) -> u32 {
        match self {
            Self::Both(..) => OF_BOTH_MAX,
            Self::Address(_) | Self::Name(_) => OF_ONE_MAX,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Count {
    failures: u32,
    ends: Instant,
}

/// Counts failures. What proxies say of addresses is not believed: anybody could say it.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    counts: Mutex<HashMap<Counter, Count>>,
}

impl Attempts {
    /// Counts an attempt before it is made, so that many at once are not looked at all before one counts; returns how
    /// long to wait where there were too many.
    pub(crate) fn begin(&self, address: IpAddr, name: &str) -> Result<(), Duration> {
        self.begin_at(Instant::now(), address, name)
    }

    fn begin_at(&self, now: Instant, address: IpAddr, name: &str) -> Result<(), Duration> {
        let mut counts = self.counts();
        let counters = counters(address, name);
        let over = counters.iter().filter_map(|counter| {
            let count = counts.get(counter).filter(|count| now < count.ends)?;
            (count.failures >= counter.max()).then(|| count.ends - now)
        });
        if let Some(wait) = over.max() {
            return Err(wait);
        }
        for counter in counters {
            if !counts.contains_key(&counter) && counts.len() >= COUNTERS_MAX {
                make_room(&mut counts, now);
            }
            let fresh = Count {
                failures: 0,
                ends: now + WINDOW,
            };
            let count = counts.entry(counter).or_insert(fresh);
            if count.ends <= now {
                *count = fresh;
            }
            count.failures += 1;
        }
        Ok(())
    }

    /// Forgets the attempt, and those before it for the same name from the same address: it has succeeded.
    pub(crate) fn succeeded(&self, address: IpAddr, name: &str) {
        let mut counts = self.counts();
        for counter in counters(address, name) {
            if matches!(counter, Counter::Both(..)) {
                counts.remove(&counter);
            } else if let Some(count) = counts.get_mut(&counter) {
                count.failures = count.failures.saturating_sub(1);
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Counter, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn counters(address: IpAddr, name: &str) -> [Counter; 3] {
    // One machine has a whole network of 64 bit at will.
    let address = match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    };
    // Names come from strangers; a long one is nobody's.
    let name = name.chars().take(64).collect::<String>();
    [
        Counter::Both(address, name.clone()),
        Counter::Address(address),
        Counter::Name(name),
    ]
}

fn make_room(counts: &mut HashMap<Counter, Count>, now: Instant) {
    counts.retain(|_, count| now < count.ends);
    while counts.len() >= COUNTERS_MAX {
        let first = counts.iter().min_by_key(|(_, count)| count.ends);
        let Some(first) = first.map(|(counter, _)| counter.clone()) else {
            return;
        };
        counts.remove(&first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn failures_are_counted_for_a_while() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..OF_BOTH_MAX {
            attempts.begin_at(now, HERE, "ann").unwrap();
        }
        let wait = attempts.begin_at(now, HERE, "ann").unwrap_err();
        assert_eq!(wait, WINDOW);
        attempts.begin_at(now, HERE, "bob").unwrap();
        attempts.begin_at(now + wait, HERE, "ann").unwrap();
    }

    #[test]
    fn a_success_forgets() {
        let attempts = Attempts::default();
        for _ in 0..=OF_ONE_MAX {
            attempts.begin(HERE, "ann").unwrap();
            attempts.succeeded(HERE, "ann");
        }
    }

    #[test]
    fn i9_the_table_of_attempts_is_bounded() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..(COUNTERS_MAX as u128 / 3 + 10) {
            let address = IpAddr::V6((number << 64).into());
            attempts
                .begin_at(now, address, &number.to_string())
                .unwrap();
        }
        assert_eq!(attempts.counts().len(), COUNTERS_MAX);
    }
}
