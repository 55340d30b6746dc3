//! `lifeboat evidence`: record what observers report, and decide it again under another profile.

mod replay;

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use http_body_util::BodyExt;

use super::{ServerArgs, output, values::duration};
use replay::replay;

#[derive(Args)]
pub(super) struct Evidence {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Write what observers report to the server, from now on, to a file.
    Record {
        /// The recording; it must not exist yet.
        file: PathBuf,
        /// How long, e.g. `10m`; until interrupted without it.
        #[arg(long = "for", value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
        for_: Option<Duration>,
    },
    /// Decide a recording again: would we have failed over?
    Replay {
        /// The recording.
        file: PathBuf,
        /// `fast`, `wan`, `single`, `karmada`, or a YAML file with a profile; as recorded without it. How often was
        /// probed, and when an observer abstained, stays as recorded.
        #[arg(long, value_name = "PROFILE")]
        profile: Option<String>,
        /// Judge every cluster by the one profile. Without it clusters keep the overrides that were recorded.
        #[arg(long)]
        without_overrides: bool,
        /// How long both paths must be Down before replicas would have moved.
        #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
        hold: Duration,
    },
}

impl Evidence {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self { server, action } = self;
        match action {
            Action::Record { file, for_ } => record(&server, &file, for_).await,
            Action::Replay {
                file,
                profile,
                without_overrides,
                hold,
            } => {
                let judging = (profile.as_deref(), without_overrides);
                replay(&file, judging, hold, server.output)
            }
        }
    }
}

/// What a recording loses at most to an end without a signal.
const FLUSH: Duration = Duration::from_secs(1);

async fn record(server: &ServerArgs, path: &Path, length: Option<Duration>) -> anyhow::Result<ExitCode> {
    let mut body = server.client()?.stream("/api/evidence").await?;
    let file = File::create_new(path).with_context(|| format!("creating {}", path.display()))?;
    let mut file = BufWriter::new(file);
    let mut bytes: u64 = 0;
    let mut end = std::pin::pin!(async {
        match length {
            Some(length) => tokio::time::sleep(length).await,
            None => std::future::pending().await,
        }
    });
    let stop = super::until_told()?;
    let mut flush = tokio::time::interval(FLUSH);
    loop {
        let frame = tokio::select! {
            () = &mut end => break,
            () = stop.cancelled() => break,
            _ = flush.tick() => {
                file.flush().with_context(|| format!("writing {}", path.display()))?;
                continue;
            }
            frame = body.frame() => frame,
        };
        let Some(frame) = frame else {
            output::error("the server ended the stream");
            break;
        };
        if let Ok(data) = frame.context("the stream broke off")?.into_data() {
            file.write_all(&data)
                .with_context(|| format!("writing {}", path.display()))?;
            bytes += data.len() as u64;
        }
    }
    file.flush()
        .with_context(|| format!("writing {}", path.display()))?;
    output::line(format!("{}: {bytes} bytes", path.display()));
    Ok(ExitCode::SUCCESS)
}
