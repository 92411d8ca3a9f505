//! What requests and answers look like.

use std::collections::BTreeMap;

use hermod_storage::registry::AccessRole;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    LogLine,
    platform::{Backlog, Connector, ProblemAt, WorkflowStatus},
};

/// What an id may be: it stands in paths.
pub(crate) const ID_PATTERN: &str = r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}$";

/// A page of a list.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Page<T> {
    /// The objects of the page.
    pub(crate) data: Vec<T>,
    /// How many there are on all pages.
    pub(crate) total: usize,
}

/// Everything of a list that is never long.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Whole<T> {
    /// The objects.
    pub(crate) data: Vec<T>,
}

/// A problem document (RFC 9457).
#[derive(JsonSchema)]
#[expect(
    dead_code,
    reason = "only its schema is used; the answer is made in one place"
)]
pub(crate) struct ProblemShape {
    /// A name of the error, `urn:hermod:error:` and its code.
    r#type: String,
    /// What it is, the same for every occurrence.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What it is this time.
    detail: String,
    /// The code; each has a page in the documentation.
    code: String,
    /// What to do.
    hint: String,
    /// Everything that is wrong with a document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ProblemAt>,
}

/// Role of a person or a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum RoleName {
    /// Looks.
    Viewer,
    /// Changes workflows, sources and sinks.
    Editor,
    /// Does everything.
    Administrator,
}

impl From<RoleName> for AccessRole {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Editor => Self::Editor,
            RoleName::Administrator => Self::Administrator,
        }
    }
}

impl From<AccessRole> for RoleName {
    fn from(role: AccessRole) -> Self {
        match role {
            AccessRole::Viewer => Self::Viewer,
            AccessRole::Editor => Self::Editor,
            AccessRole::Administrator => Self::Administrator,
        }
    }
}

/// Whether the platform has to be set up.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SetupState {
    /// Whether there is no administrator yet.
    pub(crate) needed: bool,
}

/// The first administrator, with the token that the node has printed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setup {
    /// From the setup link.
    #[schemars(length(max = 200), extend("writeOnly" = true))]
    pub(crate) token: String,
    /// Lower-case letters, digits, `.`, `_`, `-`, `@`.
    #[schemars(regex(pattern = r"^[a-z0-9._@-]{1,64}$"))]
    pub(crate) username: String,
    /// Twelve characters at least.
    #[schemars(length(min = 12, max = 256), extend("writeOnly" = true))]
    pub(crate) password: String,
    /// For people.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub(crate) full_name: String,
}

/// Name and password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// Who.
    #[schemars(length(max = 200))]
    pub(crate) username: String,
    /// Their password.
    #[schemars(length(max = 1024), extend("writeOnly" = true))]
    pub(crate) password: String,
}

/// Who is signed in.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Me {
    /// Their name.
    pub(crate) username: String,
    /// Their name for people.
    pub(crate) full_name: String,
    /// What they may do, by this session or token.
    pub(crate) role: RoleName,
    /// What the session's requests send as `X-CSRF-Token`; absent with a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) csrf_token: Option<String>,
    /// Operations of this API that they may use.
    pub(crate) capabilities: Vec<String>,
}

/// A new password of one's own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    /// The present one.
    #[schemars(length(max = 1024), extend("writeOnly" = true))]
    pub(crate) current: String,
    /// Twelve characters at least.
    #[schemars(length(min = 12, max = 256), extend("writeOnly" = true))]
    pub(crate) new: String,
}

/// A new password of somebody else.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordReset {
    /// Twelve characters at least.
    #[schemars(length(min = 12, max = 256), extend("writeOnly" = true))]
    pub(crate) new: String,
}

/// A person.
#[derive(Serialize, JsonSchema)]
pub(crate) struct UserView {
    /// With which they log in; the id.
    pub(crate) username: String,
    /// For people.
    pub(crate) full_name: String,
    /// For people.
    pub(crate) email: String,
    /// What they may do.
    pub(crate) role: RoleName,
    /// Whether they may log in.
    pub(crate) disabled: bool,
    /// The version, as `If-Match` takes it.
    pub(crate) etag: String,
    /// When it was made.
    pub(crate) created_at: String,
    /// When it was last changed.
    pub(crate) changed_at: String,
}

/// A person to be added.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// Lower-case letters, digits, `.`, `_`, `-`, `@`.
    #[schemars(regex(pattern = r"^[a-z0-9._@-]{1,64}$"))]
    pub(crate) username: String,
    /// Twelve characters at least.
    #[schemars(length(min = 12, max = 256), extend("writeOnly" = true))]
    pub(crate) password: String,
    /// What they may do.
    pub(crate) role: RoleName,
    /// For people.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub(crate) full_name: String,
    /// For people.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub(crate) email: String,
}

/// What a person becomes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChange {
    /// What they may do.
    pub(crate) role: RoleName,
    /// For people.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub(crate) full_name: String,
    /// For people.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub(crate) email: String,
    /// Whether they may not log in.
    #[serde(default)]
    pub(crate) disabled: bool,
}

/// An API token without itself.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TokenView {
    /// Its id.
    pub(crate) id: String,
    /// For people.
    pub(crate) name: String,
    /// Whose it is.
    pub(crate) user: String,
    /// The most that it lets do.
    pub(crate) role: RoleName,
    /// When it was made.
    pub(crate) created_at: String,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<String>,
}

/// An API token, this once.
#[derive(Serialize, JsonSchema)]
pub(crate) struct TokenMade {
    /// Its id.
    pub(crate) id: String,
    /// Itself. It is kept nowhere and shown never again.
    pub(crate) token: String,
}

/// An API token to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// For people.
    #[schemars(length(min = 1, max = 100))]
    pub(crate) name: String,
    /// The most that it lets do; one's own role at most.
    pub(crate) role: RoleName,
    /// After so many days it ends; without, it lasts until it is revoked.
    #[serde(default)]
    #[schemars(range(min = 1, max = 3650))]
    pub(crate) expires_in_days: Option<u32>,
}

/// A source or sink.
#[derive(JsonSchema)]
#[expect(
    dead_code,
    reason = "only its schema is used; documents keep what is not known"
)]
pub(crate) struct ConnectionView {
    /// Its id.
    id: String,
    /// Its kind.
    r#type: String,
    /// Its configuration; a secret shows as `{"$secret": "set"}`.
    config: Map<String, Value>,
    /// The version, as `If-Match` takes it.
    etag: String,
    /// When it was made.
    created_at: String,
    /// When it was last changed.
    changed_at: String,
}

/// A source or sink to be written. What is not listed is kept too.
#[derive(JsonSchema)]
#[expect(
    dead_code,
    reason = "only its schema is used; documents keep what is not known"
)]
pub(crate) struct ConnectionDraft {
    /// Its id; one is made where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = ID_PATTERN))]
    id: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    name: Option<String>,
    /// Its kind; see the connectors.
    #[schemars(length(min = 1, max = 100))]
    r#type: String,
    /// Its configuration. A secret that is absent, or `{"$secret": "set"}`, is as it was; `null` removes it.
    #[serde(default)]
    config: Map<String, Value>,
    /// The worker that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    worker_id: Option<String>,
}

/// The ids of workflows.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Users {
    /// The workflows that name it.
    pub(crate) workflows: Vec<String>,
}

/// A workflow.
#[derive(JsonSchema)]
#[expect(
    dead_code,
    reason = "only its schema is used; documents keep what is not known"
)]
pub(crate) struct WorkflowView {
    /// Its id.
    id: String,
    /// Whether it is to run.
    active: bool,
    /// Its version: each save makes the next one.
    version: u64,
    /// The owner of its lease: node and start; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner_id: Option<String>,
    /// The owner's name, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// When the lease ends if it is not renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease_until: Option<String>,
    /// The epoch of the lease; it only grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<WorkflowStatus>,
    /// The version of the object, as `If-Match` takes it.
    etag: String,
    /// When it was made.
    created_at: String,
    /// When it was last changed.
    changed_at: String,
}

/// A workflow to be written. What is not listed is kept too.
#[derive(JsonSchema)]
#[expect(
    dead_code,
    reason = "only its schema is used; documents keep what is not known"
)]
pub(crate) struct WorkflowDraft {
    /// Its id; one is made where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = ID_PATTERN))]
    id: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    name: Option<String>,
    /// Whether a new one is to run at once. Later, start and stop say so.
    #[serde(default)]
    active: bool,
    /// The nodes of the graph.
    #[schemars(length(max = 1000))]
    nodes: Vec<Map<String, Value>>,
    /// The edges of the graph.
    #[serde(default)]
    #[schemars(length(max = 5000))]
    edges: Vec<Map<String, Value>>,
    /// The worker that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    worker_id: Option<String>,
    /// The sink of dead letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    dead_letter_sink_id: Option<String>,
}

/// A bundle: a workflow with the sources and sinks that it names.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "only its schema is used; documents keep what is not known"
)]
pub(crate) struct BundleDraft {
    /// The workflow.
    workflow: WorkflowDraft,
    /// Its sources, with their ids.
    #[serde(default)]
    #[schemars(length(max = 80))]
    sources: Vec<ConnectionDraft>,
    /// Its sinks, with their ids.
    #[serde(default)]
    #[schemars(length(max = 80))]
    sinks: Vec<ConnectionDraft>,
}

/// A bundle, secrets left out.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct BundleView {
    /// The workflow.
    workflow: Map<String, Value>,
    /// Its sources.
    sources: Vec<Map<String, Value>>,
    /// Its sinks.
    sinks: Vec<Map<String, Value>>,
}

/// What is wrong with a document.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Findings {
    /// Whether it can be used.
    pub(crate) valid: bool,
    /// Errors and warnings.
    pub(crate) problems: Vec<ProblemAt>,
}

/// A version of a workflow.
#[derive(Serialize, JsonSchema)]
pub(crate) struct VersionView {
    /// Its number.
    pub(crate) version: u64,
    /// Who saved it.
    pub(crate) author: String,
    /// Why.
    pub(crate) message: String,
    /// When.
    pub(crate) saved_at: String,
    /// What it says; in lists it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) document: Option<Map<String, Value>>,
}

/// All connectors.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Connectors<'a> {
    /// Sources first.
    pub(crate) data: &'a [Connector],
}

/// A worker.
#[derive(Serialize, JsonSchema)]
pub(crate) struct WorkerView {
    /// Its id.
    pub(crate) id: String,
    /// For people.
    pub(crate) name: String,
    /// The id of the node behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    /// Whether it was heard of lately.
    pub(crate) alive: bool,
    /// When it was last heard of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seen_at: Option<String>,
    /// Whether it gives its workflows away.
    pub(crate) draining: bool,
    /// Workflows whose lease it holds.
    pub(crate) workflows: usize,
    /// Everything else that it says of itself.
    pub(crate) details: Map<String, Value>,
    /// The version, as `If-Match` takes it.
    pub(crate) etag: String,
}

/// A worker that says what it is.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkerDraft {
    /// Its id, `--worker-guid`.
    #[schemars(regex(pattern = ID_PATTERN))]
    pub(crate) id: String,
    /// For people; its id unless told otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub(crate) name: Option<String>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub(crate) host: Option<String>,
    /// Where it answers probes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u16>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub(crate) description: Option<String>,
}

/// What waits on the disks of nodes.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Backlogs {
    /// The streams.
    pub(crate) data: Vec<Backlog>,
}

/// A stream to be declared lost, by name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Loss {
    /// Its workflow.
    #[schemars(length(min = 1, max = 100))]
    pub(crate) workflow: String,
    /// Its name.
    #[schemars(length(min = 1, max = 500))]
    pub(crate) stream: String,
    /// Why.
    #[schemars(length(min = 1, max = 1000))]
    pub(crate) reason: String,
}

/// An entry of the journal.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AuditView {
    /// Its number.
    pub(crate) sequence: u64,
    /// When.
    pub(crate) at: String,
    /// Who; empty for the node itself.
    pub(crate) user: String,
    /// What.
    pub(crate) action: String,
    /// Done to what.
    pub(crate) entity_kind: String,
    /// Done to which.
    pub(crate) entity_id: String,
    /// What changed; secrets are left out.
    pub(crate) details: Value,
}

/// A piece of the journal, newest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AuditPage {
    /// The entries.
    pub(crate) data: Vec<AuditView>,
    /// The `before` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<u64>,
}

/// How much of the journal is let go of.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trim {
    /// The first number that stays.
    pub(crate) first: u64,
}

/// Where the journal begins.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Trimmed {
    /// The first number that is kept.
    pub(crate) first: u64,
}

/// A setting.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SettingView {
    /// Its name.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: Value,
    /// The version, as `If-Match` takes it.
    pub(crate) etag: String,
    /// When it was last changed.
    pub(crate) changed_at: String,
}

/// A setting to be written.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingDraft {
    /// Its value.
    pub(crate) value: Value,
}

/// Lines of the node's log.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Logs {
    /// The lines, oldest first.
    pub(crate) data: Vec<LogLine>,
    /// The `from` of the next question.
    pub(crate) next: u64,
}

/// A schema of anything.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct AnyObject(pub(crate) BTreeMap<String, Value>);
