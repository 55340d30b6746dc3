//! What the configuration file says of the protocol beside plain DNS.

use std::path::PathBuf;

use ipnet::IpNet;
use lifeboat_dns::{Identity, Ladder, LimitRules, Rung, Version};
use schemars::JsonSchema;
use serde::Deserialize;

/// DNS cookies (RFC 7873, RFC 9018).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CookieEntry {
    /// A file with the secrets, 32 hexadecimal digits a line: the first makes cookies, all are believed. The servers of one
    /// address share it. It is read again when it changes.
    pub secrets_file: PathBuf,
    /// Over UDP, who sends a cookie without a good one of ours is answered BADCOOKIE, and with a good one.
    #[serde(default)]
    pub enforce: bool,
}

/// Response rate limiting over UDP. Answers over TCP, and to who shows a good cookie, are not limited.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimitEntry {
    /// Answers a second to one client: to a prefix of the first rung.
    #[schemars(range(min = 1))]
    pub answers_per_second: u32,
    /// The same for NXDOMAIN; as many as answers where not given.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub nxdomains_per_second: Option<u32>,
    /// The same for errors, REFUSED among them; as many as answers where not given.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub errors_per_second: Option<u32>,
    /// Of limited answers one in so many is sent without records, so that a client that is really there asks over TCP: 1 all, 0 none.
    #[serde(default = "two")]
    pub slip: u32,
    /// Prefixes of IPv4 clients that are counted, the longest first.
    #[serde(default = "ipv4")]
    pub ipv4: Vec<RungEntry>,
    /// Prefixes of IPv6 clients that are counted, the longest first.
    #[serde(default = "ipv6")]
    pub ipv6: Vec<RungEntry>,
    /// Networks that are not limited.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub exempt: Vec<IpNet>,
    /// Prefixes that are told apart at a time, 8 octets each; the quietest is forgotten first.
    #[serde(default = "table_size")]
    #[schemars(range(min = 64, max = 67_108_864))]
    pub table_size: usize,
}

/// Prefixes of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RungEntry {
    /// Of the prefix, in bits.
    pub length: u8,
    /// How many times the rate of a client such a prefix has.
    #[schemars(range(min = 1))]
    pub times: u32,
}

/// Load balancers that say who the client is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxyEntry {
    /// Their networks. What others send there is dropped.
    #[schemars(with = "Vec<String>")]
    pub from: Vec<IpNet>,
}

/// What the server says of itself to who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityEntry {
    /// Told in the NSID option (RFC 5001): text, or octets as `0x` and hexadecimal digits.
    #[serde(default)]
    pub nsid: Option<String>,
    /// Told to `id.server` and `hostname.bind` (RFC 4892).
    #[serde(default)]
    pub name: Option<String>,
    /// Told to `version.server` and `version.bind`: a text, or `false` for nothing; ours where not given.
    #[serde(default)]
    pub version: VersionRule,
}

/// What is told of the version.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "true, false or a text")]
pub enum VersionRule {
    Told(bool),
    Text(String),
}

impl Default for VersionRule {
    fn default() -> Self {
        Self::Told(true)
    }
}

/// An option that leaves room for an answer in 512 octets.
const MAX_NSID: usize = 128;
/// One string of TXT data (RFC 1035 §3.3.14).
const MAX_TEXT: usize = 255;

impl IdentityEntry {
    /// # Errors
    /// Names the field and what is allowed.
    pub(crate) fn identity(&self) -> Result<Identity, String> {
        let Self { nsid, name, version } = self;
        let text = |field: &str, text: &String| match text.len() {
            1..=MAX_TEXT => Ok(text.clone()),
            octets => Err(format!(
                "identity.{field}: has {octets} octets; allowed is 1 to {MAX_TEXT}"
            )),
        };
        Ok(Identity {
            nsid: nsid.as_deref().map(octets).transpose()?,
            name: name.as_ref().map(|name| text("name", name)).transpose()?,
            version: match version {
                VersionRule::Told(true) => Version::Own,
                VersionRule::Told(false) => Version::Hidden,
                VersionRule::Text(told) => Version::Text(text("version", told)?),
            },
        })
    }
}

fn octets(nsid: &str) -> Result<Vec<u8>, String> {
    let octets = match nsid.strip_prefix("0x") {
        None => Some(nsid.as_bytes().to_vec()),
        Some(digits) => hexadecimal(digits),
    };
    let octets = octets.ok_or("identity.nsid: is not an even number of hexadecimal digits after 0x")?;
    match octets.len() {
        1..=MAX_NSID => Ok(octets),
        found => Err(format!(
            "identity.nsid: has {found} octets; allowed is 1 to {MAX_NSID}"
        )),
    }
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [upper, lower] => Some(digit(*upper)? << 4 | digit(*lower)?),
            _ => None,
        })
        .collect()
}

/// 64 Mi buckets of 8 octets.
const MAX_TABLE: usize = 1 << 26;
const MIN_TABLE: usize = 64;

impl RateLimitEntry {
    /// # Errors
    /// Names the field and what is allowed.
    pub(crate) fn rules(&self) -> Result<LimitRules, String> {
        let Self {
            answers_per_second,
            nxdomains_per_second,
            errors_per_second,
            slip,
            ipv4,
            ipv6,
            exempt,
            table_size,
        } = self;
        let rate = |field: &str, given: u32| match given {
            0 => Err(format!("rateLimit.{field}: is 0; at least 1 is needed")),
            _ => Ok(given),
        };
        if !(MIN_TABLE..=MAX_TABLE).contains(table_size) {
            return Err(format!(
                "rateLimit.tableSize: is {table_size}; allowed is {MIN_TABLE} to {MAX_TABLE}"
            ));
        }
        let answers = rate("answersPerSecond", *answers_per_second)?;
        Ok(LimitRules {
            answers_per_second: answers,
            nxdomains_per_second: rate("nxdomainsPerSecond", nxdomains_per_second.unwrap_or(answers))?,
            errors_per_second: rate("errorsPerSecond", errors_per_second.unwrap_or(answers))?,
            slip: *slip,
            ipv4: Ladder::ipv4(rungs(ipv4)).map_err(|error| format!("rateLimit.ipv4: {error}"))?,
            ipv6: Ladder::ipv6(rungs(ipv6)).map_err(|error| format!("rateLimit.ipv6: {error}"))?,
            exempt: exempt.clone(),
            table_size: *table_size,
        })
    }
}

fn rungs(entries: &[RungEntry]) -> Vec<Rung> {
    let rung = |entry: &RungEntry| Rung {
        length: entry.length,
        times: entry.times,
    };
    entries.iter().map(rung).collect()
}

fn ladder<const N: usize>(rungs: [(u8, u32); N]) -> Vec<RungEntry> {
    rungs.map(|(length, times)| RungEntry { length, times }).to_vec()
}

fn ipv4() -> Vec<RungEntry> {
    ladder([(32, 1), (24, 8), (16, 64)])
}

fn ipv6() -> Vec<RungEntry> {
    ladder([(128, 1), (56, 4), (48, 32)])
}

fn two() -> u32 {
    2
}

fn table_size() -> usize {
    1 << 17
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities() {
        let read = |yaml: &str| crate::yaml::read::<IdentityEntry>(yaml).unwrap().identity();
        let check = |yaml: &str, nsid: Option<&[u8]>, name: Option<&str>, version: Version| {
            let expected = Identity {
                nsid: nsid.map(<[u8]>::to_vec),
                name: name.map(str::to_owned),
                version,
            };
            assert_eq!(read(yaml), Ok(expected), "{yaml}");
        };
        check("{}", None, None, Version::Own);
        check(
            "{nsid: fra-1, version: false}",
            Some(b"fra-1"),
            None,
            Version::Hidden,
        );
        check(
            "{nsid: '0x00fF', name: fra-1}",
            Some(&[0, 255]),
            Some("fra-1"),
            Version::Own,
        );
        check("{version: '9'}", None, None, Version::Text("9".to_owned()));
        let refuse = |yaml: &str, told: &str| assert!(read(yaml).unwrap_err().contains(told), "{yaml}");
        refuse("{nsid: '0x0'}", "identity.nsid: is not an even number");
        refuse("{nsid: ''}", "identity.nsid: has 0 octets");
        refuse("{name: ''}", "identity.name: has 0 octets; allowed is 1 to 255");
    }

    #[test]
    fn rate_limits() {
        fn check(yaml: &str, expected: Option<&str>) {
            let entry: RateLimitEntry = crate::yaml::read(yaml).unwrap();
            let told = entry.rules().err().unwrap_or_default();
            assert_eq!(expected.is_some(), !told.is_empty(), "{yaml}: {told}");
            assert!(told.contains(expected.unwrap_or_default()), "{yaml}: {told}");
        }
        check("{answersPerSecond: 100}", None);
        check(
            "{answersPerSecond: 100, errorsPerSecond: 5, slip: 0, exempt: [192.0.2.0/24], ipv4: [{length: 24, times: 1}]}",
            None,
        );
        check("{answersPerSecond: 0}", Some("rateLimit.answersPerSecond: is 0"));
        check(
            "{answersPerSecond: 1, nxdomainsPerSecond: 0}",
            Some("nxdomainsPerSecond"),
        );
        check(
            "{answersPerSecond: 1, tableSize: 5}",
            Some("tableSize: is 5; allowed is 64"),
        );
        check(
            "{answersPerSecond: 1, ipv4: []}",
            Some("rateLimit.ipv4: has 0 rungs"),
        );
        check(
            "{answersPerSecond: 1, ipv6: [{length: 129, times: 1}]}",
            Some("rateLimit.ipv6: has the length 129"),
        );
    }
}
