//! A writer that leaves time between attempts at a write that fails, and says why it fails once.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{Backoff, Key, Kind, Op, Outcome, Write, Writer};

/// Its memory is bounded by the writes that are wanted.
pub struct PatientWriter {
    writer: Writer,
    failing: Backoff<(Kind, Key), Op>,
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
        let wanted: BTreeSet<(Kind, Key)> = writes.iter().map(object).collect();
        self.failing.retain(|object| wanted.contains(object));
        let due = |write: &Write| !self.failing.waits(&object(write), &write.op, now);
        let due = writes.into_iter().filter(due).collect();
        for (write, outcome) in self.writer.each(due).await {
            match outcome {
                Ok(Outcome::Done | Outcome::Moot | Outcome::Conflict) => self.failing.done(&object(&write)),
                Err(error) => {
                    let (object, message) = (object(&write), error.to_string());
                    if self
                        .failing
                        .failed(object, write.op, message.clone(), Instant::now())
                    {
                        tracing::warn!(error = message, "write failed");
                    }
                }
            }
        }
    }

    /// What fails at present, and why.
    pub fn failing(&self) -> &Backoff<(Kind, Key), Op> {
        &self.failing
    }
}

fn object(write: &Write) -> (Kind, Key) {
    (write.kind.clone(), write.key.clone())
}
