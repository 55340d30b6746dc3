//! Brings the published steering plan to one DNS server: a watch on its objects, on a thread of its own.

use std::{sync::Arc, thread, time::Duration};

use lifeboat_dns::Server;
use tokio_util::sync::CancellationToken;

use crate::{
    controller::Kinds,
    steer::assembler,
    store::{self, Index, Watches},
};

/// The plan is looked at anew at least this often, events or not.
const RESYNC: Duration = Duration::from_secs(1);

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
    let (index, kinds) = (Index::default(), Kinds::default());
    let watches = Watches::new(client, index.clone());
    watches.start(&kinds.steering_plan);
    watches.start(&kinds.steering_plan_shard);
    let mut changes = index.subscribe();
    let mut applied = None;
    loop {
        match assembler::published(&index, &kinds) {
            Ok(Some(plan)) if applied.as_ref() != Some(&plan.stamp) => {
                let stamp = plan.stamp.clone();
                match server.apply(plan) {
                    Ok(_) => applied = Some(stamp),
                    Err(refused) => {
                        tracing::warn!(server = name, reason = %refused, "steering plan refused");
                        applied = Some(stamp);
                    }
                }
            }
            Ok(_) => {}
            // A shard may arrive after the head that names it.
            Err(error) => tracing::debug!(server = name, error = %error, "steering plan incomplete"),
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep(RESYNC) => {}
        }
    }
}
