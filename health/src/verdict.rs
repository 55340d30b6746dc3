//! What a consumer concludes about a target, and the record of each change of mind with the evidence that made it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Hard;
use crate::target::{Family, Path};
use crate::time::MonoTime;
use crate::vote::Vote;

/// What a consumer concludes from at least q votes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Verdict {
    /// Never decided since this consumer started.
    #[default]
    Unknown,
    Up,
    /// At least q observers miss probes, too few of them for long enough: nothing is withdrawn.
    Suspect,
    /// At least q observers voted Dead: withdrawn.
    Down,
    /// Positively healthy again after a Down, not yet for long enough.
    Recovering,
}

impl Verdict {
    /// Whether traffic may go there, suppression aside.
    pub fn serves(self) -> bool {
        match self {
            Verdict::Unknown | Verdict::Up | Verdict::Suspect | Verdict::Recovering => true,
            Verdict::Down => false,
        }
    }

    /// The better of two, for decisions about replicas where a cluster has two address families.
    #[must_use]
    pub fn better(self, other: Verdict) -> Verdict {
        let rank = |verdict| match verdict {
            Verdict::Down => 0,
            Verdict::Unknown => 1,
            Verdict::Suspect => 2,
            Verdict::Recovering => 3,
            Verdict::Up => 4,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Unknown => "Unknown",
            Verdict::Up => "Up",
            Verdict::Suspect => "Suspect",
            Verdict::Down => "Down",
            Verdict::Recovering => "Recovering",
        })
    }
}

/// One change of verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    pub cluster: String,
    pub path: Path,
    pub family: Family,
    pub from: Verdict,
    pub to: Verdict,
    pub at: MonoTime,
    /// Votes that were needed.
    pub q: u32,
    /// Observers with a fresh row who do not abstain.
    pub fresh: u32,
    /// What each observer had said by then.
    pub evidence: Vec<Witness>,
    /// One sentence for people.
    pub reason: String,
}

/// What one observer had said about a target when a verdict was made.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Witness {
    pub observer: String,
    /// Where the observer stands, as it says itself; empty where it says nothing.
    pub region: String,
    pub vote: Vote,
    pub miss_streak: u32,
    /// Of those, the ones since anything was answered, late or with an error.
    pub silence: u32,
    pub success_streak: u32,
    pub hard: Hard,
    pub age_ms: u32,
    pub rtt_us: u32,
    /// How long ago its row last said Dead.
    pub dead_ms: Option<u32>,
    /// For how long it has had no answer: since its first miss was known, on the consumer's clock.
    pub silent_ms: Option<u32>,
    /// Counted towards the quorum: the row was fresh and the observer did not abstain.
    pub counted: bool,
    /// The observer's own self-check failed, so it did not vote.
    pub abstains: bool,
}
