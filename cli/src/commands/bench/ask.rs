//! Asking every server the same questions in turn.

use std::sync::Arc;
use std::time::Duration;

use obsq_model::{Clock, MAX_TIME_MS, MIN_TIME_MS};

use crate::api::{Answer, Api as _, Call, QueryAnswer, QueryParameters, Reply};
use crate::commands::bench::fleet::{Fleet, MARKER};
use crate::commands::bench::mix::{Question, When};
use crate::commands::bench::process::Process;
use crate::commands::bench::servers::Server;
use crate::commands::bench::truth::Want;
use crate::console::Progress;
use crate::exit::Failure;

/// How long what was written may take to be seen.
const PATIENCE: Duration = Duration::from_secs(15);
/// How far apart the looks are meanwhile.
const LOOK: Duration = Duration::from_millis(200);

/// How one server answered one question.
#[derive(Debug, Clone, Default)]
pub(super) struct Timing {
    /// The round that warms up.
    pub(super) first: Duration,
    /// The other rounds, sorted.
    pub(super) times: Vec<Duration>,
    /// The server's CPU time for one answer, the median.
    pub(super) cpu: Option<Duration>,
    pub(super) answer: Option<Reduced>,
    pub(super) verdict: Verdict,
}

/// An answer in three numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reduced {
    pub(super) series: usize,
    pub(super) points: usize,
    pub(super) sum: f64,
}

/// Whether an answer is right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is what was written, or the same as the first server's.
    #[default]
    Good,
    /// Nothing is known of it but what the first server answered, which is something else.
    Differs(String),
    /// It is not what was written.
    Wrong(String),
    /// There is none.
    Failed(String),
}

impl Timing {
    /// Returns the time that a share of the rounds stay at or below.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        let rank = (share * self.times.len() as f64).ceil() as usize;
        let at = self.times.get(rank.saturating_sub(1)).or(self.times.last());
        at.copied().unwrap_or(self.first)
    }
}

/// Asks every question of every server, once to warm up and then in `rounds`; returns a list for
/// each question, in the order of the servers.
pub(super) async fn ask(
    servers: &[Server],
    questions: &[Question],
    rounds: usize,
    shift_ms: i64,
    clock: &Arc<dyn Clock>,
    mut progress: Progress,
) -> Vec<Vec<Timing>> {
    let mut asked = vec![vec![Asked::default(); servers.len()]; questions.len()];
    for round in 0..=rounds {
        for (question, row) in questions.iter().zip(&mut asked) {
            // Another server goes first each time, and no two rounds ask the same.
            let call = question.call((round % 4) as i64 * shift_ms);
            for turn in 0..servers.len() {
                let at = (turn + round) % servers.len();
                row[at].ask(&servers[at], &call, clock).await;
                progress.add(1);
            }
        }
    }
    let judged = |(question, row): (&Question, Vec<Asked>)| {
        let base = row[0].answer;
        let timing = |one: Asked| one.judge(question.want, base);
        row.into_iter().map(timing).collect()
    };
    questions.iter().zip(asked).map(judged).collect()
}

/// What one server was asked so far.
#[derive(Debug, Clone, Default)]
struct Asked {
    times: Vec<Duration>,
    cpus: Vec<Duration>,
    /// Of the first round, whose time is not shifted.
    answer: Option<Reduced>,
    error: Option<String>,
}

impl Asked {
    async fn ask(&mut self, server: &Server, call: &Call, clock: &Arc<dyn Clock>) {
        let cpu = || server.process.and_then(Process::cpu_of_threads);
        let (cpu_before, begun) = (cpu(), clock.monotonic());
        let reply = server.api.ask(call).await;
        let took = clock.monotonic().saturating_sub(begun);
        self.times.push(took);
        if let (Some(before), Some(after)) = (cpu_before, cpu()) {
            self.cpus.push(after.saturating_sub(before));
        }
        let read = reply.and_then(|reply| reduce(&reply, call, server));
        match read {
            Ok(answer) if self.times.len() == 1 => self.answer = Some(answer),
            Ok(_later) => {}
            Err(failure) => self.error = self.error.take().or(Some(failure.text())),
        }
    }

    fn judge(mut self, want: Option<Want>, base: Option<Reduced>) -> Timing {
        let first = self.times.remove(0);
        self.times.sort_unstable();
        if self.cpus.len() > 1 {
            self.cpus.remove(0);
        }
        self.cpus.sort_unstable();
        let verdict = match (self.error, self.answer) {
            (Some(error), _) => Verdict::Failed(error),
            (None, Some(answer)) => judge(answer, want, base),
            (None, None) => Verdict::Failed("no answer".to_owned()),
        };
        Timing {
            first,
            times: self.times,
            cpu: self.cpus.get(self.cpus.len() / 2).copied(),
            answer: self.answer,
            verdict,
        }
    }
}

fn judge(answer: Reduced, want: Option<Want>, base: Option<Reduced>) -> Verdict {
    let Some(want) = want else {
        let Some(base) = base else {
            return Verdict::Good;
        };
        let same = answer.series == base.series
            && answer.points == base.points
            && is_near(answer.sum, base.sum, 0.01);
        return if same {
            Verdict::Good
        } else {
            Verdict::Differs(format!("the first server has {}", base.text()))
        };
    };
    if (answer.series, answer.points) != (want.series, want.points) {
        let text = format!("expected {} series, {} points", want.series, want.points);
        return Verdict::Wrong(text);
    }
    match want.sum {
        Some(sum) if !is_near(answer.sum, sum, want.tolerance) => {
            Verdict::Wrong(format!("expected the sum {sum}"))
        }
        _ => Verdict::Good,
    }
}

fn is_near(a: f64, b: f64, tolerance: f64) -> bool {
    (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= tolerance * a.abs().max(b.abs())
}

impl Reduced {
    pub(super) fn text(&self) -> String {
        format!(
            "{} series, {} points, sum {:.6e}",
            self.series, self.points, self.sum
        )
    }
}

/// Reduces an answer to its numbers of series and points and the sum of its values.
fn reduce(reply: &Reply, call: &Call, server: &Server) -> Result<Reduced, Failure> {
    let answer = Answer::read(reply, &server.api.name())?;
    if matches!(call, Call::LabelValues { .. }) {
        let count = answer.names()?.len();
        return Ok(Reduced {
            series: count,
            points: count,
            sum: 0.0,
        });
    }
    let lists: Vec<Vec<f64>> = match answer.query()? {
        QueryAnswer::Scalar(point) | QueryAnswer::Text(point) => vec![vec![point.value.float()]],
        QueryAnswer::Vector(series) | QueryAnswer::Matrix(series) => series
            .iter()
            .map(|one| one.points.iter().map(|point| point.value.float()).collect())
            .collect(),
    };
    Ok(Reduced {
        series: lists.len(),
        points: lists.iter().map(Vec::len).sum(),
        sum: lists.iter().flatten().sum(),
    })
}

fn instant(query: String, time_ms: i64) -> Call {
    Call::Query {
        parameters: QueryParameters {
            query,
            ..QueryParameters::default()
        },
        time_ms,
    }
}

/// Waits until a server shows everything that was written, which some do after a while only.
/// Returns without a word when it does not: the answers will tell.
pub(super) async fn wait_until_seen(
    server: &Server,
    fleet: &Fleet,
    clock: &Arc<dyn Clock>,
) -> Result<(), Failure> {
    let query = format!(
        "count({{bench_run=\"{}\",__name__!=\"{MARKER}\"}})",
        fleet.run
    );
    let call = instant(query, fleet.end_ms());
    let begun = clock.monotonic();
    while clock.monotonic().saturating_sub(begun) < PATIENCE {
        let reply = server.api.ask(&call).await?;
        if reduce(&reply, &call, server)?.sum == fleet.series() as f64 {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Finds the newest run that a server holds, or the one of that name.
pub(super) async fn find_run(
    server: &Server,
    run: Option<&str>,
    now_ms: i64,
) -> Result<Fleet, Failure> {
    let named = run.map_or(String::new(), |run| format!("{{run=\"{run}\"}}"));
    let call = instant(format!("last_over_time({MARKER}{named}[30d])"), now_ms);
    let reply = server.api.ask(&call).await?;
    let answer = Answer::read(&reply, &server.api.name())?;
    let QueryAnswer::Vector(series) = answer.query()? else {
        return Err(Failure::failed("the server does not answer with a vector"));
    };
    let written = series.iter().map(|one| {
        let first = one.points.first();
        (first.map_or(0.0, |point| point.value.float()), &one.labels)
    });
    let newest = written.max_by(|a, b| a.0.total_cmp(&b.0));
    let fleet = newest.and_then(|(_written, labels)| {
        let number = |name: &str| labels.get(name)?.parse::<u64>().ok();
        let (samples, interval_ms) = (number("samples")?, number("interval_ms")? as i64);
        let start_ms: i64 = labels.get("start_ms")?.parse().ok()?;
        let fleet = Fleet {
            run: labels.get("run")?.clone(),
            seed: number("seed")?,
            hosts: number("hosts")? as usize,
            samples: samples as usize,
            start_ms,
            interval_ms,
        };
        // Another server may say anything.
        let bounded = fleet.hosts <= 100_000
            && fleet.samples <= 100_000
            && (MIN_TIME_MS..MAX_TIME_MS).contains(&start_ms);
        (bounded && (1_000..=120_000).contains(&interval_ms)).then_some(fleet)
    });
    fleet.ok_or_else(|| {
        Failure::failed(format!(
            "{} holds nothing of `obsq bench write`",
            server.name
        ))
        .hint("write first, or ask queries of your own with `--queries`")
    })
}

/// Returns the time of queries from a file.
pub(super) fn when(since_ms: Option<i64>, now_ms: i64) -> When {
    match since_ms {
        None => When::At(now_ms),
        Some(since_ms) => When::Over {
            range: obsq_model::TimeRange::new(now_ms - since_ms, now_ms),
            step_ms: crate::times::auto_step_ms(since_ms),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: Reduced = Reduced {
        series: 2,
        points: 4,
        sum: 10.0,
    };

    #[test]
    fn an_answer_is_held_against_what_was_written() {
        let is_wrong = |want| matches!(judge(ANSWER, Some(want), None), Verdict::Wrong(_));
        assert!(!is_wrong(Want::count(2, 4)));
        assert!(!is_wrong(Want::near(2, 4, 10.1)));
        assert!(is_wrong(Want::exact(2, 4, 10.1)));
        assert!(is_wrong(Want::near(2, 4, 11.0)));
        assert!(is_wrong(Want::count(3, 4)));
        assert!(is_wrong(Want::count(2, 5)));
        assert!(is_wrong(Want::near(2, 4, f64::NAN)));
    }

    #[test]
    fn what_nobody_knows_is_compared_with_the_first_server() {
        assert_eq!(judge(ANSWER, None, None), Verdict::Good);
        assert_eq!(judge(ANSWER, None, Some(ANSWER)), Verdict::Good);
        let other = Reduced {
            sum: 11.0,
            ..ANSWER
        };
        assert!(matches!(
            judge(ANSWER, None, Some(other)),
            Verdict::Differs(_)
        ));
    }

    #[test]
    fn quantiles_take_the_nearest_rank() {
        let ms = Duration::from_millis;
        let timing = Timing {
            first: ms(99),
            times: (1..=20).map(ms).collect(),
            ..Timing::default()
        };
        assert_eq!(timing.quantile(0.5), ms(10));
        assert_eq!(timing.quantile(0.95), ms(19));
        assert_eq!(Timing::default().quantile(0.5), Duration::ZERO);
    }
}
