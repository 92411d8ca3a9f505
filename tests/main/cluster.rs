//! Three nodes: a pushed request reaches the owner from any of them, and what one leaves behind is not lost.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Value, json};

use crate::{
    documents::webhook_to_file,
    platform::{PASSWORD, call, post, token},
    process::{Node, run, run_json, text, wait_for},
};

const NAMES: [&str; 3] = ["n1", "n2", "n3"];

/// A web service that all nodes write to, and that can be away.
#[derive(Clone, Default)]
struct Service {
    away: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Service {
    /// Serves until the process ends; returns its port.
    fn start(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let service = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let service = service.clone();
                // A node that is killed cuts its connection off.
                std::thread::spawn(move || drop(service.serve(&stream.unwrap())));
            }
        });
        port
    }

    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let (mut line, mut length) = (String::new(), 0);
            while line != "\r\n" {
                line.clear();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            let away = self.away.load(Ordering::SeqCst);
            let status = if away { "503 away" } else { "200 OK" };
            if !away {
                self.taken.lock().unwrap().push(text(&body));
            }
            let mut writer = stream;
            write!(writer, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")?;
        }
    }

    fn taken(&self) -> BTreeSet<String> {
        self.taken.lock().unwrap().iter().cloned().collect()
    }
}

struct Cluster {
    directory: tempfile::TempDir,
    peers: Vec<(String, String)>,
    nodes: Vec<Option<Node>>,
    token: String,
}

impl Cluster {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Ports that were free a moment ago.
        let sockets = NAMES.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let address = |socket: &TcpListener| socket.local_addr().unwrap().to_string();
        let peers = NAMES.iter().zip(&sockets);
        let peers = peers.map(|(name, socket)| ((*name).to_owned(), address(socket)));
        let peers: Vec<_> = peers.collect();
        drop(sockets);
        fs::write(directory.path().join("secret"), "the secret of the cluster").unwrap();
        for name in NAMES {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let mut cluster = Self {
            directory,
            peers,
            nodes: Vec::new(),
            token: String::new(),
        };
        // None is ready before a majority is there.
        let cluster_ref = &cluster;
        let nodes = std::thread::scope(|scope| {
            let starts = [0, 1, 2].map(|at| scope.spawn(move || cluster_ref.node(at)));
            starts.map(|start| Some(start.join().unwrap()))
        });
        cluster.nodes = nodes.into();
        let first = cluster.of(0);
        fs::write(first.join("password"), PASSWORD).unwrap();
        let made = run(&first, &["setup", "--password-file", "password"]);
        assert!(made.status.success(), "{}", text(&made.stderr));
        cluster.token = token(cluster.up(0).address, "admin", "Administrator");
        cluster
    }

    fn of(&self, at: usize) -> PathBuf {
        self.directory.path().join(NAMES[at])
    }

    fn node(&self, at: usize) -> Node {
        let peers: Vec<_> = self
            .peers
            .iter()
            .map(|(name, address)| format!("{name}={address}"))
            .collect();
        let arguments = [
            "--mode=standalone",
            "--grpc-port=off",
            "--lease-ttl=8s",
            "--node-name",
            NAMES[at],
            "--cluster-listen",
            &self.peers[at].1,
            "--cluster-secret-file",
            "../secret",
            "--peers",
            &peers.join(","),
        ];
        Node::start(&self.of(at), &arguments)
    }

    fn up(&self, at: usize) -> &Node {
        self.nodes[at].as_ref().unwrap()
    }

    /// The nodes that are up.
    fn all(&self) -> impl Iterator<Item = (usize, &Node)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter_map(|(at, node)| Some((at, node.as_ref()?)))
    }

    /// Asks a node; null where there is no such thing yet, or nobody knows at the moment.
    fn ask(&self, node: &Node, path: &str) -> Value {
        let answer = call(node.address, &self.token, "GET", path, &Value::Null);
        match answer.status {
            200 => answer.json(),
            404 | 503 => Value::Null,
            other => panic!("{path}: {other}: {}", text(&answer.body)),
        }
    }

    fn change(&self, path: &str, body: &Value) {
        let (_, node) = self.all().next().unwrap();
        let answer = call(node.address, &self.token, "POST", path, body);
        assert!(answer.status < 300, "{path}: {}", text(&answer.body));
    }

    /// Waits until every node says that the same one runs the workflow; returns which.
    fn owner(&self) -> usize {
        let owner = wait_for("an owner that all agree on", || {
            let said: BTreeSet<_> = self
                .all()
                .map(|(_, node)| {
                    let list = self.ask(node, "/api/workflows");
                    let shown = &list["data"][0];
                    let one = self.ask(node, "/api/workflows/orders/status");
                    let running =
                        shown["status"]["state"] == "running" && one["state"] == "running";
                    let same =
                        shown["status"]["node"] == shown["owner"] && one["node"] == shown["owner"];
                    let owner = shown["owner"].as_str()?.to_owned();
                    (running && same).then_some(owner)
                })
                .collect();
            (said.len() == 1).then(|| said.into_iter().next().flatten())?
        });
        NAMES.iter().position(|name| *name == owner).unwrap()
    }

    fn survives(&self, count: u64) {
        wait_for("all know how many more may be lost", || {
            let mut all = self.all();
            all.all(|(_, node)| self.ask(node, "/api/cluster")["survives"] == count)
                .then_some(())
        });
    }
}

/// Three nodes with a workflow that each of them is sent messages for.
struct Scene {
    cluster: Cluster,
    service: Service,
    expected: BTreeSet<String>,
}

impl Scene {
    fn start() -> Self {
        let cluster = Cluster::start();
        cluster.survives(1);
        let service = Service::default();
        let mut bundle = webhook_to_file();
        let url = format!("http://127.0.0.1:{}/", service.start());
        bundle["sinks"][0] = json!({"id": "file", "type": "http", "config": {"url": url}});
        cluster.change("/api/workflows/import", &bundle);
        cluster.change("/api/workflows/orders/start", &json!({}));
        // What one node has answered all know, though it may be too early for an owner.
        let mut expected = BTreeSet::new();
        for (at, node) in cluster.all() {
            let body = format!("early over {}", NAMES[at]);
            let status = post(node.address, "in", body.as_bytes());
            assert!(matches!(status, 200 | 503), "{body}: {status}");
            if status == 200 {
                expected.insert(body);
            }
        }
        Self {
            cluster,
            service,
            expected,
        }
    }

    fn send(&mut self, to: usize, body: String) {
        let node = self.cluster.up(to);
        assert_eq!(post(node.address, "in", body.as_bytes()), 200, "{body}");
        self.expected.insert(body);
    }

    /// Stops a node and starts it again; another one runs the workflow meanwhile.
    fn restart(&mut self, owner: usize) {
        let cluster = &mut self.cluster;
        cluster.nodes[owner].take().unwrap().stop();
        cluster.survives(0);
        assert_ne!(cluster.owner(), owner);
        cluster.nodes[owner] = Some(cluster.node(owner));
        cluster.survives(1);
        // Hashing gives the workflow to the same node whenever all live.
        wait_for("the workflow is back", || {
            (cluster.owner() == owner).then_some(())
        });
    }

    /// Kills the owner with messages that no sink has; returns the next owner and what is stranded.
    fn strand(&mut self, owner: usize, count: u64) -> (usize, Value) {
        self.service.away.store(true, Ordering::SeqCst);
        for number in 0..count {
            self.send(owner, format!("backlog {number}"));
        }
        let cluster = &mut self.cluster;
        wait_for("the backlog is known to all", || {
            let (_, other) = cluster.all().find(|(at, _)| *at != owner).unwrap();
            let found = cluster.ask(other, "/api/backlogs");
            (found["data"][0]["messages"] == count).then_some(())
        });
        cluster.nodes[owner].take().unwrap().kill();
        // Until its lease has run out nobody knows that it is gone for good.
        let next = wait_for("another owner", || {
            Some(cluster.owner()).filter(|next| *next != owner)
        });
        let mut found = cluster.ask(cluster.up(next), "/api/backlogs");
        (next, found["data"][0].take())
    }

    fn is_delivered(&self) {
        wait_for("all is delivered", || {
            (self.service.taken() == self.expected).then_some(())
        });
    }

    fn stop(self) {
        for node in self.cluster.nodes.into_iter().flatten() {
            node.stop();
        }
    }
}

#[test]
fn i1_what_three_nodes_have_acknowledged_is_delivered_though_two_of_them_end() {
    let mut scene = Scene::start();
    let owner = scene.cluster.owner();
    for (at, name) in NAMES.iter().enumerate() {
        scene.send(at, format!("over {name}"));
    }
    // One that is stopped gives its workflow away at once, and does not speak of it when it is back.
    scene.restart(owner);

    // One that is killed while its sink is away leaves a backlog behind.
    let (next, found) = scene.strand(owner, 20);
    assert_eq!(found["stranded"], true, "{found}");
    assert_eq!(found["node"], NAMES[owner]);
    scene.send(next, "meanwhile".to_owned());
    scene.service.away.store(false, Ordering::SeqCst);
    wait_for("what is not stranded is delivered", || {
        scene.service.taken().contains("meanwhile").then_some(())
    });

    // What was declared lost stays where it is until somebody decides there.
    let stream = found["stream"].as_str().unwrap();
    let loss = json!({"workflow": "orders", "stream": stream, "reason": "the disk is gone"});
    let cluster = &mut scene.cluster;
    cluster.change("/api/backlogs/declare-lost", &loss);
    cluster.nodes[owner] = Some(cluster.node(owner));
    let there = cluster.of(owner);
    wait_for("it is set aside, and kept", || {
        let list = run_json(&there, &["backlog", "list", "--output", "json"]);
        let kept = json!({
            "workflow": "orders", "stream": stream, "messages": 20, "set_aside": true, "barred": true,
        });
        (list[0] == kept).then_some(())
    });
    let refused = run(&there, &["backlog", "discard", "buf/orders/none"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(!scene.service.taken().contains("backlog 0"));
    let released = run(&there, &["backlog", "release", stream]);
    assert!(released.status.success(), "{}", text(&released.stderr));
    scene.is_delivered();
    wait_for("nothing is stranded any more", || {
        let found = scene.cluster.ask(scene.cluster.up(next), "/api/backlogs");
        (found["data"] == json!([])).then_some(())
    });
    scene.stop();
}
