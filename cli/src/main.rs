//! The `obsq` binary.
fn main() {}
