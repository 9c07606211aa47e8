//! The grammar of RE2, read without recursion.

use regex_syntax::hir::{Capture, ClassUnicode, ClassUnicodeRange, Dot, Hir, Look, Repetition};

use super::class;
use super::error::{Code, RegexError};

/// The largest count of a repetition, nested ones multiplied.
const MAX_REPEAT: u32 = 1_000;

/// How deep groups, repetitions and alternations may nest. Compiling a pattern is recursive.
const MAX_DEPTH: u32 = 500;

/// A pattern that was understood.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) hir: Hir,
    /// Names of the groups; index 0 is the whole match.
    pub(super) names: Vec<Option<String>>,
    /// About how many characters and ranges it has, repetitions written out.
    pub(super) size: usize,
}

/// Options set by `(?i)` and the like.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub(super) struct Flags {
    /// `i`: letters match either case.
    pub(super) fold_case: bool,
    /// `m`: `^` and `$` match at line ends.
    multi_line: bool,
    /// `s`: `.` matches line ends.
    dot_all: bool,
    /// `U`: repetitions are lazy unless followed by `?`.
    lazy: bool,
}

/// A part of the pattern, with what the limits need to know.
struct Node {
    hir: Hir,
    /// The largest product of nested counts.
    copies: u32,
    depth: u32,
    size: usize,
}

/// A group that is still open; the first one is the pattern itself.
struct Frame {
    /// The options outside of the group.
    flags: Flags,
    capture: Option<u32>,
    /// Alternatives that are complete.
    alternatives: Vec<Node>,
    /// Parts of the current alternative.
    parts: Vec<Node>,
}

struct Parser<'a> {
    whole: &'a str,
    rest: &'a str,
    flags: Flags,
    frames: Vec<Frame>,
    names: Vec<Option<String>>,
    /// Where the last repetition operator began, if nothing came since.
    last_repeat: Option<&'a str>,
}

/// Reads a pattern.
pub(super) fn parse(text: &str) -> Result<Parsed, RegexError> {
    let flags = Flags {
        fold_case: false,
        multi_line: false,
        dot_all: true,
        lazy: false,
    };
    let mut parser = Parser {
        whole: text,
        rest: text,
        flags,
        frames: vec![Frame::new(flags, None)],
        names: vec![None],
        last_repeat: None,
    };
    while !parser.rest.is_empty() {
        let last_repeat = parser.step()?;
        parser.last_repeat = last_repeat;
    }
    match (parser.frames.pop(), parser.frames.is_empty()) {
        (Some(frame), true) => {
            let node = frame.close();
            check_depth(&node, text)?;
            Ok(Parsed {
                hir: node.hir,
                names: parser.names,
                size: node.size,
            })
        }
        _ => Err(RegexError::new(Code::MissingParen, text)),
    }
}

fn fail<T>(code: Code, text: &str) -> Result<T, RegexError> {
    Err(RegexError::new(code, text))
}

fn check_depth(node: &Node, whole: &str) -> Result<(), RegexError> {
    if node.depth > MAX_DEPTH {
        return Err(RegexError::new(Code::NestingDepth, whole));
    }
    Ok(())
}

impl Frame {
    fn new(flags: Flags, capture: Option<u32>) -> Self {
        Self {
            flags,
            capture,
            alternatives: Vec::new(),
            parts: Vec::new(),
        }
    }

    fn end_alternative(&mut self) {
        let parts = std::mem::take(&mut self.parts);
        self.alternatives.push(joined(parts, Hir::concat));
    }

    fn close(mut self) -> Node {
        self.end_alternative();
        let mut node = joined(self.alternatives, Hir::alternation);
        if let Some(index) = self.capture {
            node.depth += 1;
            node.hir = Hir::capture(Capture {
                index,
                name: None,
                sub: Box::new(node.hir),
            });
        }
        node
    }
}

fn joined(mut nodes: Vec<Node>, join: impl FnOnce(Vec<Hir>) -> Hir) -> Node {
    if nodes.len() == 1 {
        return nodes.remove(0);
    }
    let largest = |of: fn(&Node) -> u32| nodes.iter().map(of).max();
    Node {
        copies: largest(|node| node.copies).unwrap_or(1),
        depth: largest(|node| node.depth).unwrap_or(0) + 1,
        size: nodes.iter().map(|node| node.size).sum(),
        hir: join(nodes.into_iter().map(|node| node.hir).collect()),
    }
}

impl<'a> Parser<'a> {
    fn frame(&mut self) -> &mut Frame {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn push(&mut self, hir: Hir, size: usize) {
        let node = Node {
            hir,
            copies: 1,
            depth: 1,
            size,
        };
        self.frame().parts.push(node);
    }

    fn push_class(&mut self, class: ClassUnicode) {
        let size = class.ranges().len().max(1);
        self.push(Hir::class(regex_syntax::hir::Class::Unicode(class)), size);
    }

    fn push_literal(&mut self, c: char) {
        if self.flags.fold_case {
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
            // Fails only without Unicode tables, which are compiled in.
            _ = class.try_case_fold_simple();
            self.push_class(class);
        } else {
            self.push(Hir::literal(c.encode_utf8(&mut [0; 4]).as_bytes()), 1);
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Reads one element; returns where it began if it was a repetition operator.
    fn step(&mut self) -> Result<Option<&'a str>, RegexError> {
        let before = self.rest;
        match before.as_bytes()[0] {
            b'(' if before.starts_with("(?") => self.special_group()?,
            b'(' => {
                self.open_capture(None);
                self.advance(1);
            }
            b'|' => {
                self.frame().end_alternative();
                self.advance(1);
            }
            b')' => self.close_group()?,
            b'^' => {
                let line = self.flags.multi_line;
                self.push(Hir::look(if line { Look::StartLF } else { Look::Start }), 1);
                self.advance(1);
            }
            b'$' => {
                let line = self.flags.multi_line;
                self.push(Hir::look(if line { Look::EndLF } else { Look::End }), 1);
                self.advance(1);
            }
            b'.' => {
                let all = self.flags.dot_all;
                self.push(
                    Hir::dot(if all {
                        Dot::AnyChar
                    } else {
                        Dot::AnyCharExceptLF
                    }),
                    1,
                );
                self.advance(1);
            }
            b'[' => {
                let class;
                (class, self.rest) = class::bracketed(before, self.flags)?;
                self.push_class(class);
            }
            b'*' => return self.repeat(0, None, 1),
            b'+' => return self.repeat(1, None, 1),
            b'?' => return self.repeat(0, Some(1), 1),
            b'{' => return self.counted_repeat(),
            b'\\' => self.escape()?,
            _ => {
                let c;
                (c, self.rest) = class::next_char(before)?;
                self.push_literal(c);
            }
        }
        Ok(None)
    }

    fn open_capture(&mut self, name: Option<String>) {
        let index = self.names.len() as u32;
        self.names.push(name);
        self.frames.push(Frame::new(self.flags, Some(index)));
    }

    fn close_group(&mut self) -> Result<(), RegexError> {
        if self.frames.len() < 2 {
            return fail(Code::UnexpectedParen, self.whole);
        }
        if let Some(frame) = self.frames.pop() {
            self.flags = frame.flags;
            let node = frame.close();
            check_depth(&node, self.whole)?;
            self.frame().parts.push(node);
        }
        self.advance(1);
        Ok(())
    }

    /// Reads what begins with `(?`: a named group, a group without capture, options.
    fn special_group(&mut self) -> Result<(), RegexError> {
        let text = self.rest;
        let named = text.strip_prefix("(?P<").or(text.strip_prefix("(?<"));
        match named {
            Some(body) if !body.is_empty() => self.named_group(text, body),
            _ => self.flag_group(text),
        }
    }

    fn named_group(&mut self, text: &'a str, body: &'a str) -> Result<(), RegexError> {
        let Some((name, rest)) = body.split_once('>') else {
            return fail(Code::NamedCapture, text);
        };
        let valid = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
        if name.is_empty() || !name.bytes().all(valid) {
            let capture = text.get(..text.len() - rest.len());
            return fail(Code::NamedCapture, capture.unwrap_or(text));
        }
        self.open_capture(Some(name.to_owned()));
        self.rest = rest;
        Ok(())
    }

    fn flag_group(&mut self, text: &'a str) -> Result<(), RegexError> {
        let mut flags = self.flags;
        let mut rest = text.get(2..).unwrap_or_default();
        let mut value = true;
        let mut saw_flag = false;
        while !rest.is_empty() {
            let c;
            (c, rest) = class::next_char(rest)?;
            match c {
                'i' => flags.fold_case = value,
                'm' => flags.multi_line = value,
                's' => flags.dot_all = value,
                'U' => flags.lazy = value,
                '-' if value => {
                    value = false;
                    saw_flag = false;
                    continue;
                }
                ':' | ')' if value || saw_flag => {
                    if c == ':' {
                        self.frames.push(Frame::new(self.flags, None));
                    }
                    self.flags = flags;
                    self.rest = rest;
                    return Ok(());
                }
                _ => break,
            }
            saw_flag = true;
        }
        let read = text.get(..text.len() - rest.len());
        fail(Code::PerlOp, read.unwrap_or(text))
    }

    /// Applies a repetition whose operator has `length` bytes to the last part.
    fn repeat(
        &mut self,
        min: u32,
        max: Option<u32>,
        length: usize,
    ) -> Result<Option<&'a str>, RegexError> {
        let before = self.rest;
        let counted = before.starts_with('{');
        self.advance(length);
        let mut lazy = self.flags.lazy;
        if let Some(rest) = self.rest.strip_prefix('?') {
            self.rest = rest;
            lazy = !lazy;
        }
        let since = |start: &'a str| start.get(..start.len() - self.rest.len()).unwrap_or(start);
        if let Some(last) = self.last_repeat {
            return fail(Code::RepeatOp, since(last));
        }
        let operator = since(before);
        let Some(node) = self.frame().parts.pop() else {
            return fail(Code::MissingRepeatArgument, operator);
        };
        let node = repeated(node, min, max, lazy, counted);
        check_depth(&node, self.whole)?;
        let many = counted && (min >= 2 || max.is_some_and(|max| max >= 2));
        if many && node.copies > MAX_REPEAT {
            return fail(Code::RepeatSize, operator);
        }
        self.frame().parts.push(node);
        Ok(Some(before))
    }

    fn counted_repeat(&mut self) -> Result<Option<&'a str>, RegexError> {
        let before = self.rest;
        let Some((min, max, rest)) = counts(before) else {
            self.push_literal('{');
            self.advance(1);
            return Ok(None);
        };
        let length = before.len() - rest.len();
        let in_bounds = |count: u32| count <= MAX_REPEAT;
        let ordered = max.is_none_or(|max| in_bounds(max) && min <= max);
        if !in_bounds(min) || !ordered {
            return fail(Code::RepeatSize, before.get(..length).unwrap_or(before));
        }
        self.repeat(min, max, length)
    }

    /// Reads an escape sequence outside of brackets.
    fn escape(&mut self) -> Result<(), RegexError> {
        let before = self.rest;
        let look = match before.as_bytes().get(1) {
            Some(b'A') => Look::Start,
            Some(b'z') => Look::End,
            Some(b'b') => Look::WordAscii,
            Some(b'B') => Look::WordAsciiNegate,
            Some(b'C') => return fail(Code::Escape, "\\C"),
            Some(b'Q') => return self.quoted(),
            _ => {
                if let Some((class, rest)) = class::group_escape(before, self.flags)? {
                    self.push_class(class);
                    self.rest = rest;
                } else {
                    let c;
                    (c, self.rest) = class::char_escape(before)?;
                    self.push_literal(c);
                }
                return Ok(());
            }
        };
        self.push(Hir::look(look), 1);
        self.advance(2);
        Ok(())
    }

    /// Reads `\Q..\E`, or to the end.
    fn quoted(&mut self) -> Result<(), RegexError> {
        self.advance(2);
        let (mut literal, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
        while !literal.is_empty() {
            let c;
            (c, literal) = class::next_char(literal)?;
            self.push_literal(c);
        }
        self.rest = rest;
        Ok(())
    }
}

fn repeated(node: Node, min: u32, max: Option<u32>, lazy: bool, counted: bool) -> Node {
    let times = max.unwrap_or(min);
    let copies = match (counted, max) {
        (false, _) => node.copies,
        (true, Some(0)) => 0,
        (true, _) => times.max(1).saturating_mul(node.copies),
    };
    let size = node.size.saturating_mul(times.max(1) as usize);
    Node {
        copies,
        depth: node.depth + 1,
        size: size.saturating_add(1),
        hir: Hir::repetition(Repetition {
            min,
            max,
            greedy: !lazy,
            sub: Box::new(node.hir),
        }),
    }
}

/// Reads `{n}`, `{n,}` or `{n,m}`; `None` when it is none of these and so means itself.
fn counts(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (min, rest) = count(text.strip_prefix('{')?)?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, Some(min), rest));
    }
    let rest = rest.strip_prefix(',')?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, None, rest));
    }
    let (max, rest) = count(rest)?;
    Some((min, Some(max), rest.strip_prefix('}')?))
}

/// Reads a number without leading zeros; one that is too large gives the largest.
fn count(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().unwrap_or(u32::MAX), rest))
}
