//! A query from its words, and a reply in presentation form.

use std::net::IpAddr;
use std::str::FromStr as _;

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::SVCB;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable as _;

/// A query as the file has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub(crate) packet: Vec<u8>,
    pub(crate) tcp: bool,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The code, and the flags that are set.
    pub(crate) head: String,
    pub(crate) answer: Vec<String>,
    pub(crate) authority: Vec<String>,
    pub(crate) additional: Vec<String>,
    /// Empty where there is no OPT.
    pub(crate) opt: String,
}

const RCODES: [(&str, u16); 12] = [
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("YXRRSET", 7),
    ("NXRRSET", 8),
    ("NOTAUTH", 9),
    ("BADVERS", 16),
    ("BADCOOKIE", 23),
];
const FLAGS: [(&str, u16); 7] = [
    ("aa", 0x0400),
    ("tc", 0x0200),
    ("rd", 0x0100),
    ("ra", 0x0080),
    ("z", 0x0040),
    ("ad", 0x0020),
    ("cd", 0x0010),
];
const CLASSES: [(&str, u16); 5] = [("IN", 1), ("CH", 3), ("HS", 4), ("NONE", 254), ("ANY", 255)];

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a number that is allowed there"))
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<char> = text.chars().filter(|digit| !digit.is_whitespace()).collect();
    let octets = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16));
    octets
        .collect::<Result<_, _>>()
        .map_err(|_| format!("`{text}` is not hexadecimal"))
}

impl Query {
    /// Octets as they are.
    pub(crate) fn raw(text: &str) -> Result<Query, String> {
        Ok(Query {
            packet: hex(text)?,
            tcp: false,
        })
    }

    /// `NAME TYPE [+OPTION…]`.
    pub(crate) fn parse(text: &str, id: u16) -> Result<Query, String> {
        let mut words = text.split_whitespace();
        let (Some(name), Some(kind)) = (words.next(), words.next()) else {
            return Err("a query is NAME TYPE and options".to_owned());
        };
        let (mut flags, mut class, mut tcp) = (0_u16, 1_u16, false);
        let mut edns: Option<(u16, u8, u16, Vec<u8>)> = None;
        for word in words {
            let (option, value) = word.split_once('=').unwrap_or((word, ""));
            let opt = edns.clone().unwrap_or((1232, 0, 0, Vec::new()));
            let flag = option
                .strip_prefix('+')
                .and_then(|option| FLAGS.iter().find(|(name, _)| *name == option));
            match option {
                "+tcp" => tcp = true,
                "+opcode" => flags |= number::<u16>(value)? << 11,
                "+class" => {
                    let named = CLASSES.iter().find(|(name, _)| *name == value);
                    class = named.map_or_else(|| number(value), |(_, class)| Ok(*class))?;
                }
                "+edns" if value.is_empty() => edns = Some(opt),
                "+edns" => edns = Some((number(value)?, opt.1, opt.2, opt.3)),
                "+version" => edns = Some((opt.0, number(value)?, opt.2, opt.3)),
                "+do" => edns = Some((opt.0, opt.1, opt.2 | 0x8000, opt.3)),
                "+ednsflags" => edns = Some((opt.0, opt.1, opt.2 | number::<u16>(value)?, opt.3)),
                "+ecs" => {
                    let data = client_subnet(value)?;
                    let length = u16::try_from(data.len()).map_err(|_| "too long")?;
                    let options = [opt.3, vec![0, 8], length.to_be_bytes().to_vec(), data].concat();
                    edns = Some((opt.0, opt.1, opt.2, options));
                }
                "+option" => {
                    let (code, data) = value.split_once(':').unwrap_or((value, ""));
                    let (code, data) = (number::<u16>(code)?, hex(data)?);
                    let mut options = opt.3;
                    options.extend_from_slice(&code.to_be_bytes());
                    options
                        .extend_from_slice(&u16::try_from(data.len()).map_err(|_| "too long")?.to_be_bytes());
                    options.extend_from_slice(&data);
                    edns = Some((opt.0, opt.1, opt.2, options));
                }
                _ => match flag {
                    Some((_, flag)) => flags |= flag,
                    None => return Err(format!("`{word}` is no option of a query")),
                },
            }
        }
        let mut packet = Vec::new();
        for field in [id, flags, 1, 0, 0, u16::from(edns.is_some())] {
            packet.extend_from_slice(&field.to_be_bytes());
        }
        wire_name(name, &mut packet)?;
        packet.extend_from_slice(&kind_of(kind)?.to_be_bytes());
        packet.extend_from_slice(&class.to_be_bytes());
        if let Some((payload, version, flags, options)) = edns {
            packet.extend_from_slice(&[0, 0, 41]);
            packet.extend_from_slice(&payload.to_be_bytes());
            packet.extend_from_slice(&[0, version]);
            packet.extend_from_slice(&flags.to_be_bytes());
            packet.extend_from_slice(
                &u16::try_from(options.len())
                    .map_err(|_| "too long")?
                    .to_be_bytes(),
            );
            packet.extend_from_slice(&options);
        }
        Ok(Query { packet, tcp })
    }
}

/// The data of an EDNS Client Subnet option (RFC 7871 §6) for `ADDRESS/LENGTH`; bits behind the prefix go as they are written.
fn client_subnet(text: &str) -> Result<Vec<u8>, String> {
    let (address, length) = text.split_once('/').ok_or("a prefix is ADDRESS/LENGTH")?;
    let length: u8 = number(length)?;
    let address: IpAddr = address
        .parse()
        .map_err(|_| format!("`{address}` is not an address"))?;
    let (family, octets) = match address {
        IpAddr::V4(address) => (1, address.octets().to_vec()),
        IpAddr::V6(address) => (2, address.octets().to_vec()),
    };
    let kept = octets.into_iter().take(usize::from(length).div_ceil(8));
    Ok([0, family, length, 0].into_iter().chain(kept).collect())
}

fn kind_of(text: &str) -> Result<u16, String> {
    let unknown = text.strip_prefix("TYPE").and_then(|digits| digits.parse().ok());
    let known = RecordType::from_str(text).ok().map(u16::from);
    unknown.or(known).ok_or_else(|| format!("`{text}` is not a type"))
}

/// In the case in which it is written.
fn wire_name(text: &str, into: &mut Vec<u8>) -> Result<(), String> {
    let mut name = Name::from_ascii(text).map_err(|error| format!("`{text}` is not a name: {error}"))?;
    name.set_fqdn(true);
    into.extend(name.to_bytes().map_err(|error| format!("`{text}`: {error}"))?);
    Ok(())
}

impl Reply {
    pub(crate) fn read(packet: &[u8]) -> Result<Reply, String> {
        let message = Message::from_vec(packet)
            .map_err(|error| format!("the reply is malformed: {error}: {}", packet.escape_ascii()))?;
        let word = u16::from_be_bytes([packet[2], packet[3]]);
        let (opt, upper) = message.edns.as_ref().map_or_else(Default::default, |edns| {
            let mut text = format!("version={} payload={}", edns.version(), edns.max_payload());
            if edns.flags().dnssec_ok {
                text.push_str(" do");
            }
            for (code, option) in edns.options().as_ref() {
                let octets: Vec<u8> = option.try_into().unwrap_or_default();
                text = format!("{text} {}:{}", u16::from(*code), digits(&octets));
            }
            (text, u16::from(edns.rcode_high()))
        });
        let code = upper << 4 | word & 0xf;
        let named = RCODES.iter().find(|(_, number)| *number == code);
        let mut head = named.map_or_else(|| code.to_string(), |(name, _)| (*name).to_owned());
        for (name, flag) in FLAGS {
            if word & flag != 0 {
                head = format!("{head} {name}");
            }
        }
        Ok(Reply {
            head,
            answer: told(&message.answers),
            authority: told(&message.authorities),
            additional: told(&message.additionals),
            opt,
        })
    }
}

fn told(records: &[Record]) -> Vec<String> {
    let mut told: Vec<String> = records
        .iter()
        .map(|record| {
            let data = if let RData::Unknown { code, rdata } = &record.data {
                let octets = &rdata.anything;
                match u16::from(*code) {
                    39 => name_in(octets),
                    _ => format!("\\# {} {}", octets.len(), digits(octets))
                        .trim_end()
                        .to_owned(),
                }
            } else if let Some(service) = service(&record.data) {
                service_text(service)
            } else {
                record.data.to_string()
            };
            let kind = match u16::from(record.record_type()) {
                39 => "DNAME".to_owned(),
                kind if record.record_type().to_string() == "Unknown" => format!("TYPE{kind}"),
                _ => record.record_type().to_string(),
            };
            format!("{} {} {kind} {data}", record.name, record.ttl)
                .trim_end()
                .to_owned()
        })
        .collect();
    told.sort();
    told
}

fn service(data: &RData) -> Option<&SVCB> {
    if let RData::HTTPS(https) = data {
        return Some(https);
    }
    if let RData::SVCB(svcb) = data {
        return Some(svcb);
    }
    None
}

/// Presentation form as RFC 9460 §2.1 and appendix A.1 have it; the decoder's own ends each list with a comma.
fn service_text(service: &SVCB) -> String {
    let mut text = format!("{} {}", service.svc_priority, service.target_name);
    for (key, value) in &service.svc_params {
        let value = value.to_string();
        let value = value.trim_end_matches(',');
        text = if value.is_empty() {
            format!("{text} {key}")
        } else {
            format!("{text} {key}={value}")
        };
    }
    text
}

fn digits(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A name without compression.
fn name_in(octets: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = octets;
    while let Some((length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let (label, after) = after.split_at(usize::from(*length).min(after.len()));
        text = format!("{text}{}.", label.escape_ascii());
        rest = after;
    }
    text
}

/// RFC 7871 §6: family, prefix length, scope 0, and as many octets of the address as the prefix needs.
#[test]
fn a_client_subnet_takes_as_many_octets_as_it_needs() {
    assert_eq!(client_subnet("192.0.2.0/23"), Ok(vec![0, 1, 23, 0, 192, 0, 2]));
    assert_eq!(
        client_subnet("2001:db8::/32"),
        Ok(vec![0, 2, 32, 0, 0x20, 1, 0xd, 0xb8])
    );
    assert_eq!(client_subnet("0.0.0.0/0"), Ok(vec![0, 1, 0, 0]));
    assert!(client_subnet("192.0.2.0").is_err() && client_subnet("x/24").is_err());
}
