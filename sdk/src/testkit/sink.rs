//! The contract of sinks.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

use super::deadline::{CALL, CLOSE, Tasks, within};
use crate::{
    Batch, ConnectorError, ErrorKind, Message, Outcome, Record, Repeats, Sink, SinkContext,
    SinkFactory, Tenure, Text, Token, Written,
};

/// The outside system of a sink, in the hands of the suite.
#[async_trait]
pub trait SinkDriver: Send {
    /// Makes a fresh target that holds nothing, and a sink that is configured for it.
    async fn reset(&mut self) -> Arc<dyn SinkFactory>;

    /// Reads back what the target holds, in the order in which it was written, or by id where the target
    /// keeps no order.
    async fn effects(&mut self) -> Vec<Effect>;

    /// Returns the form in which a payload comes out of the target; nothing if the sink must reject it.
    fn form(&self, payload: &[u8]) -> Option<Vec<u8>> {
        Some(payload.to_vec())
    }

    /// Returns whether the target keeps the order of what was written.
    fn keeps_order(&self) -> bool {
        true
    }

    /// Kills the outside system and brings it back with what it had on stable storage. Returns whether there
    /// is such a system.
    async fn restart(&mut self) -> bool {
        false
    }
}

/// What a write has left in the target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Effect {
    /// Id of the message, where the target holds it; else empty.
    pub id: Text,
    /// The payload as the target holds it.
    pub payload: Vec<u8>,
}

/// Checks the contract of a sink.
///
/// # Panics
/// If something does not hold.
pub async fn check_sink(driver: &mut dyn SinkDriver) {
    let tasks = Tasks::count();
    writes_all_of_it_in_order(driver).await;
    values_come_out_as_they_went_in(driver).await;
    a_rejected_message_rejects_only_itself(driver).await;
    a_repeated_batch_leaves_what_is_claimed(driver).await;
    what_is_reported_written_is_there_after_a_restart(driver).await;
    a_stale_owner_is_refused_where_that_is_claimed(driver).await;
    tasks.none_left("the sink").await;
}

/// Payloads that software with a weak spot spoils.
const PAYLOADS: &[&[u8]] = &[
    br#"{"integer":9007199254740993,"more":123456789012345678901234567890,"min":-9223372036854775808}"#,
    br#"{"decimal":0.10,"long":3.141592653589793238462643383279,"exponent":1e400,"zero":-0.0}"#,
    br#"{"null":null,"true":true,"false":false,"empty":"","list":[],"object":{}}"#,
    r#"{"unicode":"Århus 東京 👩‍🚀 é é \u0000","ключ":"\ud83d\ude80","quotes":"\"\\/"}"#.as_bytes(),
    br#"{"z":1,"a":2,"m":{"z":1,"a":2}}"#,
    br#"{"deep":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{"a":[1]}]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}"#,
    b"[1,2,3]",
    b"17",
    b"text that is no JSON, with 'quotes', \"more\", ; and \\ and \t",
    b"several\nlines\r\nof text",
    b"{ \"white\" : \"space\" ,\n\t\"lines\" : [ 1 ,\r\n 2 ] }",
    b"\x00\x01\xfe\xff\x80binary",
    b"",
];

fn context(epoch: u64) -> SinkContext {
    SinkContext {
        workflow: "suite".into(),
        sink: "sink".into(),
        stream: "suite/1".into(),
        epoch,
        tenure: Tenure::Owner,
    }
}

fn message(number: u64) -> Message {
    let payload = format!("{{\"number\":{number},\"text\":\"message {number}\"}}");
    Message::new(Text::from(format!("id-{number:04}")), payload)
        .with_key(format!("key-{}", number % 3))
        .with_table("suite")
}

fn batch(first: u64, messages: impl IntoIterator<Item = Message>) -> Batch {
    let records: Vec<Record> = messages
        .into_iter()
        .zip(first..)
        .map(|(message, seq)| Record { seq, message })
        .collect();
    let token = Token {
        stream: "suite/1".into(),
        epoch: 1,
        first,
        last: first + records.len() as u64 - 1,
        position: None,
    };
    Batch { records, token }
}

fn numbered(range: std::ops::Range<u64>) -> Batch {
    batch(range.start, range.map(message))
}

async fn open(factory: &dyn SinkFactory, epoch: u64) -> Box<dyn Sink> {
    within(CALL, "`open`", factory.open(context(epoch)))
        .await
        .unwrap_or_else(|error| panic!("`open` failed: {}", error.report()))
}

async fn close(mut sink: Box<dyn Sink>) {
    within(CALL, "`flush`", sink.flush())
        .await
        .unwrap_or_else(|error| panic!("`flush` failed: {}", error.report()));
    within(CLOSE, "`close`", sink.close())
        .await
        .unwrap_or_else(|error| panic!("`close` failed: {}", error.report()));
}

/// Writes a batch as the engine does: what is to be tried again behind a rejected message is sent again.
async fn write(sink: &mut dyn Sink, batch: &Batch) -> Vec<Outcome> {
    let mut outcomes = write_once(sink, batch).await;
    while outcomes
        .iter()
        .any(|outcome| matches!(outcome, Outcome::Retry { .. }))
    {
        let is_left = |outcome: &Outcome| matches!(outcome, Outcome::Retry { .. });
        let mut rest = batch.clone();
        let mut left = outcomes.iter();
        rest.records.retain(|_| left.next().is_some_and(is_left));
        rest.token.first = rest.records.first().map_or(0, |record| record.seq);
        let again = write_once(sink, &rest).await;
        if again.iter().all(is_left) {
            break;
        }
        let left = outcomes.iter_mut().filter(|outcome| is_left(outcome));
        for (outcome, again) in left.zip(again) {
            *outcome = again;
        }
    }
    outcomes
}

async fn write_once(sink: &mut dyn Sink, batch: &Batch) -> Vec<Outcome> {
    let written = within(CALL, "`write`", sink.write(batch))
        .await
        .unwrap_or_else(|error| panic!("`write` failed: {}", error.report()));
    match written {
        Written::All => vec![Outcome::Written; batch.records.len()],
        Written::Each(outcomes) => {
            let (asked, answered) = (batch.records.len(), outcomes.len());
            assert_eq!(
                answered, asked,
                "a batch of {asked} has {answered} outcomes"
            );
            outcomes
        }
    }
}

async fn write_all(sink: &mut dyn Sink, batch: &Batch) {
    for (record, outcome) in batch.records.iter().zip(write(sink, batch).await) {
        assert_eq!(outcome, Outcome::Written, "message `{}`", record.message.id);
    }
}

/// What the target should hold of messages, as the driver would tell it.
fn expected(driver: &dyn SinkDriver, messages: &[Message], has_ids: bool) -> Vec<Effect> {
    messages
        .iter()
        .filter_map(|message| {
            Some(Effect {
                id: if has_ids {
                    message.id.clone()
                } else {
                    Text::new()
                },
                payload: driver.form(&message.payload.bytes())?,
            })
        })
        .collect()
}

/// Compares what the target holds with what was written, each message exactly once.
async fn assert_holds(driver: &mut dyn SinkDriver, messages: &[Message], what: &str) {
    let mut found = driver.effects().await;
    let has_ids = found.iter().any(|effect| !effect.id.is_empty());
    let mut expected = expected(driver, messages, has_ids);
    if !driver.keeps_order() {
        found.sort();
        expected.sort();
    }
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let show = |effect: &Effect| String::from_utf8_lossy(&effect.payload).into_owned();
        assert_eq!(show(found), show(expected), "{what}: effect {index}");
        assert_eq!(found, expected, "{what}: effect {index}");
    }
    assert_eq!(
        found.len(),
        expected.len(),
        "{what}: how many effects there are"
    );
}

fn messages_of(batches: &[&Batch]) -> Vec<Message> {
    let records = batches.iter().flat_map(|batch| &batch.records);
    records.map(|record| record.message.clone()).collect()
}

async fn writes_all_of_it_in_order(driver: &mut dyn SinkDriver) {
    let factory = driver.reset().await;
    within(CALL, "`probe`", factory.probe())
        .await
        .unwrap_or_else(|error| panic!("`probe` failed: {}", error.report()));
    let mut sink = open(&*factory, 1).await;
    let batches = [numbered(0..1), numbered(1..40), numbered(40..43)];
    for batch in &batches {
        write_all(&mut *sink, batch).await;
    }
    close(sink).await;
    let [one, two, three] = &batches;
    assert_holds(driver, &messages_of(&[one, two, three]), "three batches").await;
    let mut sink = open(&*factory, 1).await;
    let more = numbered(43..45);
    write_all(&mut *sink, &more).await;
    close(sink).await;
    let all = messages_of(&[one, two, three, &more]);
    assert_holds(driver, &all, "after another opening").await;
}

async fn values_come_out_as_they_went_in(driver: &mut dyn SinkDriver) {
    let factory = driver.reset().await;
    let mut sink = open(&*factory, 1).await;
    let messages: Vec<Message> = PAYLOADS
        .iter()
        .enumerate()
        .map(|(index, payload)| {
            let id = Text::from(format!("id-{index:04}"));
            Message::new(id, Bytes::from_static(payload)).with_key(format!("key-{index}"))
        })
        .collect();
    let batch = batch(0, messages.clone());
    let outcomes = write(&mut *sink, &batch).await;
    close(sink).await;
    for (message, outcome) in messages.iter().zip(outcomes) {
        let payload = message.payload.bytes();
        let shown = String::from_utf8_lossy(&payload);
        let fits = match &outcome {
            Outcome::Written => driver.form(&payload).is_some(),
            Outcome::Rejected { .. } => driver.form(&payload).is_none(),
            Outcome::Retry { .. } => false,
        };
        assert!(fits, "{shown} has the outcome {outcome:?}");
    }
    assert_holds(driver, &messages, "payloads of all sorts").await;
}

async fn a_rejected_message_rejects_only_itself(driver: &mut dyn SinkDriver) {
    let Some(bad) = PAYLOADS
        .iter()
        .find(|payload| driver.form(payload).is_none())
    else {
        return;
    };
    let factory = driver.reset().await;
    let mut sink = open(&*factory, 1).await;
    let mut messages: Vec<Message> = (0..7).map(message).collect();
    for index in [0, 3, 6] {
        messages[index].payload = Bytes::from_static(bad).into();
    }
    let batch = batch(0, messages.clone());
    let outcomes = write(&mut *sink, &batch).await;
    for (index, outcome) in outcomes.iter().enumerate() {
        let rejected = matches!(outcome, Outcome::Rejected { .. });
        assert_eq!(rejected, index % 3 == 0, "message {index}: {outcome:?}");
    }
    let more = numbered(7..9);
    write_all(&mut *sink, &more).await;
    close(sink).await;
    messages.extend(messages_of(&[&more]));
    assert_holds(driver, &messages, "around rejected messages").await;
}

/// A batch comes again after an answer that got lost, in other cuts after a crash.
async fn a_repeated_batch_leaves_what_is_claimed(driver: &mut dyn SinkDriver) {
    let factory = driver.reset().await;
    let mut sink = open(&*factory, 1).await;
    write_all(&mut *sink, &numbered(0..5)).await;
    write_all(&mut *sink, &numbered(0..5)).await;
    close(sink).await;
    let mut sink = open(&*factory, 1).await;
    let all = numbered(0..9);
    write_all(&mut *sink, &numbered(3..7)).await;
    write_all(&mut *sink, &all).await;
    close(sink).await;
    let messages = messages_of(&[&all]);
    if factory.repeats() > Repeats::AtLeastOnce {
        return assert_holds(driver, &messages, "batches that were repeated").await;
    }
    let mut counts: BTreeMap<Effect, usize> = BTreeMap::new();
    for effect in driver.effects().await {
        *counts.entry(effect).or_default() += 1;
    }
    let has_ids = counts.keys().any(|effect| !effect.id.is_empty());
    for effect in expected(driver, &messages, has_ids) {
        assert!(
            counts.remove(&effect).is_some(),
            "`{}` is missing",
            effect.id
        );
    }
    assert!(
        counts.is_empty(),
        "the target holds what was not written: {counts:?}"
    );
}

async fn what_is_reported_written_is_there_after_a_restart(driver: &mut dyn SinkDriver) {
    let factory = driver.reset().await;
    let mut sink = open(&*factory, 1).await;
    let before = numbered(0..20);
    write_all(&mut *sink, &before).await;
    if !driver.restart().await {
        return close(sink).await;
    }
    assert_holds(driver, &messages_of(&[&before]), "after a restart").await;
    drop(within(CLOSE, "`close`", sink.close()).await);
    let mut sink = open(&*factory, 1).await;
    let after = numbered(20..30);
    write_all(&mut *sink, &after).await;
    close(sink).await;
    let all = messages_of(&[&before, &after]);
    assert_holds(driver, &all, "after a restart and more").await;
}

/// I5: an owner whose lease has gone to another must not write any more.
async fn a_stale_owner_is_refused_where_that_is_claimed(driver: &mut dyn SinkDriver) {
    let factory = driver.reset().await;
    if factory.repeats() < Repeats::Transactional {
        return;
    }
    let mut stale = open(&*factory, 1).await;
    write_all(&mut *stale, &numbered(0..3)).await;
    let owner = open(&*factory, 2).await;
    let committed = owner.committed();
    let ours = committed.iter().find(|row| row.stream == "suite/1");
    assert_eq!(
        ours.map(|row| row.last),
        Some(2),
        "what the target says it holds"
    );
    let refused: Result<Written, ConnectorError> =
        within(CALL, "`write`", stale.write(&numbered(3..5))).await;
    match refused {
        Ok(written) => panic!("a stale owner has written: {written:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Fenced, "{}", error.report()),
    }
    drop(within(CLOSE, "`close`", stale.close()).await);
    close(owner).await;
    let again = within(CALL, "`open`", factory.open(context(1))).await;
    let kind = again.err().map(|error| error.kind());
    assert_eq!(
        kind,
        Some(ErrorKind::Fenced),
        "a stale owner has opened the sink"
    );
    let messages: Vec<Message> = (0..3).map(message).collect();
    assert_holds(driver, &messages, "after a stale owner's try").await;
}

#[cfg(test)]
mod tests;
