use super::*;

/// Returns the texts of the tokens, without the last, and the error.
fn texts(text: &str) -> (Vec<&str>, Option<String>) {
    let lexed = lex(text);
    let last = lexed.tokens.len() - 1;
    let slice = |token: &Token| {
        text.get(token.span.lo as usize..token.span.hi as usize)
            .unwrap()
    };
    (
        lexed.tokens[..last].iter().map(slice).collect(),
        lexed.error,
    )
}

fn kinds(text: &str) -> Vec<TokenKind> {
    lex(text).tokens.iter().map(|token| token.kind).collect()
}

#[test]
fn text_is_split_at_the_longest_tokens() {
    let cases: [(&str, &[&str]); 9] = [
        ("a:b+c", &["a:b", "+", "c"]),
        (
            "a<=b</c>/d>e",
            &["a", "<=", "b", "</", "c", ">/", "d", ">", "e"],
        ),
        ("1e3-.5", &["1e3", "-", ".5"]),
        ("5m1s[1h30m]", &["5m1s", "[", "1h30m", "]"]),
        ("x[ step ( ) ]", &["x", "[", "step", "(", ")", "]"]),
        ("{a!~\"b\\\"c\"}", &["{", "a", "!~", "\"b\\\"c\"", "}"]),
        ("`a\nb`'c'", &["`a\nb`", "'c'"]),
        ("a # b\nc", &["a", "# b", "c"]),
        ("0x1F_F 0b1", &["0x1F_F"]),
    ];
    for (text, expected) in cases {
        assert_eq!(texts(text).0, expected, "{text}");
    }
}

#[test]
fn words_mean_what_their_place_says() {
    use TokenKind::{Aggregate, Eof, Identifier, LeftBrace, LeftParen, Number, RightBrace};
    let fill = TokenKind::Keyword(Keyword::Fill);
    assert_eq!(kinds("SUM"), [Aggregate(AggregateOp::Sum), Eof]);
    assert_eq!(kinds("{sum}"), [LeftBrace, Identifier, RightBrace, Eof]);
    assert_eq!(kinds("fill"), [Identifier, Eof]);
    assert_eq!(kinds("fill\t("), [fill, LeftParen, TokenKind::Error]);
    assert_eq!(kinds("NaN inf"), [Number, Number, Eof]);
    assert_eq!(kinds("a:b"), [TokenKind::MetricIdentifier, Eof]);
}

#[test]
fn what_cannot_be_read_ends_the_tokens() {
    let cases = [
        ("a ; b", "unexpected character: ';'"),
        ("é", "unexpected character: 'é'"),
        ("a!b", "unexpected character after '!': 'b'"),
        ("a =~ b", "unexpected character after '=': '~'"),
        ("(a", "unclosed left parenthesis"),
        ("a)", "unexpected right parenthesis ')'"),
        ("a[5m", "unclosed left bracket"),
        ("a[[", "unexpected character in duration expression: '['"),
        ("a[5m[", "unexpected left bracket '['"),
        ("a]", "unexpected right bracket ']'"),
        (
            "a[:",
            "unexpected colon before duration in duration expression",
        ),
        ("a[5m::", "unexpected colon ':'"),
        ("a[5m x", "unexpected character: 'x', expected ':'"),
        ("a[foo", "unexpected character in duration expression: 'f'"),
        ("{a", "unexpected end of input inside braces"),
        ("{{", "unexpected left brace '{'"),
        ("{a!b", "unexpected character after '!' inside braces: 'b'"),
        ("\"a\n\"", "unterminated quoted string"),
        ("`a", "unterminated raw string"),
        ("\"\\q\"", "unknown escape sequence U+0071 'q'"),
        ("\"\\x4", "escape sequence not terminated"),
        (
            "\"\\ud800\"",
            "escape sequence is an invalid Unicode code point",
        ),
        (
            "\"\\400\"",
            "escape sequence is an invalid Unicode code point",
        ),
        (
            "\"\\uzzzz\"",
            "illegal character U+007A 'z' in escape sequence",
        ),
        ("1..2", "bad number or duration syntax: \"1..\""),
        ("1e", "bad number or duration syntax: \"1e\""),
        ("1__0", "bad number or duration syntax: \"1__\""),
        ("5mm", "bad number or duration syntax: \"5mm\""),
        ("5xyz", "bad number or duration syntax: \"5\""),
        ("0x1.8", "bad number or duration syntax: \"0x1.\""),
    ];
    for (text, expected) in cases {
        assert_eq!(texts(text).1.as_deref(), Some(expected), "{text}");
        assert_eq!(kinds(text).last(), Some(&TokenKind::Error), "{text}");
    }
}
