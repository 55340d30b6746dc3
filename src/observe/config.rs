//! The configuration file of `lifeboat observer`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use lifeboat_health::{Check, Identity, Profile, Selection, Target};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

/// One observer: who it is, what it probes, and who is told.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObserverFile {
    /// A name in the certificate; 1 to 63 visible ASCII characters.
    pub name: String,
    /// The failure domain it stands in, e.g. a region of a cloud.
    #[serde(default)]
    pub region: String,
    /// Where DNS servers and controllers listen for evidence: `HOST:PORT`, UDP. May be left out with a `kubeconfig`: the Observer
    /// object of this name says it then, and counts where both do.
    #[serde(default)]
    pub consumers: Vec<String>,
    pub tls: TlsFiles,
    /// What it can reach whenever its own links are up; it abstains while none of them answers. One that cannot be probed is
    /// reported, and the others vouch; where none can, it does not start.
    #[serde(default)]
    #[schemars(with = "Vec<Check>")]
    pub anchors: Vec<Value>,
    /// What it probes. One that cannot be probed is reported, and the others go on.
    #[serde(default)]
    #[schemars(with = "Vec<Target>")]
    pub targets: Vec<Value>,
    /// A kubeconfig of the control plane: what is probed follows its Cluster objects, besides `targets`.
    #[serde(default)]
    pub kubeconfig: Option<PathBuf>,
    /// Timings: a preset and what differs from it.
    #[serde(default = "Profile::fast")]
    pub profile: Profile,
    /// Where the heartbeats of agents are heard, UDP, e.g. `0.0.0.0:7444`; nowhere by default.
    #[serde(default)]
    pub heartbeats: Option<std::net::SocketAddr>,
    /// Where `/metrics` and `/healthz` are served and users' requests are reported, e.g. `127.0.0.1:9154`; nowhere by default.
    #[serde(default)]
    pub admin: Option<std::net::SocketAddr>,
    /// A file with the token that reports of users' requests must carry, `Authorization: Bearer TOKEN`. Beyond loopback
    /// `admin` takes no reports without it.
    #[serde(default)]
    pub admin_token_file: Option<PathBuf>,
    /// Names by which whoever reports calls the `admin` listener, besides its address: `NAME` or `NAME:PORT`.
    #[serde(default)]
    pub admin_hosts: Vec<String>,
}

/// PEM files. They are read again when they change.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsFiles {
    /// The certificate chain, the observer's own first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificate authorities that consumers' certificates descend from.
    pub roots: PathBuf,
}

impl TlsFiles {
    /// What is no problem yet: a certificate that is to be renewed.
    pub(crate) fn renewal_warning(&self) -> Option<String> {
        let now = OffsetDateTime::now_utc();
        let identity = self.identity().ok()?;
        // One that has expired is a problem.
        identity.days_left(now).filter(|days| *days >= 0.0)?;
        let warning = identity.renewal_warning(now)?;
        Some(format!(
            "tls.certificate {}: {warning}",
            self.certificate.display()
        ))
    }

    /// # Errors
    /// The file that cannot be read, or holds something else.
    pub fn identity(&self) -> anyhow::Result<Identity> {
        let TlsFiles {
            certificate,
            key,
            roots,
        } = self;
        let read = |field: &str, path: &Path| {
            std::fs::read(path).with_context(|| format!("tls.{field}: reading {}", path.display()))
        };
        let identity = Identity::from_pem(
            &read("certificate", certificate)?,
            &read("key", key)?,
            &read("roots", roots)?,
        );
        identity.with_context(|| {
            format!(
                "tls: {}, {}, {}",
                certificate.display(),
                key.display(),
                roots.display()
            )
        })
    }
}

impl ObserverFile {
    /// Reads the file; paths in it are relative to its folder.
    ///
    /// # Errors
    /// The file, and what in it cannot be.
    pub fn read(path: &Path) -> anyhow::Result<ObserverFile> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let mut file: ObserverFile =
            crate::yaml::read(&text).with_context(|| format!("{}", path.display()))?;
        anyhow::ensure!(
            !file.consumers.is_empty() || file.kubeconfig.is_some(),
            "{}: consumers is empty: at least one HOST:PORT that listens for evidence is needed, or a kubeconfig",
            path.display()
        );
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let TlsFiles {
            certificate,
            key,
            roots,
        } = &mut file.tls;
        let others = file.kubeconfig.iter_mut().chain(&mut file.admin_token_file);
        for relative in [certificate, key, roots].into_iter().chain(others) {
            *relative = folder.join(&relative);
        }
        Ok(file)
    }

    /// The targets that can be probed, and what is wrong with the others and with overrides of the profile. One at fault stays what
    /// it was among `held`.
    pub fn targets(&self, held: &[Target]) -> Selection {
        Selection::of_raw(self.targets.iter().cloned(), &self.profile, held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<ObserverFile> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("observer.yaml");
        std::fs::write(&path, text).unwrap();
        ObserverFile::read(&path)
    }

    const TLS: &str = "tls: {certificate: a.pem, key: a.key, roots: ca.pem}";

    #[test]
    fn a_bad_target_costs_no_other() {
        let text = format!(
            "name: o\nconsumers: ['127.0.0.1:1']\n{TLS}\ntargets:\n\
             - {{cluster: a, path: traffic, family: ipv4, check: {{kind: pigeon}}}}\n\
             - {{cluster: b, path: traffic, family: ipv4, check: {{kind: http, url: 'http://192.0.2.1:0/'}}}}\n\
             - {{cluster: c, path: traffic, family: ipv4, check: {{kind: tcp, address: '192.0.2.1:80'}}}}\n\
             - {{cluster: c, path: traffic, family: ipv4, check: {{kind: tcp, address: '192.0.2.2:80'}}}}\n"
        );
        let Selection { targets, errors, .. } = read(&text).unwrap().targets(&[]);
        assert_eq!(targets.len(), 1);
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let [kind, port, twice] = &errors[..] else {
            panic!("{errors:?}");
        };
        assert!(
            kind.contains("a/traffic/ipv4") && kind.contains("pigeon") && kind.contains("tcp"),
            "{kind}"
        );
        assert!(port.contains("b/traffic/ipv4") && port.contains("port"), "{port}");
        assert!(twice.contains("given twice"), "{twice}");
    }

    #[test]
    fn a_target_may_override_the_profile_of_the_file() {
        let target = |cluster: &str, detection: &str| {
            format!(
                "- {{cluster: {cluster}, path: traffic, family: ipv4, detection: {detection}, \
                 check: {{kind: tcp, address: '192.0.2.1:80'}}}}\n"
            )
        };
        // With this T rows live long enough in a fleet of the profile `wan`, and not in one of the profile `fast`.
        let text = |preset: &str| {
            let targets = [target("a", "{intervalMs: 250}"), target("b", "{cutVotes: 3}")].concat();
            format!(
                "name: o\nconsumers: ['127.0.0.1:1']\n{TLS}\nprofile: {{preset: {preset}}}\ntargets:\n{targets}"
            )
        };
        let own = |preset: &str| {
            let Selection {
                targets,
                errors,
                overrides,
            } = read(&text(preset)).unwrap().targets(&[]);
            assert_eq!((targets.len(), errors), (2, Vec::new()));
            let told: Vec<String> = overrides.iter().map(ToString::to_string).collect();
            (
                targets.iter().filter(|target| target.detection.is_some()).count(),
                told.join("\n"),
            )
        };
        let (count, told) = own("wan");
        assert_eq!(count, 1);
        assert!(
            told.contains("b/traffic/ipv4: detection: profile field cutVotes is the fleet's alone"),
            "{told}"
        );
        let (count, told) = own("fast");
        assert_eq!(count, 0);
        assert!(
            told.contains("a/traffic/ipv4: detection: profile field freshMs is 500"),
            "{told}"
        );
    }

    #[test]
    fn mistakes_name_the_field() {
        let message = |text: &str| format!("{:#}", read(text).unwrap_err());
        let unknown = message(&format!("name: o\nconsumers: []\nconsumer: x\n{TLS}"));
        assert!(
            unknown.contains("observer.yaml") && unknown.contains("consumer"),
            "{unknown}"
        );
        let none = message(&format!("name: o\nconsumers: []\n{TLS}"));
        assert!(none.contains("consumers is empty"), "{none}");
        let profile = message(&format!(
            "name: o\nconsumers: ['127.0.0.1:1']\n{TLS}\nprofile: {{preset: fast, timeoutMaxMs: 900}}"
        ));
        assert!(
            profile.contains("timeoutMaxMs") && profile.contains("900"),
            "{profile}"
        );
    }
}
