//! Another project's server on loopback: started from a temporary folder on a free port, ended with the value.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(30);

pub(crate) struct Daemon {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    child: Child,
    log: PathBuf,
}

/// A loopback port that nobody has for either transport.
pub(crate) fn free_port() -> SocketAddr {
    for _ in 0..64 {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = udp.local_addr().unwrap();
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port is free for UDP and TCP");
}

/// Where Debian keeps a server, which need not be in the path of a user.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin", "/usr/bin"].map(PathBuf::from);
    let found = std::env::split_paths(&path)
        .chain(more)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed; .ci/run names the Debian packages"))
}

impl Daemon {
    /// Runs `command` in `home` and waits until `ready` holds of its address. A port that was taken in between is tried anew.
    pub(crate) fn start(
        name: &'static str,
        home: &Path,
        configure: impl Fn(SocketAddr, &Path) -> Vec<String>,
        ready: impl Fn(SocketAddr) -> bool,
    ) -> Daemon {
        for _ in 0..3 {
            let address = free_port();
            let words = configure(address, home);
            let (program_name, arguments) = words.split_first().unwrap();
            let log = home.join(format!("{name}.log"));
            let into = File::create(&log).unwrap();
            let child = Command::new(program(program_name))
                .args(arguments)
                .current_dir(home)
                .stdin(Stdio::null())
                .stdout(into.try_clone().unwrap())
                .stderr(into)
                .spawn()
                .unwrap();
            let mut daemon = Daemon {
                name,
                address,
                child,
                log,
            };
            if daemon.comes_up(&ready) {
                return daemon;
            }
        }
        panic!(
            "{name} does not start:\n{}",
            fs::read_to_string(home.join(format!("{name}.log"))).unwrap_or_default()
        );
    }

    /// False when the process has ended.
    #[expect(clippy::disallowed_methods, reason = "a test gives up")]
    fn comes_up(&mut self, ready: &impl Fn(SocketAddr) -> bool) -> bool {
        let deadline = Instant::now() + START;
        while !ready(self.address) {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(
                Instant::now() < deadline,
                "{} is not ready within {START:?}:\n{}",
                self.name,
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// What the server has said.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        for _ in 0..100 {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
