//! Workflow documents: files of JSON or YAML, and where in them something stands.

mod json;
mod yaml;

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use hermod_api::Code;
use hermod_engine::{Catalog, Checked, check};
use hermod_sdk::Problem;
use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::{Detail, Failure};

/// Largest file that is read; a workflow of hundreds of nodes takes some 100 KiB.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// What stands for standard input in place of a file.
const STANDARD_INPUT: &str = "-";

/// Endings of the files that are taken for workflow documents.
const ENDINGS: [&str; 3] = ["json", "yaml", "yml"];

/// Line of each value by its JSON pointer; the first line is 1.
pub(crate) type Lines = BTreeMap<String, usize>;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// The document cannot be used.
    Error,
    /// It can, but a person should know.
    Warning,
}

/// Something to say about a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The file.
    pub(crate) file: PathBuf,
    /// Where in it, if that can be said.
    pub(crate) line: Option<usize>,
    /// JSON pointer to the value, empty for the whole document.
    pub(crate) pointer: String,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.pointer.is_empty() {
            write!(f, " {}:", self.pointer)?;
        }
        if self.severity == Severity::Warning {
            write!(f, " warning:")?;
        }
        write!(f, " {}", self.message)
    }
}

impl From<&Finding> for Detail {
    fn from(finding: &Finding) -> Self {
        let text = finding.to_string();
        let mut value = json!(finding);
        value["text"] = text.as_str().into();
        Self { text, value }
    }
}

/// A text that is not JSON or not YAML, or that says the same thing twice.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) line: Option<usize>,
    pointer: String,
    pub(crate) message: String,
}

impl Malformed {
    fn at(line: usize, message: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            pointer: String::new(),
            message: message.into(),
        }
    }
}

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Document {
    /// The file.
    pub(crate) file: PathBuf,
    /// What it says.
    pub(crate) value: Value,
    lines: Lines,
}

/// A document without a mistake.
pub(crate) struct Valid {
    /// As it stands in the file.
    pub(crate) bundle: Value,
    /// What it says.
    pub(crate) checked: Checked,
}

/// What came of checking files.
#[derive(Default)]
pub(crate) struct Checks {
    /// The documents that are valid, with their files.
    pub(crate) valid: Vec<(PathBuf, Valid)>,
    /// Everything that is to be said, in the order of the files.
    pub(crate) findings: Vec<Finding>,
}

impl Checks {
    /// Returns whether no document has an error.
    pub(crate) fn passed(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.severity == Severity::Warning)
    }
}

/// Reads and checks files, and finds everything at once.
pub(crate) fn check_files(files: &[PathBuf]) -> Checks {
    let mut checks = Checks::default();
    for file in files {
        check_file(file, &mut checks);
    }
    same_id_twice(&mut checks);
    checks
}

/// Reads and checks documents; warnings are logged, errors are all in the failure.
pub(crate) fn checked(files: &[PathBuf]) -> Result<Vec<(PathBuf, Valid)>, Failure> {
    let checks = check_files(files);
    if !checks.passed() {
        let errors = checks
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Error);
        let errors = errors.map(Detail::from).collect();
        return Err(Failure::new(Code::Document, Code::Document.title()).with_details(errors));
    }
    for finding in &checks.findings {
        tracing::warn!(
            file = %finding.file.display(), line = finding.line, pointer = finding.pointer,
            "{}", finding.message
        );
    }
    Ok(checks.valid)
}

fn check_file(file: &Path, checks: &mut Checks) {
    let document = match read(file) {
        Ok(document) => document,
        Err(finding) => return checks.findings.push(finding),
    };
    let catalog = Catalog {
        sources: hermod_connectors::SOURCES,
        sinks: hermod_connectors::SINKS,
    };
    match check(&document.value, &catalog) {
        Ok(checked) => {
            let warnings = checked.warnings.iter();
            checks
                .findings
                .extend(warnings.map(|w| document.finding(Severity::Warning, w)));
            let bundle = document.value;
            checks
                .valid
                .push((file.to_owned(), Valid { bundle, checked }));
        }
        Err(problems) => {
            let errors = problems.iter();
            checks
                .findings
                .extend(errors.map(|p| document.finding(Severity::Error, p)));
        }
    }
}

/// One id in two files would be one buffer for two workflows.
fn same_id_twice(checks: &mut Checks) {
    let mut seen: BTreeMap<&str, &Path> = BTreeMap::new();
    let mut twice = Vec::new();
    for (file, valid) in &checks.valid {
        let id = &*valid.checked.plan.id;
        match seen.get(id) {
            Some(first) => twice.push(Finding {
                file: file.clone(),
                line: None,
                pointer: "/workflow/id".to_owned(),
                severity: Severity::Error,
                message: format!(
                    "`{id}` is also the id of the workflow in `{}`",
                    first.display()
                ),
            }),
            None => {
                seen.insert(id, file);
            }
        }
    }
    checks.findings.extend(twice);
}

impl Document {
    fn finding(&self, severity: Severity, problem: &Problem) -> Finding {
        self.at(severity, &problem.pointer, &problem.message)
    }

    /// Makes a finding of the value at a pointer.
    pub(crate) fn at(&self, severity: Severity, pointer: &str, message: &str) -> Finding {
        Finding {
            file: self.file.clone(),
            line: line_of(&self.lines, pointer),
            pointer: pointer.to_owned(),
            severity,
            message: message.to_owned(),
        }
    }
}

/// Returns the line of a value, or of the nearest value around it where it does not exist itself.
fn line_of(lines: &Lines, pointer: &str) -> Option<usize> {
    let mut pointer = pointer;
    loop {
        if let Some(line) = lines.get(pointer) {
            return Some(*line);
        }
        pointer = &pointer[..pointer.rfind('/')?];
    }
}

/// Parses YAML that is no bundle.
pub(crate) fn parse_yaml(text: &str) -> Result<(Value, Lines), Malformed> {
    yaml::parse(text)
}

/// Reads a file; `-` is standard input, as YAML, which JSON is too.
pub(crate) fn read(file: &Path) -> Result<Document, Finding> {
    let unreadable = |message: String| Finding {
        file: file.to_owned(),
        line: None,
        pointer: String::new(),
        severity: Severity::Error,
        message,
    };
    let text = read_text(file).map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    let standard_input = file == Path::new(STANDARD_INPUT);
    let parsed = match file.extension().and_then(|ending| ending.to_str()) {
        Some("json") => json::parse(&text),
        Some("yaml" | "yml") => yaml::parse(&text),
        _ if standard_input => yaml::parse(&text),
        _ => {
            return Err(unreadable(
                "its name must end in `.json`, `.yaml` or `.yml`".to_owned(),
            ));
        }
    };
    let (value, lines) = parsed.map_err(|malformed| Finding {
        line: malformed.line,
        pointer: malformed.pointer,
        ..unreadable(malformed.message)
    })?;
    Ok(Document {
        file: file.to_owned(),
        value,
        lines,
    })
}

fn read_text(file: &Path) -> io::Result<String> {
    if file == Path::new(STANDARD_INPUT) {
        let mut text = String::new();
        let read = io::stdin()
            .take(FILE_BYTES_MAX + 1)
            .read_to_string(&mut text)?;
        if read as u64 > FILE_BYTES_MAX {
            let message = format!("holds more than the {FILE_BYTES_MAX} bytes that are read");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        return Ok(text);
    }
    let bytes = fs::metadata(file)?.len();
    if bytes > FILE_BYTES_MAX {
        let message = format!("{bytes} bytes are more than the {FILE_BYTES_MAX} that are read");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    fs::read_to_string(file)
}

/// Returns the workflow documents of a directory, ordered by name; hidden files are left out.
pub(crate) fn files_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let ending = path.extension().and_then(|ending| ending.to_str());
        if !hidden && ending.is_some_and(|ending| ENDINGS.contains(&ending)) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Escapes a name for use in a JSON pointer.
fn step(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_value_stands_where_the_value_around_it_does() {
        let lines = Lines::from([(String::new(), 1), ("/a".to_owned(), 2)]);
        assert_eq!(line_of(&lines, "/a/b/c"), Some(2));
        assert_eq!(line_of(&lines, "/x"), Some(1));
    }

    #[test]
    fn a_finding_reads_like_a_compiler_message() {
        let finding = Finding {
            file: "w.yaml".into(),
            line: Some(3),
            pointer: "/workflow/nodes/0".to_owned(),
            severity: Severity::Error,
            message: "`id` is missing".to_owned(),
        };
        assert_eq!(
            finding.to_string(),
            "w.yaml:3: /workflow/nodes/0: `id` is missing"
        );
    }
}
