//! An agent inside a member cluster, as its configuration file says: it tells observers that the cluster lives.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use lifeboat_health::probe::heartbeat::HeartbeatSender;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{check::without_port, files::Files, names::Names};

/// How often the configuration, the key and the observers' addresses are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// One agent: who it is, and who hears it.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentFile {
    /// The name in the observers' check, usually the cluster's; 1 to 63 visible ASCII characters.
    pub name: String,
    /// A file with the key of the observers' check, 32 bytes or more.
    pub key_file: PathBuf,
    /// Where observers hear heartbeats: `HOST:PORT`, UDP.
    pub observers: Vec<String>,
    /// How often, in ms; not more than the observers' `intervalMs`.
    #[serde(default = "interval_ms")]
    #[schemars(range(min = 10, max = 60_000))]
    pub interval_ms: u32,
}

fn interval_ms() -> u32 {
    100
}

impl AgentFile {
    /// Reads the file; the key's path in it is relative to its folder.
    ///
    /// # Errors
    /// The file, and what in it cannot be.
    pub fn read(path: &Path) -> anyhow::Result<AgentFile> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let mut file: AgentFile = crate::yaml::read(&text).with_context(|| format!("{}", path.display()))?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        file.key_file = folder.join(&file.key_file);
        let wrong = file.problems();
        anyhow::ensure!(wrong.is_empty(), "{}: {}", path.display(), wrong.join("; "));
        Ok(file)
    }

    fn problems(&self) -> Vec<String> {
        let interval = (!(10..=60_000).contains(&self.interval_ms))
            .then(|| format!("intervalMs is {}: allowed are 10 to 60000", self.interval_ms));
        let ports = self.observers.iter();
        let ports = ports.filter_map(|observer| without_port("observers", observer));
        // Any address shows what is wrong with the rest.
        let example = vec![SocketAddr::from(([127, 0, 0, 1], 1)); self.observers.len()];
        let rest = self.sender(example).err().map(|error| format!("{error:#}"));
        interval.into_iter().chain(ports).chain(rest).collect()
    }

    fn sender(&self, observers: Vec<SocketAddr>) -> anyhow::Result<HeartbeatSender> {
        let key = std::fs::read(&self.key_file)
            .with_context(|| format!("keyFile: reading {}", self.key_file.display()))?;
        let interval = Duration::from_millis(self.interval_ms.into());
        Ok(HeartbeatSender::new(&self.name, &key, observers, interval)?)
    }
}

/// Runs until `stop`, and says "stopping" then.
///
/// # Errors
/// What keeps it from starting. A change that cannot be used later is reported, and what was in force stays.
pub async fn run(path: &Path, stop: CancellationToken) -> anyhow::Result<()> {
    let mut file = AgentFile::read(path)?;
    let paths = |file: &AgentFile| [path.to_owned(), file.key_file.clone()];
    let mut files = Files::look(paths(&file).iter().map(PathBuf::as_path));
    let (mut names, mut addresses) = (Names::of("observers"), BTreeSet::new());
    // The one before stays silent about its end: the agent does not stop.
    let mut sending: Option<AbortOnDropHandle<()>> = None;
    tracing::info!(agent = %file.name, observers = file.observers.len(), "sends heartbeats");
    loop {
        let mut renewed = false;
        if files.changed(paths(&file).iter().map(PathBuf::as_path)) {
            match AgentFile::read(path) {
                Ok(read) => (file, renewed) = (read, true),
                Err(error) => {
                    tracing::error!(error = %format!("{error:#}"), "a change cannot be used; what was in force stays");
                }
            }
        }
        let found = tokio::select! {
            () = stop.cancelled() => break,
            found = names.resolve(&file.observers) => found,
        };
        if !found.is_empty() && (renewed || found != addresses) {
            match file.sender(found.iter().copied().collect()) {
                Ok(sender) => {
                    sending = Some(send(sender, stop.clone()));
                    addresses = found;
                }
                Err(error) => tracing::error!(error = %format!("{error:#}"), "heartbeats go on as before"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    if let Some(sending) = sending {
        // It can only have been cancelled by this process's end.
        let _ = sending.await;
    }
    Ok(())
}

fn send(sender: HeartbeatSender, stop: CancellationToken) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(sender.run(stop)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_name_the_field() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        std::fs::write(place("short.key"), "short").unwrap();
        std::fs::write(place("a.key"), [b'k'; 32]).unwrap();
        let message = |text: &str| {
            std::fs::write(place("agent.yaml"), text).unwrap();
            format!("{:#}", AgentFile::read(&place("agent.yaml")).unwrap_err())
        };
        let good = "name: eu\nkeyFile: a.key\nobservers: ['127.0.0.1:7444']\n";
        std::fs::write(place("good.yaml"), good).unwrap();
        assert_eq!(AgentFile::read(&place("good.yaml")).unwrap().interval_ms, 100);
        for (text, words) in [
            (
                good.replace("name: eu", "name: ''"),
                &["agent \"\"", "1 to 63"][..],
            ),
            (good.replace("a.key", "none.key"), &["keyFile", "none.key"]),
            (good.replace("a.key", "short.key"), &["5 bytes", "32 or more"]),
            (
                good.replace("['127.0.0.1:7444']", "[]"),
                &["0 observers", "1 to 64"],
            ),
            (
                format!("{good}intervalMs: 5\n"),
                &["intervalMs is 5", "10 to 60000"],
            ),
            (
                good.replace(
                    "'127.0.0.1:7444'",
                    "'o.example:7444', x, '127.0.0.1:99999', 'foo:0'",
                ),
                &[
                    "observers: \"x\"",
                    "\"127.0.0.1:99999\"",
                    "\"foo:0\"",
                    "HOST:PORT",
                ],
            ),
            (
                good.replace("a.key", "none.key")
                    .replace("['127.0.0.1:7444']", "[x]\nintervalMs: 5"),
                &["intervalMs is 5", "observers: \"x\"", "none.key"],
            ),
            (format!("{good}interval: 5\n"), &["interval", "intervalMs"]),
        ] {
            let told = message(&text);
            for word in words.iter().chain(&["agent.yaml"]) {
                assert!(told.contains(word), "{word:?} is missing: {told}");
            }
        }
    }
}
