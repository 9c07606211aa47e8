//! Scalars in the forms that JSON senders use.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// An unsigned integer, as a number or a string.
#[derive(Debug)]
pub(super) struct Uint(pub(super) u64);

/// A signed integer, as a number or a string.
#[derive(Debug)]
pub(super) struct Int(pub(super) i64);

/// A float, as a number or a string; the strings know `NaN`, `Infinity` and `-Infinity`.
#[derive(Debug)]
pub(super) struct Double(pub(super) f64);

/// An enumeration, by number or by name.
#[derive(Debug)]
pub(super) enum Enum {
    Number(i32),
    Name(String),
}

/// A trace or span id, hexadecimal.
#[derive(Debug)]
pub(super) struct Hex(pub(super) Vec<u8>);

/// Bytes, in base64.
#[derive(Debug)]
pub(super) struct Bytes(pub(super) Vec<u8>);

/// A list; elements that are `null` are left out.
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl From<Uint> for u64 {
    fn from(from: Uint) -> Self {
        from.0
    }
}

impl From<Double> for f64 {
    fn from(from: Double) -> Self {
        from.0
    }
}

/// Turns numbers and strings into a scalar.
trait FromScalar: Sized {
    const EXPECTED: &'static str;
    fn from_unsigned(value: u64) -> Option<Self>;
    fn from_signed(value: i64) -> Option<Self>;
    fn from_float(value: f64) -> Option<Self>;
    fn from_text(text: &str) -> Option<Self>;
}

struct Scalar<T>(PhantomData<T>);

impl<T: FromScalar> Visitor<'_> for Scalar<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        T::from_unsigned(value).ok_or_else(|| out_of_range(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        T::from_signed(value).ok_or_else(|| out_of_range(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        T::from_float(value).ok_or_else(|| out_of_range(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).ok_or_else(|| out_of_range(format_args!("{text:?}")))
    }
}

fn out_of_range<E: Error>(value: impl fmt::Display) -> E {
    E::custom(format_args!("{value} is not a valid value here"))
}

/// Returns a float that is an integer, as some senders write integers.
fn whole(value: f64, range: std::ops::Range<f64>) -> Option<f64> {
    (value.fract() == 0.0 && range.contains(&value)).then_some(value)
}

impl FromScalar for Uint {
    const EXPECTED: &'static str = "an unsigned integer or a string that holds one";

    fn from_unsigned(value: u64) -> Option<Self> {
        Some(Self(value))
    }

    fn from_signed(value: i64) -> Option<Self> {
        u64::try_from(value).ok().map(Self)
    }

    fn from_float(value: f64) -> Option<Self> {
        whole(value, 0.0..18_446_744_073_709_551_616.0).map(|value| Self(value as u64))
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl FromScalar for Int {
    const EXPECTED: &'static str = "an integer or a string that holds one";

    fn from_unsigned(value: u64) -> Option<Self> {
        i64::try_from(value).ok().map(Self)
    }

    fn from_signed(value: i64) -> Option<Self> {
        Some(Self(value))
    }

    fn from_float(value: f64) -> Option<Self> {
        let end = 9_223_372_036_854_775_808.0;
        whole(value, -end..end).map(|value| Self(value as i64))
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl FromScalar for Double {
    const EXPECTED: &'static str = "a number or a string that holds one";

    fn from_unsigned(value: u64) -> Option<Self> {
        Some(Self(value as f64))
    }

    fn from_signed(value: i64) -> Option<Self> {
        Some(Self(value as f64))
    }

    fn from_float(value: f64) -> Option<Self> {
        Some(Self(value))
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl FromScalar for Enum {
    const EXPECTED: &'static str = "the number or the name of an enumeration's value";

    fn from_unsigned(value: u64) -> Option<Self> {
        i32::try_from(value).ok().map(Self::Number)
    }

    fn from_signed(value: i64) -> Option<Self> {
        i32::try_from(value).ok().map(Self::Number)
    }

    fn from_float(_: f64) -> Option<Self> {
        None
    }

    fn from_text(text: &str) -> Option<Self> {
        Some(Self::Name(text.to_owned()))
    }
}

impl FromScalar for Hex {
    const EXPECTED: &'static str = "a string of hexadecimal digits";

    fn from_unsigned(_: u64) -> Option<Self> {
        None
    }

    fn from_signed(_: i64) -> Option<Self> {
        None
    }

    fn from_float(_: f64) -> Option<Self> {
        None
    }

    fn from_text(text: &str) -> Option<Self> {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let bytes: Option<Vec<u8>> = pairs
            .iter()
            .map(|[high, low]| Some((digit(*high)? * 16 + digit(*low)?) as u8))
            .collect();
        bytes.filter(|_| rest.is_empty()).map(Self)
    }
}

impl FromScalar for Bytes {
    const EXPECTED: &'static str = "a string in base64";

    fn from_unsigned(_: u64) -> Option<Self> {
        None
    }

    fn from_signed(_: i64) -> Option<Self> {
        None
    }

    fn from_float(_: f64) -> Option<Self> {
        None
    }

    fn from_text(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('=');
        let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
        let (mut bits, mut count) = (0_u32, 0_u32);
        for byte in text.bytes() {
            bits = bits << 6 | u32::from(base64_digit(byte)?);
            count += 6;
            if count >= 8 {
                count -= 8;
                bytes.push((bits >> count) as u8);
            }
        }
        Some(Self(bytes))
    }
}

/// Returns the value of a digit of either base64 alphabet.
fn base64_digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

macro_rules! deserialize_scalar {
    ($($type:ty),*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Scalar(PhantomData))
            }
        }
    )*};
}

deserialize_scalar!(Uint, Int, Double, Enum, Hex, Bytes);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<List<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = elements.next_element::<Option<T>>()? {
                    list.extend(element);
                }
                Ok(List(list))
            }
        }

        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<T: for<'de> Deserialize<'de>>(json: &str) -> Option<T> {
        serde_json::from_str(json).ok()
    }

    #[test]
    fn integers_come_as_numbers_and_as_strings() {
        for json in ["7", "\"7\"", "7.0", "7e0"] {
            assert_eq!(parse::<Uint>(json).map(|v| v.0), Some(7), "{json}");
            assert_eq!(parse::<Int>(json).map(|v| v.0), Some(7), "{json}");
        }
        assert_eq!(
            parse::<Int>("\"-9223372036854775808\"").unwrap().0,
            i64::MIN
        );
        for json in ["-1", "1.5", "\"x\"", "true", "1e30"] {
            assert!(parse::<Uint>(json).is_none(), "{json}");
        }
    }

    #[test]
    fn floats_know_the_special_strings() {
        assert!(parse::<Double>("\"NaN\"").unwrap().0.is_nan());
        assert_eq!(
            parse::<Double>("\"-Infinity\"").unwrap().0,
            f64::NEG_INFINITY
        );
        assert_eq!(parse::<Double>("3").unwrap().0, 3.0);
    }

    #[test]
    fn ids_are_hexadecimal_and_bytes_are_base64() {
        assert_eq!(parse::<Hex>("\"0aFf\"").unwrap().0, [0x0a, 0xff]);
        assert!(parse::<Hex>("\"0aF\"").is_none() && parse::<Hex>("\"zz\"").is_none());
        assert_eq!(parse::<Bytes>("\"AQIDBA==\"").unwrap().0, [1, 2, 3, 4]);
        assert_eq!(parse::<Bytes>("\"_-4\"").unwrap().0, [255, 238]);
    }
}
