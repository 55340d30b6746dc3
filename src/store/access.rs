//! How an API server is reached.

use std::path::Path;

use anyhow::Context;
use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// As a kubeconfig says: the file, or where none is given the one that KUBECONFIG or the home folder has, or else the service
/// account of the pod. `context` is the kubeconfig's current one where not given.
///
/// # Errors
/// The file, and what in it is not as it should be.
pub async fn access(kubeconfig: Option<&Path>, context: Option<&str>) -> anyhow::Result<Config> {
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    match kubeconfig {
        Some(path) => {
            let named = || path.display().to_string();
            let read = Kubeconfig::read_from(path).with_context(named)?;
            Config::from_custom_kubeconfig(read, &options)
                .await
                .with_context(named)
        }
        None if context.is_some() => Ok(Config::from_kubeconfig(&options).await?),
        None => Ok(Config::infer().await?),
    }
}
