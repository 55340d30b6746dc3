//! What the kernel says of processes and threads: processor time and memory.

use std::fs::{read_dir, read_to_string};
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::time::{ClockId, clock_gettime};

/// Processor time of a process so far, in the kernel and out of it.
pub(crate) fn processor(process: u32) -> Duration {
    let stat = read_to_string(format!("/proc/{process}/stat")).expect("a process that runs");
    // The second field is a name in brackets, that may hold anything.
    let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().expect("ticks"))
        .sum();
    Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64)
}

/// The largest resident set of a process so far, in megabytes.
pub(crate) fn peak_memory_mb(process: u32) -> f64 {
    let status = read_to_string(format!("/proc/{process}/status")).expect("a process that runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes: f64 = kilobytes.and_then(|n| n.parse().ok()).expect("kilobytes");
    kilobytes * 1_024.0 / 1e6
}

/// Processor time so far of this process's thread of that name.
pub(crate) fn thread_processor(name: &str) -> Duration {
    let threads = read_dir("/proc/self/task").expect("threads");
    let thread = threads
        .flatten()
        .map(|thread| thread.path())
        .find(|path| read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name))
        .unwrap_or_else(|| panic!("no thread {name}"));
    let spent = read_to_string(thread.join("schedstat")).expect("what it spent");
    let nanoseconds = spent.split_whitespace().next().and_then(|n| n.parse().ok());
    Duration::from_nanos(nanoseconds.expect("nanoseconds"))
}

/// Processor time that this thread spends on `work`, and what comes of it.
pub(crate) fn spent<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let before = own_processor();
    let done = work();
    (own_processor() - before, done)
}

fn own_processor() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("a time since the thread's start")
}
