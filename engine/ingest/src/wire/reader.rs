//! Walking the fields of a message.

/// Why bytes are not the message they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The message ends inside a field.
    #[error("unexpected end of the message")]
    Truncated,
    /// A variable-length integer has more than ten bytes or does not fit 64 bits.
    #[error("varint is too long")]
    Varint,
    /// A field's length reaches beyond its message.
    #[error("length {0} reaches beyond the message")]
    Length(u64),
    /// Field numbers start at 1 and end at 2^29 - 1.
    #[error("illegal field number {0}")]
    FieldNumber(u64),
    /// Groups and unassigned wire types are not accepted.
    #[error("wire type {wire_type} of field {field} is not supported")]
    WireType {
        /// The field's number.
        field: u32,
        /// The wire type, 0 to 7.
        wire_type: u8,
    },
    /// A known field has another type than its schema says.
    #[error("wrong wire type for field {field}")]
    FieldType {
        /// The field's number.
        field: u32,
    },
}

/// The value of one field, not yet interpreted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    /// `int32`, `int64`, `uint32`, `uint64`, `sint32`, `sint64`, `bool`, `enum`.
    Varint(u64),
    /// `double`, `fixed64`, `sfixed64`.
    Fixed64(u64),
    /// `string`, `bytes`, messages, packed lists.
    Bytes(&'a [u8]),
    /// `float`, `fixed32`, `sfixed32`.
    Fixed32(u32),
}

/// Yields the fields of one message in the order of the bytes.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// Returns the next field's number and value, or `None` at the end of the message.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = key >> 3;
        if number == 0 || number >= 1 << 29 {
            return Err(WireError::FieldNumber(number));
        }
        let field = number as u32;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.fixed()?)),
            2 => Value::Bytes(self.bytes()?),
            5 => Value::Fixed32(u32::from_le_bytes(self.fixed()?)),
            other => {
                let wire_type = other as u8;
                return Err(WireError::WireType { field, wire_type });
            }
        };
        Ok(Some((field, value)))
    }

    /// Reads a varint; also the element of a packed list.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, WireError> {
        if let [first, rest @ ..] = self.rest
            && *first < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(*first));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            if index == 9 && *byte > 1 {
                return Err(WireError::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.rest = self.rest.get(index + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 {
            WireError::Truncated
        } else {
            WireError::Varint
        })
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (bytes, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Reads a length and that many bytes; also a delimited message of a stream.
    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.varint()?;
        let (bytes, rest) = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length))
            .ok_or(WireError::Length(length))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

impl<'a> Value<'a> {
    #[inline]
    pub(crate) fn varint(self, field: u32) -> Result<u64, WireError> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(WireError::FieldType { field }),
        }
    }

    /// Returns an `int64`.
    #[inline]
    pub(crate) fn int(self, field: u32) -> Result<i64, WireError> {
        Ok(self.varint(field)? as i64)
    }

    /// Returns a `sint64`.
    #[inline]
    pub(crate) fn zigzag(self, field: u32) -> Result<i64, WireError> {
        Ok(unzigzag(self.varint(field)?))
    }

    #[inline]
    pub(crate) fn double(self, field: u32) -> Result<f64, WireError> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(WireError::FieldType { field }),
        }
    }

    #[inline]
    pub(crate) fn bytes(self, field: u32) -> Result<&'a [u8], WireError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError::FieldType { field }),
        }
    }

    /// Calls `push` for each varint of a repeated field, packed or not.
    pub(crate) fn each_varint(
        self,
        field: u32,
        mut push: impl FnMut(u64),
    ) -> Result<(), WireError> {
        match self {
            Self::Varint(value) => push(value),
            Self::Bytes(packed) => {
                let mut list = Reader::new(packed);
                while !list.is_empty() {
                    push(list.varint()?);
                }
            }
            Self::Fixed32(_) | Self::Fixed64(_) => return Err(WireError::FieldType { field }),
        }
        Ok(())
    }

    /// Calls `push` for each double of a repeated field, packed or not.
    pub(crate) fn each_double(
        self,
        field: u32,
        mut push: impl FnMut(f64),
    ) -> Result<(), WireError> {
        match self {
            Self::Fixed64(bits) => push(f64::from_bits(bits)),
            Self::Bytes(packed) => {
                let (chunks, rest) = packed.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(WireError::Truncated);
                }
                for chunk in chunks {
                    push(f64::from_le_bytes(*chunk));
                }
            }
            Self::Fixed32(_) | Self::Varint(_) => return Err(WireError::FieldType { field }),
        }
        Ok(())
    }

    /// Returns the most elements that a repeated field of elements of at least `min_bytes` holds.
    pub(crate) fn max_elements(self, min_bytes: usize) -> usize {
        match self {
            Self::Bytes(packed) => packed.len() / min_bytes,
            _ => 1,
        }
    }
}

#[inline]
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Writer;
    use proptest::prelude::*;

    #[test]
    fn broken_messages_are_named() {
        let cases: &[(&[u8], WireError)] = &[
            (&[0x0a, 0x05, 0x01], WireError::Length(5)),
            (&[0x08], WireError::Truncated),
            (&[0x09, 1, 2], WireError::Truncated),
            (&[0xff; 11], WireError::Varint),
            (&[0x00, 0x00], WireError::FieldNumber(0)),
            (
                &[0x0b],
                WireError::WireType {
                    field: 1,
                    wire_type: 3,
                },
            ),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Reader::new(bytes).next(), Err(*expected), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&bytes);
            while let Ok(Some((field, value))) = reader.next() {
                let _unused = value.each_varint(field, |_| ());
                let _unused = value.each_double(field, |_| ());
            }
        }

        #[test]
        fn what_is_written_is_read_back(number: u64, signed: i64, double: f64, text in ".{0,40}") {
            let mut writer = Writer::default();
            writer.varint(1, number).zigzag(2, signed).bytes(3, text.as_bytes()).double(4, double);
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes);
            let mut fields = Vec::new();
            while let Some(field) = reader.next().unwrap() {
                fields.push(field);
            }
            for (field, value) in fields {
                match field {
                    1 => prop_assert_eq!(value.varint(1), Ok(number)),
                    2 => prop_assert_eq!(value.zigzag(2), Ok(signed)),
                    3 => prop_assert_eq!(value.bytes(3), Ok(text.as_bytes())),
                    _ => prop_assert_eq!(value.double(4).unwrap().to_bits(), double.to_bits()),
                }
            }
        }
    }
}
