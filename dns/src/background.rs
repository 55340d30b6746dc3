//! Work that no answer waits for lets the threads that answer go first.

/// Still a quarter of a processor beside a thread that takes all it gets: a change must come into force on a busy machine too.
const NICENESS: i32 = 5;

/// Lets other threads go before the calling one from now on: on Linux, a thread has its own niceness. Best effort.
pub fn give_way() {
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "priority left as it is");
    }
}
