//! The control socket: how commands reach a running node.
//!
//! `DATA/control.sock`, mode 0600: who may open the data directory may ask. One request a connection: a
//! line of JSON, answered by a line of JSON, `{"ok": …}` or `{"error": {"code": …, "message": …}}`.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hermod_api::Code;
use hermod_engine::Engine;
use hermod_sdk::Secret;
use hermod_wal::Log;
use rustix::fs::Mode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    data_dir::{DataDir, DataDirError, log_of},
    dead_letters,
    failure::Failure,
    node,
    platform::Administration,
};

/// Name of the socket in the data directory.
const SOCKET: &str = "control.sock";

/// Longest request or answer.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Longest time for a request: a replay of many dead letters takes a while.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Most requests at a time.
const REQUESTS_MAX: usize = 8;

/// A request on the wire.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// About dead letters.
    DeadLetters(dead_letters::Request),
    /// Make the first administrator.
    SetUp {
        /// Name of the user.
        user: String,
        /// The password.
        password: String,
    },
    /// Make a new setup link.
    RenewSetup,
    /// Describe the cluster.
    Cluster,
    /// Take a node out of the cluster.
    RemoveNode {
        /// Its name.
        name: String,
    },
    /// Hand leadership over.
    TransferLeader {
        /// To whom; to the one that lags least without a name.
        to: Option<String>,
    },
    /// List the buffers that wait on the disk.
    Backlogs,
    /// Drop one that was set aside.
    DiscardBacklog {
        /// Its stream.
        stream: String,
    },
    /// Let one that was declared lost be drained.
    ReleaseBacklog {
        /// Its stream.
        stream: String,
    },
}

/// What the socket answers from.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) log: Log,
    pub(crate) engine: Engine,
    /// The platform, where the node has a metadata store.
    pub(crate) platform: Option<Arc<Administration>>,
}

impl Asked {
    async fn answer(&self, request: Request) -> Result<Value, Failure> {
        if let Request::DeadLetters(request) = &request {
            return dead_letters::answer(&self.log, Some(&self.engine), request).await;
        }
        let Some(platform) = &self.platform else {
            let message = "the node that runs on this directory has no metadata store";
            return Err(Failure::new(Code::Control, message));
        };
        match request {
            Request::DeadLetters(_) => Ok(Value::Null),
            Request::SetUp { user, password } => {
                platform.set_up(&user, Secret::new(password)).await
            }
            Request::RenewSetup => platform.renew_setup().await,
            Request::Cluster => platform.cluster(),
            Request::RemoveNode { name } => platform.remove(&name).await,
            Request::TransferLeader { to } => platform.transfer_leader(to.as_deref()).await,
            Request::Backlogs => platform.backlogs().await,
            Request::DiscardBacklog { stream } => platform.discard_backlog(&stream).await,
            Request::ReleaseBacklog { stream } => platform.release_backlog(&stream).await,
        }
    }
}

/// An answer on the wire.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Ok(Value),
    Error { code: String, message: String },
}

impl From<Result<Value, Failure>> for Answer {
    fn from(result: Result<Value, Failure>) -> Self {
        match result {
            Ok(value) => Self::Ok(value),
            Err(failure) => Self::Error {
                code: failure.code.text().to_owned(),
                message: failure.message,
            },
        }
    }
}

impl Answer {
    fn into_result(self) -> Result<Value, Failure> {
        match self {
            Self::Ok(value) => Ok(value),
            Self::Error { code, message } => {
                let known = Code::ALL.iter().find(|known| known.text() == code);
                Err(Failure::new(
                    known.copied().unwrap_or(Code::Control),
                    message,
                ))
            }
        }
    }
}

/// The node's end of the socket.
pub(crate) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Makes the socket. Whoever holds the directory's lock may replace one that a crash left behind.
    pub(crate) fn bind(directory: &DataDir) -> io::Result<Self> {
        let path = directory.path().join(SOCKET);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let reach = Reach::of(&path)?;
        // No moment in which others could open it.
        let before = rustix::process::umask(Mode::from_raw_mode(0o177));
        let bound = UnixListener::bind(&reach.path);
        rustix::process::umask(before);
        let listener = bound?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    /// Answers requests until `stop` is cancelled.
    pub(crate) async fn run(self, asked: Asked, stop: CancellationToken) {
        let mut requests = JoinSet::new();
        let places = Arc::new(Semaphore::new(REQUESTS_MAX));
        loop {
            let place = tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = requests.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a control request ended badly");
                    }
                    continue;
                }
                place = places.clone().acquire_owned() => place,
            };
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let asked = asked.clone();
                        requests.spawn(async move {
                            let _place = place;
                            serve(stream, &asked).await;
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a control connection cannot be accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        requests.shutdown().await;
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "control socket was gone already");
        }
    }
}

async fn serve(mut stream: UnixStream, asked: &Asked) {
    let exchange = async {
        let line = read_line(&mut stream).await?;
        let result = match serde_json::from_str::<Request>(&line) {
            Ok(request) => asked.answer(request).await,
            Err(error) => Err(Failure::new(
                Code::Control,
                format!("request is not readable: {error}"),
            )),
        };
        write_line(&mut stream, &Answer::from(result)).await
    };
    match tokio::time::timeout(TIMEOUT, exchange).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "control connection ended early"),
        Err(_) => tracing::warn!("control request took too long and was cut off"),
    }
}

/// Asks the node that runs on a directory; where none does, opens the directory and answers itself.
pub(crate) fn ask_or_open(
    directory: &Path,
    request: &dead_letters::Request,
) -> Result<Value, Failure> {
    match DataDir::open(directory) {
        Ok(held) => runtime()?.block_on(open(&held, request)),
        Err(DataDirError::Locked { .. }) => {
            let request = Request::DeadLetters(request.clone());
            runtime()?.block_on(ask(directory, &request))
        }
        Err(error) => Err(error.into()),
    }
}

/// Asks the node that runs on a directory.
pub(crate) fn ask_node(directory: &Path, request: &Request) -> Result<Value, Failure> {
    runtime()?.block_on(ask(directory, request))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| Failure::new(Code::Control, error))
}

async fn open(held: &DataDir, request: &dead_letters::Request) -> Result<Value, Failure> {
    if !log_of(held.path()).is_dir() {
        let message = format!("`{}` holds no data log", held.path().display());
        return Err(Failure::new(Code::NoSuchWorkflow, message));
    }
    let log = node::open_log(hermod_wal::Options::new(held.log()))?;
    let answer = dead_letters::answer(&log, None, request).await;
    if let Err(error) = log.close() {
        tracing::warn!(%error, "data log did not close cleanly");
    }
    answer
}

async fn ask(directory: &Path, request: &Request) -> Result<Value, Failure> {
    let failed = |error: io::Error| {
        let place = directory.join(SOCKET);
        Failure::new(
            Code::Control,
            format!("node at `{}` does not answer: {error}", place.display()),
        )
    };
    let exchange = async {
        let reach = Reach::of(&directory.join(SOCKET))?;
        let mut stream = UnixStream::connect(&reach.path).await?;
        write_line(&mut stream, request).await?;
        read_line(&mut stream).await
    };
    let line = tokio::time::timeout(TIMEOUT, exchange)
        .await
        .map_err(|_| failed(io::ErrorKind::TimedOut.into()))?
        .map_err(failed)?;
    let answer: Answer =
        serde_json::from_str(&line).map_err(|error| failed(io::Error::other(error)))?;
    answer.into_result()
}

async fn read_line(stream: &mut UnixStream) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream.take(LINE_BYTES_MAX))
        .read_line(&mut line)
        .await?;
    if !line.ends_with('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line)
}

async fn write_line(stream: &mut UnixStream, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await
}

/// A path that fits into a socket's address, however deep the directory is.
struct Reach {
    path: PathBuf,
    // Holds the directory open while the path goes through it.
    _directory: Option<fs::File>,
}

impl Reach {
    /// Most bytes of a path in a socket's address, less one for its end. Source: unix(7).
    const PATH_BYTES_MAX: usize = 107;

    fn of(path: &Path) -> io::Result<Self> {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if path.as_os_str().len() <= Self::PATH_BYTES_MAX {
            return Ok(Self {
                path: path.to_owned(),
                _directory: None,
            });
        }
        let directory = fs::File::open(directory)?;
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&directory);
        let path = Path::new("/proc/self/fd")
            .join(descriptor.to_string())
            .join(name);
        Ok(Self {
            path,
            _directory: Some(directory),
        })
    }
}
