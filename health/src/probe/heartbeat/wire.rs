//! Beats and challenges as bytes. Numbers are big-endian.
//!
//! ```text
//! beat       "LBH1" 1 flags:u8 boot:u64 seq:u64 nonce:16 length:u8 agent tag:32
//! challenge  "LBH1" 2          boot:u64 seq:u64 nonce:16                 tag:32
//! ```

use ring::hmac;

pub(super) const NONCE_BYTES: usize = 16;
pub(super) type Nonce = [u8; NONCE_BYTES];
const TAG_BYTES: usize = 32;
const MOST_NAME_BYTES: usize = 63;
pub(super) const MOST_BYTES: usize = 6 + 16 + NONCE_BYTES + 1 + MOST_NAME_BYTES + TAG_BYTES;
const LEAST_KEY_BYTES: usize = 32;

const BEAT: &[u8] = b"LBH1\x01";
const CHALLENGE: &[u8] = b"LBH1\x02";
const STOPPING: u8 = 1;

/// "I am here", from an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beat<'a> {
    pub(super) agent: &'a str,
    /// Random, of one start of the agent.
    pub(super) boot: u64,
    /// Rises with every beat.
    pub(super) seq: u64,
    /// As the observer gave it; zeros before.
    pub(super) nonce: Nonce,
    pub(super) stopping: bool,
    signed: &'a [u8],
    tag: &'a [u8],
}

/// "Say so with this", from an observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) boot: u64,
    pub(super) seq: u64,
    pub(super) nonce: Nonce,
}

/// The key in a file; spaces and line ends around it do not count.
///
/// # Errors
/// It is too short to be one.
pub(super) fn key(file: &[u8]) -> Result<hmac::Key, String> {
    let key = file.trim_ascii();
    if key.len() < LEAST_KEY_BYTES {
        return Err(format!("a key of {} bytes: allowed are 32 or more", key.len()));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, key))
}

impl<'a> Beat<'a> {
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Beat<'a>> {
        if bytes.len() > MOST_BYTES {
            return None;
        }
        let (signed, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
        let (flags, rest) = signed.strip_prefix(BEAT)?.split_first()?;
        let (boot, rest) = rest.split_first_chunk()?;
        let (seq, rest) = rest.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (length, agent) = rest.split_first()?;
        if usize::from(*length) != agent.len() {
            return None;
        }
        Some(Beat {
            agent: std::str::from_utf8(agent).ok()?,
            boot: u64::from_be_bytes(*boot),
            seq: u64::from_be_bytes(*seq),
            nonce: *nonce,
            stopping: flags & STOPPING != 0,
            signed,
            tag,
        })
    }

    pub(super) fn is_signed_by(&self, key: &hmac::Key) -> bool {
        hmac::verify(key, self.signed, self.tag).is_ok()
    }
}

/// A beat as bytes. `agent` has at most 63 bytes.
pub(super) fn encode_beat(
    agent: &str,
    (boot, seq): (u64, u64),
    nonce: &Nonce,
    stopping: bool,
    key: &hmac::Key,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MOST_BYTES);
    bytes.extend_from_slice(BEAT);
    bytes.push(if stopping { STOPPING } else { 0 });
    bytes.extend_from_slice(&boot.to_be_bytes());
    bytes.extend_from_slice(&seq.to_be_bytes());
    bytes.extend_from_slice(nonce);
    bytes.push(u8::try_from(agent.len()).unwrap_or_default());
    bytes.extend_from_slice(agent.as_bytes());
    sign(bytes, key)
}

impl Challenge {
    pub(super) fn encode(&self, key: &hmac::Key) -> Vec<u8> {
        let mut bytes = CHALLENGE.to_vec();
        bytes.extend_from_slice(&self.boot.to_be_bytes());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.nonce);
        sign(bytes, key)
    }

    /// `None` unless the key signed it.
    pub(super) fn decode(bytes: &[u8], key: &hmac::Key) -> Option<Challenge> {
        let (signed, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
        hmac::verify(key, signed, tag).ok()?;
        let (boot, rest) = signed.strip_prefix(CHALLENGE)?.split_first_chunk()?;
        let (seq, rest) = rest.split_first_chunk()?;
        Some(Challenge {
            boot: u64::from_be_bytes(*boot),
            seq: u64::from_be_bytes(*seq),
            nonce: rest.try_into().ok()?,
        })
    }
}

fn sign(mut bytes: Vec<u8>, key: &hmac::Key) -> Vec<u8> {
    let tag = hmac::sign(key, &bytes);
    bytes.extend_from_slice(tag.as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn a_key(fill: u8) -> hmac::Key {
        key(&[fill; 32]).unwrap()
    }

    #[test]
    fn both_ways() {
        let bytes = encode_beat("eu-1", (7, 9), &[3; 16], true, &a_key(b'k'));
        let beat = Beat::decode(&bytes).unwrap();
        assert_eq!(
            (beat.agent, beat.boot, beat.seq, beat.nonce, beat.stopping),
            ("eu-1", 7, 9, [3; 16], true)
        );
        assert!(beat.is_signed_by(&a_key(b'k')) && !beat.is_signed_by(&a_key(b'l')));
        let challenge = Challenge {
            boot: 7,
            seq: 9,
            nonce: [4; 16],
        };
        let sent = challenge.encode(&a_key(b'k'));
        assert!(sent.len() < bytes.len(), "an answer must not be longer");
        assert_eq!(Challenge::decode(&sent, &a_key(b'k')), Some(challenge));
        assert_eq!(Challenge::decode(&sent, &a_key(b'l')), None);
    }

    #[test]
    fn short_keys_are_refused() {
        assert!(key(b"secret\n").unwrap_err().contains("6 bytes"));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200), known: bool) {
            let bytes = if known { [BEAT, &bytes].concat() } else { bytes };
            let _ = Beat::decode(&bytes);
            let _ = Challenge::decode(&bytes, &a_key(b'k'));
        }
    }
}
