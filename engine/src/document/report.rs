//! What is said about a document.

use hermod_sdk::{Problem, Problems};

/// Everything that is said about a document, in the order in which it was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// What keeps the document from being used.
    pub(crate) problems: Problems,
    /// What people should know.
    pub(crate) warnings: Vec<Problem>,
}

impl Report {
    /// Refuses what stands at a pointer.
    pub(crate) fn refuse(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.problems.add(pointer, message);
    }

    /// Warns about what stands at a pointer.
    pub(crate) fn warn(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Problem {
            pointer: pointer.into(),
            message: message.into(),
        });
    }
}
