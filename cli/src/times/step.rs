//! The step of `--step auto`.

/// Steps that read well on an axis, in seconds.
const NICE: [i64; 18] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200,
    86_400,
];

/// Most points that an automatic step gives.
const POINTS: i64 = 250;

/// Returns the shortest step that reads well and gives at most 250 points over `span_ms`.
pub(crate) fn auto_step_ms(span_ms: i64) -> i64 {
    let nice = NICE.iter().map(|seconds| seconds * 1_000);
    let fits = |step: &i64| span_ms / step < POINTS;
    nice.clone().find(fits).unwrap_or_else(|| {
        let day = 86_400_000;
        day * (span_ms / day / POINTS + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_automatic_step_gives_up_to_250_points() {
        let table = [
            (0, 1_000),
            (60_000, 1_000),
            (3_600_000, 15_000),
            (86_400_000, 600_000),
            (7 * 86_400_000, 3_600_000),
            (3_650 * 86_400_000, 15 * 86_400_000),
        ];
        for (span_ms, step_ms) in table {
            assert_eq!(auto_step_ms(span_ms), step_ms, "{span_ms}");
            assert!(span_ms / step_ms < 250);
        }
    }
}
