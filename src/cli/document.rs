//! Documents that are sent to a server.

use std::path::Path;

use hermod_api::Code;
use serde_json::{Map, Value};

use crate::{
    bundle::{self, Document, Severity},
    failure::{Detail, Failure},
};

/// Reads a file that holds an object.
pub(super) fn read(file: &Path) -> Result<Document, Failure> {
    let document = bundle::read(file).map_err(|finding| refused(vec![Detail::from(&finding)]))?;
    if document.value.is_object() {
        Ok(document)
    } else {
        Err(refused_at(&document, "", "is not an object"))
    }
}

/// Returns the object at a pointer of a file.
pub(super) fn object<'a>(
    document: &'a Document,
    pointer: &str,
) -> Result<&'a Map<String, Value>, Failure> {
    let found = document.value.pointer(pointer).and_then(Value::as_object);
    found.ok_or_else(|| refused_at(document, pointer, "must be an object"))
}

/// Returns the id of the object at a pointer of a file.
pub(super) fn id<'a>(document: &'a Document, pointer: &str) -> Result<&'a str, Failure> {
    let id = object(document, pointer)?.get("id").and_then(Value::as_str);
    id.filter(|id| !id.is_empty())
        .ok_or_else(|| refused_at(document, pointer, "`id` is missing; it says what is meant"))
}

/// Refuses a document because of one value.
pub(super) fn refused_at(document: &Document, pointer: &str, message: &str) -> Failure {
    let finding = document.at(Severity::Error, pointer, message);
    refused(vec![Detail::from(&finding)])
}

/// Refuses documents.
pub(super) fn refused(details: Vec<Detail>) -> Failure {
    Failure::new(Code::Document, "the document cannot be used")
        .with_details(details)
        .with_hint("mend what is named; nothing was sent")
}
