//! Processes of `lifeboat observer`, with certificates of one authority; they end with whoever started them.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use lifeboat_health::{Identity, Target};
use tempfile::TempDir;

const LIFEBOAT: &str = env!("CARGO_BIN_EXE_lifeboat");

pub(crate) struct Fleet {
    folder: TempDir,
    processes: Vec<Process>,
}

/// One observer.
pub(crate) struct Process {
    child: Child,
    /// Where its metrics are.
    pub(crate) admin: SocketAddr,
}

impl Fleet {
    /// A folder with everybody's certificates; nothing runs yet.
    pub(crate) fn prepare(observers: usize, consumers: &[&str]) -> Fleet {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let issued = Command::new(LIFEBOAT)
            .args(["certificates", "--consumers"])
            .args(consumers)
            .arg("--observers")
            .args((1..=observers).map(name))
            .arg("--out")
            .arg(folder.path())
            .output()
            .expect("lifeboat certificates");
        assert!(issued.status.success(), "{issued:?}");
        Fleet {
            folder,
            processes: Vec::new(),
        }
    }

    /// Who a consumer is.
    pub(crate) fn identity(&self, name: &str) -> Identity {
        let read = |name: String| std::fs::read(self.folder.path().join(name)).expect("a certificate");
        let (pem, key) = (read(format!("{name}.pem")), read(format!("{name}.key")));
        Identity::from_pem(&pem, &key, &read("authority.pem".to_owned())).expect("an identity")
    }

    /// Starts the next observer.
    pub(crate) fn observe(&mut self, targets: &[Target], anchor: &str, consumers: &[SocketAddr]) {
        let name = name(self.processes.len() + 1);
        let admin = free_port();
        let json = |value: serde_json::Result<String>| value.expect("JSON");
        let mut yaml = String::new();
        writeln!(
            yaml,
            "name: {name}\nregion: region-of-{name}\nadmin: {admin}\n\
             consumers: {}\n\
             tls: {{certificate: {name}.pem, key: {name}.key, roots: authority.pem}}\n\
             anchors: [{{kind: http, url: '{anchor}'}}]\n\
             targets: {}",
            json(serde_json::to_string(consumers)),
            json(serde_json::to_string(targets)),
        )
        .expect("a string");
        let config = self.folder.path().join(format!("{name}.yaml"));
        std::fs::write(&config, yaml).expect("its configuration");
        let child = Command::new(LIFEBOAT)
            .args(["observer", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("lifeboat observer");
        self.processes.push(Process { child, admin });
    }

    pub(crate) fn processes(&self) -> &[Process] {
        &self.processes
    }
}

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn name(observer: usize) -> String {
    format!("observer-{observer}")
}

/// Free when it was asked for.
fn free_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its address")
}
