//! Taking a batch: it is checked in whole before anything of it is kept.

use std::sync::Arc;

use bytes::Bytes;

use super::tail::{Parcel, add_run, rewind_runs};
use super::{Ledger, Phase, Register, Stream};
use crate::batch::{Batch, Step};
use crate::frame::{Kind, OP_BYTES, Op};
use crate::seq::Extent;
use crate::table::{Entry, register_cost, stream_cost};
use crate::{AppendError, Seq, StreamId};

/// A batch that was taken.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) lsn: u64,
    pub(crate) firsts: Vec<(StreamId, Seq)>,
    pub(crate) first: Option<(StreamId, Seq)>,
    pub(crate) wake_writer: bool,
}

/// A stream as it will be with the batch that is being checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft {
    stream: StreamId,
    extent: Extent,
    exists: bool,
}

/// The payload of a step that is one operation.
fn payload<'a>(buffer: &'a [u8], step: &Step) -> &'a [u8] {
    Op::decode(buffer, step.at as usize).map_or(&[], |op| op.payload(buffer))
}

impl Ledger {
    /// Checks a batch, gives it its place and its records their numbers. After an error nothing has changed.
    pub(crate) fn append(&mut self, mut batch: Batch) -> Result<Accepted, AppendError> {
        self.admit(&batch)?;
        let mut drafts = std::mem::take(&mut self.scratch);
        drafts.clear();
        let drafted = self.draft(&mut batch, &mut drafts);
        if drafted.is_ok() {
            for draft in &drafts {
                if let Some(stream) = self.streams.get_mut(&draft.stream) {
                    stream.appended = draft.extent;
                    stream.exists = draft.exists;
                }
            }
        }
        self.scratch = drafts;
        drafted?;
        Ok(self.commit(batch))
    }

    fn admit(&mut self, batch: &Batch) -> Result<(), AppendError> {
        match self.phase {
            Phase::Open => {}
            Phase::Full if batch.reserved => {}
            Phase::Full => return Err(AppendError::Full),
            Phase::Poisoned => return Err(AppendError::Poisoned),
            Phase::Closing | Phase::Closed => return Err(AppendError::Closed),
        }
        if let Some(fault) = batch.fault {
            return Err(fault);
        }
        let (bytes, max) = (batch.bytes(), self.limits.batch);
        if bytes > max {
            return Err(AppendError::TooLarge { bytes, max });
        }
        let pending = self.tail.pending_bytes;
        if pending > 0 && pending + bytes > self.limits.pending {
            return Err(AppendError::Busy);
        }
        // I8: refused here, before anything is promised, as long as it can be foreseen.
        if !batch.reserved
            && self
                .known_room
                .is_some_and(|room| (pending + bytes) as u64 > room)
        {
            self.phase = Phase::Full;
            return Err(AppendError::Full);
        }
        Ok(())
    }

    /// Finds the numbers of the records and whether every operation is allowed.
    fn draft(&self, batch: &mut Batch, drafts: &mut Vec<Draft>) -> Result<(), AppendError> {
        let mut growth = 0;
        for step in &mut batch.steps {
            let draft = match step.kind {
                Kind::Set => {
                    if let Some((name, value)) = Op::register(payload(&batch.buffer, step)) {
                        growth += self.register_growth(name, value.len());
                    }
                    continue;
                }
                Kind::Unset | Kind::Close | Kind::Declare => continue,
                _ => self.draft_of(step.stream, drafts)?,
            };
            match step.kind {
                Kind::Append => {
                    step.seq = draft.extent.next;
                    draft.extent.next = step.next();
                }
                Kind::Trim => draft.extent.trim(step.seq),
                Kind::Rewind => draft.extent.rewind(step.seq),
                Kind::Start if !draft.extent.is_empty() => {
                    return Err(AppendError::NotEmpty {
                        stream: step.stream,
                    });
                }
                Kind::Start => draft.extent.start(step.seq),
                _ => draft.exists = false,
            }
        }
        if growth > 0 && self.table_bytes + growth > self.limits.table {
            return Err(AppendError::TableFull);
        }
        Ok(())
    }

    fn register_growth(&self, name: &str, value_bytes: usize) -> usize {
        match self
            .registers
            .get(name)
            .and_then(|register| register.appended.as_ref())
        {
            Some(value) => value_bytes.saturating_sub(value.len()),
            None => register_cost(name, value_bytes),
        }
    }

    fn draft_of<'a>(
        &self,
        id: StreamId,
        drafts: &'a mut Vec<Draft>,
    ) -> Result<&'a mut Draft, AppendError> {
        let at = if let Some(at) = drafts.iter().rposition(|draft| draft.stream == id) {
            at
        } else {
            let stream = self
                .stream(id)
                .ok_or(AppendError::UnknownStream { stream: id })?;
            drafts.push(Draft {
                stream: id,
                extent: stream.appended,
                exists: true,
            });
            drafts.len() - 1
        };
        let draft = &mut drafts[at];
        if draft.exists {
            Ok(draft)
        } else {
            Err(AppendError::UnknownStream { stream: id })
        }
    }

    fn commit(&mut self, batch: Batch) -> Accepted {
        let Batch {
            buffer,
            steps,
            reserved,
            ..
        } = batch;
        let bytes = Bytes::from(buffer);
        let lsn = self.tail.next_lsn();
        let mut accepted = Accepted {
            lsn,
            firsts: Vec::new(),
            first: None,
            wake_writer: std::mem::take(&mut self.writer_sleeps),
        };
        for step in &steps {
            match step.kind {
                Kind::Set | Kind::Unset => self.commit_register(step, &bytes),
                Kind::Close | Kind::Declare => {}
                _ => self.commit_stream(step, lsn, &mut accepted),
            }
        }
        self.tail.push(Parcel {
            bytes,
            steps,
            reserved,
            void: false,
        });
        accepted
    }

    fn commit_stream(&mut self, step: &Step, lsn: u64, accepted: &mut Accepted) {
        let Some(stream) = self.streams.get_mut(&step.stream) else {
            return;
        };
        match step.kind {
            Kind::Append => {
                add_run(&mut stream.runs, step, lsn);
                let first = (step.stream, step.seq);
                match &accepted.first {
                    None => accepted.first = Some(first),
                    Some((known, _)) if *known == step.stream => {}
                    Some(_)
                        if accepted
                            .firsts
                            .iter()
                            .any(|(known, _)| *known == step.stream) => {}
                    Some(_) => accepted.firsts.push(first),
                }
            }
            Kind::Trim => {
                while stream.runs.front().is_some_and(|run| run.until <= step.seq) {
                    stream.runs.pop_front();
                }
            }
            Kind::Rewind => rewind_runs(&mut stream.runs, step.seq),
            Kind::Start => stream.runs.clear(),
            _ => {
                stream.runs.clear();
                self.table_bytes -= stream_cost(&stream.name);
                self.names.remove(&stream.name);
            }
        }
    }

    fn commit_register(&mut self, step: &Step, bytes: &[u8]) {
        let payload = payload(bytes, step);
        let (name, value) = match step.kind {
            Kind::Set => match Op::register(payload) {
                Some((name, value)) => (name, Some(value)),
                None => return,
            },
            _ => (std::str::from_utf8(payload).unwrap_or_default(), None),
        };
        if !self.registers.contains_key(name) {
            self.registers.insert(name.into(), Register::default());
        }
        let Some(register) = self.registers.get_mut(name) else {
            return;
        };
        if let Some(old) = &register.appended {
            self.table_bytes -= register_cost(name, old.len());
        }
        if let Some(value) = value {
            self.table_bytes += register_cost(name, value.len());
        }
        // A copy: a slice would keep the whole batch in memory for as long as the register stands.
        register.appended = value.map(Bytes::copy_from_slice);
        self.drop_empty_register(name);
    }

    pub(super) fn drop_empty_register(&mut self, name: &str) {
        let empty = |register: &Register| register.appended.is_none() && register.durable.is_none();
        if self.registers.get(name).is_some_and(empty) {
            self.registers.remove(name);
        }
    }

    /// Makes what one step does to registers durable.
    pub(super) fn publish_register(&mut self, step: &Step, bytes: &[u8]) {
        let payload = payload(bytes, step);
        let (name, value) = match step.kind {
            Kind::Set => match Op::register(payload) {
                Some((name, value)) => (name, Some(Bytes::copy_from_slice(value))),
                None => return,
            },
            _ => (std::str::from_utf8(payload).unwrap_or_default(), None),
        };
        if !self.registers.contains_key(name) {
            self.registers.insert(name.into(), Register::default());
        }
        if let Some(register) = self.registers.get_mut(name) {
            register.durable = value;
        }
        self.drop_empty_register(name);
    }

    /// Forgets what was appended to a register but did not become durable.
    pub(super) fn revert_register(&mut self, name: &str) {
        let Some(register) = self.registers.get_mut(name) else {
            return;
        };
        if let Some(old) = &register.appended {
            self.table_bytes -= register_cost(name, old.len());
        }
        register.appended = register.durable.clone();
        if let Some(value) = &register.appended {
            self.table_bytes += register_cost(name, value.len());
        }
        self.drop_empty_register(name);
    }

    /// Finds or creates a stream. Its declaration goes out with the next group.
    pub(crate) fn create(&mut self, name: &str) -> Result<StreamId, AppendError> {
        if let Some(id) = self.find(name) {
            return Ok(id);
        }
        match self.phase {
            Phase::Open | Phase::Full => {}
            Phase::Poisoned => return Err(AppendError::Poisoned),
            Phase::Closing | Phase::Closed => return Err(AppendError::Closed),
        }
        let max = crate::format::NAME_BYTES_MAX;
        if name.is_empty() || name.len() > max {
            return Err(AppendError::BadName {
                bytes: name.len(),
                max,
            });
        }
        let cost = stream_cost(name);
        if self.table_bytes + cost > self.limits.table || self.next_id == u32::MAX {
            return Err(AppendError::TableFull);
        }
        let id = StreamId(self.next_id);
        self.next_id += 1;
        self.table_bytes += cost;
        let name: Arc<str> = name.into();
        let entry = Entry::new(Arc::clone(&name));
        self.streams.insert(id, Stream::new(&entry, false));
        self.names.insert(name, id);
        self.declare(id);
        Ok(id)
    }

    /// Appends the declaration of a stream.
    pub(super) fn declare(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        let Batch { buffer, steps, .. } = Batch::declare(id, &stream.name);
        debug_assert!(buffer.len() >= OP_BYTES);
        self.tail.push(Parcel {
            bytes: buffer.into(),
            steps,
            reserved: true,
            void: false,
        });
    }

    pub(super) fn restore_name(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let taken = self.names.contains_key(&stream.name);
        if !stream.exists && !taken {
            stream.exists = true;
            self.table_bytes += stream_cost(&stream.name);
            self.names.insert(Arc::clone(&stream.name), id);
        }
    }
}
