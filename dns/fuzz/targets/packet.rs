#![no_main]

#[path = "../packet.rs"]
mod packet;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| packet::packet(octets));
