//! Entries to records: directives, and what an entry leaves out (RFC 1035 §5.1, RFC 2308 §4).

use std::io;
use std::path::Path;

use domain::base::iana::Rtype;

use super::generate::{Range, Template};
use super::include::Open;
use super::problem::{At, Problems, Reason, Severity, Spot, shown};
use super::rdata::{self, kind_text};
use super::sets::Records;
use super::text;
use super::token::{Entry, Lexer, Token};
use super::{MAX_GENERATED, MAX_GENERATED_OCTETS};
use crate::name::Name;
use crate::zone::image::TooLarge;

/// Longest TTL (RFC 2181 §8).
const MAX_TTL_S: u64 = (1 << 31) - 1;

/// What holds for one file: an included one has its own (RFC 1035 §5.1).
#[derive(Clone, Debug)]
struct Scope {
    file: u32,
    /// In wire form, its case kept.
    origin: Vec<u8>,
    owner: Owner,
}

/// Who gets a record that names no owner.
#[derive(Clone, Debug)]
enum Owner {
    /// No record came yet.
    None,
    /// The last owner was no name; its further records are not read.
    Refused,
    Known(Name),
}

/// What stands between a record's owner and its data.
struct Head {
    ttl_s: Option<u32>,
    kind: u16,
    spot: Spot,
    /// How many words that takes.
    words: usize,
}

pub(crate) struct Reader<'a> {
    apex: &'a Name,
    source: &'a mut dyn FnMut(&Path) -> io::Result<Vec<u8>>,
    open: Open,
    default_ttl_s: Option<u32>,
    last_ttl_s: Option<u32>,
    soa_ttl_s: u32,
    generated: usize,
    generated_octets: usize,
    records: Records,
    problems: Problems,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(apex: &'a Name, source: &'a mut dyn FnMut(&Path) -> io::Result<Vec<u8>>) -> Self {
        Self {
            apex,
            source,
            open: Open::default(),
            default_ttl_s: None,
            last_ttl_s: None,
            soa_ttl_s: 0,
            generated: 0,
            generated_octets: 0,
            records: Records::default(),
            problems: Problems::default(),
        }
    }

    /// The records, the TTL of those without one, and the problems.
    pub(crate) fn run(mut self, path: &Path) -> (Records, u32, Problems) {
        let spot = Spot { line: 1, column: 1 };
        match self.open.enter(path, 0, self.source) {
            Err(reason) => {
                let file = self.problems.file(path);
                self.problems.push(At { file, spot }, reason);
            }
            Ok(text) => {
                let scope = Scope {
                    file: self.problems.file(path),
                    origin: self.apex.wire().to_vec(),
                    owner: Owner::None,
                };
                self.file(&text, scope);
            }
        }
        (self.records, self.soa_ttl_s, self.problems)
    }

    fn file(&mut self, text: &[u8], mut scope: Scope) {
        let mut lexer = Lexer::new(text);
        let mut tokens = Vec::new();
        let mut problems = Vec::new();
        loop {
            let entry = lexer.entry(&mut tokens, &mut problems);
            for (spot, reason) in problems.drain(..) {
                self.push(&scope, spot, reason);
            }
            match entry {
                Entry::End => break,
                Entry::Broken => {}
                Entry::Words { indented } => {
                    if let Err((spot, reason)) = self.entry(&tokens, indented, &mut scope) {
                        self.push(&scope, spot, reason);
                    }
                }
            }
        }
        self.open.leave();
    }

    fn push(&mut self, scope: &Scope, spot: Spot, reason: Reason) {
        let file = scope.file;
        self.problems.push(At { file, spot }, reason);
    }

    fn entry(
        &mut self,
        tokens: &[Token<'_>],
        indented: bool,
        scope: &mut Scope,
    ) -> Result<(), (Spot, Reason)> {
        let Some((first, rest)) = tokens.split_first() else {
            return Ok(());
        };
        if !indented && !first.quoted && first.raw.starts_with(b"$") {
            return self.directive(first, rest, scope);
        }
        if indented {
            if let Owner::None = scope.owner {
                let owner = Name::from_wire(&scope.origin.to_ascii_lowercase());
                self.push(scope, first.spot, Reason::NoOwner(owner.to_string()));
                scope.owner = Owner::Known(owner);
            }
            let Owner::Known(owner) = scope.owner.clone() else {
                return Ok(());
            };
            return self.record(owner, tokens, first, scope);
        }
        scope.owner = Owner::Refused;
        let owner = self.name(first, scope)?;
        let owner = Name::from_wire(&owner.to_ascii_lowercase());
        scope.owner = Owner::Known(owner.clone());
        self.record(owner, rest, first, scope)
    }

    /// A name outside of data; its case is kept.
    fn name(&mut self, token: &Token<'_>, scope: &Scope) -> Result<Vec<u8>, (Spot, Reason)> {
        if text::has_bad_escape(token.raw) {
            self.push(scope, token.spot, Reason::Escape(shown(token.raw)));
        }
        text::name(token.raw, &scope.origin).map_err(|fault| {
            let name = shown(token.raw);
            (token.spot, Reason::Name { name, fault })
        })
    }

    fn record(
        &mut self,
        owner: Name,
        tokens: &[Token<'_>],
        first: &Token<'_>,
        scope: &Scope,
    ) -> Result<(), (Spot, Reason)> {
        let head = self.head(tokens, first, scope)?;
        let data = tokens.get(head.words..).unwrap_or_default();
        self.data(owner, &head, data, scope)
    }

    /// `[TTL] [class] type` or `[class] [TTL] type`.
    fn head(
        &mut self,
        tokens: &[Token<'_>],
        first: &Token<'_>,
        scope: &Scope,
    ) -> Result<Head, (Spot, Reason)> {
        let mut ttl_s = None;
        let mut class = false;
        for (index, token) in tokens.iter().enumerate() {
            if token.quoted {
                self.push(scope, token.spot, Reason::Quoted(shown(token.raw)));
            }
            if ttl_s.is_none() && token.raw.first().is_some_and(u8::is_ascii_digit) {
                ttl_s = Some(self.ttl(token, scope)?);
            } else if !class && is_in(token.raw) {
                class = true;
            } else if is_other_class(token.raw) {
                return Err((token.spot, Reason::Class(shown(token.raw))));
            } else {
                let kind = rdata::parse_kind(token.raw);
                return Ok(Head {
                    ttl_s,
                    kind: kind.ok_or_else(|| (token.spot, Reason::Type(shown(token.raw))))?,
                    spot: token.spot,
                    words: index + 1,
                });
            }
        }
        Err((first.spot, Reason::NoType(shown(first.raw))))
    }

    fn ttl(&mut self, token: &Token<'_>, scope: &Scope) -> Result<u32, (Spot, Reason)> {
        let seconds = text::seconds(token.raw).ok_or_else(|| (token.spot, Reason::Ttl(shown(token.raw))))?;
        if seconds.unit_missing {
            self.push(scope, token.spot, Reason::TtlUnit(shown(token.raw)));
        }
        match u32::try_from(seconds.value) {
            Ok(ttl_s) if seconds.value <= MAX_TTL_S => Ok(ttl_s),
            _ => {
                self.push(scope, token.spot, Reason::TtlTooLong(shown(token.raw)));
                Ok(0)
            }
        }
    }

    fn data(
        &mut self,
        owner: Name,
        head: &Head,
        tokens: &[Token<'_>],
        scope: &Scope,
    ) -> Result<(), (Spot, Reason)> {
        let Head { kind, spot, .. } = *head;
        if rdata::is_meta(kind) {
            return Err((spot, Reason::MetaType(kind_text(kind))));
        }
        if kind == Rtype::MD.to_int() || kind == Rtype::MF.to_int() {
            self.push(scope, spot, Reason::Obsolete(kind_text(kind)));
        }
        let problems = &mut self.problems;
        let file = scope.file;
        let data = rdata::read(kind, tokens, &scope.origin, spot, |(spot, reason)| {
            problems.push(At { file, spot }, reason);
        })?;
        let ttl_s = self.record_ttl(head, &data, scope);
        if !owner.is_within(self.apex) {
            return Err((spot, Reason::OutsideZone(owner.to_string())));
        }
        if kind == Rtype::SOA.to_int() && owner != *self.apex {
            return Err((spot, Reason::SoaBelow(owner.to_string())));
        }
        self.records
            .push(owner.wire(), kind, ttl_s, &data, At { file, spot })
            .map_err(|TooLarge| (spot, Reason::ZoneTooLarge(owner.to_string())))
    }

    /// The record's own TTL, else $TTL, else the last (RFC 2308 §4), else that of the SOA; for the SOA its minimum.
    fn record_ttl(&mut self, head: &Head, data: &[u8], scope: &Scope) -> Option<u32> {
        self.last_ttl_s = head.ttl_s.or(self.last_ttl_s);
        let mut ttl_s = head.ttl_s.or(self.default_ttl_s).or(self.last_ttl_s);
        if ttl_s.is_none() {
            self.push(scope, head.spot, Reason::NoTtl);
        }
        if head.kind == Rtype::SOA.to_int() {
            let minimum = data.last_chunk().map_or(0, |octets| u32::from_be_bytes(*octets));
            let minimum_s = u32::try_from(u64::from(minimum).min(MAX_TTL_S)).unwrap_or(0);
            let soa_ttl_s = *ttl_s.get_or_insert(minimum_s);
            self.soa_ttl_s = soa_ttl_s;
            self.last_ttl_s = self.last_ttl_s.or(Some(soa_ttl_s));
        }
        ttl_s
    }

    fn directive(
        &mut self,
        directive: &Token<'_>,
        rest: &[Token<'_>],
        scope: &mut Scope,
    ) -> Result<(), (Spot, Reason)> {
        match directive.raw.to_ascii_uppercase().as_slice() {
            b"$ORIGIN" => {
                let [name] = words(directive, "$ORIGIN", "a name", rest)?;
                scope.origin = self.origin(name, scope)?;
            }
            b"$TTL" => {
                let [ttl] = words(directive, "$TTL", "a TTL", rest)?;
                self.default_ttl_s = Some(self.ttl(ttl, scope)?);
            }
            b"$INCLUDE" => self.include(directive, rest, scope)?,
            b"$GENERATE" => self.generate(directive, rest, scope)?,
            _ => return Err((directive.spot, Reason::Directive(shown(directive.raw)))),
        }
        Ok(())
    }

    fn origin(&mut self, token: &Token<'_>, scope: &Scope) -> Result<Vec<u8>, (Spot, Reason)> {
        let name = self.name(token, scope)?;
        let absolute = token.raw == b"@" || token.raw.ends_with(b".");
        if !absolute {
            self.push(scope, token.spot, Reason::OriginRelative(shown(token.raw)));
        }
        Ok(name)
    }

    fn include(
        &mut self,
        directive: &Token<'_>,
        rest: &[Token<'_>],
        scope: &Scope,
    ) -> Result<(), (Spot, Reason)> {
        let (file, origin) = match rest {
            [file, origin] => (file, self.origin(origin, scope)?),
            _ => {
                let [file] = words(directive, "$INCLUDE", "a file, then an origin or nothing,", rest)?;
                (file, scope.origin.clone())
            }
        };
        let path = self.open.resolve(&text::unescape(file.raw));
        let count = self.problems.file_count();
        let text = self
            .open
            .enter(&path, count, self.source)
            .map_err(|reason| (file.spot, reason))?;
        let inner = Scope {
            file: self.problems.file(&path),
            origin,
            owner: scope.owner.clone(),
        };
        self.file(&text, inner);
        Ok(())
    }

    fn generate(
        &mut self,
        directive: &Token<'_>,
        rest: &[Token<'_>],
        scope: &Scope,
    ) -> Result<(), (Spot, Reason)> {
        let allowed = "a range, an owner, a type and one word of data, quoted if it has blanks,";
        let short = || {
            (
                directive.spot,
                Reason::DirectiveShort {
                    directive: "$GENERATE",
                    allowed,
                },
            )
        };
        let [range_token, owner_token, rest @ ..] = rest else {
            return Err(short());
        };
        let head = self.head(rest, owner_token, scope)?;
        let data_token = match rest.get(head.words..) {
            Some([data]) => data,
            Some([_, extra, ..]) => return Err((extra.spot, left_over(extra, "$GENERATE"))),
            _ => return Err(short()),
        };
        let range = Range::parse(range_token.raw)
            .ok_or_else(|| (range_token.spot, Reason::Range(shown(range_token.raw))))?;
        self.generated = self.generated.saturating_add(range.count());
        if self.generated > MAX_GENERATED {
            return Err((range_token.spot, Reason::TooManyGenerated(shown(range_token.raw))));
        }
        let refused = |token: &Token<'_>| (token.spot, Reason::Template(shown(token.raw)));
        let owners = Template::parse(owner_token.raw).ok_or_else(|| refused(owner_token))?;
        let data = Template::parse(data_token.raw).ok_or_else(|| refused(data_token))?;
        for number in range.numbers() {
            let owner = owners.fill(number).ok_or_else(|| refused(owner_token))?;
            let data = data.fill(number).ok_or_else(|| refused(data_token))?;
            self.generated_octets += owner.len() + data.len();
            if self.generated_octets > MAX_GENERATED_OCTETS {
                return Err((range_token.spot, Reason::TooManyGenerated(shown(range_token.raw))));
            }
            match self.generated_record(&owner, &data, &head, owner_token, data_token, scope) {
                Err((spot, reason)) if reason.severity() == Severity::Warning => {
                    self.push(scope, spot, reason)
                }
                done => done?,
            }
        }
        Ok(())
    }

    fn generated_record(
        &mut self,
        owner: &[u8],
        data: &[u8],
        head: &Head,
        owner_token: &Token<'_>,
        data_token: &Token<'_>,
        scope: &Scope,
    ) -> Result<(), (Spot, Reason)> {
        let owner = self.name(
            &Token {
                raw: owner,
                ..*owner_token
            },
            scope,
        )?;
        let owner = Name::from_wire(&owner.to_ascii_lowercase());
        let mut lexer = Lexer::generated(data, data_token.spot);
        let (mut tokens, mut problems) = (Vec::new(), Vec::new());
        let entry = lexer.entry(&mut tokens, &mut problems);
        for (spot, reason) in problems {
            self.push(scope, spot, reason);
        }
        match entry {
            Entry::Words { .. } => self.data(owner, head, &tokens, scope),
            Entry::End => self.data(owner, head, &[], scope),
            Entry::Broken => Ok(()),
        }
    }
}

fn left_over(token: &Token<'_>, after: &str) -> Reason {
    Reason::Extra {
        word: shown(token.raw),
        after: after.to_owned(),
    }
}

/// The one word that a directive takes.
fn words<'t, 'a>(
    directive: &Token<'_>,
    name: &'static str,
    allowed: &'static str,
    rest: &'t [Token<'a>],
) -> Result<[&'t Token<'a>; 1], (Spot, Reason)> {
    match rest {
        [] => Err((
            directive.spot,
            Reason::DirectiveShort {
                directive: name,
                allowed,
            },
        )),
        [word] => Ok([word]),
        [.., extra] => Err((extra.spot, left_over(extra, name))),
    }
}

fn is_in(raw: &[u8]) -> bool {
    raw.eq_ignore_ascii_case(b"IN") || raw.eq_ignore_ascii_case(b"CLASS1")
}

fn is_other_class(raw: &[u8]) -> bool {
    let numbered = raw.split_at_checked(5).is_some_and(|(prefix, digits)| {
        prefix.eq_ignore_ascii_case(b"CLASS") && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
    });
    let named = [&b"CH"[..], b"CHAOS", b"HS", b"CS", b"NONE", b"ANY"];
    is_in(raw) || numbered || named.iter().any(|class| raw.eq_ignore_ascii_case(class))
}
