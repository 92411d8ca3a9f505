//! Server-sent events: the status of workflows, and lines of the log.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use hyper::{StatusCode, header::HeaderName};
use serde::Serialize;
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit},
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    Busy, Shared,
    call::{Call, Reply},
    connectors::level,
};
use crate::{
    Code, LogLevel, LogRing,
    platform::WorkflowStatus,
    problem::{Problem, answer},
};

/// At most twice a second something is sent; what changes oftener is sent as it is then.
const PERIOD: Duration = Duration::from_millis(500);

/// After so long without news a sign of life is sent.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// So often it is looked whether the reader may still read.
const RECHECK: Duration = Duration::from_secs(30);

/// Lines of the log that are sent at once; more are counted as missed.
const LINES_MAX: usize = 200;

/// The statuses as they were last looked at, for all streams: with many readers the node is asked no oftener.
#[derive(Default)]
pub(crate) struct Latest {
    seen: Mutex<Option<(Instant, Statuses)>>,
}

type Statuses = Arc<HashMap<String, WorkflowStatus>>;

impl Latest {
    async fn look(&self, shared: &Shared) -> Statuses {
        let mut seen = self.seen.lock().await;
        if let Some((at, statuses)) = seen.as_ref()
            && at.elapsed() < PERIOD / 2
        {
            return statuses.clone();
        }
        let statuses = shared.platform.statuses().await.into_iter();
        let statuses: HashMap<_, _> = statuses
            .map(|status| (status.workflow.clone(), status))
            .collect();
        let statuses = Arc::new(statuses);
        *seen = Some((Instant::now(), statuses.clone()));
        statuses
    }
}

struct Feed {
    shared: Arc<Shared>,
    call: Call,
    ring: LogRing,
    level: LogLevel,
    workflow: Option<String>,
    with_logs: bool,
    next_line: u64,
    known: Statuses,
    first: bool,
    ticks: tokio::time::Interval,
    said: Instant,
    checked: Instant,
    ready: VecDeque<Bytes>,
    _permit: OwnedSemaphorePermit,
    _busy: Option<Busy>,
}

pub(crate) async fn open(shared: Arc<Shared>, mut call: Call) -> Result<Reply, Problem> {
    // I9: streams are bounded.
    let permit = shared.streams.clone().try_acquire_owned().map_err(|_| {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Problem::new(
            Code::TooManyAttempts,
            status,
            "too many streams of events are open",
        )
        .retry_after(Some(HEARTBEAT))
    })?;
    let ring = shared.platform.logs();
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let now = Instant::now();
    let feed = Feed {
        level: level(&call),
        workflow: call.text("workflow").map(str::to_owned),
        with_logs: call.flag("logs"),
        next_line: ring.next(),
        ring,
        known: Statuses::default(),
        first: true,
        ticks,
        said: now,
        checked: now,
        ready: VecDeque::new(),
        _permit: permit,
        _busy: call.busy.take(),
        shared,
        call,
    };
    let events = stream::unfold(feed, |mut feed| async move {
        let bytes = feed.next().await?;
        Some((Ok::<_, Infallible>(bytes), feed))
    });
    let body = Body::from_stream(events);
    let reply = Reply(answer(StatusCode::OK, "text/event-stream", body));
    Ok(reply
        .header(hyper::header::CACHE_CONTROL, "no-store")
        // nginx would keep events until there are enough of them.
        .header(HeaderName::from_static("x-accel-buffering"), "no"))
}

impl Feed {
    /// Returns the next events; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                self.said = Instant::now();
                return Some(bytes);
            }
            tokio::select! {
                () = self.shared.options.stop.cancelled() => return None,
                _ = self.ticks.tick() => {}
            }
            if self.checked.elapsed() >= RECHECK {
                self.checked = Instant::now();
                // Who was demoted, removed or logged out reads no further.
                if !self.shared.may_still_look(&self.call).await {
                    return None;
                }
            }
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let statuses = self.shared.latest.look(&self.shared).await;
        let ours = |id: &String| self.workflow.as_ref().is_none_or(|only| only == id);
        let differs = |status: &&WorkflowStatus| {
            ours(&status.workflow) && self.known.get(&status.workflow) != Some(*status)
        };
        let changed: Vec<_> = statuses.values().filter(differs).collect();
        let gone = self.known.keys().filter(|id| !statuses.contains_key(*id));
        let gone: Vec<_> = gone.filter(|id| ours(id)).collect();
        if self.first || !changed.is_empty() {
            self.ready.push_back(event("status", &changed));
        }
        if !gone.is_empty() {
            self.ready.push_back(event("gone", &gone));
        }
        self.first = false;
        self.known = statuses;
        if self.with_logs {
            self.look_at_logs();
        }
        if self.ready.is_empty() && self.said.elapsed() >= HEARTBEAT {
            self.ready.push_back(Bytes::from_static(b": alive\n\n"));
        }
    }

    fn look_at_logs(&mut self) {
        let (lines, next) = self.ring.since(self.next_line, LINES_MAX);
        let missed = next - self.next_line - lines.len() as u64;
        self.next_line = next;
        if missed > 0 {
            self.ready.push_back(event("missed", &missed));
        }
        let fits = |line: &&crate::LogLine| {
            let ours = self.workflow.is_none() || line.workflow == self.workflow;
            line.level >= self.level && ours
        };
        let lines: Vec<_> = lines.iter().filter(fits).collect();
        if !lines.is_empty() {
            self.ready.push_back(event("logs", &lines));
        }
    }
}

fn event(name: &str, data: &impl Serialize) -> Bytes {
    // JSON on one line: it holds no line break of its own.
    let text = serde_json::to_string(data).unwrap_or_default();
    Bytes::from(format!("event: {name}\ndata: {text}\n\n"))
}
