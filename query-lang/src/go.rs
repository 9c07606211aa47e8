//! Numbers and quoted text as Go prints them, which upstream's messages and printer rely on.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

/// Characters that stand for bytes which are not UTF-8: a string of the language may hold any
/// byte (`"\xff"`), a Rust string may not. Byte `b` (0x80 or above) is kept as `BYTE_BASE + b`.
const BYTE_BASE: u32 = 0x0010_FF00;

/// Returns the character that stands for a byte which is not part of valid UTF-8.
pub(crate) fn stray_byte(byte: u8) -> char {
    char::from_u32(BYTE_BASE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Returns the byte for which `c` stands, if it does.
fn as_stray_byte(c: char) -> Option<u8> {
    let offset = u32::from(c).checked_sub(BYTE_BASE)?;
    u8::try_from(offset).ok().filter(|byte| *byte >= 0x80)
}

/// Says whether `c` stands for a stray byte.
pub(crate) fn is_stray_byte(c: char) -> bool {
    as_stray_byte(c).is_some()
}

/// Says whether a character of `text` stands for a stray byte.
pub fn has_stray_bytes(text: &str) -> bool {
    text.chars().any(is_stray_byte)
}

/// Returns `text` with U+FFFD for every character that stands for a byte which is not UTF-8.
///
/// Strings and matchers of a query may hold any byte (`"\xff"`), which the tree keeps as private
/// characters so that printing gives the same query again. Texts that leave the language, such as
/// the result of a query that is only a string, are to pass through here.
pub fn without_stray_bytes(text: &str) -> String {
    text.chars()
        .map(|c| as_stray_byte(c).map_or(c, |_| char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Ranges of the characters that are letters, marks, numbers, punctuation or symbols.
static PRINTABLE: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
    let hir = regex_syntax::parse(r"[\pL\pM\pN\pP\pS]").map(regex_syntax::hir::Hir::into_kind);
    match hir {
        Ok(HirKind::Class(Class::Unicode(class))) => class
            .iter()
            .map(|range| (range.start(), range.end()))
            .collect(),
        _ => Vec::new(),
    }
});

/// Says whether Go's `unicode.IsPrint` holds.
pub(crate) fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    let after = PRINTABLE.partition_point(|(start, _)| *start <= c);
    after
        .checked_sub(1)
        .is_some_and(|index| c <= PRINTABLE[index].1)
}

fn push_escaped(out: &mut String, c: char, quote: char) {
    if c == quote || c == '\\' {
        out.push('\\');
        out.push(c);
        return;
    }
    if let Some(byte) = as_stray_byte(c) {
        _ = write!(out, "\\x{byte:02x}");
        return;
    }
    if is_print(c) {
        out.push(c);
        return;
    }
    match c {
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        c if c < ' ' || c == '\u{7f}' => _ = write!(out, "\\x{:02x}", u32::from(c)),
        c if u32::from(c) < 0x1_0000 => _ = write!(out, "\\u{:04x}", u32::from(c)),
        c => _ = write!(out, "\\U{:08x}", u32::from(c)),
    }
}

/// Quotes `text` as `strconv.Quote` does.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        push_escaped(&mut out, c, '"');
    }
    out.push('"');
    out
}

/// Quotes one character as `%q` does; the end of the input counts as U+FFFD.
pub(crate) fn quote_char(c: Option<char>) -> String {
    let mut out = String::from("'");
    push_escaped(&mut out, c.unwrap_or(char::REPLACEMENT_CHARACTER), '\'');
    out.push('\'');
    out
}

/// Names a character as `%#U` does: `U+0063 'c'`.
pub(crate) fn unicode_name(c: char) -> String {
    let code = u32::from(c);
    if is_print(c) {
        format!("U+{code:04X} '{c}'")
    } else {
        format!("U+{code:04X}")
    }
}

/// Formats as `strconv.FormatFloat(value, 'f', -1, 64)`: shortest, never an exponent.
pub(crate) fn float(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}

/// Formats as `%v`: shortest, an exponent below 1e-4 and from 1e6 on.
pub(crate) fn float_v(value: f64) -> String {
    let plain = float(value);
    if !value.is_finite() || value == 0.0 {
        return plain;
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return plain;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Formats as `%f`: six decimals.
pub(crate) fn float_fixed(value: f64) -> String {
    if value.is_finite() {
        format!("{value:.6}")
    } else {
        float(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_as_go_does() {
        let cases = [
            ("plain", r#""plain""#),
            ("q\"b\\", r#""q\"b\\""#),
            (
                "\u{7}\u{8}\u{c}\n\r\t\u{b}\0\u{1b}\u{7f}",
                r#""\a\b\f\n\r\t\v\x00\x1b\x7f""#,
            ),
            ("é☺𐄑", "\"é☺𐄑\""),
            ("\u{a0}\u{200b}\u{feff}", r#""\u00a0\u200b\ufeff""#),
            ("\u{e0001}", r#""\U000e0001""#),
        ];
        for (text, expected) in cases {
            assert_eq!(quote(text), expected);
        }
        assert_eq!(quote(&stray_byte(0xff).to_string()), r#""\xff""#);
    }

    #[test]
    fn characters_are_quoted_and_named() {
        assert_eq!(quote_char(Some('\'')), r"'\''");
        assert_eq!(quote_char(Some('"')), "'\"'");
        assert_eq!(quote_char(None), "'\u{fffd}'");
        assert_eq!(unicode_name('c'), "U+0063 'c'");
        assert_eq!(unicode_name('\n'), "U+000A");
    }

    #[test]
    fn floats_look_as_in_go() {
        assert_eq!(float(1e300).len(), 301);
        assert_eq!(float(f64::NEG_INFINITY), "-Inf");
        assert_eq!(float(-0.0), "-0");
        assert_eq!(float_v(1e21), "1e+21");
        assert_eq!(float_v(1_234_567.0), "1.234567e+06");
        assert_eq!(float_v(123_456.0), "123456");
        assert_eq!(float_v(1_000_000.0), "1e+06");
        assert_eq!(float_v(0.000_01), "1e-05");
        assert_eq!(float_v(2.5), "2.5");
        assert_eq!(float_fixed(f64::NAN), "NaN");
    }

    #[test]
    fn stray_bytes_become_replacement_characters() {
        let text: String = ['a', stray_byte(0x80), 'b'].iter().collect();
        assert_eq!(without_stray_bytes(&text), "a\u{fffd}b");
    }
}
