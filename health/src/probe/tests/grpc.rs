use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::tls::Authority;
use super::*;

/// What the server answers: the serving status, the gRPC status and the HTTP status.
#[derive(Clone, Copy)]
struct Answer(u8, &'static str, u16);

const SERVING: Answer = Answer(1, "0", 200);

struct Grpc {
    addr: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<Mutex<Bytes>>,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

async fn start(tls: Option<TlsAcceptor>) -> Grpc {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let answer = Arc::new(Mutex::new(SERVING));
    let asked = Arc::new(Mutex::new(Bytes::new()));
    let connections = Arc::new(AtomicUsize::new(0));
    let (said, heard, counted) = (Arc::clone(&answer), Arc::clone(&asked), Arc::clone(&connections));
    let task = tokio::spawn(async move {
        let mut all = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let (said, heard, tls) = (Arc::clone(&said), Arc::clone(&heard), tls.clone());
            all.spawn(async move {
                let service = service_fn(move |request: ::http::Request<hyper::body::Incoming>| {
                    let (said, heard) = (Arc::clone(&said), Arc::clone(&heard));
                    async move {
                        assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
                        *heard.lock() = request.into_body().collect().await.unwrap().to_bytes();
                        let Answer(status, code, http) = *said.lock();
                        let body = Full::new(Bytes::from(vec![0, 0, 0, 0, 2, 8, status]));
                        let trailers = async move {
                            let mut trailers = HeaderMap::new();
                            trailers.insert("grpc-status", HeaderValue::from_static(code));
                            Some(Ok::<_, Infallible>(trailers))
                        };
                        let mut response = Response::new(body.with_trailers(trailers));
                        *response.status_mut() = StatusCode::from_u16(http).unwrap();
                        Ok::<_, Infallible>(response)
                    }
                });
                let builder = Builder::new(TokioExecutor::new());
                match tls {
                    None => drop(builder.serve_connection(TokioIo::new(stream), service).await),
                    Some(tls) => {
                        let stream = tls.accept(stream).await.unwrap();
                        drop(builder.serve_connection(TokioIo::new(stream), service).await);
                    }
                }
            });
        }
    });
    Grpc {
        addr,
        answer,
        asked,
        connections,
        task,
    }
}

fn check(server: &Grpc, service: &str) -> Check {
    Check::Grpc {
        url: format!("http://{}", server.addr),
        service: service.into(),
        tls: None,
    }
}

#[tokio::test]
async fn a_service_that_serves_is_asked_on_one_connection() {
    let server = start(None).await;
    let prober = prober_with(patient(), &check(&server, "shop"), false);
    for _ in 0..4 {
        prober.ask(Series::Warm).await;
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    let row = prober.ask(Series::Fresh).await;
    assert_eq!((row.success_streak, row.miss_streak), (4, 0), "{}", prober.told());
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
    assert_eq!(&server.asked.lock()[..], b"\0\0\0\0\x06\x0a\x04shop");
}

#[tokio::test]
async fn what_does_not_serve_is_missed() {
    let server = start(None).await;
    let cases = [
        (Answer(2, "0", 200), Hard::SERVER_ERROR, "does not serve"),
        (Answer(3, "0", 200), Hard::NONE, "unknown (status 3)"),
        (Answer(1, "5", 200), Hard::NONE, "does not know the service"),
        (Answer(1, "12", 200), Hard::NONE, "has no grpc.health.v1.Health"),
        (Answer(1, "0", 503), Hard::SERVER_ERROR, "503"),
    ];
    for (answer, hard, told) in cases {
        *server.answer.lock() = answer;
        let prober = prober_with(patient(), &check(&server, ""), true);
        let row = prober.ask(Series::Warm).await;
        assert_eq!((row.miss_streak, row.hard), (1, hard), "{told}");
        assert!(prober.told().contains(told), "{}", prober.told());
    }
    *server.answer.lock() = Answer(2, "0", 200);
    let row = prober_with(patient(), &check(&server, ""), false)
        .ask(Series::Warm)
        .await;
    assert_eq!((row.miss_streak, row.hard), (1, Hard::NONE), "a traffic path");
}

#[tokio::test]
async fn a_server_that_goes_is_refused_and_one_that_comes_back_is_found() {
    let server = start(None).await;
    let prober = prober_with(patient(), &check(&server, ""), false);
    assert_eq!(prober.ask(Series::Warm).await.success_streak, 1);
    server.task.abort();
    assert!(server.task.await.unwrap_err().is_cancelled());
    let row = prober.ask(Series::Warm).await;
    assert_eq!((row.miss_streak, row.hard), (1, Hard::REFUSED));
}

#[tokio::test]
async fn over_tls() {
    let server = start(Some(Authority::get().server(b"h2", 90))).await;
    let check = Check::Grpc {
        url: format!("https://{}", server.addr),
        service: String::new(),
        tls: Some(Authority::get().options()),
    };
    let prober = prober_with(patient(), &check, false);
    let row = prober.ask(Series::Warm).await;
    assert_eq!((row.success_streak, row.miss_streak), (1, 0), "{}", prober.told());
    assert!(prober.smoothed(Phase::Tls).is_some());
}
