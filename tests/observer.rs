//! `lifeboat observer` as a process: what is reported of users' requests is guarded, checked, and lowers a weight; `lifeboat agent`
//! says that a cluster lives, and that it stops.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use lifeboat_health::{
    Check, Consumer, ConsumerConfig, ConsumerMetrics, Family, FleetView, Gray, Identity, MonoTime,
    Path as Tested, Profile, StatusRange, Target, Transition, Verdict, VerdictSink,
};
use rustix::process::{Pid, Signal, kill_process};

const LIFEBOAT: &str = env!("CARGO_BIN_EXE_lifeboat");

struct Nobody;

impl VerdictSink for Nobody {
    fn tick(&mut self, _: MonoTime, _: &[Transition], _: &FleetView) {}
}

/// An observer's process, ended with the test.
struct Observer {
    process: Child,
    admin: SocketAddr,
}

impl Drop for Observer {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// Answers every request 200.
fn ingress() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let mut asked = [0; 1_024];
    while let Ok(1..) = stream.read(&mut asked) {
        if stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .is_err()
        {
            return;
        }
    }
}

fn targets(at: SocketAddr) -> Vec<Target> {
    let target = |cluster: &str| Target {
        cluster: cluster.to_owned(),
        path: Tested::Traffic,
        family: Family::V4,
        check: Check::Http {
            url: format!("http://{at}/{cluster}"),
            host: None,
            expect: StatusRange::default(),
        },
        detection: None,
    };
    vec![target("eu"), target("us")]
}

impl Observer {
    fn start(folder: &Path, admin: &str, consumer: SocketAddr, targets: &[Target], more: &str) -> Observer {
        // A port that was free a moment ago: the process says which it took only in its log.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let admin = SocketAddr::new(admin.parse().unwrap(), free.port());
        let targets = serde_json::to_string(targets).unwrap();
        let yaml = format!(
            "name: observer-1\nconsumers: ['{consumer}']\nadmin: '{admin}'\nprofile: {{preset: single}}\n\
             tls: {{certificate: observer-1.pem, key: observer-1.key, roots: authority.pem}}\n\
             targets: {targets}\n{more}"
        );
        let file = folder.join("observer.yaml");
        std::fs::write(&file, yaml).unwrap();
        let process = Command::new(LIFEBOAT)
            .args(["observer", "--config"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let observer = Observer {
            process,
            admin: SocketAddr::from(([127, 0, 0, 1], admin.port())),
        };
        until("the admin listener", || {
            TcpStream::connect(observer.admin).is_ok()
        });
        observer
    }

    /// Status and body of a request made by hand.
    fn ask(&self, method: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        let mut head = format!("{method} HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        // A body that is refused may not be read to its end.
        let _refused = stream.write_all(body);
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, body.to_owned())
    }

    fn post(&self, body: &str) -> (u16, String) {
        let host = self.admin.to_string();
        let headers = [("Host", host.as_str()), ("Content-Type", "application/json")];
        self.ask("POST /api/passive", &headers, body.as_bytes())
    }
}

fn certificates(folder: &Path) {
    let issued = Command::new(LIFEBOAT)
        .args([
            "certificates",
            "--observers",
            "observer-1",
            "--consumers",
            "dns-1",
            "--out",
        ])
        .arg(folder)
        .output()
        .unwrap();
    assert!(issued.status.success(), "{issued:?}");
}

fn consumer(folder: &Path, targets: Vec<Target>) -> Consumer {
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let config = ConsumerConfig {
        name: "dns-1".to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls: Identity::from_pem(&read("dns-1.pem"), &read("dns-1.key"), &read("authority.pem")).unwrap(),
        targets,
        observers: None,
        profile: Profile::single(),
        metrics: ConsumerMetrics::default(),
    };
    Consumer::spawn(config, Box::new(Nobody)).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test gives up")]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come about within 30 s");
        thread::sleep(Duration::from_millis(50));
    }
}

fn reports(eu: (u64, u64), us: (u64, u64)) -> String {
    format!(
        r#"{{"reports": [{{"cluster": "eu", "requests": {}, "serverErrors": {}}},
            {{"cluster": "us", "requests": {}, "serverErrors": {}}}]}}"#,
        eu.0, eu.1, us.0, us.1
    )
}

#[test]
fn reports_of_users_requests_lower_a_weight_and_bad_ones_do_nothing() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let at = ingress();
    let consumer = consumer(folder.path(), targets(at));
    let observer = Observer::start(
        folder.path(),
        "127.0.0.1",
        consumer.local_addr(),
        &targets(at),
        "",
    );
    let cell = |cluster: &str| {
        let view = consumer.view();
        view.cell(cluster, Tested::Traffic, Family::V4).unwrap().clone()
    };
    until("both Up", || {
        ["eu", "us"].iter().all(|c| cell(c).verdict == Verdict::Up)
    });

    let host = observer.admin.to_string();
    let (host, json) = (("Host", host.as_str()), ("Content-Type", "application/json"));
    let good = reports((10, 0), (10, 0));
    let refused = |headers: &[(&str, &str)], body: &str, status: u16, words: &[&str]| {
        let (given, said) = observer.ask("POST /api/passive", headers, body.as_bytes());
        assert_eq!(given, status, "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is missing: {said}");
        }
    };
    refused(
        &[("Host", "evil.example"), json],
        &good,
        421,
        &["evil.example", "allowed"],
    );
    refused(
        &[host, json, ("Origin", "http://evil.example")],
        &good,
        403,
        &["evil.example"],
    );
    refused(
        &[host, ("Content-Type", "text/plain")],
        &good,
        415,
        &["application/json"],
    );
    refused(&[host, json], "requests=1", 400, &["serverErrors", "line 1"]);
    refused(
        &[host, json],
        r#"{"reports": [{"cluster": "eu", "requests": 1, "errors": 1}]}"#,
        400,
        &["unknown field `errors`"],
    );
    refused(
        &[host, json],
        r#"{"reports": [{"cluster": "eu", "requests": -1, "serverErrors": 0}]}"#,
        400,
        &["-1"],
    );
    refused(
        &[host, json],
        r#"{"reports": [{"cluster": "eu", "requests": 900, "serverErrors": 900}, {"cluster": "mars", "requests": 1, "serverErrors": 0}]}"#,
        404,
        &["mars", "allowed: eu, us"],
    );
    refused(
        &[host, json],
        &reports((1, 2), (0, 0)),
        400,
        &["serverErrors is 2", "requests 1"],
    );
    refused(&[host, json], &" ".repeat(70_000), 413, &["65536"]);
    assert_eq!(
        observer.ask("GET /api/passive", &[host], b"").0,
        405,
        "reports are posted"
    );

    assert_eq!(observer.post(&good), (200, r#"{"counted":2}"#.to_owned()));
    until("eu's weight falls", || {
        assert_eq!(observer.post(&reports((1_000, 400), (1_000, 1))).0, 200);
        cell("eu").gray.factor_permille < 1_000
    });
    let (eu, us) = (cell("eu"), cell("us"));
    assert_eq!((eu.verdict, eu.gray.degree), (Verdict::Up, Gray::Severe));
    assert!(
        eu.gray.reason.contains("users' requests answered 5xx"),
        "{}",
        eu.gray.reason
    );
    assert_eq!((us.gray.degree, us.gray.factor_permille), (Gray::None, 1_000));
    let metrics = observer.ask("GET /metrics", &[host], b"").1;
    let refused = r#"lifeboat_observer_reports_total{observer="observer-1",result="refused"} 4"#;
    assert!(metrics.contains(refused), "{metrics}");
    consumer.stop();
}

#[test]
fn beyond_loopback_reports_need_a_token_and_metrics_do_not() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let at = ingress();
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let good = reports((10, 0), (10, 0));
    {
        let observer = Observer::start(folder.path(), "0.0.0.0", nobody, &targets(at), "");
        let (status, said) = observer.post(&good);
        assert_eq!(status, 403, "{said}");
        assert!(said.contains("adminTokenFile"), "{said}");
        assert_eq!(
            observer.ask("GET /metrics", &[("Host", "any.example")], b"").0,
            200
        );
    }
    std::fs::write(folder.path().join("token"), "secret\n").unwrap();
    let more = "adminTokenFile: token\nadminHosts: [observer.example]\n";
    let observer = Observer::start(folder.path(), "0.0.0.0", nobody, &targets(at), more);
    assert_eq!(observer.post(&good).0, 401);
    let ask = |authorization: &str| {
        let headers = [
            ("Host", "observer.example"),
            ("Content-Type", "application/json"),
            ("Authorization", authorization),
        ];
        observer.ask("POST /api/passive", &headers, good.as_bytes()).0
    };
    assert_eq!(ask("Bearer wrong"), 401);
    assert_eq!(ask("Bearer secret"), 200);
    assert_eq!(
        observer.ask("GET /healthz", &[("Host", "any.example")], b"").0,
        200
    );
}

#[test]
fn a_certificate_that_comes_after_the_change_is_taken_and_holds_up_no_target() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let place = |name: &str| folder.path().join(name);
    let at = ingress();
    let [eu, us] = <[Target; 2]>::try_from(targets(at)).unwrap();
    let consumer = consumer(folder.path(), vec![eu.clone(), us.clone()]);
    let observer = Observer::start(
        folder.path(),
        "127.0.0.1",
        consumer.local_addr(),
        std::slice::from_ref(&eu),
        "",
    );
    let is_up = |cluster: &str| {
        let view = consumer.view();
        view.cell(cluster, Tested::Traffic, Family::V4)
            .is_some_and(|cell| cell.verdict == Verdict::Up)
    };
    until("eu is Up", || is_up("eu"));

    let held = std::fs::read_to_string(place("observer.yaml")).unwrap();
    let both = serde_json::to_string(&[&eu, &us]).unwrap();
    let (head, _) = held.split_once("targets: ").unwrap();
    let changed = format!("{head}targets: {both}\n").replace("observer-1.pem", "renewed.pem");
    std::fs::write(place("observer.yaml"), changed).unwrap();
    until("us is Up by the certificate in force", || is_up("us"));

    // By another authority: whoever uses it is not heard.
    let others = tempfile::tempdir().unwrap();
    certificates(others.path());
    let host = observer.admin.to_string();
    let connections_lost = || {
        let metrics = observer.ask("GET /metrics", &[("Host", host.as_str())], b"").1;
        let count = metrics.lines().find_map(|line| {
            line.strip_prefix("lifeboat_observer_reconnects_total{observer=\"observer-1\"} ")
        });
        count.map_or(0, |count| count.parse::<u64>().unwrap())
    };
    for (name, taken) in [
        ("observer-1.key", "observer-1.key"),
        ("observer-1.pem", "renewed.pem"),
    ] {
        std::fs::copy(others.path().join(name), place(taken)).unwrap();
    }
    until("the certificate that came late is used", || {
        connections_lost() > 0
    });
    consumer.stop();
}

#[test]
fn an_agent_says_that_its_cluster_lives_and_that_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let place = |name: &str| folder.path().join(name);
    std::fs::write(place("eu.key"), "of thirty-two bytes or even more\n").unwrap();
    let target = Target {
        cluster: "eu".to_owned(),
        path: Tested::Control,
        family: Family::V4,
        check: Check::Heartbeat {
            agent: "eu".to_owned(),
            key_file: place("eu.key").to_str().unwrap().to_owned(),
        },
        detection: None,
    };
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let consumer = consumer(folder.path(), vec![target.clone()]);
    let heartbeats = format!("heartbeats: '{free}'\n");
    let _observer = Observer::start(
        folder.path(),
        "127.0.0.1",
        consumer.local_addr(),
        &[target],
        &heartbeats,
    );
    let yaml = format!("name: eu\nkeyFile: eu.key\nobservers: ['{free}']\n");
    std::fs::write(place("agent.yaml"), yaml).unwrap();
    let agent = |more: &[&str]| {
        let mut agent = Command::new(LIFEBOAT);
        agent
            .args(["agent", "--config"])
            .arg(place("agent.yaml"))
            .args(more);
        agent
    };
    let checked = agent(&["--check"]).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let verdict = || {
        consumer
            .view()
            .cell("eu", Tested::Control, Family::V4)
            .unwrap()
            .verdict
    };
    let mut running = agent(&[]).spawn().unwrap();
    until("eu is Up", || verdict() == Verdict::Up);
    let pid = Pid::from_child(&running);
    kill_process(pid, Signal::TERM).unwrap();
    assert!(running.wait().unwrap().success());
    until("eu is Down", || verdict() == Verdict::Down);
    let mut running = agent(&[]).spawn().unwrap();
    until("eu is back", || verdict() == Verdict::Recovering);
    running.kill().unwrap();
    running.wait().unwrap();
    consumer.stop();
}
