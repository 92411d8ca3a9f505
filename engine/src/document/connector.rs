//! Sources and sinks of a document.

use hermod_sdk::{Problems, SinkEntry, SourceOpener, Text};
use serde_json::{Map, Value};

use super::{
    Catalog, DeliveryPlan, SinkPlan, SourcePlan,
    delivery::delivery,
    keys,
    report::Report,
    section::{Section, escape, is_empty},
    spelling::nearest,
};

/// Longest id, in bytes: ids stand in names of the data log.
const ID_BYTES_MAX: usize = 100;

/// Checks an id: it stands in names of streams, file names, labels and addresses.
pub(super) fn check_id(id: &str, pointer: &str, report: &mut Report) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins_well = id.starts_with(|c: char| c.is_ascii_alphanumeric());
    if id.len() > ID_BYTES_MAX || !begins_well || !id.chars().all(allowed) {
        let message = format!(
            "id `{id}` is not allowed; use up to {ID_BYTES_MAX} letters, digits, `-`, `_`, `.`, first a letter or digit"
        );
        report.refuse(pointer, message);
    }
}

/// A source or sink of the document, with its plan if it has no problem.
pub(super) struct Listed<T> {
    pub(super) id: String,
    pub(super) pointer: String,
    pub(super) plan: Option<T>,
}

/// Reads the sources.
pub(super) fn sources(
    whole: &mut Section<'_>,
    catalog: &Catalog,
    report: &mut Report,
) -> Vec<Listed<SourcePlan>> {
    let kinds: Vec<&str> = catalog
        .sources
        .iter()
        .map(|entry| entry.spec.kind)
        .collect();
    let mut found = Vec::new();
    for mut section in whole
        .sections("sources", report)
        .into_iter()
        .flatten()
        .flatten()
    {
        let common = Common::read(&mut section, "source", &kinds, report);
        let entry = common.as_ref().and_then(|common| {
            let mut entries = catalog.sources.iter();
            entries.find(|entry| entry.spec.kind == common.kind)
        });
        if entry.is_some_and(|entry| entry.push.is_some()) {
            without_state(&mut section, report);
        }
        section.judge(&keys::SOURCE, report);
        let Some(mut common) = common else { continue };
        if let Some(entry) = entry {
            without_empty_secrets(&mut common.config, &entry.schema());
        }
        let config = Value::Object(common.config);
        let opener =
            entry.and_then(|entry| configured(entry.configure(&config), section.pointer(), report));
        if let Some(SourceOpener::Push {
            warning: Some(warning),
            ..
        }) = &opener
        {
            report.warn(section.at("config"), warning.clone());
        }
        let plan = entry.zip(opener).map(|(entry, opener)| SourcePlan {
            id: Text::from(common.id),
            node: Text::new(),
            kind: entry.spec.kind,
            rereadable: entry.spec.rereadable && entry.push.is_none(),
            opener,
        });
        add(&mut found, "source", common.id, &section, plan, report);
    }
    found
}

/// Reads the sinks; `defaults` are the workflow's own.
pub(super) fn sinks(
    whole: &mut Section<'_>,
    catalog: &Catalog,
    defaults: &DeliveryPlan,
    report: &mut Report,
) -> Vec<Listed<SinkPlan>> {
    let kinds: Vec<&str> = catalog.sinks.iter().map(|entry| entry.spec.kind).collect();
    let mut found = Vec::new();
    for mut section in whole
        .sections("sinks", report)
        .into_iter()
        .flatten()
        .flatten()
    {
        let common = Common::read(&mut section, "sink", &kinds, report);
        let delivery = delivery(&mut section, defaults, report);
        section.judge(&keys::SINK, report);
        let Some(mut common) = common else { continue };
        let entry = catalog
            .sinks
            .iter()
            .find(|entry| entry.spec.kind == common.kind);
        let factory = entry.and_then(|entry| {
            let complete = moved(&mut common.config, entry, &section, report);
            without_empty_secrets(&mut common.config, &entry.schema());
            let config = Value::Object(common.config);
            let factory = configured(entry.configure(&config), section.pointer(), report);
            factory.filter(|_| complete)
        });
        let plan = entry.zip(factory).map(|(entry, factory)| SinkPlan {
            id: Text::from(common.id),
            kind: entry.spec.kind,
            factory,
            delivery,
        });
        add(&mut found, "sink", common.id, &section, plan, report);
    }
    found
}

/// The original keeps a state for every source; where messages are pushed there is no position to take over.
fn without_state(section: &mut Section<'_>, report: &mut Report) {
    if section.value("state").is_some_and(|state| !is_empty(state)) {
        let message = "`state` is dropped: a source that is pushed to has no position";
        report.warn(section.at("state"), message);
    }
}

/// Takes out secrets that were never filled in, as the original exports them; a required one is left to be named.
fn without_empty_secrets(config: &mut Map<String, Value>, schema: &Value) {
    let required = schema["required"].as_array();
    config.retain(|key, value| {
        let secret = schema["properties"][key]["x-secret"] == true;
        let needed = required.is_some_and(|names| names.iter().any(|name| name == key));
        !(secret && !needed && value.as_str() == Some(""))
    });
}

fn add<T>(
    found: &mut Vec<Listed<T>>,
    what: &str,
    id: &str,
    section: &Section<'_>,
    plan: Option<T>,
    report: &mut Report,
) {
    if found.iter().any(|known| known.id == id) {
        report.refuse(section.at("id"), format!("{what} `{id}` stands twice"));
    }
    found.push(Listed {
        id: id.to_owned(),
        pointer: section.pointer().to_owned(),
        plan,
    });
}

fn configured<T>(result: Result<T, Problems>, pointer: &str, report: &mut Report) -> Option<T> {
    match result {
        Ok(configured) => Some(configured),
        Err(part) => {
            report
                .problems
                .add_below(&format!("{pointer}/config"), part);
            None
        }
    }
}

/// Takes out of a sink's `config` what belongs beside it, and says so; returns whether there was nothing.
fn moved(
    config: &mut Map<String, Value>,
    entry: &SinkEntry,
    section: &Section<'_>,
    report: &mut Report,
) -> bool {
    let schema = entry.schema();
    let mut complete = true;
    for (key, where_to) in keys::MOVED_FROM_SINK {
        let is_its_own = schema
            .pointer(&format!("/properties/{}", escape(key)))
            .is_some();
        if !is_its_own && config.shift_remove(*key).is_some() {
            report.refuse(format!("{}/{key}", section.at("config")), *where_to);
            complete = false;
        }
    }
    complete
}

/// What sources and sinks have in common.
struct Common<'a> {
    id: &'a str,
    kind: &'a str,
    config: Map<String, Value>,
}

impl<'a> Common<'a> {
    fn read(
        section: &mut Section<'a>,
        what: &str,
        kinds: &[&str],
        report: &mut Report,
    ) -> Option<Self> {
        let name = section.text("name", report);
        let id = section.text("id", report).or(name);
        match id {
            Some(id) => check_id(id, &section.at("id"), report),
            None => report.refuse(section.pointer(), "`id` is missing"),
        }
        if section.flag("active", report) == Some(false) {
            let message =
                format!("`active` of a {what} is kept and has no effect; a workflow has its own");
            report.warn(section.at("active"), message);
        }
        let kind = section.required("type", report);
        if let Some(kind) = kind.filter(|kind| !kinds.contains(kind)) {
            let meant = nearest(kind, kinds.iter().copied())
                .map_or_else(String::new, |near| format!("; `{near}` may be meant"));
            let known = kinds.join("`, `");
            let message =
                format!("there is no {what} of type `{kind}`{meant}; there are `{known}`");
            report.refuse(section.at("type"), message);
        }
        let config = section.map("config", report);
        Some(Self {
            id: id?,
            kind: kind?,
            config: config?,
        })
    }
}
