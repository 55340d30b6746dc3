//! An OS thread with a runtime of its own, that ends when told, within a bound.

use std::future::Future;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// How long a stop waits for the thread. One that is stuck is left behind rather than stall the process.
const STOP_WITHIN: Duration = Duration::from_secs(2);

pub(super) struct OwnThread {
    name: String,
    stop: CancellationToken,
    /// In a lock so that whoever holds the thread can be shared.
    ended: Mutex<Receiver<()>>,
    handle: Option<JoinHandle<()>>,
}

impl OwnThread {
    /// Run `body` to its end on a new thread; it must end soon after the token is cancelled.
    pub(super) fn spawn<F>(
        name: &str,
        body: impl FnOnce(CancellationToken) -> F + Send + 'static,
    ) -> io::Result<OwnThread>
    where
        F: Future<Output = ()>,
    {
        let stop = CancellationToken::new();
        let (tell, ended) = sync_channel(1);
        let token = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Drops with the thread, also when it unwinds.
            let _tell = tell;
            runtime.block_on(async move { body(token).await });
            runtime.shutdown_timeout(Duration::from_millis(200));
        })?;
        Ok(OwnThread {
            name: name.to_owned(),
            stop,
            ended: Mutex::new(ended),
            handle: Some(handle),
        })
    }

    fn end(&mut self) {
        self.stop.cancel();
        let Some(handle) = self.handle.take() else { return };
        // Nothing is ever sent: the channel closes when the thread has ended.
        if self.ended.lock().recv_timeout(STOP_WITHIN) == Err(RecvTimeoutError::Timeout) {
            tracing::error!(thread.name = %self.name, "the thread did not stop in time and is left behind");
        } else if handle.join().is_err() {
            tracing::error!(thread.name = %self.name, "the thread panicked");
        }
    }
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        self.end();
    }
}
