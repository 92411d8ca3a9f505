//! Fencing: who may write under which epoch.

use hermod_sdk::{ErrorKind, Position, SinkContext, Tenure, TypedPosition, Written};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{batch, config, context, message, open_as, rows, schema, shared, token};

fn as_stream(stream: &'static str, epoch: u64, tenure: Tenure) -> SinkContext {
    SinkContext {
        stream: stream.into(),
        tenure,
        ..context(epoch)
    }
}

#[derive(Serialize, Deserialize)]
struct Index(u64);

impl TypedPosition for Index {
    const VERSION: u16 = 1;
    fn covers(&self, other: &Self) -> bool {
        self.0 >= other.0
    }
}

#[tokio::test]
async fn i5_stale_owner_is_refused() {
    let schema = schema();
    let table = format!("{schema}.t");
    let config = config(shared(), &table, json!({}));
    let mut old = open_as(&config, context(5)).await.unwrap();
    let mut by_old = batch(1, [message("a", "\"old\"")]);
    by_old.token.epoch = 5;
    assert_eq!(old.write(&by_old).await.unwrap(), Written::All);

    let cx = as_stream("n2/1", 6, Tenure::Owner);
    let mut new = open_as(&config, cx).await.unwrap();
    let mut late = batch(2, [message("a", "\"late\"")]);
    late.token.epoch = 5;
    let error = old.write(&late).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    // Not even on a connection of its own.
    let error = old.write(&late).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    let error = open_as(&config, context(5)).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Fenced);

    let mut by_new = batch(1, [message("b", "\"new\"")]);
    (by_new.token.stream, by_new.token.epoch) = ("n2/1".into(), 6);
    assert_eq!(new.write(&by_new).await.unwrap(), Written::All);
    assert_eq!(rows(&table), r#"a="old" b="new""#);
    assert_eq!(token(&schema), "n1/1|6|1\nn2/1|6|1");
}

#[tokio::test]
async fn i5_a_stream_without_a_row_is_refused() {
    let schema = schema();
    let config = config(shared(), &format!("{schema}.t"), json!({}));
    let mut sink = open_as(&config, context(1)).await.unwrap();
    let mut foreign = batch(1, [message("a", "1")]);
    foreign.token.stream = "n9/9".into();
    let error = sink.write(&foreign).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
}

#[tokio::test]
async fn i5_the_same_epoch_may_open_again() {
    let schema = schema();
    let config = config(shared(), &format!("{schema}.t"), json!({}));
    for _ in 0..2 {
        open_as(&config, context(7)).await.unwrap();
    }
    let error = open_as(&config, context(6)).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Fenced);
}

#[tokio::test]
async fn a_drain_raises_its_own_row_only_and_an_owner_raises_all() {
    let schema = schema();
    let config = config(shared(), &format!("{schema}.t"), json!({}));
    open_as(&config, context(1)).await.unwrap();
    let owner = as_stream("n2/1", 5, Tenure::Owner);
    let mut owner = open_as(&config, owner).await.unwrap();

    let too_low = as_stream("n1/1", 4, Tenure::Drain);
    let error = open_as(&config, too_low).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    let drain = as_stream("n1/1", 9, Tenure::Drain);
    let mut drain = open_as(&config, drain).await.unwrap();
    let epochs = || {
        shared().psql(&format!(
            "SELECT stream, epoch FROM {schema}.hermod_tokens ORDER BY stream"
        ))
    };
    assert_eq!(epochs(), "|5\nn1/1|9\nn2/1|5");

    // Both go on beside each other.
    let mut by_owner = batch(1, [message("a", "1")]);
    (by_owner.token.stream, by_owner.token.epoch) = ("n2/1".into(), 5);
    assert_eq!(owner.write(&by_owner).await.unwrap(), Written::All);
    let mut by_drain = batch(1, [message("b", "1")]);
    by_drain.token.epoch = 9;
    assert_eq!(drain.write(&by_drain).await.unwrap(), Written::All);

    // The next owner of the workflow fences the drainer as well, which then takes its lease again.
    let next = as_stream("n3/1", 10, Tenure::Owner);
    open_as(&config, next).await.unwrap();
    by_drain = batch(2, [message("c", "1")]);
    by_drain.token.epoch = 9;
    let error = drain.write(&by_drain).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    let again = as_stream("n1/1", 11, Tenure::Drain);
    let mut drain = open_as(&config, again).await.unwrap();
    by_drain.token.epoch = 11;
    assert_eq!(drain.write(&by_drain).await.unwrap(), Written::All);
    assert_eq!(epochs(), "|10\nn1/1|11\nn2/1|10\nn3/1|10");
}

#[tokio::test]
async fn i2_the_position_stands_with_the_data_it_covers() {
    let schema = schema();
    let config = config(shared(), &format!("{schema}.t"), json!({}));
    let at = |n| Position::encode(3, &Index(n));
    let mut sink = open_as(&config, context(1)).await.unwrap();
    assert_eq!(sink.committed(), []);

    let mut one = batch(1, [message("a", "1"), message("b", "2")]);
    one.token.position = Some(at(2));
    assert_eq!(sink.write(&one).await.unwrap(), Written::All);
    // A refused message: the position stops at the last message before it that has one.
    let mut two = batch(
        3,
        [
            message("c", "3").with_position(at(3)),
            message("d", "4"),
            message("e", "{"),
            message("f", "6").with_position(at(6)),
        ],
    );
    two.token.position = Some(at(6));
    assert!(matches!(sink.write(&two).await.unwrap(), Written::Each(_)));

    let sink = open_as(&config, as_stream("n2/1", 2, Tenure::Owner))
        .await
        .unwrap();
    let held = sink.committed();
    assert_eq!(held.len(), 1);
    assert_eq!(
        (&*held[0].stream, held[0].epoch, held[0].last),
        ("n1/1", 2, 4)
    );
    assert_eq!(held[0].position, Some(at(3)));
}

#[tokio::test]
async fn a_batch_without_a_position_leaves_the_one_that_is_there() {
    let schema = schema();
    let config = config(shared(), &format!("{schema}.t"), json!({}));
    let mut sink = open_as(&config, context(1)).await.unwrap();
    let mut one = batch(1, [message("a", "1")]);
    one.token.position = Some(Position::encode(3, &Index(1)));
    assert_eq!(sink.write(&one).await.unwrap(), Written::All);
    let two = batch(2, [message("b", "1")]);
    assert_eq!(sink.write(&two).await.unwrap(), Written::All);
    let sink = open_as(&config, context(1)).await.unwrap();
    assert_eq!(sink.committed()[0].position, one.token.position);
    assert_eq!(sink.committed()[0].last, 2);
}
