//! A position in a body, with the small tokens that the text formats share.

use std::borrow::Cow;

use super::ParseError;

/// Walks over a body byte by byte and knows its line.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    body: &'a [u8],
    at: usize,
    line: usize,
}

impl<'a> Cursor<'a> {
    /// Returns a cursor at the start of `body`, on line `line`.
    pub(super) fn new(body: &'a [u8], line: usize) -> Self {
        Self { body, at: 0, line }
    }

    /// Returns an error at the present line.
    pub(super) fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError {
            line: self.line,
            message: message.into(),
        }
    }

    /// Returns an error that says what was expected and what stands there.
    pub(super) fn expected(&self, what: &str) -> ParseError {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let end = rest
            .iter()
            .take(30)
            .position(|byte| *byte == b'\n')
            .unwrap_or(rest.len().min(30));
        let found = String::from_utf8_lossy(&rest[..end]);
        if self.at_line_end() {
            return self.error(format!("expected {what}, got the end of the line"));
        }
        self.error(format!("expected {what}, got {found:?}"))
    }

    /// Returns the next byte without taking it; `None` at the end.
    pub(super) fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    /// Says whether the body ends here.
    pub(super) fn at_end(&self) -> bool {
        self.at >= self.body.len()
    }

    /// Says whether the line or the body ends here.
    pub(super) fn at_line_end(&self) -> bool {
        self.peek().is_none_or(|byte| byte == b'\n')
    }

    /// Takes `byte` if it comes next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
            self.line += usize::from(byte == b'\n');
        }
        found
    }

    /// Takes `text`, which has no line end, if it comes next.
    pub(super) fn take_text(&mut self, text: &str) -> bool {
        let found = self
            .body
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(text.as_bytes()));
        if found {
            self.at += text.len();
        }
        found
    }

    /// Takes blanks and tabs; says whether there was one.
    pub(super) fn skip_blanks(&mut self) -> bool {
        let start = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        self.at > start
    }

    /// Takes the line end; at the end of the body there need not be one.
    pub(super) fn end_line(&mut self) -> Result<(), ParseError> {
        if self.at_end() || self.take(b'\n') {
            Ok(())
        } else {
            Err(self.expected("the end of the line"))
        }
    }

    /// Takes everything up to the end of the line, without it.
    pub(super) fn rest_of_line(&mut self) -> &'a [u8] {
        self.take_while(|byte| byte != b'\n')
    }

    /// Takes bytes up to the next blank, tab or line end.
    pub(super) fn word(&mut self) -> &'a [u8] {
        self.take_while(|byte| !matches!(byte, b' ' | b'\t' | b'\n'))
    }

    /// Takes a plain name: `[a-zA-Z_][a-zA-Z0-9_]*`, with `:` too when `colons`.
    pub(super) fn name(&mut self, colons: bool) -> Option<&'a str> {
        let first = self.peek()?;
        if !(first.is_ascii_alphabetic() || first == b'_' || (colons && first == b':')) {
            return None;
        }
        let part_of_name =
            |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || (colons && byte == b':');
        std::str::from_utf8(self.take_while(part_of_name)).ok()
    }

    /// Takes a quoted text and resolves `\\`, `\"` and `\n`; other escapes stay as written.
    pub(super) fn quoted(&mut self, line_ends_allowed: bool) -> Result<Cow<'a, str>, ParseError> {
        if !self.take(b'"') {
            return Err(self.expected("a quoted text"));
        }
        let (start, line) = (self.at, self.line);
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\n') if !line_ends_allowed => {
                    return Err(self.error("the quote is not closed"));
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.take_any();
                }
                Some(_) => self.take_any(),
                None => {
                    return Err(ParseError {
                        line,
                        message: "the quote is not closed".to_owned(),
                    });
                }
            }
        }
        let raw = self.body.get(start..self.at).unwrap_or_default();
        self.at += 1;
        let text = std::str::from_utf8(raw).map_err(|error| {
            let shown = String::from_utf8_lossy(raw);
            self.error(format!(
                "invalid UTF-8 in {shown:?} at byte {}",
                error.valid_up_to()
            ))
        })?;
        Ok(unescape(text, true))
    }

    fn take_any(&mut self) {
        self.line += usize::from(self.peek() == Some(b'\n'));
        self.at += 1;
    }

    fn take_while(&mut self, keep: impl Fn(u8) -> bool) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(&keep) {
            self.at += 1;
        }
        self.body.get(start..self.at).unwrap_or_default()
    }
}

/// Resolves `\\` and `\n`, and `\"` when `quotes`; any other backslash stays.
pub(super) fn unescape(text: &str, quotes: bool) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(character) = chars.next() {
        let resolved = match (character, chars.peek()) {
            ('\\', Some('\\')) => Some('\\'),
            ('\\', Some('n')) => Some('\n'),
            ('\\', Some('"')) if quotes => Some('"'),
            _ => None,
        };
        out.push(resolved.unwrap_or(character));
        if resolved.is_some() {
            chars.next();
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_escapes_are_resolved() {
        assert_eq!(unescape(r#"a\\b\n\"\t\"#, true), "a\\b\n\"\\t\\");
        assert_eq!(unescape(r#"\""#, false), r#"\""#);
    }

    #[test]
    fn a_quote_may_hold_an_escaped_quote_and_must_be_closed() {
        assert_eq!(
            Cursor::new(br#""a\"b" 1"#, 1).quoted(false).unwrap(),
            "a\"b"
        );
        assert_eq!(Cursor::new(b"\"a\nb\"", 1).quoted(true).unwrap(), "a\nb");
        for open in [&b"\"a"[..], b"\"a\\\"", b"\"a\nb\"", b"\"\\"] {
            assert!(Cursor::new(open, 1).quoted(false).is_err());
        }
    }

    #[test]
    fn errors_say_line_and_text() {
        let mut cursor = Cursor::new(b"a\nb c", 1);
        cursor.rest_of_line();
        cursor.end_line().unwrap();
        assert_eq!(
            cursor.expected("a number").to_string(),
            "line 2: expected a number, got \"b c\""
        );
    }
}
