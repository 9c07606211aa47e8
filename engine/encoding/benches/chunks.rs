//! Speed of encoding and decoding chunks: `cargo bench -p obsq-encoding`.

use divan::Bencher;
use divan::counter::ItemsCount;
use obsq_encoding::{EncodedChunk, decode, encode_chunks};
use obsq_model::{BucketSpan, HistogramValue, IntHistogram, Sample, SampleColumns, TimeRange};

const SAMPLES: i64 = 5760;

/// What a series looks like.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Constant,
    IntGauge,
    IntCounter,
    FloatCounter,
    CpuSeconds,
    Random,
    /// Half of the series with times that jitter, all the shapes.
    Mix,
}

const SHAPES: [Shape; 7] = [
    Shape::Constant,
    Shape::IntGauge,
    Shape::IntCounter,
    Shape::FloatCounter,
    Shape::CpuSeconds,
    Shape::Random,
    Shape::Mix,
];

/// Pseudo-random numbers that are the same in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> f64 {
        (self.next() % limit) as f64
    }
}

fn series(shape: Shape, jitter: bool) -> Vec<Sample> {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let mut total = 0.0;
    let sample = |i: i64| {
        let jitter = if jitter { (noise.next() % 9) as i64 } else { 0 };
        let value = match shape {
            Shape::Constant => 1.0,
            Shape::IntGauge => 100.0 + noise.below(20),
            Shape::IntCounter => {
                total += noise.below(50);
                total
            }
            Shape::FloatCounter => {
                total += noise.below(1_000_000) / 777.0;
                total
            }
            Shape::CpuSeconds => {
                total += noise.below(1500) / 100.0;
                (total * 100.0).round() / 100.0
            }
            Shape::Random | Shape::Mix => noise.below(1 << 52) / 1e9,
        };
        Sample::float(1_700_000_000_000 + i * 15_000 + jitter, value)
    };
    (0..SAMPLES).map(sample).collect()
}

fn all_series(shape: Shape) -> Vec<Vec<Sample>> {
    let Shape::Mix = shape else {
        return vec![series(shape, false)];
    };
    let shapes = &SHAPES[..6];
    let both = |shape: &Shape| [series(*shape, false), series(*shape, true)];
    shapes.iter().flat_map(both).collect()
}

fn histograms() -> Vec<Sample> {
    let mut noise = Noise(1);
    let mut counts = [0_i64; 20];
    let sample = |i: i64| {
        for count in &mut counts {
            *count += (noise.next() % 8) as i64;
        }
        let mut before = 0;
        let deltas = counts.map(|count| {
            let delta = count - before;
            before = count;
            delta
        });
        let count: i64 = counts.iter().sum();
        let value = IntHistogram {
            schema: 3,
            count: count as u64,
            sum: count as f64 * 0.37,
            positive_spans: vec![
                BucketSpan {
                    offset: -4,
                    length: 12,
                },
                BucketSpan {
                    offset: 3,
                    length: 8,
                },
            ],
            positive_deltas: deltas.to_vec(),
            ..IntHistogram::default()
        };
        Sample::histogram(1_700_000_000_000 + i * 15_000, HistogramValue::Int(value))
    };
    (0..SAMPLES).map(sample).collect()
}

fn decode_all(chunks: &[EncodedChunk], columns: &mut SampleColumns) {
    columns.clear();
    for chunk in chunks {
        let result = decode(chunk.encoding, &chunk.bytes, TimeRange::ALL, columns);
        assert!(result.is_ok());
    }
}

fn bench_decode(bencher: Bencher<'_, '_>, all: &[Vec<Sample>]) {
    let chunks: Vec<_> = all.iter().map(|samples| encode_chunks(samples)).collect();
    let total: usize = all.iter().map(Vec::len).sum();
    let mut columns = SampleColumns::default();
    bencher.counter(ItemsCount::new(total)).bench_local(|| {
        for chunks in &chunks {
            decode_all(divan::black_box(chunks), &mut columns);
        }
        columns.len()
    });
}

fn bench_encode(bencher: Bencher<'_, '_>, all: &[Vec<Sample>]) {
    let total: usize = all.iter().map(Vec::len).sum();
    bencher.counter(ItemsCount::new(total)).bench_local(|| {
        let encode = |samples: &Vec<Sample>| encode_chunks(divan::black_box(samples)).len();
        all.iter().map(encode).sum::<usize>()
    });
}

#[divan::bench(args = SHAPES)]
fn xor_decode(bencher: Bencher<'_, '_>, shape: Shape) {
    bench_decode(bencher, &all_series(shape));
}

#[divan::bench(args = [Shape::Constant, Shape::CpuSeconds])]
fn xor_decode_jitter(bencher: Bencher<'_, '_>, shape: Shape) {
    bench_decode(bencher, &[series(shape, true)]);
}

#[divan::bench(args = SHAPES)]
fn xor_encode(bencher: Bencher<'_, '_>, shape: Shape) {
    bench_encode(bencher, &all_series(shape));
}

#[divan::bench(args = [Shape::Constant, Shape::CpuSeconds])]
fn xor2_decode(bencher: Bencher<'_, '_>, shape: Shape) {
    let mut all = all_series(shape);
    for sample in all.iter_mut().flatten() {
        sample.start_ts_ms = 1_600_000_000_000;
    }
    bench_decode(bencher, &all);
}

#[divan::bench]
fn histogram_decode(bencher: Bencher<'_, '_>) {
    bench_decode(bencher, &[histograms()]);
}

#[divan::bench]
fn histogram_encode(bencher: Bencher<'_, '_>) {
    bench_encode(bencher, &[histograms()]);
}

fn main() {
    divan::main();
}
