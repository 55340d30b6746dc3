//! Runs a page's steps. Ports are replaced by free ones, and the clusters' addresses in checks by servers of this test.

use std::collections::BTreeMap;

use super::dig::dig;
use super::page::Step;
use super::process::{Cluster, Folder, Process, free_both, free_tcp, until};

struct World {
    folder: Folder,
    /// What the page says, and what stands for it here.
    instead: Vec<(&'static str, String)>,
    /// By the address that a check names.
    clusters: BTreeMap<String, Cluster>,
    server: Option<Process>,
}

pub(crate) fn run(steps: &[Step]) {
    let mut world = World {
        folder: Folder::with(&[]),
        instead: vec![
            ("5300", free_both().port().to_string()),
            ("9153", free_tcp().port().to_string()),
        ],
        clusters: BTreeMap::new(),
        server: None,
    };
    let mut commands = 0;
    for step in steps {
        match step {
            Step::File { name, text } => world.write(name, text),
            Step::Event { address, what } => world.happens(address, what),
            Step::Command { line, printed } => {
                world.command(line, printed);
                commands += 1;
            }
        }
    }
    assert!(commands > 0, "the page has no command");
}

impl World {
    fn here(&self, text: &str) -> String {
        // Not one after the other: a port of ours may have one of theirs in its digits.
        let marked = self.instead.iter().fold(text.to_owned(), |text, (theirs, _)| {
            text.replace(theirs, &format!("\0{theirs}\0"))
        });
        self.instead.iter().fold(marked, |text, (theirs, ours)| {
            text.replace(&format!("\0{theirs}\0"), ours)
        })
    }

    fn write(&mut self, name: &str, text: &str) {
        let mut text = self.here(text);
        for address in checked(&text) {
            let cluster = self
                .clusters
                .entry(address.clone())
                .or_insert_with(Cluster::start);
            text = text.replace(&format!("http://{address}/healthz"), &cluster.url());
        }
        self.folder.write(name, &text);
    }

    fn happens(&self, address: &str, what: &str) {
        let cluster = &self.clusters[address];
        match what {
            "dies" => cluster.dies(),
            "returns" => cluster.returns(),
            _ => panic!("{address} {what}: it dies or it returns"),
        }
    }

    fn command(&mut self, line: &str, printed: &[String]) {
        let line = self.here(line);
        let expected: Vec<String> = printed.iter().map(|line| self.here(line)).collect();
        let words = words(&line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["dig", asked @ ..] => {
                let mut expected = expected;
                expected.sort();
                until(&format!("{line}: {expected:?}"), || {
                    let told = dig(asked);
                    let ended = self.server.as_mut().is_some_and(Process::has_ended);
                    assert!(!ended, "{line}: {}", self.folder.read("dns.log"));
                    (told? == expected).then_some(())
                });
            }
            ["lifeboat", background @ .., "&"] => {
                self.server = Some(self.folder.run(background));
            }
            ["lifeboat", "dns", "override", ..] => {
                // The server has its socket a moment after it answers.
                self.folder.until_file("state/control.sock");
                self.prints(&line, &words[1..], &expected);
            }
            ["lifeboat", asked @ ..] => self.prints(&line, asked, &expected),
            _ => panic!("{line}: only lifeboat and dig are understood"),
        }
    }

    /// Each expected line is among those printed.
    fn prints(&self, line: &str, words: &[&str], expected: &[String]) {
        let (_, told) = self.folder.output(words);
        let found = |expected: &&String| told.lines().any(|line| is_like(line, expected));
        let missing: Vec<&String> = expected.iter().filter(|line| !found(line)).collect();
        assert!(missing.is_empty(), "{line}: {missing:?} is missing in\n{told}");
        assert!(!expected.is_empty(), "{line}: nothing is said of what it prints");
    }
}

/// The addresses in a file's checks.
fn checked(text: &str) -> Vec<String> {
    text.split("http://")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("/healthz\"")?.0.to_owned()))
        .collect()
}

/// As a shell would take them apart.
fn words(line: &str) -> Vec<String> {
    line.split('"')
        .enumerate()
        .flat_map(|(index, part)| match index % 2 {
            1 => vec![part.to_owned()],
            _ => part.split_whitespace().map(str::to_owned).collect(),
        })
        .collect()
}

/// Word by word, however far apart; `…` stands for one word or for the rest.
fn is_like(line: &str, expected: &str) -> bool {
    let mut line = line.split_whitespace();
    let alike = expected.split_whitespace().all(|expected| {
        let word = line.next();
        expected == "…" || word == Some(expected)
    });
    alike && (expected.ends_with('…') || line.next().is_none())
}
