//! Opening a file: looked at before it is touched, made where there is nothing.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rand::RngExt;
use sqlx::{Connection, SqliteConnection, SqlitePool, sqlite::SqlitePoolOptions};

use super::{READERS, SqliteOptions, connect_options, fault, rows::Head, shared::FileId};

/// Marks the file as a Hermod store: `HMDS`. SQLite keeps it in the header. Source: <https://www.sqlite.org/fileformat.html>
const APPLICATION: u32 = 0x484d_4453;

/// The version of the tables; SQLite keeps it as `user_version`.
const FORMAT: u32 = 1;

const SCHEMA: &str = include_str!("schema.sql");

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// The address cannot be understood.
    #[error("`{text}` is no path of a SQLite file; write a path, or `sqlite:` and a path")]
    Address {
        /// The address.
        text: String,
    },
    /// The busy timeout cannot be understood.
    #[error("`{text}` is no busy timeout; it takes 1 to 600000 milliseconds")]
    BusyTimeout {
        /// What was given.
        text: String,
    },
    /// There is no store, and none is to be made.
    #[error("there is no store at `{path}`")]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// The file is something else. It was left as it is.
    #[error("`{path}` is not a Hermod store")]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// A newer version has written it. It was left as it is.
    #[error("`{path}` has format {found}, this version knows up to {known}; use a newer version")]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// The file is damaged. It was left as it is.
    #[error("`{path}` is damaged: {reason}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What SQLite found.
        reason: String,
    },
    /// Another process was in the way for too long.
    #[error("`{path}` is busy with another process")]
    Busy {
        /// Which file.
        path: PathBuf,
    },
    /// The file cannot be used.
    #[error("`{path}` cannot be opened: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite cannot use the file.
    #[error("`{path}` cannot be opened: {source}")]
    Database {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A store that was opened.
pub(super) struct Opened {
    pub(super) id: String,
    pub(super) made: bool,
    pub(super) file: FileId,
    pub(super) head: Head,
    /// The connection that writes.
    pub(super) connection: SqliteConnection,
    /// The connection that asks for news.
    pub(super) follower: SqliteConnection,
    pub(super) readers: SqlitePool,
}

pub(super) async fn open(options: &SqliteOptions) -> Result<Opened, SqliteError> {
    let path = options.path.clone();
    let create = options.create;
    let looked = tokio::task::spawn_blocking(move || look(&path, create)).await;
    let fresh = looked.map_err(|error| SqliteError::Io {
        path: options.path.clone(),
        source: error.into(),
    })??;
    match connect(options, fresh).await {
        Ok(opened) => opened,
        Err(error) => Err(understand(&options.path, error)),
    }
}

/// Says why SQLite has not opened a file.
fn understand(path: &Path, error: sqlx::Error) -> SqliteError {
    let path = path.to_owned();
    if fault::is_busy(&error) {
        SqliteError::Busy { path }
    } else if fault::is_damage(&error) {
        let reason = error.to_string();
        SqliteError::Damaged { path, reason }
    } else {
        let source = Box::new(error);
        SqliteError::Database { path, source }
    }
}

/// Looks at a file without touching it, makes an empty one where that is wanted, and returns whether it is empty.
///
/// SQLite itself would already write beside a file that it opens. The header is in the file and not in the log: both
/// numbers are written before the log is switched on.
fn look(path: &Path, create: bool) -> Result<bool, SqliteError> {
    let failed = |source| SqliteError::Io {
        path: path.to_owned(),
        source,
    };
    let mut header = [0; 100];
    let read = match File::open(path) {
        Ok(mut file) => read_up_to(&mut file, &mut header).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
            make(path).map_err(failed)?;
            0
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let path = path.to_owned();
            return Err(SqliteError::Missing { path });
        }
        Err(error) => return Err(failed(error)),
    };
    if read == 0 {
        return if create {
            Ok(true)
        } else {
            let path = path.to_owned();
            Err(SqliteError::Missing { path })
        };
    }
    let at = |offset: usize| {
        let bytes = &header[offset..offset + 4];
        bytes.iter().fold(0, |n, byte| n << 8 | u32::from(*byte))
    };
    if read < header.len() || !header.starts_with(b"SQLite format 3\0") || at(68) != APPLICATION {
        let path = path.to_owned();
        return Err(SqliteError::Foreign { path });
    }
    is_known(path, at(60))?;
    Ok(false)
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read(&mut buffer[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

/// Makes an empty file that only its owner reads; SQLite gives the files beside it the same mode.
fn make(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(file) => file.sync_all()?,
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn is_known(path: &Path, found: u32) -> Result<(), SqliteError> {
    if found > FORMAT {
        return Err(SqliteError::Newer {
            path: path.to_owned(),
            found,
            known: FORMAT,
        });
    }
    Ok(())
}

async fn connect(
    options: &SqliteOptions,
    fresh: bool,
) -> sqlx::Result<Result<Opened, SqliteError>> {
    let path = &options.path;
    let patient = connect_options(path, options.busy_timeout);
    let mut connection = SqliteConnection::connect_with(&patient).await?;
    let mut made = false;
    if fresh {
        match create(&mut connection).await? {
            Some(by_us) => made = by_us,
            None => return Ok(Err(SqliteError::Foreign { path: path.clone() })),
        }
    }
    let format: u32 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut connection)
        .await?;
    if let Err(error) = is_known(path, format) {
        return Ok(Err(error));
    }
    // I6: damage is found now and named, not when a row is needed.
    let check: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut connection)
        .await?;
    if check != "ok" {
        return Ok(Err(SqliteError::Damaged {
            path: path.clone(),
            reason: check,
        }));
    }
    switch_log_on(&mut connection, options.busy_timeout).await?;
    let head = Head::read(&mut connection).await?;
    let id = sqlx::query_scalar("SELECT store FROM meta")
        .fetch_one(&mut connection)
        .await?;
    // From here on the writer waits by itself, so that it can tell who has waited too long.
    sqlx::query("PRAGMA busy_timeout = 0")
        .execute(&mut connection)
        .await?;
    let reading = patient.pragma("query_only", "ON");
    let follower = SqliteConnection::connect_with(&reading).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(options.busy_timeout)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(reading)
        .await?;
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(source) => {
            let path = path.clone();
            return Ok(Err(SqliteError::Io { path, source }));
        }
    };
    Ok(Ok(Opened {
        id,
        made,
        file: FileId::of(&metadata),
        head,
        connection,
        follower,
        readers,
    }))
}

/// Makes the tables of an empty file. Returns whether this process did; `None` where it has become something else.
async fn create(connection: &mut SqliteConnection) -> sqlx::Result<Option<bool>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let application: u32 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *transaction)
        .await?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *transaction)
        .await?;
    // Two processes may start on an empty file at once: the second finds the first's tables.
    if application == APPLICATION {
        transaction.rollback().await?;
        return Ok(Some(false));
    }
    if application != 0 || tables != 0 {
        transaction.rollback().await?;
        return Ok(None);
    }
    sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
    sqlx::query("INSERT INTO meta VALUES (1, ?1, 0, 0, 0, 0, 0, 0, 0)")
        .bind(format!("{:032x}", rand::rng().random::<u128>()))
        .execute(&mut *transaction)
        .await?;
    let marks = sqlx::AssertSqlSafe(format!(
        "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}"
    ));
    sqlx::raw_sql(marks).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(Some(true))
}

/// Switches the write-ahead log on, which stays on. The change needs the file alone for a moment.
async fn switch_log_on(
    connection: &mut SqliteConnection,
    busy_timeout: Duration,
) -> sqlx::Result<()> {
    let deadline = tokio::time::Instant::now() + busy_timeout;
    loop {
        let mode = sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL")
            .fetch_one(&mut *connection)
            .await;
        match mode {
            Ok(mode) if mode == "wal" => break,
            Ok(mode) => {
                let message = format!("its file system does not allow a write-ahead log ({mode})");
                return Err(sqlx::Error::Configuration(message.into()));
            }
            Err(error) if fault::is_busy(&error) && tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => return Err(error),
        }
    }
    // A log that one large transaction has made long does not stay long.
    sqlx::query("PRAGMA journal_size_limit = 67108864")
        .execute(connection)
        .await?;
    Ok(())
}
