//! A scripted HTTP/1.1 server: it records what it is asked and answers what the test says.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinSet,
};

use super::{free_port, wait_until};

/// Longest request that is read.
const REQUEST_BYTES_MAX: usize = 64 << 20;

/// One request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers in order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Seen {
    /// Returns the value of a header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What the server does with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Answers with a status, headers and a body.
    Reply {
        /// Status code.
        status: u16,
        /// Headers beside `Content-Length`.
        headers: Vec<(String, String)>,
        /// Body.
        body: Vec<u8>,
    },
    /// Reads the request and never answers.
    Hang,
    /// Reads the request and closes the connection without an answer.
    Close,
}

impl Answer {
    /// An answer with a status and nothing else.
    pub fn status(status: u16) -> Self {
        Self::Reply {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Adds a header to a reply.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Self::Reply { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Sets a reply's body.
    #[must_use]
    pub fn with_body(mut self, text: impl Into<Vec<u8>>) -> Self {
        if let Self::Reply { body, .. } = &mut self {
            *body = text.into();
        }
        self
    }
}

type Decide = dyn FnMut(&Seen) -> Answer + Send;

struct Script {
    seen: Vec<Seen>,
    queue: VecDeque<Answer>,
    otherwise: Box<Decide>,
}

/// The server; it listens on a thread of its own until it is killed or dropped.
pub struct Http {
    port: u16,
    script: Arc<Mutex<Script>>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Http {
    /// Starts a server that answers 200 to everything, until told otherwise.
    ///
    /// # Panics
    /// If no port can be had.
    pub fn start() -> Self {
        Self::start_with(|_| Answer::status(200))
    }

    /// Starts a server whose answers come from a function of the request.
    ///
    /// # Panics
    /// If no port can be had.
    pub fn start_with(decide: impl FnMut(&Seen) -> Answer + Send + 'static) -> Self {
        let script = Script {
            seen: Vec::new(),
            queue: VecDeque::new(),
            otherwise: Box::new(decide),
        };
        let mut server = Self {
            port: free_port(),
            script: Arc::new(Mutex::new(script)),
            running: None,
        };
        server.restart();
        server
    }

    /// Returns the server's address followed by `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Returns the server's port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Puts answers in line; they are used up, in order, before the server's own function is asked.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        lock(&self.script).queue.extend(answers);
    }

    /// Returns every request so far; those of killed servers too.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.script).seen.clone()
    }

    /// Closes the port and every connection at once.
    pub fn kill(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            thread.join().expect("the server's thread does not panic");
        }
    }

    /// Listens again on the same port.
    ///
    /// # Panics
    /// If the port was taken by somebody else meanwhile.
    pub fn restart(&mut self) {
        self.kill();
        let mut bound = None;
        wait_until(
            Duration::from_secs(10),
            || {
                bound = listen(self.port).ok();
                bound.is_some()
            },
            || format!("port {} cannot be bound", self.port),
        );
        let (stop, stopped) = oneshot::channel();
        let script = Arc::clone(&self.script);
        let listener = bound.expect("waited for it");
        let thread = std::thread::spawn(move || serve_until(stopped, listener, &script));
        self.running = Some((stop, thread));
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        self.kill();
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The standard library's listener sets `SO_REUSEADDR`, so a killed server's port is free at once.
fn listen(port: u16) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn serve_until(
    mut stopped: oneshot::Receiver<()>,
    listener: std::net::TcpListener,
    script: &Arc<Mutex<Script>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener).expect("the listener is non-blocking");
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                accepted = listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        let script = Arc::clone(script);
                        connections.spawn(async move { converse(stream, &script).await.ok() });
                    }
                }
                Some(_) = connections.join_next() => {}
            }
        }
        connections.shutdown().await;
    });
}

/// Serves one connection until the client closes it, or the script does.
async fn converse(mut stream: TcpStream, script: &Mutex<Script>) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(seen) = read_request(&mut stream, &mut buffer).await? {
        let is_head = seen.method == "HEAD";
        let answer = {
            let mut script = lock(script);
            let script = &mut *script;
            let answer = script
                .queue
                .pop_front()
                .unwrap_or_else(|| (script.otherwise)(&seen));
            script.seen.push(seen);
            answer
        };
        match answer {
            Answer::Hang => std::future::pending::<()>().await,
            Answer::Close => return Ok(()),
            Answer::Reply {
                status,
                headers,
                body,
            } => {
                let mut bytes = reply_head(status, &headers, body.len()).into_bytes();
                if !is_head {
                    bytes.extend_from_slice(&body);
                }
                stream.write_all(&bytes).await?;
            }
        }
    }
    Ok(())
}

fn reply_head(status: u16, headers: &[(String, String)], length: usize) -> String {
    let mut text = format!("HTTP/1.1 {status} scripted\r\n");
    for (name, value) in headers {
        for part in [name, ": ", value, "\r\n"] {
            text.push_str(part);
        }
    }
    text.push_str("content-length: ");
    text.push_str(&length.to_string());
    text.push_str("\r\n\r\n");
    text
}

/// Reads one request; `None` once the client has closed the connection between two of them.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Seen>> {
    let end = loop {
        if let Some(at) = find(buffer, b"\r\n\r\n") {
            break at;
        }
        if fill(stream, buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let mut seen = Seen {
        method: first.next().unwrap_or_default().to_owned(),
        target: first.next().unwrap_or_default().to_owned(),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: Vec::new(),
    };
    if seen.header("transfer-encoding").is_some() {
        return Err(io::Error::other("chunked requests are not served"));
    }
    let length = seen
        .header("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    while buffer.len() < length {
        if fill(stream, buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    seen.body = buffer.drain(..length).collect();
    Ok(Some(seen))
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    if buffer.len() > REQUEST_BYTES_MAX {
        return Err(io::Error::other("request is too long"));
    }
    stream.read_buf(buffer).await
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
