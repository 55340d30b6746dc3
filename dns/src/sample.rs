//! One query in so many, to a file: who asks for what, without a line a query. A sample that would have to wait for the disk is dropped
//! and counted.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::iter;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::SystemTime;

use serde::Serialize;

use crate::answer::{QueryMeta, Reply, Transport};
use crate::name::Name;
use crate::steer::next_draw;
use crate::wire::{HEADER_LEN, Rcode, rtype};

/// Samples that wait for the disk.
const WAITING: usize = 4_096;
/// Who may read the file: it tells who asked for what.
const MODE: u32 = 0o640;

/// What is sampled, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Lines are added at its end; made where it is not there.
    pub file: PathBuf,
    /// Of so many queries one, by chance.
    pub one_in: NonZeroU32,
}

/// What became of samples, over all files.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    pub(crate) written: AtomicU64,
    pub(crate) dropped: AtomicU64,
}

/// One open file and the thread that writes to it; the thread ends with the last of these.
#[derive(Debug)]
pub(crate) struct Sampler {
    one_in: u64,
    waiting: SyncSender<Sampled>,
    samples: Arc<Samples>,
}

#[derive(Debug)]
struct Sampled {
    at: SystemTime,
    client: IpAddr,
    transport: Transport,
    /// The question's name as it was sent; empty where it could not be read.
    name: Vec<u8>,
    qtype: u16,
    rcode: Rcode,
    octets: usize,
    truncated: bool,
}

/// A line of the file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    time: String,
    client: IpAddr,
    transport: &'static str,
    /// `None` where the question could not be read.
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    rcode: String,
    /// Of the answer.
    octets: usize,
    truncated: bool,
    /// How many queries this one stands for.
    one_in: u64,
}

impl Sampler {
    /// Opens the file and starts the thread.
    pub(crate) fn start(server: &str, sampling: &Sampling, samples: Arc<Samples>) -> io::Result<Self> {
        let Sampling { file, one_in } = sampling;
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(MODE)
            .open(file)?;
        let (waiting, lines) = sync_channel(WAITING);
        let one_in = u64::from(one_in.get());
        let (counted, path) = (Arc::clone(&samples), file.clone());
        thread::Builder::new()
            .name(format!("{server}-sample"))
            .spawn(move || {
                crate::give_way();
                let mut file = Writing {
                    path,
                    file: BufWriter::new(opened),
                    failing: false,
                };
                file.write_all(&lines, one_in, &counted);
            })?;
        Ok(Self {
            one_in,
            waiting,
            samples,
        })
    }

    /// Takes the query, if chance wants it.
    #[inline]
    pub(crate) fn see(&self, packet: &[u8], meta: &QueryMeta<'_>, reply: &Reply) {
        // Another draw than the answer's, so that no answer is sampled more often than others.
        if next_draw(meta.draw).is_multiple_of(self.one_in) {
            self.take(packet, meta, reply);
        }
    }

    #[cold]
    #[expect(
        clippy::disallowed_methods,
        reason = "people are told the time of day; nothing is decided by it"
    )]
    fn take(&self, packet: &[u8], meta: &QueryMeta<'_>, reply: &Reply) {
        // Type and class end a question.
        let name = reply.question_end.checked_sub(4);
        let name = name.and_then(|end| packet.get(HEADER_LEN..end));
        let sampled = Sampled {
            at: SystemTime::now(),
            client: meta.client,
            transport: meta.transport,
            name: name.unwrap_or_default().to_ascii_lowercase(),
            qtype: reply.qtype,
            rcode: reply.rcode,
            octets: reply.len,
            truncated: reply.truncated,
        };
        if self.waiting.try_send(sampled).is_err() {
            self.samples.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Writing {
    path: PathBuf,
    file: BufWriter<File>,
    failing: bool,
}

impl Writing {
    /// Until nobody samples any more.
    fn write_all(&mut self, lines: &Receiver<Sampled>, one_in: u64, samples: &Samples) {
        while let Ok(first) = lines.recv() {
            let mut written = 0;
            let result = iter::once(first)
                .chain(lines.try_iter())
                .take(WAITING)
                .try_for_each(|sampled| {
                    written += 1;
                    serde_json::to_writer(&mut self.file, &line(&sampled, one_in))?;
                    self.file.write_all(b"\n")
                });
            let result = result.and_then(|()| self.file.flush());
            let into = if result.is_ok() {
                &samples.written
            } else {
                &samples.dropped
            };
            into.fetch_add(written, Ordering::Relaxed);
            if let Err(error) = &result
                && !self.failing
            {
                tracing::error!(file = %self.path.display(), %error, "samples of queries cannot be written and are dropped");
            }
            self.failing = result.is_err();
        }
    }
}

fn line(sampled: &Sampled, one_in: u64) -> Line {
    let named = !sampled.name.is_empty();
    let time = jiff::Timestamp::try_from(sampled.at).map(|time| format!("{time:.3}"));
    Line {
        time: time.unwrap_or_default(),
        client: sampled.client,
        transport: match sampled.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        },
        name: named.then(|| Name::from_wire(&sampled.name).to_string()),
        kind: named.then(|| rtype::text(sampled.qtype)),
        rcode: sampled.rcode.to_string(),
        octets: sampled.octets,
        truncated: sampled.truncated,
        one_in,
    }
}
