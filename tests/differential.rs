//! Random queries over random series, put to obsq and to an installed Prometheus 2.42.
//!
//! `OBSQ_DIFFERENTIAL_QUERIES` says how many and `OBSQ_DIFFERENTIAL_SEED` which; a failure prints both, with the first
//! mismatches made as small as they go.

mod compare;
mod data;
mod expression;
mod grammar;
mod known;
mod peer;
mod random;

use std::collections::BTreeMap;

use serde_json::Value;

use self::data::{BASE_S, LENGTH_S};
use self::expression::Expression;
use self::grammar::Grammar;
use self::peer::Prometheus;
use self::random::Random;
use crate::prom_api::write;
use crate::testkit::{Server, encode, installed, skip};

/// How many mismatches are shown.
const SHOWN: usize = 8;

/// When a query is evaluated.
#[derive(Debug, Clone, Copy)]
enum When {
    At(i64),
    Range { start: i64, end: i64, step: i64 },
}

impl When {
    /// Returns a time or a range; all points end in 7 s.
    fn random(random: &mut Random) -> Self {
        let mut point = || BASE_S + random.between(-30, LENGTH_S / 10 + 40) * 10 + 7;
        let start = point();
        if random.chance(50) {
            return Self::At(start);
        }
        let step = random.between(1, 40) * 10;
        let end = start + random.between(0, 30) * step;
        Self::Range { start, end, step }
    }

    fn path(self, query: &str) -> String {
        let query = encode(query);
        match self {
            Self::At(time) => format!("/api/v1/query?query={query}&time={time}"),
            Self::Range { start, end, step } => {
                format!("/api/v1/query_range?query={query}&start={start}&end={end}&step={step}")
            }
        }
    }
}

/// Both servers with the same series.
struct Pair {
    ours: Server,
    theirs: Prometheus,
}

/// How the answers to a query compare.
enum Verdict {
    /// With what the answers are.
    Same(&'static str),
    Explained(&'static str),
    Different(Value, Value),
}

impl Pair {
    fn ask(&self, query: &str, when: When) -> Verdict {
        let ours = self.ours.get(&when.path(query)).json();
        let theirs = self
            .theirs
            .get(&when.path(&known::in_old_words(query)))
            .json();
        if compare::same(&ours, &theirs, &known::strict(query)) {
            return Verdict::Same(kind(&ours));
        }
        match known::explanation(query, &ours, &theirs) {
            Some(reason) => Verdict::Explained(reason),
            None => Verdict::Different(ours, theirs),
        }
    }

    fn differ(&self, query: &Expression, when: When) -> bool {
        matches!(self.ask(&query.to_string(), when), Verdict::Different(..))
    }

    /// Returns the smallest query found that still has different answers.
    fn shrunk(&self, mut query: Expression, when: When) -> Expression {
        while let Some(smaller) = query.smaller().into_iter().find(|smaller| {
            smaller.to_string().len() < query.to_string().len() && self.differ(smaller, when)
        }) {
            query = smaller;
        }
        query
    }

    fn describe(&self, query: Expression, when: When) -> String {
        let whole = query.to_string();
        let small = self.shrunk(query, when).to_string();
        let Verdict::Different(ours, theirs) = self.ask(&small, when) else {
            return format!("{whole}\n  {when:?}: different, then no more");
        };
        let short = |answer: &Value| answer.to_string().chars().take(900).collect::<String>();
        format!(
            "{whole}\n  {when:?}, made small: {small}\n  ours:   {}\n  theirs: {}",
            short(&ours),
            short(&theirs)
        )
    }
}

/// Says what an answer holds.
fn kind(answer: &Value) -> &'static str {
    match answer["data"]["result"].as_array() {
        None => "error",
        Some(elements) if elements.is_empty() => "nothing",
        Some(_) => "values",
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn random_queries_are_answered_as_by_a_prometheus() {
    let Some(program) = installed("prometheus") else {
        return skip("prometheus");
    };
    let seed = setting("OBSQ_DIFFERENTIAL_SEED", 1);
    let count = setting("OBSQ_DIFFERENTIAL_QUERIES", 300);
    let mut random = Random::new(seed);
    let pair = Pair {
        // The name is removed at the end of a query only where this is on.
        ours: Server::start_with(&["--promql.delayed-name-removal=false"]),
        theirs: Prometheus::start(&program),
    };
    for batch in data::requests(&mut random) {
        let answer = write(&pair.ours, &batch);
        assert_eq!(answer.status, 204, "{}", answer.text());
        pair.theirs.write(&batch);
    }
    let mut grammar = Grammar::new(random);
    let mut different = Vec::new();
    let (mut equal, mut explained) = (BTreeMap::<_, u64>::new(), BTreeMap::<_, u64>::new());
    for _ in 0..count {
        let (query, when) = (grammar.query(), When::random(&mut grammar.random));
        match pair.ask(&query.to_string(), when) {
            Verdict::Same(kind) => *equal.entry(kind).or_default() += 1,
            Verdict::Explained(reason) => *explained.entry(reason).or_default() += 1,
            Verdict::Different(..) => different.push((query, when)),
        }
    }
    eprintln!(
        "seed {seed}: {count} queries, equal: {equal:?}, explained: {explained:?}, different: {}",
        different.len()
    );
    let total = different.len();
    let shown: Vec<String> = different
        .into_iter()
        .take(SHOWN)
        .map(|(query, when)| pair.describe(query, when))
        .collect();
    assert!(
        total == 0,
        "seed {seed}: {total} of {count} differ\n{}",
        shown.join("\n")
    );
}
