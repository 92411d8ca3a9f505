//! The rows that an operation touches: read before it is applied, written back after it.

use std::collections::HashMap;

use bytes::Bytes;
use bytestring::ByteString;
use sqlx::{Row, SqliteConnection};

use super::read::{kind, lease_of, number, signed, text};
use crate::{
    Entry, Event, Key, Lease, Object, Operation, Revision,
    limits::FEED_EVENTS,
    state::rows::{Counters, Rows, Standing, object_weight},
};

/// The one row of `meta`: how far the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) counters: Counters,
    pub(super) entries: u64,
    pub(super) leases: u64,
    /// The number of the next change.
    pub(super) next_change: u64,
}

impl Head {
    pub(super) async fn read(connection: &mut SqliteConnection) -> sqlx::Result<Self> {
        let row = sqlx::query("SELECT * FROM meta")
            .fetch_one(connection)
            .await?;
        Ok(Self {
            counters: Counters {
                now_ms: number(&row, "now_ms")?,
                revision: Revision(number(&row, "revision")?),
                next_entry: number(&row, "next_entry")?,
                bytes: number(&row, "bytes")?,
            },
            entries: number(&row, "entries")?,
            leases: number(&row, "leases")?,
            next_change: number(&row, "next_change")?,
        })
    }

    async fn write(&self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        const SQL: &str = "UPDATE meta SET revision = ?1, now_ms = ?2, next_entry = ?3, bytes = ?4, \
                           entries = ?5, leases = ?6, next_change = ?7";
        sqlx::query(SQL)
            .bind(signed(self.counters.revision.0))
            .bind(signed(self.counters.now_ms))
            .bind(signed(self.counters.next_entry))
            .bind(signed(self.counters.bytes))
            .bind(signed(self.entries))
            .bind(signed(self.leases))
            .bind(signed(self.next_change))
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// The part of a store that operations of one transaction have touched.
#[derive(Debug)]
pub(super) struct Touched {
    head: Head,
    objects: HashMap<Key, Option<Standing>>,
    leases: HashMap<ByteString, Option<Lease>>,
    /// What a trim of the journal lets go: entries and their bytes.
    trim: (u64, u64),
    writes: Vec<Write>,
    changed: bool,
}

#[derive(Debug)]
enum Write {
    PutObject(Object),
    RemoveObject(Key),
    PutLease(Lease),
    PushEntry(Entry),
    TrimEntries { first: u64 },
}

impl Touched {
    pub(super) fn new(head: Head) -> Self {
        Self {
            head,
            objects: HashMap::new(),
            leases: HashMap::new(),
            trim: (0, 0),
            writes: Vec::new(),
            changed: false,
        }
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// Reads what an operation will ask for.
    pub(super) async fn fetch(
        &mut self,
        connection: &mut SqliteConnection,
        operation: &Operation,
    ) -> sqlx::Result<()> {
        match operation {
            Operation::Commit(transaction) => {
                for guard in &transaction.guards {
                    self.fetch_lease(connection, &guard.lease).await?;
                }
                for change in &transaction.changes {
                    self.fetch_object(connection, change.subject().0).await?;
                }
            }
            Operation::Acquire { lease, .. }
            | Operation::Renew { lease, .. }
            | Operation::Release { lease, .. } => self.fetch_lease(connection, lease).await?,
            Operation::TrimJournal { first } => self.fetch_trim(connection, *first).await?,
        }
        Ok(())
    }

    async fn fetch_lease(
        &mut self,
        connection: &mut SqliteConnection,
        name: &ByteString,
    ) -> sqlx::Result<()> {
        if !self.leases.contains_key(name) {
            let row = sqlx::query("SELECT * FROM leases WHERE name = ?1")
                .bind(&**name)
                .fetch_optional(connection)
                .await?;
            let lease = row.map(|row| lease_of(&row)).transpose()?;
            self.leases.insert(name.clone(), lease);
        }
        Ok(())
    }

    async fn fetch_object(
        &mut self,
        connection: &mut SqliteConnection,
        key: &Key,
    ) -> sqlx::Result<()> {
        const SQL: &str = "SELECT version, created_ms, octet_length(document) AS length \
                           FROM objects WHERE kind = ?1 AND id = ?2";
        if self.objects.contains_key(key) {
            return Ok(());
        }
        let row = sqlx::query(SQL)
            .bind(key.kind.as_str())
            .bind(&*key.id)
            .fetch_optional(connection)
            .await?;
        let standing = match row {
            None => None,
            Some(row) => Some(Standing {
                version: Revision(number(&row, "version")?),
                created_ms: number(&row, "created_ms")?,
                bytes: object_weight(key.id.len(), number(&row, "length")? as usize),
            }),
        };
        self.objects.insert(key.clone(), standing);
        Ok(())
    }

    async fn fetch_trim(
        &mut self,
        connection: &mut SqliteConnection,
        first: u64,
    ) -> sqlx::Result<()> {
        // The sum is `entry_weight`, written in SQL.
        const SQL: &str = "SELECT count(*) AS entries, coalesce(sum(64 + octet_length(user) \
                           + octet_length(action) + octet_length(entity_kind) \
                           + octet_length(entity_id) + octet_length(document)), 0) AS bytes \
                           FROM journal WHERE sequence < ?1";
        let row = sqlx::query(SQL)
            .bind(signed(first.min(self.head.counters.next_entry)))
            .fetch_one(connection)
            .await?;
        self.trim = (number(&row, "entries")?, number(&row, "bytes")?);
        Ok(())
    }

    /// Writes back what an operation has changed.
    pub(super) async fn flush(
        &mut self,
        connection: &mut SqliteConnection,
        events: &[Event],
    ) -> sqlx::Result<()> {
        for write in std::mem::take(&mut self.writes) {
            self.changed = true;
            write.make(connection).await?;
        }
        for event in events {
            let (revision, kind, name) = match event {
                Event::Object { revision, key } => (revision.0, Some(key.kind.as_str()), &key.id),
                Event::Lease { name } => (self.head.counters.revision.0, None, name),
                Event::Lagged => continue,
            };
            sqlx::query("INSERT INTO changes VALUES (?1, ?2, ?3, ?4)")
                .bind(signed(self.head.next_change))
                .bind(signed(revision))
                .bind(kind)
                .bind(&**name)
                .execute(&mut *connection)
                .await?;
            self.head.next_change += 1;
        }
        Ok(())
    }

    /// Writes the counters, if anything changed at all; returns whether it did.
    pub(super) async fn finish(&mut self, connection: &mut SqliteConnection) -> sqlx::Result<bool> {
        if self.changed {
            // I9: who is further behind than this reads everything again.
            let kept = self.head.next_change.saturating_sub(FEED_EVENTS as u64);
            sqlx::query("DELETE FROM changes WHERE sequence < ?1")
                .bind(signed(kept))
                .execute(&mut *connection)
                .await?;
            self.head.write(connection).await?;
        }
        Ok(self.changed)
    }
}

impl Rows for Touched {
    fn counters(&self) -> Counters {
        self.head.counters
    }

    fn set_counters(&mut self, counters: Counters) {
        // A transaction without changes has a revision all the same. Time alone is not worth a sync.
        self.changed |= counters.revision != self.head.counters.revision;
        self.head.counters = counters;
    }

    fn object(&self, key: &Key) -> Option<Standing> {
        debug_assert!(self.objects.contains_key(key), "was not fetched");
        self.objects.get(key).copied().flatten()
    }

    fn put_object(&mut self, object: Object) {
        let standing = Standing::of(&object);
        self.objects.insert(object.key.clone(), Some(standing));
        self.writes.push(Write::PutObject(object));
    }

    fn remove_object(&mut self, key: &Key) {
        self.objects.insert(key.clone(), None);
        self.writes.push(Write::RemoveObject(key.clone()));
    }

    fn lease(&self, name: &ByteString) -> Option<&Lease> {
        debug_assert!(self.leases.contains_key(name), "was not fetched");
        self.leases.get(name).and_then(Option::as_ref)
    }

    fn lease_count(&self) -> usize {
        self.head.leases as usize
    }

    fn put_lease(&mut self, lease: Lease) {
        let before = self.leases.insert(lease.name.clone(), Some(lease.clone()));
        if before.flatten().is_none() {
            self.head.leases += 1;
        }
        self.writes.push(Write::PutLease(lease));
    }

    fn entry_count(&self) -> u64 {
        self.head.entries
    }

    fn push_entry(&mut self, entry: Entry) {
        self.head.entries += 1;
        self.writes.push(Write::PushEntry(entry));
    }

    fn trim_entries(&mut self, first: u64) -> u64 {
        let (entries, bytes) = std::mem::take(&mut self.trim);
        if entries > 0 {
            self.head.entries -= entries;
            self.writes.push(Write::TrimEntries { first });
        }
        bytes
    }
}

impl Write {
    async fn make(self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        match self {
            Self::PutObject(object) => put_object(connection, &object).await,
            Self::RemoveObject(key) => {
                let delete = sqlx::query("DELETE FROM objects WHERE kind = ?1 AND id = ?2")
                    .bind(key.kind.as_str())
                    .bind(&*key.id);
                delete.execute(connection).await.map(drop)
            }
            Self::PutLease(lease) => put_lease(connection, &lease).await,
            Self::PushEntry(entry) => push_entry(connection, &entry).await,
            Self::TrimEntries { first } => {
                let delete = sqlx::query("DELETE FROM journal WHERE sequence < ?1");
                let delete = delete.bind(signed(first));
                delete.execute(connection).await.map(drop)
            }
        }
    }
}

/// Documents that are text are kept as text, so that SQLite's own functions can look into them.
fn as_text(document: &Bytes) -> Option<&str> {
    std::str::from_utf8(document)
        .ok()
        .filter(|text| !text.contains('\0'))
}

macro_rules! bind_document {
    ($query:expr, $document:expr) => {
        match as_text($document) {
            Some(text) => $query.bind(text),
            None => $query.bind(&$document[..]),
        }
    };
}

async fn put_object(connection: &mut SqliteConnection, object: &Object) -> sqlx::Result<()> {
    const SQL: &str = "INSERT INTO objects VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                       ON CONFLICT (kind, id) DO UPDATE SET version = ?3, created_ms = ?4, \
                       changed_ms = ?5, document = ?6";
    let put = sqlx::query(SQL)
        .bind(object.key.kind.as_str())
        .bind(&*object.key.id)
        .bind(signed(object.version.0))
        .bind(signed(object.created_ms))
        .bind(signed(object.changed_ms));
    let put = bind_document!(put, &object.document);
    put.execute(connection).await.map(drop)
}

async fn put_lease(connection: &mut SqliteConnection, lease: &Lease) -> sqlx::Result<()> {
    const SQL: &str = "INSERT INTO leases VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                       ON CONFLICT (name) DO UPDATE SET node = ?2, start = ?3, epoch = ?4, \
                       until_ms = ?5, since = ?6";
    let put = sqlx::query(SQL)
        .bind(&*lease.name)
        .bind(format!("{:016x}", lease.node))
        .bind(lease.owner.as_ref().map(|owner| signed(owner.start)))
        .bind(signed(lease.epoch))
        .bind(signed(lease.until_ms))
        .bind(signed(lease.since));
    put.execute(connection).await.map(drop)
}

async fn push_entry(connection: &mut SqliteConnection, entry: &Entry) -> sqlx::Result<()> {
    let push = sqlx::query("INSERT INTO journal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
        .bind(signed(entry.sequence))
        .bind(signed(entry.at_ms))
        .bind(&*entry.draft.user)
        .bind(&*entry.draft.action)
        .bind(&*entry.draft.entity_kind)
        .bind(&*entry.draft.entity_id);
    let push = bind_document!(push, &entry.draft.document);
    push.execute(connection).await.map(drop)
}

/// Reads the changes from a number on, as far as they are kept.
pub(super) async fn changes(
    connection: &mut SqliteConnection,
    from: u64,
) -> sqlx::Result<Vec<(u64, Event)>> {
    let rows = sqlx::query("SELECT * FROM changes WHERE sequence >= ?1 ORDER BY sequence")
        .bind(signed(from))
        .fetch_all(connection)
        .await?;
    let changes = rows.iter().map(|row| {
        let name = text(row, "name")?;
        let event = match row.try_get::<Option<String>, _>("kind")? {
            None => Event::Lease { name },
            // A kind that only a newer version knows.
            Some(known) => kind(&known).map_or(Event::Lagged, |kind| Event::Object {
                revision: number(row, "revision").map_or(Revision(0), Revision),
                key: Key::new(kind, name),
            }),
        };
        Ok((number(row, "sequence")?, event))
    });
    changes.collect()
}
