//! Every decision, no I/O.
