//! What an observer says of itself, as its configuration file has it. By CEL rules, as for DNS names: a rule has a message.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::dns::rule;

/// From 1 to 65535.
const PORT: &str = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

pub(in crate::api) fn region(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "Its failure domain. Counts in place of the one in its file.",
        "type": "string", "minLength": 1, "maxLength": 63,
        "x-kubernetes-validations": [
            rule("self.matches('^[!-~]+$')", "must be visible ASCII characters without spaces, such as eu-central-1"),
        ],
    })
}

pub(in crate::api) fn consumers(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "Where DNS servers and controllers listen for its evidence: `HOST:PORT`, UDP. The observer takes them in \
                        place of the `consumers` of its file.",
        "type": "array", "maxItems": 64,
        "items": {
            "type": "string", "maxLength": 261,
            "x-kubernetes-validations": [rule(
                &format!("self.matches('^([A-Za-z0-9._-]+|\\\\[[0-9A-Fa-f:.]+\\\\]):{PORT}$')"),
                "must be HOST:PORT with a port from 1 to 65535, such as 192.0.2.1:7443, [2001:db8::1]:7443 or dns.demo.example:7443",
            )],
        },
    })
}
