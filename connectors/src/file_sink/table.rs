//! Messages as CSV records.

use std::borrow::Cow;

use hermod_sdk::{Batch, Message, Payload, get_path};
use serde_json::{Map, Value};

use super::FileSinkConfig;
use crate::{
    csv::{fields, push_text, without_mark},
    lines::{Lines, Outcomes},
};

/// The columns of a file, known from the start or taken from the first message.
pub(super) struct Table {
    columns: Vec<String>,
    // Chosen by the operator: fields without a column are left out on purpose.
    chosen: bool,
    header: bool,
    delimiter: u8,
}

impl Table {
    /// Makes the table of a file that begins with `first`, if it has a record yet.
    pub(super) fn new(config: &FileSinkConfig, first: Option<&[u8]>) -> Self {
        let delimiter = config.delimiter_byte();
        let mut columns = config.columns.clone();
        if columns.is_empty()
            && let Some(first) = first
        {
            let name = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
            columns = fields(without_mark(first), delimiter)
                .iter()
                .map(|field| name(&field.text))
                .collect();
        }
        Self {
            columns,
            chosen: !config.columns.is_empty(),
            header: config.header,
            delimiter,
        }
    }

    /// Returns the line of column names; empty if the file has none or they are not known yet.
    pub(super) fn header_line(&self) -> Vec<u8> {
        if !self.header || self.columns.is_empty() {
            return Vec::new();
        }
        let names = self.columns.iter().map(|name| Some(Cow::Borrowed(&**name)));
        let mut line = Vec::new();
        self.push_record(&mut line, names);
        line
    }

    /// Puts a batch into records; a message that does not fit is rejected by itself.
    pub(super) fn lines(&mut self, batch: &Batch) -> Lines {
        let mut text = Vec::new();
        let mut outcomes = Outcomes::new(batch.records.len());
        for record in &batch.records {
            match self.push_message(&mut text, &record.message) {
                Ok(()) => outcomes.written(),
                Err(reason) => outcomes.rejected(reason),
            }
        }
        Lines {
            text,
            written: outcomes.finish(),
        }
    }

    fn push_message(&mut self, text: &mut Vec<u8>, message: &Message) -> Result<(), String> {
        let mut payload: Payload = message.payload.clone();
        let value = payload.value().map_err(|error| error.to_string())?;
        let Value::Object(object) = value else {
            return Err("payload is not a JSON object, so it cannot be a CSV record".to_owned());
        };
        if self.columns.is_empty() {
            if object.is_empty() {
                return Err("payload has no fields to make CSV columns from".to_owned());
            }
            self.columns = object.keys().cloned().collect();
        }
        if !self.chosen {
            self.refuse_strangers(object)?;
        }
        let cells = self.columns.iter().map(|path| cell(get_path(value, path)));
        self.push_record(text, cells);
        Ok(())
    }

    /// I6: a field that the operator has not left out is not dropped silently.
    fn refuse_strangers(&self, object: &Map<String, Value>) -> Result<(), String> {
        match object.keys().find(|name| !self.columns.contains(name)) {
            None => Ok(()),
            Some(name) => Err(format!(
                "field `{name}` has no CSV column; list the columns in `columns`"
            )),
        }
    }

    fn push_record<'a>(
        &self,
        text: &mut Vec<u8>,
        cells: impl ExactSizeIterator<Item = Option<Cow<'a, str>>>,
    ) {
        let single = cells.len() == 1;
        for (index, cell) in cells.enumerate() {
            if index > 0 {
                text.push(self.delimiter);
            }
            match cell {
                Some(cell) => push_text(text, cell.as_bytes(), self.delimiter),
                // A record of one empty field would be an empty line, which readers skip.
                None if single => push_text(text, b"", self.delimiter),
                None => {}
            }
        }
        text.push(b'\n');
    }
}

/// Returns a field's text: nothing for null and missing, JSON for lists and objects.
fn cell(value: Option<&Value>) -> Option<Cow<'_, str>> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(Cow::Borrowed(text)),
        other => Some(Cow::Owned(other.to_string())),
    }
}
