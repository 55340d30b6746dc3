//! Follows a control plane: asks whether it is there, and hears its plans, clusters and observers.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::{Api, Client, api::DynamicObject};
use lifeboat_dns::SnapshotInput;
use lifeboat_health::Profile;
use tokio_util::task::AbortOnDropHandle;

use super::{ControlPlane, reach};
use crate::{
    controller::Kinds,
    nameserver::{background, config::KubernetesEntry, running::Running},
    observe::{self, files::Files},
    steer::{
        follow::{News, Plans},
        publisher::HEAD,
    },
    store,
};

/// How often the API is asked whether it is there: a watch that is cut off silently would not tell for minutes.
const ASK: Duration = Duration::from_secs(5);
/// The longest that an answer takes.
const PATIENCE: Duration = Duration::from_secs(4);
/// Wait before a kubeconfig that could not be used is read again.
const BEGIN_AGAIN: Duration = Duration::from_secs(5);

/// Follows until the handle is dropped. Cluster objects override the profile `fleet`.
pub(in crate::nameserver) fn follow(
    running: Arc<Running>,
    plane: Arc<ControlPlane>,
    entry: KubernetesEntry,
    fleet: Profile,
) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            let mut files = Files::look(entry.kubeconfig.as_deref());
            let heard = async {
                let config = reach(&entry).await?;
                hear(config, &running, &plane, &fleet).await
            };
            let ended = tokio::select! {
                ended = heard => ended,
                () = renewed(&entry, &mut files) => continue,
            };
            if let Err(error) = ended {
                plane.failed(now(), format!("{error:#}"));
            }
            tokio::time::sleep(BEGIN_AGAIN).await;
        }
    }))
}

/// Until there is another kubeconfig, which can be used: credentials in it end.
async fn renewed(entry: &KubernetesEntry, files: &mut Files) {
    loop {
        tokio::time::sleep(ASK).await;
        if files.changed(entry.kubeconfig.as_deref()) {
            match reach(entry).await {
                Ok(_) => return,
                Err(error) => {
                    tracing::error!(error = %format!("{error:#}"), "a change cannot be used; what was in force stays");
                }
            }
        }
    }
}

/// Runs until dropped.
///
/// # Errors
/// No client can be made from `config`.
async fn hear(
    config: kube::Config,
    running: &Arc<Running>,
    plane: &ControlPlane,
    fleet: &Profile,
) -> anyhow::Result<()> {
    let client = store::connect(config.clone())?;
    let clusters = observe::follow(config.clone(), fleet, plane.held(), |found| {
        plane.adopt_clusters(found);
    });
    let observers = observe::follow_observers(config, |roster| plane.adopt_observers(roster));
    tokio::select! {
        () = ask(client.clone(), plane) => Ok(()),
        () = plans(client, running, plane) => Ok(()),
        ended = clusters => Ok(ended?),
        ended = observers => Ok(ended?),
    }
}

async fn ask(client: Client, plane: &ControlPlane) {
    let heads: Api<DynamicObject> = Api::all_with(client, &Kinds::default().steering_plan.resource());
    loop {
        match tokio::time::timeout(PATIENCE, heads.get_opt(HEAD)).await {
            Ok(Ok(_)) => plane.reached(now()),
            Ok(Err(error)) => plane.failed(now(), store::reason(&error)),
            Err(_) => plane.failed(now(), format!("no answer within {} s", PATIENCE.as_secs())),
        }
        tokio::time::sleep(ASK).await;
    }
}

async fn plans(client: Client, running: &Arc<Running>, plane: &ControlPlane) {
    let mut plans = Plans::watch(client);
    loop {
        let problem = match plans.next().await {
            News::Plan(plan) => {
                let fleet = plan.stamp.fleet_uid.clone();
                let problem = take(running, plan).await.err();
                let held = running.server.held().stamp;
                plane.is_ours(held.is_some_and(|held| held.fleet_uid == fleet));
                problem
            }
            News::Incomplete(error) => Some(error.to_string()),
            News::Unpublished => Some(format!(
                "SteeringPlan {HEAD}: is not there; a controller publishes it"
            )),
        };
        plane.planned(problem);
    }
}

/// Brings a plan into force. Parts of it that the server does not take are told by the server.
///
/// # Errors
/// Why what was in force stays.
async fn take(running: &Arc<Running>, plan: SnapshotInput) -> Result<(), String> {
    let stamp = plan.stamp.clone();
    let server = Arc::clone(running);
    let applied = background::run(running.server.serves(), move || {
        // What was last known good may be this very plan.
        if server.server.serves_plan(&plan.stamp) {
            return Ok(());
        }
        server.server.apply(plan).map(|_| ())
    });
    let taken = match applied.await {
        Ok(taken) => taken.map_err(|refused| refused.to_string()),
        Err(error) => Err(format!("{error:#}")),
    };
    taken.map_err(|why| {
        let told = format!("steering plan {stamp}: {why}");
        tracing::error!(error = told, "refused; what was in force stays");
        told
    })
}

#[expect(clippy::disallowed_methods, reason = "stamps the status, for people")]
fn now() -> Timestamp {
    Timestamp::now()
}
