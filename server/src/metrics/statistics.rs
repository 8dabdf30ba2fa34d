//! Summaries of a list of numbers, as `spec/api.md` 3.16 defines them.

/// Smallest, mean, median, 95th percentile and largest; all zero for an empty list.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Statistics {
    /// The smallest.
    pub min: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The largest.
    pub max: f64,
}

impl Statistics {
    /// Summarizes numbers, none of which may be NaN.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else { return Self::default() };
        let count = sorted.len();
        Self {
            min,
            mean: sorted.iter().sum::<f64>() / count as f64,
            median: mean_of(&sorted, (count - 1) / 2, count / 2),
            p95: p95(&sorted),
            max,
        }
    }
}

/// With x = 0.95 n, counted from 1: element x if x is whole, else the mean of the elements on either side of x.
fn p95(sorted: &[f64]) -> f64 {
    // In twentieths, so that "whole" is exact.
    let (whole, rest) = (sorted.len() * 19 / 20, sorted.len() * 19 % 20);
    match (whole, rest) {
        (0, _) => mean_of(sorted, 0, 0),
        (x, 0) => mean_of(sorted, x - 1, x - 1),
        (x, _) => mean_of(sorted, x - 1, x),
    }
}

/// The mean of two elements, by index from 0.
fn mean_of(sorted: &[f64], low: usize, high: usize) -> f64 {
    match (sorted.get(low), sorted.get(high)) {
        (Some(low), Some(high)) => (low + high) / 2.0,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, 0.0, 0.0, 0.0)]
    #[case(1, 1.0, 1.0, 1.0)]
    #[case(2, 1.5, 1.5, 1.5)] // x = 1.9: the mean of elements 1 and 2
    #[case(3, 2.0, 2.0, 2.5)] // x = 2.85
    #[case(4, 2.5, 2.5, 3.5)] // x = 3.8
    #[case(20, 10.5, 10.5, 19.0)] // x = 19
    #[case(21, 11.0, 11.0, 19.5)] // x = 19.95
    #[case(100, 50.5, 50.5, 95.0)]
    fn numbers_from_one(#[case] count: u32, #[case] mean: f64, #[case] median: f64, #[case] p95: f64) {
        let found = Statistics::of((1..=count).rev().map(f64::from));
        assert_eq!((found.mean, found.median, found.p95), (mean, median, p95));
        assert_eq!((found.min, found.max), (f64::from(count.min(1)), f64::from(count)));
    }
}
