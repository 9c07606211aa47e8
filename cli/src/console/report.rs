//! Failures as text: a line `error:`, its causes, a line `hint:`; or an underlined query.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, renderer::DecorStyle};
use obsq_query_lang::{Diagnostic, Severity, Span};

use crate::console::{Facts, clean};
use crate::exit::Report;

/// Returns the text of `report`, empty for a silent one.
pub(crate) fn render(report: &Report, facts: &Facts) -> String {
    match report {
        Report::Silent => String::new(),
        Report::Message { text, causes, hint } => message(text, causes, hint.as_deref(), facts),
        Report::Query { text, diagnostics } => diagnostics
            .iter()
            .map(|diagnostic| snippet(text, diagnostic, facts))
            .collect(),
    }
}

fn message(text: &str, causes: &[String], hint: Option<&str>, facts: &Facts) -> String {
    let paint = facts.err_paint();
    let mut lines = format!("{} {}\n", paint.error("error:"), clean(text));
    for cause in causes {
        let line = format!("  {} {}\n", paint.dim("because:"), clean(cause));
        lines.push_str(&line);
    }
    if let Some(hint) = hint {
        let line = format!("{} {}\n", paint.hint("hint:"), clean(hint));
        lines.push_str(&line);
    }
    lines
}

/// Returns `diagnostic` with the part of the query it is about underlined.
fn snippet(query: &str, diagnostic: &Diagnostic, facts: &Facts) -> String {
    // Control characters would move the underline or command the terminal; spans count bytes.
    let mut source = String::with_capacity(query.len());
    for c in query.chars() {
        if c.is_control() && c != '\n' {
            source.extend(std::iter::repeat_n(' ', c.len_utf8()));
        } else {
            source.push(c);
        }
    }
    let source = source.as_str();
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut snippet = Snippet::source(source)
        .annotation(AnnotationKind::Primary.span(range(source, diagnostic.span)));
    for label in &diagnostic.labels {
        let place = AnnotationKind::Context.span(range(source, label.span));
        snippet = snippet.annotation(place.label(label.message.as_str()));
    }
    let group = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code)
        .element(snippet);
    let renderer = if facts.colour_err {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let drawn = renderer.decor_style(DecorStyle::Ascii).render(&[group]);
    let mut text = format!("{}\n", drawn.trim_end());
    if let Some(help) = &diagnostic.help {
        let line = format!("{} {}\n", facts.err_paint().hint("hint:"), clean(help));
        text.push_str(&line);
    }
    text
}

/// Returns the span as a range that lies within `source` and on character boundaries.
fn range(source: &str, span: Span) -> std::ops::Range<usize> {
    let mut lo = (span.lo as usize).min(source.len());
    let mut hi = (span.hi as usize).clamp(lo, source.len());
    while !source.is_char_boundary(lo) {
        lo -= 1;
    }
    while !source.is_char_boundary(hi) {
        hi += 1;
    }
    lo..hi
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::{ColourChoice, Tty};
    use crate::environment::Environment;
    use crate::exit::Failure;

    fn facts(choice: ColourChoice) -> Facts {
        Facts::new(choice, &Environment::default(), Tty::NONE)
    }

    fn unknown_function(span: Span) -> Diagnostic {
        Diagnostic {
            code: "promql::unknown-function",
            severity: Severity::Error,
            span,
            message: "unknown function `raet`".into(),
            upstream: String::new(),
            labels: Box::default(),
            help: Some("did you mean `rate`?".into()),
        }
    }

    #[test]
    fn a_message_has_its_causes_and_a_hint() {
        let failure = Failure::failed("cannot reach the server")
            .because(&std::io::Error::other("connection refused"))
            .hint("start one with `obsq serve`");
        let text = render(&failure.report, &facts(ColourChoice::Never));
        let expected = "error: cannot reach the server\n  because: connection refused\nhint: start one with `obsq serve`\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_query_is_underlined_where_it_is_wrong() {
        let _bound = obsq_snapshots::bind("cli");
        let diagnostic = unknown_function(Span::new(4, 8));
        let failure = Failure::query("sum(raet(up[5m]))", vec![diagnostic]);
        insta::assert_snapshot!(
            "query_diagnostic",
            render(&failure.report, &facts(ColourChoice::Never))
        );
    }

    #[test]
    fn a_span_outside_the_text_or_inside_a_character_is_drawn_all_the_same() {
        for (lo, hi) in [(90, 99), (0, 99), (1, 2), (2, 1)] {
            let failure = Failure::query("ää\t(", vec![unknown_function(Span::new(lo, hi))]);
            let text = render(&failure.report, &facts(ColourChoice::Always));
            assert!(text.contains("unknown function"), "{text}");
        }
    }
}
