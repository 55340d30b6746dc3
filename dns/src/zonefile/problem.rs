//! What is wrong with a zone, where, and how bad it is. What both NSD and BIND refuse is an error; what only one of
//! them refuses, or both merely complain about, is a warning.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use super::scan::ScanError;
use super::text::NameFault;
use super::{MAX_DEPTH, MAX_FILES, MAX_GENERATED, MAX_GENERATED_OCTETS, MAX_OCTETS, MAX_WORDS};

/// Problems of one severity that are kept; more are only counted.
pub(crate) const MAX_KEPT: usize = 500;
/// Octets of the file's text that a message repeats.
const MAX_SHOWN: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The zone is served all the same.
    Warning,
    /// The zone is refused.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A place in a file; line and column (in octets) count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<Path>,
    pub line: u32,
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    pub reason: Reason,
}

impl Problem {
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.reason.severity()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.severity(), self.reason)
    }
}

/// One rule that a zone breaks. Names and words are as a message shows them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Reason {
    #[error("`{file}` cannot be read: {why}; a readable file is needed")]
    Unreadable { file: String, why: String },
    #[error("`{0}` includes itself; an included file may not be one that includes it")]
    IncludeLoop(String),
    #[error("`{0}` is included too deep; at most {MAX_DEPTH} files may be nested")]
    IncludeDepth(String),
    #[error("`{0}` is one file too many; a zone may be made of {MAX_FILES} files")]
    TooManyFiles(String),
    #[error("`{0}` makes the zone too large; its files may take {MAX_OCTETS} octets in all")]
    TooLarge(String),
    #[error("quoted string has no closing `\"` in the rest of the file; each needs one")]
    QuoteOpen,
    #[error("quoted string goes on in the next line; NSD allows that and BIND does not")]
    QuoteLines,
    #[error("`)` closes nothing; each needs a `(` before it")]
    ParenthesisExtra,
    #[error("`(` is never closed; each needs a `)`")]
    ParenthesisOpen,
    #[error("`(` stands inside parentheses; BIND allows that and NSD does not")]
    ParenthesisNested,
    #[error("entry has more than {MAX_WORDS} words, more than any record needs")]
    TooManyWords,
    #[error("`{0}` has an octet of value 0; write it as `\\000`")]
    Nul(String),
    #[error("`{0}` has a bad escape; `\\X`, or `\\DDD` with three digits up to 255, is allowed")]
    Escape(String),
    #[error("`{0}` is quoted; quotes are for character strings")]
    Quoted(String),
    #[error("`{0}` is not a directive; $ORIGIN, $TTL, $INCLUDE and $GENERATE are allowed")]
    Directive(String),
    #[error("{directive} is followed by nothing; {allowed} is needed")]
    DirectiveShort {
        directive: &'static str,
        allowed: &'static str,
    },
    #[error("`{word}` is left over after {after}; a new line or nothing is allowed")]
    Extra { word: String, after: String },
    #[error(
        "`{0}` is relative to the origin before it; an absolute name, with a dot at the end, is portable"
    )]
    OriginRelative(String),
    #[error("`{name}` is not a domain name: {fault}")]
    Name { name: String, fault: NameFault },
    #[error("first record has no owner, so it gets `{0}`; name its owner, `@` for the zone")]
    NoOwner(String),
    #[error("`{0}` is an owner without a record; a type and its data are needed")]
    NoType(String),
    #[error("`{0}` is not a record type; a type's mnemonic or TYPE1 to TYPE65535 is allowed")]
    Type(String),
    #[error("{0} is no type of data and is left out; only types of data can stand in a zone")]
    MetaType(String),
    #[error("{0} is obsolete (RFC 973); use MX")]
    Obsolete(String),
    #[error("class `{0}` is not served; only IN is allowed")]
    Class(String),
    #[error("`{0}` is not a TTL; seconds, or numbers with the units w, d, h, m and s, are allowed")]
    Ttl(String),
    #[error("`{0}` is a TTL with a number without unit after one with; write `s` after it")]
    TtlUnit(String),
    #[error("TTL `{0}` counts as 0; up to 2147483647 s is allowed (RFC 2181 section 8)")]
    TtlTooLong(String),
    #[error("record has no TTL and none stands before it, so it gets that of the SOA; set $TTL")]
    NoTtl,
    #[error("`{word}` in {kind} data: {fault}; {allowed} is allowed")]
    Data {
        kind: String,
        word: String,
        fault: ScanError,
        allowed: &'static str,
    },
    #[error("{kind} record has no data; {allowed} is needed")]
    NoData { kind: String, allowed: &'static str },
    #[error("data of type {0} can only be given as `\\# LENGTH HEX` (RFC 3597)")]
    OnlyGeneric(String),
    #[error("`\\# {said}` is followed by {octets} octets, which are taken; both numbers must be equal")]
    GenericLength { said: String, octets: usize },
    #[error("octets after `\\#` are not the wire form of {0} data, which they must be (RFC 3597 section 5)")]
    GenericData(String),
    #[error("in {kind} data {fault}; clients may not use such a record, NSD takes it and BIND does not")]
    ServiceParams { kind: String, fault: &'static str },
    #[error("{0} data takes more than the 65535 octets that are allowed")]
    DataTooLong(String),
    #[error("`{0}` is not a range; START-STOP or START-STOP/STEP is allowed, at most 2147483647")]
    Range(String),
    #[error(
        "`{0}` is not a template; $, \\$, $$ and ${{OFFSET,WIDTH,BASE}} with base d, o, x, X, n or N are allowed"
    )]
    Template(String),
    #[error(
        "`{0}` makes too many records; a zone may have {MAX_GENERATED} from $GENERATE, of {MAX_GENERATED_OCTETS} octets in all"
    )]
    TooManyGenerated(String),
    #[error("{0} lies outside the zone and is left out; names of the zone are allowed")]
    OutsideZone(String),

    #[error("records up to {0} make the zone too large; they may take 4294967295 octets in all")]
    ZoneTooLarge(String),
    #[error("zone has no SOA record; exactly one is needed, at {0} (RFC 1035 section 5.2)")]
    NoSoa(String),
    #[error("SOA record at {0} is below the zone's name; exactly one is allowed, at the zone's name")]
    SoaBelow(String),
    #[error("{0} has a second SOA record; exactly one is allowed")]
    SecondSoa(String),
    #[error("{0} has the same SOA record twice; exactly one is allowed")]
    SameSoa(String),
    #[error("{0} has no NS record; at least one is needed (RFC 1034 section 4.2.1)")]
    NoNameServer(String),
    #[error(
        "{0} has a CNAME record and others; it may stand alone, or with RRSIG and NSEC (RFC 2181 section 10.1)"
    )]
    CnameAndOther(String),
    #[error("{0} has a CNAME and a KEY record; BIND allows that and NSD does not")]
    CnameAndKey(String),
    #[error("{0} has two CNAME records; one is allowed (RFC 2181 section 10.1)")]
    SecondCname(String),
    #[error("{0} has two DNAME records; one is allowed (RFC 6672 section 2.4)")]
    SecondDname(String),
    #[error("{0} has two ALIAS records; one is allowed")]
    SecondAlias(String),
    #[error("{0} has an ALIAS record beside A or AAAA records; it stands for the addresses of another name")]
    AliasAndAddress(String),
    #[error("{name} lies below the DNAME record of {dname}; nothing is allowed there (RFC 6672 section 2.4)")]
    BelowDname { name: String, dname: String },
    #[error(
        "name server {name} lies below the DNAME record of {dname} and cannot be found; another name is needed"
    )]
    ServerBelowDname { name: String, dname: String },
    #[error(
        "{kind} at {name} is occluded by the delegation of {cut}; NS, DS and glue addresses are allowed there"
    )]
    Occluded { kind: String, name: String, cut: String },
    #[error("wildcard {0} has an NS record; a delegation has one name (RFC 4592 section 4.2)")]
    WildcardDelegation(String),
    #[error("DS record stands at the zone's name {0}; its place is the parent zone (RFC 4035 section 2.4)")]
    DsAtApex(String),
    #[error(
        "{kind} of {owner} names {target}, which is a CNAME; a name with addresses is needed (RFC 2181 section 10.3)"
    )]
    TargetIsCname {
        kind: String,
        owner: String,
        target: String,
    },
    #[error("name server {server} of {owner} has no A or AAAA record in this zone; one is needed")]
    ServerWithoutAddress { owner: String, server: String },
    #[error(
        "{kind} records of {owner} have TTLs of {lowest} to {highest} s; the lowest counts (RFC 2181 section 5.2)"
    )]
    TtlsDiffer {
        kind: String,
        owner: String,
        lowest: u32,
        highest: u32,
    },
    #[error(
        "{name} in the {kind} record of {owner} is not a host name; letters, digits and inner `-` are allowed (RFC 1123)"
    )]
    NotHostName {
        kind: String,
        owner: String,
        name: String,
    },
}

impl Reason {
    /// The one table of what is refused and what is only reported.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::QuoteLines
            | Self::ParenthesisOpen
            | Self::ParenthesisNested
            | Self::Nul(_)
            | Self::Escape(_)
            | Self::Quoted(_)
            | Self::OriginRelative(_)
            | Self::NoOwner(_)
            | Self::MetaType(_)
            | Self::Obsolete(_)
            | Self::TtlUnit(_)
            | Self::TtlTooLong(_)
            | Self::NoTtl
            | Self::GenericLength { .. }
            | Self::ServiceParams { .. }
            | Self::OutsideZone(_)
            | Self::SameSoa(_)
            | Self::NoNameServer(_)
            | Self::CnameAndKey(_)
            | Self::BelowDname { .. }
            | Self::Occluded { .. }
            | Self::WildcardDelegation(_)
            | Self::DsAtApex(_)
            | Self::TargetIsCname { .. }
            | Self::ServerWithoutAddress { .. }
            | Self::TtlsDiffer { .. }
            | Self::NotHostName { .. } => Severity::Warning,
            Self::Unreadable { .. }
            | Self::IncludeLoop(_)
            | Self::IncludeDepth(_)
            | Self::TooManyFiles(_)
            | Self::TooLarge(_)
            | Self::QuoteOpen
            | Self::ParenthesisExtra
            | Self::TooManyWords
            | Self::Directive(_)
            | Self::DirectiveShort { .. }
            | Self::Extra { .. }
            | Self::Name { .. }
            | Self::NoType(_)
            | Self::Type(_)
            | Self::Class(_)
            | Self::Ttl(_)
            | Self::Data { .. }
            | Self::NoData { .. }
            | Self::OnlyGeneric(_)
            | Self::GenericData(_)
            | Self::DataTooLong(_)
            | Self::Range(_)
            | Self::Template(_)
            | Self::TooManyGenerated(_)
            | Self::ZoneTooLarge(_)
            | Self::NoSoa(_)
            | Self::SoaBelow(_)
            | Self::SecondSoa(_)
            | Self::CnameAndOther(_)
            | Self::SecondCname(_)
            | Self::SecondDname(_)
            | Self::SecondAlias(_)
            | Self::AliasAndAddress(_)
            | Self::ServerBelowDname { .. } => Severity::Error,
        }
    }
}

/// Where a word stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A spot and the number of its file. What does not come from a file has numbers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) file: u32,
    pub(crate) spot: Spot,
}

/// Collects problems up to a bound.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    files: Vec<Arc<Path>>,
    kept: Vec<(At, Reason)>,
    warnings: usize,
    errors: usize,
}

impl Problems {
    /// Registers a file and gives its number.
    pub(crate) fn file(&mut self, path: &Path) -> u32 {
        self.files.push(path.into());
        u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn file_count(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn push(&mut self, at: At, reason: Reason) {
        let count = match reason.severity() {
            Severity::Warning => &mut self.warnings,
            Severity::Error => &mut self.errors,
        };
        *count += 1;
        if *count <= MAX_KEPT {
            self.kept.push((at, reason));
        }
    }

    /// Those that were kept.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(At, Reason)> {
        self.kept.iter()
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// The problems that were kept, and how many were not.
    pub(crate) fn finish(self) -> (Vec<Problem>, usize) {
        let left_out = self.warnings + self.errors - self.kept.len();
        let files = self.files;
        let placed = self.kept.into_iter().map(|(at, reason)| {
            let file = files.get(at.file as usize).map(Arc::clone);
            let file = file.unwrap_or_else(|| Path::new("").into());
            let Spot { line, column } = at.spot;
            let place = Place { file, line, column };
            Problem { place, reason }
        });
        (placed.collect(), left_out)
    }
}

/// A piece of a file for a message: printable and short.
pub(crate) fn shown(raw: &[u8]) -> String {
    let cut = raw.get(..MAX_SHOWN).unwrap_or(raw);
    let mut text: String = String::from_utf8_lossy(cut)
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if cut.len() < raw.len() {
        text.push('…');
    }
    text
}
