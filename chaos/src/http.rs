//! As little HTTP/1.1 as a keep-alive client of one server needs.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// How long one answer may take. The node refuses after two seconds without room.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// Longest head and longest body of an answer that is taken.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A connection, and the buffers that its requests share.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
    /// The server closes the connection behind this answer.
    closes: bool,
}

struct Head {
    status: u16,
    body_bytes: usize,
    closes: bool,
}

impl Connection {
    /// Connects to a port of this machine.
    pub(crate) fn open(port: u16) -> io::Result<Self> {
        Self::open_at(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), ANSWER_WITHIN)
    }

    /// Connects to an address, where connecting and each part of an answer may take so long.
    pub(crate) fn open_at(address: SocketAddr, within: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, within)?;
        // While nobody listens, a loopback socket can be given the very port that it connects to, and then
        // talks to itself and keeps the node from listening.
        if stream.local_addr()? == stream.peer_addr()? {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(within))?;
        stream.set_write_timeout(Some(within))?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(4096),
        })
    }

    /// Sends a request and waits for its answer. After an error, or if the answer says that the server closes,
    /// the connection is of no more use.
    pub(crate) fn request(&mut self, head: &str, body: &str) -> io::Result<Answer> {
        self.buffer.clear();
        write!(
            self.buffer,
            "{head}\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )?;
        self.buffer.extend_from_slice(body.as_bytes());
        self.stream.write_all(&self.buffer)?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<Answer> {
        self.buffer.clear();
        let head_end = loop {
            if let Some(at) = self
                .buffer
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                break at + 4;
            }
            self.receive()?;
        };
        let Head {
            status,
            body_bytes,
            closes,
        } = head(&self.buffer[..head_end])?;
        while self.buffer.len() < head_end + body_bytes {
            self.receive()?;
        }
        if self.buffer.len() > head_end + body_bytes {
            return Err(malformed("bytes behind the answer"));
        }
        Ok(Answer {
            status,
            head: String::from_utf8_lossy(&self.buffer[..head_end]).into_owned(),
            body: self.buffer[head_end..].to_vec(),
            closes,
        })
    }

    fn receive(&mut self) -> io::Result<()> {
        if self.buffer.len() > ANSWER_BYTES_MAX {
            return Err(malformed("an answer that is too long"));
        }
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                self.buffer.extend_from_slice(&chunk[..n]);
                Ok(())
            }
        }
    }
}

impl Answer {
    /// Returns the first header of a name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(':'));
        headers.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim()))
    }

    /// Returns whether the connection can take another request.
    pub(crate) fn keeps_open(&self) -> bool {
        !self.closes
    }
}

/// Asks once, on a connection of its own.
pub(crate) fn get(port: u16, path: &str) -> io::Result<Answer> {
    Connection::open(port)?.request(&format!("GET {path} HTTP/1.1\r\nConnection: close"), "")
}

fn head(bytes: &[u8]) -> io::Result<Head> {
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("a head that is not text"))?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok())
        .ok_or_else(|| malformed("a status line that is not HTTP/1.1"))?;
    let mut head = Head {
        status,
        // "No content" has no length either.
        body_bytes: if status == 204 { 0 } else { usize::MAX },
        closes: false,
    };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            head.body_bytes = value
                .parse()
                .map_err(|_| malformed("a `Content-Length` that is no number"))?;
        } else if name.eq_ignore_ascii_case("connection") {
            head.closes = value.eq_ignore_ascii_case("close");
        }
    }
    if head.body_bytes > ANSWER_BYTES_MAX {
        return Err(malformed("an answer without a usable `Content-Length`"));
    }
    Ok(head)
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Serves the given answers, one for each request head, cut into pieces.
    fn scripted(pieces: Vec<&'static [u8]>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                let mut chunk = [0; 256];
                let n = stream.read(&mut chunk).unwrap();
                request.extend_from_slice(&chunk[..n]);
            }
            for piece in pieces {
                stream.write_all(piece).unwrap();
                stream.flush().unwrap();
            }
        });
        port
    }

    #[test]
    fn an_answer_in_pieces_is_put_together() {
        let port = scripted(vec![
            b"HTTP/1.1 503 Service Unav",
            b"ailable\r\nConnection: close\r\ncontent-length: 4\r\n\r",
            b"\nfu",
            b"ll",
        ]);
        let answer = get(port, "/").unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (503, &b"full"[..]));
        assert!(!answer.keeps_open());
    }

    #[test]
    fn an_answer_that_is_cut_off_is_an_error_and_never_a_success() {
        for cut in 1..38 {
            let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            let answer = get(scripted(vec![&whole[..cut]]), "/");
            assert!(answer.is_err(), "{cut}");
        }
    }

    #[test]
    fn an_answer_of_unknown_length_is_refused() {
        let port = scripted(vec![
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok",
        ]);
        assert_eq!(
            get(port, "/").unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }
}
