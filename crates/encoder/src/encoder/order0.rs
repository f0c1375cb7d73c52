//! What a plain coder would take: the yardstick for the entropy coder.

use std::collections::BTreeMap;

use nvc::entropy::tensor::{QuantizedNetwork, residual};
use nvc::group::Group;

/// Bytes that coders of order 0 would take for the integers of each tensor and of the latents,
/// steps and fraction bits not counted. Where there is a network before it, a tensor may be its
/// difference.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Order0 {
    /// An ideal static coder that knows the frequencies of each tensor: a bound that no coder
    /// reaches.
    pub ideal: f64,
    /// An adaptive coder that learns them.
    pub adaptive: f64,
}

/// Bits for the least and the greatest integer of a tensor, between which an adaptive coder counts.
const RANGE_BITS: f64 = 32.0;
/// Counts that an adaptive coder starts with: the better of Krichevsky and Trofimov's and one for
/// wide tensors with few integers.
const START_COUNTS: [f64; 2] = [0.5, 0.1];

/// Empirical entropy of order 0: bits of all `values` under their own frequencies.
fn ideal(values: &[i16]) -> f64 {
    let mut counts = BTreeMap::<i16, u32>::new();
    values
        .iter()
        .for_each(|&v| *counts.entry(v).or_default() += 1);
    let n = values.len() as f64;
    counts
        .values()
        .map(|&c| f64::from(c) * (n / f64::from(c)).log2())
        .sum()
}

/// Bits of `values` by frequencies so far, or all by equally many bits where that is less.
fn adaptive(values: &[i16]) -> f64 {
    let (Some(&low), Some(&high)) = (values.iter().min(), values.iter().max()) else {
        return 0.0;
    };
    let range = f64::from(high) - f64::from(low) + 1.0;
    let by_counts = |start: f64| -> f64 {
        let mut counts = vec![0u32; range as usize];
        let bits = |(n, &v): (usize, &i16)| {
            let count = &mut counts[(i32::from(v) - i32::from(low)) as usize];
            *count += 1;
            ((n as f64 + range * start) / (f64::from(*count - 1) + start)).log2()
        };
        values.iter().enumerate().map(bits).sum()
    };
    let counted = START_COUNTS
        .map(by_counts)
        .into_iter()
        .fold(f64::INFINITY, f64::min);
    RANGE_BITS + counted.min(values.len() as f64 * range.log2().ceil())
}

/// What they would take for `group` after `previous`.
pub(super) fn order0(group: &Group, previous: Option<&QuantizedNetwork>) -> Order0 {
    let sum = |bits: fn(&[i16]) -> f64| -> f64 {
        let tensors = group.network.tensors.iter().enumerate().map(|(i, t)| {
            let before = previous
                .and_then(|p| p.tensors.get(i))
                .filter(|p| p.values.len() == t.values.len());
            let difference = before
                .and_then(|p| residual(t, p))
                .map_or(f64::INFINITY, |r| bits(&r));
            bits(&t.values).min(difference)
        });
        (tensors.sum::<f64>() + bits(&group.latents)) / 8.0
    };
    Order0 {
        ideal: sum(ideal),
        adaptive: sum(adaptive),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_by_hand() {
        assert_eq!(ideal(&[5; 9]), 0.0);
        assert!((ideal(&[0, 1, 0, 1]) - 4.0).abs() < 1e-12);
        assert!((ideal(&[0, 0, 0, 7]) - 3.2451124978365313).abs() < 1e-12);
        assert_eq!(ideal(&[]), 0.0);
    }

    #[test]
    fn learning_costs_bits() {
        assert_eq!(adaptive(&[]), 0.0);
        assert_eq!(adaptive(&[-7; 9]), RANGE_BITS);
        // counts from 1/2: 1/2, then 1/4, so a bit for each is less
        assert_eq!(adaptive(&[3, 4]), RANGE_BITS + 2.0);
        let long: Vec<i16> = (0..4000).map(|i| [0, 0, 0, 7][i % 4]).collect();
        let (a, b) = (ideal(&long), adaptive(&long));
        assert!(
            a + RANGE_BITS < b && b < a + 120.0,
            "{b} bits, {a} without learning"
        );
        assert!(adaptive(&[i16::MIN, i16::MAX]) <= RANGE_BITS + 32.0);
    }
}
