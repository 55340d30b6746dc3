//! Responses made short.

use super::*;
use crate::answer::cut::cut;

/// RFC 2181 §9: a response that was cut has its question and OPT, TC, and nothing else; what it was does not matter.
#[test]
fn a_cut_response_is_a_truncated_one() {
    for (name, edns) in [
        ("shop.demo.example.", true),
        ("shop.demo.example.", false),
        ("absent.demo.example.", true),
        ("example.org.", false),
    ] {
        let mut query = question(name, RecordType::A);
        if edns {
            query = with_edns(query, 1232);
        }
        let (outcome, mut out) = Bench::new().raw(&query.to_vec().unwrap(), Transport::Udp, 0);
        let Outcome::Reply(whole) = outcome else {
            panic!("no reply")
        };
        let before = Message::from_vec(&out).unwrap();
        let short = cut(&mut out, &whole);
        assert!(short.truncated && short.len <= whole.len);
        let after = Message::from_vec(&out[..short.len]).unwrap();
        assert!(after.metadata.truncation);
        assert_eq!(after.queries, before.queries);
        assert_eq!(after.edns, before.edns);
        assert_eq!(after.metadata.response_code, before.metadata.response_code);
        assert_eq!(
            (
                after.answers.len(),
                after.authorities.len(),
                after.additionals.len()
            ),
            (0, 0, 0)
        );
    }
    // A header alone stays one.
    let (outcome, mut out) = Bench::new().raw(&[0; 12], Transport::Udp, 0);
    let Outcome::Reply(whole) = outcome else {
        panic!("no reply")
    };
    assert_eq!(cut(&mut out, &whole).len, 12);
}
