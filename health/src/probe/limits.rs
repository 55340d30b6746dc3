//! File descriptors: a dark target holds several sockets, and a thousand of them more than most shells allow.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raise this process's limit of open descriptors to the largest that it may set itself; with the limit now in force,
/// `None` for no limit. An observer that runs out of them abstains.
pub fn raise_descriptor_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::warn!(%error, limit = ?current, "the limit of open descriptors stays as it is");
            current
        }
    }
}
