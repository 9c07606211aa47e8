//! What words of the language mean: durations, numbers and quoted strings.

use std::fmt::Write as _;

use crate::go;

const MS_PER_SECOND: i64 = 1_000;
const MS_PER_MINUTE: i64 = 60 * MS_PER_SECOND;
const MS_PER_HOUR: i64 = 60 * MS_PER_MINUTE;
const MS_PER_DAY: i64 = 24 * MS_PER_HOUR;
const MS_PER_WEEK: i64 = 7 * MS_PER_DAY;
const MS_PER_YEAR: i64 = 365 * MS_PER_DAY;

/// Units from the widest to the narrowest, with their milliseconds.
const UNITS: [(&str, i64); 7] = [
    ("y", MS_PER_YEAR),
    ("w", MS_PER_WEEK),
    ("d", MS_PER_DAY),
    ("h", MS_PER_HOUR),
    ("m", MS_PER_MINUTE),
    ("s", MS_PER_SECOND),
    ("ms", 1),
];

/// The widest duration, as upstream counts nanoseconds in 63 bits: about 292 years.
const MAX_DURATION_MS: i64 = i64::MAX / 1_000_000;

/// Reads a duration such as `1h30m` and returns milliseconds. Units go from the widest (`y`) to
/// the narrowest (`ms`), each at most once; `0` needs none. The error is upstream's text.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    match text {
        "" => return Err("empty duration string".to_owned()),
        "0" => return Ok(0),
        _ => {}
    }
    let invalid = || format!("not a valid duration string: {}", go::quote(text));
    let out_of_range = || "duration out of range".to_owned();
    let mut rest = text;
    let mut total = 0_i64;
    let mut next_unit = 0;
    while !rest.is_empty() {
        let (digits, tail) = split_where(rest, |c| !c.is_ascii_digit());
        let count: u64 = digits.parse().map_err(|_beyond_64_bits| invalid())?;
        let (name, tail) = split_where(tail, |c| c.is_ascii_digit());
        if name.is_empty() {
            return Err(invalid());
        }
        let Some(unit) = UNITS.iter().position(|(known, _)| *known == name) else {
            return Err(format!(
                "unknown unit {} in duration {}",
                go::quote(name),
                go::quote(text)
            ));
        };
        if unit < next_unit {
            return Err(invalid());
        }
        next_unit = unit + 1;
        total = i64::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(UNITS[unit].1))
            .and_then(|ms| total.checked_add(ms))
            .filter(|ms| *ms <= MAX_DURATION_MS)
            .ok_or_else(out_of_range)?;
        rest = tail;
    }
    Ok(total)
}

/// Splits before the first character for which `found` holds.
fn split_where(text: &str, found: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(found).unwrap_or(text.len()))
}

/// Writes milliseconds as upstream does: `90000` is `1m30s`, whole years and weeks are named as
/// such only when nothing remains. The inverse of [`parse_duration`]; negative values get a `-`.
pub fn format_duration(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    if ms < 0 {
        out.push('-');
    }
    let mut rest = ms.unsigned_abs();
    for (name, width) in UNITS {
        let width = width.unsigned_abs();
        let only_exact = matches!(name, "y" | "w");
        if rest < width || (only_exact && !rest.is_multiple_of(width)) {
            continue;
        }
        _ = write!(out, "{}{name}", rest / width);
        rest %= width;
    }
    out
}

/// Reads a number of the language: decimal, hexadecimal, octal or binary integers, floats,
/// infinities and NaN. The error is upstream's text.
pub(super) fn parse_number(text: &str) -> Result<f64, String> {
    if let Some(integer) = parse_integer(text) {
        return Ok(integer as f64);
    }
    let problem = |what| format!("strconv.ParseFloat: parsing {}: {what}", go::quote(text));
    match text.to_ascii_lowercase().as_str() {
        "inf" => return Ok(f64::INFINITY),
        "nan" => return Ok(f64::NAN),
        // Hexadecimal floats need an exponent, which the lexer does not let through.
        lower if lower.starts_with("0x") => return Err(problem("invalid syntax")),
        _ => {}
    }
    if !underscores_separate_digits(text) {
        return Err(problem("invalid syntax"));
    }
    match text.replace('_', "").parse::<f64>() {
        Ok(value) if value.is_infinite() => Err(problem("value out of range")),
        Ok(value) => Ok(value),
        Err(_) => Err(problem("invalid syntax")),
    }
}

/// Reads an integer as Go's base 0 does: by prefix `0x`, `0o`, `0b` or `0`.
fn parse_integer(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, lower.get(2..)?),
        [b'0', b'o', ..] => (8, lower.get(2..)?),
        [b'0', b'b', ..] => (2, lower.get(2..)?),
        [b'0', _, ..] => (8, lower.get(1..)?),
        _ => (10, lower.as_str()),
    };
    if digits.starts_with('+') || !underscores_separate_digits(text) {
        return None;
    }
    i64::from_str_radix(&digits.replace('_', ""), base).ok()
}

/// Says whether every underscore stands between digits, a base's prefix counting as a digit.
fn underscores_separate_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let prefixed = matches!(bytes, [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', ..]);
    let hex = matches!(bytes, [b'0', b'x' | b'X', ..]);
    let skip = if prefixed { 2 } else { 0 };
    let mut last = if prefixed { b'0' } else { b'!' };
    for byte in &bytes[skip..] {
        let digit = byte.is_ascii_digit() || (hex && byte.is_ascii_hexdigit());
        match (digit, *byte) {
            (true, _) => last = b'0',
            (false, b'_') if last != b'0' => return false,
            (false, b'_') => last = b'_',
            (false, _) if last == b'_' => return false,
            (false, _) => last = b'!',
        }
    }
    last != b'_'
}

/// Returns what a quoted string stands for; `text` has its quotes and was accepted by the lexer.
/// Bytes that are not UTF-8 become stand-ins, see [`go::stray_byte`].
pub(super) fn unquote(text: &str) -> String {
    let inner = text
        .get(1..text.len().saturating_sub(1))
        .unwrap_or_default();
    if text.starts_with('`') || !inner.contains('\\') {
        return inner.to_owned();
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            push_escape(&mut bytes, &mut chars);
        } else {
            push_char(&mut bytes, c);
        }
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|byte| go::stray_byte(*byte)));
    }
    out
}

fn push_char(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Reads one escape sequence behind its backslash.
fn push_escape(bytes: &mut Vec<u8>, chars: &mut std::str::Chars<'_>) {
    let Some(c) = chars.next() else { return };
    let mut code = |first: u32, digits: usize, base: u32| {
        let next = chars.by_ref().take(digits).filter_map(|c| c.to_digit(base));
        next.fold(first, |code, digit| {
            code.wrapping_mul(base).wrapping_add(digit)
        })
    };
    match c {
        'a' => bytes.push(7),
        'b' => bytes.push(8),
        'f' => bytes.push(12),
        'n' => bytes.push(b'\n'),
        'r' => bytes.push(b'\r'),
        't' => bytes.push(b'\t'),
        'v' => bytes.push(11),
        '0'..='7' => bytes.push(code(c.to_digit(8).unwrap_or(0), 2, 8) as u8),
        'x' => bytes.push(code(0, 2, 16) as u8),
        'u' => push_char(bytes, char::from_u32(code(0, 4, 16)).unwrap_or_default()),
        'U' => push_char(bytes, char::from_u32(code(0, 8, 16)).unwrap_or_default()),
        c => push_char(bytes, c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_and_written_as_upstream_does() {
        let cases = [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("1ms", 1, "1ms"),
            ("90s", 90_000, "1m30s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("7d", 604_800_000, "1w"),
            ("8d", 691_200_000, "8d"),
            ("1y1w1d1h1m1s1ms", 32_230_861_001, "373d1h1m1s1ms"),
            ("365d", 31_536_000_000, "1y"),
        ];
        for (text, millis, canonical) in cases {
            assert_eq!(parse_duration(text), Ok(millis), "{text}");
            assert_eq!(format_duration(millis), canonical, "{text}");
        }
        assert_eq!(format_duration(-90_000), "-1m30s");
    }

    #[test]
    fn durations_that_make_no_sense_are_refused() {
        let cases = [
            ("", "empty duration string"),
            ("1", "not a valid duration string: \"1\""),
            ("-1s", "not a valid duration string: \"-1s\""),
            ("1s1m", "not a valid duration string: \"1s1m\""),
            ("1m1m", "not a valid duration string: \"1m1m\""),
            ("1x", "unknown unit \"x\" in duration \"1x\""),
            ("1.5h", "unknown unit \".\" in duration \"1.5h\""),
            ("300y", "duration out of range"),
            (
                "99999999999999999999s",
                "not a valid duration string: \"99999999999999999999s\"",
            ),
            ("9999999999999999999s", "duration out of range"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_duration(text), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn numbers_are_read_as_in_go() {
        let cases = [
            ("42", 42.0),
            ("0x1F", 31.0),
            ("0X_ff", 255.0),
            ("017", 15.0),
            ("0o17", 15.0),
            ("0b101", 5.0),
            ("089", 89.0),
            ("1_000", 1_000.0),
            ("1_0.2_5e1_0", 10.25e10),
            ("9223372036854775808", 9_223_372_036_854_775_808.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("iNf", f64::INFINITY),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_number(text), Ok(expected), "{text}");
        }
        assert!(parse_number("nan").is_ok_and(f64::is_nan));
        let range = "strconv.ParseFloat: parsing \"1e999\": value out of range";
        assert_eq!(parse_number("1e999"), Err(range.to_owned()));
        let syntax = "strconv.ParseFloat: parsing \"0x\": invalid syntax";
        assert_eq!(parse_number("0x"), Err(syntax.to_owned()));
    }

    #[test]
    fn strings_are_unquoted() {
        let cases = [
            (r#""a\n\t\"\\""#, "a\n\t\"\\"),
            (r"'\''", "'"),
            (r"`\n`", "\\n"),
            (r#""\x41\101\u00e9\U0001F600""#, "AAé😀"),
            (r#""\xc3\xa9""#, "é"),
        ];
        for (text, expected) in cases {
            assert_eq!(unquote(text), expected, "{text}");
        }
        assert_eq!(go::quote(&unquote(r#""\xff\xc3""#)), r#""\xff\xc3""#);
    }

    proptest! {
        #[test]
        fn a_duration_that_was_written_reads_back(millis in 0..MAX_DURATION_MS) {
            prop_assert_eq!(parse_duration(&format_duration(millis)), Ok(millis));
        }

        #[test]
        fn a_string_that_was_quoted_reads_back(text in "\\PC*|[\\x00-\\x7f]*") {
            prop_assert_eq!(unquote(&go::quote(&text)), text);
        }
    }
}
