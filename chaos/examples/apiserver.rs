//! One simulated API server on its own, to try kubectl against: `cargo run -p lifeboat-chaos --example apiserver`.

use std::io::Write;

use lifeboat_chaos::apiserver::{ApiServer, ApiServerConfig};
use lifeboat_chaos::fault::Gate;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:0".to_owned())
        .parse()?;
    let config = ApiServerConfig {
        name: "simulated".to_owned(),
        listen,
        gate: Gate::new(),
        history: 4_096,
    };
    let server = ApiServer::start(config).await?;
    std::io::stdout().write_all(server.kubeconfig().as_bytes())?;
    std::io::stdout().flush()?;
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}
