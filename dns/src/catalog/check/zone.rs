//! Checks one zone that is part of a plan, by the rules for master files. A zone with anything wrong is rejected whole.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{MAX_ADDRESSES, MAX_TEXT_OCTETS, ttl_problem};
use crate::catalog::problem::Problem;
use crate::input::{RecordInput, ZoneInput};
use crate::name::Name;
use crate::wire::{body, rtype};
use crate::zone::Zone;
use crate::zonefile::{self, At, Problems, Reason, Records, Severity, Spot};

/// Types that belong to the server or to signing, not to a plan.
const NOT_STATED: [u16; 9] = [
    rtype::SOA,
    rtype::SIG,
    rtype::RRSIG,
    rtype::NSEC,
    rtype::DNSKEY,
    rtype::NSEC3,
    rtype::NSEC3PARAM,
    rtype::CDS,
    rtype::CDNSKEY,
];

/// The lists of a zone that records come from, in place of files.
#[derive(Clone, Copy)]
enum List {
    Soa,
    NameServers,
    Records,
}

struct Checker<'a> {
    input: &'a ZoneInput,
    apex: Name,
    records: Records,
}

pub(crate) fn check(input: &ZoneInput) -> Result<Zone, Problem> {
    let apex = Name::parse(&input.name).map_err(|error| Problem::new("zone", &input.name, "name", error))?;
    let mut checker = Checker {
        input,
        apex,
        records: Records::default(),
    };
    if checker.apex.is_wildcard() {
        return Err(checker.problem("name", "a zone cannot be a wildcard"));
    }
    for (field, ttl_s) in [("ttl", input.ttl), ("soa.minimum", input.soa.minimum)] {
        if let Some(reason) = ttl_problem(ttl_s) {
            return Err(checker.problem(field, reason));
        }
    }
    checker.soa()?;
    let servers = checker.name_servers()?;
    checker.records(&servers)?;
    checker.whole()
}

fn at(list: List, index: usize, data: usize) -> At {
    let number = |index| u32::try_from(index).unwrap_or(u32::MAX);
    At {
        file: match list {
            List::Soa => 0,
            List::NameServers => 1,
            List::Records => 2,
        },
        spot: Spot {
            line: number(index),
            column: number(data),
        },
    }
}

fn field(at: At) -> String {
    let Spot { line, column } = at.spot;
    match at.file {
        0 => "soa".to_owned(),
        1 => format!("nameServers[{line}]"),
        _ => format!("records[{line}].data[{column}]"),
    }
}

/// A warning about a file is read by whoever wrote it; about a part of a plan nobody would hear that names are hidden.
fn refuses(reason: &Reason) -> bool {
    reason.severity() == Severity::Error
        || matches!(reason, Reason::BelowDname { .. } | Reason::WildcardDelegation(_))
}

impl Checker<'_> {
    fn problem(&self, field: impl Into<String>, reason: impl std::fmt::Display) -> Problem {
        Problem::new("zone", &self.input.name, field, reason)
    }

    fn name(&self, field: &str, text: &str) -> Result<Name, Problem> {
        Name::parse(text).map_err(|error| self.problem(field, error))
    }

    fn push(&mut self, owner: &Name, kind: u16, ttl_s: u32, data: &[u8], at: At) -> Result<(), Problem> {
        let pushed = self.records.push(owner.wire(), kind, Some(ttl_s), data, at);
        pushed.map_err(|_| self.problem(field(at), Reason::ZoneTooLarge(owner.to_string())))
    }

    /// The SOA. Its serial is that of the plan, so it is 0 here.
    fn soa(&mut self) -> Result<(), Problem> {
        let soa = &self.input.soa;
        let rdata = body::Soa {
            mname: &self.name("soa.mname", &soa.mname)?,
            rname: &self.name("soa.rname", &soa.rname)?,
            numbers: [0, soa.refresh, soa.retry, soa.expire, soa.minimum],
        }
        .rdata();
        let apex = self.apex.clone();
        self.push(&apex, rtype::SOA, self.input.ttl, &rdata, at(List::Soa, 0, 0))
    }

    /// The NS records and the addresses they need; gives the servers' names.
    fn name_servers(&mut self) -> Result<BTreeSet<Name>, Problem> {
        let (mut servers, ttl_s) = (BTreeSet::new(), self.input.ttl);
        let apex = self.apex.clone();
        for (index, input) in self.input.name_servers.iter().enumerate() {
            let field = format!("nameServers[{index}]");
            let name = self.name(&format!("{field}.name"), &input.name)?;
            if name.is_wildcard() || !servers.insert(name.clone()) {
                return Err(self.problem(format!("{field}.name"), "is a wildcard or listed twice"));
            }
            let inside = name.is_within(&apex);
            if inside && input.addresses.is_empty() {
                let reason = "is empty; a name server inside its zone needs an address";
                return Err(self.problem(format!("{field}.addresses"), reason));
            }
            let distinct: BTreeSet<&IpAddr> = input.addresses.iter().collect();
            if distinct.len() != input.addresses.len() || distinct.len() > MAX_ADDRESSES {
                return Err(self.problem(format!("{field}.addresses"), "has an address twice, or too many"));
            }
            let at = at(List::NameServers, index, 0);
            self.push(&apex, rtype::NS, ttl_s, name.wire(), at)?;
            for address in input.addresses.iter().filter(|_| inside) {
                let kind = body::address_type(address);
                match address {
                    IpAddr::V4(v4) => self.push(&name, kind, ttl_s, &v4.octets(), at)?,
                    IpAddr::V6(v6) => self.push(&name, kind, ttl_s, &v6.octets(), at)?,
                }
            }
        }
        if servers.is_empty() {
            return Err(self.problem("nameServers", "is empty; a zone needs at least one name server"));
        }
        Ok(servers)
    }

    fn records(&mut self, servers: &BTreeSet<Name>) -> Result<(), Problem> {
        let mut seen = BTreeSet::new();
        for (index, input) in self.input.records.iter().enumerate() {
            let (owner, kind) = self.record(index, input)?;
            if matches!(kind, rtype::A | rtype::AAAA) && servers.contains(&owner) {
                let reason = format!("{owner} gets its addresses from nameServers");
                return Err(self.problem(format!("records[{index}]"), reason));
            }
            if let Some((owner, _)) = seen.replace((owner, kind)) {
                let reason = format!(
                    "{owner} has a second {} record set; put all data into one",
                    input.kind
                );
                return Err(self.problem(format!("records[{index}]"), reason));
            }
        }
        Ok(())
    }

    fn record(&mut self, index: usize, input: &RecordInput) -> Result<(Name, u16), Problem> {
        let field = |name: &str| format!("records[{index}].{name}");
        let owner = self.owner(&field("name"), &input.name)?;
        let ttl_s = input.ttl.unwrap_or(self.input.ttl);
        if let Some(reason) = ttl_problem(ttl_s) {
            return Err(self.problem(field("ttl"), reason));
        }
        let kind = self.kind(&field("kind"), &input.kind)?;
        if kind == rtype::NS && owner == self.apex {
            return Err(self.problem(
                field("kind"),
                "is NS at the apex; those are the zone's nameServers",
            ));
        }
        let mut octets = 0;
        for (position, text) in input.data.iter().enumerate() {
            let data = data(kind, text)
                .map_err(|reason| self.problem(field(&format!("data[{position}]")), reason))?;
            octets += data.len() + 12;
            if octets > MAX_TEXT_OCTETS || position >= MAX_ADDRESSES {
                return Err(self.problem(field("data"), format!("takes more than {MAX_TEXT_OCTETS} octets")));
            }
            self.push(&owner, kind, ttl_s, &data, at(List::Records, index, position))?;
        }
        if input.data.is_empty() {
            return Err(self.problem(field("data"), "is empty; at least one entry is needed"));
        }
        Ok((owner, kind))
    }

    fn kind(&self, field: &str, text: &str) -> Result<u16, Problem> {
        let kind = zonefile::parse_kind(text.to_ascii_uppercase().as_bytes());
        let allowed = kind.filter(|kind| !zonefile::is_meta(*kind) && !NOT_STATED.contains(kind));
        allowed.ok_or_else(|| {
            let reason = format!(
                "is {text}; types of data are allowed, such as A, AAAA, CAA, CNAME, HTTPS, MX, NS, PTR, SRV, TXT and \
                 TYPEn, and neither SOA nor what signs a zone"
            );
            self.problem(field, reason)
        })
    }

    fn owner(&self, field: &str, text: &str) -> Result<Name, Problem> {
        if text == "@" {
            return Ok(self.apex.clone());
        }
        let name = match (text.contains('.'), self.apex.wire()) {
            (true, _) | (false, [0]) => self.name(field, text)?,
            (false, _) => self.name(field, &format!("{text}.{}", self.apex))?,
        };
        if !name.is_within(&self.apex) {
            return Err(self.problem(field, format!("{name} lies outside the zone")));
        }
        Ok(name)
    }

    fn whole(self) -> Result<Zone, Problem> {
        let mut problems = Problems::default();
        let zone = zonefile::whole(&self.apex, self.records, self.input.ttl, &mut problems);
        let object = |at, reason| Problem::new("zone", &self.input.name, field(at), reason);
        match (problems.iter().find(|(_, reason)| refuses(reason)), zone) {
            (Some((at, reason)), _) => Err(object(*at, reason)),
            (None, Some(zone)) => Ok(zone),
            (None, None) => Err(object(at(List::Soa, 0, 0), &Reason::NoSoa(self.apex.to_string()))),
        }
    }
}

/// One record's data in wire form, names as they are spelled. A TXT is its text, without quotes and escapes.
fn data(kind: u16, text: &str) -> Result<Vec<u8>, String> {
    match kind {
        _ if text.len() > MAX_TEXT_OCTETS => Err("is too long".to_owned()),
        rtype::TXT => Ok(body::txt_rdata(text)),
        _ => zonefile::parse_data(kind, text).map_err(|reason| reason.to_string()),
    }
}
