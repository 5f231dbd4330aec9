//! Nothing: the gates are in `tests/gates.rs`.
