//! The configuration file of `lifeboat dns`.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::Context;
use lifeboat_dns::{EcsFrom, GeoSources, Location, NetworkInput, OnAllDown, ServiceInput};
use lifeboat_health::{Check, Preset, Profile, ProfilePatch};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::observe::config::TlsFiles;

mod protocol;
mod sampling;

pub use protocol::{CookieEntry, IdentityEntry, ProxyEntry, RateLimitEntry};
pub use sampling::SamplingEntry;

/// What the option can say in tenths of a second (RFC 7828 §3.1).
const MAX_KEEPALIVE_S: u16 = u16::MAX / 10;

/// The most seconds a name's TTL may have here.
pub(super) const MAX_NAME_TTL_S: u32 = 86_400;

/// An authoritative DNS server that steers. Everything but `listen` may be left out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "lifeboat dns")]
pub struct DnsFile {
    /// Where queries are answered.
    pub listen: Vec<ListenEntry>,
    /// Where metrics, status and explanations are read over HTTP, e.g. `127.0.0.1:9153`; nowhere by default.
    #[serde(default)]
    pub admin: Option<SocketAddr>,
    /// A file with the token that requests to `admin` must carry, `Authorization: Bearer TOKEN`. An address beyond
    /// loopback needs it.
    #[serde(default)]
    pub admin_token_file: Option<PathBuf>,
    /// Names by which `admin` is called besides its address: `NAME` or `NAME:PORT`.
    #[serde(default)]
    pub admin_hosts: Vec<String>,
    /// The folder of last-known-good; created where it is not there.
    #[serde(default = "default_state")]
    pub state: PathBuf,
    /// `USER` or `USER:GROUP` that the server becomes once its ports are bound.
    #[serde(default)]
    pub user: Option<String>,
    /// Kubernetes mode: zones, names and clusters come from a control plane's objects, and `zones`, `clusters` and `names` are
    /// not given. `{}` finds it by KUBECONFIG, the home folder's kubeconfig or a pod's service account.
    #[serde(default)]
    pub kubernetes: Option<KubernetesEntry>,
    #[serde(default)]
    #[schemars(with = "Vec<ZoneEntry>")]
    pub zones: Vec<Value>,
    #[serde(default)]
    #[schemars(with = "Vec<ClusterEntry>")]
    pub clusters: Vec<Value>,
    #[serde(default)]
    #[schemars(with = "Vec<NameEntry>")]
    pub names: Vec<Value>,
    #[serde(default)]
    pub observers: Observers,
    #[serde(default)]
    pub overrides: OverrideRules,
    /// Where clients' networks are, for the filters `geo` and `latency`.
    #[serde(default)]
    pub geo: GeoFiles,
    /// Whose EDNS Client Subnet options (RFC 7871) are believed: `true` everybody's, `false` nobody's, or those of resolvers
    /// in a list of networks. Those of others are as if they were not there.
    #[serde(default)]
    pub ecs: EcsRule,
    /// DNS cookies; off where not given.
    #[serde(default)]
    pub cookies: Option<CookieEntry>,
    /// Response rate limiting; off where not given.
    #[serde(default)]
    pub rate_limit: Option<RateLimitEntry>,
    /// What the server says of itself to who asks.
    #[serde(default)]
    pub identity: IdentityEntry,
    /// Seconds that a TCP connection may be idle whose client asks for it by the option edns-tcp-keepalive (RFC 7828); others have
    /// ten. Not answered where not given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 6_553))]
    pub tcp_keepalive_seconds: Option<u16>,
    /// Queries that are written to a file; none where not given.
    #[serde(default)]
    pub sampling: Option<SamplingEntry>,
}

/// The control plane that feeds the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesEntry {
    /// Relative to this file's folder. It is read again when it changes, and while it cannot be used.
    #[serde(default)]
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's current one where not given.
    #[serde(default)]
    pub context: Option<String>,
}

/// Databases of networks. They are read again when they change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GeoFiles {
    /// MaxMind DB files: of countries, cities or autonomous systems, in any mixture. Later ones win.
    #[serde(default)]
    pub databases: Vec<PathBuf>,
    /// CSV files of your own networks, with the columns `prefix,name,asn,country,continent,latitude,longitude`; later ones
    /// win, and all of them win over databases.
    #[serde(default)]
    pub networks_files: Vec<PathBuf>,
    /// The same as data; these win over all files.
    #[serde(default)]
    pub networks: Vec<NetworkInput>,
}

impl GeoFiles {
    pub(super) fn sources(&self) -> GeoSources {
        let Self {
            databases,
            networks_files,
            networks,
        } = self.clone();
        GeoSources {
            databases,
            networks_files,
            networks,
        }
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.databases
            .iter()
            .chain(&self.networks_files)
            .map(PathBuf::as_path)
    }
}

/// Whose client subnets are believed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "true, false or a list of networks such as 192.0.2.0/24"
)]
pub enum EcsRule {
    Everybody(bool),
    Networks(#[schemars(with = "Vec<String>")] Vec<ipnet::IpNet>),
}

impl Default for EcsRule {
    fn default() -> Self {
        Self::Everybody(true)
    }
}

impl From<&EcsRule> for EcsFrom {
    fn from(rule: &EcsRule) -> Self {
        match rule {
            EcsRule::Everybody(true) => Self::Anybody,
            EcsRule::Everybody(false) => Self::Nobody,
            EcsRule::Networks(networks) => Self::Networks(networks.clone()),
        }
    }
}

/// What bounds `lifeboat dns override`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OverrideRules {
    /// How many clusters of each address family orders must leave active.
    #[serde(default = "one")]
    pub min_active: usize,
}

impl Default for OverrideRules {
    fn default() -> Self {
        Self { min_active: one() }
    }
}

/// One address that queries come to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListenEntry {
    /// `ADDRESS:PORT`, e.g. `0.0.0.0:53` or `[::]:53`.
    pub address: SocketAddr,
    /// Threads that answer UDP there, each with its own socket; one a core is the most that helps.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 256))]
    pub udp_threads: usize,
    /// Whether TCP is answered too (RFC 7766 requires it).
    #[serde(default = "yes")]
    pub tcp: bool,
    /// Load balancers in front, which say who the client is in a PROXY protocol header, version 2. With this, every datagram and
    /// every connection has to have one.
    #[serde(default)]
    pub proxy: Option<ProxyEntry>,
}

/// A zone and its master file (RFC 1035 §5).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ZoneEntry {
    /// With or without the last dot.
    pub name: String,
    /// Relative to this file's folder.
    pub file: PathBuf,
}

/// A place that serves users.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterEntry {
    pub name: String,
    /// Where it stands, for people.
    #[serde(default)]
    pub region: String,
    /// Where on the globe: the filter `geo` of a name takes it where it names no location for the cluster.
    #[serde(default)]
    pub location: Option<Location>,
    /// What names are answered with; a name may give its own.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// How it is probed, at most one check an address family. Without any it is answered whatever happens, and nobody is
    /// withdrawn in its favour.
    #[serde(default)]
    #[schemars(with = "Vec<Check>")]
    pub checks: Vec<Value>,
    /// What differs from the profile of `observers` for this cluster.
    #[serde(default)]
    #[schemars(with = "Option<ProfilePatch>")]
    pub detection: Option<Value>,
}

/// A name whose answers are chosen anew for every query.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NameEntry {
    /// In one of the zones; with or without the last dot.
    pub name: String,
    /// Seconds that an answer may be cached.
    #[serde(default = "default_ttl")]
    #[schemars(range(max = 86_400))]
    pub ttl: u32,
    /// Filters, applied in their order; where there are none, all healthy clusters are answered.
    #[serde(default)]
    pub steer: Vec<Value>,
    /// What is answered while no cluster is known to be healthy: `lastGood`, `all`, `fallback: [ADDRESS, …]` or `servfail`.
    #[serde(default)]
    pub on_all_down: OnAllDown,
    /// Seconds that an answer may be cached while a cluster is withdrawn, held or ramping up. Half of `ttl` where not given.
    #[serde(default)]
    pub degraded_ttl: Option<u32>,
    /// HTTPS records (RFC 9460) that follow the name's addresses.
    #[serde(default)]
    pub https: Option<Box<ServiceInput>>,
    /// The same as SVCB records, for other protocols.
    #[serde(default)]
    pub svcb: Option<Box<ServiceInput>>,
    /// The clusters that serve the name. Where not given: those that `steer` and `addresses` name, or else all.
    #[serde(default)]
    pub clusters: Option<Vec<String>>,
    /// By cluster, the addresses of this name where they are not the cluster's.
    #[serde(default)]
    pub addresses: std::collections::BTreeMap<String, Vec<IpAddr>>,
}

/// Who probes: one observer inside this server, or observers elsewhere that tell it over QUIC.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Observers {
    /// One inside the server. It is the default where `listen` is not given; `false` without `listen`: nobody probes.
    #[serde(default)]
    pub builtin: Option<bool>,
    /// What the builtin one can reach whenever its own links are up; it abstains while none of them answers. One that cannot be
    /// probed is reported, and the others vouch; where none can, it does not start.
    #[serde(default)]
    #[schemars(with = "Vec<Check>")]
    pub anchors: Vec<Value>,
    /// Where the evidence of `lifeboat observer`s elsewhere is heard, UDP, e.g. `0.0.0.0:7443`.
    #[serde(default)]
    pub listen: Option<SocketAddr>,
    /// This server's certificate and the roots of the observers' certificates; needed with `listen`.
    #[serde(default)]
    pub tls: Option<TlsFiles>,
    /// Whose evidence counts; every holder of a certificate of an observer where empty.
    #[serde(default)]
    pub names: Vec<ObserverEntry>,
    /// Timings: a preset and what differs from it. `single` for the builtin observer, else `fast`.
    #[serde(default)]
    pub profile: Option<Profile>,
}

/// One observer elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObserverEntry {
    /// The name in its certificate.
    pub name: String,
    /// Its region, where that is not what it says itself.
    #[serde(default)]
    pub region: String,
}

/// Who probes, checked.
#[derive(Clone, Debug)]
pub(super) enum Probing<'a> {
    Nobody,
    Builtin,
    Remote { listen: SocketAddr, tls: &'a TlsFiles },
}

impl Observers {
    /// # Errors
    /// Names the field and what is allowed.
    pub(super) fn probing(&self) -> Result<Probing<'_>, String> {
        match (self.builtin, self.listen, &self.tls) {
            (Some(true), Some(_), _) => Err(
                "observers.builtin: is true beside observers.listen; allowed is one of the two".to_owned(),
            ),
            (_, Some(_), None) => Err("observers.tls: is not given; observers.listen needs it".to_owned()),
            (_, Some(listen), Some(tls)) => Ok(Probing::Remote { listen, tls }),
            (_, None, Some(_)) => {
                Err("observers.tls: is given without observers.listen, which alone needs it".to_owned())
            }
            (Some(false), None, None) => Ok(Probing::Nobody),
            (None | Some(true), None, None) => Ok(Probing::Builtin),
        }
    }

    pub(super) fn profile(&self) -> Profile {
        let preset = if self.listen.is_some() {
            Preset::Fast
        } else {
            Preset::Single
        };
        self.profile.clone().unwrap_or_else(|| preset.profile())
    }
}

impl DnsFile {
    /// Reads the file; paths in it are relative to its folder.
    ///
    /// # Errors
    /// The file, and what in it cannot be read. What is wrong with one zone, cluster or name is no error here.
    pub fn read(path: &Path) -> anyhow::Result<DnsFile> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        DnsFile::parse(&text, path)
    }

    /// What [`DnsFile::read`] makes of the file's text.
    ///
    /// # Errors
    /// As there.
    pub fn parse(text: &str, path: &Path) -> anyhow::Result<DnsFile> {
        let named = || path.display().to_string();
        let mut file: DnsFile = crate::yaml::read(text).with_context(named)?;
        anyhow::ensure!(
            !file.listen.is_empty(),
            "{}: listen: is empty; at least one address is needed",
            named()
        );
        for (index, entry) in file.listen.iter().enumerate() {
            anyhow::ensure!(
                (1..=256).contains(&entry.udp_threads),
                "{}: listen[{index}].udpThreads: is {}; allowed is 1 to 256",
                named(),
                entry.udp_threads
            );
            anyhow::ensure!(
                entry.proxy.as_ref().is_none_or(|proxy| !proxy.from.is_empty()),
                "{}: listen[{index}].proxy.from: is empty; at least one network is needed",
                named()
            );
        }
        if let (Some(_), Some(told)) = (&file.kubernetes, file.beside_kubernetes()) {
            anyhow::bail!("{}: {told}", named());
        }
        file.observers
            .probing()
            .map_err(|told| anyhow::anyhow!("{}: {told}", named()))?;
        if matches!(file.observers.probing(), Ok(Probing::Builtin)) {
            let decides = file.observers.profile().check_observers(1);
            let told = || {
                format!(
                    "{}: observers.profile: the builtin observer is one, and the preset single is for it",
                    named()
                )
            };
            decides.with_context(told)?;
        }
        if let Some(given) = file.tcp_keepalive_seconds {
            anyhow::ensure!(
                (1..=MAX_KEEPALIVE_S).contains(&given),
                "{}: tcpKeepaliveSeconds: is {given}; allowed is 1 to {MAX_KEEPALIVE_S}",
                named()
            );
        }
        let limits = file.rate_limit.as_ref().map(RateLimitEntry::rules).transpose();
        let protocol = limits.and_then(|_| file.identity.identity());
        let sampling = file.sampling.as_ref().map(SamplingEntry::sampling).transpose();
        let protocol = protocol.and(sampling);
        protocol.map_err(|told| anyhow::anyhow!("{}: {told}", named()))?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let tls = file.observers.tls.as_mut();
        let tls = tls
            .into_iter()
            .flat_map(|tls| [&mut tls.certificate, &mut tls.key, &mut tls.roots]);
        let geo = file.geo.databases.iter_mut().chain(&mut file.geo.networks_files);
        let cookies = file.cookies.iter_mut().map(|cookies| &mut cookies.secrets_file);
        let sampling = file.sampling.iter_mut().map(|sampling| &mut sampling.file);
        let kubernetes = file.kubernetes.iter_mut();
        let kubernetes = kubernetes.filter_map(|entry| entry.kubeconfig.as_mut());
        for relative in tls
            .chain(cookies)
            .chain(sampling)
            .chain(kubernetes)
            .chain(&mut file.admin_token_file)
            .chain(geo)
            .chain([&mut file.state])
        {
            *relative = folder.join(&relative);
        }
        Ok(file)
    }

    /// What is given here and comes from the control plane in Kubernetes mode.
    fn beside_kubernetes(&self) -> Option<String> {
        let lists = [
            ("zones", &self.zones, "Zone"),
            ("clusters", &self.clusters, "Cluster"),
            ("names", &self.names, "TrafficPolicy"),
        ];
        let (field, _, kind) = lists.into_iter().find(|(_, list, _)| !list.is_empty())?;
        Some(format!(
            "{field}: is given beside kubernetes, with which it comes from {kind} objects of the control plane; allowed is one of the two"
        ))
    }
}

/// Where last-known-good is kept by default.
pub(super) fn default_state() -> PathBuf {
    PathBuf::from("/var/lib/lifeboat")
}

fn default_ttl() -> u32 {
    30
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}
