//! Protocol Buffers on the wire: a reader that borrows and a writer that appends.
//!
//! Written by hand because generated types would allocate per label and per sample; here a
//! message is walked field by field and only what is kept is copied.

mod reader;
mod writer;

pub use reader::WireError;
pub(crate) use reader::{Reader, Value, unzigzag};
pub(crate) use writer::{Writer, push_varint, zigzag};
