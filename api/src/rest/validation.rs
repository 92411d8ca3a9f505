//! Bodies against the schemas of the table, every error at once.

use std::collections::HashMap;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::{openapi, route::Route};
use crate::platform::ProblemAt;

/// Errors of one body that are answered.
const ERRORS_MAX: usize = 50;

/// The compiled schemas of all requests.
pub(crate) struct Validators {
    by_operation: HashMap<&'static str, Validator>,
}

impl Validators {
    /// Compiles them; a schema that does not compile is a mistake in the table.
    pub(crate) fn new(routes: &[Route]) -> Result<Self, String> {
        let (schemas, components) = openapi::request_schemas(routes);
        let mut by_operation = HashMap::new();
        for (id, schema) in schemas {
            let whole = json!({"allOf": [schema], "components": {"schemas": components}});
            let validator = jsonschema::draft202012::new(&whole)
                .map_err(|error| format!("the schema of `{id}`: {}", error.masked()))?;
            by_operation.insert(id, validator);
        }
        Ok(Self { by_operation })
    }

    /// Returns everything that is wrong with a body.
    pub(crate) fn check(&self, id: &str, body: &Value) -> Vec<ProblemAt> {
        let Some(validator) = self.by_operation.get(id) else {
            return Vec::new();
        };
        let errors = validator.iter_errors(body).take(ERRORS_MAX);
        let problem = |error: jsonschema::ValidationError<'_>| ProblemAt {
            pointer: error.instance_path().to_string(),
            // I10: a value that is not valid may be a secret all the same.
            message: error.masked().to_string(),
            warning: false,
        };
        errors.map(problem).collect()
    }
}
