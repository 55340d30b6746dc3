//! The gate against real loopback sockets.

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{Gate, GateMode, GateState};

/// Long against loopback, short against a test run: how long "nothing happens" is watched.
const QUIET: Duration = Duration::from_millis(250);
/// A bound on what must happen; the kernel retransmits within it.
const SOON: Duration = Duration::from_secs(10);

/// A server behind `gate` that sends back what it receives.
fn echo(gate: &Gate) -> SocketAddr {
    let listener = gate.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await;
            tokio::spawn(async move {
                let mut buffer = [0; 64];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

async fn exchange(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut buffer = vec![0; text.len()];
    timeout(SOON, stream.read_exact(&mut buffer))
        .await
        .expect("an answer")
        .unwrap();
    assert_eq!(buffer, text.as_bytes());
}

async fn connect_times_out(address: SocketAddr) {
    assert!(
        timeout(QUIET, TcpStream::connect(address)).await.is_err(),
        "the connect was answered"
    );
}

#[tokio::test]
async fn an_open_gate_passes_everything() {
    let gate = Gate::new();
    let mut stream = TcpStream::connect(echo(&gate)).await.unwrap();
    exchange(&mut stream, "hello").await;
    assert_eq!(gate.connections(), 1);
}

#[tokio::test]
async fn a_silent_gate_answers_no_connect_and_nothing_on_old_connections() {
    let gate = Gate::new();
    let address = echo(&gate);
    let mut stream = TcpStream::connect(address).await.unwrap();
    exchange(&mut stream, "before").await;

    gate.silence();
    connect_times_out(address).await;
    stream.write_all(b"lost?").await.unwrap();
    let mut buffer = [0; 5];
    assert!(
        timeout(QUIET, stream.read(&mut buffer)).await.is_err(),
        "data, FIN or RST came through"
    );

    gate.restore();
    timeout(SOON, stream.read_exact(&mut buffer))
        .await
        .expect("retransmitted")
        .unwrap();
    assert_eq!(&buffer, b"lost?");
    exchange(&mut stream, "after").await;
    exchange(&mut TcpStream::connect(address).await.unwrap(), "new").await;
}

#[tokio::test]
async fn a_server_that_closes_during_a_silence_shows_no_fin() {
    let gate = Gate::new();
    let listener = gate.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut client = TcpStream::connect(listener.local_addr()).await.unwrap();
    let (server, _) = listener.accept().await;

    gate.silence();
    drop(server);
    assert_eq!(gate.connections(), 0);
    let mut buffer = [0; 1];
    assert!(timeout(QUIET, client.read(&mut buffer)).await.is_err());

    gate.restore();
    assert_eq!(timeout(SOON, client.read(&mut buffer)).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_silent_server_writes_nothing() {
    let gate = Gate::new();
    let listener = gate.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut client = TcpStream::connect(listener.local_addr()).await.unwrap();
    let (mut server, _) = listener.accept().await;

    gate.silence();
    let writer = tokio::spawn(async move { server.write_all(b"x").await.map(|()| server) });
    let mut buffer = [0; 1];
    assert!(timeout(QUIET, client.read(&mut buffer)).await.is_err());
    gate.restore();
    timeout(SOON, client.read_exact(&mut buffer))
        .await
        .unwrap()
        .unwrap();
    writer.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_refusing_gate_resets_and_comes_back_on_the_same_port() {
    let gate = Gate::new();
    let address = echo(&gate);
    let mut stream = TcpStream::connect(address).await.unwrap();
    exchange(&mut stream, "before").await;

    gate.refuse();
    let error = timeout(SOON, stream.read(&mut [0; 1]))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let error = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);

    gate.restore();
    exchange(&mut TcpStream::connect(address).await.unwrap(), "again").await;
}

#[tokio::test]
async fn a_refusal_that_turns_into_silence_stops_answering() {
    let gate = Gate::new();
    let address = echo(&gate);
    exchange(&mut TcpStream::connect(address).await.unwrap(), "up").await;
    gate.refuse();
    assert_eq!(
        TcpStream::connect(address).await.unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    gate.silence();
    connect_times_out(address).await;
    gate.restore();
    exchange(&mut TcpStream::connect(address).await.unwrap(), "again").await;
}

#[tokio::test]
async fn connections_of_a_machine_that_rebooted_are_reset_when_it_is_back() {
    let gate = Gate::new();
    let mut stream = TcpStream::connect(echo(&gate)).await.unwrap();
    exchange(&mut stream, "before").await;

    gate.silence();
    gate.reset_connections();
    let mut buffer = [0; 1];
    assert!(
        timeout(QUIET, stream.read(&mut buffer)).await.is_err(),
        "a machine without power sent a reset"
    );
    gate.restore();
    let error = timeout(SOON, stream.read(&mut buffer))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_delay_is_added_to_each_response() {
    let gate = Gate::new();
    let mut stream = TcpStream::connect(echo(&gate)).await.unwrap();
    let delay = Duration::from_millis(120);
    gate.apply(GateState {
        mode: GateMode::Open,
        delay,
    });
    for text in ["one", "two"] {
        let start = Instant::now();
        exchange(&mut stream, text).await;
        assert!(
            start.elapsed() >= delay,
            "{text} came after {:?}",
            start.elapsed()
        );
    }
    gate.set_delay(Duration::ZERO);
    exchange(&mut stream, "three").await;
}

#[tokio::test]
async fn a_bind_to_a_port_in_use_fails() {
    let gate = Gate::new();
    let address = echo(&gate);
    assert_eq!(
        Gate::new().bind(address).unwrap_err().kind(),
        ErrorKind::AddrInUse
    );
}
