//! Service parameters `keyN` whose number has a 9 (RFC 9460 §2.1), which the library takes for no key: they are put
//! aside before it reads the data, and in their place after.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str;

use domain::base::iana::Rtype;

use super::fields::after_name;
use super::text;
use super::token::Token;

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
    let is_svcb = kind == Rtype::SVCB.to_int() || kind == Rtype::HTTPS.to_int();
    if !is_svcb || !tokens.iter().any(|token| key_with_9(token).is_some()) {
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

/// The data with the parameters in their place; `None` when one is too long.
pub(crate) fn put_back(data: Vec<u8>, mut params: Params) -> Option<Vec<u8>> {
    if params.is_empty() {
        return Some(data);
    }
    let mut rest = data.get(2..).and_then(after_name)?;
    let mut out = data.get(..data.len() - rest.len())?.to_vec();
    while let Some((head, tail)) = rest.split_first_chunk::<4>() {
        let [key, length] = [[head[0], head[1]], [head[2], head[3]]].map(u16::from_be_bytes);
        let (value, next) = tail.split_at_checked(usize::from(length))?;
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
