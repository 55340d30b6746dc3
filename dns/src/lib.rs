//! Authoritative DNS server with health steering
