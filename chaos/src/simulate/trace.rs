//! What happened, as a hash always and as text when somebody reads it.

use super::draw::mix;

/// Most lines that are kept; what comes after is counted.
const MOST_LINES: usize = 100_000;

/// The record of one run.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    hash: u64,
    text: Option<Vec<String>>,
    left_out: u64,
}

impl Trace {
    /// A trace that also keeps its text.
    pub fn with_text() -> Trace {
        Trace {
            text: Some(Vec::new()),
            ..Trace::default()
        }
    }

    /// Take a number into the hash; order counts.
    pub fn note(&mut self, number: u64) {
        self.hash = mix(self.hash.rotate_left(5) ^ number);
    }

    /// Take a text into the hash.
    pub fn note_text(&mut self, text: &str) {
        for piece in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(piece) {
                *to = *from;
            }
            self.note(u64::from_le_bytes(word));
        }
        self.note(text.len() as u64);
    }

    /// A line for people; it is made only where somebody reads it, and does not count for the hash.
    pub fn line(&mut self, at_us: u64, line: impl FnOnce() -> String) {
        if let Some(text) = &mut self.text {
            if text.len() < MOST_LINES {
                text.push(format!("{:>9.3} s  {}", at_us as f64 / 1e6, line()));
            } else {
                self.left_out += 1;
            }
        }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines, and a last one if some were left out.
    pub fn into_lines(self) -> Vec<String> {
        let mut lines = self.text.unwrap_or_default();
        if self.left_out > 0 {
            lines.push(format!("({} more lines)", self.left_out));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_counts_and_text_does_not() {
        let hash = |notes: &[&str], keep: bool| {
            let mut trace = if keep {
                Trace::with_text()
            } else {
                Trace::default()
            };
            for note in notes {
                trace.note_text(note);
                trace.line(1_500_000, || (*note).to_owned());
            }
            (trace.hash(), trace.into_lines().len())
        };
        assert_eq!(hash(&["a", "b"], true), (hash(&["a", "b"], false).0, 2));
        assert_ne!(hash(&["a", "b"], false), hash(&["b", "a"], false));
        assert_ne!(hash(&["ab", ""], false), hash(&["a", "b"], false));
    }
}
