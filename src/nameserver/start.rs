//! The configuration that a server starts with: its file, or the last good one where that cannot be read.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use super::{
    config::{DnsFile, default_state},
    last::Good,
};

/// What the process starts with.
pub(super) struct Start {
    pub(super) good: Good,
    /// Why the file itself is not in force.
    pub(super) refused: Option<String>,
    pub(super) file: DnsFile,
}

/// The configuration, or the last good one where it cannot be read.
pub(super) fn start(path: &Path, state: Option<&Path>) -> anyhow::Result<Start> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let read = text
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error:#}"))
        .and_then(|text| DnsFile::parse(text, &absolute));
    let error = match read {
        Ok(file) => {
            let text = text.unwrap_or_default();
            let good = Good { path: absolute, text };
            return Ok(Start {
                good,
                refused: None,
                file,
            });
        }
        Err(error) => error,
    };
    let state = state.map_or_else(
        || stated(text.as_deref().unwrap_or_default(), &absolute),
        Path::to_owned,
    );
    let Ok(Some(good)) = Good::load(&state) else {
        return Err(error);
    };
    let file = DnsFile::parse(&good.text, &good.path)
        .with_context(|| format!("the last good configuration, in {}", state.display()))?;
    let refused = format!("{error:#}");
    tracing::error!(error = refused, state = %state.display(), "the configuration is bad; the last good one is in force");
    Ok(Start {
        good,
        refused: Some(refused),
        file,
    })
}

/// The state folder that a file names which is otherwise not a configuration.
fn stated(text: &str, path: &Path) -> PathBuf {
    let value: Value = crate::yaml::read(text).unwrap_or_default();
    let named = value.get("state").and_then(Value::as_str);
    folder(path).join(named.map_or_else(default_state, PathBuf::from))
}

pub(super) fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}
