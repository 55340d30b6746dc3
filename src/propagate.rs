//! Template and policies to binding to works. (Pure half being written by the propagation author, not by the scheduler's author.)
