//! What files say, read and checked before anything is changed.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use hermod_api::Code;
use serde_json::{Map, Value};

use super::{
    super::{document, workflow},
    object::{Kind, Object},
    text,
};
use crate::{
    bundle::{self, Document, Severity},
    client::{Client, Places},
    failure::{Detail, Failure},
    output,
};

/// Reads the files, and those of directories.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<Document>, Failure> {
    let mut paths = Vec::new();
    for file in files {
        if file.is_dir() {
            paths.extend(of_directory(file)?);
        } else {
            paths.push(file.clone());
        }
    }
    let (mut documents, mut details) = (Vec::new(), Vec::new());
    for path in paths {
        match document::read(&path) {
            Ok(document) => documents.push(document),
            Err(failure) => details.extend(failure.details),
        }
    }
    if details.is_empty() {
        Ok(documents)
    } else {
        Err(document::refused(details))
    }
}

fn of_directory(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unusable = |message: String| {
        let message = format!("`{}`: {message}", directory.display());
        Failure::new(Code::Document, message).with_hint("name a directory that holds bundles")
    };
    let found = bundle::files_in(directory).map_err(|error| unusable(error.to_string()))?;
    if found.is_empty() {
        return Err(unusable("holds no *.json, *.yaml or *.yml".to_owned()));
    }
    Ok(found)
}

/// Everything that is to be there.
pub(super) struct Plan<'a> {
    objects: Vec<Object<'a>>,
}

impl<'a> Plan<'a> {
    /// Takes bundles apart: sources, sinks, and then the workflows that name them.
    pub(super) fn new(documents: &'a [Document]) -> Result<Self, Failure> {
        let mut objects: Vec<Object<'_>> = Vec::new();
        let mut details = Vec::new();
        for document in documents {
            match of(document) {
                Ok(found) => objects.extend(found),
                Err(failure) => details.extend(failure.details),
            }
        }
        let mut seen: BTreeMap<(Kind, &str), &Object<'_>> = BTreeMap::new();
        for object in &objects {
            let first = seen.entry((object.kind, object.id)).or_insert(object);
            if first.members != object.members {
                let message = format!(
                    "{} `{}` is another one in `{}`",
                    object.kind,
                    object.id,
                    first.document.file.display()
                );
                let finding = object
                    .document
                    .at(Severity::Error, &object.pointer, &message);
                details.push(Detail::from(&finding));
            }
        }
        if !details.is_empty() {
            return Err(document::refused(details));
        }
        // The sort is stable, so that files keep their order.
        objects.sort_by_key(|object| object.kind);
        objects.dedup_by_key(|object| (object.kind, object.id));
        Ok(Self { objects })
    }

    /// Returns the objects, those that are named by others first.
    pub(super) fn objects(&self) -> impl Iterator<Item = &Object<'a>> {
        self.objects.iter()
    }

    fn find(&self, kind: Kind, id: &str) -> Option<&Object<'a>> {
        self.objects().find(|one| one.kind == kind && one.id == id)
    }

    /// Lets the server check every workflow with its sources and sinks, whether they are of files or there already.
    pub(super) fn check(&self, client: &Client) -> Result<(), Failure> {
        let mut details = Vec::new();
        for object in self.objects().filter(|one| one.kind == Kind::Workflow) {
            let whole = self.whole(client, object)?;
            let places = Places::at(object.document, "");
            for problem in workflow::validate(client, &whole.bundle, &places)? {
                let finding = whole.finding(&problem.pointer, &problem.message, problem.warning);
                if problem.warning {
                    output::error_line(finding.text);
                } else {
                    details.push(finding);
                }
            }
        }
        if details.is_empty() {
            return Ok(());
        }
        let failure = Failure::new(Code::Invalid, Code::Invalid.title()).with_details(details);
        Err(failure.with_hint("mend what is named; nothing was changed"))
    }

    /// Returns a workflow with everything that it names.
    fn whole(&self, client: &Client, workflow: &Object<'a>) -> Result<Whole<'a>, Failure> {
        let mut whole = Whole {
            bundle: Value::Null,
            places: vec![(
                "/workflow".to_owned(),
                workflow.document,
                workflow.pointer.clone(),
            )],
        };
        let mut bundle = Map::new();
        bundle.insert("workflow".to_owned(), workflow.members.clone().into());
        for kind in [Kind::Source, Kind::Sink] {
            let mut parts = Vec::new();
            for id in named(workflow.members, kind) {
                let at = format!("/{}/{}", kind.list(), parts.len());
                if let Some(part) = self.find(kind, id) {
                    whole.places.push((at, part.document, part.pointer.clone()));
                    parts.push(Value::Object(part.members.clone()));
                } else if let Some(there) = client.find(&[kind.list(), id])? {
                    parts.push(Value::Object(super::object::plain(&there.body)));
                }
            }
            bundle.insert(kind.list().to_owned(), parts.into());
        }
        whole.bundle = bundle.into();
        Ok(whole)
    }
}

/// A bundle that was put together, and where its parts stand in files.
struct Whole<'a> {
    bundle: Value,
    places: Vec<(String, &'a Document, String)>,
}

impl Whole<'_> {
    fn finding(&self, pointer: &str, message: &str, warning: bool) -> Detail {
        let severity = if warning {
            Severity::Warning
        } else {
            Severity::Error
        };
        for (at, document, inside) in &self.places {
            let below = pointer.strip_prefix(at.as_str());
            if let Some(below) = below.filter(|below| below.is_empty() || below.starts_with('/')) {
                let finding = document.at(severity, &format!("{inside}{below}"), message);
                return Detail::from(&finding);
            }
        }
        Detail::at(pointer, format!("{pointer}: {message}"))
    }
}

/// Takes a bundle apart.
fn of(document: &Document) -> Result<Vec<Object<'_>>, Failure> {
    let members = document::object(document, "")?;
    let mut found = Vec::new();
    let mut details = Vec::new();
    for (name, value) in members {
        let kind = match name.as_str() {
            "workflow" => {
                found.push((Kind::Workflow, "/workflow".to_owned()));
                continue;
            }
            "sources" => Kind::Source,
            "sinks" => Kind::Sink,
            _ => {
                let message =
                    "is none of `workflow`, `sources`, `sinks`, of which a bundle is made";
                details
                    .extend(document::refused_at(document, &format!("/{name}"), message).details);
                continue;
            }
        };
        if let Some(all) = value.as_array() {
            found.extend((0..all.len()).map(|at| (kind, format!("/{name}/{at}"))));
        } else {
            let refused = document::refused_at(document, &format!("/{name}"), "must be a list");
            details.extend(refused.details);
        }
    }
    let mut objects = Vec::new();
    for (kind, pointer) in found {
        match (
            document::object(document, &pointer),
            document::id(document, &pointer),
        ) {
            (Ok(members), Ok(id)) => objects.push(Object {
                kind,
                id,
                members,
                document,
                pointer,
            }),
            (Err(failure), _) | (_, Err(failure)) => details.extend(failure.details),
        }
    }
    if details.is_empty() {
        Ok(objects)
    } else {
        Err(document::refused(details))
    }
}

/// Returns the sources or sinks that a workflow names, each once.
fn named(workflow: &Map<String, Value>, kind: Kind) -> Vec<&str> {
    let nodes = workflow.get("nodes").and_then(Value::as_array);
    let ours = nodes
        .into_iter()
        .flatten()
        .filter(|node| node["type"] == kind.to_string());
    let mut ids: Vec<&str> = ours.map(|node| text(&node["ref_id"])).collect();
    if kind == Kind::Sink {
        ids.extend(workflow.get("dead_letter_sink_id").map(text));
    }
    ids.retain(|id| !id.is_empty());
    ids.sort_unstable();
    ids.dedup();
    ids
}
