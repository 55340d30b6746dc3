//! What a run is made of: the fleet, its clocks and its distances. Drawn from a seed, or written in a scenario.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use lifeboat_chaos::simulate::Draws;
use lifeboat_dns::Ramp;
use lifeboat_health::{Check, Family, MonoTime, Path, Preset, Profile, StatusRange, Target};

use super::formula;
use crate::counted::counted;

/// Where every clock stands at the start, so that one that is an hour slow still can tell the time.
const ORIGIN_US: u64 = 7_200_000_000;

/// How fast the clocks of seeds run, in thousandths: true, as far off as NTP bears, and farther.
const RATES: [u64; 5] = [1_000, 999, 1_001, 950, 1_050];

/// As far off as S19 bears.
const SKEWED: [u64; 2] = [1_300, 769];
/// A clock that runs slower than this, in thousandths, makes its observer slower than the profile says.
const SLOW: u64 = 950;

/// The machines of one run, before anything happens to them.
#[derive(Clone, Debug)]
pub struct Fleet {
    pub preset: Preset,
    pub profile: Profile,
    pub observers: usize,
    pub consumers: usize,
    pub clusters: usize,
    pub families: Vec<Family>,
    /// Peers and outside references of each observer.
    pub anchors: usize,
    /// Round trip from each observer to each cluster and, last, to its anchors, in microseconds.
    pub rtt_us: Vec<Vec<u64>>,
    /// One of each observer.
    pub clocks: Vec<Clock>,
    /// In which each observer stands.
    pub regions: Vec<String>,
    pub ramp: Ramp,
}

/// A clock against the true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    pub offset_s: i64,
    /// 1300 runs 1.3 times as fast as time.
    pub rate_permille: u64,
}

impl Clock {
    pub const TRUE: Clock = Clock {
        offset_s: 0,
        rate_permille: 1_000,
    };

    pub fn read(self, true_us: u64) -> MonoTime {
        let ran = true_us * self.rate_permille / 1_000;
        MonoTime::from_micros(self.zero() + ran)
    }

    /// The true time at which the clock will show a point.
    pub fn when(self, shown: MonoTime) -> u64 {
        (shown.as_micros().saturating_sub(self.zero()) * 1_000).div_ceil(self.rate_permille.max(1))
    }

    fn zero(self) -> u64 {
        ORIGIN_US.saturating_add_signed(self.offset_s * 1_000_000)
    }
}

impl Fleet {
    /// A fleet of five observers and one consumer, near to everything.
    pub fn plain(preset: Preset, clusters: usize) -> Fleet {
        Fleet::near(preset, 5, clusters)
    }

    /// So many observers and one consumer, near to everything.
    pub(super) fn near(preset: Preset, observers: usize, clusters: usize) -> Fleet {
        Fleet {
            preset,
            profile: preset.profile(),
            observers,
            consumers: 1,
            clusters,
            families: vec![Family::V4],
            anchors: 2,
            rtt_us: vec![vec![4_000; clusters + 1]; observers],
            clocks: vec![Clock::TRUE; observers],
            regions: apart(observers),
            ramp: Ramp {
                step_permille: 250,
                per: Duration::from_secs(5),
                at_least_ttl: true,
            },
        }
    }

    /// `later` and `skews` draw what came to be drawn later, so that the rest of each seed stays what it was.
    pub(super) fn draw(
        draws: &mut Draws,
        later: &mut Draws,
        skews: &mut Draws,
        preset: Option<Preset>,
    ) -> Fleet {
        let preset = preset.unwrap_or_else(|| match draws.below(100) {
            0..=71 => Preset::Fast,
            72..=87 => Preset::Wan,
            88..=97 => Preset::Single,
            _ => Preset::Karmada,
        });
        let mut profile = preset.profile();
        if draws.chance(0.7) {
            // Penalties that halve twenty times as fast end within a run; their ceiling is the same.
            (profile.flap_half_life_s, profile.flap_max_s) = (15, 60);
        }
        let observers = draws.index(5) + 3;
        let clusters = draws.index(4) + 2;
        let both = draws.chance(0.15);
        let far = if preset == Preset::Wan { 60_000 } else { 30_000 };
        let rtt_us = (0..observers)
            .map(|_| (0..=clusters).map(|_| draws.between(500, far)).collect())
            .collect();
        let odd = draws.chance(0.3);
        let clocks = (0..observers)
            .map(|_| {
                if odd && draws.chance(0.5) {
                    Clock {
                        offset_s: draws.index(7_201) as i64 - 3_600,
                        rate_permille: {
                            let rate = RATES[later.index(RATES.len())];
                            if skews.chance(0.2) {
                                SKEWED[skews.index(SKEWED.len())]
                            } else {
                                rate
                            }
                        },
                    }
                } else {
                    Clock::TRUE
                }
            })
            .collect();
        let regions = if later.chance(0.5) {
            apart(observers)
        } else {
            let count = later.index(observers) + 1;
            (0..observers)
                .map(|_| format!("r{}", later.index(count)))
                .collect()
        };
        let ramps = [(1_000, 1), (500, 1), (250, 2)];
        let (step_permille, per_s) = ramps[draws.index(ramps.len())];
        Fleet {
            preset,
            profile,
            observers,
            consumers: 1 + usize::from(draws.chance(0.25)),
            clusters,
            families: if both {
                vec![Family::V4, Family::V6]
            } else {
                vec![Family::V4]
            },
            anchors: 2,
            rtt_us,
            clocks,
            regions,
            ramp: Ramp {
                step_permille,
                per: Duration::from_secs(per_s),
                at_least_ttl: true,
            },
        }
    }

    /// The same with clocks that are off otherwise; how fast they run is part of when an observer probes.
    pub(super) fn with_other_clocks(&self) -> Fleet {
        let mut other = self.clone();
        for (index, clock) in other.clocks.iter_mut().enumerate() {
            clock.offset_s = [3_600, -3_600, 59, 1_234][index % 4];
        }
        other
    }

    /// The same with clocks that also run otherwise, up to 1.3 times as fast or as slow. Observers probe at other times then, and
    /// the story may be another one, but nothing may break.
    pub(super) fn with_skewed_clocks(&self) -> Fleet {
        let mut other = self.with_other_clocks();
        for (index, clock) in other.clocks.iter_mut().enumerate() {
            clock.rate_permille = SKEWED[index % SKEWED.len()];
        }
        other
    }

    /// How much longer than the profile says the slowest observer takes, by its clock.
    pub(super) fn slowed(&self, takes: Duration) -> Duration {
        let rates = self.clocks.iter().map(|clock| clock.rate_permille);
        match rates.min() {
            Some(rate @ 1..SLOW) => takes * 1_000 / u32::try_from(rate).unwrap_or(1_000),
            _ => takes,
        }
    }

    /// The longest that a power-off takes to be Down, by the slowest clock.
    pub(super) fn worst_down(&self) -> Duration {
        self.slowed(formula::worst_down(&self.profile))
    }

    /// By cluster, path, family: the order in which targets are numbered.
    pub fn targets(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        for cluster in 0..self.clusters {
            for (path, port) in [(Path::Traffic, 8_000), (Path::Control, 6_443)] {
                for family in &self.families {
                    let host = u16::try_from(cluster + 1).unwrap_or(u16::MAX);
                    let ip = match family {
                        Family::V4 => Ipv4Addr::from_bits(0x7f00_0001 + (u32::from(host) << 8)).into(),
                        Family::V6 => Ipv6Addr::new(0xfd00, 0, 0, host, 0, 0, 0, 1).into(),
                    };
                    targets.push(Target {
                        cluster: cluster_name(cluster),
                        path,
                        family: *family,
                        check: Check::Http {
                            url: format!("http://{}/healthz", SocketAddr::new(ip, port)),
                            host: None,
                            expect: StatusRange::default(),
                        },
                        detection: None,
                    });
                }
            }
        }
        targets
    }

    /// On one line.
    pub fn describe(&self) -> String {
        format!(
            "profile {}, {}, {}, {}, {}",
            self.preset,
            counted(self.observers, "observer"),
            counted(self.consumers, "consumer"),
            counted(self.clusters, "cluster"),
            if self.families.len() == 1 {
                "one family"
            } else {
                "both families"
            },
        )
    }

    /// How long the whole ramp lasts.
    pub fn ramp_length(&self) -> Duration {
        self.ramp.per * (1_000_u32.div_ceil(self.ramp.step_permille.max(1)) - 1)
    }

    /// A second of the default profile, in microseconds of this one: faults of slow profiles last longer.
    pub(super) fn unit_us(&self) -> u64 {
        let streak = self.profile.dead_misses * self.profile.interval_ms / 5;
        let unit = Duration::from_millis((10 * self.profile.interval_ms.max(streak)).into());
        u64::try_from(self.slowed(unit).as_micros()).unwrap_or(u64::MAX)
    }
}

/// Each alone in its region, so that what is out for some observers is out for some regions.
pub(super) fn apart(observers: usize) -> Vec<String> {
    (0..observers).map(|n| format!("o{n}")).collect()
}

/// `a`, `b`, … `z`, `a26`.
pub(super) fn cluster_name(index: usize) -> String {
    match u8::try_from(index) {
        Ok(n) if n < 26 => char::from(b'a' + n).to_string(),
        _ => format!("a{index}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_a_point_when_it_says_so() {
        for (offset_s, rate_permille) in [(0, 1_000), (-3_600, 1_000), (3_600, 1_300), (5, 769)] {
            let clock = Clock {
                offset_s,
                rate_permille,
            };
            for true_us in [0, 1, 999, 123_456_789] {
                let shown = clock.read(true_us) + Duration::from_millis(100);
                let when = clock.when(shown);
                assert!(clock.read(when) >= shown);
                assert!(when == 0 || clock.read(when - 1) < shown, "{clock:?} {true_us}");
            }
        }
    }

    #[test]
    fn targets_are_fit_to_be_probed() {
        let mut fleet = Fleet::plain(Preset::Fast, 3);
        fleet.families.push(Family::V6);
        let targets = fleet.targets();
        assert_eq!(targets.len(), 12);
        assert_eq!(lifeboat_health::check_targets(&targets), Ok(()));
        assert_eq!(cluster_name(1), "b");
    }
}
