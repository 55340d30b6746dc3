//! Bindings and traffic policies to a steering plan.
