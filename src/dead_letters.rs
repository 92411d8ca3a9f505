//! Requests about dead letters, answered by a running node or over a data log that nobody uses.

use std::{fmt, str::FromStr};

use hermod_api::Code;
use hermod_engine::{DeadLetter, DeadLetterError, DeadLetters, Engine, Fate, State, Workflow};
use hermod_sdk::Format;
use hermod_wal::Log;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::failure::Failure;

/// Most dead letters that are changed by one write.
pub(crate) const CHUNK: usize = 500;

/// Most bytes of messages that one write puts back; the log takes no batch larger than a segment.
const CHUNK_BYTES: usize = 512 << 10;

/// A request about the dead letters of one workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// Id of the workflow; may be absent where only one has dead letters.
    pub(crate) workflow: Option<String>,
    /// What is to be done.
    pub(crate) order: Order,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// List them.
    List {
        /// First number.
        from: u64,
        /// Most to list.
        limit: u64,
        /// Replayed and discarded ones too.
        closed: bool,
    },
    /// Show one with its message.
    Show {
        /// Its number.
        seq: u64,
    },
    /// Put them back.
    Replay {
        /// Which.
        which: Which,
    },
    /// Drop them.
    Discard {
        /// Which.
        which: Which,
    },
}

impl Order {
    /// Returns the command that a person types for it, without the workflow.
    fn command(&self) -> String {
        let chosen = |which: &Which| match which {
            Which::AllOpen => "--all".to_owned(),
            Which::These(ranges) => {
                let ranges: Vec<_> = ranges.iter().map(ToString::to_string).collect();
                ranges.join(" ")
            }
        };
        match self {
            Self::List { .. } => "hermod dlq list".to_owned(),
            Self::Show { seq } => format!("hermod dlq show {seq}"),
            Self::Replay { which } => format!("hermod dlq replay {}", chosen(which)),
            Self::Discard { which } => format!("hermod dlq discard {}", chosen(which)),
        }
    }
}

/// Which dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Which {
    /// All that are open when the request begins.
    AllOpen,
    /// These; one that is not open refuses the request.
    These(Vec<Range>),
}

/// Numbers from `first` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Range {
    first: u64,
    last: u64,
}

impl Range {
    /// Returns the numbers.
    pub(crate) fn numbers(self) -> std::ops::RangeInclusive<u64> {
        self.first..=self.last
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| {
            text.parse()
                .map_err(|_| "a number or a range such as 20-35 is needed".to_owned())
        };
        let range = Self {
            first: number(first)?,
            last: number(last)?,
        };
        if range.first > range.last {
            return Err("a range begins with its lower number".to_owned());
        }
        Ok(range)
    }
}

/// A dead letter in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) seq: u64,
    pub(crate) time: String,
    pub(crate) state: String,
    pub(crate) at: String,
    pub(crate) sinks: Vec<String>,
    pub(crate) kind: String,
    pub(crate) attempts: u32,
    pub(crate) id: String,
    pub(crate) reason: String,
}

/// A page of dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct List {
    /// Id of the workflow; absent where none was named and none has dead letters.
    pub(crate) workflow: Option<String>,
    /// All that are open, on this page or not.
    pub(crate) open: u64,
    pub(crate) letters: Vec<Line>,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<u64>,
    /// Records that cannot be read.
    pub(crate) damaged: Vec<String>,
}

/// What a replay or discard did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) workflow: String,
    pub(crate) done: u64,
    pub(crate) open: u64,
    pub(crate) damaged: Vec<String>,
}

/// The dead letters of one workflow, and the workflow itself where it runs.
pub(crate) struct Place {
    id: String,
    pub(crate) letters: DeadLetters,
    running: Option<Workflow>,
}

impl Place {
    /// Finds a workflow's dead letters. Without an engine nothing else uses the log.
    pub(crate) fn of(log: &Log, engine: Option<&Engine>, id: &str) -> Option<Self> {
        let workflow = engine.and_then(|engine| engine.workflow(id));
        // A running workflow's own handle is used, because changes are made one at a time.
        let letters = workflow.as_ref().and_then(Workflow::dead_letters);
        let letters = letters.or_else(|| DeadLetters::open(log, id))?;
        let running = workflow.filter(|workflow| {
            !matches!(
                workflow.status().state,
                State::Stopped | State::Completed | State::Failed
            )
        });
        Some(Self {
            id: id.to_owned(),
            letters,
            running,
        })
    }

    /// Changes dead letters in writes of bounded size; returns how many.
    ///
    /// # Errors
    /// What refused one of the writes, and how many were changed before it.
    pub(crate) async fn change(
        &self,
        letters: &[DeadLetter],
        change: Change,
    ) -> Result<u64, (u64, DeadLetterError)> {
        let mut done = 0;
        let mut rest = letters;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fitting = rest.iter().take_while(|letter| {
                bytes += letter.message.size();
                bytes <= CHUNK_BYTES
            });
            let (now, later) = rest.split_at(fitting.count().max(1));
            let seqs: Vec<_> = now.iter().map(|letter| letter.seq).collect();
            let changed = match (change, &self.running) {
                (Change::Discard, _) => self.letters.discard(&seqs).await,
                (Change::Replay, Some(workflow)) => workflow.replay(&seqs).await,
                (Change::Replay, None) => self.letters.replay_offline(&seqs).await,
            };
            done += changed.map_err(|error| (done, error))?;
            rest = later;
        }
        Ok(done)
    }
}

/// Answers a request. Without an engine nothing else uses the log.
pub(crate) async fn answer(
    log: &Log,
    engine: Option<&Engine>,
    request: &Request,
) -> Result<Value, Failure> {
    let Some(place) = find(log, engine, request)? else {
        return match request.order {
            // Nothing to list is an answer; scripts and newcomers ask before the first one is there.
            Order::List { .. } => Ok(json!(List::default())),
            _ => Err(Failure::new(
                Code::NoSuchWorkflow,
                "no workflow has dead letters here",
            )),
        };
    };
    match &request.order {
        Order::List {
            from,
            limit,
            closed,
        } => {
            let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
            Ok(json!(list(&place, *from, limit, *closed)?))
        }
        Order::Show { seq } => show(&place, *seq),
        Order::Replay { which } => change(&place, which, Change::Replay).await,
        Order::Discard { which } => change(&place, which, Change::Discard).await,
    }
}

/// Finds the workflow that is meant; `None` where none is named and none has dead letters.
fn find(log: &Log, engine: Option<&Engine>, request: &Request) -> Result<Option<Place>, Failure> {
    let ids = DeadLetters::workflows(log);
    let id = match (request.workflow.as_deref(), ids.as_slice()) {
        (Some(id), _) => id.to_owned(),
        (None, [only]) => only.clone(),
        (None, []) => return Ok(None),
        (None, [first, ..]) => {
            let (ids, command) = (ids.join("`, `"), request.order.command());
            let message = format!(
                "several workflows have dead letters: `{ids}`; name one, for example `{command} --workflow {first}`"
            );
            return Err(Failure::new(Code::NoSuchWorkflow, message));
        }
    };
    let Some(place) = Place::of(log, engine, &id) else {
        let known = if ids.is_empty() {
            "none".to_owned()
        } else {
            format!("`{}`", ids.join("`, `"))
        };
        let message = format!("workflow `{id}` has no dead letters here; those that have: {known}");
        return Err(Failure::new(Code::NoSuchWorkflow, message));
    };
    Ok(Some(place))
}

/// Walks dead letters in order, past records that cannot be read.
pub(crate) struct Walk<'a> {
    letters: &'a DeadLetters,
    next: u64,
    end: u64,
    /// Records that cannot be read (I6).
    pub(crate) damaged: Vec<String>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(letters: &'a DeadLetters, from: u64) -> Self {
        let (first, end) = letters.bounds();
        Self {
            letters,
            next: from.max(first),
            end,
            damaged: Vec::new(),
        }
    }

    /// Returns the next ones, up to a limit; empty at the end.
    pub(crate) fn read(&mut self, limit: usize) -> Result<Vec<DeadLetter>, Failure> {
        while self.next < self.end {
            let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
            match self.letters.list(self.next, limit.min(left).max(1)) {
                Ok(found) => {
                    let Some(last) = found.last() else { break };
                    self.next = last.seq + 1;
                    return Ok(found);
                }
                // I6: named, and the rest is served.
                Err(DeadLetterError::Damaged { seq, reason }) if seq <= self.next => {
                    self.damaged.push(format!("dead letter {seq}: {reason}"));
                    self.next = self.next.max(seq) + 1;
                }
                Err(DeadLetterError::Damaged { seq, .. }) => {
                    let sound = usize::try_from(seq - self.next).unwrap_or(1);
                    let found = self.letters.list(self.next, sound).map_err(refused)?;
                    self.next = seq;
                    if !found.is_empty() {
                        return Ok(found);
                    }
                }
                Err(error) => return Err(refused(error)),
            }
        }
        Ok(Vec::new())
    }
}

fn list(place: &Place, from: u64, limit: usize, closed: bool) -> Result<List, Failure> {
    let mut walk = Walk::new(&place.letters, from);
    let mut letters = Vec::new();
    let mut next = None;
    'pages: loop {
        let found = walk.read(CHUNK)?;
        if found.is_empty() {
            break;
        }
        for letter in found {
            if !closed && letter.state != Fate::Open {
                continue;
            }
            if letters.len() == limit {
                next = Some(letter.seq);
                break 'pages;
            }
            letters.push(line(&letter));
        }
    }
    Ok(List {
        workflow: Some(place.id.clone()),
        open: place.letters.count(),
        letters,
        next,
        damaged: walk.damaged,
    })
}

fn line(letter: &DeadLetter) -> Line {
    Line {
        seq: letter.seq,
        time: hermod_api::rfc3339_ms(letter.time_ms),
        state: state(letter.state).to_owned(),
        at: letter.origin.to_string(),
        sinks: letter.sinks.iter().map(ToString::to_string).collect(),
        kind: letter.kind.to_string(),
        attempts: letter.attempts,
        id: letter.message.id.to_string(),
        reason: letter.reason.clone(),
    }
}

fn state(fate: Fate) -> &'static str {
    match fate {
        Fate::Open => "open",
        Fate::Replayed => "replayed",
        Fate::Discarded => "discarded",
    }
}

fn show(place: &Place, seq: u64) -> Result<Value, Failure> {
    let letter = place.letters.get(seq).map_err(refused)?;
    let mut shown = json!(line(&letter));
    let body = Format::Json.body(&letter.message);
    shown["workflow"] = Value::from(place.id.as_str());
    shown["message"] = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Ok(shown)
}

/// What is to become of dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// They are put back into their workflow.
    Replay,
    /// They are dropped.
    Discard,
}

async fn change(place: &Place, which: &Which, change: Change) -> Result<Value, Failure> {
    let mut damaged = Vec::new();
    let mut done = 0;
    match which {
        Which::AllOpen => {
            let mut lost = Vec::new();
            let mut walk = Walk::new(&place.letters, 0);
            loop {
                let found = walk.read(CHUNK)?;
                if found.is_empty() {
                    break;
                }
                let open = found
                    .into_iter()
                    .filter(|letter| letter.state == Fate::Open);
                let (gone, open): (Vec<_>, Vec<_>) =
                    open.partition(|letter| letter.is_lost() && matches!(change, Change::Replay));
                lost.extend(
                    gone.iter()
                        .map(|letter| format!("dead letter {}: {}", letter.seq, letter.reason)),
                );
                done += apply(place, &open, change, done).await?;
            }
            damaged = walk.damaged;
            damaged.append(&mut lost);
        }
        Which::These(ranges) => {
            // All are looked at before the first is changed.
            let mut seqs: Vec<u64> = Vec::new();
            let (_, end) = place.letters.bounds();
            for range in ranges {
                // A range that begins with what is gone is refused before its numbers are listed.
                open_one(place, range.first)?;
                seqs.extend(range.first..=range.last.min(end.max(range.first)));
            }
            seqs.sort_unstable();
            seqs.dedup();
            for seq in &seqs {
                open_one(place, *seq)?;
            }
            for chunk in seqs.chunks(CHUNK) {
                let letters: Result<Vec<_>, _> =
                    chunk.iter().map(|seq| open_one(place, *seq)).collect();
                done += apply(place, &letters?, change, done).await?;
            }
        }
    }
    let (workflow, open) = (place.id.clone(), place.letters.count());
    Ok(json!(Tally {
        workflow,
        done,
        open,
        damaged
    }))
}

fn open_one(place: &Place, seq: u64) -> Result<DeadLetter, Failure> {
    let letter = place.letters.get(seq).map_err(refused)?;
    match letter.state {
        Fate::Open => Ok(letter),
        Fate::Replayed | Fate::Discarded => Err(refused(DeadLetterError::Closed { seq })),
    }
}

async fn apply(
    place: &Place,
    letters: &[DeadLetter],
    change: Change,
    before: u64,
) -> Result<u64, Failure> {
    let changed = place.change(letters, change).await;
    changed.map_err(|(done, error)| partly(&error, before + done))
}

fn partly(error: &DeadLetterError, done: u64) -> Failure {
    Failure::new(
        Code::DeadLetter,
        format!("{error}; {done} were done before"),
    )
}

fn refused(error: impl fmt::Display) -> Failure {
    Failure::new(Code::DeadLetter, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_spelled_as_it_was_typed() {
        let which = Which::These(["17", "20-35"].map(|range| range.parse().unwrap()).to_vec());
        let order = Order::Replay { which };
        assert_eq!(order.command(), "hermod dlq replay 17 20-35");
        let which = Which::AllOpen;
        assert_eq!(
            Order::Discard { which }.command(),
            "hermod dlq discard --all"
        );
    }

    #[test]
    fn ranges_are_read_or_refused() {
        assert_eq!("7".parse(), Ok(Range { first: 7, last: 7 }));
        assert_eq!(
            "20-35".parse(),
            Ok(Range {
                first: 20,
                last: 35
            })
        );
        for bad in ["", "a", "3-", "-3", "5-4", "1-2-3"] {
            assert!(bad.parse::<Range>().is_err(), "{bad}");
        }
    }
}
