//! Integration tests: they spawn the real binary.
