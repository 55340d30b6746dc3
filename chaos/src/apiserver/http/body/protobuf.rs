//! Kubernetes' protobuf encoding of built-in types, which Go's typed clients send. Decoded to JSON by a table;
//! answers are always JSON, which those clients accept.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use base64::Engine;
use serde_json::{Map, Value, json};

mod wire;

use wire::{Reader, Wire};

const TABLE: &str = include_str!("messages.txt");
const MAGIC: &[u8] = b"k8s\0";
const MAX_DEPTH: usize = 64;

#[derive(Debug)]
struct Field {
    number: u32,
    name: &'static str,
    shape: Shape,
    ty: Type,
    /// A pointer in Go: its zero value is not the same as nothing.
    pointer: bool,
    keep: bool,
    inline: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    One,
    Many,
    Map,
}

#[derive(Clone, Debug, PartialEq)]
enum Type {
    Text,
    Bool,
    Integer,
    Double,
    Bytes,
    Message(String),
}

fn messages() -> &'static BTreeMap<String, Vec<Field>> {
    static MESSAGES: OnceLock<BTreeMap<String, Vec<Field>>> = OnceLock::new();
    MESSAGES.get_or_init(|| {
        let mut all: BTreeMap<String, Vec<Field>> = BTreeMap::new();
        let (mut package, mut message) = ("", String::new());
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix("= ") {
                package = name;
            } else if let Some(row) = line.strip_prefix(' ') {
                if let Some(field) = field(row, package) {
                    all.entry(message.clone()).or_default().push(field);
                }
            } else {
                message = format!("{package}.{line}");
                all.entry(message.clone()).or_default();
            }
        }
        all
    })
}

fn field(row: &'static str, package: &str) -> Option<Field> {
    let mut words = row.split(' ');
    let (number, name, kind) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
    let (kind, flags) = kind.split_once(':').unwrap_or((kind, ""));
    let (shape, kind) = match kind.split_at(kind.len().saturating_sub(1)) {
        ("r", kind) => (Shape::Many, kind),
        ("M", kind) => (Shape::Map, kind),
        (_, kind) => (Shape::One, kind),
    };
    let ty = match kind {
        "s" => Type::Text,
        "b" => Type::Bool,
        "i" => Type::Integer,
        "d" => Type::Double,
        "y" => Type::Bytes,
        _ => {
            let target = words.next()?;
            Type::Message(if target.starts_with('.') {
                format!("{package}{target}")
            } else {
                target.to_owned()
            })
        }
    };
    let flag = |c: char| flags.contains(c);
    Some(Field {
        number,
        name,
        shape,
        ty,
        pointer: flag('P'),
        keep: flag('K'),
        inline: flag('I'),
    })
}

/// Decodes a whole body: the magic number, the envelope with the type, the object.
pub(super) fn decode(bytes: &[u8]) -> Result<Value, String> {
    let envelope = bytes
        .strip_prefix(MAGIC)
        .ok_or("the body does not begin with the protobuf marker \"k8s\\0\"")?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    let mut reader = Reader(envelope);
    while let Some((number, wire)) = reader.next()? {
        match (number, wire) {
            (1, Wire::Bytes(meta)) => {
                let mut reader = Reader(meta);
                while let Some((number, wire)) = reader.next()? {
                    match (number, wire) {
                        (1, Wire::Bytes(text)) => api_version = utf8(text)?,
                        (2, Wire::Bytes(text)) => kind = utf8(text)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let name = message_name(&api_version, &kind);
    if !messages().contains_key(&name) {
        return Err(format!(
            "{api_version} {kind} has no protobuf form here: send JSON"
        ));
    }
    let mut value = message(&name, raw, 0)?;
    value["apiVersion"] = api_version.into();
    value["kind"] = kind.into();
    Ok(value)
}

fn message_name(api_version: &str, kind: &str) -> String {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    if matches!(
        kind,
        "DeleteOptions" | "Status" | "PatchOptions" | "CreateOptions" | "UpdateOptions"
    ) {
        return format!("k8s.io.apimachinery.pkg.apis.meta.v1.{kind}");
    }
    match group.split('.').next().unwrap_or_default() {
        "" => format!("k8s.io.api.core.{version}.{kind}"),
        "apiextensions" => format!("k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.{version}.{kind}"),
        "apiregistration" => format!("k8s.io.kube_aggregator.pkg.apis.apiregistration.{version}.{kind}"),
        short => format!("k8s.io.api.{short}.{version}.{kind}"),
    }
}

fn message(name: &str, bytes: &[u8], depth: usize) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err(format!("nested deeper than {MAX_DEPTH} levels"));
    }
    if let Some(value) = special(name, bytes)? {
        return Ok(value);
    }
    let fields = messages()
        .get(name)
        .ok_or_else(|| format!("unknown message {name}"))?;
    let mut map = Map::new();
    let mut reader = Reader(bytes);
    while let Some((number, wire)) = reader.next()? {
        let Some(field) = fields.iter().find(|field| field.number == number) else {
            continue;
        };
        match field.shape {
            Shape::One => {
                let value = value(&field.ty, &wire, depth)?;
                if field.inline {
                    if let Value::Object(inner) = value {
                        map.extend(inner);
                    }
                } else if field.pointer || field.keep || !is_zero(&value) {
                    map.insert(field.name.to_owned(), value);
                }
            }
            Shape::Many => {
                let value = value(&field.ty, &wire, depth)?;
                let list = map.entry(field.name).or_insert_with(|| json!([]));
                if let Some(list) = list.as_array_mut() {
                    list.push(value);
                }
            }
            Shape::Map => {
                let Wire::Bytes(entry) = wire else { continue };
                let (key, value) = map_entry(&field.ty, entry, depth)?;
                let slot = map.entry(field.name).or_insert_with(|| json!({}));
                if let Some(slot) = slot.as_object_mut() {
                    slot.insert(key, value);
                }
            }
        }
    }
    Ok(Value::Object(map))
}

fn map_entry(ty: &Type, entry: &[u8], depth: usize) -> Result<(String, Value), String> {
    let (mut key, mut found) = (String::new(), None);
    let mut reader = Reader(entry);
    while let Some((number, wire)) = reader.next()? {
        match (number, &wire) {
            (1, Wire::Bytes(text)) => key = utf8(text)?,
            (2, _) => found = Some(value(ty, &wire, depth)?),
            _ => {}
        }
    }
    Ok((key, found.unwrap_or_else(|| json!(""))))
}

fn value(ty: &Type, wire: &Wire<'_>, depth: usize) -> Result<Value, String> {
    Ok(match (ty, wire) {
        (Type::Text, Wire::Bytes(text)) => json!(utf8(text)?),
        (Type::Bool, Wire::Varint(number)) => json!(*number != 0),
        (Type::Integer, Wire::Varint(number)) => json!(number.cast_signed()),
        (Type::Double, Wire::Fixed64(bits)) => json!(f64::from_bits(*bits)),
        (Type::Bytes, Wire::Bytes(bytes)) => json!(base64::engine::general_purpose::STANDARD.encode(bytes)),
        (Type::Message(name), Wire::Bytes(bytes)) => message(name, bytes, depth + 1)?,
        (ty, wire) => return Err(format!("wrong wire type: expected {ty:?}, found {wire:?}")),
    })
}

/// Types whose JSON is not an object of their fields.
fn special(name: &str, bytes: &[u8]) -> Result<Option<Value>, String> {
    let short = name.rsplit('.').next().unwrap_or_default();
    let mut numbers = [0_i64; 2];
    let mut text: &[u8] = &[];
    if !matches!(
        short,
        "Time" | "MicroTime" | "Quantity" | "IntOrString" | "RawExtension" | "FieldsV1" | "JSON"
    ) {
        return Ok(None);
    }
    let mut reader = Reader(bytes);
    while let Some((number, wire)) = reader.next()? {
        match (number, wire) {
            (at @ (1 | 2), Wire::Varint(value)) => numbers[at as usize - 1] = value.cast_signed(),
            (_, Wire::Bytes(bytes)) => text = bytes,
            _ => {}
        }
    }
    Ok(Some(match short {
        "Quantity" => json!(utf8(text)?),
        "IntOrString" if numbers[0] == 1 => json!(utf8(text)?),
        "IntOrString" => json!(numbers[1]),
        "Time" | "MicroTime" => {
            if bytes.is_empty() || numbers == [0, 0] {
                return Ok(Some(Value::Null));
            }
            let nanos = i32::try_from(numbers[1]).map_err(|error| error.to_string())?;
            let stamp = jiff::Timestamp::new(numbers[0], nanos).map_err(|error| error.to_string())?;
            if short == "Time" {
                json!(stamp.to_string())
            } else {
                json!(format!("{stamp:.6}"))
            }
        }
        _ => serde_json::from_slice(text).unwrap_or(Value::Null),
    }))
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_field(number: u8, inner: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(inner.len()).unwrap()], inner].concat()
    }

    #[test]
    fn an_object_is_decoded_by_the_table() {
        let meta = [bytes_field(1, b"apps/v1"), bytes_field(2, b"Deployment")].concat();
        let labels = bytes_field(11, &[bytes_field(1, b"app"), bytes_field(2, b"x")].concat());
        let object_meta = [
            bytes_field(1, b"web"),
            bytes_field(2, b""),
            labels,
            bytes_field(8, b""),
        ]
        .concat();
        let spec = [vec![0x08, 0x00], vec![0x28, 0x00]].concat();
        let raw = [bytes_field(1, &object_meta), bytes_field(2, &spec)].concat();
        let body = [MAGIC.to_vec(), bytes_field(1, &meta), bytes_field(2, &raw)].concat();
        assert_eq!(
            decode(&body).unwrap(),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "x"}},
                "spec": {"replicas": 0}})
        );
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(decode(b"{}").is_err());
        assert!(decode(b"k8s\0\x0a\xff").is_err());
        assert!(decode(b"k8s\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
        assert!(decode(b"k8s\0").is_err());
    }
}
