//! `lifeboat observer`: probe from one place, and tell consumers what is seen.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{output, until_told};
use crate::counted::counted;
use crate::observe::{ObserverFile, check, process};

#[derive(Args)]
#[command(
    after_help = "The file's format is described in docs/observer.md. Certificates, targets and consumers are \
    read again when their files change. SIGTERM ends the observer within two seconds."
)]
pub(super) struct Observer {
    /// The configuration, YAML.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only say what is wrong with the configuration and the files that it names.
    #[arg(long)]
    check: bool,
}

impl Observer {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self { config, check } = self;
        if check {
            return checked(&config);
        }
        process::run(&config, until_told()?).await?;
        Ok(ExitCode::SUCCESS)
    }
}

fn checked(path: &std::path::Path) -> anyhow::Result<ExitCode> {
    let file = ObserverFile::read(path)?;
    let (problems, targets) = check::problems(&file);
    for problem in &problems {
        output::line(problem.clone());
    }
    for warning in check::warnings(&file) {
        output::line(format!("warning: {warning}"));
    }
    output::line(format!(
        "{}: {} can be probed; {}",
        path.display(),
        counted(targets, "target"),
        counted(problems.len(), "problem")
    ));
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
