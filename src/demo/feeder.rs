//! Brings the published steering plan to one DNS server, on a thread of its own.

use std::{sync::Arc, thread, time::Duration};

use lifeboat_dns::Server;
use tokio_util::sync::CancellationToken;

use crate::{
    steer::follow::{News, Plans},
    store,
};

pub(super) struct Feeder {
    stop: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

impl Feeder {
    pub(super) fn spawn(name: &str, kube: kube::Config, server: Arc<Server>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let stop = CancellationToken::new();
        let token = stop.clone();
        let name = name.to_owned();
        let thread = thread::Builder::new()
            .name(format!("{name}-plan"))
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = token.cancelled() => {}
                        () = feed(&name, kube, &server) => {}
                    }
                });
                runtime.shutdown_timeout(Duration::from_millis(200));
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a plan feeder panicked");
        }
    }
}

async fn feed(name: &str, kube: kube::Config, server: &Server) {
    let client = match store::connect(kube) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(server = name, error = %error, "no client for the control plane: no steering plans");
            return;
        }
    };
    let mut plans = Plans::watch(client);
    loop {
        match plans.next().await {
            News::Plan(plan) => {
                if let Err(refused) = server.apply(plan) {
                    tracing::warn!(server = name, reason = %refused, "steering plan refused");
                }
            }
            News::Incomplete(error) => {
                tracing::debug!(server = name, error = %error, "steering plan incomplete");
            }
            News::Unpublished => {}
        }
    }
}
