//! Splits a master file into entries and their words (RFC 1035 §5.1): comments, parentheses and quotes end here,
//! escapes stay in the words.

use super::MAX_WORDS;
use super::problem::{Reason, Spot, shown};

/// Warnings about one entry.
const MAX_WARNINGS: usize = 100;

/// One word of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    /// The text between blanks or quotes, with its escapes.
    pub(crate) raw: &'a [u8],
    pub(crate) quoted: bool,
    /// Nothing stands between this word and the one before it.
    pub(crate) glued: bool,
    pub(crate) spot: Spot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The words are in the list; `indented` when the entry began with a blank.
    Words {
        indented: bool,
    },
    /// The entry is broken; its problems are in the list.
    Broken,
    End,
}

#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
    line_start: usize,
    /// What is generated stands where its directive stands.
    fixed: Option<Spot>,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
            line_start: 0,
            fixed: None,
        }
    }

    pub(crate) fn generated(text: &'a [u8], spot: Spot) -> Self {
        Self {
            fixed: Some(spot),
            ..Self::new(text)
        }
    }

    /// Reads the next entry into `tokens`.
    pub(crate) fn entry(&mut self, tokens: &mut Vec<Token<'a>>, problems: &mut Vec<(Spot, Reason)>) -> Entry {
        tokens.clear();
        let Some(first) = self.peek() else {
            return Entry::End;
        };
        let indented = matches!(first, b' ' | b'\t');
        let mut open: Vec<Spot> = Vec::new();
        let mut depth = 0_usize;
        let mut glued = false;
        let mut broken = false;
        while let Some(octet) = self.peek() {
            match octet {
                b'\n' => {
                    self.newline();
                    glued = false;
                    if depth == 0 {
                        break;
                    }
                }
                b' ' | b'\t' | b'\r' => {
                    self.at += 1;
                    glued = false;
                }
                b';' => self.skip_line(),
                b'(' => {
                    depth += 1;
                    if depth <= 2 {
                        open.push(self.spot());
                    }
                    self.at += 1;
                    glued = false;
                }
                b')' => {
                    if depth == 0 && !broken {
                        problems.push((self.spot(), Reason::ParenthesisExtra));
                        broken = true;
                    }
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                    glued = false;
                }
                _ => {
                    let token = if octet == b'"' {
                        self.quoted(glued, problems)
                    } else {
                        Some(self.word(glued))
                    };
                    glued = true;
                    let Some(token) = token else {
                        broken = true;
                        break;
                    };
                    if token.raw.contains(&0) && problems.len() < MAX_WARNINGS {
                        problems.push((token.spot, Reason::Nul(shown(token.raw))));
                    }
                    if tokens.len() < MAX_WORDS {
                        tokens.push(token);
                    } else if !broken {
                        problems.push((token.spot, Reason::TooManyWords));
                        broken = true;
                    }
                }
            }
        }
        if depth > 0 && !broken {
            problems.extend(open.first().map(|spot| (*spot, Reason::ParenthesisOpen)));
        }
        problems.extend(open.get(1).map(|spot| (*spot, Reason::ParenthesisNested)));
        if broken {
            Entry::Broken
        } else {
            Entry::Words { indented }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn spot(&self) -> Spot {
        self.fixed.unwrap_or_else(|| Spot {
            line: self.line,
            column: u32::try_from(self.at - self.line_start + 1).unwrap_or(u32::MAX),
        })
    }

    fn newline(&mut self) {
        self.at += 1;
        self.line = self.line.saturating_add(1);
        self.line_start = self.at;
    }

    fn skip_line(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest
            .iter()
            .position(|octet| *octet == b'\n')
            .unwrap_or(rest.len());
    }

    fn word(&mut self, glued: bool) -> Token<'a> {
        let spot = self.spot();
        let start = self.at;
        while let Some(octet) = self.peek() {
            match octet {
                b'\\' => {
                    self.at += 1;
                    if self.peek().is_some_and(|next| next != b'\n') {
                        self.at += 1;
                    }
                }
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' | b'"' => break,
                _ => self.at += 1,
            }
        }
        Token {
            raw: self.text.get(start..self.at).unwrap_or_default(),
            quoted: false,
            glued,
            spot,
        }
    }

    /// `None` when the string is not closed; reading goes on after the line it began in.
    fn quoted(&mut self, glued: bool, problems: &mut Vec<(Spot, Reason)>) -> Option<Token<'a>> {
        let spot = self.spot();
        let begun = (self.at, self.line, self.line_start);
        self.at += 1;
        let start = self.at;
        while let Some(octet) = self.peek() {
            match octet {
                b'"' => {
                    let raw = self.text.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    if self.line != begun.1 && problems.len() < MAX_WARNINGS {
                        problems.push((spot, Reason::QuoteLines));
                    }
                    return Some(Token {
                        raw,
                        quoted: true,
                        glued,
                        spot,
                    });
                }
                b'\n' => self.newline(),
                b'\\' => {
                    self.at += 1;
                    if self.peek().is_some_and(|next| next != b'\n') {
                        self.at += 1;
                    }
                }
                _ => self.at += 1,
            }
        }
        problems.push((spot, Reason::QuoteOpen));
        (self.at, self.line, self.line_start) = begun;
        self.skip_line();
        if self.peek().is_some() {
            self.newline();
        }
        None
    }
}
