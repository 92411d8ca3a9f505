//! Blocking state that is worked on by the pool of blocking threads, one call at a time.

use hermod_sdk::{ConnectorError, ErrorKind};
use tokio::task::{JoinHandle, spawn_blocking};

/// A state that moves to a blocking thread for each call and comes back with the answer.
///
/// A call that is still running when its future is dropped is not lost: its handle stays here.
pub(crate) struct Offload<T, R> {
    state: Option<T>,
    running: Option<JoinHandle<(T, R)>>,
}

impl<T: Send + 'static, R: Send + 'static> Offload<T, R> {
    pub(crate) fn new(state: T) -> Self {
        Self {
            state: Some(state),
            running: None,
        }
    }

    /// Runs `call` after a call that a dropped future left behind, whose answer is thrown away.
    ///
    /// # Cancel safety
    /// The call itself goes on; the next one waits for it.
    pub(crate) async fn run(
        &mut self,
        call: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Result<R, ConnectorError> {
        if self.running.is_some() {
            self.finish().await?;
        }
        self.start(call);
        self.finish().await
    }

    /// Returns the answer of a call that a dropped future left behind, or runs `call`.
    ///
    /// # Cancel safety
    /// No answer is lost: the next call of this function returns it.
    pub(crate) async fn resume_or(
        &mut self,
        call: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Result<R, ConnectorError> {
        if self.running.is_none() {
            self.start(call);
        }
        self.finish().await
    }

    fn start(&mut self, call: impl FnOnce(&mut T) -> R + Send + 'static) {
        if let Some(mut state) = self.state.take() {
            self.running = Some(spawn_blocking(move || {
                let answer = call(&mut state);
                (state, answer)
            }));
        }
    }

    async fn finish(&mut self) -> Result<R, ConnectorError> {
        let lost = || ConnectorError::new(ErrorKind::Internal, "an earlier call did not return");
        let handle = self.running.as_mut().ok_or_else(lost)?;
        let joined = handle.await;
        self.running = None;
        match joined {
            Ok((state, answer)) => {
                self.state = Some(state);
                Ok(answer)
            }
            Err(error) => Err(lost().with_source(error)),
        }
    }
}

/// Runs one call on a blocking thread.
pub(crate) async fn blocking<R: Send + 'static>(
    call: impl FnOnce() -> R + Send + 'static,
) -> Result<R, ConnectorError> {
    Offload::new(()).run(move |()| call()).await
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, task::Poll};

    use super::*;

    #[tokio::test]
    async fn an_answer_whose_future_was_dropped_comes_back() {
        let (go, wait) = mpsc::channel();
        let mut offload = Offload::new(7);
        {
            let mut call = Box::pin(offload.resume_or(move |state| {
                wait.recv().unwrap();
                *state += 1;
                *state
            }));
            let polled = std::future::poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
            assert!(polled.is_pending());
        }
        go.send(()).unwrap();
        assert_eq!(offload.resume_or(|_| 0).await.unwrap(), 8);
        assert_eq!(offload.run(|state| *state).await.unwrap(), 8);
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_for_ever() {
        let mut offload: Offload<i32, i32> = Offload::new(0);
        for _ in 0..2 {
            let error = offload.run(|_| panic!("as intended")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal);
        }
    }
}
