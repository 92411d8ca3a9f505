-- The tables of a Hermod store, format 1. Times are milliseconds since 1970. Read them as you like; write them never.

CREATE TABLE meta (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    store TEXT NOT NULL,           -- this store's own id
    revision INTEGER NOT NULL,     -- of the last transaction
    now_ms INTEGER NOT NULL,       -- store time: never goes back
    next_entry INTEGER NOT NULL,   -- number of the next journal entry
    bytes INTEGER NOT NULL,        -- that objects and entries count for
    entries INTEGER NOT NULL,      -- rows of journal
    leases INTEGER NOT NULL,       -- rows of leases
    next_change INTEGER NOT NULL   -- number of the next change
) STRICT;

CREATE TABLE objects (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,      -- revision at which it was last written
    created_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    document ANY NOT NULL,         -- text where it is text, else a blob
    PRIMARY KEY (kind, id)
) STRICT;

CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    node TEXT NOT NULL,            -- that holds it, or held it last: 16 hexadecimal digits
    start INTEGER,                 -- of the process that holds it; NULL after a release
    epoch INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    since INTEGER NOT NULL         -- first epoch of this node's tenure
) STRICT;

CREATE TABLE journal (
    sequence INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    user TEXT NOT NULL,
    action TEXT NOT NULL,
    entity_kind TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    document ANY NOT NULL
) STRICT;

-- The newest changes, for processes that share the store to learn what others did.
CREATE TABLE changes (
    sequence INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL,
    kind TEXT,                     -- NULL for a lease
    name TEXT NOT NULL             -- id of the object, or name of the lease
) STRICT;
