//! Label and field selectors.

pub(crate) mod fields;
pub(crate) mod labels;

use super::stored::Stored;

/// What a list or watch asks for, beyond the namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    pub labels: labels::LabelSelector,
    pub fields: fields::FieldSelector,
}

impl Selector {
    pub(crate) fn matches(&self, stored: &Stored) -> bool {
        self.labels.matches(&stored.labels) && self.fields.matches(stored)
    }
}
