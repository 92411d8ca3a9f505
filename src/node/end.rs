//! The one order in which a node ends.

use std::time::Duration;

use hermod_api::Code;

use super::Node;
use crate::{
    failure::Exit,
    signals::{Signal, Signals},
};

/// How long aborted workflows may take to let go of their connections.
const ABORT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the server and the control socket may take to finish open requests.
const SERVER_TIMEOUT: Duration = Duration::from_secs(7);

impl Node {
    /// Ends the node: intake stops, what is in hand is delivered and flushed, cursors are written, then the
    /// server ends and the log is closed. A second signal cuts the delivery short.
    pub(super) async fn end(self, signals: &mut Signals) -> Exit {
        // Pushes are refused from here on, while probes and metrics still answer.
        let forced = tokio::select! {
            undelivered = self.drain() => {
                if undelivered > 0 {
                    tracing::warn!(undelivered, "not everything was delivered in time; it is kept for the next start");
                } else {
                    tracing::info!(undelivered, "everything in hand is delivered");
                }
                None
            }
            signal = signals.next() => Some(signal),
        };
        if let Some(signal) = forced {
            self.abort(signal).await;
        }
        self.tasks.cancel();
        if tokio::time::timeout(SERVER_TIMEOUT, self.tasks.ended())
            .await
            .is_err()
        {
            tracing::warn!("open requests were cut off");
        }
        self.close_log().await;
        match forced {
            Some(signal) => Exit::Forced(signal.number()),
            None => Exit::Done,
        }
    }

    /// Drains all workflows side by side and returns how many messages were not delivered.
    async fn drain(&self) -> u64 {
        let mut drains = tokio::task::JoinSet::new();
        for workflow in &self.workflows {
            let (workflow, timeout) = (workflow.clone(), self.drain_timeout);
            drains.spawn(async move {
                let drained = workflow.drain(timeout).await;
                if drained.undelivered > 0 {
                    let undelivered = drained.undelivered;
                    tracing::warn!(workflow = %workflow.id(), undelivered, "workflow was not drained");
                }
                drained.undelivered
            });
        }
        let mut undelivered = 0;
        while let Some(drained) = drains.join_next().await {
            match drained {
                Ok(count) => undelivered += count,
                Err(error) => tracing::error!(%error, "a workflow's drain ended badly"),
            }
        }
        undelivered
    }

    async fn abort(&self, signal: Signal) {
        let undelivered: u64 = self.workflows.iter().map(|w| w.status().buffered).sum();
        tracing::error!(
            code = Code::Forced.text(),
            signal = signal.name(),
            undelivered,
            "forced to end before everything was delivered"
        );
        for workflow in &self.workflows {
            workflow.abort();
        }
        let ended = async {
            for workflow in &self.workflows {
                workflow.ended().await;
            }
        };
        if tokio::time::timeout(ABORT_TIMEOUT, ended).await.is_err() {
            tracing::warn!("a workflow did not let go in time");
        }
    }

    async fn close_log(self) {
        let Self {
            log,
            engine,
            workflows,
            ..
        } = self;
        drop((engine, workflows));
        // Closing waits for the disk.
        let closed = tokio::task::spawn_blocking(move || log.close()).await;
        match closed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "data log did not close cleanly"),
            Err(error) => tracing::error!(%error, "closing the data log ended badly"),
        }
    }
}
