use async_trait::async_trait;
use hermod_sdk::{
    Batch, Confirms, ConnectorConfig, ConnectorError, Locality, Message, Position, Problems,
    PushConnector, PushProtocol, PushSource, Read, ReadLimit, Refusal, Repeats, Request, Sink,
    SinkConnector, SinkContext, Source, SourceConnector, SourceContext, Spec, Stability,
    TypedPosition, Written,
};
use schemars::JsonSchema;
use serde_json::{Value, json};

use super::*;

mod golden;
mod refusals;

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where.
    path: String,
}

impl ConnectorConfig for Config {
    fn example() -> Value {
        json!({"path": "x"})
    }
}

const fn spec(kind: usize) -> Spec {
    let name = KINDS[kind];
    let durable = matches!(name.as_bytes(), b"file" | b"postgres");
    Spec {
        kind: name,
        title: "Fake",
        summary: "For tests.",
        stability: Stability::Stable,
        locality: Locality::Any,
        confirms: if durable {
            Confirms::Durable
        } else {
            Confirms::Accepted
        },
        repeats: if kind == 3 {
            Repeats::Transactional
        } else {
            Repeats::AtLeastOnce
        },
        rereadable: true,
        partial: false,
    }
}

/// A connector of the kind that stands at this index of [`KINDS`].
struct Fake<const KIND: usize>;

const KINDS: [&str; 5] = ["fake", "file", "http", "postgres", "webhook"];

#[derive(Serialize, Deserialize)]
struct At;

impl TypedPosition for At {
    const VERSION: u16 = 1;
    fn covers(&self, _: &Self) -> bool {
        true
    }
}

#[async_trait]
impl<const KIND: usize> Source for Fake<KIND> {
    async fn read(&mut self, _: ReadLimit) -> Result<Read, ConnectorError> {
        Ok(Read::End)
    }
    async fn acknowledge(&mut self, _: &Position) -> Result<(), ConnectorError> {
        Ok(())
    }
    async fn close(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
}

#[async_trait]
impl<const KIND: usize> SourceConnector for Fake<KIND> {
    const SPEC: Spec = spec(KIND);
    type Config = Config;
    type At = At;
    async fn open(
        _: Config,
        _: Option<Position>,
        _: SourceContext,
    ) -> Result<Self, ConnectorError> {
        Ok(Self)
    }
    async fn probe(_: &Config) -> Result<(), ConnectorError> {
        Ok(())
    }
}

struct FakePush<const KIND: usize>;

impl<const KIND: usize> PushSource for FakePush<KIND> {
    fn path(&self) -> &'static str {
        "p"
    }
    fn body_bytes_max(&self) -> usize {
        1
    }
    fn accept(&self, _: &Request<'_>, _: bytes::Bytes) -> Result<Vec<Message>, Refusal> {
        Ok(Vec::new())
    }
}

impl<const KIND: usize> PushConnector for FakePush<KIND> {
    const SPEC: Spec = Spec {
        rereadable: false,
        ..spec(KIND)
    };
    const PROTOCOL: PushProtocol = PushProtocol::Webhook;
    type Config = Config;
    fn open(_: Config) -> Result<Self, ConnectorError> {
        Ok(Self)
    }
    fn warning(_: &Config) -> Option<String> {
        Some("is open to everybody".to_owned())
    }
}

struct FakeSink<const KIND: usize>;

#[async_trait]
impl<const KIND: usize> Sink for FakeSink<KIND> {
    async fn write(&mut self, _: &Batch) -> Result<Written, ConnectorError> {
        Ok(Written::All)
    }
    async fn flush(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
    async fn close(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
}

#[async_trait]
impl<const KIND: usize> SinkConnector for FakeSink<KIND> {
    const SPEC: Spec = spec(KIND);
    type Config = Config;
    async fn open(_: Config, _: SinkContext) -> Result<Self, ConnectorError> {
        Ok(Self)
    }
    async fn probe(_: &Config) -> Result<(), ConnectorError> {
        Ok(())
    }
}

static SOURCES: &[SourceEntry] = &[
    SourceEntry::of::<Fake<0>>(),
    SourceEntry::of::<Fake<1>>(),
    SourceEntry::push::<FakePush<4>>(),
];
static SINKS: &[SinkEntry] = &[
    SinkEntry::of::<FakeSink<0>>(),
    SinkEntry::of::<FakeSink<1>>(),
    SinkEntry::of::<FakeSink<2>>(),
    SinkEntry::of::<FakeSink<3>>(),
];
const CATALOG: Catalog = Catalog {
    sources: SOURCES,
    sinks: SINKS,
};

fn bundle(source: &str) -> Value {
    json!({
        "workflow": {
            "name": "orders",
            "nodes": [
                {"id": "n1", "type": "source", "ref_id": "src", "x": 0, "y": 0},
                {"id": "n2", "type": "sink", "ref_id": "out", "config": {}}],
            "edges": [{"id": "e1", "source_id": "n1", "target_id": "n2"}]},
        "sources": [{"id": "src", "type": source, "config": {"path": "a"}}],
        "sinks": [{"id": "out", "name": "Out", "type": "fake", "config": {"path": "b"}}]})
}

fn problems(bundle: &Value) -> Problems {
    check(bundle, &CATALOG).err().expect("must be refused")
}

#[test]
fn defaults_follow_the_kind_of_source() {
    let pull = check(&bundle("fake"), &CATALOG).ok().unwrap().plan;
    assert_eq!(
        (pull.acknowledge, pull.buffer),
        (Level::Delivered, BufferPlan::File)
    );
    assert_eq!(
        (&*pull.id, &*pull.name, pull.active),
        ("orders", "orders", true)
    );
    assert_eq!(pull.sinks[0].delivery, DeliveryPlan::default());
    let push = check(&bundle("webhook"), &CATALOG).ok().unwrap();
    assert_eq!(push.plan.acknowledge, Level::Durable);
    assert_eq!(push.warnings[0].pointer, "/sources/0/config");
}

#[test]
fn settings_beside_config_and_texts_for_numbers_are_taken() {
    let mut bundle = bundle("fake");
    bundle["workflow"]["max_retries"] = json!("7");
    bundle["workflow"]["retry_interval"] = json!("250ms");
    bundle["workflow"]["buffer"] = json!({"type": "ring", "messages": "10"});
    bundle["sinks"][0]["batch"] = json!({"messages": 9, "wait": "1s"});
    bundle["sinks"][0]["retry"] = json!({"interval_max": "2m"});
    let plan = check(&bundle, &CATALOG).ok().unwrap().plan;
    let delivery = &plan.sinks[0].delivery;
    assert_eq!((delivery.batch.messages, delivery.batch.wait_ms), (9, 1000));
    let retry = RetryPlan {
        max_retries: 7,
        interval_ms: 250,
        interval_ms_max: 120_000,
    };
    assert_eq!(delivery.retry, retry);
    assert_eq!(delivery.on_slow_sink, OnSlowSink::Block);
    assert_eq!(
        plan.buffer,
        BufferPlan::Ring {
            messages: 10,
            bytes: 64 << 20
        }
    );
}

#[test]
fn durations_have_several_units_the_larger_first() {
    let mut compound = bundle("fake");
    compound["sinks"][0]["retry"] = json!({"interval": "1s500ms", "interval_max": "1m30s"});
    let plan = check(&compound, &CATALOG).ok().unwrap().plan;
    let retry = &plan.sinks[0].delivery.retry;
    assert_eq!((retry.interval_ms, retry.interval_ms_max), (1500, 90_000));
    compound["sinks"][0]["retry"] = json!({"interval_max": "30s1m"});
    let text = problems(&compound).to_string();
    assert!(
        text.contains("/sinks/0/retry/interval_max: is not a duration"),
        "{text}"
    );
}

#[test]
fn every_mistake_is_reported_at_once_with_its_pointer() {
    let mut bundle = bundle("fake");
    bundle["workflow"]["colour"] = json!("red");
    bundle["workflow"]["id"] = json!("a/b");
    bundle["workflow"]["acknowledge"] = json!("sometimes");
    bundle["workflow"]["dead_letter_sink_id"] = json!("dlq");
    bundle["sources"][0]["config"]["paht"] = json!("x");
    bundle["sinks"][0]["type"] = json!("nothing");
    bundle["sinks"][0]["retry"] = json!({"max_retries": "many"});
    bundle["extra"] = json!(1);
    let problems = problems(&bundle);
    let pointers: Vec<&str> = problems
        .iter()
        .map(|problem| problem.pointer.as_str())
        .collect();
    for expected in [
        "/workflow/colour",
        "/workflow/id",
        "/workflow/acknowledge",
        "/workflow/dead_letter_sink_id",
        "/sources/0/config/paht",
        "/sinks/0/type",
        "/sinks/0/retry/max_retries",
        "/extra",
    ] {
        assert!(pointers.contains(&expected), "{expected} in\n{problems}");
    }
}

#[test]
fn keys_of_the_original_are_kept_or_refused_and_never_dropped_silently() {
    let mut kept = bundle("fake");
    kept["workflow"]["vhost"] = json!("default");
    kept["workflow"]["tier"] = json!("Hot");
    kept["workflow"]["prioritize_dlq"] = json!(false);
    kept["workflow"]["schema"] = json!("");
    let warnings = check(&kept, &CATALOG).ok().unwrap().warnings;
    let pointers: Vec<&str> = warnings
        .iter()
        .map(|warning| warning.pointer.as_str())
        .collect();
    assert_eq!(pointers, ["/workflow/vhost", "/workflow/tier"]);
    for (key, value) in [
        ("prioritize_dlq", json!(true)),
        ("dry_run", json!("true")),
        ("schema", json!("{}")),
        ("schema_type", json!("json")),
        ("cron", json!("* * * * *")),
        ("idle_timeout", json!("5m")),
        ("dlq_threshold", json!(5)),
    ] {
        let mut refused = bundle("fake");
        refused["workflow"][key] = value;
        let problems = problems(&refused);
        let first = problems.iter().next().unwrap();
        assert_eq!(first.pointer, format!("/workflow/{key}"));
        assert!(first.message.contains("not built yet"), "{first}");
    }
}

#[test]
fn notes_are_dropped_and_what_is_wrong_keeps_its_place_in_the_document() {
    let note = json!({"id": "n0", "type": "note", "config": {"text": "x"}});
    let mut noted = bundle("fake");
    let nodes = noted["workflow"]["nodes"].as_array_mut().unwrap();
    nodes.insert(0, note.clone());
    nodes.insert(2, note);
    let edges = noted["workflow"]["edges"].as_array_mut().unwrap();
    edges.insert(0, json!({"id": "e0", "source_id": "n1", "target_id": "n0"}));
    let checked = check(&noted, &CATALOG).ok().unwrap();
    assert_eq!(
        checked.plan.graph,
        check(&bundle("fake"), &CATALOG).ok().unwrap().plan.graph
    );
    let pointers: Vec<_> = checked
        .warnings
        .iter()
        .map(|w| w.pointer.as_str())
        .collect();
    assert_eq!(
        pointers,
        [
            "/workflow/nodes/0",
            "/workflow/nodes/2",
            "/workflow/edges/0"
        ]
    );
    let mut wrong = noted.clone();
    wrong["workflow"]["nodes"][3]["ref_id"] = json!("gone");
    wrong["workflow"]["nodes"][3]["config"] = json!({"sequential": true});
    wrong["workflow"]["edges"][1]["target_id"] = json!("nowhere");
    let text = problems(&wrong).to_string();
    for pointer in [
        "/workflow/nodes/3/ref_id: ",
        "/workflow/nodes/3/config/sequential: ",
        "/workflow/edges/1/target_id: ",
    ] {
        assert!(text.contains(pointer), "{pointer} in {text}");
    }
}

#[test]
fn a_state_is_dropped_where_there_is_no_position_and_refused_where_there_is_one() {
    let mut pushed = bundle("webhook");
    pushed["sources"][0]["state"] = json!({"last_id": "7"});
    let warnings = check(&pushed, &CATALOG).ok().unwrap().warnings;
    assert!(warnings.iter().any(|w| w.pointer == "/sources/0/state"));
    let mut read = bundle("fake");
    read["sources"][0]["state"] = json!({"last_id": "7"});
    assert!(problems(&read).to_string().contains("/sources/0/state: "));
}

#[test]
fn i1_a_ring_cannot_be_durable_and_a_guarantee_beyond_the_sink_is_refused() {
    let mut ring = bundle("webhook");
    ring["workflow"]["buffer"] = json!({"type": "ring"});
    ring["workflow"]["acknowledge"] = json!("durable");
    assert!(
        problems(&ring)
            .to_string()
            .contains("cannot offer `acknowledge: durable`")
    );
    let mut asked = bundle("fake");
    asked["workflow"]["require"] = json!({"confirms": "durable", "repeats": "transactional"});
    let text = problems(&asked).to_string();
    assert!(
        text.contains("confirms `accepted`, less than the required `durable`"),
        "{text}"
    );
    assert!(
        text.contains("`at_least_once` on repeats, less than"),
        "{text}"
    );
}

#[test]
fn references_that_lead_nowhere_are_named() {
    let mut bundle = bundle("fake");
    bundle["workflow"]["nodes"][0]["ref_id"] = json!("gone");
    let text = problems(&bundle).to_string();
    assert!(
        text.contains("/workflow/nodes/0/ref_id: there is no source `gone`"),
        "{text}"
    );
    bundle["workflow"]["nodes"][0]["ref_id"] = json!("src");
    bundle["workflow"]["nodes"][1]["ref_id"] = json!("gone");
    let text = problems(&bundle).to_string();
    assert!(
        text.contains("/workflow/nodes/1/ref_id: there is no sink `gone`"),
        "{text}"
    );
    for not_a_bundle in [
        json!([]),
        json!({}),
        json!({"workflow": 1, "sources": 2, "sinks": 3}),
    ] {
        assert!(!problems(&not_a_bundle).is_empty());
    }
}
