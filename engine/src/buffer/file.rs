//! A buffer that is a stream of the data log.

use hermod_sdk::{Message, Text};
use hermod_wal::{Batch, ReadLimit, Seq, StreamId, Ticket};

use super::{ChunkLimit, Entry, Found, Hole, ReadError};
use crate::{
    envelope::{self, Target},
    log::{DataLog, LogError},
};

/// A reader within this many records of the log's end is served from memory, without a blocking thread.
const NEAR_END: u64 = 2048;

pub(crate) struct FileBuffer {
    log: DataLog,
    name: Text,
    stream: StreamId,
}

/// A register that is written in the same atomic batch as the messages (I2).
pub(crate) struct RegisterValue<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Vec<u8>,
}

impl FileBuffer {
    pub(crate) fn new(log: DataLog, name: Text, stream: StreamId) -> Self {
        Self { log, name, stream }
    }

    pub(crate) fn name(&self) -> &Text {
        &self.name
    }

    pub(crate) fn stream_id(&self) -> StreamId {
        self.stream
    }

    pub(crate) fn bounds(&self) -> (u64, u64) {
        self.log
            .log()
            .bounds(self.stream)
            .map_or((0, 0), |bounds| (bounds.first.0, bounds.next.0))
    }

    /// Enqueues messages, and the position behind them, as one atomic batch.
    ///
    /// Returns the ticket and the number after the last message.
    pub(crate) async fn enqueue(
        &self,
        messages: &[Message],
        target: Option<&Target>,
        register: Option<RegisterValue<'_>>,
    ) -> Result<(Ticket, u64), LogError> {
        let bytes: usize = messages.iter().map(|message| message.size() + 64).sum();
        let ticket = self
            .log
            .enqueue(|| {
                let mut batch = Batch::with_capacity(bytes);
                for message in messages {
                    batch.append_with(self.stream, |out| envelope::encode(message, target, out));
                }
                if let Some(register) = &register {
                    // I2: the position stands in the same atomic write as the messages before it.
                    batch.set(register.name, &register.value);
                }
                batch
            })
            .await?;
        let next = ticket.first(self.stream).map_or(0, |first| first.0) + messages.len() as u64;
        Ok((ticket, next))
    }

    pub(crate) fn reader(&self, from: u64) -> FileReader {
        FileReader {
            log: self.log.clone(),
            name: self.name.clone(),
            stream: self.stream,
            reader: Some(self.log.log().reader(self.stream, Seq(from))),
            next: from,
        }
    }
}

pub(crate) struct FileReader {
    log: DataLog,
    name: Text,
    stream: StreamId,
    // Taken out while a blocking thread uses it; a cancelled read makes it anew at `next`.
    reader: Option<hermod_wal::Reader>,
    next: u64,
}

impl FileReader {
    pub(crate) async fn read(&mut self, limit: ChunkLimit) -> Result<Found, ReadError> {
        let limit = ReadLimit {
            records: limit.messages,
            bytes: limit.bytes,
        };
        let records = loop {
            let arrival = self.log.log().arrival(self.stream, Seq(self.next));
            arrival.await.map_err(|error| self.unreadable(error))?;
            match self.read_records(limit).await? {
                Ok(records) if records.is_empty() => {}
                Ok(records) => break records,
                Err(hole) => {
                    self.next = hole.to;
                    return Ok(Found::Lost(hole));
                }
            }
        };
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            let envelope =
                envelope::decode(&record.payload).map_err(|error| self.unreadable(error))?;
            let (message, target) = (envelope.message, envelope.target);
            entries.push(Entry {
                seq: record.seq.0,
                message,
                target,
            });
        }
        self.next = entries.last().map_or(self.next, |entry| entry.seq + 1);
        Ok(Found::Entries(entries))
    }

    async fn read_records(
        &mut self,
        limit: ReadLimit,
    ) -> Result<Result<Vec<hermod_wal::Record>, Hole>, ReadError> {
        let from = Seq(self.next);
        let mut reader = match self.reader.take() {
            Some(reader) if reader.position() == from => reader,
            _ => self.log.log().reader(self.stream, from),
        };
        let end = self
            .log
            .log()
            .bounds(self.stream)
            .map_or(self.next, |bounds| bounds.next.0);
        let result = if end.saturating_sub(self.next) <= NEAR_END {
            let result = reader.read(limit);
            self.reader = Some(reader);
            result
        } else {
            let read = tokio::task::spawn_blocking(move || {
                let result = reader.read(limit);
                (reader, result)
            });
            let (reader, result) = read.await.map_err(|error| self.unreadable(error))?;
            self.reader = Some(reader);
            result
        };
        match result {
            Ok(records) => Ok(Ok(records)),
            // I6: damage is named; whoever reads decides what becomes of it, and nothing skips it silently.
            Err(hermod_wal::ReadError::Damaged {
                from,
                to,
                segment,
                offset,
                ..
            }) => Ok(Err(Hole {
                stream: self.name.clone(),
                from: from.0,
                to: to.0,
                segment,
                offset,
            })),
            Err(error) => Err(self.unreadable(error)),
        }
    }

    fn unreadable(&self, reason: impl std::fmt::Display) -> ReadError {
        let reason = reason.to_string();
        ReadError::Unreadable {
            stream: self.name.clone(),
            seq: self.next,
            reason,
        }
    }
}
