//! The program check: a program of the operator's, started each T without a shell and with an environment of its own.
//!
//! It prints `{"ok": bool, "reason": "…", "hard": bool}` and ends. When its time is over, it is killed with all its
//! descendants; so is whatever it left behind. Timeouts are misses. What does not run, or prints something else, says
//! nothing about the target and is told.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use super::attempt::Attempt;
use super::error::classify;
use super::leftovers::Running;
use super::wait::Waited;
use super::wait::wait;
use super::{Failure, Took};
use crate::detector::Phase;
use crate::evidence::Hard;

/// A program that prints more is killed.
const MOST_OUTPUT_BYTES: u64 = 64 * 1024;
/// Of its reason, this much is told.
const MOST_REASON_CHARS: usize = 200;

pub(super) struct Program {
    program: PathBuf,
    arguments: Vec<String>,
    env: BTreeMap<String, String>,
}

/// What a program prints.
#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Said {
    ok: bool,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    hard: bool,
}

impl Program {
    pub(super) fn new(program: PathBuf, arguments: Vec<String>, env: BTreeMap<String, String>) -> Program {
        Program {
            program,
            arguments,
            env,
        }
    }

    /// A process's time varies with the observer's load and not with the target, so its timeout is the largest from
    /// the start and learns nothing.
    pub(super) async fn probe(&self, attempt: &Attempt) -> Result<(), Failure> {
        let (mut child, running) = match self.start() {
            Ok(started) => started,
            Err(error) => {
                if classify(&error) == Failure::Local {
                    return Err(Failure::Local);
                }
                attempt.tell(format!("start {}: {error}", self.program.display()));
                return Err(Failure::Unusable);
            }
        };
        let most = attempt.most(Phase::Warm);
        let around = &attempt.prober().around;
        let missed = || {
            attempt.tell(format!(
                "{} did not end within {} ms and was killed",
                self.program.display(),
                most.as_millis()
            ));
            attempt.miss(Hard::NONE);
            false
        };
        let lag = around.profile.loop_lag();
        let ended = wait(around.clock, output(&mut child), (most, most), lag, missed).await;
        drop(running);
        match ended? {
            Waited::InTime(Ok(bytes), took) => self.judge(attempt, &bytes, took),
            Waited::InTime(Err(error), _) => {
                attempt.tell(format!("read from {}: {error}", self.program.display()));
                Err(Failure::Unusable)
            }
            Waited::Late(..) => Err(Failure::Recorded),
        }
    }

    fn judge(&self, attempt: &Attempt, bytes: &[u8], took: Duration) -> Result<(), Failure> {
        let said: Said = serde_json::from_slice(bytes).map_err(|error| {
            let program = self.program.display();
            attempt.tell(format!(
                "{program} did not print {{\"ok\": bool, \"reason\": text, \"hard\": bool}}: {error}"
            ));
            Failure::Unusable
        })?;
        if said.ok {
            attempt.good(Took {
                first_byte: Some(took),
                ..Took::default()
            });
            return Ok(());
        }
        if !said.reason.is_empty() {
            let reason: String = said.reason.chars().take(MOST_REASON_CHARS).collect();
            attempt.tell(format!("{} says: {reason:?}", self.program.display()));
        }
        attempt.miss(if said.hard { Hard::PROGRAM } else { Hard::NONE });
        Ok(())
    }

    fn start(&self) -> io::Result<(Child, Running)> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&self.env)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Running::start(&mut command)
    }
}

/// All it prints, until it has ended and nobody else holds its output.
async fn output(child: &mut Child) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MOST_OUTPUT_BYTES + 1).read_to_end(&mut bytes).await?;
    }
    if bytes.len() as u64 > MOST_OUTPUT_BYTES {
        return Err(io::Error::other("more than 64 KiB of output"));
    }
    child.wait().await?;
    Ok(bytes)
}
