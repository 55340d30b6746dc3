//! The node of a name, in one cache line: what a lookup of a name with one record set reads is a slot of the table, this,
//! and the name with its records behind it.

use std::num::NonZeroU32;

use super::{RrSet, Span};

/// The number of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(NonZeroU32);

impl NodeId {
    pub(super) fn new(index: usize) -> Option<Self> {
        let above = u32::try_from(index).ok()?.checked_add(1)?;
        NonZeroU32::new(above).map(Self)
    }

    pub(super) fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// A name that exists: with records, or as an empty non-terminal (RFC 8020 §3.1).
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Node {
    pub(super) name: Span,
    pub(super) zone: u32,
    /// The node of `*` below this name (RFC 4592 §3.3.1).
    pub(super) wildcard: Option<NodeId>,
    /// The node of the zone cut that this name is or lies below: another server's data (RFC 1034 §4.2.1).
    pub(super) cut: Option<NodeId>,
    pub(super) sets: Sets,
}

/// The record sets of a node.
#[derive(Debug, Default)]
pub(super) enum Sets {
    #[default]
    None,
    /// The one set that most names have, with the node.
    One(RrSet),
    /// A range of the sets of all nodes.
    Some { first: u32, count: u16 },
}

impl Sets {
    /// Takes the sets of a node out of `own`, of several into `all`; `None` when there are too many.
    pub(super) fn of(own: &mut Vec<RrSet>, all: &mut Vec<RrSet>) -> Option<Self> {
        if own.len() < 2 {
            return Some(own.pop().map_or(Self::None, Self::One));
        }
        let first = u32::try_from(all.len()).ok()?;
        let count = u16::try_from(own.len()).ok()?;
        all.append(own);
        Some(Self::Some { first, count })
    }

    pub(super) fn all<'a>(&'a self, all: &'a [RrSet]) -> &'a [RrSet] {
        match self {
            Self::None => &[],
            Self::One(set) => std::slice::from_ref(set),
            Self::Some { first, count } => {
                let first = *first as usize;
                all.get(first..first + usize::from(*count)).unwrap_or_default()
            }
        }
    }

    pub(super) fn all_mut<'a>(&'a mut self, all: &'a mut [RrSet]) -> &'a mut [RrSet] {
        match self {
            Self::None => &mut [],
            Self::One(set) => std::slice::from_mut(set),
            Self::Some { first, count } => {
                let first = *first as usize;
                all.get_mut(first..first + usize::from(*count))
                    .unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A larger set goes into a box of its own.
    #[test]
    fn a_node_is_a_cache_line() {
        assert_eq!(size_of::<Node>(), 64);
    }
}
