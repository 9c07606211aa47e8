//! `smoothed` on an instant selector: the value between the samples around each step.

use super::{Scan, Scratch};
use crate::promql::kernels::{Samples, drop_stale, smoothed_value};
use crate::promql::series::StepSeries;

impl Scan {
    pub(super) fn smoothed(&self, scratch: &mut Scratch, out: &mut StepSeries) {
        drop_stale(&mut scratch.columns);
        let all = Samples::new(&scratch.columns);
        let lookback_ms = self.window.lookback_ms;
        for step in self.busy_steps(&scratch.columns) {
            let time_ms = self.window.end(self.grid.time(step));
            let from_ms = time_ms.saturating_sub(lookback_ms);
            let upto_ms = time_ms.saturating_add(lookback_ms);
            let around = |times: &[i64]| {
                let start = times.partition_point(|time| *time <= from_ms);
                start..times.partition_point(|time| *time <= upto_ms).max(start)
            };
            let (floats, histograms) = (around(all.float_ts), around(all.histogram_ts));
            let samples = Samples {
                float_ts: &all.float_ts[floats.clone()],
                floats: &all.floats[floats],
                histogram_ts: &all.histogram_ts[histograms.clone()],
                histograms: &all.histograms[histograms],
                ..Samples::default()
            };
            if samples.is_empty() {
                continue;
            }
            if let Some(value) = smoothed_value(&samples, time_ms, &mut scratch.notes) {
                out.push(step, value);
            }
        }
    }
}
