use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::check::{Roots, TlsOptions};

/// A certificate authority of the tests.
pub(super) struct Authority {
    pub(super) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        Authority {
            pem: params.self_signed(&key).unwrap().pem(),
            issuer: Issuer::new(params, key),
        }
    }

    pub(super) fn get() -> &'static Authority {
        static ONE: OnceLock<Authority> = OnceLock::new();
        ONE.get_or_init(|| Authority::new("tests"))
    }

    /// A server that is `vip.example`, with a certificate that ends `days` from today.
    pub(super) fn server(&self, alpn: &[u8], days: i64) -> TlsAcceptor {
        let mut params = CertificateParams::new(vec!["vip.example".to_owned()]).unwrap();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap();
        let at = |days: i64| {
            let seconds = i64::try_from(now.as_secs()).unwrap() + days * 86_400;
            x509_parser::time::ASN1Time::from_timestamp(seconds)
                .unwrap()
                .to_datetime()
        };
        (params.not_before, params.not_after) = (at(-300), at(days));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        config.alpn_protocols = vec![alpn.to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    pub(super) fn options(&self) -> TlsOptions {
        TlsOptions {
            roots: Roots::Pem(self.pem.clone()),
            server_name: Some("vip.example".to_owned()),
            expiry_warning_days: 14,
        }
    }
}

async fn server(manners: Manners, days: i64) -> Server {
    let tls = Authority::get().server(b"http/1.1", days);
    Server::start_with(([127, 0, 0, 1], 0).into(), manners, Some(tls)).await
}

fn https(server: &Server, tls: TlsOptions) -> Check {
    Check::Https {
        url: format!("https://{}/healthz", server.addr),
        host: None,
        expect: StatusRange::default(),
        tls: Some(tls),
    }
}

fn options() -> TlsOptions {
    Authority::get().options()
}

fn days_left(prober: &Prober) -> f64 {
    let label = prober.certificate_label(NAME.to_owned());
    let gauge = prober
        .around
        .metrics
        .certificate_expiry
        .get_or_create_owned(&label);
    gauge.get()
}

#[tokio::test]
async fn a_verified_server_is_asked_on_kept_connections() {
    let server = server(Manners::Answer(200), 90).await;
    let prober = prober_with(patient(), &https(&server, options()), false);
    for _ in 0..4 {
        prober.ask(Series::Warm).await;
    }
    assert_eq!(server.connections(), 1);
    let row = prober.ask(Series::Fresh).await;
    assert_eq!((row.success_streak, row.miss_streak), (4, 0), "{}", prober.told());
    assert_eq!(server.connections(), 2);
    for phase in Phase::ALL {
        assert!(prober.smoothed(phase).is_some(), "{}", phase.name());
    }
    assert!((89.0..90.1).contains(&days_left(&prober)));
    assert_eq!(prober.told(), "");
}

#[tokio::test]
async fn who_cannot_be_verified_is_missed_without_hard_evidence() {
    let server = server(Manners::Answer(200), 90).await;
    let stranger = TlsOptions {
        roots: Roots::Pem(Authority::new("another").pem),
        ..options()
    };
    let prober = prober_with(patient(), &https(&server, stranger), false);
    let row = prober.ask(Series::Warm).await;
    assert_eq!((row.miss_streak, row.hard), (1, Hard::NONE));
    assert!(prober.told().contains("UnknownIssuer"), "{}", prober.told());
    let misnamed = TlsOptions {
        server_name: Some("shop.example".into()),
        ..options()
    };
    let prober = prober_with(patient(), &https(&server, misnamed), false);
    let row = prober.ask(Series::Warm).await;
    assert_eq!((row.miss_streak, row.hard), (1, Hard::NONE));
    assert!(prober.told().contains("not valid for name"), "{}", prober.told());
}

#[tokio::test]
async fn a_certificate_is_told_before_it_expires_and_missed_after() {
    let soon = server(Manners::Answer(200), 5).await;
    let prober = prober_with(patient(), &https(&soon, options()), false);
    let row = prober.ask(Series::Warm).await;
    assert_eq!((row.success_streak, row.miss_streak), (1, 0));
    assert!((4.0..5.1).contains(&days_left(&prober)));
    let warned = prober.certificate_told.lock().last().map(str::to_owned);
    assert!(
        ["it expires in 4 days", "it expires in 5 days"]
            .map(str::to_owned)
            .contains(&warned.unwrap())
    );
    assert_eq!(prober.told(), "", "no probe has failed");
    let never = TlsOptions {
        expiry_warning_days: 0,
        ..options()
    };
    let prober = prober_with(patient(), &https(&soon, never), false);
    prober.ask(Series::Warm).await;
    assert_eq!(prober.certificate_told.lock().last(), None);
    let gone = server(Manners::Answer(200), -1).await;
    let prober = prober_with(patient(), &https(&gone, options()), false);
    let row = prober.ask(Series::Warm).await;
    assert_eq!((row.miss_streak, row.hard), (1, Hard::NONE));
    assert!(prober.told().contains("expired"), "{}", prober.told());
    assert!(
        (-1.1..-0.9).contains(&days_left(&prober)),
        "{}",
        days_left(&prober)
    );
}

#[tokio::test]
async fn an_alert_is_hard_evidence() {
    let tls = Authority::get().server(b"imap", 90);
    let server = Server::start_with(([127, 0, 0, 1], 0).into(), Manners::Answer(200), Some(tls)).await;
    let prober = prober_with(patient(), &https(&server, options()), false);
    let row = prober.ask(Series::Warm).await;
    assert_eq!((row.miss_streak, row.hard), (1, Hard::TLS_ALERT));
}

#[tokio::test]
async fn roots_that_are_not_there_say_nothing_about_the_target() {
    let server = server(Manners::Answer(200), 90).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let file = TlsOptions {
        roots: Roots::File(path.to_str().unwrap().to_owned()),
        ..options()
    };
    let prober = prober_with(patient(), &https(&server, file.clone()), false);
    let row = prober.ask(Series::Warm).await;
    assert_eq!((row.miss_streak, row.age_ms), (0, u32::MAX));
    assert_eq!(prober.around.unusable.get(), 1);
    assert!(
        prober.told().contains("ca.pem: No such file"),
        "{}",
        prober.told()
    );
    std::fs::write(&path, &Authority::get().pem).unwrap();
    let prober = prober_with(patient(), &https(&server, file), false);
    assert_eq!(prober.ask(Series::Warm).await.success_streak, 1);
}

#[tokio::test]
async fn handshakes() {
    let tls = |server: &Server| Check::Tls {
        address: server.addr,
        tls: Some(options()),
    };
    let good = server(Manners::Silent, 90).await;
    let prober = prober_with(patient(), &tls(&good), false);
    let row = prober.ask(Series::Warm).await;
    assert_eq!((row.success_streak, row.miss_streak), (1, 0), "{}", prober.told());
    assert!(row.rtt_us > 0 && days_left(&prober) > 89.0);
    let gone = server(Manners::Silent, -1).await;
    assert_eq!(
        prober_with(patient(), &tls(&gone), false)
            .ask(Series::Warm)
            .await
            .miss_streak,
        1
    );
    let plain = Server::start(Manners::Answer(200)).await;
    assert_eq!(
        prober_with(patient(), &tls(&plain), false)
            .ask(Series::Warm)
            .await
            .success_streak,
        0
    );
    let nobody = Check::Tls {
        address: free_port().await,
        tls: Some(options()),
    };
    assert_eq!(
        prober_with(patient(), &nobody, false)
            .ask(Series::Warm)
            .await
            .hard,
        Hard::REFUSED
    );
}

#[tokio::test]
async fn readyz_sends_its_token_and_takes_a_server_error_for_hard_evidence() {
    let server = server(Manners::Answer(200), 90).await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "abc\n").unwrap();
    let readyz = |token: Option<&std::path::Path>| Check::Readyz {
        url: format!("https://{}", server.addr),
        token_file: token.map(|path| path.to_str().unwrap().to_owned()),
        tls: Some(options()),
    };
    let prober = prober_with(patient(), &readyz(Some(&token)), false);
    assert_eq!(prober.ask(Series::Warm).await.success_streak, 1);
    let asked = server.asked().to_lowercase();
    assert!(
        asked.starts_with("get /readyz") && asked.contains("authorization: bearer abc\r\n"),
        "{asked}"
    );
    server.set(Manners::Answer(500));
    let row = prober.ask(Series::Warm).await;
    assert_eq!((row.miss_streak, row.hard), (1, Hard::SERVER_ERROR));
    // Whoever is turned away was answered.
    for (status, alive) in [(401, true), (403, true), (404, false)] {
        server.set(Manners::Answer(status));
        let row = prober.ask(Series::Warm).await;
        assert_eq!(row.miss_streak == 0, alive, "{status}: {row:?}");
        assert_eq!(row.hard, Hard::NONE);
    }
    assert!(
        prober.told().contains("the token is not accepted: 401"),
        "{}",
        prober.told()
    );
    let anonymous = prober_with(patient(), &readyz(None), false);
    server.set(Manners::Answer(403));
    assert_eq!(anonymous.ask(Series::Warm).await.success_streak, 1);
    assert!(
        anonymous.told().contains("it wants a token: 403"),
        "{}",
        anonymous.told()
    );

    server.set(Manners::Answer(200));
    let prober = prober_with(patient(), &readyz(None), false);
    assert_eq!(prober.ask(Series::Warm).await.success_streak, 1);
    assert!(!server.asked().to_lowercase().contains("authorization"));
    let missing = prober_with(patient(), &readyz(Some(&folder.path().join("none"))), false);
    assert_eq!(missing.ask(Series::Warm).await.age_ms, u32::MAX);
    assert!(missing.told().starts_with("tokenFile: "), "{}", missing.told());
}

/// Hands on what comes from either side, so many milliseconds later.
async fn delaying_proxy(to: SocketAddr, one_way: Duration) -> SocketAddr {
    async fn pump(
        mut from: impl tokio::io::AsyncRead + Unpin,
        mut to: impl tokio::io::AsyncWrite + Unpin,
        wait: Duration,
    ) {
        let (send, mut receive) = tokio::sync::mpsc::channel::<(tokio::time::Instant, Vec<u8>)>(1_000);
        let read = async move {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut bytes).await {
                let at = tokio::time::Instant::now() + wait;
                if send.send((at, bytes[..length].to_vec())).await.is_err() {
                    return;
                }
            }
        };
        let write = async move {
            while let Some((at, bytes)) = receive.recv().await {
                sleep_until(at).await;
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(read, write);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(to).await.unwrap();
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(pump(from_client, to_server, one_way));
            tokio::spawn(pump(from_server, to_client, one_way));
        }
    });
    address
}

/// 150 ms there and back, with TLS: no alarm. Nothing here waits for a miss, so a slow machine only makes it slower.
#[tokio::test]
async fn a_far_target_with_tls_raises_no_alarm() {
    let server = server(Manners::Answer(200), 90).await;
    let far = delaying_proxy(server.addr, Duration::from_millis(75)).await;
    let check = Check::Https {
        url: format!("https://{far}/healthz"),
        host: None,
        expect: StatusRange::default(),
        tls: Some(options()),
    };
    let prober = prober_with(Profile::fast(), &check, false);
    let stop = CancellationToken::new();
    let task = tokio::spawn(Arc::clone(&prober).drive(3, stop.clone()));
    let start = std::time::Instant::now();
    let mut worst = 0;
    while prober.around.good.get() < 12 {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", prober.told());
        worst = worst.max(prober.facts().miss_streak);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(
        u32::from(worst) < Profile::fast().suspect_misses,
        "{worst} misses in a row"
    );
    let warm = prober.smoothed(Phase::Warm).unwrap();
    assert!(warm >= Duration::from_millis(150), "{warm:?}");
    assert_eq!(prober.around.skipped.get(), 0);
    stop.cancel();
    task.await.unwrap();
}
