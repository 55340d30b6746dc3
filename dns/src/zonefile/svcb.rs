//! Service parameters (RFC 9460). Those of keys `keyN` whose number has a 9 (§2.1) the library takes for no keys: they are put
//! aside before it reads the data, and in their place after. What the library does not ask of parameters is asked here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str;

use domain::base::iana::Rtype;

use super::fields::after_name;
use super::text;
use super::token::Token;

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;

/// Values by key.
pub(crate) type Params = BTreeMap<u16, Vec<u8>>;

/// A key that is there twice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Twice<'a>(pub(crate) Token<'a>);

/// The words for the library and the parameters that it would refuse.
pub(crate) fn put_aside<'t, 'a>(
    kind: u16,
    tokens: &'t [Token<'a>],
) -> Result<(Cow<'t, [Token<'a>]>, Params), Twice<'a>> {
    let mut params = Params::new();
    if !has_params(kind) || !tokens.iter().any(|token| key_with_9(token).is_some()) {
        return Ok((Cow::Borrowed(tokens), params));
    }
    let mut others = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.iter().peekable();
    while let Some(token) = tokens.next() {
        let Some((key, value)) = key_with_9(token) else {
            others.push(*token);
            continue;
        };
        let mut octets = text::unescape(value.unwrap_or_default());
        if value == Some(b"")
            && let Some(quoted) = tokens.next_if(|next| next.quoted && next.glued)
        {
            octets = text::unescape(quoted.raw);
        }
        if params.insert(key, octets).is_some() {
            return Err(Twice(*token));
        }
    }
    Ok((Cow::Owned(others), params))
}

/// The key of such a parameter, and what follows its `=`.
fn key_with_9<'a>(token: &Token<'a>) -> Option<(u16, Option<&'a [u8]>)> {
    let text = token.raw.strip_prefix(b"key").filter(|_| !token.quoted)?;
    let end = text.iter().position(|octet| *octet == b'=');
    let digits = text.get(..end.unwrap_or(text.len()))?;
    let canonical = digits.iter().all(u8::is_ascii_digit) && digits.first() != Some(&b'0');
    let key = str::from_utf8(digits)
        .ok()
        .filter(|_| canonical && digits.contains(&b'9'))?;
    let value = end.and_then(|end| text.get(end + 1..));
    Some((key.parse().ok()?, value))
}

fn has_params(kind: u16) -> bool {
    kind == Rtype::SVCB.to_int() || kind == Rtype::HTTPS.to_int()
}

/// What is wrong with the parameters together (RFC 9460 §2.4.3, §7.1.1, §7.2, §8), in data of the right form.
pub(crate) fn contradiction(kind: u16, data: &[u8]) -> Option<&'static str> {
    let mut rest = data.get(2..).filter(|_| has_params(kind)).and_then(after_name)?;
    let mut params = Vec::new();
    while let Some((key, value, next)) = next_param(rest) {
        params.push((key, value));
        rest = next;
    }
    let has = |wanted: u16| params.iter().any(|(key, _)| *key == wanted);
    let listed = |value: &[u8]| {
        value
            .chunks_exact(2)
            .all(|key| has(u16::from_be_bytes([key[0], key[1]])))
    };
    params.iter().find_map(|(key, value)| match *key {
        MANDATORY if !listed(value) => Some("mandatory lists a key that is not there"),
        NO_DEFAULT_ALPN if !has(ALPN) => Some("no-default-alpn stands without alpn, which it needs"),
        PORT if value.len() != 2 => Some("port has not 2 octets"),
        _ => None,
    })
}

/// Key and value of the first parameter, and what follows it.
fn next_param(params: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (head, rest) = params.split_first_chunk::<4>()?;
    let [key, length] = [[head[0], head[1]], [head[2], head[3]]].map(u16::from_be_bytes);
    let (value, rest) = rest.split_at_checked(usize::from(length))?;
    Some((key, value, rest))
}

/// The data with the parameters in their place; `None` when one is too long.
pub(crate) fn put_back(data: Vec<u8>, mut params: Params) -> Option<Vec<u8>> {
    if params.is_empty() {
        return Some(data);
    }
    let mut rest = data.get(2..).and_then(after_name)?;
    let mut out = data.get(..data.len() - rest.len())?.to_vec();
    while let Some((key, value, next)) = next_param(rest) {
        params.insert(key, value.to_vec());
        rest = next;
    }
    for (key, value) in params {
        out.extend_from_slice(&key.to_be_bytes());
        out.extend_from_slice(&u16::try_from(value.len()).ok()?.to_be_bytes());
        out.extend_from_slice(&value);
    }
    Some(out)
}
