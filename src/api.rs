//! Custom resources, one file a group.
