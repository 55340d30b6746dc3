//! One run: a world, its faults, a safety phase and a liveness phase.

use super::queue::Queue;
use super::trace::Trace;

/// What happens in a simulation. All randomness is drawn from the seed that made the world.
pub trait World {
    type Event;
    type Fault;

    /// An event of the world's own making is due.
    fn handle(&mut self, event: Self::Event, sim: &mut Sim<Self::Event>);
    /// A fault begins or, with `begins` false, ends.
    fn fault(&mut self, fault: &Self::Fault, begins: bool, sim: &mut Sim<Self::Event>);
    /// Every fault is over; from here on the world must come right again.
    fn calm(&mut self, sim: &mut Sim<Self::Event>);
    /// Asked after each event.
    fn progress(&self) -> Progress;
}

/// Whether a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Going,
    /// Nothing is left to wait for.
    Settled,
    /// An invariant is broken.
    Broken,
}

/// A fault and when it is in force, in microseconds from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed<F> {
    pub from_us: u64,
    pub until_us: u64,
    pub fault: F,
}

/// When the phases end, in microseconds from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phases {
    /// End of the safety phase, and with it of every fault.
    pub calm_us: u64,
    /// The run ends here at the latest.
    pub end_us: u64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub progress: Progress,
    pub at_us: u64,
    pub hash: u64,
    pub events: u64,
}

/// Virtual time, what is due, and the trace: what a world works with.
#[derive(Debug)]
pub struct Sim<E> {
    pub trace: Trace,
    now_us: u64,
    queue: Queue<Entry<E>>,
}

#[derive(Debug)]
enum Entry<E> {
    Own(E),
    Fault(usize, bool),
    Calm,
    End,
}

impl<E> Sim<E> {
    pub fn new(trace: Trace) -> Sim<E> {
        Sim {
            trace,
            now_us: 0,
            queue: Queue::default(),
        }
    }

    /// Microseconds since the start.
    pub fn now_us(&self) -> u64 {
        self.now_us
    }

    /// Let an event happen at a time; one that is past is due at once.
    pub fn at(&mut self, at_us: u64, event: E) {
        self.queue.push(at_us.max(self.now_us), Entry::Own(event));
    }

    /// Let an event happen after a while.
    pub fn after(&mut self, us: u64, event: E) {
        self.at(self.now_us + us, event);
    }
}

/// Runs a world whose first events are in `sim` already, to its end.
pub fn run<W: World>(
    world: &mut W,
    sim: &mut Sim<W::Event>,
    faults: &[Timed<W::Fault>],
    phases: Phases,
) -> Ended {
    for (index, timed) in faults.iter().enumerate() {
        if timed.from_us < phases.calm_us {
            let until = timed.until_us.min(phases.calm_us);
            sim.queue.push(timed.from_us, Entry::Fault(index, true));
            sim.queue
                .push(until.max(timed.from_us), Entry::Fault(index, false));
        }
    }
    sim.queue.push(phases.calm_us, Entry::Calm);
    sim.queue.push(phases.end_us, Entry::End);
    let mut events = 0;
    let mut progress = Progress::Going;
    while progress == Progress::Going {
        let Some((at_us, entry)) = sim.queue.pop() else {
            break;
        };
        sim.now_us = at_us;
        events += 1;
        match entry {
            Entry::Own(event) => world.handle(event, sim),
            Entry::Fault(index, begins) => {
                if let Some(timed) = faults.get(index) {
                    sim.trace.note(index as u64 * 2 + u64::from(begins));
                    world.fault(&timed.fault, begins, sim);
                }
            }
            Entry::Calm => world.calm(sim),
            Entry::End => break,
        }
        progress = world.progress();
    }
    sim.trace.note(sim.now_us);
    Ended {
        progress,
        at_us: sim.now_us,
        hash: sim.trace.hash(),
        events,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts its own ticks while no fault holds it, and is broken when a fault outlives the calm.
    #[derive(Default)]
    struct Ticker {
        ticks: u64,
        held: u32,
        calm: bool,
    }

    impl World for Ticker {
        type Event = ();
        type Fault = &'static str;

        fn handle(&mut self, (): (), sim: &mut Sim<()>) {
            self.ticks += u64::from(self.held == 0);
            sim.trace.note(self.ticks);
            sim.after(1_000, ());
        }

        fn fault(&mut self, fault: &&'static str, begins: bool, sim: &mut Sim<()>) {
            self.held = if begins { self.held + 1 } else { self.held - 1 };
            sim.trace.line(sim.now_us(), || {
                format!("{fault} {}", if begins { "+" } else { "-" })
            });
        }

        fn calm(&mut self, _sim: &mut Sim<()>) {
            self.calm = true;
        }

        fn progress(&self) -> Progress {
            match (self.calm, self.held, self.ticks) {
                (true, 1.., _) => Progress::Broken,
                (true, 0, 50..) => Progress::Settled,
                _ => Progress::Going,
            }
        }
    }

    fn tick(faults: &[Timed<&'static str>], end_us: u64) -> (Ended, Vec<String>) {
        let mut sim = Sim::new(Trace::with_text());
        sim.at(0, ());
        let phases = Phases {
            calm_us: 30_000,
            end_us,
        };
        let ended = run(&mut Ticker::default(), &mut sim, faults, phases);
        let lines = std::mem::take(&mut sim.trace).into_lines();
        (ended, lines)
    }

    #[test]
    fn faults_end_with_the_safety_phase_and_the_same_run_has_the_same_hash() {
        let faults = [
            Timed {
                from_us: 5_500,
                until_us: 9_500,
                fault: "short",
            },
            Timed {
                from_us: 20_500,
                until_us: 99_000,
                fault: "long",
            },
        ];
        let (ended, lines) = tick(&faults, 1_000_000);
        assert_eq!(ended.progress, Progress::Settled);
        assert_eq!(lines.last().map(String::as_str), Some("    0.030 s  long -"));
        assert_eq!(lines.len(), 4);
        assert_eq!(tick(&faults, 1_000_000).0, ended);
        assert_ne!(tick(&faults[..1], 1_000_000).0.hash, ended.hash);
        assert_eq!(tick(&faults, 35_000).0.progress, Progress::Going);
    }
}
