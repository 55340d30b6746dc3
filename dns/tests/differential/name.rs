//! Names as lists of labels in lower case, the first label first; and how they are written.

use fastrand::Rng;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Labels(pub(crate) Vec<Vec<u8>>);

impl Labels {
    /// From text without escapes.
    pub(crate) fn of(text: &str) -> Labels {
        Labels(text.split('.').map(|label| label.as_bytes().to_vec()).collect())
    }

    pub(crate) fn below(&self, label: Vec<u8>) -> Labels {
        let mut labels = vec![label];
        labels.extend(self.0.iter().cloned());
        Labels(labels)
    }

    pub(crate) fn parent(&self) -> Option<Labels> {
        self.0.split_first().map(|(_, rest)| Labels(rest.to_vec()))
    }

    pub(crate) fn is_within(&self, above: &Labels) -> bool {
        self.0.ends_with(&above.0)
    }

    pub(crate) fn wire_len(&self) -> usize {
        self.0.iter().map(|label| label.len() + 1).sum::<usize>() + 1
    }

    pub(crate) fn wire(&self) -> Vec<u8> {
        let mut wire = Vec::new();
        for label in &self.0 {
            wire.push(u8::try_from(label.len()).unwrap());
            wire.extend_from_slice(label);
        }
        wire.push(0);
        wire
    }

    /// The first label `*` (RFC 4592 §2.1.1).
    pub(crate) fn is_wildcard(&self) -> bool {
        self.0.first().is_some_and(|label| label == b"*")
    }

    /// As a master file has it: absolute, or relative to the origin; letters in either case, octets in any of their forms.
    pub(crate) fn written(&self, origin: Option<&Labels>, rng: &mut Rng) -> String {
        let origin = origin.filter(|origin| self.is_within(origin) && rng.bool());
        let relative = origin.is_some();
        let kept = self.0.len() - origin.map_or(0, |origin| origin.0.len());
        if relative && kept == 0 {
            return "@".to_owned();
        }
        let mixed = rng.u8(..4) == 0;
        let labels: Vec<String> = self
            .0
            .iter()
            .take(kept)
            .map(|label| write(label, mixed, rng))
            .collect();
        let dot = if relative { "" } else { "." };
        format!("{}{dot}", labels.join("."))
    }
}

fn write(label: &[u8], mixed: bool, rng: &mut Rng) -> String {
    let mut text = String::new();
    for octet in label {
        let octet = if mixed && rng.bool() {
            octet.to_ascii_uppercase()
        } else {
            *octet
        };
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'*' => text.push(octet.into()),
            // NSD 4.6 takes the dot behind a doubled backslash for escaped and `\#` for data of an unknown type anywhere; BIND
            // reads `\[` as the bit labels of RFC 2673.
            b'!'..=b'~' if !b"\\[#".contains(&octet) && rng.bool() => {
                text.push('\\');
                text.push(octet.into());
            }
            _ => text.push_str(&format!("\\{octet:03}")),
        }
    }
    text
}

/// A label: mostly one of a few, so that names meet; sometimes odd, long or a `*` (RFC 2181 §11: any octets will do).
pub(crate) fn label(rng: &mut Rng) -> Vec<u8> {
    const FEW: [&str; 16] = [
        "a",
        "b",
        "c",
        "d",
        "e",
        "www",
        "mail",
        "ns1",
        "ns2",
        "x-y",
        "_tcp",
        "_sip",
        "0",
        "xn--bcher-kva",
        "api",
        "db",
    ];
    match rng.u8(..24) {
        0 => (0..rng.usize(1..6))
            .map(|_| rng.u8(..).to_ascii_lowercase())
            .collect(),
        1 => (0..rng.usize(1..4))
            .map(|_| *b". \"()@;$\\\0\xff'*!".get(rng.usize(..14)).unwrap())
            .collect(),
        2 => vec![b'l'; 63],
        3 => (0..rng.usize(20..63)).map(|_| rng.lowercase() as u8).collect(),
        4 => b"*".to_vec(),
        5 => (0..rng.usize(1..9)).map(|_| rng.lowercase() as u8).collect(),
        _ => FEW.get(rng.usize(..FEW.len())).unwrap().as_bytes().to_vec(),
    }
}
