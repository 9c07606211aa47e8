//! What one request may bring.

/// Limits on what is accepted from outside, with the defaults of obsq.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestLimits {
    /// Most bytes of a request body as sent.
    pub max_wire_bytes: usize,
    /// Most bytes of a request body after decompression.
    pub max_decoded_bytes: usize,
    /// Most bytes of memory that the samples and labels of one request may take.
    pub max_expanded_bytes: usize,
    /// Most labels of one series.
    pub max_label_names: usize,
    /// Most bytes of a label's name.
    pub max_label_name_bytes: usize,
    /// Most bytes of a label's value.
    pub max_label_value_bytes: usize,
}

impl Default for IngestLimits {
    fn default() -> Self {
        Self {
            max_wire_bytes: 20 << 20,
            max_decoded_bytes: 32 << 20,
            max_expanded_bytes: 256 << 20,
            max_label_names: 128,
            max_label_name_bytes: 1024,
            max_label_value_bytes: 8192,
        }
    }
}

/// Counts down the memory that one request may take, so that a small body cannot claim much more
/// than its size.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    limit_bytes: usize,
    left_bytes: usize,
}

/// The request would take more memory than allowed; holds the limit in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent(pub(crate) usize);

impl Budget {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            left_bytes: limit_bytes,
        }
    }

    #[inline]
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), Spent> {
        self.left_bytes = self
            .left_bytes
            .checked_sub(bytes)
            .ok_or(Spent(self.limit_bytes))?;
        Ok(())
    }
}
