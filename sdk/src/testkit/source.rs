//! The contract of sources that are read.

use std::{sync::Arc, task::Poll, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::deadline::{CALL, CLOSE, Tasks, within};
use crate::{
    ErrorKind, Message, Policy, Position, Read, ReadLimit, Source, SourceBatch, SourceContext,
    SourceFactory,
};

/// The outside system of a source, in the hands of the suite.
#[async_trait]
pub trait SourceDriver: Send {
    /// Makes a fresh system that holds nothing, and a source that is configured for it.
    async fn reset(&mut self) -> Arc<dyn SourceFactory>;

    /// Makes `count` more records, which the source is to read in this order.
    async fn produce(&mut self, count: usize);

    /// Returns whether the source makes its records up: it has more of them than were produced.
    fn is_endless(&self) -> bool {
        false
    }

    /// Kills the outside system and brings it back with what it held. Returns whether there is such a system.
    async fn restart(&mut self) -> bool {
        false
    }
}

const LIMIT: ReadLimit = ReadLimit {
    messages: 1000,
    bytes: 16 << 20,
};

/// Generation of the positions in all checks.
const GENERATION: u64 = 7;

/// Checks the contract of a source.
///
/// # Panics
/// If something does not hold.
pub async fn check_source(driver: &mut dyn SourceDriver) {
    let tasks = Tasks::count();
    keeps_to_the_limit(driver).await;
    resumes_after_every_position_without_gap(driver).await;
    redelivers_what_was_not_acknowledged(driver).await;
    an_acknowledgement_implies_nothing_after_it(driver).await;
    positions_are_ordered(driver).await;
    a_position_that_cannot_be_read_is_corrupt(driver).await;
    a_dropped_read_loses_nothing(driver).await;
    waits_for_more_and_closes_while_it_does(driver).await;
    survives_a_restart_of_the_outside_system(driver).await;
    tasks.none_left("the source").await;
}

/// What tells messages apart.
type Seen = (String, Bytes);

fn seen(message: &Message) -> Seen {
    (message.id.to_string(), message.payload.bytes())
}

struct Opened {
    source: Box<dyn Source>,
    position: Option<Position>,
}

impl Opened {
    async fn at(factory: &dyn SourceFactory, position: Option<Position>) -> Self {
        // As the engine does it: what is opened was stored in between.
        let stored = position
            .as_ref()
            .map(|position| Bytes::from(position.to_bytes()));
        let position = stored.map(|bytes| {
            Position::from_bytes(&bytes).expect("an encoded position can be read back")
        });
        let opened = within(CALL, "`open`", factory.open(position.clone(), context())).await;
        Self {
            source: opened.unwrap_or_else(|error| panic!("`open` failed: {}", error.report())),
            position,
        }
    }

    /// Opens after an outage, as the engine does it: again and again.
    async fn again(
        factory: &dyn SourceFactory,
        position: Option<Position>,
        deadline: Instant,
    ) -> Self {
        loop {
            let opening = factory.open(position.clone(), context());
            match within(CALL, "`open`", opening).await {
                Ok(source) => return Self { source, position },
                Err(error) => {
                    let report = error.report();
                    assert_eq!(error.kind().policy(), Policy::Pause, "{report}");
                    assert!(
                        Instant::now() < deadline,
                        "the source does not come back: {report}"
                    );
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn batch(&mut self, limit: ReadLimit) -> SourceBatch {
        match within(CALL, "`read`", self.source.read(limit)).await {
            Ok(Read::Batch(batch)) => {
                self.position = Some(batch.position.clone());
                batch
            }
            Ok(Read::End) => panic!("the source ended before its last record"),
            Err(error) => panic!("`read` failed: {}", error.report()),
        }
    }

    /// Reads exactly `count` messages.
    async fn read(&mut self, count: usize, most: usize) -> Vec<Message> {
        let mut messages = Vec::new();
        while messages.len() < count {
            let limit = ReadLimit {
                messages: most.min(count - messages.len()),
                ..LIMIT
            };
            messages.extend(self.batch(limit).await.messages);
        }
        messages
    }

    async fn close(mut self) {
        let closed = within(CLOSE, "`close`", self.source.close()).await;
        closed.unwrap_or_else(|error| panic!("`close` failed: {}", error.report()));
    }
}

fn context() -> SourceContext {
    SourceContext {
        workflow: "suite".into(),
        source: "source".into(),
        generation: GENERATION,
    }
}

async fn keeps_to_the_limit(driver: &mut dyn SourceDriver) {
    let factory = driver.reset().await;
    within(CALL, "`probe`", factory.probe())
        .await
        .unwrap_or_else(|error| panic!("`probe` failed: {}", error.report()));
    driver.produce(20).await;
    let mut opened = Opened::at(&*factory, None).await;
    let limit = ReadLimit {
        messages: 3,
        ..LIMIT
    };
    let mut total = 0;
    while total < 18 {
        let batch = opened.batch(limit).await;
        let count = batch.messages.len();
        assert!(
            (1..=3).contains(&count),
            "a read of at most 3 brought {count} messages"
        );
        let last = batch
            .messages
            .last()
            .and_then(|last| last.position.as_ref());
        assert!(
            last.is_none_or(|last| *last == batch.position),
            "the batch's position is not that of its last message"
        );
        total += count;
    }
    let limit = ReadLimit {
        messages: 1000,
        bytes: 1,
    };
    let count = opened.batch(limit).await.messages.len();
    assert_eq!(count, 1, "one message alone may exceed the limit of bytes");
    opened.close().await;
}

async fn resumes_after_every_position_without_gap(driver: &mut dyn SourceDriver) {
    const COUNT: usize = 12;
    let factory = driver.reset().await;
    driver.produce(COUNT).await;
    let mut opened = Opened::at(&*factory, None).await;
    let messages = opened.read(COUNT, 5).await;
    opened.close().await;
    let all: Vec<Seen> = messages.iter().map(seen).collect();
    for (index, (id, _)) in all.iter().enumerate() {
        let is_first = all[..index].iter().all(|(other, _)| other != id);
        assert!(is_first, "id `{id}` stands for two messages");
    }
    for (index, message) in messages.iter().enumerate() {
        let Some(position) = &message.position else {
            continue;
        };
        assert_eq!(
            position.generation(),
            GENERATION,
            "a position has another generation than that of the opening"
        );
        if index + 1 == COUNT {
            continue;
        }
        let mut opened = Opened::at(&*factory, Some(position.clone())).await;
        let rest = opened.read(COUNT - index - 1, 4).await;
        opened.close().await;
        let rest: Vec<Seen> = rest.iter().map(seen).collect();
        assert_eq!(rest, all[index + 1..], "resumed after message {index}");
    }
}

async fn redelivers_what_was_not_acknowledged(driver: &mut dyn SourceDriver) {
    let factory = driver.reset().await;
    driver.produce(6).await;
    let mut all: Vec<Vec<Seen>> = Vec::new();
    for _ in 0..2 {
        let mut opened = Opened::at(&*factory, None).await;
        all.push(opened.read(6, 4).await.iter().map(seen).collect());
        opened.close().await;
    }
    assert_eq!(
        all[0], all[1],
        "what was read and not acknowledged comes again, as it was"
    );
}

async fn an_acknowledgement_implies_nothing_after_it(driver: &mut dyn SourceDriver) {
    let factory = driver.reset().await;
    driver.produce(8).await;
    let mut opened = Opened::at(&*factory, None).await;
    let messages = opened.read(8, 8).await;
    let all: Vec<Seen> = messages.iter().map(seen).collect();
    let Some((index, position)) = messages[..7]
        .iter()
        .enumerate()
        .filter_map(|(index, message)| Some((index, message.position.clone()?)))
        .nth(2)
    else {
        return opened.close().await;
    };
    let acknowledged = within(CALL, "`acknowledge`", opened.source.acknowledge(&position)).await;
    acknowledged.unwrap_or_else(|error| panic!("`acknowledge` failed: {}", error.report()));
    opened.close().await;
    let mut opened = Opened::at(&*factory, Some(position)).await;
    let rest = opened.read(8 - index - 1, 8).await;
    opened.close().await;
    let rest: Vec<Seen> = rest.iter().map(seen).collect();
    assert_eq!(
        rest,
        all[index + 1..],
        "acknowledged up to message {index} and resumed there"
    );
}

async fn positions_are_ordered(driver: &mut dyn SourceDriver) {
    let factory = driver.reset().await;
    driver.produce(5).await;
    let mut opened = Opened::at(&*factory, None).await;
    let messages = opened.read(5, 5).await;
    opened.close().await;
    let positions: Vec<_> = messages.iter().filter_map(|m| m.position.clone()).collect();
    for (index, position) in positions.iter().enumerate() {
        for (earlier, other) in positions.iter().enumerate() {
            let covers = factory.covers(position, other);
            let covers = covers.expect("positions of the source can be compared");
            assert_eq!(
                covers,
                index >= earlier,
                "position {index} covers position {earlier}: {covers}"
            );
        }
    }
}

async fn a_position_that_cannot_be_read_is_corrupt(driver: &mut dyn SourceDriver) {
    let factory = driver.reset().await;
    driver.produce(2).await;
    for body in [
        &b"{\"v\":60000,\"at\":{}}"[..],
        b"{\"v\":1,\"at\":\"x\"}",
        b"\xff",
    ] {
        let bytes = [&GENERATION.to_le_bytes()[..], body].concat();
        let position = Position::from_bytes(&Bytes::from(bytes)).expect("eight bytes and more");
        let opened = within(CALL, "`open`", factory.open(Some(position), context())).await;
        match opened.map(drop) {
            Ok(()) => panic!("a position that cannot be read is taken for another"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{}", error.report()),
        }
    }
}

async fn a_dropped_read_loses_nothing(driver: &mut dyn SourceDriver) {
    const COUNT: usize = 40;
    let factory = driver.reset().await;
    let mut opened = Opened::at(&*factory, None).await;
    let (mut found, mut produced) = (Vec::new(), 0);
    let deadline = Instant::now() + CALL;
    let mut looks = 0_usize;
    while found.len() < COUNT {
        assert!(
            Instant::now() < deadline,
            "{} of {COUNT} messages came",
            found.len()
        );
        let limit = ReadLimit {
            messages: 7.min(COUNT - found.len()),
            ..LIMIT
        };
        if let Some(batch) = poll_a_little(&mut *opened.source, limit, looks % 4).await {
            found.extend(batch.messages.iter().map(seen));
        }
        if looks.is_multiple_of(3) && produced < COUNT {
            driver.produce(4).await;
            produced += 4;
        }
        looks += 1;
    }
    opened.close().await;
    let mut opened = Opened::at(&*factory, None).await;
    let all = opened.read(COUNT, COUNT).await;
    opened.close().await;
    let all: Vec<Seen> = all.iter().map(seen).collect();
    assert_eq!(found, all, "read by futures that were dropped in between");
}

/// Polls a read a few times, with pauses, and drops it if it is not done.
async fn poll_a_little(
    source: &mut dyn Source,
    limit: ReadLimit,
    pauses: usize,
) -> Option<SourceBatch> {
    let mut read = source.read(limit);
    for pause in 0..=pauses {
        let polled = std::future::poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await;
        match polled {
            Poll::Ready(Ok(Read::Batch(batch))) => return Some(batch),
            Poll::Ready(Ok(Read::End)) => panic!("the source ended before its last record"),
            Poll::Ready(Err(error)) => panic!("`read` failed: {}", error.report()),
            Poll::Pending if pause < pauses => {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Poll::Pending => {}
        }
    }
    None
}

async fn waits_for_more_and_closes_while_it_does(driver: &mut dyn SourceDriver) {
    if driver.is_endless() {
        return;
    }
    let factory = driver.reset().await;
    driver.produce(3).await;
    let mut opened = Opened::at(&*factory, None).await;
    opened.read(3, 3).await;
    let dropped = tokio::time::timeout(Duration::from_millis(50), opened.source.read(LIMIT)).await;
    assert!(
        dropped.is_err(),
        "a read with nothing to return must wait: {dropped:?}"
    );
    driver.produce(1).await;
    let more = opened.batch(LIMIT).await.messages.len();
    assert_eq!(more, 1, "the record that was made meanwhile");
    let dropped = tokio::time::timeout(Duration::from_millis(50), opened.source.read(LIMIT)).await;
    assert!(
        dropped.is_err(),
        "a read with nothing to return must wait: {dropped:?}"
    );
    opened.close().await;
}

async fn survives_a_restart_of_the_outside_system(driver: &mut dyn SourceDriver) {
    const COUNT: usize = 10;
    let factory = driver.reset().await;
    driver.produce(COUNT / 2).await;
    let mut opened = Opened::at(&*factory, None).await;
    let mut found: Vec<Seen> = opened.read(2, 2).await.iter().map(seen).collect();
    if !driver.restart().await {
        return opened.close().await;
    }
    driver.produce(COUNT / 2).await;
    let deadline = Instant::now() + CALL;
    while found.len() < COUNT {
        assert!(
            Instant::now() < deadline,
            "{} of {COUNT} messages came",
            found.len()
        );
        match within(CALL, "`read`", opened.source.read(LIMIT)).await {
            Ok(Read::Batch(batch)) => {
                found.extend(batch.messages.iter().map(seen));
                opened.position = Some(batch.position);
            }
            Ok(Read::End) => panic!("the source ended because its other side went away"),
            Err(error) => {
                let pauses = error.kind().policy() == Policy::Pause;
                assert!(pauses, "an outage is a reason to pause: {}", error.report());
                drop(within(CLOSE, "`close`", opened.source.close()).await);
                opened = Opened::again(&*factory, opened.position, deadline).await;
            }
        }
    }
    opened.close().await;
    let mut opened = Opened::at(&*factory, None).await;
    let all = opened.read(COUNT, COUNT).await;
    opened.close().await;
    let all: Vec<Seen> = all.iter().map(seen).collect();
    assert_eq!(found, all, "read across a restart");
}

#[cfg(test)]
mod tests;
