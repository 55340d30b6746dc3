//! DNS cookies (RFC 7873): a client that shows ours again has not forged its address. The server cookie is the one of RFC 9018,
//! which all servers that share a secret understand.

use std::fmt;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;
use thiserror::Error;

/// EDNS option code (RFC 7873 §4).
pub(crate) const CODE: u16 = 10;
pub(crate) const CLIENT_LEN: usize = 8;
/// A client cookie and the server cookie of RFC 9018 §4.
pub(crate) const WHOLE_LEN: usize = CLIENT_LEN + 16;
const VERSION: u8 = 1;
/// How old, and how far ahead of our clock, a cookie may be (RFC 9018 §4.3).
const MAX_AGE_S: i32 = 3_600;
const MAX_AHEAD_S: i32 = 300;
/// From this age on a client gets a new one (RFC 9018 §4.3).
const RENEW_AGE_S: i32 = 1_800;
const SECRET_LEN: usize = 16;
/// One in use, one that was or will be, and one to spare.
const MAX_SECRETS: usize = 3;

type Secret = [u8; SECRET_LEN];

/// How cookies are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieRules {
    pub secrets: CookieSecrets,
    /// Over UDP, who shows a cookie of a client without a good one of ours gets BADCOOKIE and a good one (RFC 7873 §5.2.3).
    pub enforce: bool,
}

/// The secrets that server cookies are made with: the first makes them, all of them are believed (RFC 9018 §5).
#[derive(Clone, PartialEq, Eq)]
pub struct CookieSecrets {
    current: Secret,
    others: Vec<Secret>,
}

/// Why a file of secrets cannot be used. Never says what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CookieSecretsError {
    #[error("line {line}: is no secret; allowed are 32 hexadecimal digits")]
    NotHexadecimal { line: usize },
    #[error("has no secret; one line of 32 hexadecimal digits is needed")]
    Empty,
    #[error("has {0} secrets; 1 to {MAX_SECRETS} are allowed")]
    TooMany(usize),
}

impl fmt::Debug for CookieSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CookieSecrets({})", 1 + self.others.len())
    }
}

/// What a query showed of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieSeen {
    /// None, or cookies are off.
    None,
    /// A client's alone: it has yet to learn ours.
    Client,
    /// Ours, made for this client within the last hour.
    Good,
    /// A server cookie that is not ours, or not any more.
    Bad,
}

/// A well-formed option of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown<'a> {
    client: [u8; CLIENT_LEN],
    server: &'a [u8],
}

/// Reads the option's data (RFC 7873 §4): 8 octets of the client, then none or 8 to 32 of a server. `None` where it is malformed.
pub(crate) fn read(data: &[u8]) -> Option<Shown<'_>> {
    let (client, server) = data.split_first_chunk::<CLIENT_LEN>()?;
    matches!(server.len(), 0 | 8..=32).then_some(Shown {
        client: *client,
        server,
    })
}

impl CookieSecrets {
    /// Reads the text of a file: a secret a line as 32 hexadecimal digits, the one in use first. Empty lines and lines that begin
    /// with `#` are for people.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, CookieSecretsError> {
        let lines = text.lines().map(str::trim).enumerate();
        let given = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let secrets = given
            .map(|(index, line)| secret(line).ok_or(CookieSecretsError::NotHexadecimal { line: index + 1 }))
            .collect::<Result<Vec<Secret>, _>>()?;
        match secrets.split_first() {
            None => Err(CookieSecretsError::Empty),
            Some(_) if secrets.len() > MAX_SECRETS => Err(CookieSecretsError::TooMany(secrets.len())),
            Some((current, others)) => Ok(Self {
                current: *current,
                others: others.to_vec(),
            }),
        }
    }

    /// What is to be thought of a cookie, and the one to answer with: the same while it is fresh, or else a new one.
    pub(crate) fn judge(
        &self,
        shown: &Shown<'_>,
        client: IpAddr,
        unix_s: u32,
    ) -> (CookieSeen, [u8; WHOLE_LEN]) {
        let made = || self.made(shown.client, client, unix_s);
        if shown.server.is_empty() {
            return (CookieSeen::Client, made());
        }
        match self.known(shown, client, unix_s) {
            None => (CookieSeen::Bad, made()),
            Some((whole, true)) => (CookieSeen::Good, whole),
            Some((_, false)) => (CookieSeen::Good, made()),
        }
    }

    /// A new cookie.
    fn made(&self, cookie: [u8; CLIENT_LEN], client: IpAddr, unix_s: u32) -> [u8; WHOLE_LEN] {
        let mut whole = [0; WHOLE_LEN];
        whole[..8].copy_from_slice(&cookie);
        whole[8] = VERSION;
        whole[12..16].copy_from_slice(&unix_s.to_be_bytes());
        let hash = hash(&self.current, &whole, client);
        whole[16..].copy_from_slice(&hash);
        whole
    }

    /// The cookie, and whether it may go on being used; `None` where it is not ours, or not of the last hour.
    fn known(&self, shown: &Shown<'_>, client: IpAddr, unix_s: u32) -> Option<([u8; WHOLE_LEN], bool)> {
        let server: &[u8; WHOLE_LEN - CLIENT_LEN] = shown.server.try_into().ok()?;
        let made_s = u32::from_be_bytes([server[4], server[5], server[6], server[7]]);
        // RFC 1982 arithmetic: what wraps is no further apart.
        let age_s = unix_s.wrapping_sub(made_s).cast_signed();
        if server[0] != VERSION || !(-MAX_AHEAD_S..=MAX_AGE_S).contains(&age_s) {
            return None;
        }
        let mut whole = [0; WHOLE_LEN];
        whole[..CLIENT_LEN].copy_from_slice(&shown.client);
        whole[CLIENT_LEN..].copy_from_slice(server);
        let is_by = |secret: &Secret| hash(secret, &whole, client) == whole[16..];
        let current = is_by(&self.current);
        let fresh = current && age_s <= RENEW_AGE_S && server[1..4] == [0; 3];
        (current || self.others.iter().any(is_by)).then_some((whole, fresh))
    }
}

/// SipHash-2-4 over the client cookie, version, reserved octets, timestamp and the client's address (RFC 9018 §4.4).
fn hash(secret: &Secret, whole: &[u8; WHOLE_LEN], client: IpAddr) -> [u8; 8] {
    let mut input = [0; 32];
    input[..16].copy_from_slice(&whole[..16]);
    let length = match client.to_canonical() {
        IpAddr::V4(address) => {
            input[16..20].copy_from_slice(&address.octets());
            20
        }
        IpAddr::V6(address) => {
            input[16..].copy_from_slice(&address.octets());
            32
        }
    };
    SipHasher24::new_with_key(secret)
        .hash(&input[..length])
        .to_le_bytes()
}

fn secret(digits: &str) -> Option<Secret> {
    let digits: &[u8; 2 * SECRET_LEN] = digits.as_bytes().try_into().ok()?;
    let mut secret = [0; SECRET_LEN];
    for (octet, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
        let value = |digit: u8| {
            char::from(digit)
                .to_digit(16)
                .and_then(|value| u8::try_from(value).ok())
        };
        *octet = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(secret)
}

#[cfg(test)]
mod tests;
