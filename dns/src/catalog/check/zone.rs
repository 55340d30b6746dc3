//! Checks one zone. A zone with anything wrong is rejected whole.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{MAX_ADDRESSES, MAX_TEXT_OCTETS, data, ttl_problem};
use crate::catalog::problem::Problem;
use crate::input::{RecordInput, ZoneInput};
use crate::name::Name;
use crate::nonempty::NonEmpty;
use crate::wire::{body, rtype};

#[derive(Debug)]
pub(crate) struct CheckedZone {
    pub(crate) apex: Name,
    pub(crate) mname: Name,
    pub(crate) rname: Name,
    pub(crate) name_servers: NonEmpty<CheckedServer>,
    pub(crate) records: Vec<CheckedRecord>,
    pub(crate) input: ZoneInput,
}

#[derive(Debug)]
pub(crate) struct CheckedServer {
    pub(crate) name: Name,
    pub(crate) addresses: Vec<IpAddr>,
}

/// A fixed record set with its data in wire form.
#[derive(Debug)]
pub(crate) struct CheckedRecord {
    pub(crate) owner: Name,
    pub(crate) kind: u16,
    pub(crate) ttl_s: u32,
    pub(crate) rdata: NonEmpty<Vec<u8>>,
}

impl CheckedZone {
    /// A name's addresses by the zone's own records, each with its TTL.
    pub(crate) fn addresses_of(&self, name: &Name) -> Vec<(u32, IpAddr)> {
        let sets = self.records.iter().filter(|record| record.owner == *name);
        let fixed = sets.flat_map(|set| {
            set.rdata
                .iter()
                .filter_map(|rdata| Some((set.ttl_s, body::address_of(set.kind, rdata)?)))
        });
        let servers = self.name_servers.iter().filter(|server| server.name == *name);
        let servers =
            servers.flat_map(|server| server.addresses.iter().map(|address| (self.input.ttl, *address)));
        fixed.chain(servers).collect()
    }

    /// What of the zone's own records leaves no room for a steered name, as the middle of a sentence.
    pub(crate) fn obstacle(&self, name: &Name) -> Option<&'static str> {
        let own = self.name_servers.iter();
        if own
            .filter(|server| server.name.is_within(&self.apex))
            .any(|server| server.name == *name)
        {
            return Some("has fixed addresses for");
        }
        self.records.iter().find_map(|record| match record.kind {
            rtype::A | rtype::AAAA if record.owner == *name => Some("has fixed addresses for"),
            rtype::CNAME if record.owner == *name => Some("has a CNAME for"),
            rtype::NS if name.is_within(&record.owner) => Some("delegates"),
            rtype::DNAME if name.is_below(&record.owner) => Some("has a DNAME above"),
            _ => None,
        })
    }
}

struct Checker<'a> {
    input: &'a ZoneInput,
    apex: Name,
}

pub(crate) fn check(input: &ZoneInput) -> Result<CheckedZone, Problem> {
    let apex = Name::parse(&input.name).map_err(|error| Problem::new("zone", &input.name, "name", error))?;
    let checker = Checker { input, apex };
    if checker.apex.is_wildcard() {
        return Err(checker.problem("name", "a zone cannot be a wildcard"));
    }
    for (field, ttl_s) in [("ttl", input.ttl), ("soa.minimum", input.soa.minimum)] {
        if let Some(reason) = ttl_problem(ttl_s) {
            return Err(checker.problem(field, reason));
        }
    }
    let mname = checker.name("soa.mname", &input.soa.mname)?;
    let rname = checker.name("soa.rname", &input.soa.rname)?;
    let name_servers = checker.name_servers()?;
    let records = checker.records(&name_servers)?;
    Ok(CheckedZone {
        apex: checker.apex,
        mname,
        rname,
        name_servers,
        records,
        input: input.clone(),
    })
}

impl Checker<'_> {
    fn problem(&self, field: impl Into<String>, reason: impl std::fmt::Display) -> Problem {
        Problem::new("zone", &self.input.name, field, reason)
    }

    fn name(&self, field: &str, text: &str) -> Result<Name, Problem> {
        Name::parse(text).map_err(|error| self.problem(field, error))
    }

    fn name_servers(&self) -> Result<NonEmpty<CheckedServer>, Problem> {
        let mut servers: Vec<CheckedServer> = Vec::new();
        for (index, input) in self.input.name_servers.iter().enumerate() {
            let field = format!("nameServers[{index}]");
            let name = self.name(&format!("{field}.name"), &input.name)?;
            if name.is_wildcard() || servers.iter().any(|server| server.name == name) {
                return Err(self.problem(format!("{field}.name"), "is a wildcard or listed twice"));
            }
            if name.is_within(&self.apex) && input.addresses.is_empty() {
                let reason = "is empty; a name server inside its zone needs an address";
                return Err(self.problem(format!("{field}.addresses"), reason));
            }
            let distinct: BTreeSet<&IpAddr> = input.addresses.iter().collect();
            if distinct.len() != input.addresses.len() || distinct.len() > MAX_ADDRESSES {
                return Err(self.problem(format!("{field}.addresses"), "has an address twice, or too many"));
            }
            servers.push(CheckedServer {
                name,
                addresses: input.addresses.clone(),
            });
        }
        NonEmpty::new(servers)
            .ok_or_else(|| self.problem("nameServers", "is empty; a zone needs at least one name server"))
    }

    fn records(&self, servers: &[CheckedServer]) -> Result<Vec<CheckedRecord>, Problem> {
        let mut records: Vec<CheckedRecord> = Vec::new();
        for (index, input) in self.input.records.iter().enumerate() {
            let record = self.record(index, input)?;
            if records
                .iter()
                .any(|other| other.owner == record.owner && other.kind == record.kind)
            {
                let reason = format!(
                    "{} has a second {} record set; put all data into one",
                    record.owner, input.kind
                );
                return Err(self.problem(format!("records[{index}]"), reason));
            }
            let address = matches!(record.kind, rtype::A | rtype::AAAA);
            if address && servers.iter().any(|server| server.name == record.owner) {
                let reason = format!("{} gets its addresses from nameServers", record.owner);
                return Err(self.problem(format!("records[{index}]"), reason));
            }
            records.push(record);
        }
        self.together(&records, servers)?;
        Ok(records)
    }

    /// What cannot stand beside what.
    fn together(&self, records: &[CheckedRecord], servers: &[CheckedServer]) -> Result<(), Problem> {
        for record in records {
            let Some(reason) = self.lonely(record, records, servers) else {
                continue;
            };
            let reason = format!("{}: {reason}", record.owner);
            return Err(self.problem("records", reason));
        }
        Ok(())
    }

    fn lonely(
        &self,
        record: &CheckedRecord,
        records: &[CheckedRecord],
        servers: &[CheckedServer],
    ) -> Option<String> {
        let kind = rtype::text(record.kind);
        let apex = record.owner == self.apex;
        let server = servers.iter().any(|server| server.name == record.owner);
        let beside = records
            .iter()
            .find(|other| other.owner == record.owner && other.kind != record.kind);
        let below = || {
            records
                .iter()
                .map(|other| &other.owner)
                .find(|other| other.is_below(&record.owner))
        };
        match record.kind {
            rtype::CNAME | rtype::DNAME if record.rdata.len() > 1 => {
                Some(format!("has more than one {kind}"))
            }
            // RFC 2181 §10.1.
            rtype::CNAME if apex || server => {
                Some("has a CNAME beside the zone's own records; a CNAME stands alone".to_owned())
            }
            rtype::CNAME => {
                let other = rtype::text(beside?.kind);
                Some(format!("has a CNAME beside {other}; a CNAME stands alone"))
            }
            // RFC 4592 §4.2, §4.4.
            rtype::NS | rtype::DNAME if record.owner.is_wildcard() => {
                Some(format!("is a wildcard and has {kind}"))
            }
            // RFC 6672 §2.4.
            rtype::DNAME => Some(format!("has a DNAME, and {} lies below it", below()?)),
            _ => None,
        }
    }

    fn record(&self, index: usize, input: &RecordInput) -> Result<CheckedRecord, Problem> {
        let field = |name: &str| format!("records[{index}].{name}");
        let owner = self.owner(&field("name"), &input.name)?;
        let ttl_s = input.ttl.unwrap_or(self.input.ttl);
        if let Some(reason) = ttl_problem(ttl_s) {
            return Err(self.problem(field("ttl"), reason));
        }
        let kind = data::kind(&input.kind).map_err(|reason| self.problem(field("kind"), reason))?;
        if kind == rtype::NS && owner == self.apex {
            return Err(self.problem(
                field("kind"),
                "is NS at the apex; those are the zone's nameServers",
            ));
        }
        let mut rdata = Vec::with_capacity(input.data.len());
        let mut octets = 0;
        for (position, text) in input.data.iter().enumerate() {
            let data = data::encode(kind, text).map_err(|reason| {
                self.problem(
                    format!("records[{index}].data[{position}]"),
                    format!("`{text}` {reason}"),
                )
            })?;
            if rdata.contains(&data) {
                return Err(self.problem(format!("records[{index}].data[{position}]"), "is listed twice"));
            }
            octets += data.len() + 12;
            if octets > MAX_TEXT_OCTETS || rdata.len() >= MAX_ADDRESSES {
                return Err(self.problem(field("data"), format!("takes more than {MAX_TEXT_OCTETS} octets")));
            }
            rdata.push(data);
        }
        let rdata = NonEmpty::new(rdata)
            .ok_or_else(|| self.problem(field("data"), "is empty; at least one entry is needed"))?;
        Ok(CheckedRecord {
            owner,
            kind,
            ttl_s,
            rdata,
        })
    }

    fn owner(&self, field: &str, text: &str) -> Result<Name, Problem> {
        if text == "@" {
            return Ok(self.apex.clone());
        }
        let full = if text.contains('.') {
            text.to_owned()
        } else {
            format!(
                "{text}.{}",
                if self.apex.label_count() == 0 {
                    String::new()
                } else {
                    self.apex.to_string()
                }
            )
        };
        let name = self.name(field, &full)?;
        if !name.is_within(&self.apex) {
            return Err(self.problem(field, format!("{name} lies outside the zone")));
        }
        Ok(name)
    }
}
