mod bench;
mod faults;
mod gray;
mod lab;
mod overrides;
mod probing;
mod roster;
mod rules;
