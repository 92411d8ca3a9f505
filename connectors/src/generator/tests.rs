use super::*;

const LIMIT: ReadLimit = ReadLimit {
    messages: 100,
    bytes: 1 << 20,
};

fn context(generation: u64) -> SourceContext {
    SourceContext {
        workflow: "w".into(),
        source: "s".into(),
        generation,
    }
}

async fn open(config: &GeneratorConfig, position: Option<Position>) -> GeneratorSource {
    GeneratorSource::open(config.clone(), position, context(1))
        .await
        .unwrap()
}

async fn batch(source: &mut GeneratorSource, limit: ReadLimit) -> SourceBatch {
    match source.read(limit).await.unwrap() {
        Read::Batch(batch) => batch,
        Read::End => panic!("the source has more"),
    }
}

#[tokio::test]
async fn a_message_is_a_function_of_seed_and_index() {
    let config = GeneratorConfig {
        rate: 0,
        ..GeneratorConfig::default()
    };
    let mut one = open(&config, None).await;
    let first = batch(&mut one, LIMIT).await;
    let middle = first.messages[39].position.clone();
    let mut other = open(&config, middle).await;
    let second = batch(&mut other, LIMIT).await;
    assert_eq!(first.messages[40..], second.messages[..60]);
    assert_eq!(first.messages[40].id, "gen-0-40");
    let mut seeded = open(&GeneratorConfig { seed: 1, ..config }, None).await;
    assert_ne!(
        batch(&mut seeded, LIMIT).await.messages[40].payload,
        first.messages[40].payload
    );
}

#[tokio::test]
async fn payloads_are_json_of_the_asked_length_and_keys_repeat() {
    let config = GeneratorConfig {
        rate: 0,
        size: 100_000,
        keys: 3,
        ..GeneratorConfig::default()
    };
    let mut source = open(&config, None).await;
    let mut keys = std::collections::BTreeSet::new();
    for index in 0..10 {
        let limit = ReadLimit {
            messages: 10,
            bytes: 1,
        };
        let mut batch = batch(&mut source, limit).await;
        assert_eq!(batch.messages.len(), 1, "one message may exceed the limit");
        let message = &mut batch.messages[0];
        assert_eq!(message.payload.bytes().len(), 100_000);
        assert_eq!(message.payload.value().unwrap()["index"], index);
        keys.insert(message.key.clone().unwrap());
    }
    assert_eq!(keys.len(), 3);
}

#[tokio::test]
async fn it_ends_after_count_also_when_reopened_there() {
    let config = GeneratorConfig {
        rate: 0,
        count: 150,
        ..GeneratorConfig::default()
    };
    let mut source = open(&config, None).await;
    assert_eq!(batch(&mut source, LIMIT).await.messages.len(), 100);
    let last = batch(&mut source, LIMIT).await;
    assert_eq!(last.messages.len(), 50);
    assert_eq!(source.read(LIMIT).await.unwrap(), Read::End);
    let mut again = open(&config, Some(last.position)).await;
    assert_eq!(again.read(LIMIT).await.unwrap(), Read::End);
}

#[tokio::test(start_paused = true)]
async fn the_rate_holds_and_a_held_back_stream_catches_up_by_a_second_at_most() {
    let config = GeneratorConfig {
        rate: 10,
        ..GeneratorConfig::default()
    };
    let mut source = open(&config, None).await;
    let begin = Instant::now();
    let mut made = 0;
    while made < 31 {
        made += batch(&mut source, LIMIT).await.messages.len();
    }
    assert_eq!((made, begin.elapsed().as_secs()), (31, 3));
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert!(batch(&mut source, LIMIT).await.messages.len() <= 11);
}

#[tokio::test]
async fn a_position_that_cannot_be_read_is_corrupt() {
    let bytes = [&7_u64.to_le_bytes()[..], b"{\"v\":1,\"at\":{\"nex\":3}}"].concat();
    let position = Position::from_bytes(&bytes.into()).unwrap();
    let opened = GeneratorSource::open(GeneratorConfig::default(), Some(position), context(1));
    let kind = opened.await.err().unwrap().kind();
    assert_eq!(kind, hermod_sdk::ErrorKind::Corrupt);
}
