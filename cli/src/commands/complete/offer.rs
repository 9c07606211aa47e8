//! What is offered at a place.

use clap::{Arg, Command, ValueHint};
use obsq_query_lang::promql::{CompletionKind, CompletionSource, complete};

use super::place::{Place, What, takes_value};

/// Something to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    /// The whole word.
    pub(super) word: String,
    /// The part of it that differs, for lists.
    pub(super) shown: String,
    /// A short remark; may be empty.
    pub(super) detail: String,
}

/// What may follow.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) all: Vec<Offer>,
    /// The word goes on behind the offer.
    pub(super) goes_on: bool,
    /// Names of files are wanted.
    pub(super) files: bool,
}

/// Where names come from.
pub(super) trait Names {
    /// Returns the names of contexts.
    fn contexts(&self) -> Vec<String>;

    /// Returns what knows metrics and labels.
    fn source(&self) -> &dyn CompletionSource;
}

/// Returns what may stand in place of `current`.
pub(super) fn offers(place: &Place<'_>, current: &str, names: &dyn Names) -> Offers {
    match place.what {
        What::Flag => flags(place, current),
        What::Value(flag, at) => values(place, flag, current, at, names),
        What::Word(word) => {
            let mut found = word.map_or_else(Offers::default, |word| {
                values(place, word, current, 0, names)
            });
            let below = commands(place.command);
            found.all.extend(starting(below, current, 0));
            found
        }
    }
}

fn plain(words: impl IntoIterator<Item = (String, String)>) -> impl Iterator<Item = Offer> {
    words.into_iter().map(|(word, detail)| Offer {
        shown: word.clone(),
        word,
        detail,
    })
}

/// Keeps what starts with the word behind its first `at` bytes, and puts those in front again.
fn starting(offers: Vec<Offer>, current: &str, at: usize) -> Vec<Offer> {
    let (front, typed) = current.split_at(at);
    let fits = offers
        .into_iter()
        .filter(|offer| offer.word.starts_with(typed));
    fits.map(|offer| Offer {
        word: format!("{front}{}", offer.word),
        ..offer
    })
    .collect()
}

fn flags(place: &Place<'_>, current: &str) -> Offers {
    let shown = place
        .command
        .get_arguments()
        .filter(|flag| !flag.is_hide_set() && !place.used.contains(&flag.get_id().as_str()));
    let named = shown.filter_map(|flag| Some((format!("--{}", flag.get_long()?), help(flag))));
    let mut offers = starting(plain(named).collect(), current, 0);
    offers.sort_by(|a, b| a.word.cmp(&b.word));
    Offers {
        all: offers,
        ..Offers::default()
    }
}

fn help(flag: &Arg) -> String {
    let text = flag.get_help().map(ToString::to_string);
    text.unwrap_or_default()
}

fn commands(command: &Command) -> Vec<Offer> {
    let shown = command
        .get_subcommands()
        .filter(|below| !below.is_hide_set());
    let named = shown.map(|below| {
        let about = below.get_about().map(ToString::to_string);
        (below.get_name().to_owned(), about.unwrap_or_default())
    });
    plain(named).collect()
}

fn values(place: &Place<'_>, arg: &Arg, current: &str, at: usize, names: &dyn Names) -> Offers {
    let path = place.path.join(" ");
    let simple = |words: Vec<String>| {
        let words = words.into_iter().map(|word| (word, String::new()));
        Offers {
            all: starting(plain(words).collect(), current, at),
            ..Offers::default()
        }
    };
    match (path.as_str(), arg.get_id().as_str()) {
        ("query" | "explain" | "fmt", "query") => query(current, at, false, names.source()),
        ("series", "words") | (_, "selectors") => query(current, at, true, names.source()),
        ("labels", "name") => simple(names.source().label_names(None)),
        (_, "context") | ("ctx use" | "ctx show", "name") => simple(names.contexts()),
        _ => Offers {
            all: starting(possible(arg), current, at),
            files: takes_path(arg),
            goes_on: false,
        },
    }
}

fn possible(arg: &Arg) -> Vec<Offer> {
    if !takes_value(arg) && arg.get_long().is_some() {
        return Vec::new();
    }
    let values = arg.get_possible_values().into_iter();
    let shown = values.filter(|value| !value.is_hide_set());
    plain(shown.map(|value| {
        let help = value.get_help().map(ToString::to_string);
        (value.get_name().to_owned(), help.unwrap_or_default())
    }))
    .collect()
}

fn takes_path(arg: &Arg) -> bool {
    use ValueHint::{AnyPath, DirPath, ExecutablePath, FilePath};
    matches!(
        arg.get_value_hint(),
        AnyPath | DirPath | ExecutablePath | FilePath
    )
}

/// Offers parts of a query, or of a selector alone.
fn query(current: &str, at: usize, is_selector: bool, source: &dyn CompletionSource) -> Offers {
    let (front, text) = current.split_at(at);
    let found = complete(text, text.len(), source);
    let kept = text.get(..found.replace.lo as usize).unwrap_or_default();
    let fits = found.items.into_iter().filter(|item| {
        let of_queries = matches!(
            item.kind,
            CompletionKind::Function | CompletionKind::Aggregation
        );
        !(is_selector && of_queries)
    });
    let offers = fits.map(|item| Offer {
        word: format!("{front}{kept}{}", item.text),
        shown: item.text,
        detail: item.detail,
    });
    Offers {
        all: offers.collect(),
        goes_on: true,
        files: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::CommandFactory as _;

    struct Shop;

    impl CompletionSource for Shop {
        fn metric_names(&self, prefix: &str) -> Vec<String> {
            let names = ["orders_total", "orders_open"].map(str::to_owned);
            names
                .into_iter()
                .filter(|name| name.starts_with(prefix))
                .collect()
        }

        fn label_names(&self, _metric: Option<&str>) -> Vec<String> {
            vec!["shop".into(), "status".into()]
        }

        fn label_values(&self, _metric: Option<&str>, _label: &str, _prefix: &str) -> Vec<String> {
            vec!["paid".into()]
        }
    }

    impl Names for Shop {
        fn contexts(&self) -> Vec<String> {
            vec!["prod".into(), "stage".into()]
        }

        fn source(&self) -> &dyn CompletionSource {
            self
        }
    }

    fn offered(words: &str, current: &str) -> String {
        let mut root = Cli::command();
        root.build();
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let place = Place::find(&root, &words, current);
        let found = offers(&place, current, &Shop);
        let words: Vec<String> = found.all.into_iter().map(|offer| offer.word).collect();
        let files = if found.files { " (files)" } else { "" };
        format!("{}{files}", words.join(" "))
    }

    #[test]
    fn what_fits_is_offered() {
        let table = [
            ("", "ex", "explain export"),
            ("", "time", ""),
            ("ctx use", "", "prod stage"),
            ("query --context", "p", "prod"),
            ("query", "--context=p", "--context=prod"),
            ("query -o", "js", "json jsonl"),
            ("query --limit 3", "--li", ""),
            ("query", "--lim", "--limit"),
            ("query", "sum(ord", "sum(orders_open sum(orders_total"),
            ("query", "orders_total{st", "orders_total{status"),
            ("labels --match", "or", "orders_open orders_total"),
            (
                "series",
                "orders_total{status=\"",
                "orders_total{status=\"paid",
            ),
            ("labels", "s", "shop status"),
            ("query --data", "/v", " (files)"),
            ("help", "qu", "query"),
            ("completions", "z", "zsh"),
        ];
        for (words, current, expected) in table {
            assert_eq!(offered(words, current), expected, "{words} {current}");
        }
    }
}
