//! Numbers, durations and strings.

use super::{Lexer, Step, TokenKind, is_alphanumeric};
use crate::go;

impl Lexer<'_> {
    pub(super) fn number_or_duration(&mut self) -> Step {
        if self.number() {
            return self.emit(TokenKind::Number);
        }
        if self.rest_of_duration() {
            return self.emit(TokenKind::Duration);
        }
        // What stands right behind belongs to the word that cannot be read.
        Err(format!(
            "bad number or duration syntax: {}",
            go::quote(self.lexeme())
        ))
    }

    /// Reads units and further digits behind the digits that [`Self::number`] read.
    fn rest_of_duration(&mut self) -> bool {
        if !self.accept(|c| "smhdwy".contains(c)) {
            return false;
        }
        self.accept(|c| c == 's');
        while self.accept(|c| c.is_ascii_digit()) {
            self.skip_while(|c| c.is_ascii_digit());
            if !self.accept(|c| "smhdw".contains(c)) {
                return false;
            }
            self.accept(|c| c == 's');
        }
        let ends = !self.peek().is_some_and(is_alphanumeric);
        if !ends {
            self.bump();
        }
        ends
    }

    /// Reads what may be a number; whether it is one is seen when it is converted.
    fn number(&mut self) -> bool {
        let from = self.pos;
        let mut hex = false;
        if self.accept(|c| c == '0') && self.accept(|c| matches!(c, 'x' | 'X')) {
            self.accept(|c| c == '_');
            hex = true;
        }
        let is_digit = move |c: char| c.is_ascii_digit() || (hex && c.is_ascii_hexdigit());
        self.accept(|c| c == '.');
        self.accept(is_digit);
        let (mut dots, mut exponents) = (0, 0);
        loop {
            match self.peek() {
                Some('.') => {
                    self.bump();
                    dots += 1;
                    if dots > 1 || self.accept(|c| matches!(c, '_' | '.')) || hex {
                        return false;
                    }
                }
                Some('e' | 'E') => {
                    self.bump();
                    exponents += 1;
                    if exponents > 1 {
                        return false;
                    }
                    self.accept(|c| matches!(c, '+' | '-'));
                    if self.at_bad_successor() {
                        return false;
                    }
                }
                Some('_') => {
                    self.bump();
                    if self.at_bad_successor() {
                        return false;
                    }
                }
                Some(c) if is_digit(c) => self.skip_while(is_digit),
                _ => break,
            }
        }
        self.pos != from && !self.peek().is_some_and(is_alphanumeric)
    }

    /// Says whether what follows may not follow an exponent or an underscore, and consumes it.
    fn at_bad_successor(&mut self) -> bool {
        self.accept(|c| matches!(c, '.' | '_' | 'e' | 'E')) || self.peek().is_none()
    }

    pub(super) fn string(&mut self, quote: char) -> Step {
        loop {
            match self.bump() {
                Some('\\') => self.escape(quote)?,
                Some(char::REPLACEMENT_CHARACTER) => return Err("invalid UTF-8 rune".to_owned()),
                None | Some('\n') => return Err("unterminated quoted string".to_owned()),
                Some(c) if c == quote => return self.emit(TokenKind::String),
                Some(_) => {}
            }
        }
    }

    pub(super) fn raw_string(&mut self) -> Step {
        loop {
            match self.bump() {
                Some('`') => return self.emit(TokenKind::String),
                Some(char::REPLACEMENT_CHARACTER) => return Err("invalid UTF-8 rune".to_owned()),
                None => return Err("unterminated raw string".to_owned()),
                Some(_) => {}
            }
        }
    }

    /// Reads an escape sequence behind its backslash.
    fn escape(&mut self, quote: char) -> Result<(), String> {
        let (digits, base, max) = match self.peek() {
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\') => (0, 0, 0),
            Some(c) if c == quote => (0, 0, 0),
            Some('0'..='7') => (3, 8, 0xff),
            Some('x') => (2, 16, 0xff),
            Some('u') => (4, 16, u32::from(char::MAX)),
            Some('U') => (8, 16, u32::from(char::MAX)),
            None => return Err("escape sequence not terminated".to_owned()),
            Some(c) => {
                return Err(format!("unknown escape sequence {}", go::unicode_name(c)));
            }
        };
        if base != 8 {
            self.bump();
        }
        let mut code = 0_u32;
        for _ in 0..digits {
            let Some(c) = self.bump() else {
                return Err("escape sequence not terminated".to_owned());
            };
            let Some(digit) = c.to_digit(base) else {
                return Err(format!(
                    "illegal character {} in escape sequence",
                    go::unicode_name(c)
                ));
            };
            code = code.wrapping_mul(base).wrapping_add(digit);
        }
        if code > max || (0xd800..0xe000).contains(&code) {
            return Err("escape sequence is an invalid Unicode code point".to_owned());
        }
        Ok(())
    }
}
