//! `min`, `max`, `ts_of_min` and `ts_of_max_over_time` with a monotonic queue: of the samples in
//! the window, those that may still become the extreme of a later one.

use std::collections::VecDeque;
use std::convert::Infallible;

use super::super::Samples;
use super::super::order::Extreme;
use super::WindowSteps;

pub(super) fn values(
    samples: &Samples<'_>,
    windows: &WindowSteps,
    extreme: Extreme,
    mut emit: impl FnMut(usize, f64),
) {
    let beats = |value, best| extreme.beats(value, best);
    each_extreme(samples, windows, beats, |step, at| {
        emit(step, samples.floats[at]);
    });
}

pub(super) fn times(
    samples: &Samples<'_>,
    windows: &WindowSteps,
    extreme: Extreme,
    mut emit: impl FnMut(usize, f64),
) {
    let beats = |value, best| extreme.beats_or_ties(value, best);
    each_extreme(samples, windows, beats, |step, at| {
        emit(step, samples.float_ts[at] as f64 / 1000.0);
    });
}

/// Calls `emit` with each step and the position of its extreme. NaN is one only where there is
/// nothing else, and then the latest.
fn each_extreme(
    samples: &Samples<'_>,
    windows: &WindowSteps,
    beats: impl Fn(f64, f64) -> bool,
    mut emit: impl FnMut(usize, usize),
) {
    let floats = samples.floats;
    let mut queue: VecDeque<usize> = VecDeque::new();
    let mut taken = 0;
    let done: Result<(), Infallible> = windows.for_each(samples, |step, cut| {
        let range = &cut.floats;
        taken = taken.max(range.start);
        while queue.front().is_some_and(|at| *at < range.start) {
            queue.pop_front();
        }
        for (at, value) in floats.iter().enumerate().take(range.end).skip(taken) {
            if value.is_nan() {
                continue;
            }
            while queue
                .back()
                .is_some_and(|back| beats(*value, floats[*back]))
            {
                queue.pop_back();
            }
            queue.push_back(at);
        }
        taken = taken.max(range.end);
        emit(step, queue.front().copied().unwrap_or(range.end - 1));
        Ok(())
    });
    let Ok(()) = done;
}
