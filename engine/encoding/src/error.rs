//! What stored bytes can have wrong with them.

/// Why bytes could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end before everything announced was read.
    #[error("the bytes end too early")]
    UnexpectedEnd,
    /// A varint does not fit 64 bits (or the 32 that were asked for).
    #[error("a varint is too large")]
    VarintOverflow,
    /// The encoding byte is none of the known ones.
    #[error("unknown chunk encoding {0}")]
    UnknownEncoding(u8),
    /// A histogram has a resolution that nobody defined.
    #[error("unknown histogram schema {0}")]
    UnknownSchema(i64),
    /// A histogram announces more spans, buckets or bounds than its bytes can hold.
    #[error("a histogram announces more buckets than the bytes hold")]
    TooManyBuckets,
    /// A float's window of significant bits is wider than 64 bits.
    #[error("a float has more than 64 significant bits")]
    BadWindow,
    /// The timestamps do not rise.
    #[error("timestamps do not rise")]
    TimeOrder,
    /// Text is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// The bytes that mark the kind of file are others.
    #[error("wrong magic number {0:08x}")]
    BadMagic(u32),
    /// Numbers that refer to each other do not agree.
    #[error("{0}")]
    Inconsistent(&'static str),
    /// The CRC does not fit the bytes.
    #[error("CRC mismatch: stored {stored:08x}, computed {computed:08x}")]
    Crc {
        /// The CRC that was stored.
        stored: u32,
        /// The CRC of the bytes as they are.
        computed: u32,
    },
}
