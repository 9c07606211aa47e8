use super::*;

fn matches(pattern: &str, value: &str) -> Option<bool> {
    Regex::anchored(pattern)
        .ok()
        .map(|regex| regex.is_match(value))
}

fn message(pattern: &str) -> String {
    Regex::anchored(pattern)
        .map(|_| String::new())
        .unwrap_or_else(|error| error.message)
}

#[test]
fn patterns_mean_what_they_mean_in_go() {
    let cases = [
        ("a{gid}", "a{gid}", Some(true)),
        ("a{,5}", "aaa", Some(false)),
        (r"\d+", "٣", Some(false)),
        (r"\s", "\u{b}", Some(false)),
        (r"\w+", "é", Some(false)),
        ("[[a]", "[", Some(true)),
        ("[a&&b]", "&", Some(true)),
        ("[]a]", "]", Some(true)),
        ("[^]a]", "b", Some(true)),
        ("[a-]", "-", Some(true)),
        (r"[a\]]", "]", Some(true)),
        (r"\Qa.b\E+", "a.bb", Some(true)),
        (r"\Qa.b", "a.b", Some(true)),
        (r"\<foo", "<foo", Some(true)),
        (r"\012", "\n", Some(true)),
        (r"\x{1F600}", "😀", Some(true)),
        (r"(?i)k", "\u{212a}", Some(true)),
        (r"(?i)\w", "\u{17f}", Some(true)),
        (r"(?i)straße", "STRASSE", Some(false)),
        ("(?-s).", "\n", Some(false)),
        ("(?-s:.)x.", "ax\n", Some(true)),
        ("(?m)^a$\n^b$", "a\nb", Some(true)),
        ("^a$\n^b$", "a\nb", Some(false)),
        ("a|b|", "", Some(true)),
        ("(a|b", "a", None),
        (r"\bfoo\b.*", "foo bar", Some(true)),
        (r"\p{Greek}\pL\P{Lu}\p{^Lu}", "αxyz", Some(true)),
        (r"\p{Latn}", "a", None),
        ("[[:^alpha:][:digit:]]+", "1-2", Some(true)),
        (r"[^\x00-\x{10FFFF}]", "a", Some(false)),
        ("(?i:a)B", "AB", Some(true)),
        ("x*?y??", "xx", Some(true)),
        ("^*a", "a", Some(true)),
    ];
    for (pattern, value, expected) in cases {
        assert_eq!(matches(pattern, value), expected, "{pattern} on {value:?}");
    }
}

#[test]
fn refusals_are_in_the_words_of_go() {
    let cases = [
        ("(", "missing closing ): `(`"),
        ("a)", "unexpected ): `a)`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a|+?", "missing argument to repetition operator: `+?`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("(a{100}){11}", "invalid repeat count: `{11}`"),
        ("[a", "missing closing ]: `[a`"),
        ("x[", "missing closing ]: `[`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"\p{Nope}x", r"invalid character class range: `\p{Nope}`"),
        (r"\pX", r"invalid character class range: `\pX`"),
        (r"a\", "trailing backslash at end of expression: ``"),
        (r"\8", r"invalid escape sequence: `\8`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        (r"\xz1", r"invalid escape sequence: `\xz1`"),
        (r"\x{zz}", r"invalid escape sequence: `\x{z`"),
        (r"\u0041", r"invalid escape sequence: `\u`"),
        ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
        ("a(?=b)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?i-)a", "invalid or unsupported Perl syntax: `(?i-)`"),
        ("(?P<n", "invalid named capture: `(?P<n`"),
        ("(?P<a b>x)", "invalid named capture: `(?P<a b>`"),
        ("(?<>x)", "invalid named capture: `(?<>`"),
    ];
    for (pattern, expected) in cases {
        assert_eq!(
            message(pattern),
            format!("error parsing regexp: {expected}"),
            "{pattern}"
        );
    }
}

#[test]
fn simple_shapes_are_recognised_and_agree_with_the_automaton() {
    let patterns = [
        ("", "Literals"),
        ("foo", "Literals"),
        ("^foo$", "Literals"),
        ("foo|bar|", "Literals"),
        ("fo(o|a)-[0-9]", "Literals"),
        ("(?i)fo", "Literals"),
        (".*", "Affixes"),
        (".+", "Affixes"),
        ("foo.*", "Affixes"),
        (".+foo", "Affixes"),
        ("f(.*)o", "Affixes"),
        (".*o.*", "Parts"),
        ("f.*o.*-.*1", "Parts"),
        ("(?i)foo-[0]bar-long", "Caseless"),
        ("fo+.*", "Program"),
        ("foo|.*1", "Program"),
        ("(?-s).*", "Program"),
        ("o*.+o", "Program"),
    ];
    let values = [
        "",
        "f",
        "o",
        "foo",
        "FOO",
        "Fo",
        "bar",
        "fo",
        "foo-1",
        "fooa",
        "\n",
        "foo\n1",
        "f-o1",
        "FOO-0bar-LONG",
        "é",
        "fé-",
        "oo",
        "ffoo",
        "f-o-1",
        "fo-o-1",
    ];
    for (pattern, shape) in patterns {
        let regex = Regex::anchored(pattern).unwrap();
        let name = format!("{:?}", regex.0.shape);
        assert!(name.starts_with(shape), "{pattern} is {name}");
        let program = regex.0.program().unwrap();
        for value in values {
            assert_eq!(
                regex.is_match(value),
                program.is_match(value),
                "{pattern} on {value:?}"
            );
            let starts = value.starts_with(regex.prefix());
            assert!(starts || !regex.is_match(value), "{pattern} on {value:?}");
        }
    }
}

#[test]
fn literals_are_all_values_sorted() {
    let literals = |pattern: &str| {
        let regex = Regex::anchored(pattern).unwrap();
        regex.literals().map(<[String]>::to_vec)
    };
    let list = |values: &[&str]| Some(values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>());
    assert_eq!(literals("b|a|b"), list(&["a", "b"]));
    assert_eq!(literals("x(a|b)?"), list(&["x", "xa", "xb"]));
    assert_eq!(literals("web-[1-3]"), list(&["web-1", "web-2", "web-3"]));
    assert_eq!(literals(""), list(&[""]));
    assert_eq!(literals("[a-z]{2}"), None);
    assert_eq!(literals("a*"), None);
    let many: Vec<_> = (0..5_000).map(|i| format!("host{i:05}")).collect();
    let regex = Regex::anchored(&many.join("|")).unwrap();
    assert_eq!(regex.literals().map(<[String]>::len), Some(5_000));
    assert_eq!(regex.prefix(), "host0");
}

#[test]
fn groups_are_expanded_when_the_whole_value_matches() {
    let expand = |pattern: &str, value: &str, template: &str| {
        Regex::anchored(pattern).unwrap().expand(value, template)
    };
    assert_eq!(
        expand("(.*)-(.*)", "a-b-c", "$2/$1"),
        Some("c/a-b".to_owned())
    );
    assert_eq!(
        expand("(?P<x>a)|(b)", "b", "<${x}$2>"),
        Some("<b>".to_owned())
    );
    assert_eq!(expand("(?<x>a)|(?<x>b)", "b", "$x"), Some("b".to_owned()));
    assert_eq!(expand("a|b", "b", "$0$0"), Some("bb".to_owned()));
    assert_eq!(expand("a", "b", "x"), None);
    assert_eq!(expand("(a+?)(a*)", "aaa", "$1"), Some("a".to_owned()));
}

#[test]
fn large_and_deep_patterns_are_refused_within_bounds() {
    assert!(message(&"(".repeat(100_000)).contains("missing closing )"));
    let deep = format!("{}a{}", "(".repeat(600), ")".repeat(600));
    assert!(message(&deep).contains("expression nests too deeply"));
    let fine = format!("{}a*{}", "(".repeat(450), ")".repeat(450));
    assert_eq!(matches(&fine, "aa"), Some(true));
    assert!(message(r"(\pL{1000}){1}(\pL{1000})").contains("expression too large"));
    assert_eq!(matches(r"[^a]{1000}", &"b".repeat(1_000)), Some(true));
    assert!(validate(r"\pL{1000}\pL{1000}").is_err());
}

#[test]
fn long_patterns_are_read_in_linear_time() {
    let size = 1 << 15;
    let chars: String = (0x4e00..0x9fff_u32)
        .step_by(2)
        .filter_map(char::from_u32)
        .collect();
    let patterns = [
        "(x)".repeat(size / 3),
        "[x]".repeat(size / 3),
        format!("(?i)[{}]", chars.repeat(4)),
        format!("(a|b){}", "(c)?".repeat(size / 4)),
        "x|".repeat(size / 2),
        "ab|".repeat(size / 3) + "(c|d)" + &"(e)".repeat(size / 6),
        ".*a".repeat(size / 3),
        "\\Q".to_owned() + &"*".repeat(size),
        "a?".repeat(size / 2),
    ];
    for pattern in patterns {
        if let Ok(regex) = Regex::anchored(&pattern) {
            assert!(!regex.is_match("zz"));
        }
    }
}

/// The corpus of the conformance suite, where it lies beside the workspace.
#[test]
fn the_conformance_corpus_passes_where_present() {
    let shared = std::env::var("OBSQ_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").to_owned());
    let path = std::path::Path::new(&shared).join("conformance/re2_cases.tsv");
    let Ok(corpus) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: no corpus at {}", path.display());
        return;
    };
    let mut count = 0;
    for line in corpus.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<_> = line.split('\t').collect();
        let [pattern, sample, go, ..] = fields[..] else {
            continue;
        };
        let sample = sample.replace("\\n", "\n");
        let verdict = match matches(pattern, &sample) {
            Some(verdict) => verdict.to_string(),
            None => "ERR".to_owned(),
        };
        assert_eq!(verdict, go, "{pattern} on {sample:?}");
        count += 1;
    }
    assert!(count > 0, "no case in {}", path.display());
}
