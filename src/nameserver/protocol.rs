//! The settings of the protocol: what the configuration says, and the secrets of cookies from their file.

use lifeboat_dns::{CookieRules, CookieSecrets, Protocol};

use super::config::{CookieEntry, DnsFile};

/// The settings to speak with from now on, and what of them could not be read: there, what was in force stays.
pub(super) fn protocol(file: &DnsFile, held: &Protocol) -> (Protocol, Option<String>) {
    let (cookies, problem) = match file.cookies.as_ref().map(cookies).transpose() {
        Ok(cookies) => (cookies, None),
        Err(told) => (held.cookies.clone(), Some(told)),
    };
    // Mistakes in these have refused the file.
    let protocol = Protocol {
        cookies,
        rate_limit: file.rate_limit.as_ref().and_then(|entry| entry.rules().ok()),
        identity: file.identity.identity().unwrap_or_default(),
        keepalive_tenths: file
            .tcp_keepalive_seconds
            .map(|seconds| seconds.saturating_mul(10)),
    };
    (protocol, problem)
}

fn cookies(entry: &CookieEntry) -> Result<CookieRules, String> {
    let CookieEntry {
        secrets_file,
        enforce,
    } = entry;
    let told = |error: String| format!("cookies.secretsFile: {}: {error}", secrets_file.display());
    let text = std::fs::read_to_string(secrets_file).map_err(|error| told(error.to_string()))?;
    Ok(CookieRules {
        secrets: CookieSecrets::parse(&text).map_err(|error| told(error.to_string()))?,
        enforce: *enforce,
    })
}
