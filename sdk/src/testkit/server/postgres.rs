//! A PostgreSQL server of the test's own.

use std::{
    fmt::Write as _,
    fs,
    io::Read as _,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use tempfile::TempDir;

use super::{free_port, wait_until};

/// How long a server may take to accept connections.
const START_WITHIN: Duration = Duration::from_mins(1);

/// Ends the server and removes its files once its standard input closes, so that nothing is left behind even
/// when the test process is killed. `$1` is the folder.
const WATCHDOG: &str = r#"cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
[ -n "$pid" ] && kill -QUIT "$pid" 2>/dev/null
i=0; while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && [ $i -lt 50 ]; do sleep 0.1; i=$((i+1)); done
rm -rf "$1""#;

/// A running PostgreSQL with its own data directory; trust authentication, user and database `postgres`.
pub struct Postgres {
    dir: TempDir,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    port: u16,
    server: Option<Child>,
    watchdog: Child,
}

impl Postgres {
    /// Starts a server and waits until it takes connections.
    ///
    /// # Panics
    /// If the server is not installed, or does not start.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with further settings of `postgresql.conf`.
    ///
    /// # Panics
    /// If the server is not installed, or does not start.
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        let programs = programs();
        let dir = tempfile::Builder::new()
            .prefix("hermod-postgres-")
            .tempdir()
            .expect("a temporary folder can be made");
        let owner = owner();
        if let Some((user, group)) = owner {
            chown(dir.path(), Some(user), Some(group)).expect("root may give a folder away");
        }
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("`sh` can be run");
        let mut postgres = Self {
            dir,
            programs,
            owner,
            port: free_port(),
            server: None,
            watchdog,
        };
        postgres.initialize(settings);
        postgres.launch();
        postgres
    }

    /// Returns the server's port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address of the database `postgres`.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Returns the folder in which the server's certificate files may be put before [`Postgres::restart`].
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Gives a file in the data directory to the user that the server runs as.
    ///
    /// # Panics
    /// If the file is not there.
    pub fn give(&self, path: &Path) {
        if let Some((user, group)) = self.owner {
            chown(path, Some(user), Some(group)).expect("root may give a file away");
        }
    }

    /// Runs SQL with `psql`, an independent client, and returns its rows: columns parted by `|`.
    ///
    /// # Panics
    /// If the SQL fails.
    pub fn psql(&self, sql: &str) -> String {
        let output = Command::new(self.programs.join("psql"))
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .arg(self.url())
            .output()
            .expect("`psql` can be run");
        assert!(
            output.status.success(),
            "psql: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    /// Kills the postmaster and all of its children with SIGKILL, as a crash would.
    pub fn kill(&mut self) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        // Stopped first, so that it cannot replace a child between the listing and the kill.
        signal("STOP", &[server.id()]);
        let mut processes = children(server.id());
        processes.push(server.id());
        signal("KILL", &processes);
        server.wait().expect("the postmaster was a child of ours");
        wait_until(
            START_WITHIN,
            || processes.iter().all(|id| !is_running(*id)),
            || "killed PostgreSQL processes do not end".to_owned(),
        );
    }

    /// Starts the killed or stopped server again on the same port and data.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&mut self) {
        self.kill();
        self.launch();
    }

    fn initialize(&self, settings: &[(&str, &str)]) {
        let output = self
            .command("initdb")
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"])
            .args(["--no-sync", "-D"])
            .arg(self.data_dir())
            .output()
            .expect("`initdb` can be run");
        assert!(
            output.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut conf = format!(
            "\nlisten_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = ''\n",
            self.port
        );
        for (name, value) in settings {
            writeln!(conf, "{name} = '{}'", value.replace('\'', "''"))
                .expect("text can be written to");
        }
        let path = self.data_dir().join("postgresql.conf");
        let mut whole = fs::read_to_string(&path).expect("initdb wrote the settings");
        whole.push_str(&conf);
        fs::write(&path, whole).expect("the settings can be written");
    }

    fn launch(&mut self) {
        let log = self.dir.path().join("server.log");
        let out = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .expect("the log can be opened");
        let server = self
            .command("postgres")
            .arg("-D")
            .arg(self.data_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(out)
            .spawn()
            .expect("`postgres` can be run");
        self.server = Some(server);
        let failure = || {
            let mut text = String::new();
            if let Ok(mut file) = fs::File::open(&log) {
                file.read_to_string(&mut text).ok();
            }
            format!("PostgreSQL does not start: {text}")
        };
        wait_until(START_WITHIN, || self.is_ready(), failure);
    }

    fn is_ready(&self) -> bool {
        Command::new(self.programs.join("psql"))
            .args(["-X", "-c", "SELECT 1"])
            .arg(self.url())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.dir.path()).process_group(0);
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            signal("QUIT", &[server.id()]);
            server.wait().ok();
        }
        drop(self.watchdog.stdin.take());
        self.watchdog.wait().ok();
    }
}

/// Finds the folder of the server's programs: the newest of Debian's, else the one in `PATH`.
fn programs() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let debian = fs::read_dir("/usr/lib/postgresql")
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path().join("bin"))
                .filter(|bin| bin.join("initdb").exists())
                .max_by_key(|bin| version(bin));
            let path = std::env::var_os("PATH").unwrap_or_default();
            debian
                .or_else(|| std::env::split_paths(&path).find(|bin| bin.join("initdb").exists()))
                .expect("PostgreSQL is not installed; on Debian: apt-get install postgresql-15")
        })
        .clone()
}

fn version(bin: &Path) -> u32 {
    bin.parent()
        .and_then(Path::file_name)
        .and_then(|name| name.to_str()?.parse().ok())
        .unwrap_or(0)
}

/// PostgreSQL refuses to run as root: then it runs as the user `postgres`.
fn owner() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    let is_root = fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
    if !is_root {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == "postgres").then_some(())?;
        let user = fields.nth(1)?.parse().ok()?;
        Some((user, fields.next()?.parse().ok()?))
    });
    Some(ids.expect("there is no user `postgres`; on Debian: apt-get install postgresql-15"))
}

fn signal(name: &str, processes: &[u32]) {
    let ids: String = processes.iter().fold(String::new(), |mut ids, id| {
        write!(ids, " {id}").expect("text can be written to");
        ids
    });
    // The shell's own `kill`: a minimal system has no other.
    Command::new("sh")
        .args(["-c", &format!("kill -{name}{ids} 2>/dev/null")])
        .status()
        .expect("`sh` can be run");
}

fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|id| stat(*id).is_some_and(|(_, its_parent)| its_parent == parent))
        .collect()
}

fn is_running(process: u32) -> bool {
    stat(process).is_some_and(|(state, _)| state != 'Z')
}

/// Returns a process's state and its parent.
fn stat(process: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_server_comes_back_with_what_it_had_committed_and_leaves_nothing_behind() {
        let mut postgres = Postgres::start();
        let folder = postgres.dir.path().to_owned();
        postgres.psql("CREATE TABLE t (n int); INSERT INTO t VALUES (7)");
        postgres.kill();
        assert!(!postgres.is_ready());
        postgres.restart();
        assert_eq!(postgres.psql("SELECT n FROM t"), "7");
        drop(postgres);
        assert!(!folder.exists());
    }
}
