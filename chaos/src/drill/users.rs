//! Synthetic users: each resolves a global name as a real client does and then visits the address it got.
//!
//! A user has a resolver of its own, with a cache that honours the TTL, so that the caches of many users age
//! independently. Every request uses a new connection.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::runtime::TokioRuntimeProvider,
    proto::rr::{RData, RecordType},
};
use http::StatusCode;
use http_body_util::BodyExt;
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{client, live::LiveStats, recorder::Recorder};

/// For the HTTP exchange; a user waits no longer.
const HTTP_WITHIN: Duration = Duration::from_secs(1);
/// For one question to one DNS server.
const DNS_WITHIN: Duration = Duration::from_millis(400);

/// Who the users are and what they do.
#[derive(Clone, Debug)]
pub struct UsersConfig {
    /// The DNS servers each user knows.
    pub dns: Vec<SocketAddr>,
    /// The names, visited by the users in turn: user `i` visits name `i` modulo their number.
    pub names: Vec<String>,
    /// The port of the addresses that the names give.
    pub port: u16,
    /// How many.
    pub users: usize,
    /// Each makes one request in this time.
    pub interval: Duration,
    /// Spreads the users over the interval.
    pub seed: u64,
}

/// Why the users did not start.
#[derive(Debug, thiserror::Error)]
#[error("build the resolver of a synthetic user: {0}")]
pub struct UsersError(String);

/// The running users; they stop when dropped.
pub struct Users {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Users {
    /// Starts the users on the current runtime; with a recorder every request is logged.
    ///
    /// # Errors
    /// When a resolver cannot be built.
    pub fn spawn(
        config: &UsersConfig,
        live: &LiveStats,
        recorder: Option<&Recorder>,
    ) -> Result<Self, UsersError> {
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let mut draw = fastrand::Rng::with_seed(config.seed);
        if config.names.is_empty() {
            return Ok(Self { stop, tasks });
        }
        for index in 0..config.users {
            let user = User {
                number: u32::try_from(index).unwrap_or(u32::MAX),
                name: config.names[index % config.names.len()].clone().into(),
                port: config.port,
                resolver: resolver(&config.dns)?,
                live: live.clone(),
                recorder: recorder.cloned(),
            };
            let offset = config.interval.mul_f64(draw.f64());
            let (interval, stop) = (config.interval, stop.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = user.run(offset, interval) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
        tasks.close();
        Ok(Self { stop, tasks })
    }

    /// Stops the users; a request under way is given up and not counted.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, UsersError> {
    let servers = servers.iter().map(|server| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        NameServerConfig::new(server.ip(), true, connections.to_vec())
    });
    let config = ResolverConfig::from_name_servers(servers.collect());
    let mut options = ResolverOpts::default();
    options.timeout = DNS_WITHIN;
    options.attempts = 2;
    options.cache_size = 16;
    options.use_hosts_file = ResolveHosts::Never;
    options.num_concurrent_reqs = 1;
    // A name that is not there yet is asked for again at once.
    options.negative_max_ttl = Some(Duration::ZERO);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .map_err(|error| UsersError(error.to_string()))
}

struct User {
    number: u32,
    name: Arc<str>,
    port: u16,
    resolver: TokioResolver,
    live: LiveStats,
    recorder: Option<Recorder>,
}

impl User {
    async fn run(&self, offset: Duration, interval: Duration) {
        let mut tick = tokio::time::interval_at(Instant::now() + offset, interval);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let start = Instant::now();
            let result = self.visit().await;
            if let Err(reason) = &result {
                tracing::debug!(user = self.number, name = %self.name, reason, "a user request failed");
            }
            self.live.request(result.is_ok());
            if let Some(recorder) = &self.recorder {
                recorder.request(self.number, start, Instant::now(), result.is_ok());
            }
        }
    }

    async fn visit(&self) -> Result<(), String> {
        let address = SocketAddr::new(self.resolve().await?, self.port);
        let exchange = async {
            let mut sender = client::connect(address)
                .await
                .map_err(|error| error.to_string())?;
            let response = client::send(&mut sender, "/", &self.name, None)
                .await
                .map_err(|error| error.to_string())?;
            let status = response.status();
            response
                .into_body()
                .collect()
                .await
                .map_err(|error| error.to_string())?;
            if status == StatusCode::OK {
                Ok(())
            } else {
                Err(format!("{address} answered {status}"))
            }
        };
        timeout(HTTP_WITHIN, exchange)
            .await
            .unwrap_or_else(|_| Err(format!("{address} did not answer")))
    }

    /// The first address of the answer, fresh or from the user's cache.
    async fn resolve(&self) -> Result<IpAddr, String> {
        let lookup = self
            .resolver
            .lookup(format!("{}.", self.name.trim_end_matches('.')), RecordType::A)
            .await;
        let lookup = lookup.map_err(|error| format!("resolve: {error}"))?;
        let address = lookup.answers().iter().find_map(|record| {
            if let RData::A(address) = &record.data {
                Some(IpAddr::V4(address.0))
            } else {
                None
            }
        });
        address.ok_or_else(|| "the answer has no address".to_owned())
    }
}
