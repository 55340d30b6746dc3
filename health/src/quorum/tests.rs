mod bench;
mod faults;
mod gray;
mod lab;
mod overrides;
mod roster;
mod rules;
