//! Bits appended to bytes, high bits first.

/// Appends bits to a byte vector; the last byte is padded with zero bits.
#[derive(Debug, Clone, Default)]
pub struct BitWriter {
    bytes: Vec<u8>,
    /// Unused low bits of the last byte, 0..=7.
    free: u32,
}

impl BitWriter {
    /// Returns a writer that goes on behind `bytes`, at a byte's edge.
    pub fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, free: 0 }
    }

    /// Appends one bit.
    #[inline]
    pub fn bit(&mut self, bit: bool) {
        self.bits(u64::from(bit), 1);
    }

    /// Appends the low `count` bits of `value`, 0 to 64.
    #[inline]
    pub fn bits(&mut self, value: u64, count: u32) {
        debug_assert!(count <= 64, "{count} bits");
        if count == 0 {
            return;
        }
        let mut left = value << (64 - count);
        let mut count = count;
        if self.free > 0
            && let Some(last) = self.bytes.last_mut()
        {
            *last |= high_byte(left >> (8 - self.free));
            if count <= self.free {
                self.free -= count;
                return;
            }
            left <<= self.free;
            count -= self.free;
        }
        let whole = count.div_ceil(8);
        self.bytes
            .extend_from_slice(&left.to_be_bytes()[..whole as usize]);
        self.free = whole * 8 - count;
    }

    /// Appends eight bits.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.bits(u64::from(byte), 8);
    }

    /// Appends bytes, not necessarily at a byte's edge.
    pub fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.byte(*byte);
        }
    }

    /// Returns the bytes written so far, padding included.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes written so far for changing them in place, such as a header's counter.
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Returns the bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Returns the memory that the bytes take, spare room included.
    pub fn capacity_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

#[inline]
fn high_byte(value: u64) -> u8 {
    value.to_be_bytes()[0]
}
