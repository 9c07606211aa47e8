//! In which format a page is written.
//!
//! Source of the meaning: `expfmt.Negotiate` of prometheus/common 0.66, but for the two Protocol
//! Buffers encodings that are for people to read, which are not written.

use std::borrow::Cow;
use std::fmt::Write as _;

/// What a page is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageKind {
    Text,
    /// Messages of the type `MetricFamily`, each behind its length.
    Protobuf,
}

/// What becomes of names that readers of old would not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escaping {
    /// They stay.
    Utf8,
    /// Each character that is not allowed becomes `_`.
    Underscores,
    /// As [`Self::Underscores`], but dots become `_dot_` and all others are doubled.
    Dots,
    /// `U__`, then each such character by its number.
    Values,
}

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageFormat {
    pub(super) kind: PageKind,
    pub(super) escaping: Escaping,
}

impl PageFormat {
    /// Returns the format that the value of an `Accept` header asks for most; text when it asks for
    /// none that is written.
    pub(super) fn negotiate(accept: &str) -> Self {
        let mut format = Self {
            kind: PageKind::Text,
            escaping: Escaping::Underscores,
        };
        let mut clauses: Vec<_> = accept.split(',').map(Clause::parse).collect();
        clauses.sort_by(|a, b| b.quality.total_cmp(&a.quality));
        for clause in clauses {
            if let Some(escaping) = Escaping::from_name(clause.value("escaping")) {
                format.escaping = escaping;
            }
            if let Some(kind) = clause.kind() {
                format.kind = kind;
                break;
            }
        }
        format
    }

    pub(super) fn content_type(self) -> String {
        let kind = match self.kind {
            PageKind::Text => "text/plain; version=0.0.4; charset=utf-8",
            PageKind::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
                 encoding=delimited"
            }
        };
        format!("{kind}; escaping={}", self.escaping.as_str())
    }
}

/// One clause of an `Accept` header.
#[derive(Debug)]
struct Clause<'a> {
    media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f64,
}

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let mut clause = Self {
            media_type: parts.next().unwrap_or_default(),
            parameters: parts.filter_map(|part| part.split_once('=')).collect(),
            quality: 1.0,
        };
        if let Ok(quality) = clause.value("q").parse() {
            clause.quality = quality;
        }
        clause
    }

    fn value(&self, name: &str) -> &'a str {
        let mut parameters = self.parameters.iter();
        let named = parameters.find(|(known, _)| known.trim() == name);
        named.map_or("", |(_, value)| value.trim().trim_matches('"'))
    }

    fn kind(&self) -> Option<PageKind> {
        match self.media_type {
            "application/vnd.google.protobuf"
                if self.value("proto") == "io.prometheus.client.MetricFamily"
                    && self.value("encoding") == "delimited" =>
            {
                Some(PageKind::Protobuf)
            }
            "text/plain" if matches!(self.value("version"), "" | "0.0.4") => Some(PageKind::Text),
            _ => None,
        }
    }
}

impl Escaping {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Utf8, "allow-utf-8"),
        (Self::Underscores, "underscores"),
        (Self::Dots, "dots"),
        (Self::Values, "values"),
    ];

    fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|(_, known)| *known == name)
            .map(|(escaping, _)| *escaping)
    }

    fn as_str(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(known, _)| *known == self)
            .map_or("", |(_, name)| name)
    }

    /// Returns the name as it is written.
    pub(super) fn escape(self, name: &str) -> Cow<'_, str> {
        let stays = self == Self::Utf8 || (self != Self::Dots && is_plain(name));
        if stays || name.is_empty() {
            return Cow::Borrowed(name);
        }
        let mut out = String::with_capacity(name.len() + 8);
        if self == Self::Values {
            out.push_str("U__");
        }
        for (at, c) in name.chars().enumerate() {
            match self {
                Self::Dots if c == '_' => out.push_str("__"),
                Self::Dots if c == '.' => out.push_str("_dot_"),
                Self::Values if c == '_' => out.push_str("__"),
                _ if is_plain_char(at, c) => out.push(c),
                Self::Dots => out.push_str("__"),
                Self::Values => write!(out, "_{:x}_", u32::from(c)).unwrap_or_default(),
                _ => out.push('_'),
            }
        }
        Cow::Owned(out)
    }
}

/// Says whether readers of old take the name.
pub(super) fn is_plain(name: &str) -> bool {
    let mut chars = name.chars().enumerate();
    !name.is_empty() && chars.all(|(at, c)| is_plain_char(at, c))
}

fn is_plain_char(at: usize, c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == ':' || (at > 0 && c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTO: &str =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=";

    #[test]
    fn the_format_that_is_wanted_most_and_is_written_wins() {
        let openmetrics = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.8";
        let utf8_text = "text/plain;version=0.0.4;escaping=allow-utf-8;q=0.5";
        for (accept, kind, escaping) in [
            (String::new(), PageKind::Text, Escaping::Underscores),
            ("*/*".into(), PageKind::Text, Escaping::Underscores),
            (
                format!("{PROTO}delimited"),
                PageKind::Protobuf,
                Escaping::Underscores,
            ),
            (
                format!("{PROTO}text"),
                PageKind::Text,
                Escaping::Underscores,
            ),
            (
                format!("{openmetrics}, {utf8_text}"),
                PageKind::Text,
                Escaping::Utf8,
            ),
            (
                format!("{utf8_text}, {PROTO}delimited;escaping=values;q=0.6"),
                PageKind::Protobuf,
                Escaping::Values,
            ),
            (
                format!("{PROTO}delimited;q=0.4, {utf8_text}"),
                PageKind::Text,
                Escaping::Utf8,
            ),
            (
                "text/plain;version=2".into(),
                PageKind::Text,
                Escaping::Underscores,
            ),
            (
                "text/plain;escaping=nosuch".into(),
                PageKind::Text,
                Escaping::Underscores,
            ),
        ] {
            let expected = PageFormat { kind, escaping };
            assert_eq!(PageFormat::negotiate(&accept), expected, "{accept}");
        }
    }

    #[test]
    fn names_are_escaped_in_four_ways() {
        for (name, underscores, dots, values) in [
            ("up", "up", "up", "up"),
            ("a_b:c", "a_b:c", "a__b:c", "a_b:c"),
            (
                "http.status",
                "http_status",
                "http_dot_status",
                "U__http_2e_status",
            ),
            ("1\u{fc}", "__", "____", "U___31__fc_"),
        ] {
            assert_eq!(Escaping::Utf8.escape(name), name);
            assert_eq!(Escaping::Underscores.escape(name), underscores);
            assert_eq!(Escaping::Dots.escape(name), dots);
            assert_eq!(Escaping::Values.escape(name), values);
        }
    }
}
