//! A `lifeboat dns` process in a folder of its own, clusters that die, and questions to both of its listeners.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const LIFEBOAT: &str = env!("CARGO_BIN_EXE_lifeboat");
/// The longest anything may take on a busy machine.
const LONG: Duration = Duration::from_secs(60);
/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(50);

/// An HTTP server that answers every request, until it dies: then it accepts and hangs up.
pub(crate) struct Cluster {
    address: SocketAddr,
    dead: Arc<AtomicBool>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cluster = Self {
            address: listener.local_addr().unwrap(),
            dead: Arc::default(),
        };
        let dead = Arc::clone(&cluster.dead);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let dead = Arc::clone(&dead);
                thread::spawn(move || answer(stream, &dead));
            }
        });
        cluster
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/healthz", self.address)
    }

    pub(crate) fn dies(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }

    pub(crate) fn returns(&self) {
        self.dead.store(false, Ordering::SeqCst);
    }
}

fn answer(mut stream: TcpStream, dead: &AtomicBool) {
    let mut asked = [0; 1_024];
    while let Ok(1..) = stream.read(&mut asked) {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        if dead.load(Ordering::SeqCst) || stream.write_all(answer).is_err() {
            return;
        }
    }
}

/// A port that was free a moment ago, for UDP and TCP.
pub(crate) fn free_both() -> SocketAddr {
    until("a port that is free for both", || {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        TcpListener::bind(udp).ok().map(|_| udp)
    })
}

pub(crate) fn free_tcp() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Where a process finds its files, and keeps its state.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    /// Whoever the process becomes may come in.
    pub(crate) fn open_to_all(&self) {
        fs::set_permissions(self.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// In one step, as editors and Kubernetes do.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    pub(crate) fn until_file(&self, name: &str) {
        until(name, || self.path(name).exists().then_some(()));
    }

    /// Until a file contains these words.
    pub(crate) fn until_told(&self, name: &str, words: &str) {
        until(words, || self.read(name).contains(words).then_some(()));
    }

    /// `lifeboat certificates` into this folder.
    pub(crate) fn certificates(&self, words: &[&str]) {
        let (code, told) = self.output(&[&["certificates"], words].concat());
        assert_eq!(code, 0, "{told}");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Exit code and words of a `lifeboat` in this folder.
    pub(crate) fn output(&self, words: &[&str]) -> (i32, String) {
        let ended = Command::new(LIFEBOAT)
            .args(words)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
        (ended.status.code().unwrap(), told.into_owned())
    }

    /// A `lifeboat` process in this folder, ended with its handle.
    pub(crate) fn run(&self, words: &[&str]) -> Process {
        let log = fs::File::create(self.path(&format!("{}.log", words[0]))).unwrap();
        let child = Command::new(LIFEBOAT)
            .args(words)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Process(child)
    }
}

pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

pub(crate) struct Nameserver<'a> {
    process: Process,
    folder: &'a Folder,
    admin: SocketAddr,
    dns: SocketAddr,
}

impl<'a> Nameserver<'a> {
    /// `text` is the configuration without its listeners and its state folder.
    pub(crate) fn start(folder: &'a Folder, text: &str) -> Self {
        Self::start_on(folder, text, free_tcp())
    }

    /// The same with an admin listener whose address is known.
    pub(crate) fn start_on(folder: &'a Folder, text: &str, admin: SocketAddr) -> Self {
        Self::start_with(folder, &whole(text, admin), admin)
    }

    /// `text` is all of the configuration; the admin listener is expected at `admin`.
    pub(crate) fn start_with(folder: &'a Folder, text: &str, admin: SocketAddr) -> Self {
        folder.write("dns.yaml", text);
        let process = folder.run(&["dns", "--config", "dns.yaml"]);
        let mut server = Self {
            process,
            folder,
            admin,
            dns: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        };
        let dns = until("the admin listener", || {
            assert!(!server.process.has_ended(), "{}", folder.read("dns.log"));
            TcpStream::connect(admin).ok()?;
            let status: Value = serde_json::from_str(&server.get("/api/status").1).ok()?;
            let ready = status["server"]["ready"] == true;
            ready.then(|| status["server"]["listen"][0].as_str().unwrap().parse().unwrap())
        });
        server.dns = dns;
        server
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    pub(crate) fn configure(&self, text: &str) {
        self.folder.write("dns.yaml", &whole(text, self.admin));
    }

    pub(crate) fn hangup(&self) {
        self.process.signal(Signal::HUP);
    }

    /// How long its end took.
    #[expect(clippy::disallowed_methods, reason = "a test measures")]
    pub(crate) fn terminate(mut self) -> Duration {
        let begin = Instant::now();
        self.process.signal(Signal::TERM);
        assert!(self.process.0.wait().unwrap().success());
        begin.elapsed()
    }

    pub(crate) fn ask(&self, name: &str, kind: RecordType) -> Message {
        let mut query = Message::query();
        query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        self.exchange(&socket, &query).unwrap()
    }

    /// The reply to a query from that socket, over UDP; `None` where none comes.
    pub(crate) fn exchange(&self, socket: &UdpSocket, query: &Message) -> Option<Message> {
        self.exchange_octets(socket, &query.to_vec().unwrap())
    }

    pub(crate) fn exchange_octets(&self, socket: &UdpSocket, query: &[u8]) -> Option<Message> {
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.connect(self.dns).unwrap();
        socket.send(query).unwrap();
        let mut answer = [0; 4_096];
        let length = socket.recv(&mut answer).ok()?;
        Some(Message::from_vec(&answer[..length]).unwrap())
    }

    /// Until the name's addresses are exactly these, in order; a set of names with weights is met over several answers.
    pub(crate) fn until_answered(&self, name: &str, expected: &[&str]) {
        until(&format!("{name} to be {expected:?}"), || {
            (self.addresses(name) == expected).then_some(())
        });
    }

    /// The name's addresses now, in order.
    pub(crate) fn addresses(&self, name: &str) -> Vec<String> {
        let answer = self.ask(name, RecordType::A);
        let found = answer.answers.iter().filter_map(|record| {
            let RData::A(v4) = &record.data else { return None };
            Some(v4.0)
        });
        let found: BTreeSet<Ipv4Addr> = found.collect();
        found.iter().map(ToString::to_string).collect()
    }

    pub(crate) fn until_code(&self, name: &str, code: ResponseCode) {
        until(&format!("{name} to be {code}"), || {
            (self.ask(name, RecordType::A).response_code == code).then_some(())
        });
    }

    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) {
        until(what, || holds(&self.status()).then_some(()));
    }

    /// Until the last of the events whose kinds begin so is of this kind.
    pub(crate) fn until_last_event(&self, begin: &str, kind: &str) {
        until(kind, || {
            let events: Vec<Value> = serde_json::from_str(&self.get("/api/events").1).ok()?;
            let last = events
                .iter()
                .filter_map(|event| event["type"].as_str())
                .rfind(|kind| kind.starts_with(begin));
            (last? == kind).then_some(())
        });
    }

    pub(crate) fn status(&self) -> Value {
        let (code, body) = self.get("/api/status");
        assert_eq!(code, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.admin)
    }

    pub(crate) fn explain(&self, words: &[&str]) -> String {
        let (code, told) = self
            .folder
            .output(&[&["explain"], words, &["--server", &self.url()]].concat());
        assert_eq!(code, 0, "{told}");
        told
    }

    /// Status and body of a GET.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        let asked = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.admin
        );
        stream.write_all(asked.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let code = answer
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0);
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (code, body.to_owned())
    }
}

fn whole(text: &str, admin: SocketAddr) -> String {
    format!("listen: [{{address: '127.0.0.1:0'}}]\nadmin: '{admin}'\nstate: state\n{text}")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test waits for what another process does"
)]
pub(crate) fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begin.elapsed() < LONG, "{what} did not come within {LONG:?}");
        thread::sleep(LOOK);
    }
}
