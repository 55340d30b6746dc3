//! Template and policies to binding to works.
