use super::*;
use crate::entropy::{Cost, Decoder, Encoder};
use crate::network::QuantStep;
use proptest::prelude::*;

fn tensor(len: usize, spread: i32, exponent: u8, seed: &mut u32) -> Tensor {
    let mut next = || {
        *seed = seed.wrapping_mul(1664525).wrapping_add(1013904223);
        ((*seed >> 16) as i32 % (2 * spread + 1) - spread) as i16
    };
    Tensor {
        step: QuantStep {
            mantissa: 128,
            exponent,
        },
        values: (0..len).map(|_| next()).collect(),
        scaled: None,
    }
}

fn tensors(n: usize, mut seed: u32) -> Vec<Tensor> {
    let lens = [n * n, n, n * n, n, 2 * n, 2, 2 * n];
    lens.map(|len| tensor(len, 60, 14, &mut seed)).to_vec()
}

#[test]
fn neighbours_are_coded_before() {
    let mut seen = std::collections::HashSet::new();
    for (up, right) in NEIGHBOURS {
        assert!(up > 0 || right < 0);
        assert!(right < LAG as i8 * up && right - LAG as i8 * up > -(HELD as i8));
        assert!((0..=REACH as i8).contains(&up) && seen.insert((up, right)));
    }
    assert_eq!(NEIGHBOURS[..5], [(0, -1), (1, 0), (1, -1), (1, 1), (0, -2)]);
}

#[test]
fn steps_hold_every_latent_once() {
    for size in [[1, 1], [1, 9], [9, 1], [7, 5], [5, 31], [40, 3]] {
        let mut seen = vec![0; size[0] * size[1]];
        for step in 0..size[1] + LAG * (size[0] - 1) {
            for y in rows_of(step, size) {
                seen[y * size[1] + step - LAG * y] += 1;
            }
        }
        assert!(seen.iter().all(|&n| n == 1), "{size:?}");
    }
}

proptest! {
    #[test]
    fn latents_come_back(
        rows in 1usize..90, columns in 1usize..40, grids in 1usize..4, n in 1usize..24, reach in 1u16..300,
        seed: u32, empty in 0u32..8,
    ) {
        let source = Pyramid { grids, rows, columns, reach };
        let network = ContextNetwork::new(&tensors(n, seed), source.fraction()).unwrap();
        let mut seed = seed;
        let mut values = tensor(2 * source.offset(grids), i32::from(reach), 7, &mut seed).values;
        for (i, v) in values.iter_mut().enumerate() {
            // mostly small, as latents are
            *v = if i % 7 > 0 { *v % 3 } else { *v };
        }
        let mut plain = Plain::default();
        let mut coder = Encoder::default();
        code_pyramids(&mut coder, &source, &network, empty, &mut plain, &mut values).unwrap();
        let mut back = vec![9; values.len()];
        let mut decoder = Decoder::new(&coder.finish(), 0).unwrap();
        code_pyramids(&mut decoder, &source, &network, empty, &mut plain, &mut back).unwrap();
        prop_assert_eq!(back, values);
    }
}

/// Bits of a grid whose latents are taken in rows, each from its neighbours as they are.
fn bits_in_rows(source: &Pyramid, network: &ContextNetwork, grid: &[i16]) -> u64 {
    let ([rows, columns], reach) = (source.size(0), i32::from(source.reach));
    let at = |y: isize, x: isize| {
        let inside = (0..rows as isize).contains(&y) && (0..columns as isize).contains(&x);
        inside.then(|| grid[y as usize * columns + x as usize])
    };
    let (mut cost, mut plain) = (Cost::default(), Plain::default());
    plain.prepare(network);
    let mut out = Predicted {
        mean: [0; BATCH],
        scale: [0; BATCH],
    };
    for y in 0..rows as isize {
        for x in 0..columns as isize {
            let near = NEIGHBOURS[..network.contexts].iter().map(|&(up, right)| {
                let value = at(y - isize::from(up), x + isize::from(right));
                [value.map_or(0, |v| source.activation(v)); BATCH]
            });
            plain.predict(&near.collect::<Vec<_>>(), 1, &mut out);
            let law = Laplace::new(out.mean[0], out.scale[0], reach);
            let symbol = (i32::from(at(y, x).unwrap()) + reach) as u32;
            cost.symbol_near(law.size(), 0, |v| law.below(v), symbol)
                .unwrap();
        }
    }
    cost.units
}

#[test]
fn the_order_of_latents_does_not_change_their_distributions() {
    // of the last, steps hold more latents than are predicted at once
    for (rows, columns) in [(1, 9), (9, 1), (20, 31), (70, 350)] {
        let source = Pyramid {
            grids: 1,
            rows,
            columns,
            reach: 40,
        };
        let network = ContextNetwork::new(&tensors(12, 5), source.fraction()).unwrap();
        let mut grid = tensor(rows * columns, 5, 7, &mut 3).values;
        let mut cost = Cost::default();
        let plain = &mut Plain::default();
        code_pyramids(&mut cost, &source, &network, 0, plain, &mut grid).unwrap();
        let wanted = bits_in_rows(&source, &network, &grid);
        assert_eq!(cost.units, wanted, "{rows} rows, {columns} columns");
    }
    assert!(rows_of(LAG * 65, [70, 350]).len() > BATCH);
}

#[test]
fn networks_that_could_overflow_are_refused() {
    let refused = |change: &dyn Fn(&mut Vec<Tensor>)| {
        let mut t = tensors(16, 1);
        change(&mut t);
        ContextNetwork::new(&t, 8)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert!(refused(&|t| t[0].step.mantissa = 129).contains("context.hidden0: step 129 * 2^-14"));
    assert!(refused(&|t| t[6].step.exponent = 6).contains("context.bypass: step 128 * 2^-6"));
    assert!(refused(&|t| t[4].step.exponent = 22).contains("15 fraction bits (allowed 0..=14)"));
    assert!(refused(&|t| t[2].values.fill(3000)).contains("context.hidden1: sums of up to"));
    assert!(
        refused(&|t| (t[0].values[17], t[0].step.exponent) = (30000, 21)).contains("weight 46384")
    );
    assert!(
        refused(&|t| (t[5].values[1], t[5].step.exponent) = (32767, 7))
            .contains("context.out: sums")
    );
    assert!(refused(&|t| t.truncate(6)).contains("6 tensors"));
}
