//! The settings of the protocol as the threads that answer read them: swapped whole, as a snapshot is.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::SystemTime;

use crate::answer::{QueryMeta, Reply, cut};
use crate::limit::{Limiter, Verdict};
use crate::metrics::{Counters, bump};
use crate::protocol::Protocol;
use crate::sample::Sampler;

/// The settings in force.
#[derive(Debug, Default)]
pub(crate) struct Spoken {
    pub(crate) protocol: Protocol,
    limiter: Option<Arc<Limiter>>,
    sampler: Option<Arc<Sampler>>,
}

impl Spoken {
    /// With the counts of `before` where its limits stay as they are.
    pub(crate) fn after(before: &Self, protocol: Protocol) -> Self {
        let rules = protocol.rate_limit.as_ref();
        let kept = before.limiter.as_ref();
        let kept = kept.filter(|limiter| Some(limiter.rules()) == rules).cloned();
        let limiter = kept.or_else(|| rules.map(|rules| Arc::new(Limiter::new(rules.clone(), key()))));
        let sampler = before.sampler.clone();
        Self {
            protocol,
            limiter,
            sampler,
        }
    }

    /// The same with other samples.
    pub(crate) fn sampled(before: &Self, sampler: Option<Arc<Sampler>>) -> Self {
        Self {
            protocol: before.protocol.clone(),
            limiter: before.limiter.clone(),
            sampler,
        }
    }

    /// Shows an answer to whoever samples.
    #[inline]
    pub(crate) fn sample(&self, packet: &[u8], meta: &QueryMeta<'_>, reply: &Reply) {
        if let Some(sampler) = &self.sampler {
            sampler.see(packet, meta, reply);
        }
    }

    /// The reply that is sent: as it is, short, or none.
    #[inline]
    pub(crate) fn limited(
        &self,
        reply: Reply,
        meta: &QueryMeta<'_>,
        out: &mut [u8],
        counters: &Counters,
    ) -> Option<Reply> {
        let Some(limiter) = &self.limiter else {
            return Some(reply);
        };
        match limiter.judge(meta.client, meta.transport, &reply, meta.now, meta.draw) {
            Verdict::Send => Some(reply),
            Verdict::Truncate => {
                bump(&counters.limited_truncated);
                Some(cut(out, &reply))
            }
            Verdict::Drop => {
                bump(&counters.limited_dropped);
                None
            }
        }
    }

    /// The time of day in seconds, modulo 2^32, where something needs it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the age of a cookie is told in the time of day (RFC 9018 §4.3)"
    )]
    pub(crate) fn unix_s(&self) -> u32 {
        if self.protocol.cookies.is_none() {
            return 0;
        }
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let seconds = since.map_or(0, |since| since.as_secs());
        u32::try_from(seconds & u64::from(u32::MAX)).unwrap_or(0)
    }
}

/// From the system: the standard library's hasher has a key that nobody can know.
fn key() -> [u8; 16] {
    let half = || RandomState::new().hash_one(0_u8).to_le_bytes();
    let mut key = [0; 16];
    key[..8].copy_from_slice(&half());
    key[8..].copy_from_slice(&half());
    key
}
