//! `kubectl get`: objects as rows of printable columns.

mod age;
mod builtin;
mod jsonpath;
mod render;

pub(crate) use builtin::CustomColumn;
pub(crate) use render::{columns, row};
