//! From text to tokens.
//!
//! The lexer is total: what it cannot read becomes one [`TokenKind::Error`], which is then the last
//! token, as upstream stops there too. Which characters mean what depends on whether a brace or a
//! bracket is open.

mod literal;
mod token;

pub(crate) use token::{Keyword, Preprocessor, Token, TokenKind};

use super::ast::{AggregateOp, BinaryOp};
use crate::go;
use crate::span::Span;

/// The tokens of a text.
#[derive(Debug)]
pub(crate) struct Lexed {
    /// Comments included; the last one is `Eof` or `Error`.
    pub(crate) tokens: Vec<Token>,
    /// Upstream's message for the `Error` token.
    pub(crate) error: Option<String>,
}

/// Splits `text` into tokens. O(n).
pub(crate) fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer::new(text);
    let error = loop {
        lexer.start = lexer.pos;
        match lexer.step() {
            Ok(true) => {}
            Ok(false) => break None,
            Err(message) => break Some(message),
        }
    };
    if error.is_some() {
        lexer.tokens.push(Token {
            kind: TokenKind::Error,
            span: Span::new(lexer.start, text.len()),
        });
    }
    Lexed {
        tokens: lexer.tokens,
        error,
    }
}

/// `Ok(true)` to go on, `Ok(false)` at the end, `Err` with upstream's message.
type Step = Result<bool, String>;

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own")]
pub(super) struct Lexer<'a> {
    text: &'a str,
    pos: usize,
    start: usize,
    tokens: Vec<Token>,
    open_parens: usize,
    brace_open: bool,
    bracket_open: bool,
    got_colon: bool,
    got_duration: bool,
    /// Between `[` and the first number: upstream reads that part by rules of its own.
    bracket_head: bool,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            pos: 0,
            start: 0,
            tokens: Vec::new(),
            open_parens: 0,
            brace_open: false,
            bracket_open: false,
            got_colon: false,
            got_duration: false,
            bracket_head: false,
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.pos..).unwrap_or("")
    }

    /// The text of the token so far.
    fn lexeme(&self) -> &'a str {
        self.text.get(self.start..self.pos).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    /// Consumes the next character if `wanted` holds for it.
    fn accept(&mut self, wanted: impl Fn(char) -> bool) -> bool {
        let found = self.peek().is_some_and(wanted);
        if found {
            self.bump();
        }
        found
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.accept(&wanted) {}
    }

    #[expect(clippy::unnecessary_wraps, reason = "ends most steps")]
    fn emit(&mut self, kind: TokenKind) -> Step {
        self.tokens.push(Token {
            kind,
            span: Span::new(self.start, self.pos),
        });
        Ok(true)
    }

    fn step(&mut self) -> Step {
        if self.bracket_head {
            return self.bracket_head_token();
        }
        if self.peek() == Some('#') {
            self.skip_while(|c| !matches!(c, '\r' | '\n'));
            return self.emit(TokenKind::Comment);
        }
        if self.accept(is_space) {
            self.skip_while(is_space);
            return Ok(true);
        }
        if self.brace_open {
            self.brace_token()
        } else {
            self.statement_token()
        }
    }

    fn end_of_input(&mut self) -> Step {
        if self.open_parens != 0 {
            return Err("unclosed left parenthesis".to_owned());
        }
        if self.bracket_open {
            return Err("unclosed left bracket".to_owned());
        }
        self.emit(TokenKind::Eof)?;
        Ok(false)
    }

    /// A token outside of braces.
    fn statement_token(&mut self) -> Step {
        let Some(c) = self.peek() else {
            return self.end_of_input();
        };
        if c.is_ascii_digit() || self.at_fraction() {
            return self.number_or_duration();
        }
        self.bump();
        match c {
            ',' => self.emit(TokenKind::Comma),
            '=' => self.equals(),
            '!' => match self.bump() {
                Some('=') => self.emit(TokenKind::Op(BinaryOp::NotEqual)),
                other => Err(format!(
                    "unexpected character after '!': {}",
                    go::quote_char(other)
                )),
            },
            '<' | '>' => self.angle(c),
            '"' | '\'' => self.string(c),
            '`' => self.raw_string(),
            '(' | ')' => self.paren(c),
            '{' => {
                self.brace_open = true;
                self.emit(TokenKind::LeftBrace)
            }
            '[' => self.left_bracket(),
            ']' if self.bracket_open => {
                self.bracket_open = false;
                self.emit(TokenKind::RightBracket)
            }
            ']' => Err("unexpected right bracket ']'".to_owned()),
            '@' => self.emit(TokenKind::At),
            c if is_alpha(c) || c == ':' => self.word(c),
            c => match arithmetic(c) {
                Some(op) => self.emit(TokenKind::Op(op)),
                None => Err(format!("unexpected character: {}", go::quote_char(Some(c)))),
            },
        }
    }

    fn at_fraction(&self) -> bool {
        let mut bytes = self.rest().bytes();
        bytes.next() == Some(b'.') && bytes.next().is_some_and(|byte| byte.is_ascii_digit())
    }

    fn equals(&mut self) -> Step {
        match self.peek() {
            Some('=') => {
                self.bump();
                self.emit(TokenKind::Op(BinaryOp::Equal))
            }
            Some('~') => Err("unexpected character after '=': '~'".to_owned()),
            _ => self.emit(TokenKind::Assign),
        }
    }

    fn angle(&mut self, first: char) -> Step {
        let less = first == '<';
        let op = match self.peek() {
            Some('=') if less => BinaryOp::LessEqual,
            Some('=') => BinaryOp::GreaterEqual,
            Some('/') if less => BinaryOp::TrimUpper,
            Some('/') => BinaryOp::TrimLower,
            _ if less => return self.emit(TokenKind::Op(BinaryOp::Less)),
            _ => return self.emit(TokenKind::Op(BinaryOp::Greater)),
        };
        self.bump();
        self.emit(TokenKind::Op(op))
    }

    fn paren(&mut self, c: char) -> Step {
        if c == '(' {
            self.open_parens += 1;
            return self.emit(TokenKind::LeftParen);
        }
        if self.open_parens == 0 {
            self.start = self.pos;
            return Err("unexpected right parenthesis ')'".to_owned());
        }
        self.open_parens -= 1;
        self.emit(TokenKind::RightParen)
    }

    fn left_bracket(&mut self) -> Step {
        if self.bracket_open {
            return Err("unexpected left bracket '['".to_owned());
        }
        self.bracket_open = true;
        self.got_colon = false;
        self.bracket_head = true;
        self.emit(TokenKind::LeftBracket)
    }

    /// A word outside of braces, or a colon within brackets.
    fn word(&mut self, first: char) -> Step {
        if !self.bracket_open {
            return self.keyword_or_identifier();
        }
        if first == ':' {
            if self.got_colon {
                return Err("unexpected colon ':'".to_owned());
            }
            self.got_colon = true;
            return self.emit(TokenKind::Colon);
        }
        match self.duration_word(first) {
            Some(kind) => self.emit(kind),
            None => Err(format!(
                "unexpected character: {}, expected ':'",
                go::quote_char(Some(first))
            )),
        }
    }

    /// Reads on to the end of a word that can only be a function of duration expressions.
    fn duration_word(&mut self, first: char) -> Option<TokenKind> {
        if !matches!(first.to_ascii_lowercase(), 's' | 'r' | 'm') {
            return None;
        }
        self.skip_while(is_alpha);
        let word = Preprocessor::from_name(&self.lexeme().to_ascii_lowercase())?;
        (!word.is_time()).then_some(TokenKind::Preprocessor(word))
    }

    fn keyword_or_identifier(&mut self) -> Step {
        self.skip_while(|c| is_alphanumeric(c) || c == ':');
        let word = self.lexeme();
        let kind = match keyword(&word.to_ascii_lowercase()) {
            Some(TokenKind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight))
                if !self.rest().trim_start_matches(is_space).starts_with('(') =>
            {
                TokenKind::Identifier
            }
            Some(kind) => kind,
            None if word.contains(':') => TokenKind::MetricIdentifier,
            None => TokenKind::Identifier,
        };
        self.emit(kind)
    }

    /// A token between braces, where keywords are names like any other.
    fn brace_token(&mut self) -> Step {
        match self.bump() {
            None => Err("unexpected end of input inside braces".to_owned()),
            Some(',') => self.emit(TokenKind::Comma),
            Some(quote @ ('"' | '\'')) => self.string(quote),
            Some('`') => self.raw_string(),
            Some('=') if self.accept(|c| c == '~') => self.emit(TokenKind::RegexMatch),
            Some('=') => self.emit(TokenKind::Assign),
            Some('!') => match self.bump() {
                Some('~') => self.emit(TokenKind::RegexNotMatch),
                Some('=') => self.emit(TokenKind::Op(BinaryOp::NotEqual)),
                other => Err(format!(
                    "unexpected character after '!' inside braces: {}",
                    go::quote_char(other)
                )),
            },
            Some('{') => Err("unexpected left brace '{'".to_owned()),
            Some('}') => {
                self.brace_open = false;
                self.emit(TokenKind::RightBrace)
            }
            Some(c) if is_alpha(c) => {
                self.skip_while(is_alphanumeric);
                self.emit(TokenKind::Identifier)
            }
            Some(c) => Err(format!(
                "unexpected character inside braces: {}",
                go::quote_char(Some(c))
            )),
        }
    }

    /// A token after `[`, up to and including the first number.
    fn bracket_head_token(&mut self) -> Step {
        self.skip_while(is_space);
        self.start = self.pos;
        let Some(c) = self.peek() else {
            return Err("unexpected end of input in duration expression".to_owned());
        };
        if c.is_ascii_digit() || self.at_fraction() {
            self.got_duration = true;
            self.bracket_head = false;
            return self.number_or_duration();
        }
        self.bump();
        match c {
            ']' => {
                self.bracket_open = false;
                self.bracket_head = false;
                self.got_colon = false;
                self.emit(TokenKind::RightBracket)
            }
            ':' => self.bracket_head_colon(),
            '(' | ')' => self.paren(c),
            ',' => self.emit(TokenKind::Comma),
            c => {
                let kind = match arithmetic(c) {
                    Some(op) => Some(TokenKind::Op(op)),
                    None => self.duration_word(c),
                };
                match kind {
                    Some(kind) => self.emit(kind),
                    None => Err(format!(
                        "unexpected character in duration expression: {}",
                        go::quote_char(Some(c))
                    )),
                }
            }
        }
    }

    fn bracket_head_colon(&mut self) -> Step {
        let problem = if !self.got_duration {
            "unexpected colon before duration in duration expression"
        } else if self.got_colon {
            "unexpected repeated colon in duration expression"
        } else {
            self.got_colon = true;
            return self.emit(TokenKind::Colon);
        };
        self.start = self.pos;
        Err(problem.to_owned())
    }
}

/// Returns the operator that is one character long and not a comparison.
fn arithmetic(c: char) -> Option<BinaryOp> {
    Some(match c {
        '+' => BinaryOp::Add,
        '-' => BinaryOp::Sub,
        '*' => BinaryOp::Mul,
        '/' => BinaryOp::Div,
        '%' => BinaryOp::Mod,
        '^' => BinaryOp::Pow,
        _ => return None,
    })
}

/// Returns what a lower-case word means where keywords are recognised.
fn keyword(word: &str) -> Option<TokenKind> {
    match word {
        "inf" | "nan" => return Some(TokenKind::Number),
        "and" | "or" | "unless" | "atan2" => {
            return BinaryOp::from_name(word).map(TokenKind::Op);
        }
        _ => {}
    }
    AggregateOp::from_name(word)
        .map(TokenKind::Aggregate)
        .or_else(|| Keyword::from_name(word).map(TokenKind::Keyword))
        .or_else(|| Preprocessor::from_name(word).map(TokenKind::Preprocessor))
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_alphanumeric(c: char) -> bool {
    is_alpha(c) || c.is_ascii_digit()
}

#[cfg(test)]
mod tests;
