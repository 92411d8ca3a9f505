//! Pages of lists.

use super::{
    call::Call,
    route::{Parameter, ParameterKind},
    shape::Page,
};

/// Objects of a page at most.
const LIMIT_MAX: u64 = 200;

/// Objects of a page unless told otherwise.
const LIMIT: u64 = 50;

/// What lists take.
pub(crate) const PAGE: &[Parameter] = &[
    Parameter {
        name: "page",
        kind: ParameterKind::Number(1, 100_000),
        summary: "Which page; the first is 1",
    },
    Parameter {
        name: "limit",
        kind: ParameterKind::Number(1, LIMIT_MAX),
        summary: "Objects of a page; 50 unless told otherwise",
    },
    Parameter {
        name: "search",
        kind: ParameterKind::Text,
        summary: "Only those whose id or name holds this",
    },
];

/// Cuts the page that is asked for out of everything.
pub(crate) fn page_of<T>(call: &Call, all: Vec<T>) -> Page<T> {
    let (page, limit) = (call.number("page", 1), call.number("limit", LIMIT) as usize);
    let skip = (page.max(1) - 1) as usize * limit;
    let total = all.len();
    Page {
        data: all.into_iter().skip(skip).take(limit).collect(),
        total,
    }
}

impl<T> Page<T> {
    /// Makes a page of what is shown of its objects.
    pub(crate) fn map<V>(self, view: impl FnMut(T) -> V) -> Page<V> {
        Page {
            data: self.data.into_iter().map(view).collect(),
            total: self.total,
        }
    }
}
