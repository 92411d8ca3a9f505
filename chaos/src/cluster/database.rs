//! The database that the sinks write, and what it remembers of each write.
//!
//! The tables of effects have no key, so that doubles show. Each row keeps the transaction that wrote it, and a trigger
//! writes down each change of the sink's token with its transaction: so it is known under which epoch of which stream a
//! row was written, whatever the token says later. The trigger runs under the token's row lock, so that its numbers
//! are, for one stream, in the order of the commits.

use std::{
    fs,
    net::Ipv4Addr,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::process::{self, Server};

const START_WITHIN: Duration = Duration::from_mins(1);

const TABLES: &str = "\
CREATE TABLE pushed (seq bigserial, id text NOT NULL, key text NOT NULL, n bigint NOT NULL,
    xact xid8 NOT NULL DEFAULT pg_current_xact_id());
CREATE TABLE generated (seq bigserial, id text NOT NULL, n bigint NOT NULL,
    xact xid8 NOT NULL DEFAULT pg_current_xact_id());
CREATE TABLE token_history (serial bigserial, xact xid8 NOT NULL DEFAULT pg_current_xact_id(),
    workflow text NOT NULL, stream text NOT NULL, epoch bigint NOT NULL);
CREATE INDEX ON token_history (xact);
CREATE FUNCTION note_token() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO token_history (workflow, stream, epoch) VALUES (NEW.workflow, NEW.stream, NEW.epoch);
    RETURN NULL;
END $$;
";

const TRIGGER: &str = "\
INSERT INTO token_history (workflow, stream, epoch) SELECT workflow, stream, epoch FROM hermod_tokens;
CREATE TRIGGER note_token AFTER INSERT OR UPDATE ON hermod_tokens FOR EACH ROW EXECUTE FUNCTION note_token();
";

/// A running PostgreSQL of the run's own. Dropped, it and its files are gone.
pub(super) struct Database {
    _server: Server,
    _dir: tempfile::TempDir,
    programs: PathBuf,
    host: Ipv4Addr,
    port: u16,
}

impl Database {
    /// Starts a server on an address and makes the tables.
    pub(super) fn start(host: Ipv4Addr, log: &Path) -> anyhow::Result<Self> {
        let programs =
            programs().context("PostgreSQL is not installed; Debian's package is `postgresql`")?;
        let dir = tempfile::Builder::new()
            .prefix("hermod-chaos-postgres-")
            .tempdir()?;
        let owner = owner()?;
        if let Some((user, group)) = owner {
            chown(dir.path(), Some(user), Some(group))?;
        }
        let data = dir.path().join("data");
        let command = |name: &str| {
            let mut command = Command::new(programs.join(name));
            if let Some((user, group)) = owner {
                command.uid(user).gid(group);
            }
            command.current_dir(dir.path()).arg("-D").arg(&data);
            command
        };
        let initialize = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"];
        process::run(command("initdb").args(initialize), "")?;
        let conf = data.join("pg_hba.conf");
        let mut hosts = fs::read_to_string(&conf)?;
        hosts.push_str("host all all samenet trust\n");
        fs::write(&conf, hosts)?;
        let port = crate::prove::node::free_port()?;
        let settings = [
            format!("port={port}"),
            format!("listen_addresses={host}"),
            "unix_socket_directories=".to_owned(),
        ];
        let mut serve = command("postgres");
        for setting in &settings {
            serve.args(["-c", setting]);
        }
        let database = Self {
            _server: Server::start(&mut serve, log)?,
            _dir: dir,
            programs,
            host,
            port,
        };
        let started = Instant::now();
        while database.sql("SELECT 1").is_err() {
            if started.elapsed() > START_WITHIN {
                bail!("PostgreSQL does not start; see `{}`", log.display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        database.sql(TABLES)?;
        Ok(database)
    }

    pub(super) fn url(&self) -> String {
        format!(
            "postgres://postgres@{}:{}/postgres?sslmode=disable",
            self.host, self.port
        )
    }

    /// Starts to write down the changes of tokens, once there is a table of them.
    pub(super) fn watch_tokens(&self) -> anyhow::Result<bool> {
        if self.sql("SELECT to_regclass('hermod_tokens') IS NOT NULL")? != "t\n" {
            return Ok(false);
        }
        self.sql(TRIGGER)?;
        Ok(true)
    }

    /// Writes all tables into files of a directory, to look into.
    pub(super) fn dump(&self, dir: &Path) -> anyhow::Result<()> {
        for table in ["pushed", "generated", "token_history", "hermod_tokens"] {
            let rows = self.sql(&format!("SELECT * FROM {table} ORDER BY 1"))?;
            fs::write(dir.join(format!("{table}.tsv")), rows)?;
        }
        Ok(())
    }

    /// Runs statements; returns the rows, columns parted by tabs.
    pub(super) fn sql(&self, text: &str) -> anyhow::Result<String> {
        let mut command = Command::new(self.programs.join("psql"));
        command
            .args(["-X", "-A", "-t", "-q", "-F", "\t", "-v", "ON_ERROR_STOP=1"])
            .args(["-f", "-"])
            .arg(self.url());
        process::run(&mut command, text)
    }
}

/// Finds the programs: Debian keeps them away from the PATH.
fn programs() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").ok();
    let mut versions: Vec<PathBuf> = debian
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    versions
        .into_iter()
        .rev()
        .chain(std::env::split_paths(&path))
        .find(|dir| dir.join("initdb").exists() && dir.join("psql").exists())
}

/// PostgreSQL refuses to run as root; then it runs as the user that its package has made.
fn owner() -> anyhow::Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let id = |flag: &str| -> anyhow::Result<u32> {
        let text = process::run(Command::new("id").args([flag, "postgres"]), "")?;
        Ok(text.trim().parse()?)
    };
    Ok(Some((id("-u")?, id("-g")?)))
}
