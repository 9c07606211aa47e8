//! From OpenTelemetry names and units to metric and label names.

use super::options::{OtlpOptions, TranslationStrategy};

/// What of a metric's type matters for its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKind {
    Counter,
    Gauge,
    Other,
}

/// UCUM units and the words that stand for them in a metric's name.
const UNITS: &[(&str, &str)] = &[
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", ""),
    ("%", "percent"),
];

/// Units behind a slash.
const PER_UNITS: &[(&str, &str)] = &[
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

/// Returns the metric's name, or why there is none.
pub(super) fn metric_name(
    name: &str,
    unit: &str,
    kind: NameKind,
    strategy: TranslationStrategy,
) -> Result<String, String> {
    if !strategy.escapes() {
        let translated = if strategy.adds_suffixes() {
            suffixed(name, unit, kind)
        } else {
            name.to_owned()
        };
        return if translated.is_empty() {
            Err("metric has no name".to_owned())
        } else {
            Ok(translated)
        };
    }
    let translated = if strategy.adds_suffixes() {
        escaped_with_suffixes(name, unit, kind)
    } else {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == ':' || c == '_';
        no_leading_digit(tokens(name, allowed).join("_"))
    };
    if translated.is_empty() {
        return Err(format!(
            "metric name {name:?} has no character that can be kept"
        ));
    }
    if translated != name && translated.chars().all(|c| c == '_') {
        return Err(format!("metric name {name:?} becomes {translated:?}"));
    }
    Ok(translated)
}

fn tokens(text: &str, allowed: impl Fn(char) -> bool) -> Vec<&str> {
    text.split(|c| !allowed(c))
        .filter(|token| !token.is_empty())
        .collect()
}

fn no_leading_digit(name: String) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("_{name}")
    } else {
        name
    }
}

fn escaped_with_suffixes(name: &str, unit: &str, kind: NameKind) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let mut words = tokens(name, allowed);
    let (main, per) = unit_words(unit);
    let (main, per) = (clean_unit(&main), clean_unit(&per));
    let mut main = main.as_str();
    let mut per = per.trim_end_matches('_');
    if words.contains(&main) {
        main = "";
    }
    if per == "per" || words.contains(&per) {
        per = "";
    }
    if !per.is_empty() {
        main = main.trim_end_matches('_');
    }
    words.extend([main, per].into_iter().filter(|word| !word.is_empty()));
    let last = match kind {
        NameKind::Counter => Some("total"),
        NameKind::Gauge if unit == "1" => Some("ratio"),
        _ => None,
    };
    if let Some(last) = last {
        words.retain(|word| *word != last);
        words.push(last);
    }
    no_leading_digit(words.join("_"))
}

/// Adds the suffixes to a name that is not escaped; a suffix that is there already moves to the
/// end.
fn suffixed(name: &str, unit: &str, kind: NameKind) -> String {
    let (main, per) = unit_words(unit);
    let ratio = unit == "1" && kind == NameKind::Gauge;
    let mut out = name.to_owned();
    if ratio {
        trim_word(&mut out, "ratio");
    }
    if kind == NameKind::Counter {
        trim_word(&mut out, "total");
    }
    if !per.is_empty() {
        trim_word(&mut out, &per);
    }
    if !main.is_empty() && !out.ends_with(main.as_str()) {
        push_word(&mut out, &main);
    }
    if !per.is_empty() {
        push_word(&mut out, &per);
    }
    if kind == NameKind::Counter {
        push_word(&mut out, "total");
    }
    if ratio {
        push_word(&mut out, "ratio");
    }
    out
}

fn push_word(name: &mut String, word: &str) {
    name.push('_');
    name.push_str(word);
}

/// Takes a word and the one character before it off the end, if something stays.
fn trim_word(name: &mut String, word: &str) {
    if let Some(rest) = name.strip_suffix(word)
        && rest.len() > 1
    {
        let keep = rest.len() - rest.chars().next_back().map_or(0, char::len_utf8);
        name.truncate(keep);
    }
}

/// Returns the words of a unit: what is measured, and `per_` what it is divided by. Units in
/// braces are annotations and have no word.
fn unit_words(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let word = |part: &str, table: &[(&str, &str)]| {
        let part = part.trim();
        if part.contains(['{', '}']) {
            return String::new();
        }
        let known = table.iter().find(|(unit, _)| *unit == part);
        known.map_or(part, |(_, word)| word).to_owned()
    };
    let mut per = word(per, PER_UNITS);
    if !per.is_empty() {
        per.insert_str(0, "per_");
    }
    (word(main, UNITS), per)
}

/// Replaces what cannot stand in a name by single underscores, none at the start.
fn clean_unit(unit: &str) -> String {
    let mut out = String::with_capacity(unit.len());
    for c in unit.chars() {
        if c.is_ascii_alphanumeric() || c == ':' {
            out.push(c);
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out.trim_start_matches('_').to_owned()
}

/// Returns the unit as it is kept in metadata.
pub(super) fn unit_name(unit: &str) -> String {
    let (main, per) = unit_words(unit);
    let words = [clean_unit(&main), clean_unit(&per)];
    let present: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| !word.is_empty())
        .collect();
    let joined = present.join("_");
    let joined = joined.strip_prefix('_').unwrap_or(&joined);
    joined.strip_suffix('_').unwrap_or(joined).to_owned()
}

/// Returns the label name for an attribute, or why there is none.
pub(super) fn label_name(attribute: &str, options: &OtlpOptions) -> Result<String, String> {
    if attribute.is_empty() {
        return Err("attribute without a name".to_owned());
    }
    if !options.strategy.escapes() {
        return Ok(attribute.to_owned());
    }
    let mut name = if options.label_name_preserve_multiple_underscores {
        escape_label(attribute)
    } else {
        collapse_label(attribute)
    };
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert_str(0, "key_");
    } else if options.label_name_underscore_sanitization
        && name.starts_with('_')
        && !name.starts_with("__")
    {
        name.insert_str(0, "key");
    }
    if name != attribute && name.chars().all(|c| c == '_') {
        return Err(format!("attribute name {attribute:?} becomes {name:?}"));
    }
    Ok(name)
}

fn escape_label(attribute: &str) -> String {
    attribute
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

/// Escapes and joins several `_` in a row, but for those around a reserved name.
fn collapse_label(attribute: &str) -> String {
    let reserved = attribute
        .strip_prefix("__")
        .and_then(|rest| rest.strip_suffix("__"));
    let mut out = String::with_capacity(attribute.len());
    for c in reserved.unwrap_or(attribute).chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    if reserved.is_some() {
        format!("__{out}__")
    } else {
        out
    }
}

#[cfg(test)]
mod tests {
    use super::NameKind::{Counter, Gauge, Other};
    use super::TranslationStrategy as Strategy;
    use super::*;

    #[test]
    fn names_are_escaped_and_get_their_suffixes() {
        let cases = [
            (
                "http.server.duration",
                "s",
                Other,
                "http_server_duration_seconds",
            ),
            ("requests.count", "1", Counter, "requests_count_total"),
            ("memory.usage", "By", Gauge, "memory_usage_bytes"),
            ("cpu.utilization", "1", Gauge, "cpu_utilization_ratio"),
            ("io", "By/s", Counter, "io_bytes_per_second_total"),
            ("io.bytes", "By/s", Gauge, "io_bytes_per_second"),
            ("total.sent", "", Counter, "sent_total"),
            ("x_seconds", "s", Counter, "x_seconds_total"),
            ("a__b..c", "", Gauge, "a_b_c"),
            ("5xx", "{requests}", Counter, "_5xx_total"),
            ("q", "{packet}/s", Gauge, "q_per_second"),
            ("q", "foo/bar", Gauge, "q_foo_per_bar"),
            ("q", "%", Gauge, "q_percent"),
            ("q", "µ", Gauge, "q"),
            ("ns:sub.x", "ms", Other, "ns:sub_x_milliseconds"),
            ("queue.ratio", "1", Gauge, "queue_ratio"),
            ("_leading", "", Gauge, "leading"),
        ];
        for (name, unit, kind, expected) in cases {
            let strategy = Strategy::UnderscoreEscapingWithSuffixes;
            let translated = metric_name(name, unit, kind, strategy);
            assert_eq!(translated.as_deref(), Ok(expected), "{name} {unit}");
        }
    }

    #[test]
    fn the_other_strategies_keep_more() {
        let cases = [
            (
                Strategy::UnderscoreEscapingWithoutSuffixes,
                "a.b__c",
                "a_b__c",
            ),
            (Strategy::UnderscoreEscapingWithoutSuffixes, "1a", "_1a"),
            (
                Strategy::NoUtf8EscapingWithSuffixes,
                "a.b",
                "a.b_bytes_per_second_total",
            ),
            (
                Strategy::NoUtf8EscapingWithSuffixes,
                "a.total",
                "a_bytes_per_second_total",
            ),
            (
                Strategy::NoUtf8EscapingWithSuffixes,
                "aétotal",
                "a_bytes_per_second_total",
            ),
            (Strategy::NoTranslation, "a.b", "a.b"),
        ];
        for (strategy, name, expected) in cases {
            let translated = metric_name(name, "By/s", Counter, strategy);
            assert_eq!(translated.as_deref(), Ok(expected), "{name}");
        }
    }

    #[test]
    fn names_without_a_usable_character_are_refused() {
        for strategy in Strategy::ALL {
            assert!(metric_name("", "", Gauge, strategy).is_err());
        }
        assert!(metric_name("..", "", Gauge, Strategy::default()).is_err());
    }

    #[test]
    fn label_names_follow_the_options() {
        let options = OtlpOptions::default();
        let cases = [
            ("http.method", "http_method"),
            ("9x", "key_9x"),
            ("_x", "key_x"),
            ("__x__", "__x__"),
            ("a..b", "a__b"),
            ("ä", "key_"),
        ];
        for (attribute, expected) in cases {
            assert_eq!(label_name(attribute, &options).unwrap(), expected);
        }
        assert!(label_name("..", &options).is_err());
        assert!(label_name("", &options).is_err());
        let collapsing = OtlpOptions {
            label_name_preserve_multiple_underscores: false,
            label_name_underscore_sanitization: false,
            ..OtlpOptions::default()
        };
        for (attribute, expected) in [("a..b__c", "a_b_c"), ("__a.b__", "__a_b__"), ("_x", "_x")] {
            assert_eq!(label_name(attribute, &collapsing).unwrap(), expected);
        }
        let utf8 = OtlpOptions {
            strategy: Strategy::NoTranslation,
            ..OtlpOptions::default()
        };
        assert_eq!(label_name("http.method", &utf8).unwrap(), "http.method");
    }

    #[test]
    fn units_are_spelled_out() {
        let cases = [
            ("s", "seconds"),
            ("By/s", "bytes_per_second"),
            ("1", ""),
            ("{requests}", ""),
            ("{x}/min", "per_min"),
            ("a b", "a_b"),
        ];
        for (unit, expected) in cases {
            assert_eq!(unit_name(unit), expected);
        }
    }
}
