//! DNS names and addresses. They are checked by CEL rules instead of a `pattern`, because a rule has a message:
//! an API server answers a value that fails a pattern with the regular expression and nothing else.
//!
//! API servers bound what a rule may cost by the `maxLength` and `maxItems` around it, so each has one.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// 253 characters and a dot at the end.
const MAX_NAME_CHARS: u32 = 254;
const MAX_LABEL_CHARS: u32 = 63;
const MAX_ADDRESSES: u32 = 16;
/// More than an address has, so that a host name in its place is told what belongs there, not that it is too long.
const MAX_ADDRESS_CHARS: u32 = 64;

const OCTET: &str = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";

/// A name of labels of letters, digits, hyphens and underscores; a dot at the end is allowed.
pub(in crate::api) fn dns_name(_: &mut SchemaGenerator) -> Schema {
    name(
        "A DNS name of labels of letters, digits, hyphens and underscores.",
        "must be a DNS name of letters, digits, hyphens and underscores, with single dots between its labels, \
         such as shop.demo.example",
    )
}

/// The mailbox in a start of authority (RFC 1035 section 3.3.13).
pub(in crate::api) fn mailbox(_: &mut SchemaGenerator) -> Schema {
    name(
        "A mailbox in the form of a DNS name.",
        "must be a mailbox in the form of a DNS name, with a dot for the at sign, such as hostmaster.demo.example",
    )
}

fn name(description: &str, message: &str) -> Schema {
    json_schema!({
        "description": description,
        "type": "string", "maxLength": MAX_NAME_CHARS,
        "x-kubernetes-validations": [
            rule("self.matches('^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*[.]?$')", message),
            rule(
                "!self.matches('(^|[.])-|-([.]|$)')",
                "must be a DNS name in which no label, the part between two dots, begins or ends with a hyphen",
            ),
            rule(
                &format!("!self.matches('[^.]{{{}}}')", MAX_LABEL_CHARS + 1),
                &format!("must be a DNS name in which no label, the part between two dots, has more than {MAX_LABEL_CHARS} characters"),
            ),
        ],
    })
}

/// IPv4 and IPv6 addresses (RFC 4291 section 2.2, without IPv4 inside IPv6).
pub(in crate::api) fn addresses(_: &mut SchemaGenerator) -> Schema {
    let v4 = format!("self.matches('^({OCTET}[.]){{3}}{OCTET}$')");
    let whole = "self.matches('^([0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}$')";
    // One `::`, which stands for at least one of eight groups.
    let shortened = "self.matches('^([0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4})*)?::([0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4})*)?$') && \
                     self.matches('^(:*[0-9A-Fa-f]{1,4}){0,7}:*$')";
    json_schema!({
        "description": "IPv4 and IPv6 addresses.",
        "type": "array", "maxItems": MAX_ADDRESSES,
        "items": {
            "type": "string", "maxLength": MAX_ADDRESS_CHARS,
            "x-kubernetes-validations": [rule(
                &format!("{v4} || {whole} || ({shortened})"),
                "must be an IPv4 address such as 192.0.2.1 or an IPv6 address such as 2001:db8::1",
            )],
        },
    })
}

pub(super) fn rule(rule: &str, message: &str) -> Value {
    json!({ "rule": rule, "message": message })
}
