//! Character classes and escape sequences.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind};

use super::error::{Code, RegexError};
use super::parse::Flags;
use crate::go;

/// What a reader returns: what it read and the text behind it.
type Read<'a, T> = Result<(T, &'a str), RegexError>;

fn fail<T>(code: Code, text: &str) -> Result<T, RegexError> {
    Err(RegexError::new(code, text))
}

/// Returns the part of `text` in front of its own end `rest`.
fn before<'a>(text: &'a str, rest: &str) -> &'a str {
    text.get(..text.len() - rest.len()).unwrap_or(text)
}

/// Reads one character; `text` is not empty.
pub(super) fn next_char(text: &str) -> Read<'_, char> {
    let mut chars = text.chars();
    match chars.next() {
        Some(c) if go::is_stray_byte(c) => fail(Code::Utf8, text),
        Some(c) => Ok((c, chars.as_str())),
        None => Ok((char::REPLACEMENT_CHARACTER, "")),
    }
}

/// Reads `[..]`; `text` begins with the bracket.
pub(super) fn bracketed(text: &str, flags: Flags) -> Read<'_, ClassUnicode> {
    let mut rest = text.get(1..).unwrap_or_default();
    let negated = rest.strip_prefix('^');
    rest = negated.unwrap_or(rest);
    // Collected first: a class is put in order as a whole.
    let mut ranges = Vec::new();
    let mut first = true;
    while first || !rest.starts_with(']') {
        first = false;
        let group = match posix_class(rest, flags)? {
            Some(group) => Some(group),
            None => group_escape(rest, flags)?,
        };
        if let Some((group, behind)) = group {
            ranges.extend_from_slice(group.ranges());
            rest = behind;
        } else {
            let range;
            (range, rest) = char_range(rest, text)?;
            ranges.push(range);
        }
    }
    let mut class = ClassUnicode::new(ranges);
    fold(&mut class, flags);
    if negated.is_some() {
        class.negate();
    }
    Ok((class, rest.get(1..).unwrap_or_default()))
}

/// Adds the other cases of every letter if that is asked for.
fn fold(class: &mut ClassUnicode, flags: Flags) {
    if flags.fold_case {
        // Fails only without Unicode tables, which are compiled in.
        _ = class.try_case_fold_simple();
    }
}

/// Reads one character or a range of them within brackets; `whole` is for the error.
fn char_range<'a>(text: &'a str, whole: &str) -> Read<'a, ClassUnicodeRange> {
    let (start, rest) = class_char(text, whole)?;
    // `[a-]` is `a` or `-`.
    let is_range = rest.len() >= 2 && rest.starts_with('-') && !rest.starts_with("-]");
    if !is_range {
        return Ok((ClassUnicodeRange::new(start, start), rest));
    }
    let (end, rest) = class_char(rest.get(1..).unwrap_or_default(), whole)?;
    if end < start {
        return fail(Code::CharRange, before(text, rest));
    }
    Ok((ClassUnicodeRange::new(start, end), rest))
}

fn class_char<'a>(text: &'a str, whole: &str) -> Read<'a, char> {
    if text.is_empty() {
        return fail(Code::MissingBracket, whole);
    }
    if text.starts_with('\\') {
        return char_escape(text);
    }
    next_char(text)
}

/// Reads `[:name:]` within brackets if it is there.
fn posix_class(text: &str, flags: Flags) -> Result<Option<(ClassUnicode, &str)>, RegexError> {
    let Some((name, rest)) = text
        .strip_prefix("[:")
        .and_then(|text| text.split_once(":]"))
    else {
        return Ok(None);
    };
    let negated = name.strip_prefix('^');
    let Some(ranges) = posix_ranges(negated.unwrap_or(name)) else {
        return fail(Code::CharRange, before(text, rest));
    };
    Ok(Some((ascii_class(ranges, negated.is_some(), flags), rest)))
}

fn ascii_class(ranges: &[(char, char)], negated: bool, flags: Flags) -> ClassUnicode {
    let ranges = ranges
        .iter()
        .map(|(start, end)| ClassUnicodeRange::new(*start, *end));
    let mut class = ClassUnicode::new(ranges);
    fold(&mut class, flags);
    if negated {
        class.negate();
    }
    class
}

const DIGIT: &[(char, char)] = &[('0', '9')];
const SPACE: &[(char, char)] = &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

fn posix_ranges(name: &str) -> Option<&'static [(char, char)]> {
    Some(match name {
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\x7f')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        "digit" => DIGIT,
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => WORD,
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return None,
    })
}

/// Reads an escape sequence that stands for a class, such as `\d` or `\p{Greek}`, if it is one.
pub(super) fn group_escape(
    text: &str,
    flags: Flags,
) -> Result<Option<(ClassUnicode, &str)>, RegexError> {
    let [b'\\', letter, ..] = text.as_bytes() else {
        return Ok(None);
    };
    let ranges = match letter.to_ascii_lowercase() {
        b'd' => DIGIT,
        b's' => SPACE,
        b'w' => WORD,
        b'p' => return unicode_escape(text, *letter == b'P', flags).map(Some),
        _ => return Ok(None),
    };
    let class = ascii_class(ranges, letter.is_ascii_uppercase(), flags);
    Ok(Some((class, text.get(2..).unwrap_or_default())))
}

/// Reads `\pL`, `\p{Name}`, `\PL`, `\P{Name}`; a `^` before the name negates too.
fn unicode_escape(text: &str, negated: bool, flags: Flags) -> Read<'_, ClassUnicode> {
    let (first, mut rest) = next_char(text.get(2..).unwrap_or_default())?;
    let mut name = text.get(2..text.len() - rest.len()).unwrap_or_default();
    if first == '{' {
        let Some((inner, behind)) = rest.split_once('}') else {
            return fail(Code::CharRange, text);
        };
        (name, rest) = (inner, behind);
    }
    let positive_name = name.strip_prefix('^');
    let Some(mut class) = unicode_class(positive_name.unwrap_or(name)) else {
        return fail(Code::CharRange, before(text, rest));
    };
    fold(&mut class, flags);
    if negated != positive_name.is_some() {
        class.negate();
    }
    Ok((class, rest))
}

/// Four-letter names of scripts; the other four-letter names are codes, which Go does not know.
const SHORT_SCRIPTS: [&str; 8] = [
    "ahom", "cham", "kawi", "lisu", "modi", "newa", "thai", "toto",
];

/// Returns the class of a general category or a script. As in Go, case, spaces, hyphens and
/// underscores of the name do not matter.
fn unicode_class(name: &str) -> Option<ClassUnicode> {
    let name: String = name
        .chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    match name.as_str() {
        "any" => return Some(ClassUnicode::new([ClassUnicodeRange::new('\0', char::MAX)])),
        "ascii" => return Some(ClassUnicode::new([ClassUnicodeRange::new('\0', '\x7f')])),
        "assigned" => {
            let mut class = property("gc", "cn")?;
            class.negate();
            return Some(class);
        }
        _ => {}
    }
    let is_code = name.len() == 4 && !SHORT_SCRIPTS.contains(&name.as_str());
    property("gc", &name).or_else(|| if is_code { None } else { property("sc", &name) })
}

fn property(kind: &str, name: &str) -> Option<ClassUnicode> {
    let hir = regex_syntax::parse(&format!(r"\p{{{kind}={name}}}")).ok();
    match hir.map(Hir::into_kind) {
        Some(HirKind::Class(Class::Unicode(class))) => Some(class),
        _ => None,
    }
}

/// Reads an escape sequence that stands for one character; `text` begins with the backslash.
pub(super) fn char_escape(text: &str) -> Read<'_, char> {
    let behind = text.get(1..).unwrap_or_default();
    if behind.is_empty() {
        return fail(Code::TrailingBackslash, "");
    }
    let (c, rest) = next_char(behind)?;
    let plain = match c {
        'a' => '\x07',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        'x' => return hex_escape(text, rest),
        '0' => return Ok(octal(behind)),
        // A single digit would refer back, which is not supported.
        '1'..='7' if rest.starts_with(|c| matches!(c, '0'..='7')) => return Ok(octal(behind)),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
        _ => return fail(Code::Escape, before(text, rest)),
    };
    Ok((plain, rest))
}

/// Reads up to three octal digits.
fn octal(digits: &str) -> (char, &str) {
    let length = digits
        .bytes()
        .take(3)
        .take_while(|byte| matches!(byte, b'0'..=b'7'))
        .count();
    let (digits, rest) = digits.split_at(length);
    let code = u32::from_str_radix(digits, 8).unwrap_or(0);
    (char::from_u32(code).unwrap_or_default(), rest)
}

/// Reads `\x41` or `\x{1F600}`; `rest` is what stands behind the `x`.
fn hex_escape<'a>(text: &'a str, rest: &'a str) -> Read<'a, char> {
    if rest.is_empty() {
        return fail(Code::Escape, text);
    }
    let (first, mut rest) = next_char(rest)?;
    if first != '{' {
        let (second, rest) = next_char(rest)?;
        let code = first.to_digit(16).zip(second.to_digit(16));
        let c = code.and_then(|(high, low)| char::from_u32(high * 16 + low));
        return match c {
            Some(c) => Ok((c, rest)),
            None => fail(Code::Escape, before(text, rest)),
        };
    }
    let mut code: Option<u32> = None;
    while !rest.is_empty() {
        let c;
        (c, rest) = next_char(rest)?;
        if c == '}' {
            break;
        }
        let digit = c.to_digit(16);
        code = digit.map(|digit| code.unwrap_or(0) * 16 + digit);
        if code.is_none_or(|code| code > u32::from(char::MAX)) {
            return fail(Code::Escape, before(text, rest));
        }
        if rest.is_empty() {
            return fail(Code::Escape, text);
        }
    }
    match code {
        // Half a surrogate pair is no character and matches nothing; the replacement does no harm.
        Some(code) => Ok((char::from_u32(code).unwrap_or('\u{10ffff}'), rest)),
        None => fail(Code::Escape, before(text, rest)),
    }
}
