//! Writes small MaxMind DB files (format 2.0, <https://maxmind.github.io/MaxMind-DB/>): an IPv6 tree of 32-bit records with
//! IPv4 at ::/96, the data of its leaves, and the metadata.

use std::net::IpAddr;

use ipnet::IpNet;

/// A value of the data section.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(&'static str),
    Double(f64),
    U16(u16),
    U32(u32),
    U64(u64),
    List(Vec<Value>),
    Map(Vec<(&'static str, Value)>),
}

/// `{field: text}`.
pub(crate) fn record(field: &'static str, text: &'static str) -> Value {
    Value::Map(vec![(field, Value::Text(text))])
}

/// A record as a city database has it.
pub(crate) fn city(country: &'static str, continent: &'static str, latitude: f64, longitude: f64) -> Value {
    let location = vec![
        ("latitude", Value::Double(latitude)),
        ("longitude", Value::Double(longitude)),
    ];
    Value::Map(vec![
        ("country", record("iso_code", country)),
        ("continent", record("code", continent)),
        ("location", Value::Map(location)),
    ])
}

impl Value {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                control(2, text.len(), out);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Double(number) => {
                control(3, 8, out);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::U16(number) => {
                control(5, 2, out);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::U32(number) => {
                control(6, 4, out);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::U64(number) => {
                control(9, 8, out);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::List(values) => {
                control(11, values.len(), out);
                values.iter().for_each(|value| value.encode(out));
            }
            Self::Map(fields) => {
                control(7, fields.len(), out);
                for (name, value) in fields {
                    Self::Text(name).encode(out);
                    value.encode(out);
                }
            }
        }
    }
}

/// A control octet: the type, above 7 in an octet of its own, and a size below 29.
fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    let size = u8::try_from(size).unwrap();
    assert!(size < 29, "longer sizes are not written");
    if kind <= 7 {
        out.push(kind << 5 | size);
    } else {
        out.extend([size, kind - 7]);
    }
}

#[derive(Clone, Copy)]
enum Link {
    Nothing,
    Node(usize),
    Data(usize),
}

pub(crate) struct Database {
    nodes: Vec<[Link; 2]>,
    data: Vec<u8>,
}

impl Database {
    pub(crate) fn new() -> Self {
        Self {
            nodes: vec![[Link::Nothing; 2]],
            data: Vec::new(),
        }
    }

    pub(crate) fn insert(&mut self, prefix: &str, value: Value) {
        let prefix: IpNet = prefix.parse().unwrap();
        let (bits, len) = match prefix.network() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), prefix.prefix_len() + 96),
            IpAddr::V6(v6) => (v6.to_bits(), prefix.prefix_len()),
        };
        let leaf = Link::Data(self.data.len());
        value.encode(&mut self.data);
        let mut node = 0;
        for depth in 0..len {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth + 1 == len {
                self.nodes[node][side] = leaf;
                break;
            }
            node = match self.nodes[node][side] {
                Link::Node(next) => next,
                // What was known of the whole is known of both halves.
                above @ (Link::Nothing | Link::Data(_)) => {
                    self.nodes.push([above; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[node][side] = Link::Node(next);
                    next
                }
            };
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let count = self.nodes.len();
        let mut out = Vec::new();
        for link in self.nodes.iter().flatten() {
            let number = match link {
                Link::Nothing => count,
                Link::Node(node) => *node,
                Link::Data(offset) => count + 16 + offset,
            };
            out.extend_from_slice(&u32::try_from(number).unwrap().to_be_bytes());
        }
        out.extend_from_slice(&[0; 16]);
        out.extend_from_slice(&self.data);
        out.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
        Value::Map(vec![
            ("binary_format_major_version", Value::U16(2)),
            ("binary_format_minor_version", Value::U16(0)),
            ("build_epoch", Value::U64(1_700_000_000)),
            ("database_type", Value::Text("Test")),
            ("description", record("en", "written by a test")),
            ("ip_version", Value::U16(6)),
            ("languages", Value::List(vec![Value::Text("en")])),
            ("node_count", Value::U32(u32::try_from(count).unwrap())),
            ("record_size", Value::U16(32)),
        ])
        .encode(&mut out);
        out
    }
}
