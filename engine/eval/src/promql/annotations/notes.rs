//! What kernels note while they run over the windows of one series.

use super::{Annotation, HistogramOperation};

/// Something that a kernel found in a window. Its text needs the metric's name, which the caller
/// adds once per series rather than once per window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RangeNote {
    /// Floats and histograms in one window: no result.
    MixedFloatsHistograms,
    /// Histograms of a mixed window were left out.
    HistogramsIgnored,
    /// Exponential and custom buckets in one window: no result.
    MixedExponentialCustom,
    /// A gauge histogram where a counter is expected.
    NotCounter,
    /// A counter histogram where a gauge is expected.
    NotGauge,
    /// Counter resets that contradict each other, in an aggregation over time.
    ResetCollision,
    /// Custom buckets reconciled by an addition.
    ReconciledByAddition,
    /// Custom buckets reconciled by a subtraction.
    ReconciledBySubtraction,
    /// Custom buckets reconciled by an aggregation over time.
    ReconciledByAggregation,
    /// A NaN quantile because of NaN observations.
    QuantileNanResult,
    /// A quantile pushed up by NaN observations.
    QuantileNanSkew,
    /// NaN observations left out of a fraction.
    FractionNans,
}

impl RangeNote {
    const ALL: [Self; 12] = [
        Self::MixedFloatsHistograms,
        Self::HistogramsIgnored,
        Self::MixedExponentialCustom,
        Self::NotCounter,
        Self::NotGauge,
        Self::ResetCollision,
        Self::ReconciledByAddition,
        Self::ReconciledBySubtraction,
        Self::ReconciledByAggregation,
        Self::QuantileNanResult,
        Self::QuantileNanSkew,
        Self::FractionNans,
    ];

    fn bit(self) -> u32 {
        1 << self as u8
    }

    fn about(self, metric: &str) -> Annotation<'_> {
        match self {
            Self::MixedFloatsHistograms => Annotation::MixedFloatsHistograms { metric },
            Self::HistogramsIgnored => Annotation::IgnoredInMixedRange { metric },
            Self::MixedExponentialCustom => Annotation::MixedExponentialCustom { metric },
            Self::NotCounter => Annotation::NativeHistogramNotCounter { metric },
            Self::NotGauge => Annotation::NativeHistogramNotGauge { metric },
            Self::ResetCollision => {
                Annotation::CounterResetCollision(HistogramOperation::Aggregation)
            }
            Self::ReconciledByAddition => {
                Annotation::MismatchedCustomBuckets(HistogramOperation::Addition)
            }
            Self::ReconciledBySubtraction => {
                Annotation::MismatchedCustomBuckets(HistogramOperation::Subtraction)
            }
            Self::ReconciledByAggregation => {
                Annotation::MismatchedCustomBuckets(HistogramOperation::Aggregation)
            }
            Self::QuantileNanResult => Annotation::QuantileNanResult { metric },
            Self::QuantileNanSkew => Annotation::QuantileNanSkew { metric },
            Self::FractionNans => Annotation::FractionNans { metric },
        }
    }
}

/// The notes of one series: a set, a count where the text counts, and odd parameters.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct RangeNotes {
    bits: u32,
    start_time_overlaps: u64,
    /// Each once, by their bits.
    invalid_quantiles: Vec<f64>,
}

impl RangeNotes {
    /// Adds `note`.
    pub(crate) fn note(&mut self, note: RangeNote) {
        self.bits |= note.bit();
    }

    /// Adds one window in which start timestamps overlap the sample before.
    pub(crate) fn note_start_time_overlap(&mut self) {
        self.start_time_overlaps += 1;
    }

    /// Adds a quantile outside of 0 to 1.
    pub(crate) fn note_invalid_quantile(&mut self, quantile: f64) {
        let same = |known: &f64| known.to_bits() == quantile.to_bits();
        // One text each, so that more than anyone can see need not be kept.
        if self.invalid_quantiles.len() < 1000 && !self.invalid_quantiles.iter().any(same) {
            self.invalid_quantiles.push(quantile);
        }
    }

    /// Says whether `note` was added.
    pub(crate) fn has(&self, note: RangeNote) -> bool {
        self.bits & note.bit() != 0
    }

    /// Says whether nothing was noted.
    pub(crate) fn is_empty(&self) -> bool {
        self.bits == 0 && self.start_time_overlaps == 0 && self.invalid_quantiles.is_empty()
    }

    pub(super) fn for_each<'a>(&self, metric: &'a str, mut add: impl FnMut(Annotation<'a>)) {
        for quantile in &self.invalid_quantiles {
            add(Annotation::InvalidQuantile(*quantile));
        }
        for note in RangeNote::ALL {
            if self.has(note) {
                add(note.about(metric));
            }
        }
        if self.start_time_overlaps > 0 {
            add(Annotation::StartTimeOverlap {
                metric,
                occurrences: self.start_time_overlaps,
            });
        }
    }
}
