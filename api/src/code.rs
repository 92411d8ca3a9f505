//! The codes of errors that an operator sees.

/// An error's code. Each has a page `docs/errors/HMD-nnnn.md` with its causes and what to do.
///
/// Numbers below 100 are of the process and its tools, from 100 on of HTTP answers. A number is never
/// given to another error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A configuration key is unknown or its value is not usable.
    Configuration,
    /// A workflow document is not valid.
    Document,
    /// Another process holds the data directory.
    DirectoryLocked,
    /// The data directory was written by a newer version.
    DirectoryNewer,
    /// The data directory cannot be used.
    DirectoryUnusable,
    /// Another process listens on the port.
    PortInUse,
    /// The address cannot be listened on.
    AddressUnusable,
    /// The mode does not exist.
    Mode,
    /// The data log cannot be opened.
    Log,
    /// A workflow ended with an error.
    WorkflowFailed,
    /// A workflow cannot be started.
    WorkflowStart,
    /// The data log is damaged.
    LogDamaged,
    /// The running node cannot be asked.
    Control,
    /// There is no such workflow.
    NoSuchWorkflow,
    /// A dead letter cannot be read, replayed or discarded.
    DeadLetter,
    /// Two sources that are pushed to want the same path.
    PathTaken,
    /// The process was forced to end before everything was delivered.
    Forced,
    /// A proof came to no verdict.
    NoVerdict,
    /// The metadata store cannot be opened or has stopped.
    Store,
    /// The metadata store is not the one that the data directory or the key belongs to.
    StoreMismatch,
    /// No such resource.
    NotFound,
    /// The method is not allowed here.
    MethodNotAllowed,
    /// The body is too large.
    BodyTooLarge,
    /// The body did not come in time.
    BodyTimeout,
    /// Credentials are missing or wrong.
    Unauthenticated,
    /// The request is malformed.
    Malformed,
    /// The content type is not supported.
    UnsupportedType,
    /// There is no room for more messages now.
    Full,
    /// The node is shutting down.
    Draining,
    /// The workflow does not run.
    NotRunning,
    /// Nobody can say whether the messages were kept.
    OutcomeUnknown,
    /// The source takes nothing now.
    Unavailable,
    /// Too many connections are open.
    TooManyConnections,
    /// The role does not suffice.
    Forbidden,
    /// A browser's request lacks the proof that it is meant.
    Csrf,
    /// It does not fit to how things are.
    Conflict,
    /// A change does not say which version it is based on.
    PreconditionRequired,
    /// The version that a change is based on is not the present one.
    Stale,
    /// The document is well formed and not valid.
    Invalid,
    /// Too many attempts.
    TooManyAttempts,
    /// The metadata store takes nothing now.
    StoreUnavailable,
    /// Nobody can say whether it was done.
    StoreUnknown,
    /// The platform cannot be set up with this token.
    Setup,
    /// The metadata store has no room.
    StoreFull,
    /// The metadata store has stopped, or an object in it cannot be read.
    StoreDamaged,
    /// There is no such object.
    NoSuchObject,
    /// Nobody is signed in.
    SignIn,
    /// A node that is needed does not answer.
    NodeUnavailable,
}

impl Code {
    /// Every code, ordered by number.
    pub const ALL: [Self; 48] = [
        Self::Configuration,
        Self::Document,
        Self::DirectoryLocked,
        Self::DirectoryNewer,
        Self::DirectoryUnusable,
        Self::PortInUse,
        Self::AddressUnusable,
        Self::Mode,
        Self::Log,
        Self::WorkflowFailed,
        Self::WorkflowStart,
        Self::LogDamaged,
        Self::Control,
        Self::NoSuchWorkflow,
        Self::DeadLetter,
        Self::PathTaken,
        Self::Forced,
        Self::NoVerdict,
        Self::Store,
        Self::StoreMismatch,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
        Self::BodyTimeout,
        Self::Unauthenticated,
        Self::Malformed,
        Self::UnsupportedType,
        Self::Full,
        Self::Draining,
        Self::NotRunning,
        Self::OutcomeUnknown,
        Self::Unavailable,
        Self::TooManyConnections,
        Self::Forbidden,
        Self::Csrf,
        Self::Conflict,
        Self::PreconditionRequired,
        Self::Stale,
        Self::Invalid,
        Self::TooManyAttempts,
        Self::StoreUnavailable,
        Self::StoreUnknown,
        Self::Setup,
        Self::StoreFull,
        Self::StoreDamaged,
        Self::NoSuchObject,
        Self::SignIn,
        Self::NodeUnavailable,
    ];

    /// Returns the code as people write it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Configuration => "HMD-0001",
            Self::Document => "HMD-0002",
            Self::DirectoryLocked => "HMD-0003",
            Self::DirectoryNewer => "HMD-0004",
            Self::DirectoryUnusable => "HMD-0005",
            Self::PortInUse => "HMD-0006",
            Self::AddressUnusable => "HMD-0007",
            Self::Mode => "HMD-0008",
            Self::Log => "HMD-0009",
            Self::WorkflowFailed => "HMD-0010",
            Self::WorkflowStart => "HMD-0011",
            Self::LogDamaged => "HMD-0012",
            Self::Control => "HMD-0013",
            Self::NoSuchWorkflow => "HMD-0014",
            Self::DeadLetter => "HMD-0015",
            Self::PathTaken => "HMD-0016",
            Self::Forced => "HMD-0017",
            Self::NoVerdict => "HMD-0018",
            Self::Store => "HMD-0019",
            Self::StoreMismatch => "HMD-0020",
            Self::NotFound => "HMD-0100",
            Self::MethodNotAllowed => "HMD-0101",
            Self::BodyTooLarge => "HMD-0102",
            Self::BodyTimeout => "HMD-0103",
            Self::Unauthenticated => "HMD-0104",
            Self::Malformed => "HMD-0105",
            Self::UnsupportedType => "HMD-0106",
            Self::Full => "HMD-0107",
            Self::Draining => "HMD-0108",
            Self::NotRunning => "HMD-0109",
            Self::OutcomeUnknown => "HMD-0110",
            Self::Unavailable => "HMD-0111",
            Self::TooManyConnections => "HMD-0112",
            Self::Forbidden => "HMD-0120",
            Self::Csrf => "HMD-0121",
            Self::Conflict => "HMD-0122",
            Self::PreconditionRequired => "HMD-0123",
            Self::Stale => "HMD-0124",
            Self::Invalid => "HMD-0125",
            Self::TooManyAttempts => "HMD-0126",
            Self::StoreUnavailable => "HMD-0127",
            Self::StoreUnknown => "HMD-0128",
            Self::Setup => "HMD-0129",
            Self::StoreFull => "HMD-0130",
            Self::StoreDamaged => "HMD-0131",
            Self::NoSuchObject => "HMD-0132",
            Self::SignIn => "HMD-0133",
            Self::NodeUnavailable => "HMD-0134",
        }
    }

    /// Returns what it is, the same for every occurrence.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Configuration => "configuration is not valid",
            Self::Document => "workflow document is not valid",
            Self::DirectoryLocked => "data directory is in use",
            Self::DirectoryNewer => "data directory is of a newer version",
            Self::DirectoryUnusable => "data directory cannot be used",
            Self::PortInUse => "port is in use",
            Self::AddressUnusable => "address cannot be listened on",
            Self::Mode => "mode does not exist",
            Self::Log => "data log cannot be opened",
            Self::WorkflowFailed => "workflow failed",
            Self::WorkflowStart => "workflow cannot be started",
            Self::LogDamaged => "data log is damaged",
            Self::Control => "running node cannot be asked",
            Self::NoSuchWorkflow => "no such workflow",
            Self::DeadLetter => "dead letters cannot be read or changed",
            Self::PathTaken => "path is taken",
            Self::Forced => "forced to end",
            Self::NoVerdict => "proof without a verdict",
            Self::Store => "metadata store cannot be opened",
            Self::StoreMismatch => "another metadata store",
            Self::NotFound => "not found",
            Self::MethodNotAllowed => "method not allowed",
            Self::BodyTooLarge => "body too large",
            Self::BodyTimeout => "body too slow",
            Self::Unauthenticated => "not authenticated",
            Self::Malformed => "malformed request",
            Self::UnsupportedType => "content type not supported",
            Self::Full => "no room now",
            Self::Draining => "shutting down",
            Self::NotRunning => "workflow does not run",
            Self::OutcomeUnknown => "outcome unknown",
            Self::Unavailable => "source takes nothing now",
            Self::TooManyConnections => "too many connections",
            Self::Forbidden => "not allowed",
            Self::Csrf => "request not proved",
            Self::Conflict => "conflict",
            Self::PreconditionRequired => "version not named",
            Self::Stale => "changed by somebody else",
            Self::Invalid => "not valid",
            Self::TooManyAttempts => "too many attempts",
            Self::StoreUnavailable => "metadata store is not available",
            Self::StoreUnknown => "outcome of a change unknown",
            Self::Setup => "setup refused",
            Self::StoreFull => "metadata store is full",
            Self::StoreDamaged => "metadata store cannot be used",
            Self::NoSuchObject => "no such object",
            Self::SignIn => "not signed in",
            Self::NodeUnavailable => "node does not answer",
        }
    }

    /// Returns what to do about it, in one sentence.
    #[expect(clippy::too_many_lines, reason = "a table: one line a code")]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Configuration => {
                "run `hermod config` to see every key and where its value comes from"
            }
            Self::Document => {
                "run `hermod validate FILE` until it is silent; `hermod connectors KIND` shows what a connector takes"
            }
            Self::DirectoryLocked => {
                "stop the other process, or give this one a directory of its own with `--data-dir`"
            }
            Self::DirectoryNewer => {
                "use the version that wrote it, or a newer one; nothing was changed"
            }
            Self::DirectoryUnusable => {
                "check that the path is a directory that this user may write, on a file system with room"
            }
            Self::PortInUse => {
                "stop the other process, or choose another port with `--port` (0 takes a free one)"
            }
            Self::AddressUnusable => {
                "`--listen` takes an address of this machine; ports below 1024 need a privilege"
            }
            Self::Mode => {
                "start with `--mode=standalone`, or run one workflow with `hermod run FILE`"
            }
            Self::Log => {
                "run `hermod wal verify --data-dir DIR` to see what is wrong; nothing was changed"
            }
            Self::WorkflowFailed => {
                "mend the cause and start again; what was acknowledged is kept and delivered then"
            }
            Self::WorkflowStart => "mend the cause and start again; nothing was lost",
            Self::LogDamaged => {
                "keep a copy of the directory before anything else; what is damaged is named, the rest is served"
            }
            Self::Control => {
                "check that the node answers; it listens on `control.sock` in its data directory"
            }
            Self::NoSuchWorkflow => "name one of the workflows that are listed, with `--workflow`",
            Self::DeadLetter => "list the open ones with `hermod dlq list`",
            Self::PathTaken => "give each source of a kind a path of its own",
            Self::Forced => {
                "what was acknowledged at level `durable` is on disk and is delivered after the next start"
            }
            Self::NoVerdict => {
                "mend what is named and run it again; it says neither that something was lost nor that nothing was"
            }
            Self::Store => {
                "mend what is named; what was acknowledged is in the data log, which this does not touch"
            }
            Self::StoreMismatch => {
                "start the node with the store and key that it had, or with a fresh data directory"
            }
            Self::NotFound => "check the path; a webhook is reached at `POST /api/webhooks/PATH`",
            Self::MethodNotAllowed => "use a method that the header `Allow` names",
            Self::BodyTooLarge => {
                "send less, or raise the source's `body_bytes_max` (at most 16 MiB)"
            }
            Self::BodyTimeout => "send the body faster",
            Self::Unauthenticated => {
                "sign the body with the source's secret, or show its API key, whichever it has"
            }
            Self::Malformed => "send what the source expects",
            Self::UnsupportedType => "send a content type that the source takes",
            Self::Full | Self::Unavailable => "send it again after the time in `Retry-After`",
            Self::Draining => "send it again after the time in `Retry-After`, or to another node",
            Self::NotRunning => "see the workflow's status and the log for the reason",
            Self::OutcomeUnknown => "send it again with the same `Idempotency-Key`",
            Self::TooManyConnections => {
                "keep connections open and reuse them, or raise `--connections-max`"
            }
            Self::Forbidden => "ask an administrator for the role that the detail names",
            Self::Csrf => "send the session's `csrf_token` in the header `X-CSRF-Token`",
            Self::Conflict => {
                "see the detail; change what stands in the way, or name something else"
            }
            Self::PreconditionRequired => "read it first, and send its `ETag` in `If-Match`",
            Self::Stale => "read it again, and send the change with the new `ETag`",
            Self::Invalid => "mend each of `errors`; `pointer` says where",
            Self::TooManyAttempts => "wait for the time in `Retry-After`",
            Self::StoreUnavailable => {
                "send it again after the time in `Retry-After`; `GET /api/cluster` says what is missing"
            }
            Self::StoreUnknown => "read the object to see whether it was done",
            Self::Setup => {
                "take the link from the log of the node that printed it, or restart the node for a new one after an hour"
            }
            Self::StoreFull => "remove what is not needed, or let go of old journal entries",
            Self::StoreDamaged => "see the node's log",
            Self::NoSuchObject => "list what there is; ids are case-sensitive",
            Self::SignIn => {
                "log in at `POST /api/login`, or send `Authorization: Bearer` with an API token"
            }
            Self::NodeUnavailable => {
                "try again after the time in `Retry-After`; `GET /api/cluster` says which nodes are there"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_ordered() {
        let texts: Vec<_> = Code::ALL.iter().map(|code| code.text()).collect();
        assert!(texts.windows(2).all(|pair| pair[0] < pair[1]), "{texts:?}");
    }
}
