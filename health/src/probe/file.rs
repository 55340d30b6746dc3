//! Files that probes need, read off the loop and read again when they change.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use crate::clock::MonoClock;
use crate::time::MonoTime;

/// How often a file is looked at.
const LOOK_EACH: Duration = Duration::from_secs(1);
/// The largest file that is read.
const MOST_BYTES: u64 = 1 << 20;

type Read<T> = Box<dyn Fn(&[u8]) -> Result<T, String> + Send + Sync>;

/// What is read, and the form that probes use it in.
pub(super) struct Reloaded<T> {
    source: Source,
    read: Read<T>,
    state: Mutex<State<T>>,
    first: tokio::sync::Mutex<()>,
    looking: AtomicBool,
}

pub(super) enum Source {
    File(PathBuf),
    Given(String),
}

struct State<T> {
    value: Option<Result<T, String>>,
    stamp: Option<Stamp>,
    looked: MonoTime,
}

/// When it differs, the file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl<T: Clone + Send + 'static> Reloaded<T> {
    pub(super) fn new(
        source: Source,
        read: impl Fn(&[u8]) -> Result<T, String> + Send + Sync + 'static,
    ) -> Arc<Reloaded<T>> {
        let state = State {
            value: None,
            stamp: None,
            looked: MonoTime::ZERO,
        };
        Arc::new(Reloaded {
            source,
            read: Box::new(read),
            state: Mutex::new(state),
            first: tokio::sync::Mutex::new(()),
            looking: AtomicBool::new(false),
        })
    }

    /// The content now. The first call waits for the file; later ones use what was read last while a change is read.
    ///
    /// # Errors
    /// Why there is none: it names the file.
    pub(super) async fn get(self: &Arc<Self>, clock: MonoClock) -> Result<T, String> {
        if let Some(value) = self.peek(clock) {
            return value;
        }
        let _first = self.first.lock().await;
        let known = self.state.lock().value.clone();
        if let Some(value) = known {
            return value;
        }
        let this = Arc::clone(self);
        // A runtime that is shutting down runs no more blocking work.
        let looked = tokio::task::spawn_blocking(move || this.look(clock)).await;
        looked.map_err(|_| "not read: the observer stops".to_owned())?;
        let known = self.state.lock().value.clone();
        known.unwrap_or_else(|| Err("not read".to_owned()))
    }

    /// What was read last, and see to it that changes are read soon. `None` before the first read.
    pub(super) fn peek(self: &Arc<Self>, clock: MonoClock) -> Option<Result<T, String>> {
        let (value, looked) = {
            let state = self.state.lock();
            (state.value.clone(), state.looked)
        };
        let stale = clock.now().saturating_since(looked) >= LOOK_EACH;
        let changes = matches!(self.source, Source::File(_));
        if value.is_some() && stale && changes && !self.looking.swap(true, Ordering::Relaxed) {
            let this = Arc::clone(self);
            tokio::task::spawn_blocking(move || {
                this.look(clock);
                this.looking.store(false, Ordering::Relaxed);
            });
        }
        value
    }

    /// A file that cannot be read any more, or no longer says anything, leaves what it said before.
    fn look(&self, clock: MonoClock) {
        let before = self.state.lock().stamp;
        let found = match &self.source {
            Source::Given(text) => Some((None, (self.read)(text.as_bytes()))),
            Source::File(path) => load(path, before)
                .map_err(|problem| format!("{}: {problem}", path.display()))
                .map_or_else(
                    |problem| Some((None, Err(problem))),
                    |changed| {
                        changed.map(|(stamp, bytes)| {
                            let value = (self.read)(&bytes);
                            let named = |problem| format!("{}: {problem}", path.display());
                            (Some(stamp), value.map_err(named))
                        })
                    },
                ),
        };
        let mut state = self.state.lock();
        state.looked = clock.now();
        let Some((stamp, value)) = found else { return };
        state.stamp = stamp;
        match (&state.value, value) {
            (Some(Ok(_)), Err(problem)) => {
                tracing::warn!(%problem, "a file cannot be read again; what it said before stays in force");
            }
            (_, value) => state.value = Some(value),
        }
    }
}

/// The content, unless the file has the stamp it had before.
fn load(path: &Path, before: Option<Stamp>) -> Result<Option<(Stamp, Vec<u8>)>, String> {
    let text = |error: std::io::Error| error.to_string();
    // Opening a pipe could wait for ever.
    let metadata = std::fs::metadata(path).map_err(text)?;
    if !metadata.is_file() {
        return Err("not a file".to_owned());
    }
    let stamp = Stamp {
        modified: metadata.modified().ok(),
        bytes: metadata.len(),
    };
    if before == Some(stamp) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(text)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(text)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err("longer than 1 MiB".to_owned());
    }
    Ok(Some((stamp, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Result<String, String> {
        match std::str::from_utf8(bytes) {
            Ok("") => Err("empty".to_owned()),
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn changes_are_read_and_losses_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let clock = MonoClock::new();
        let file = Reloaded::new(Source::File(path.clone()), text);
        let missing = file.get(clock).await.unwrap_err();
        assert!(missing.contains("token: No such file"), "{missing}");
        std::fs::write(&path, "one").unwrap();
        file.look(clock);
        assert_eq!(file.get(clock).await.unwrap(), "one");
        std::fs::write(&path, "second").unwrap();
        file.look(clock);
        assert_eq!(file.get(clock).await.unwrap(), "second");
        std::fs::write(&path, "").unwrap();
        file.look(clock);
        std::fs::remove_file(&path).unwrap();
        file.look(clock);
        assert_eq!(file.get(clock).await.unwrap(), "second");
    }

    #[tokio::test]
    async fn what_is_no_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let file = Reloaded::new(Source::File(folder.path().to_owned()), text);
        assert!(
            file.get(MonoClock::new())
                .await
                .unwrap_err()
                .contains("not a file")
        );
    }
}
