//! The symbol table, held in memory as it lies in the file.

use obsq_encoding::{ByteReader, DecodeError};

use super::Version;

/// Texts by number.
#[derive(Debug)]
pub(super) struct Symbols {
    /// `(length uvarint, text)*`
    texts: Vec<u8>,
    /// Where each text's length lies in `texts`.
    offsets: Vec<u32>,
    version: Version,
    /// Where `texts` lie in the file.
    base: u64,
}

impl Symbols {
    /// Takes the body of the section that lies at `section` in the file.
    pub(super) fn parse(
        mut body: Vec<u8>,
        section: u64,
        version: Version,
    ) -> Result<Self, DecodeError> {
        let mut reader = ByteReader::new(&body);
        let number = reader.u32()? as usize;
        if number > reader.remaining() {
            return Err(DecodeError::UnexpectedEnd);
        }
        let mut offsets = Vec::with_capacity(number);
        for _ in 0..number {
            let offset = reader.position() - 4;
            offsets.push(u32::try_from(offset).map_err(|_range| DecodeError::UnexpectedEnd)?);
            reader.uvarint_str()?;
        }
        body.drain(..4);
        body.shrink_to_fit();
        Ok(Self {
            texts: body,
            offsets,
            version,
            // Behind the section's length and the number of symbols.
            base: section + 8,
        })
    }

    /// Returns the text that `symbol` refers to.
    pub(super) fn get(&self, symbol: u32) -> Result<&str, DecodeError> {
        const UNKNOWN: DecodeError = DecodeError::Inconsistent("a symbol that is not in the table");
        let offset = match self.version {
            Version::V2 => *self.offsets.get(symbol as usize).ok_or(UNKNOWN)?,
            Version::V1 => {
                let offset = u64::from(symbol).checked_sub(self.base).ok_or(UNKNOWN)?;
                let offset = u32::try_from(offset).map_err(|_range| UNKNOWN)?;
                self.offsets
                    .binary_search(&offset)
                    .map_err(|_near| UNKNOWN)?;
                offset
            }
        };
        let bytes = self.texts.get(offset as usize..).ok_or(UNKNOWN)?;
        ByteReader::new(bytes).uvarint_str()
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.texts.capacity() + self.offsets.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_symbol_that_is_not_there_is_an_error() {
        let body = b"\x00\x00\x00\x02\x01a\x02bc".to_vec();
        let symbols = Symbols::parse(body.clone(), 5, Version::V2).unwrap();
        assert_eq!((symbols.get(0), symbols.get(1)), (Ok("a"), Ok("bc")));
        assert!(symbols.get(2).is_err());
        let symbols = Symbols::parse(body, 5, Version::V1).unwrap();
        assert_eq!((symbols.get(13), symbols.get(15)), (Ok("a"), Ok("bc")));
        assert!(
            [0, 12, 14, 16, u32::MAX]
                .iter()
                .all(|place| symbols.get(*place).is_err())
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body: Vec<u8>, symbol: u32) {
            for version in [Version::V1, Version::V2] {
                if let Ok(symbols) = Symbols::parse(body.clone(), 5, version) {
                    let _text = symbols.get(symbol % 64);
                }
            }
        }
    }
}
