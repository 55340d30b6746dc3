//! The patch formats, as pure functions on JSON. Server-side apply is in [`super::managed`].

pub(crate) mod json;
pub(crate) mod merge;
pub(crate) mod strategic;
