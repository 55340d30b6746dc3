mod bench;
mod faults;
mod lab;
mod rules;
