//! HTTPS and SVCB records (RFC 9460) of a steered name, as a plan states them: `https: {alpn: [h2, h3], alternates: 2}`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Records whose hints are the addresses that the name's filters choose for the client, with the name itself as their target. Numbers are
/// taken whatever they are, and refused with the name and field of a plan that they stand in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceInput {
    /// Protocols by their ALPN ids (RFC 9460 §7.1), such as `h2` and `h3`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alpn: Vec<String>,
    /// Takes away the protocol that clients assume beside those of `alpn` (RFC 9460 §7.1); of HTTPS that is `http/1.1`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_default_alpn: bool,
    /// The port, where it is not the one that clients would take (RFC 9460 §7.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u16>", range(min = 1))]
    pub port: Option<i64>,
    /// The ECHConfigList of Encrypted Client Hello (RFC 9848 §3) in base64, of all clusters alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ech: Option<String>,
    /// Keys that a client must understand to use the records (RFC 9460 §8).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mandatory: Vec<ServiceKey>,
    /// How many records of other clusters follow, each with a priority after the one before (RFC 9460 §2.4.1): where a client goes
    /// that cannot connect, before the TTL ends. The target of a cluster is the name with the cluster's before it, which has A and
    /// AAAA records of that cluster alone. Without it, 1 where the name has several clusters and is no wildcard; 0: none, and no
    /// such names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u8>", range(max = 8))]
    pub alternates: Option<i64>,
}

/// A key that does not come and go with the health of clusters, as hints do (RFC 9460 §14.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceKey {
    Alpn,
    NoDefaultAlpn,
    Port,
    Ech,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}
