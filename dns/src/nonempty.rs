//! A list that cannot be empty: the type of everything that can hold an answer set.

use std::ops::Deref;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NonEmpty<T>(Box<[T]>);

impl<T> NonEmpty<T> {
    /// `None` for an empty list.
    pub(crate) fn new(items: Vec<T>) -> Option<Self> {
        if items.is_empty() {
            None
        } else {
            Some(Self(items.into_boxed_slice()))
        }
    }
}

impl<T> Deref for NonEmpty<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}
