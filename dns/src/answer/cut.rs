//! A response made short after the fact, for who is not to be sent more.

use super::Reply;
use crate::wire::{HEADER_LEN, flag, u16_at};

/// Takes all records out of a response but OPT, and sets TC. A cookie that was granted stays, so that the client can show it.
pub(crate) fn cut(out: &mut [u8], reply: &Reply) -> Reply {
    let question_end = reply.question_end.min(reply.len);
    let opt_at = reply.len.saturating_sub(reply.opt_len).max(question_end);
    out.copy_within(opt_at..reply.len, question_end);
    let flags = u16_at(out, 2).unwrap_or(0) | flag::TC;
    if let Some(header) = out.get_mut(2..HEADER_LEN) {
        header[..2].copy_from_slice(&flags.to_be_bytes());
        // Answer and authority are empty; of the additional section OPT is left.
        header[4..8].fill(0);
        header[8..10].copy_from_slice(&u16::from(reply.opt_len > 0).to_be_bytes());
    }
    Reply {
        len: question_end + (reply.len - opt_at),
        truncated: true,
        ..*reply
    }
}
