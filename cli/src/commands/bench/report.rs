//! What was measured, as tables and as JSON.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use crate::commands::bench::ask::{Timing, Verdict};
use crate::commands::bench::fleet::Fleet;
use crate::commands::bench::mix::Question;
use crate::commands::bench::threshold::Measures;
use crate::commands::bench::write::Written;
use crate::console::Paint;
use crate::render::Sheet;

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) servers: Vec<Named>,
    pub(super) fleet: Option<Fleet>,
    /// Writes in the order of the servers; empty when nothing was written.
    pub(super) writes: Vec<WriteReport>,
    /// Questions with the timings of each server.
    pub(super) queries: Vec<(Question, Vec<Timing>)>,
    /// Thresholds that were not kept.
    pub(super) violations: Vec<String>,
}

/// A server as reports name it.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) pid: Option<u32>,
}

/// A write and what it cost.
#[derive(Debug, Clone)]
pub(super) struct WriteReport {
    pub(super) written: Written,
    /// CPU time of the server until the last answer.
    pub(super) server_cpu: Option<Duration>,
    /// CPU time of this process meanwhile.
    pub(super) own_cpu: Option<Duration>,
    pub(super) peak_bytes: Option<u64>,
    pub(super) resident_bytes: Option<u64>,
}

impl WriteReport {
    fn rate(&self) -> f64 {
        self.written.acked as f64 / self.written.wall.as_secs_f64().max(1e-9)
    }

    /// CPU seconds for a million samples.
    fn cpu_per_million(&self) -> Option<f64> {
        let cpu = self.server_cpu?.as_secs_f64();
        (self.written.acked > 0).then(|| cpu * 1e6 / self.written.acked as f64)
    }

    /// How much of one core this process took.
    fn own_cores(&self) -> Option<f64> {
        let cpu = self.own_cpu?.as_secs_f64();
        Some(cpu / self.written.wall.as_secs_f64().max(1e-9))
    }

    fn cells(&self, name: &str, base: &Self) -> Vec<String> {
        let written = &self.written;
        vec![
            name.to_owned(),
            format!("{:.0}", self.rate()),
            format!("{:.2}", self.rate() / base.rate().max(1e-9)),
            written.acked.to_string(),
            written.refused.to_string(),
            written.retries.to_string(),
            format!("{:.2}", milliseconds(written.latencies.quantile(0.5))),
            format!("{:.2}", milliseconds(written.latencies.quantile(0.99))),
            shown(self.cpu_per_million(), 3),
            shown(self.peak_bytes.map(mebibytes), 0),
            shown(self.resident_bytes.map(mebibytes), 0),
            shown(self.own_cores(), 2),
        ]
    }

    fn json(&self, name: &str) -> Value {
        let written = &self.written;
        json!({
            "server": name,
            "samplesPerSecond": round(self.rate(), 0),
            "sent": written.sent,
            "acked": written.acked,
            "refused": written.refused,
            "retries": written.retries,
            "errors": written.errors,
            "seconds": round(written.wall.as_secs_f64(), 3),
            "p50Ms": round(milliseconds(written.latencies.quantile(0.5)), 3),
            "p99Ms": round(milliseconds(written.latencies.quantile(0.99)), 3),
            "maxMs": round(milliseconds(written.latencies.max()), 3),
            "cpuSecondsPerMillion": self.cpu_per_million().map(|cpu| round(cpu, 4)),
            "peakBytes": self.peak_bytes,
            "residentBytes": self.resident_bytes,
            "ownCores": self.own_cores().map(|cores| round(cores, 3)),
        })
    }
}

/// Columns of writes.
const WRITE_COLUMNS: [&str; 12] = [
    "server",
    "samples/s",
    "ratio",
    "acked",
    "refused",
    "retries",
    "p50 ms",
    "p99 ms",
    "cpu s/M",
    "peak MiB",
    "now MiB",
    "own cores",
];

impl Report {
    /// Returns a row for each write.
    fn write_sheet(&self) -> Sheet {
        let mut sheet = Sheet::new(&WRITE_COLUMNS);
        for (server, write) in self.servers.iter().zip(&self.writes) {
            sheet.rows.push(write.cells(&server.name, &self.writes[0]));
        }
        sheet
    }

    /// Returns a row for each query: times of every server, and ratios to the first one.
    fn query_sheet(&self) -> Sheet {
        let mut columns = vec!["query".to_owned()];
        for server in &self.servers {
            for what in ["p50 ms", "p95 ms", "cpu ms"] {
                columns.push(self.titled(what, &server.name));
            }
        }
        columns.extend(
            self.servers
                .iter()
                .skip(1)
                .map(|server| format!("x {}", server.name)),
        );
        columns.extend(["answer".to_owned(), "what".to_owned()]);
        let rows = self
            .queries
            .iter()
            .map(|(question, timings)| row(question, timings));
        Sheet {
            rows: rows.collect(),
            columns,
        }
    }

    /// Returns a column's title, with the server's name when there are several.
    fn titled(&self, what: &str, name: &str) -> String {
        match self.servers.len() {
            1 => what.to_owned(),
            _ => format!("{name} {what}"),
        }
    }

    /// Returns one line for each server but the first: the mean ratio over all queries.
    fn ratios(&self) -> Vec<String> {
        let of = |at: usize| {
            let pairs = self.queries.iter().filter_map(|(_, timings)| {
                let ratio = ratio(timings, at)?;
                (ratio > 0.0).then(|| ratio.ln())
            });
            let logarithms: Vec<f64> = pairs.collect();
            let mean = logarithms.iter().sum::<f64>() / logarithms.len().max(1) as f64;
            let (name, base) = (&self.servers[at].name, &self.servers[0].name);
            let count = logarithms.len();
            format!(
                "geometric mean of {name}/{base} over {count} queries: {:.2}",
                mean.exp()
            )
        };
        if self.queries.is_empty() {
            return Vec::new();
        }
        (1..self.servers.len()).map(of).collect()
    }

    /// Writes the tables.
    pub(super) fn table(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        self.sheets(out, |sheet, out| sheet.table(out, paint))
    }

    /// Writes the tables in Markdown.
    pub(super) fn markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        self.sheets(out, |sheet, out| sheet.markdown(out))
    }

    fn sheets(
        &self,
        out: &mut dyn Write,
        show: impl Fn(&Sheet, &mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let sheets = [self.write_sheet(), self.query_sheet()];
        let filled: Vec<&Sheet> = sheets
            .iter()
            .filter(|sheet| !sheet.rows.is_empty())
            .collect();
        for (at, sheet) in filled.into_iter().enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            show(sheet, out)?;
        }
        for (at, line) in self.ratios().iter().enumerate() {
            if at == 0 {
                writeln!(out)?;
            }
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    /// Returns everything as one object.
    pub(super) fn json(&self) -> Value {
        let server = |one: &Named| json!({ "name": one.name, "url": one.url, "pid": one.pid });
        let write = |(server, write): (&Named, &WriteReport)| write.json(&server.name);
        let query = |(question, timings): &(Question, Vec<Timing>)| {
            let answers = self.servers.iter().zip(timings);
            let answers = answers.map(|(server, timing)| timing_json(&server.name, timing));
            json!({
                "id": question.id,
                "what": question.what,
                "query": question.query,
                "servers": answers.collect::<Vec<_>>(),
            })
        };
        let writes = self.servers.iter().zip(&self.writes);
        json!({
            "servers": self.servers.iter().map(server).collect::<Vec<_>>(),
            "run": self.fleet.as_ref().map(run_json),
            "write": writes.map(write).collect::<Vec<_>>(),
            "queries": self.queries.iter().map(query).collect::<Vec<_>>(),
            "problems": self.problems(),
        })
    }

    /// Returns what thresholds look at: the numbers of the first server.
    pub(super) fn measures(&self) -> Measures {
        let mut measures = Measures::new();
        if let Some(write) = self.writes.first() {
            let latencies = &write.written.latencies;
            measures.insert("write.rate".into(), write.rate());
            measures.insert("write.p50".into(), milliseconds(latencies.quantile(0.5)));
            measures.insert("write.p99".into(), milliseconds(latencies.quantile(0.99)));
            let cpu = write.cpu_per_million();
            measures.extend(cpu.map(|cpu| ("write.cpu".to_owned(), cpu)));
            let peak = write.peak_bytes.map(mebibytes);
            measures.extend(peak.map(|peak| ("write.peak".to_owned(), peak)));
        }
        for (question, timings) in &self.queries {
            let Some(timing) = timings.first() else {
                continue;
            };
            let cpu = timing.cpu.map(|cpu| ("cpu", cpu));
            let times = [
                ("first", timing.first),
                ("p50", timing.quantile(0.5)),
                ("p95", timing.quantile(0.95)),
            ];
            for (what, time) in times.into_iter().chain(cpu) {
                let value = milliseconds(time);
                measures.insert(format!("{}.{what}", question.id), value);
                let largest = measures.entry(format!("query.{what}")).or_insert(value);
                *largest = largest.max(value);
            }
        }
        measures
    }

    /// Returns everything that makes the benchmark fail.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (server, write) in self.servers.iter().zip(&self.writes) {
            let written = &write.written;
            if written.refused > 0 || !written.errors.is_empty() {
                let why = written.errors.join("; ");
                let refused = written.refused;
                problems.push(format!("{}: {refused} samples refused: {why}", server.name));
            }
        }
        for (question, timings) in &self.queries {
            for (server, timing) in self.servers.iter().zip(timings) {
                let what = match &timing.verdict {
                    Verdict::Good | Verdict::Differs(_) => continue,
                    Verdict::Wrong(why) => format!("wrong answer: {why}, got {}", got(timing)),
                    Verdict::Failed(why) => why.clone(),
                };
                problems.push(format!("{} {}: {what}", server.name, question.id));
            }
        }
        problems.extend(self.violations.iter().cloned());
        problems
    }
}

fn got(timing: &Timing) -> String {
    timing
        .answer
        .map_or_else(|| "nothing".to_owned(), |answer| answer.text())
}

fn row(question: &Question, timings: &[Timing]) -> Vec<String> {
    let mut cells = vec![question.id.clone()];
    for timing in timings {
        cells.push(format!("{:.2}", milliseconds(timing.quantile(0.5))));
        cells.push(format!("{:.2}", milliseconds(timing.quantile(0.95))));
        cells.push(shown(timing.cpu.map(milliseconds), 2));
    }
    cells.extend((1..timings.len()).map(|at| shown(ratio(timings, at), 2)));
    let verdicts: Vec<&str> = timings.iter().map(|timing| word(&timing.verdict)).collect();
    let alike = verdicts.iter().all(|verdict| *verdict == verdicts[0]);
    cells.push(if alike {
        verdicts.first().copied().unwrap_or_default().to_owned()
    } else {
        verdicts.join("/")
    });
    cells.push(question.what.clone());
    cells
}

/// Returns how many times as long as the first server another one took.
fn ratio(timings: &[Timing], at: usize) -> Option<f64> {
    let (base, other) = (
        timings.first()?.quantile(0.5),
        timings.get(at)?.quantile(0.5),
    );
    (!base.is_zero()).then(|| other.as_secs_f64() / base.as_secs_f64())
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "ok",
        Verdict::Differs(_) => "differs",
        Verdict::Wrong(_) => "WRONG",
        Verdict::Failed(_) => "FAILED",
    }
}

fn timing_json(name: &str, timing: &Timing) -> Value {
    let why = match &timing.verdict {
        Verdict::Good => None,
        Verdict::Differs(why) | Verdict::Wrong(why) | Verdict::Failed(why) => Some(why),
    };
    let ms = |duration| round(milliseconds(duration), 3);
    json!({
        "server": name,
        "firstMs": ms(timing.first),
        "p50Ms": ms(timing.quantile(0.5)),
        "p95Ms": ms(timing.quantile(0.95)),
        "maxMs": ms(timing.quantile(1.0)),
        "cpuMs": timing.cpu.map(ms),
        "series": timing.answer.map(|answer| answer.series),
        "points": timing.answer.map(|answer| answer.points),
        "sum": timing.answer.map(|answer| answer.sum),
        "answer": word(&timing.verdict),
        "why": why,
    })
}

fn run_json(fleet: &Fleet) -> Value {
    json!({
        "name": fleet.run,
        "seed": fleet.seed,
        "series": fleet.series(),
        "samplesPerSeries": fleet.samples,
        "intervalMs": fleet.interval_ms,
        "startMs": fleet.start_ms,
        "endMs": fleet.end_ms(),
    })
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn round(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::ask::Reduced;
    use crate::commands::bench::mix::When;

    fn timing(ms: u64, verdict: Verdict) -> Timing {
        Timing {
            first: Duration::from_millis(ms * 2),
            times: vec![Duration::from_millis(ms); 4],
            cpu: Some(Duration::from_micros(ms * 900)),
            answer: Some(Reduced {
                series: 1,
                points: 1,
                sum: 2.5,
            }),
            verdict,
        }
    }

    fn write(acked: u64, refused: u64) -> WriteReport {
        let mut written = Written {
            sent: acked + refused,
            acked,
            refused,
            wall: Duration::from_secs(2),
            rounds: 4,
            ..Written::default()
        };
        written.latencies.add(Duration::from_millis(3));
        if refused > 0 {
            written.errors.push("status 400: no".into());
        }
        WriteReport {
            written,
            server_cpu: Some(Duration::from_millis(400)),
            own_cpu: None,
            peak_bytes: Some(64 << 20),
            resident_bytes: Some(32 << 20),
        }
    }

    fn report() -> Report {
        let named = |name: &str| Named {
            name: name.into(),
            url: format!("http://{name}"),
            pid: None,
        };
        let question = |id: &str| Question {
            id: id.into(),
            what: "a | b".into(),
            query: "up".into(),
            when: When::At(0),
            want: None,
        };
        let wrong = Verdict::Wrong("expected 2 series, 2 points".into());
        Report {
            servers: vec![named("a"), named("b")],
            fleet: None,
            writes: vec![write(2_000_000, 0), write(1_000_000, 5)],
            queries: vec![
                (
                    question("M01"),
                    vec![timing(2, Verdict::Good), timing(8, Verdict::Good)],
                ),
                (
                    question("M02"),
                    vec![timing(5, Verdict::Good), timing(5, wrong)],
                ),
            ],
            violations: vec!["M02.p95 is 5.000, above 4".into()],
        }
    }

    #[test]
    fn servers_stand_side_by_side_with_ratios_to_the_first() {
        let _bound = obsq_snapshots::bind("cli");
        let mut table = Vec::new();
        report().table(&mut table, Paint(false)).unwrap();
        let mut markdown = Vec::new();
        report().markdown(&mut markdown).unwrap();
        let shown = [table, markdown].map(|bytes| String::from_utf8(bytes).unwrap());
        insta::assert_snapshot!("bench_tables", shown.join("\n"));
        let json = serde_json::to_string_pretty(&report().json()).unwrap();
        insta::assert_snapshot!("bench_json", json);
    }

    #[test]
    fn refused_samples_wrong_answers_and_thresholds_are_problems() {
        let problems = report().problems();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("b: 5 samples refused"));
        assert!(problems[1].starts_with("b M02: wrong answer"));
    }

    #[test]
    fn measures_are_those_of_the_first_server() {
        let measures = report().measures();
        assert_eq!(measures["write.rate"], 1e6);
        assert_eq!(measures["write.cpu"], 0.2);
        assert_eq!(measures["write.peak"], 64.0);
        assert_eq!(measures["M01.p95"], 2.0);
        assert_eq!(measures["query.p95"], 5.0);
        assert_eq!(measures["M02.first"], 10.0);
    }
}
