//! The fast way through a chunk of floats.

use crate::DecodeError;
use crate::window::Window;

/// A place in a bit stream from which 128 bits are looked at together.
///
/// Made for speed: a sample is decoded from the bits that begin with it, and between samples there is
/// no state but the place. Callers branch on prefixes and move on by constants where they can, so that
/// where the next sample begins is known before this one is decoded.
#[derive(Debug, Clone)]
pub(crate) struct BitWindow<'a> {
    bytes: &'a [u8],
    /// Number of bits consumed.
    bit: usize,
}

/// The next bits of a stream at the high end: 64, and behind them 57 or more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead {
    pub(crate) next: u64,
    behind: u64,
}

impl<'a> BitWindow<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, bit: 0 }
    }

    /// Moves on by `count` bits.
    #[inline]
    pub(crate) fn skip(&mut self, count: usize) {
        self.bit += count;
    }

    /// Returns the bytes from the present one on, and how many of its bits are consumed.
    #[expect(clippy::cast_possible_truncation, reason = "three bits")]
    pub(crate) fn rest(&self) -> (&'a [u8], u8) {
        let bytes = self.bytes.get(self.bit / 8..).unwrap_or_default();
        (bytes, (self.bit & 7) as u8)
    }

    /// Fails when more was consumed than there is.
    pub(crate) fn check(&self) -> Result<(), DecodeError> {
        if self.bit > self.bytes.len() * 8 {
            return Err(DecodeError::UnexpectedEnd);
        }
        Ok(())
    }

    /// Returns the next bits; zeros beyond the end.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the halves of 128 bits are 64 bits each"
    )]
    pub(crate) fn load(&self) -> Ahead {
        let at = self.bit / 8;
        let bytes = match self.bytes.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(bytes) => *bytes,
            None => padded(self.bytes.get(at..).unwrap_or_default()),
        };
        let bits = u128::from_be_bytes(bytes) << (self.bit % 8);
        Ahead {
            next: (bits >> 64) as u64,
            behind: bits as u64,
        }
    }

    /// Reads the difference of a float in its window, which lies `used` bits ahead, at most 57.
    #[inline]
    pub(crate) fn reuse(&mut self, ahead: Ahead, used: u32, window: Window) -> u64 {
        let word = ahead.next << used | ahead.behind >> 1 >> (63 - used);
        self.bit += (used + window.width()) as usize;
        word >> (64 - window.width()) << window.trailing()
    }

    /// Reads a new window, which lies `used` bits ahead, at most 46, and the difference in it.
    #[inline]
    pub(crate) fn renew(
        &mut self,
        ahead: Ahead,
        used: u32,
        window: &mut Window,
    ) -> Result<u64, DecodeError> {
        *window = Window::from_head(ahead.next << used >> 53)?;
        Ok(self.reuse(ahead, used + 11, *window))
    }
}

/// Returns up to 16 bytes with zeros behind them.
#[cold]
fn padded(rest: &[u8]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(rest) {
        *to = *from;
    }
    bytes
}
