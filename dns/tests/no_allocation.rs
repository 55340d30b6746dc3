//! The answer path allocates nothing: counted by an allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};

mod support;

use hickory_proto::rr::RecordType;
use lifeboat_dns::{Catalog, GateTable, Outcome, QueryMeta, Scratch, Transport, answer};
use lifeboat_health::MonoTime;
use support::{plan, query};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[allow(unsafe_code, reason = "only an allocator sees allocations")]
// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are the ones `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_answer_path_allocates_nothing() {
    let gates = GateTable::new();
    let (catalog, _) = Catalog::default().applied(&plan(1)).unwrap();
    let snapshot = catalog.build(&gates).unwrap();
    let mut scratch = Scratch::new();
    scratch.fit(&snapshot);
    let names = [
        "shop.demo.example.",
        "demo.example.",
        "absent.demo.example.",
        "a.b.c.absent.demo.example.",
        "example.",
    ];
    let kinds = [
        RecordType::A,
        RecordType::AAAA,
        RecordType::SOA,
        RecordType::NS,
        RecordType::ANY,
    ];
    let packets: Vec<Vec<u8>> = names
        .iter()
        .flat_map(|name| kinds.iter().map(|kind| query(name, *kind, 1)))
        .collect();
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut out = [0; 1232];
    let before = ALLOCATIONS.with(Cell::get);
    for draw in 0..100 {
        for packet in &packets {
            let meta = QueryMeta {
                client: local,
                local,
                transport: Transport::Udp,
                now: MonoTime::ZERO,
                draw,
            };
            let outcome = answer(&mut scratch, packet, &meta, &snapshot, &gates, &mut out);
            assert!(matches!(outcome, Outcome::Reply(_)));
        }
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
}
