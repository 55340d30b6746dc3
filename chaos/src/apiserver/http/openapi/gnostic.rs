//! An OpenAPI v2 document in the protobuf form of gnostic (`openapi.v2.Document`), which kubectl before 1.27
//! asks for. Field numbers are those of gnostic's `OpenAPIv2.proto`.

use serde_json::{Map, Value};

/// Encodes the document; parts OpenAPI v2 does not know are left out.
pub(super) fn encode(document: &Value) -> Vec<u8> {
    let mut out = Message::default();
    out.text(1, document.get("swagger"));
    out.message(2, |info| {
        info.text(1, document.pointer("/info/title"));
        info.text(2, document.pointer("/info/version"));
    });
    out.message(8, |paths| {
        for (path, item) in entries(document.get("paths")) {
            paths.message(2, |named| {
                named.string(1, path);
                named.message(2, |out| path_item(out, item));
            });
        }
    });
    out.message(9, |definitions| {
        named_schemas(definitions, document.get("definitions"))
    });
    out.0
}

fn path_item(out: &mut Message, item: &Value) {
    for (field, method) in [(2, "get"), (3, "put"), (4, "post"), (5, "delete"), (8, "patch")] {
        if let Some(found) = item.get(method) {
            out.message(field, |out| operation(out, found));
        }
    }
    for found in list(item.get("parameters")) {
        out.message(9, |out| parameter(out, found));
    }
}

fn operation(out: &mut Message, operation: &Value) {
    out.text(3, operation.get("description"));
    out.text(5, operation.get("operationId"));
    for (field, key) in [(6, "produces"), (7, "consumes")] {
        for entry in list(operation.get(key)) {
            out.text(field, Some(entry));
        }
    }
    for found in list(operation.get("parameters")) {
        out.message(8, |out| parameter(out, found));
    }
    out.message(9, |responses| {
        for (code, response) in entries(operation.get("responses")) {
            responses.message(1, |named| {
                named.string(1, code);
                named.message(2, |value| {
                    value.message(1, |out| {
                        out.text(1, response.get("description"));
                        if let Some(found) = response.get("schema") {
                            out.message(2, |item| item.message(1, |out| schema(out, found)));
                        }
                    });
                });
            });
        }
    });
    extensions(out, 13, operation);
}

/// A `ParametersItem`.
fn parameter(out: &mut Message, found: &Value) {
    let place = found.get("in").and_then(Value::as_str).unwrap_or_default();
    out.message(1, |out| {
        if place == "body" {
            out.message(1, |out| {
                out.text(1, found.get("description"));
                out.text(2, found.get("name"));
                out.text(3, found.get("in"));
                out.boolean(4, found.get("required"));
                if let Some(inner) = found.get("schema") {
                    out.message(5, |out| schema(out, inner));
                }
            });
            return;
        }
        let (slot, ty) = if place == "path" { (4, 5) } else { (3, 6) };
        out.message(2, |out| {
            out.message(slot, |out| {
                out.boolean(1, found.get("required"));
                out.text(2, found.get("in"));
                out.text(3, found.get("description"));
                out.text(4, found.get("name"));
                out.text(ty, found.get("type"));
                out.boolean(ty + 14, found.get("uniqueItems"));
            });
        });
    });
}

fn named_schemas(out: &mut Message, schemas: Option<&Value>) {
    for (name, found) in entries(schemas) {
        out.message(1, |named| {
            named.string(1, name);
            named.message(2, |out| schema(out, found));
        });
    }
}

fn schema(out: &mut Message, found: &Value) {
    out.text(1, found.get("$ref"));
    out.text(2, found.get("format"));
    out.text(3, found.get("title"));
    out.text(4, found.get("description"));
    if let Some(default) = found.get("default") {
        out.message(5, |any| any.string(2, &default.to_string()));
    }
    out.double(7, found.get("maximum"));
    out.double(9, found.get("minimum"));
    out.integer(11, found.get("maxLength"));
    out.integer(12, found.get("minLength"));
    out.text(13, found.get("pattern"));
    out.integer(14, found.get("maxItems"));
    out.integer(15, found.get("minItems"));
    out.boolean(16, found.get("uniqueItems"));
    for name in list(found.get("required")) {
        out.text(19, Some(name));
    }
    for value in list(found.get("enum")) {
        out.message(20, |any| any.string(2, &value.to_string()));
    }
    match found.get("additionalProperties") {
        Some(Value::Bool(flag)) => out.message(21, |item| item.boolean(2, Some(&Value::Bool(*flag)))),
        Some(inner) => out.message(21, |item| item.message(1, |out| schema(out, inner))),
        None => {}
    }
    if let Some(ty) = found.get("type") {
        out.message(22, |item| item.text(1, Some(ty)));
    }
    if let Some(inner) = found.get("items") {
        out.message(23, |item| item.message(1, |out| schema(out, inner)));
    }
    if found.get("properties").is_some() {
        out.message(25, |properties| {
            named_schemas(properties, found.get("properties"))
        });
    }
    extensions(out, 31, found);
}

/// `x-…` keys, their values as YAML (of which JSON is a part).
fn extensions(out: &mut Message, field: u32, found: &Value) {
    for (key, value) in entries(Some(found)).filter(|(key, _)| key.starts_with("x-")) {
        out.message(field, |named| {
            named.string(1, key);
            named.message(2, |any| any.string(2, &value.to_string()));
        });
    }
}

fn entries(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// A protobuf message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        loop {
            let [byte, ..] = (value & 0x7f).to_le_bytes();
            value >>= 7;
            if value == 0 {
                self.0.push(byte);
                return;
            }
            self.0.push(byte | 0x80);
        }
    }

    fn tag(&mut self, field: u32, wire: u32) {
        self.varint(u64::from(field << 3 | wire));
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.tag(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn string(&mut self, field: u32, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn text(&mut self, field: u32, value: Option<&Value>) {
        if let Some(text) = value.and_then(Value::as_str).filter(|text| !text.is_empty()) {
            self.string(field, text);
        }
    }

    fn boolean(&mut self, field: u32, value: Option<&Value>) {
        if value.and_then(Value::as_bool) == Some(true) {
            self.tag(field, 0);
            self.varint(1);
        }
    }

    fn integer(&mut self, field: u32, value: Option<&Value>) {
        if let Some(number) = value.and_then(Value::as_u64).filter(|number| *number != 0) {
            self.tag(field, 0);
            self.varint(number);
        }
    }

    fn double(&mut self, field: u32, value: Option<&Value>) {
        if let Some(number) = value.and_then(Value::as_f64) {
            self.tag(field, 1);
            self.0.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn message(&mut self, field: u32, fill: impl FnOnce(&mut Message)) {
        let mut inner = Message::default();
        fill(&mut inner);
        self.bytes(field, &inner.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wire_format() {
        let bytes = encode(
            &json!({"swagger": "2.0", "info": {"title": "T", "version": "v"}, "paths": {}, "definitions": {}}),
        );
        assert_eq!(
            bytes,
            [
                b"\x0a\x032.0".as_slice(),
                b"\x12\x06\x0a\x01T\x12\x01v",
                b"\x42\x00",
                b"\x4a\x00"
            ]
            .concat()
        );
        let mut message = Message::default();
        message.varint(300);
        assert_eq!(message.0, [0xac, 0x02]);
    }
}
