//! The OpenAPI 3.1 document, made from the table.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    route::{Access, MakeSchema, Parameter, ParameterKind, Route, Success},
    shape::{ID_PATTERN, ProblemShape},
};

fn generator(serialize: bool) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    if serialize {
        settings.for_serialize().into_generator()
    } else {
        settings.into_generator()
    }
}

/// Returns the schema of each operation's body, and the components that they refer to.
pub(crate) fn request_schemas(routes: &[Route]) -> (Vec<(&'static str, Value)>, Value) {
    let mut generator = generator(false);
    let schemas = routes.iter().filter_map(|route| {
        let make = route.request?;
        Some((route.id, make(&mut generator).to_value()))
    });
    let schemas = schemas.collect();
    (schemas, Value::Object(generator.take_definitions(true)))
}

/// Makes the document.
pub(crate) fn document(routes: &[Route]) -> Value {
    let (requests, inputs) = request_schemas(routes);
    let mut answers = generator(true);
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let body = requests.iter().find(|(id, _)| *id == route.id);
        let operation = operation(route, body.map(|(_, schema)| schema), &mut answers);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = path {
            methods.insert(route.method.as_str().to_lowercase(), operation);
        }
    }
    let mut schemas = answers.take_definitions(true);
    // A type that is both taken and answered has what is taken under the same name; ours differ in nothing else than
    // that an answer has every member.
    if let Value::Object(inputs) = inputs {
        for (name, schema) in inputs {
            schemas.insert(name, schema);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hermod",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The REST API of a Hermod node. Errors are problem documents (RFC 9457).",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": super::identity::COOKIE_NAME},
                "token": {"type": "http", "scheme": "bearer"},
                "registration": {
                    "type": "apiKey", "in": "header", "name": "X-Worker-Registration-Token",
                },
            },
        },
    })
}

fn operation(route: &Route, body: Option<&Value>, answers: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "tags": [tag(route.path)],
        "x-role": role(route.access),
        "security": security(route.access),
        "parameters": parameters(route),
        "responses": responses(route, answers),
    });
    if let Some(schema) = body {
        operation["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": schema}},
        });
    }
    operation
}

fn tag(path: &str) -> &str {
    path.split('/').nth(2).unwrap_or_default()
}

/// Returns the least role as the document says it.
pub(crate) fn role(access: Access) -> &'static str {
    match access {
        Access::Public => "Public",
        Access::Own => "Own",
        Access::Role(role) => role.as_str(),
        Access::Registration => "Registration",
    }
}

fn security(access: Access) -> Value {
    match access {
        Access::Public => json!([]),
        Access::Registration => json!([{"session": []}, {"token": []}, {"registration": []}]),
        Access::Own | Access::Role(_) => json!([{"session": []}, {"token": []}]),
    }
}

fn parameters(route: &Route) -> Value {
    let named = route.names().map(|name| {
        let schema = match name {
            "version" | "seq" => json!({"type": "integer", "minimum": 0}),
            _ => json!({"type": "string", "pattern": ID_PATTERN}),
        };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    });
    let asked = route.parameters.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "in": "query",
            "description": parameter.summary,
            "schema": parameter_schema(parameter),
        })
    });
    let mut all: Vec<Value> = named.chain(asked).collect();
    if route.if_match {
        all.push(json!({
            "name": "If-Match",
            "in": "header",
            "required": true,
            "description": "The `ETag` of what the change is based on",
            "schema": {"type": "string", "pattern": "^\"[0-9]+\"$"},
        }));
    }
    if route.is_unsafe() && route.access != Access::Public {
        all.push(json!({
            "name": "X-CSRF-Token",
            "in": "header",
            "description": "Needed with a session: the `csrf_token` of `GET /api/me`",
            "schema": {"type": "string"},
        }));
    }
    all.into()
}

fn parameter_schema(parameter: &Parameter) -> Value {
    match parameter.kind {
        ParameterKind::Text => json!({"type": "string", "maxLength": 200}),
        ParameterKind::Flag => json!({"type": "boolean"}),
        ParameterKind::Number(from, to) => {
            json!({"type": "integer", "minimum": from, "maximum": to})
        }
    }
}

fn responses(route: &Route, answers: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    let (status, mut good) = match route.success {
        Success::Json(status, make) => {
            (status, described("Done", "application/json", make, answers))
        }
        Success::Empty(status) => (status, json!({"description": "Done"})),
        Success::Events => (
            200,
            json!({
                "description": "Server-sent events: `status`, `gone`, `logs`, `missed`",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }),
        ),
    };
    if route.etag {
        good["headers"] = json!({"ETag": {"schema": {"type": "string"}}});
    }
    responses.insert(status.to_string(), good);
    for status in route.refusal_statuses() {
        let text = "A problem document";
        let problem = |generator: &mut SchemaGenerator| generator.subschema_for::<ProblemShape>();
        let refused = described(text, "application/problem+json", problem, answers);
        responses.insert(status.to_string(), refused);
    }
    responses.into()
}

fn described(text: &str, kind: &str, make: MakeSchema, answers: &mut SchemaGenerator) -> Value {
    let schema = make(answers).to_value();
    json!({"description": text, "content": {kind: {"schema": schema}}})
}
