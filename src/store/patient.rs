//! A writer that leaves time between attempts at a write that fails, and says why it fails once.

#![allow(
    clippy::disallowed_methods,
    reason = "the shell of IO: it reads the clock for the pure back-off"
)]

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{Backoff, Key, Kind, Op, Outcome, Write, Writer};

/// Verb and object: what is done to one part of an object says nothing of another part.
type Target = (&'static str, Kind, Key);

/// Its memory is bounded by the writes that are wanted.
pub struct PatientWriter {
    writer: Writer,
    failing: Backoff<Target, Op>,
}

impl PatientWriter {
    pub fn new(writer: Writer) -> Self {
        Self {
            writer,
            failing: Backoff::default(),
        }
    }

    /// Carries out all writes that are wanted at present, but for those that have just failed. Failures are
    /// logged here.
    pub async fn all(&mut self, writes: Vec<Write>) {
        let now = Instant::now();
        let wanted: BTreeSet<Target> = writes.iter().map(target).collect();
        self.failing.retain(|target| wanted.contains(target));
        let due = |write: &Write| !self.failing.waits(&target(write), &write.op, now);
        let due = writes.into_iter().filter(due).collect();
        for (write, outcome) in self.writer.each(due).await {
            match outcome {
                Ok(Outcome::Done | Outcome::Moot | Outcome::Conflict) => self.failing.done(&target(&write)),
                Err(error) => {
                    let (target, message) = (target(&write), error.to_string());
                    if self
                        .failing
                        .failed(target, write.op, message.clone(), Instant::now())
                    {
                        tracing::warn!(error = message, "write failed");
                    }
                }
            }
        }
    }

    /// Why the write failed last, while it fails.
    pub fn failure(&self, write: &Write) -> Option<&str> {
        self.failing.message(&target(write))
    }

    /// When the next of the failing ones is due.
    pub fn next(&self) -> Option<Instant> {
        self.failing.next()
    }
}

fn target(write: &Write) -> Target {
    (write.op.verb(), write.kind.clone(), write.key.clone())
}
