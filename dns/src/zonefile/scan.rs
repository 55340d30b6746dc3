//! The words of one record's data, as the library `domain` reads them.

use std::str;

use domain::base::charstr::CharStr;
use domain::base::name::Name;
use domain::base::scan::{ConvertSymbols, EntrySymbol, Scanner, ScannerError, Symbol};
use domain::dep::octseq::str::Str;
use thiserror::Error;

use super::problem::{Reason, Spot, shown};
use super::text::{self, NameFault, Octet};
use super::token::Token;

/// Longest character string (RFC 1035 §3.3).
const MAX_STRING_LEN: usize = 255;

/// Why data is not what its type needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScanError {
    #[error("{0}")]
    Syntax(&'static str),
    #[error("the data ends too early")]
    TooShort,
    #[error("the data goes on after its end")]
    TooLong,
    #[error("{0}")]
    Name(NameFault),
    #[error("a character string of {0} octets is too long; at most {MAX_STRING_LEN} are allowed")]
    StringTooLong(usize),
}

impl ScannerError for ScanError {
    fn custom(message: &'static str) -> Self {
        Self::Syntax(message)
    }

    fn end_of_entry() -> Self {
        Self::TooShort
    }

    fn short_buf() -> Self {
        Self::Syntax("too much data")
    }

    fn trailing_tokens() -> Self {
        Self::TooLong
    }
}

/// The words that are left of an entry.
#[derive(Debug)]
pub(crate) struct Words<'a> {
    tokens: &'a [Token<'a>],
    next: usize,
    origin: &'a [u8],
    pub(crate) warnings: Vec<(Spot, Reason)>,
}

impl<'a> Words<'a> {
    pub(crate) fn new(tokens: &'a [Token<'a>], origin: &'a [u8]) -> Self {
        Self {
            tokens,
            next: 0,
            origin,
            warnings: Vec::new(),
        }
    }

    pub(crate) fn peek(&self) -> Option<&'a Token<'a>> {
        self.tokens.get(self.next)
    }

    /// The word that was read last, or the first.
    pub(crate) fn last(&self) -> Option<&'a Token<'a>> {
        self.tokens.get(self.next.saturating_sub(1))
    }

    /// The next word, where a character string may stand.
    pub(crate) fn string(&mut self) -> Result<&'a Token<'a>, ScanError> {
        let token = self.peek().ok_or(ScanError::TooShort)?;
        self.next += 1;
        if text::has_bad_escape(token.raw) {
            self.warnings.push((token.spot, Reason::Escape(shown(token.raw))));
        }
        Ok(token)
    }

    /// The next word, where none in quotes may stand.
    pub(crate) fn word(&mut self) -> Result<&'a Token<'a>, ScanError> {
        let token = self.string()?;
        if token.quoted {
            self.warnings.push((token.spot, Reason::Quoted(shown(token.raw))));
        }
        Ok(token)
    }

    pub(crate) fn name(&mut self) -> Result<Vec<u8>, ScanError> {
        text::name(self.word()?.raw, self.origin).map_err(ScanError::Name)
    }

    pub(crate) fn char_string(&mut self) -> Result<Vec<u8>, ScanError> {
        let octets = text::unescape(self.string()?.raw);
        if octets.len() > MAX_STRING_LEN {
            return Err(ScanError::StringTooLong(octets.len()));
        }
        Ok(octets)
    }

    fn convert<Sym: From<Symbol>>(
        token: &Token<'_>,
        convert: &mut impl ConvertSymbols<Sym, ScanError>,
        out: &mut Vec<u8>,
    ) -> Result<(), ScanError> {
        for octet in text::octets(token.raw) {
            if let Some(data) = convert.process_symbol(symbol(octet).into())? {
                out.extend_from_slice(data);
            }
        }
        Ok(())
    }
}

fn symbol(octet: Octet) -> Symbol {
    match octet {
        Octet::Plain(value) if value.is_ascii() => Symbol::Char(char::from(value)),
        Octet::Escaped(value) => Symbol::SimpleEscape(value),
        Octet::Plain(value) | Octet::Decimal(value) => Symbol::DecimalEscape(value),
    }
}

impl Scanner for Words<'_> {
    type Octets = Vec<u8>;
    type OctetsBuilder = Vec<u8>;
    type Name = Name<Vec<u8>>;
    type Error = ScanError;

    fn has_space(&self) -> bool {
        self.peek().is_none_or(|token| !token.glued)
    }

    fn continues(&mut self) -> bool {
        self.peek().is_some()
    }

    fn scan_symbols<F>(&mut self, mut op: F) -> Result<(), ScanError>
    where
        F: FnMut(Symbol) -> Result<(), ScanError>,
    {
        text::octets(self.word()?.raw).try_for_each(|octet| op(symbol(octet)))
    }

    fn scan_entry_symbols<F>(&mut self, mut op: F) -> Result<(), ScanError>
    where
        F: FnMut(EntrySymbol) -> Result<(), ScanError>,
    {
        while self.continues() {
            self.scan_symbols(|symbol| op(symbol.into()))?;
            op(EntrySymbol::EndOfToken)?;
        }
        Ok(())
    }

    fn convert_token<C: ConvertSymbols<Symbol, ScanError>>(
        &mut self,
        mut convert: C,
    ) -> Result<Vec<u8>, ScanError> {
        let mut out = Vec::new();
        Self::convert(self.word()?, &mut convert, &mut out)?;
        out.extend_from_slice(convert.process_tail()?.unwrap_or_default());
        Ok(out)
    }

    fn convert_entry<C: ConvertSymbols<EntrySymbol, ScanError>>(
        &mut self,
        mut convert: C,
    ) -> Result<Vec<u8>, ScanError> {
        let mut out = Vec::new();
        while self.continues() {
            Self::convert(self.word()?, &mut convert, &mut out)?;
        }
        out.extend_from_slice(convert.process_tail()?.unwrap_or_default());
        Ok(out)
    }

    fn scan_octets(&mut self) -> Result<Vec<u8>, ScanError> {
        Ok(text::unescape(self.string()?.raw))
    }

    /// `key="value"` is two words that are glued together.
    fn scan_svcb_octets(&mut self) -> Result<Vec<u8>, ScanError> {
        let key = self.string()?;
        let mut octets = text::unescape(key.raw);
        if !key.quoted && key.raw.ends_with(b"=") && self.peek().is_some_and(|next| next.quoted && next.glued)
        {
            octets.extend(text::octets(self.string()?.raw).map(Octet::value));
        }
        Ok(octets)
    }

    fn scan_ascii_str<F, T>(&mut self, op: F) -> Result<T, ScanError>
    where
        F: FnOnce(&str) -> Result<T, ScanError>,
    {
        let octets = text::unescape(self.word()?.raw);
        match str::from_utf8(&octets) {
            Ok(text) if text.is_ascii() => op(text),
            _ => Err(ScanError::Syntax("it has characters beyond ASCII")),
        }
    }

    fn scan_name(&mut self) -> Result<Name<Vec<u8>>, ScanError> {
        Name::from_octets(self.name()?).map_err(|_| ScanError::Syntax("expected a domain name"))
    }

    fn scan_charstr(&mut self) -> Result<CharStr<Vec<u8>>, ScanError> {
        CharStr::from_octets(self.char_string()?)
            .map_err(|_| ScanError::Syntax("expected a character string"))
    }

    fn scan_string(&mut self) -> Result<Str<Vec<u8>>, ScanError> {
        Str::from_utf8(self.scan_octets()?).map_err(|_| ScanError::Syntax("expected UTF-8"))
    }

    fn scan_charstr_entry(&mut self) -> Result<Vec<u8>, ScanError> {
        let mut out = Vec::new();
        while self.continues() {
            let octets = self.char_string()?;
            out.push(u8::try_from(octets.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(&octets);
        }
        Ok(out)
    }

    fn scan_opt_unknown_marker(&mut self) -> Result<bool, ScanError> {
        let marked = self
            .peek()
            .is_some_and(|token| !token.quoted && token.raw == b"\\#");
        self.next += usize::from(marked);
        Ok(marked)
    }

    fn octets_builder(&mut self) -> Result<Vec<u8>, ScanError> {
        Ok(Vec::new())
    }
}
