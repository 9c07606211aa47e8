//! promtool's spellings, so that a line of a script can be swapped by changing one word.

use std::ffi::OsString;

/// Rewrites `query instant URL EXPR` and its relatives to obsq's own words.
///
/// promtool names the server as a word where obsq has a flag, so only the words in front need a
/// change; flags pass through, and the answer has promtool's form unless `-o` says otherwise. A
/// metric that is called `instant` is still reached by `obsq query -- instant`.
pub(crate) fn promtool_words(words: Vec<OsString>) -> Vec<OsString> {
    let text = |at: usize| {
        words
            .get(at)
            .and_then(|word| word.to_str())
            .unwrap_or_default()
    };
    if (text(1), text(2)) == ("push", "metrics") {
        return push_words(&words).unwrap_or(words);
    }
    if text(1) != "query" || words.len() < 4 {
        return words;
    }
    let kind = text(2).to_owned();
    if !matches!(kind.as_str(), "instant" | "range" | "series" | "labels") {
        return words;
    }
    let is_url = |word: &&OsString| word.to_str().is_some_and(|text| text.contains("://"));
    let Some(server) = words.iter().skip(3).find(is_url).cloned() else {
        return words;
    };
    let mut seen = false;
    let rest = words.iter().skip(3).filter(|word| {
        let is_server = !seen && **word == server;
        seen |= is_server;
        !is_server
    });
    let mut own: Vec<OsString> = vec![words[0].clone()];
    let front: &[&str] = match kind.as_str() {
        "series" => &["series"],
        "labels" => &["labels"],
        "range" => &["query", "--range"],
        _ => &["query"],
    };
    own.extend(front.iter().map(OsString::from));
    own.extend(["--server".into(), server.clone()]);
    let asks_format = words.iter().any(|word| {
        let word = word.to_str().unwrap_or_default();
        word.starts_with("-o") || word.starts_with("--output")
    });
    if !asks_format {
        own.extend(["--output".into(), "promql".into()]);
    }
    own.extend(rest.cloned());
    own
}

/// Rewrites `push metrics URL FILE...` to an import; promtool labels what it pushes.
fn push_words(words: &[OsString]) -> Option<Vec<OsString>> {
    let texts: Option<Vec<&str>> = words.iter().skip(3).map(|word| word.to_str()).collect();
    let texts = texts?;
    let at = texts
        .iter()
        .position(|text| text.contains("://") && !text.starts_with('-'))?;
    let server = texts[at].strip_suffix("/api/v1/write").unwrap_or(texts[at]);
    let mut own = vec![
        words[0].clone(),
        "import".into(),
        "--server".into(),
        server.into(),
    ];
    if !texts.iter().any(|text| text.starts_with("--label")) {
        own.extend(["--label", "job=promtool"].map(OsString::from));
    }
    own.extend(texts[..at].iter().map(OsString::from));
    own.extend(texts[at + 1..].iter().map(OsString::from));
    let has_file = texts[at + 1..].iter().any(|text| !text.starts_with('-'));
    if !has_file {
        own.push("-".into());
    }
    Some(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &str) -> String {
        let words = line.split(' ').map(OsString::from).collect();
        let own = promtool_words(words);
        let texts: Vec<&str> = own.iter().map(|word| word.to_str().unwrap()).collect();
        texts.join(" ")
    }

    #[test]
    fn the_server_becomes_a_flag_and_the_form_promtools() {
        let table = [
            (
                "obsq query instant http://h:1 up",
                "obsq query --server http://h:1 --output promql up",
            ),
            (
                "obsq query range --start=1 --end=2 --step=1s http://h:1 up",
                "obsq query --range --server http://h:1 --output promql --start=1 --end=2 --step=1s up",
            ),
            (
                "obsq query series http://h:1 --match up -o json",
                "obsq series --server http://h:1 --match up -o json",
            ),
            (
                "obsq push metrics --label=a=b http://h:1/api/v1/write x.prom",
                "obsq import --server http://h:1 --label=a=b x.prom",
            ),
            (
                "obsq push metrics http://h:1/p/api/v1/write",
                "obsq import --server http://h:1/p --label job=promtool -",
            ),
            (
                "obsq query labels http://h:1 job",
                "obsq labels --server http://h:1 --output promql job",
            ),
        ];
        for (line, expected) in table {
            assert_eq!(rewritten(line), expected);
        }
    }

    #[test]
    fn our_own_words_stay() {
        for line in [
            "obsq",
            "obsq query up",
            "obsq query -- instant",
            "obsq query instant up",
        ] {
            assert_eq!(rewritten(line), line);
        }
    }
}
