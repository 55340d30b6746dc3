//! One candidate, the same for the same client network: weighted rendezvous hashing (Thaler and Ravishankar 1998; with
//! weights, Schindelhauer and Schomaker 2005, "logarithmic method"). A client network moves only when its own candidate
//! loses weight or another gains; the candidates' parts of all networks are in proportion to their weights.
//!
//! Every server of a fleet must choose alike, so the hashes are fixed and know nothing of a process or a plan.

use lifeboat_health::Family;

use super::client::Client;
use super::{Wrong, compile::Names};
use crate::hash;
use crate::input;

#[derive(Debug)]
pub(crate) struct Sticky {
    v4_prefix: u8,
    v6_prefix: u8,
    /// By candidate, the hash of its cluster's name.
    seeds: Box<[u64]>,
}

pub(super) fn check(input: input::Sticky) -> Result<(), Wrong> {
    for (field, value, most) in [
        ("v4Prefix", input.v4_prefix, 32),
        ("v6Prefix", input.v6_prefix, 128),
    ] {
        if value == 0 || value > most {
            return Err(Wrong::new(
                field,
                format!("is {value}; 1 to {most} bits are allowed"),
            ));
        }
    }
    Ok(())
}

impl Sticky {
    pub(super) fn compile(input: input::Sticky, clusters: Names<'_>) -> Self {
        Self {
            v4_prefix: input.v4_prefix,
            v6_prefix: input.v6_prefix,
            seeds: clusters.iter().map(|cluster| hash::text(cluster)).collect(),
        }
    }

    /// How many bits of a client's address count.
    pub(super) fn prefix_len(&self, client: &Client) -> u8 {
        match client.family {
            Family::V4 => self.v4_prefix,
            Family::V6 => self.v6_prefix,
        }
    }

    /// The candidate of the client's network. Falls on the first where all weights are 0.
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 bits of a hash and of a weight tell candidates apart"
    )]
    pub(super) fn pick(&self, client: &Client, weights: &[u64]) -> usize {
        let key = key(client, self.prefix_len(client));
        let mut best = (f64::INFINITY, 0);
        for (index, (weight, seed)) in weights.iter().zip(&self.seeds).enumerate() {
            if *weight == 0 {
                continue;
            }
            // Uniform in (0, 1]: with -ln of it over the weight, the least one is the first of exponential arrivals.
            let uniform = ((hash::mix(key ^ seed) >> 11) + 1) as f64 / (1_u64 << 53) as f64;
            let score = -uniform.ln() / *weight as f64;
            if score < best.0 {
                best = (score, index);
            }
        }
        best.1
    }

    /// What the filter does, for people.
    pub(super) fn told(&self) -> String {
        format!(
            "one cluster, the same for the same client network (/{} of IPv4, /{} of IPv6)",
            self.v4_prefix, self.v6_prefix
        )
    }
}

fn key(client: &Client, len: u8) -> u64 {
    let bits = client.prefix(len);
    let high = u64::try_from(bits >> 64).unwrap_or(0);
    let low = u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
    let family = match client.family {
        Family::V4 => 4,
        Family::V6 => 6,
    };
    hash::mix(hash::mix(high ^ family).wrapping_add(low))
}

/// Another draw from one that has been used.
pub(crate) fn next_draw(draw: u64) -> u64 {
    hash::mix(draw)
}
