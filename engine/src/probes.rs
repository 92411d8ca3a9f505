//! Tests of a workflow's source and sinks before each begins.
//!
//! All are tested at once, and each again until it answers. A sink begins when it answers; the source is read
//! once it and at least one sink do, so that one that is away holds back nobody else.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use hermod_sdk::{ConnectorError, SinkFactory, SourceFactory, Text};
use tokio::{sync::watch, time::Instant};

use crate::{backoff::Backoff, status::Board};

/// Longest wait for one connection test.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// The tests of one workflow.
#[derive(Clone)]
pub(crate) struct Probes {
    workflow: Text,
    board: Board,
    drain: watch::Receiver<Option<Instant>>,
    answers: Arc<watch::Sender<Answers>>,
}

/// Who has answered so far.
#[derive(Clone, Debug, Default)]
struct Answers {
    source: bool,
    sinks: usize,
    // What the last test of each other one said.
    failures: BTreeMap<String, String>,
}

/// What is tested.
#[derive(Clone, Copy)]
enum Who<'a> {
    Source(&'a str),
    Sink(usize, &'a str),
}

impl Probes {
    /// Tests end without an answer once `drain` asks for the end.
    pub(crate) fn new(
        workflow: Text,
        board: Board,
        drain: watch::Receiver<Option<Instant>>,
    ) -> Self {
        Self {
            workflow,
            board,
            drain,
            answers: Arc::new(watch::Sender::new(Answers::default())),
        }
    }

    /// Waits until the source answers and a sink does; `false` when stopped.
    pub(crate) async fn source(&self, id: &str, source: &dyn SourceFactory) -> bool {
        self.pass(Who::Source(id), || source.probe()).await
            && self.until(|answers| answers.sinks > 0).await
    }

    /// Waits until a sink answers; `false` when stopped.
    pub(crate) async fn sink(&self, index: usize, id: &str, sink: &dyn SinkFactory) -> bool {
        self.pass(Who::Sink(index, id), || sink.probe()).await
    }

    /// Waits until so many sinks answer, and the source if there is one to read; `false` when stopped.
    pub(crate) async fn ready(&self, source: bool, sinks: usize) -> bool {
        self.until(|answers| answers.sinks >= sinks && (answers.source || !source))
            .await
    }

    async fn until(&self, enough: impl Fn(&Answers) -> bool) -> bool {
        let mut answers = self.answers.subscribe();
        tokio::select! {
            waited = answers.wait_for(enough) => waited.is_ok(),
            () = asked(self.drain.clone()) => false,
        }
    }

    async fn pass<F>(&self, who: Who<'_>, probe: impl Fn() -> F) -> bool
    where
        F: Future<Output = Result<(), ConnectorError>>,
    {
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(15));
        loop {
            let result = tokio::select! {
                result = limited(probe()) => result,
                () = asked(self.drain.clone()) => return false,
            };
            let done = result.is_ok();
            self.note(who, result);
            if done {
                return true;
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.next_delay()) => {}
                () = asked(self.drain.clone()) => return false,
            }
        }
    }

    /// Shows what a test said.
    fn note(&self, who: Who<'_>, result: Result<(), String>) {
        let name = match who {
            Who::Source(id) => format!("source `{id}`"),
            Who::Sink(_, id) => format!("sink `{id}`"),
        };
        let failure = result.err();
        if let Some(failure) = &failure {
            tracing::warn!(workflow = %self.workflow, failure = format!("{name}: {failure}"), "not ready to start; trying again");
        }
        if let Who::Sink(index, _) = who {
            self.board.block(index, failure.clone());
        }
        let mut reason = None;
        self.answers.send_modify(|answers| {
            match (failure, who) {
                (Some(failure), _) => drop(answers.failures.insert(name, failure)),
                (None, Who::Source(_)) => {
                    answers.source = true;
                    answers.failures.remove(&name);
                }
                (None, Who::Sink(..)) => {
                    answers.sinks += 1;
                    answers.failures.remove(&name);
                }
            }
            let failures: Vec<_> = answers
                .failures
                .iter()
                .map(|(name, failure)| format!("{name}: {failure}"))
                .collect();
            reason = (!failures.is_empty()).then(|| failures.join("; "));
        });
        self.board.probing(reason);
    }
}

/// Waits until a drain is asked for.
pub(crate) async fn asked(mut drain: watch::Receiver<Option<Instant>>) {
    // The sender lives as long as the workflow, so the wait cannot fail.
    let _closed = drain.wait_for(Option::is_some).await.is_err();
}

async fn limited(probe: impl Future<Output = Result<(), ConnectorError>>) -> Result<(), String> {
    match tokio::time::timeout(PROBE_TIMEOUT, probe).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.report()),
        Err(_) => Err(format!("no answer within {} s", PROBE_TIMEOUT.as_secs())),
    }
}
