//! Reading JSON and YAML bodies, noticing duplicate fields.

use std::cell::RefCell;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::apiserver::error::ApiError;
use crate::apiserver::schema::conform::MAX_DEPTH;

mod protobuf;

/// The largest body that is read, as the real server has it.
pub(super) const MAX_BODY_BYTES: usize = 3 * 1024 * 1024;
const MAX_DUPLICATES: usize = 64;

/// A decoded body.
#[derive(Debug)]
pub(super) struct Decoded {
    pub value: Value,
    /// Paths of fields that were given more than once; the last one stands.
    pub duplicates: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Json,
    Yaml,
    Protobuf,
}

impl Syntax {
    /// From a content type; CBOR is refused, upon which clients fall back to JSON.
    pub(super) fn of(content_type: &str) -> Result<Syntax, ApiError> {
        let media = content_type.split(';').next().unwrap_or_default().trim();
        match media {
            ""
            | "application/json"
            | "application/json-patch+json"
            | "application/merge-patch+json"
            | "application/strategic-merge-patch+json" => Ok(Syntax::Json),
            "application/yaml" | "application/apply-patch+yaml" | "text/yaml" => Ok(Syntax::Yaml),
            "application/vnd.kubernetes.protobuf" => Ok(Syntax::Protobuf),
            other => Err(ApiError::unsupported_media(format!(
                "the body of the request was in an unknown format ({other}) - accepted media types include: application/json, application/yaml"
            ))),
        }
    }
}

pub(super) fn decode(bytes: &[u8], syntax: Syntax) -> Result<Decoded, ApiError> {
    let seen = RefCell::new(Seen {
        path: Vec::new(),
        duplicates: Vec::new(),
    });
    let value = match syntax {
        Syntax::Json => {
            let mut reader = serde_json::Deserializer::from_slice(bytes);
            let value = Node(&seen).deserialize(&mut reader);
            value
                .and_then(|value| reader.end().map(|()| value))
                .map_err(|error| error.to_string())
        }
        Syntax::Yaml => decode_yaml(bytes, &seen),
        Syntax::Protobuf => protobuf::decode(bytes),
    };
    let value =
        value.map_err(|error| ApiError::bad_request(format!("error decoding the request body: {error}")))?;
    Ok(Decoded {
        value,
        duplicates: seen.into_inner().duplicates,
    })
}

fn decode_yaml(bytes: &[u8], seen: &RefCell<Seen>) -> Result<Value, String> {
    // Most "YAML" bodies are JSON; its reader is faster and its errors say the same.
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        if let Ok(value) = Node(seen)
            .deserialize(&mut reader)
            .and_then(|value| reader.end().map(|()| value))
        {
            return Ok(value);
        }
        let mut seen = seen.borrow_mut();
        seen.path.clear();
        seen.duplicates.clear();
    }
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let options = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
    };
    serde_saphyr::with_deserializer_from_str_with_options(text, options, |reader| {
        Node(seen).deserialize(reader)
    })
    .map_err(|error| error.to_string())
}

struct Seen {
    path: Vec<String>,
    duplicates: Vec<String>,
}

/// Reads any value, keeping track of where it is.
struct Node<'a>(&'a RefCell<Seen>);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.0.borrow().path.len() > MAX_DEPTH {
            return Err(D::Error::custom(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        deserializer.deserialize_any(self)
    }
}

/// A map key as text; YAML keys may look like numbers.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        String::deserialize(deserializer).map(Key)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            self.0.borrow_mut().path.push(format!("[{}]", items.len()));
            let next = access.next_element_seed(Node(self.0));
            self.0.borrow_mut().path.pop();
            match next? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(Key(key)) = access.next_key()? {
            self.0.borrow_mut().path.push(key.clone());
            let value = access.next_value_seed(Node(self.0));
            let mut seen = self.0.borrow_mut();
            if map.contains_key(&key) && seen.duplicates.len() < MAX_DUPLICATES {
                let path = joined(&seen.path);
                seen.duplicates.push(path);
            }
            seen.path.pop();
            map.insert(key, value?);
        }
        Ok(Value::Object(map))
    }
}

fn joined(path: &[String]) -> String {
    let mut text = String::new();
    for part in path {
        if !text.is_empty() && !part.starts_with('[') {
            text.push('.');
        }
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(text: &str, syntax: Syntax, expected: Value, duplicates: &[&str]) {
        let found = decode(text.as_bytes(), syntax).unwrap();
        assert_eq!(found.value, expected);
        assert_eq!(found.duplicates, duplicates);
    }

    #[test]
    fn duplicates_are_named_by_path_and_the_last_stands() {
        check(r#"{"a":1,"a":2}"#, Syntax::Json, json!({"a": 2}), &["a"]);
        check(
            r#"{"s":{"c":[{"n":1},{"n":1,"n":2}]}}"#,
            Syntax::Json,
            json!({"s": {"c": [{"n": 1}, {"n": 2}]}}),
            &["s.c[1].n"],
        );
        check(
            "s:\n  a: 1\n  a: 2\nl:\n- x: y\n",
            Syntax::Yaml,
            json!({"s": {"a": 2}, "l": [{"x": "y"}]}),
            &["s.a"],
        );
        check(
            "a: '1'\nb: 1\nc: 1.5\nd: true\ne: null\nf: 1Gi\n",
            Syntax::Yaml,
            json!({"a": "1", "b": 1, "c": 1.5, "d": true, "e": null, "f": "1Gi"}),
            &[],
        );
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(decode(b"{", Syntax::Json).is_err());
        assert!(decode(b"{}x", Syntax::Json).is_err());
        assert!(decode(b"a: [", Syntax::Yaml).is_err());
        assert!(decode("[".repeat(100_000).as_bytes(), Syntax::Json).is_err());
        assert!(decode("[".repeat(100_000).as_bytes(), Syntax::Yaml).is_err());
    }
}
