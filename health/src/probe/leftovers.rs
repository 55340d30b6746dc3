//! What programs leave running is killed, also what left their process group (`setsid`): Linux hands it to this process, as
//! the reaper of its descendants, and it is found in /proc by its parent.
//!
//! ```text
//! a program ends ──> its group is killed ──wake──> thread: /proc ──> our children that are no programs ──> they and their trees
//! ```
//! Programs are the only children that this process starts in groups of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpgrp, getpid, kill_process_group, pidfd_open, pidfd_send_signal,
    waitpid,
};
use tokio::process::{Child, Command};

/// How often at most is looked again for what started while others were killed.
const MOST_ROUNDS: u32 = 16;
/// Of so many processes at most is looked at.
const MOST_PROCESSES: usize = 65_536;

static PROGRAMS: Mutex<Programs> = Mutex::new(Programs {
    running: BTreeSet::new(),
    ended: BTreeSet::new(),
});
static LOOK: Mutex<bool> = Mutex::new(false);
static WAKE: Condvar = Condvar::new();

/// The processes of the programs themselves.
struct Programs {
    running: BTreeSet<i32>,
    /// Not yet waited for, maybe; that is for who started them.
    ended: BTreeSet<i32>,
}

/// A program. Whatever is left of it is killed when this is dropped.
pub(super) struct Running(Option<Pid>);

impl Running {
    /// Starts it in a process group of its own.
    pub(super) fn start(command: &mut Command) -> io::Result<(Child, Running)> {
        adopt();
        // What is not among the programs while this is held is none.
        let mut programs = PROGRAMS.lock();
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid.map(Pid::as_raw_pid) {
            programs.ended.remove(&pid);
            programs.running.insert(pid);
        }
        Ok((child, Running(pid)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(pid) = self.0 else { return };
        // Nobody is left, mostly.
        let _ = kill_process_group(pid, Signal::KILL);
        let mut programs = PROGRAMS.lock();
        programs.running.remove(&pid.as_raw_pid());
        programs.ended.insert(pid.as_raw_pid());
        drop(programs);
        *LOOK.lock() = true;
        WAKE.notify_one();
    }
}

/// From the first program on, this process inherits what programs leave behind.
fn adopt() {
    static ADOPTS: OnceLock<()> = OnceLock::new();
    ADOPTS.get_or_init(|| {
        #[cfg(target_os = "linux")]
        let inherits = rustix::process::set_child_subreaper(Some(getpid())).map_err(io::Error::from);
        #[cfg(not(target_os = "linux"))]
        let inherits: io::Result<()> = Err(io::ErrorKind::Unsupported.into());
        let looks = || std::thread::Builder::new().name("leftovers".to_owned()).spawn(look);
        if let Err(error) = inherits.and_then(|()| looks()) {
            tracing::warn!(%error, "what programs leave running outside of their process group is not killed");
        }
    });
}

fn look() {
    loop {
        let mut due = LOOK.lock();
        while !*due {
            WAKE.wait(&mut due);
        }
        *due = false;
        drop(due);
        for round in 0..MOST_ROUNDS {
            if !sweep() {
                break;
            }
            // What was killed takes a moment to end.
            let mut due = LOOK.lock();
            let _ = WAKE.wait_for(&mut due, Duration::from_millis(2 << round.min(7)));
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Process {
    pid: i32,
    parent: i32,
    group: i32,
    /// In ticks since the machine's start.
    start: u64,
    ended: bool,
}

/// Kills what is left; whether there was anything, or may be.
fn sweep() -> bool {
    let all = processes();
    let mut programs = PROGRAMS.lock();
    let (own, group) = (getpid().as_raw_pid(), getpgrp().as_raw_pid());
    let ours: BTreeMap<i32, &Process> = all
        .iter()
        .filter(|process| process.parent == own)
        .map(|process| (process.pid, process))
        .collect();
    // One that was killed a moment ago may still have its children, or have had them when they were looked at.
    let ended = programs.ended.clone();
    programs.ended.retain(|pid| ours.contains_key(pid));
    let ending = |pid| ours.get(pid).is_some_and(|process| !process.ended);
    let starts: Vec<u64> = programs
        .running
        .iter()
        .filter_map(|pid| Some(ours.get(pid)?.start))
        .collect();
    // It may be of a program that still runs, if that began before it: then it waits for that one's end.
    let left = |process: &&&Process| {
        process.group != group
            && !programs.running.contains(&process.pid)
            && !programs.ended.contains(&process.pid)
            && starts.iter().all(|start| *start > process.start)
    };
    let mut doomed: Vec<&Process> = ours.values().filter(left).copied().collect();
    doomed.extend(all.iter().filter(|process| ended.contains(&process.parent)));
    let mut at = 0;
    while let Some(parent) = doomed.get(at).map(|process| process.pid) {
        doomed.extend(all.iter().filter(|process| process.parent == parent));
        at += 1;
    }
    for process in &doomed {
        end(process, own);
    }
    !doomed.is_empty() || programs.ended.iter().any(ending)
}

/// Parents come first, so that none starts its children again.
fn end(process: &Process, own: i32) {
    let Some(pid) = Pid::from_raw(process.pid) else {
        return;
    };
    if process.ended {
        if process.parent == own {
            // Inherited, and nobody else waits for it.
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
        return;
    }
    // The number may be another's by now; with the descriptor open it stays whose it is.
    let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    if read(process.pid).is_some_and(|now| now.start == process.start) {
        let _ = pidfd_send_signal(&descriptor, Signal::KILL);
    }
}

fn processes() -> Vec<Process> {
    let Ok(folder) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.take(MOST_PROCESSES).filter_map(read).collect()
}

fn read(pid: i32) -> Option<Process> {
    parse(pid, &std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// See proc_pid_stat(5). The second field is a name, in which anything may be.
fn parse(pid: i32, stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
        ended: matches!(*fields.first()?, "Z" | "X"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "7 (a) Z (b) S 1 6 5 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 4321 0 0";
        let found = Process {
            pid: 7,
            parent: 1,
            group: 6,
            start: 4_321,
            ended: false,
        };
        assert_eq!(parse(7, stat), Some(found));
        assert_eq!(parse(7, "7 (a"), None);
    }
}
