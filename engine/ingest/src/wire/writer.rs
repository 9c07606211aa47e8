//! Appending the fields of a message.

/// Writes fields to a buffer. As in proto3, fields with the default value are left out.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Writes an unsigned integer, an enum or a bool.
    pub(crate) fn varint(&mut self, field: u32, value: u64) -> &mut Self {
        if value != 0 {
            self.present_varint(field, value);
        }
        self
    }

    /// Writes an unsigned integer even when it is 0, for members of a `oneof`.
    pub(crate) fn present_varint(&mut self, field: u32, value: u64) -> &mut Self {
        self.key(field, 0);
        push_varint(&mut self.out, value);
        self
    }

    /// Writes an `int64`.
    pub(crate) fn int(&mut self, field: u32, value: i64) -> &mut Self {
        self.varint(field, value as u64)
    }

    /// Writes a `sint64`.
    pub(crate) fn zigzag(&mut self, field: u32, value: i64) -> &mut Self {
        self.varint(field, zigzag(value))
    }

    pub(crate) fn double(&mut self, field: u32, value: f64) -> &mut Self {
        if value.to_bits() != 0 {
            self.present_double(field, value);
        }
        self
    }

    /// Writes a double even when it is 0, for members of a `oneof`.
    pub(crate) fn present_double(&mut self, field: u32, value: f64) -> &mut Self {
        self.key(field, 1);
        self.out.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Writes a string or bytes.
    pub(crate) fn bytes(&mut self, field: u32, value: &[u8]) -> &mut Self {
        if !value.is_empty() {
            self.present_bytes(field, value);
        }
        self
    }

    /// Writes a string even when it is empty, for elements of a list.
    pub(crate) fn present_bytes(&mut self, field: u32, value: &[u8]) -> &mut Self {
        self.key(field, 2);
        push_varint(&mut self.out, value.len() as u64);
        self.out.extend_from_slice(value);
        self
    }

    /// Writes a nested message, also an empty one.
    pub(crate) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) -> &mut Self {
        let mut nested = Self::default();
        write(&mut nested);
        self.present_bytes(field, &nested.out)
    }

    /// Writes a packed list of varints.
    pub(crate) fn packed(&mut self, field: u32, values: impl Iterator<Item = u64>) -> &mut Self {
        let mut packed = Vec::new();
        for value in values {
            push_varint(&mut packed, value);
        }
        self.bytes(field, &packed)
    }

    /// Writes a packed list of doubles.
    pub(crate) fn packed_doubles(&mut self, field: u32, values: &[f64]) -> &mut Self {
        let packed: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.bytes(field, &packed)
    }

    fn key(&mut self, field: u32, wire_type: u8) {
        push_varint(&mut self.out, u64::from(field) << 3 | u64::from(wire_type));
    }
}

pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}
