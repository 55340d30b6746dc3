//! Reading zones and building what is served, on a thread of its own: neither answers nor the server's other work wait for it.

use anyhow::Context;
use tokio::sync::oneshot;

/// Does the work on a thread; where something is served already, on one that lets the answering threads go first.
pub(super) async fn run<T: Send + 'static>(
    serving: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let (done, result) = oneshot::channel();
    let builder = std::thread::Builder::new().name("dns-build".to_owned());
    builder
        .spawn(move || {
            if serving {
                lifeboat_dns::give_way();
            }
            // Nobody may be waiting any more: the server ends.
            let _ = done.send(work());
        })
        .context("starting a thread")?;
    result.await.context("it ended early")
}
