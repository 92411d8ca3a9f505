//! A node that keeps its promises by writing straight into the sink's file, or breaks one of them.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Names the planted fault.
pub(crate) const FAULT: &str = "FAKE_NODE_FAULT";

/// Makes this test program a node, with these arguments.
pub(crate) const LIFE: &str = "FAKE_NODE_LIFE";

/// One life of the node; nothing when the tests are run.
#[test]
fn life() {
    let Ok(arguments) = std::env::var(LIFE) else {
        return;
    };
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let ["run", bundle, "--data-dir", _, "--port", port] = arguments[..] else {
        panic!("the proof calls the node in another way: {arguments:?}");
    };
    let fault = std::env::var(FAULT).unwrap();
    assert!(fault != "ends", "planted end");
    let bundle: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(bundle).unwrap()).unwrap();
    let file = PathBuf::from(bundle["sinks"][0]["config"]["filename"].as_str().unwrap());
    let file = File::options()
        .create(true)
        .append(true)
        .open(file)
        .unwrap();
    let sink = Arc::new(Sink {
        fault,
        file,
        held: Mutex::default(),
    });
    let listener = TcpListener::bind(("127.0.0.1", port.parse().unwrap())).unwrap();
    let accepting = sink.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let sink = accepting.clone();
            std::thread::spawn(move || sink.serve(stream.unwrap()));
        }
    });
    let writing = sink.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(40));
            writing.write_later();
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let kind = tokio::signal::unix::SignalKind::terminate();
        tokio::signal::unix::signal(kind).unwrap().recv().await;
    });
    sink.write_later();
    std::process::exit(0);
}

struct Sink {
    fault: String,
    file: File,
    held: Mutex<Vec<Vec<u8>>>,
}

impl Sink {
    fn serve(&self, stream: TcpStream) {
        let mut answers = stream.try_clone().unwrap();
        let mut requests = BufReader::new(stream);
        loop {
            let (mut line, mut is_post, mut length) = (String::new(), false, 0);
            loop {
                line.clear();
                if requests.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                is_post |= line.starts_with("POST /api/webhooks/prove ");
                if let Some(value) = line.strip_prefix("Content-Length: ") {
                    length = value.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
            }
            let mut body = vec![0; length];
            requests.read_exact(&mut body).unwrap();
            let (status, answer) = if is_post {
                (self.take(body), String::from("{}"))
            } else {
                let held = self.held.lock().unwrap().len();
                (
                    200,
                    format!("hermod_engine_buffered_messages{{workflow_id=\"prove\"}} {held}\n"),
                )
            };
            let length = answer.len();
            // In one piece: many small ones would each wait for the other side.
            let whole = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{answer}");
            answers.write_all(whole.as_bytes()).ok();
        }
    }

    fn take(&self, mut line: Vec<u8>) -> u16 {
        line.push(b'\n');
        match self.fault.as_str() {
            "refuses" => return 422,
            "forgets" | "holds" => self.held.lock().unwrap().push(line),
            "swaps" => {
                let mut held = self.held.lock().unwrap();
                held.push(line);
                if held.len() == 8 {
                    held.drain(..).rev().for_each(|line| self.write(&line));
                }
            }
            "changes" => {
                line[100] ^= 1;
                self.write(&line);
            }
            "repeats" => {
                self.write(&line);
                self.write(&line);
            }
            _ => self.write(&line),
        }
        200
    }

    fn write_later(&self) {
        if self.fault == "holds" {
            return;
        }
        self.held
            .lock()
            .unwrap()
            .drain(..)
            .for_each(|line| self.write(&line));
    }

    fn write(&self, line: &[u8]) {
        (&self.file).write_all(line).unwrap();
    }
}
