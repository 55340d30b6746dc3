//! Checks the HTTPS and SVCB records of a steered name and encodes what of them is always the same (RFC 9460 §2.2).

use domain::utils::base64;

use super::MAX_TEXT_OCTETS;
use crate::catalog::problem::Problem;
use crate::input::{NameInput, ServiceInput, ServiceKey};
use crate::name::Name;
use crate::wire::rtype;

/// Keys of parameters (RFC 9460 §14.3.2).
mod key {
    pub(super) const MANDATORY: u16 = 0;
    pub(super) const ALPN: u16 = 1;
    pub(super) const NO_DEFAULT_ALPN: u16 = 2;
    pub(super) const PORT: u16 = 3;
    pub(super) const ECH: u16 = 5;
}

/// As many alternates as a client would try.
const MAX_ALTERNATES: u8 = 8;

/// What a name has of these records.
#[derive(Debug)]
pub(crate) struct CheckedServices {
    pub(crate) sets: Vec<CheckedService>,
    /// In the order of the endpoints; none where no set has alternates.
    pub(crate) targets: Vec<Target>,
}

/// One type's records.
#[derive(Debug)]
pub(crate) struct CheckedService {
    pub(crate) kind: u16,
    /// The parameters whose keys are before those of the hints, as they stand in a record.
    pub(crate) before_hints: Vec<u8>,
    /// The one between them, where it is given.
    pub(crate) ech: Vec<u8>,
    pub(crate) alternates: u8,
}

/// The name that has the addresses of one cluster alone.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: Name,
    /// The number of the cluster's endpoint.
    pub(crate) endpoint: usize,
    /// The field that asks for it.
    pub(crate) field: &'static str,
}

pub(super) fn check(input: &NameInput, name: &Name) -> Result<Option<Box<CheckedServices>>, Problem> {
    let mut services = CheckedServices {
        sets: Vec::new(),
        targets: Vec::new(),
    };
    let stated = [
        ("https", rtype::HTTPS, &input.https),
        ("svcb", rtype::SVCB, &input.svcb),
    ];
    for (field, kind, service) in stated {
        let Some(service) = service else { continue };
        let checker = Checker { input, name, field };
        let set = checker.service(kind, service)?;
        if set.alternates > 0 && services.targets.is_empty() {
            services.targets = checker.targets()?;
        }
        services.sets.push(set);
    }
    Ok((!services.sets.is_empty()).then(|| Box::new(services)))
}

struct Checker<'a> {
    input: &'a NameInput,
    name: &'a Name,
    field: &'static str,
}

impl Checker<'_> {
    fn problem(&self, field: &str, reason: impl std::fmt::Display) -> Problem {
        Problem::new(
            "name",
            &self.input.name,
            format!("{}.{field}", self.field),
            reason,
        )
    }

    fn service(&self, kind: u16, input: &ServiceInput) -> Result<CheckedService, Problem> {
        let ServiceInput {
            alpn,
            no_default_alpn,
            port,
            ech,
            mandatory,
            alternates,
        } = input;
        let mut before_hints = Vec::new();
        if !mandatory.is_empty() {
            put(&mut before_hints, key::MANDATORY, &self.mandatory(kind, input)?);
        }
        if !alpn.is_empty() {
            put(&mut before_hints, key::ALPN, &self.alpn(alpn)?);
        }
        if *no_default_alpn {
            if alpn.is_empty() {
                return Err(self.problem(
                    "noDefaultAlpn",
                    "is true without alpn; at least one id is needed there",
                ));
            }
            put(&mut before_hints, key::NO_DEFAULT_ALPN, &[]);
        }
        if let Some(stated) = port {
            let port = u16::try_from(*stated).ok().filter(|port| *port > 0);
            let wrong = || self.problem("port", format!("is {stated}; 1 to 65535 are allowed"));
            put(
                &mut before_hints,
                key::PORT,
                &port.ok_or_else(wrong)?.to_be_bytes(),
            );
        }
        let mut octets = Vec::new();
        if let Some(text) = ech {
            put(&mut octets, key::ECH, &self.ech(text)?);
        }
        let alternates = self.alternates(*alternates)?;
        let all = (before_hints.len() + octets.len()) * (usize::from(alternates) + 1);
        if all > MAX_TEXT_OCTETS {
            let reason = format!(
                "takes {all} octets in {} records; at most {MAX_TEXT_OCTETS} are allowed, so that an answer fits a message",
                alternates + 1
            );
            return Err(Problem::new("name", &self.input.name, self.field, reason));
        }
        Ok(CheckedService {
            kind,
            before_hints,
            ech: octets,
            alternates,
        })
    }

    /// RFC 9460 §8: in ascending order, none twice, all of them there, and none that clients must understand anyhow (§9).
    fn mandatory(&self, kind: u16, input: &ServiceInput) -> Result<Vec<u8>, Problem> {
        let mut numbers = Vec::new();
        for (index, listed) in input.mandatory.iter().enumerate() {
            let wrong = |reason: &str| self.problem(&format!("mandatory[{index}]"), reason);
            let (number, there) = match listed {
                ServiceKey::Alpn => (key::ALPN, !input.alpn.is_empty()),
                ServiceKey::NoDefaultAlpn => (key::NO_DEFAULT_ALPN, input.no_default_alpn),
                ServiceKey::Port => (key::PORT, input.port.is_some()),
                ServiceKey::Ech => (key::ECH, input.ech.is_some()),
            };
            if !there {
                return Err(wrong("is a key that the records have not; only such are allowed"));
            }
            if kind == rtype::HTTPS && matches!(listed, ServiceKey::NoDefaultAlpn | ServiceKey::Port) {
                return Err(wrong(
                    "is mandatory in HTTPS records anyhow; alpn and ech are allowed",
                ));
            }
            if numbers.contains(&number) {
                return Err(wrong("stands twice; once is allowed"));
            }
            numbers.push(number);
        }
        numbers.sort_unstable();
        Ok(numbers.into_iter().flat_map(u16::to_be_bytes).collect())
    }

    /// RFC 9460 §7.1.1: each id behind its length.
    fn alpn(&self, ids: &[String]) -> Result<Vec<u8>, Problem> {
        let mut value = Vec::new();
        for (index, id) in ids.iter().enumerate() {
            let wrong = |reason: String| self.problem(&format!("alpn[{index}]"), reason);
            let length = u8::try_from(id.len()).ok().filter(|length| *length > 0);
            let length =
                length.ok_or_else(|| wrong(format!("has {} octets; 1 to 255 are allowed", id.len())))?;
            if ids.iter().take(index).any(|before| before == id) {
                return Err(wrong(format!("is {id:?} a second time; once is allowed")));
            }
            value.push(length);
            value.extend_from_slice(id.as_bytes());
        }
        Ok(value)
    }

    /// RFC 9849 §4: a list of configurations behind its length.
    fn ech(&self, text: &str) -> Result<Vec<u8>, Problem> {
        let list: Vec<u8> = base64::decode(text)
            .map_err(|error| self.problem("ech", format!("is not base64 (RFC 4648 §4): {error}")))?;
        let stated = list.first_chunk().map(|length| u16::from_be_bytes(*length));
        match stated.map(usize::from) {
            Some(length) if length >= 4 && length + 2 == list.len() => Ok(list),
            Some(_) | None => Err(self.problem(
                "ech",
                "is no ECHConfigList (RFC 9849 §4): its first two octets are not the number of those that follow, 4 or more",
            )),
        }
    }

    fn alternates(&self, stated: Option<i64>) -> Result<u8, Problem> {
        let Some(stated) = stated else {
            return Ok(u8::from(
                self.input.endpoints.len() > 1 && !self.name.is_wildcard(),
            ));
        };
        let number = u8::try_from(stated)
            .ok()
            .filter(|number| *number <= MAX_ALTERNATES);
        let wrong = || {
            self.problem(
                "alternates",
                format!("is {stated}; 0 to {MAX_ALTERNATES} are allowed"),
            )
        };
        let number = number.ok_or_else(wrong)?;
        if number > 0 && self.name.is_wildcard() {
            let reason = format!("is {number}, and clusters have no names below a wildcard; 0 is allowed");
            return Err(self.problem("alternates", reason));
        }
        Ok(number)
    }

    fn targets(&self) -> Result<Vec<Target>, Problem> {
        let field = match self.field {
            "https" => "https.alternates",
            _ => "svcb.alternates",
        };
        let mut targets: Vec<Target> = Vec::new();
        for (endpoint, input) in self.input.endpoints.iter().enumerate() {
            let none = "with alternates: 0 clusters need no names";
            let cluster = &input.cluster;
            let name = self.name.child(cluster).map_err(|error| {
                let reason =
                    format!("the cluster {cluster} cannot be a label before the name: it {error}; {none}");
                self.problem("alternates", reason)
            })?;
            if let Some(other) = targets.iter().find(|other| other.name == name) {
                let other = self.input.endpoints.get(other.endpoint);
                let other = other.map_or("", |other| other.cluster.as_str());
                let reason =
                    format!("the clusters {other} and {cluster} would both have the name {name}; {none}");
                return Err(self.problem("alternates", reason));
            }
            targets.push(Target {
                name,
                endpoint,
                field,
            });
        }
        Ok(targets)
    }
}

/// One parameter (RFC 9460 §2.2).
fn put(out: &mut Vec<u8>, key: u16, value: &[u8]) {
    out.extend_from_slice(&key.to_be_bytes());
    out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(value);
}
