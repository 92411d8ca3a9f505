//! Reading rows.

use bytes::Bytes;
use bytestring::ByteString;
use sqlx::{Row, SqlitePool, sqlite::SqliteRow};

use super::fault::Alien;
use crate::{
    Entry, EntryDraft, EntryQuery, Key, Kind, Lease, Object, Owner, Range, Revision,
    limits::PAGE_MAX,
};

/// Returns a number as SQLite keeps it. All 64 bits survive; order holds below 2^63, where all counters are.
pub(super) fn signed(number: u64) -> i64 {
    number.cast_signed()
}

/// Returns a bound as SQLite compares it: no stored number is above the highest that it knows.
fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn number(row: &SqliteRow, column: &'static str) -> sqlx::Result<u64> {
    row.try_get::<i64, _>(column).map(i64::cast_unsigned)
}

pub(super) fn text(row: &SqliteRow, column: &'static str) -> sqlx::Result<ByteString> {
    row.try_get::<String, _>(column).map(ByteString::from)
}

fn bytes(row: &SqliteRow, column: &'static str) -> sqlx::Result<Bytes> {
    row.try_get::<Vec<u8>, _>(column).map(Bytes::from)
}

pub(super) fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.iter().copied().find(|kind| kind.as_str() == name)
}

/// Returns the first text that is above all that begin with `prefix`; `None` where there is none.
fn above(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // Texts are ordered by their UTF-8, and so by their code points.
        let next = (last..=char::MAX).nth(1);
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

fn object_of(row: &SqliteRow, key: Key) -> sqlx::Result<Object> {
    Ok(Object {
        key,
        version: Revision(number(row, "version")?),
        created_ms: number(row, "created_ms")?,
        changed_ms: number(row, "changed_ms")?,
        document: bytes(row, "document")?,
    })
}

pub(super) fn lease_of(row: &SqliteRow) -> sqlx::Result<Lease> {
    let node = text(row, "node")?;
    let node = u64::from_str_radix(&node, 16).map_err(|_| Alien::error("node"))?;
    let start: Option<i64> = row.try_get("start")?;
    let owner = start.map(|start| Owner {
        node,
        start: start.cast_unsigned(),
    });
    Ok(Lease {
        name: text(row, "name")?,
        owner,
        node,
        epoch: number(row, "epoch")?,
        until_ms: number(row, "until_ms")?,
        since: number(row, "since")?,
    })
}

fn entry_of(row: &SqliteRow) -> sqlx::Result<Entry> {
    Ok(Entry {
        sequence: number(row, "sequence")?,
        at_ms: number(row, "at_ms")?,
        draft: EntryDraft {
            user: text(row, "user")?,
            action: text(row, "action")?,
            entity_kind: text(row, "entity_kind")?,
            entity_id: text(row, "entity_id")?,
            document: bytes(row, "document")?,
        },
    })
}

pub(super) async fn object(pool: &SqlitePool, key: &Key) -> sqlx::Result<Option<Object>> {
    const SQL: &str = "SELECT version, created_ms, changed_ms, document FROM objects \
                       WHERE kind = ?1 AND id = ?2";
    let row = sqlx::query(SQL)
        .bind(key.kind.as_str())
        .bind(&*key.id)
        .fetch_optional(pool)
        .await?;
    row.map(|row| object_of(&row, key.clone())).transpose()
}

pub(super) async fn objects(pool: &SqlitePool, range: &Range) -> sqlx::Result<Vec<Object>> {
    const SQL: &str = "SELECT id, version, created_ms, changed_ms, document FROM objects \
                       WHERE kind = ?1 AND id >= ?2 AND id IS NOT ?3 AND (?4 IS NULL OR id < ?4) \
                       ORDER BY id LIMIT ?5";
    let after = range.after.as_ref().filter(|after| **after >= range.prefix);
    let from = after.unwrap_or(&range.prefix);
    let rows = sqlx::query(SQL)
        .bind(range.kind.as_str())
        .bind(&**from)
        .bind(after.map(|after| &**after))
        .bind(above(&range.prefix))
        .bind(range.limit.min(PAGE_MAX) as i64)
        .fetch_all(pool)
        .await?;
    let objects = rows.iter().map(|row| {
        let key = Key::new(range.kind, text(row, "id")?);
        object_of(row, key)
    });
    objects.collect()
}

pub(super) async fn lease(pool: &SqlitePool, name: &str) -> sqlx::Result<Option<Lease>> {
    let row = sqlx::query("SELECT * FROM leases WHERE name = ?1")
        .bind(name)
        .fetch_optional(pool)
        .await?;
    row.map(|row| lease_of(&row)).transpose()
}

pub(super) async fn leases(pool: &SqlitePool) -> sqlx::Result<Vec<Lease>> {
    let rows = sqlx::query("SELECT * FROM leases ORDER BY name")
        .fetch_all(pool)
        .await?;
    rows.iter().map(lease_of).collect()
}

pub(super) async fn entries(pool: &SqlitePool, query: &EntryQuery) -> sqlx::Result<Vec<Entry>> {
    const SQL: &str = "SELECT * FROM journal \
                       WHERE sequence < ?1 AND at_ms >= ?2 AND at_ms < ?3 \
                       AND (?4 IS NULL OR user = ?4) AND (?5 IS NULL OR action = ?5) \
                       AND (?6 IS NULL OR entity_kind = ?6) AND (?7 IS NULL OR entity_id = ?7) \
                       ORDER BY sequence DESC LIMIT ?8";
    let rows = sqlx::query(SQL)
        .bind(bound(query.before))
        .bind(bound(query.from_ms))
        .bind(bound(query.until_ms))
        .bind(query.user.as_deref())
        .bind(query.action.as_deref())
        .bind(query.entity_kind.as_deref())
        .bind(query.entity_id.as_deref())
        .bind(query.limit.min(PAGE_MAX) as i64)
        .fetch_all(pool)
        .await?;
    rows.iter().map(entry_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_above_a_prefix_is_the_first_that_does_not_begin_with_it() {
        assert_eq!(above("").as_deref(), None);
        assert_eq!(above("a/").as_deref(), Some("a0"));
        assert_eq!(above("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(above("\u{10ffff}"), None);
        // Between these two lie the surrogates, which no text holds.
        assert_eq!(above("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(above("\u{7f}").as_deref(), Some("\u{80}"));
    }
}
