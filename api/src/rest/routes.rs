//! The table: every route with who may use it. What is not in it does not exist.

use std::{future::Future, sync::Arc};

use hyper::Method;

use super::{
    Shared, audit,
    call::{Call, Reply},
    connection, connectors, dead_letter, events, fleet,
    page::PAGE,
    route::{
        ADMINISTRATOR, Access, EDITOR, Handling, Parameter, ParameterKind, Route, Success, VIEWER,
        json, made, route,
    },
    session, setting,
    shape::{
        AnyObject, AuditPage, Backlogs, BundleDraft, BundleView, ConnectionDraft, ConnectionView,
        Connectors, Findings, Login, Logs, Loss, Me, NewToken, NewUser, Page, PasswordChange,
        PasswordReset, SettingDraft, SettingView, Setup, SetupState, TokenMade, TokenView, Trim,
        Trimmed, UserChange, UserView, Users, VersionView, Whole, WorkerDraft, WorkerView,
        WorkflowDraft, WorkflowView,
    },
    token, transfer, user, workflow,
};
use crate::{
    platform::{
        Changed, Cluster, Connector, Database, DeadLetter, DeadLetterPage, Direction, NodeInfo,
        Probe, Selection, WorkflowStatus,
    },
    problem::Problem,
};

const DONE: Success = Success::Empty(204);

fn get(path: &'static str) -> (Method, &'static str) {
    (Method::GET, path)
}

fn post(path: &'static str) -> (Method, &'static str) {
    (Method::POST, path)
}

fn put(path: &'static str) -> (Method, &'static str) {
    (Method::PUT, path)
}

fn delete(path: &'static str) -> (Method, &'static str) {
    (Method::DELETE, path)
}

const fn text(name: &'static str, summary: &'static str) -> Parameter {
    let kind = ParameterKind::Text;
    Parameter {
        name,
        kind,
        summary,
    }
}

const fn flag(name: &'static str, summary: &'static str) -> Parameter {
    let kind = ParameterKind::Flag;
    Parameter {
        name,
        kind,
        summary,
    }
}

const fn number(name: &'static str, from: u64, to: u64, summary: &'static str) -> Parameter {
    let kind = ParameterKind::Number(from, to);
    Parameter {
        name,
        kind,
        summary,
    }
}

fn boxed<F>(doing: F) -> Handling
where
    F: Future<Output = Result<Reply, Problem>> + Send + 'static,
{
    Box::pin(doing)
}

/// Boxes what a handler does, so that handlers of all kinds fit the table.
macro_rules! by {
    ($handler:path) => {
        |shared: Arc<Shared>, call: Call| boxed($handler(shared, call))
    };
    ($handler:path, $side:path) => {
        |shared: Arc<Shared>, call: Call| boxed($handler(shared, call, $side))
    };
}

/// Returns the table.
pub(crate) fn routes() -> Vec<Route> {
    let mut table = account();
    table.extend(people());
    table.extend(sources());
    table.extend(sinks());
    table.extend(workflows());
    table.extend(runs());
    table.extend(fleet());
    table.extend(platform());
    table
}

#[rustfmt::skip]
fn account() -> Vec<Route> {
    vec![
        route(get("/api/setup"), "getSetup", Access::Public, "Says whether the platform has to be set up", json::<SetupState>(), by!(session::state)),
        route(post("/api/setup"), "setUp", Access::Public, "Makes the first administrator, with the token that the node has printed", made::<Me>(), by!(session::setup))
            .takes::<Setup>().refuses(&[403, 409, 429]),
        route(post("/api/login"), "logIn", Access::Public, "Opens a session", json::<Me>(), by!(session::login))
            .takes::<Login>().refuses(&[401, 429]),
        route(post("/api/logout"), "logOut", Access::Own, "Ends the session", DONE, by!(session::logout)),
        route(post("/api/logout-everywhere"), "logOutEverywhere", Access::Own, "Ends all sessions of the caller", DONE, by!(session::logout_everywhere)),
        route(get("/api/me"), "getMe", Access::Own, "Says who is signed in and what they may do", json::<Me>(), by!(session::me)),
        route(put("/api/me/password"), "changePassword", Access::Own, "Changes one's own password and ends one's other sessions", DONE, by!(session::change_password))
            .takes::<PasswordChange>().refuses(&[404, 412, 429]),
        route(get("/api/tokens"), "listTokens", Access::Own, "Lists one's own API tokens; an administrator sees all", json::<Whole<TokenView>>(), by!(token::list)),
        route(post("/api/tokens"), "createToken", Access::Own, "Makes an API token and shows it this once", made::<TokenMade>(), by!(token::create))
            .takes::<NewToken>().refuses(&[409]),
        route(delete("/api/tokens/{id}"), "deleteToken", Access::Own, "Revokes an API token", DONE, by!(token::delete)),
    ]
}

#[rustfmt::skip]
fn people() -> Vec<Route> {
    vec![
        route(get("/api/users"), "listUsers", ADMINISTRATOR, "Lists people", json::<Page<UserView>>(), by!(user::list)).query(PAGE),
        route(post("/api/users"), "createUser", ADMINISTRATOR, "Adds a person", made::<UserView>(), by!(user::create))
            .takes::<NewUser>().etag().refuses(&[404, 409]),
        route(get("/api/users/{id}"), "getUser", ADMINISTRATOR, "Shows a person", json::<UserView>(), by!(user::read)).etag(),
        route(put("/api/users/{id}"), "updateUser", ADMINISTRATOR, "Changes a person", json::<UserView>(), by!(user::update))
            .takes::<UserChange>().if_match().etag().refuses(&[409]),
        route(delete("/api/users/{id}"), "deleteUser", ADMINISTRATOR, "Removes a person with their sessions and tokens", DONE, by!(user::delete))
            .if_match().refuses(&[409]),
        route(put("/api/users/{id}/password"), "resetPassword", ADMINISTRATOR, "Sets a person's password and ends their sessions", DONE, by!(user::reset_password))
            .takes::<PasswordReset>().refuses(&[409]),
    ]
}

#[rustfmt::skip]
fn sources() -> Vec<Route> {
    vec![
        route(get("/api/sources"), "listSources", VIEWER, "Lists sources", json::<Page<ConnectionView>>(), by!(connection::list, Direction::Source)).query(PAGE),
        route(post("/api/sources"), "createSource", EDITOR, "Makes a source", made::<ConnectionView>(), by!(connection::create, Direction::Source))
            .takes::<ConnectionDraft>().etag().refuses(&[404, 409]),
        route(post("/api/sources/test"), "testSource", EDITOR, "Tries a source that is not saved", json::<Probe>(), by!(connection::test, Direction::Source))
            .takes::<ConnectionDraft>(),
        route(get("/api/sources/{id}"), "getSource", VIEWER, "Shows a source", json::<ConnectionView>(), by!(connection::read, Direction::Source)).etag(),
        route(put("/api/sources/{id}"), "updateSource", EDITOR, "Changes a source", json::<ConnectionView>(), by!(connection::update, Direction::Source))
            .takes::<ConnectionDraft>().if_match().etag(),
        route(delete("/api/sources/{id}"), "deleteSource", EDITOR, "Removes a source that no workflow names", DONE, by!(connection::delete, Direction::Source))
            .if_match().refuses(&[409]),
        route(post("/api/sources/{id}/test"), "testSavedSource", EDITOR, "Tries a source", json::<Probe>(), by!(connection::test_saved, Direction::Source)),
        route(get("/api/sources/{id}/workflows"), "listSourceWorkflows", VIEWER, "Lists the workflows that name a source", json::<Users>(), by!(connection::users, Direction::Source)),
    ]
}

#[rustfmt::skip]
fn sinks() -> Vec<Route> {
    vec![
        route(get("/api/sinks"), "listSinks", VIEWER, "Lists sinks", json::<Page<ConnectionView>>(), by!(connection::list, Direction::Sink)).query(PAGE),
        route(post("/api/sinks"), "createSink", EDITOR, "Makes a sink", made::<ConnectionView>(), by!(connection::create, Direction::Sink))
            .takes::<ConnectionDraft>().etag().refuses(&[404, 409]),
        route(post("/api/sinks/test"), "testSink", EDITOR, "Tries a sink that is not saved", json::<Probe>(), by!(connection::test, Direction::Sink))
            .takes::<ConnectionDraft>(),
        route(get("/api/sinks/{id}"), "getSink", VIEWER, "Shows a sink", json::<ConnectionView>(), by!(connection::read, Direction::Sink)).etag(),
        route(put("/api/sinks/{id}"), "updateSink", EDITOR, "Changes a sink", json::<ConnectionView>(), by!(connection::update, Direction::Sink))
            .takes::<ConnectionDraft>().if_match().etag(),
        route(delete("/api/sinks/{id}"), "deleteSink", EDITOR, "Removes a sink that no workflow names", DONE, by!(connection::delete, Direction::Sink))
            .if_match().refuses(&[409]),
        route(post("/api/sinks/{id}/test"), "testSavedSink", EDITOR, "Tries a sink", json::<Probe>(), by!(connection::test_saved, Direction::Sink)),
        route(get("/api/sinks/{id}/workflows"), "listSinkWorkflows", VIEWER, "Lists the workflows that name a sink", json::<Users>(), by!(connection::users, Direction::Sink)),
    ]
}

const MESSAGE: Parameter = text("message", "Why, for the list of versions");
const REPLACE: Parameter = flag("replace", "Whether what exists is replaced");
const DISCARD: Parameter = flag("discard", "Whether messages that wait are given up");

#[rustfmt::skip]
fn workflows() -> Vec<Route> {
    vec![
        route(get("/api/workflows"), "listWorkflows", VIEWER, "Lists workflows", json::<Page<WorkflowView>>(), by!(workflow::list)).query(PAGE),
        route(post("/api/workflows"), "createWorkflow", EDITOR, "Makes a workflow", made::<WorkflowView>(), by!(workflow::create))
            .takes::<WorkflowDraft>().query(&[MESSAGE]).etag().refuses(&[404, 409]),
        route(post("/api/workflows/validate"), "validateBundle", EDITOR, "Checks a bundle that is not saved", json::<Findings>(), by!(workflow::validate))
            .takes::<AnyObject>(),
        route(post("/api/workflows/import"), "importBundle", EDITOR, "Takes a bundle in, stopped, all or nothing", made::<WorkflowView>(), by!(transfer::import))
            .takes::<BundleDraft>().query(&[REPLACE]).etag().refuses(&[404, 409]),
        route(get("/api/workflows/{id}"), "getWorkflow", VIEWER, "Shows a workflow", json::<WorkflowView>(), by!(workflow::read)).etag(),
        route(put("/api/workflows/{id}"), "updateWorkflow", EDITOR, "Saves a workflow as its next version", json::<WorkflowView>(), by!(workflow::update))
            .takes::<WorkflowDraft>().query(&[MESSAGE]).if_match().etag().refuses(&[409]),
        route(delete("/api/workflows/{id}"), "deleteWorkflow", EDITOR, "Removes a workflow that is stopped", DONE, by!(workflow::delete))
            .query(&[DISCARD]).if_match().refuses(&[409]),
        route(get("/api/workflows/{id}/versions"), "listVersions", VIEWER, "Lists the versions that are kept, newest first", json::<Whole<VersionView>>(), by!(workflow::versions)),
        route(get("/api/workflows/{id}/versions/{version}"), "getVersion", VIEWER, "Shows a version", json::<VersionView>(), by!(workflow::version)),
        route(post("/api/workflows/{id}/rollback/{version}"), "rollBack", EDITOR, "Saves an old version as the next one", json::<WorkflowView>(), by!(workflow::rollback))
            .if_match().etag().refuses(&[409, 422]),
        route(get("/api/workflows/{id}/export"), "exportBundle", VIEWER, "Shows a workflow with its sources and sinks, secrets left out", json::<BundleView>(), by!(transfer::export)),
    ]
}

const DEAD_LETTERS: &[Parameter] = &[
    text("node", "Only those of this node"),
    text("sink", "Only those that this sink did not get"),
    text("kind", "Only those of this kind of failure"),
    flag(
        "closed",
        "Whether replayed and discarded ones are listed too",
    ),
    number("from", 0, u64::MAX, "Only numbers from this on"),
    number(
        "limit",
        1,
        1000,
        "So many of each node at most; 50 unless told otherwise",
    ),
];

#[rustfmt::skip]
fn runs() -> Vec<Route> {
    vec![
        route(post("/api/workflows/{id}/start"), "startWorkflow", EDITOR, "Lets a workflow run", json::<WorkflowView>(), by!(workflow::start))
            .etag().refuses(&[409, 422]),
        route(post("/api/workflows/{id}/stop"), "stopWorkflow", EDITOR, "Stops a workflow; what was taken is delivered", json::<WorkflowView>(), by!(workflow::stop)).etag(),
        route(get("/api/workflows/{id}/validate"), "validateWorkflow", VIEWER, "Checks a workflow as it is saved", json::<Findings>(), by!(workflow::validate_saved)),
        route(get("/api/workflows/{id}/status"), "getStatus", VIEWER, "Shows how a workflow is", json::<WorkflowStatus>(), by!(workflow::status)).refuses(&[409, 422]),
        route(get("/api/workflows/{id}/dead-letters"), "listDeadLetters", VIEWER, "Lists dead letters of all nodes, without their messages", json::<DeadLetterPage>(), by!(dead_letter::list))
            .query(DEAD_LETTERS).refuses(&[409, 422]),
        route(get("/api/workflows/{id}/dead-letters/{node}/{seq}"), "getDeadLetter", EDITOR, "Shows a dead letter with its message", json::<DeadLetter>(), by!(dead_letter::read))
            .refuses(&[409, 422]),
        route(post("/api/workflows/{id}/dead-letters/replay"), "replayDeadLetters", EDITOR, "Puts dead letters back as new messages", json::<Changed>(), by!(dead_letter::replay))
            .takes::<Selection>().refuses(&[409]),
        route(post("/api/workflows/{id}/dead-letters/discard"), "discardDeadLetters", EDITOR, "Drops dead letters", json::<Changed>(), by!(dead_letter::discard))
            .takes::<Selection>().refuses(&[409]),
    ]
}

#[rustfmt::skip]
fn fleet() -> Vec<Route> {
    vec![
        route(get("/api/workers"), "listWorkers", VIEWER, "Lists workers", json::<Whole<WorkerView>>(), by!(fleet::workers)),
        route(post("/api/workers"), "registerWorker", Access::Registration, "Registers a worker", made::<WorkerView>(), by!(fleet::register))
            .takes::<WorkerDraft>().etag().refuses(&[404]),
        route(get("/api/workers/{id}"), "getWorker", VIEWER, "Shows a worker", json::<WorkerView>(), by!(fleet::worker)).etag(),
        route(delete("/api/workers/{id}"), "deleteWorker", ADMINISTRATOR, "Removes a worker's entry", DONE, by!(fleet::remove_worker)).if_match(),
        route(post("/api/workers/{id}/drain"), "drainWorker", ADMINISTRATOR, "Lets a worker give its workflows away", json::<WorkerView>(), by!(fleet::drain)).etag(),
        route(post("/api/workers/{id}/resume"), "resumeWorker", ADMINISTRATOR, "Lets a worker take workflows again", json::<WorkerView>(), by!(fleet::resume)).etag(),
        route(get("/api/cluster"), "getCluster", VIEWER, "Shows the cluster as this node knows it", json::<Cluster>(), by!(fleet::cluster)).refuses(&[404, 409, 422]),
        route(delete("/api/cluster/nodes/{name}"), "removeNode", ADMINISTRATOR, "Removes a node from the cluster", DONE, by!(fleet::remove_node)).refuses(&[409, 422]),
        route(post("/api/cluster/nodes/{name}/lead"), "transferLeader", ADMINISTRATOR, "Hands leadership to a node", DONE, by!(fleet::lead)).refuses(&[409, 422]),
        route(get("/api/backlogs"), "listBacklogs", VIEWER, "Lists what waits on the disks of nodes", json::<Backlogs>(), by!(fleet::backlogs)).refuses(&[404, 409, 422]),
        route(post("/api/backlogs/declare-lost"), "declareLost", ADMINISTRATOR, "Gives a stranded stream up, by name", DONE, by!(fleet::declare_lost))
            .takes::<Loss>().refuses(&[404, 409]),
    ]
}

const AUDIT: &[Parameter] = &[
    number(
        "before",
        0,
        u64::MAX,
        "Only lower numbers: `next` of the page before",
    ),
    number(
        "limit",
        1,
        1000,
        "Entries of a page; 100 unless told otherwise",
    ),
    number(
        "from_ms",
        0,
        u64::MAX,
        "Not before this, in milliseconds since 1970",
    ),
    number(
        "until_ms",
        0,
        u64::MAX,
        "Before this, in milliseconds since 1970",
    ),
    text("user", "Only of this person"),
    text("action", "Only of this action"),
    text("entity_kind", "Only done to this kind of thing"),
    text("entity_id", "Only done to this thing"),
];

const LEVEL: Parameter = text("level", "The least level: `debug`, `info`, `warn`, `error`");
const WORKFLOW: Parameter = text("workflow", "Only of this workflow");

#[rustfmt::skip]
fn platform() -> Vec<Route> {
    vec![
        route(get("/api/connectors"), "listConnectors", VIEWER, "Lists connectors with their schemas", json::<Connectors<'static>>(), by!(connectors::list)),
        route(get("/api/connectors/{direction}/{type}"), "getConnector", VIEWER, "Shows a connector", json::<Connector>(), by!(connectors::read)),
        route(get("/api/audit"), "listAudit", ADMINISTRATOR, "Lists what was done by whom, newest first", json::<AuditPage>(), by!(audit::list)).query(AUDIT),
        route(post("/api/audit/trim"), "trimAudit", ADMINISTRATOR, "Lets go of old entries", json::<Trimmed>(), by!(audit::trim)).takes::<Trim>(),
        route(get("/api/settings"), "listSettings", ADMINISTRATOR, "Lists settings that are not at their default", json::<Whole<SettingView>>(), by!(setting::list)),
        route(get("/api/settings/{name}"), "getSetting", ADMINISTRATOR, "Shows a setting", json::<SettingView>(), by!(setting::read)).etag(),
        route(put("/api/settings/{name}"), "saveSetting", ADMINISTRATOR, "Writes a setting; one that has its default has the tag \"0\"", json::<SettingView>(), by!(setting::save))
            .takes::<SettingDraft>().if_match().etag(),
        route(delete("/api/settings/{name}"), "deleteSetting", ADMINISTRATOR, "Puts a setting back to its default", DONE, by!(setting::delete)).if_match(),
        route(get("/api/config/database"), "getDatabase", ADMINISTRATOR, "Shows where the metadata is kept", json::<Database>(), by!(connectors::database)),
        route(get("/api/logs"), "listLogs", VIEWER, "Shows the latest lines of this node's log", json::<Logs>(), by!(connectors::logs))
            .query(&[LEVEL, WORKFLOW, number("from", 0, u64::MAX, "Only numbers from this on"), number("limit", 1, 1000, "So many at most, the latest; 200 unless told otherwise")]),
        route(get("/api/events"), "streamEvents", VIEWER, "Sends the status of workflows as it changes, twice a second at most", Success::Events, by!(events::open))
            .query(&[LEVEL, WORKFLOW, flag("logs", "Whether lines of the log are sent too")]).refuses(&[429]),
        route(get("/api/version"), "getVersionOfNode", Access::Public, "Says what this node is", json::<NodeInfo>(), by!(connectors::version)),
        route(get("/api/openapi.json"), "getOpenApi", Access::Public, "Shows this document", json::<AnyObject>(), by!(connectors::openapi)),
    ]
}
