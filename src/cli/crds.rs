//! `lifeboat crds`: the custom resource definitions, generated from the types.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;

use super::output;
use crate::api;

#[derive(clap::Args)]
pub(super) struct Crds {
    /// Write one file a definition into this folder instead of printing them.
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
}

impl Crds {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { write } = self;
        let files = api::crds_yaml();
        let Some(folder) = write else {
            for yaml in files.values() {
                output::line(format!("---\n{}", yaml.trim_end()));
            }
            return Ok(ExitCode::SUCCESS);
        };
        std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        for (file, yaml) in &files {
            let path = folder.join(file);
            std::fs::write(&path, yaml).with_context(|| format!("writing {}", path.display()))?;
            output::line(path.display().to_string());
        }
        Ok(ExitCode::SUCCESS)
    }
}
