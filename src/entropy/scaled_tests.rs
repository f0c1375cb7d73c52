//! Scaled tensors: what is written comes back, and no bytes make a reader panic.

use super::*;
use crate::entropy::{Decoder, Encoder};
use proptest::prelude::*;

fn field(
    shape: [usize; 4],
    bits: u8,
    ends: bool,
    factor: u8,
    numbers: &mut impl FnMut(i32) -> i32,
) -> Field {
    let len = shape.iter().product();
    let count = usize::from(factor).pow(2) * neighbours(shape[2], shape[3], factor.into()).len();
    let axes = numbers(8);
    let levels = [shape[0], shape[1], shape[2] * shape[3]];
    Field {
        bits,
        ends,
        factor,
        coefficients: (0..count).map(|_| (numbers(2047) - 1023) as i16).collect(),
        centre: (numbers(65535) - 32767) as i16,
        level: numbers(161) as u8,
        levels: std::array::from_fn(|i| {
            (0..levels[i] * (axes >> i & 1) as usize)
                .map(|_| (numbers(21) - 10) as i16)
                .collect()
        }),
        values: (0..len).map(|_| numbers(1 << bits) as u16).collect(),
    }
}

fn single(v: i32) -> Field {
    Field {
        bits: MAX_BITS,
        values: vec![v as u16],
        ..Field::default()
    }
}

fn written(shape: [usize; 4], tensor: &mut Scaled) -> (Vec<u8>, Vec<i16>) {
    let (mut c, mut out) = (Encoder::default(), vec![0; shape.iter().product()]);
    code_scaled(
        &mut c,
        &mut ValueModel::new(CLASSES),
        shape,
        tensor,
        &mut out,
    )
    .unwrap();
    (c.finish(), out)
}

fn read(bytes: &[u8], shape: [usize; 4]) -> Result<(Scaled, Vec<i16>)> {
    let (mut c, mut tensor, mut out) = (
        Decoder::new(bytes, 7)?,
        Scaled::default(),
        vec![0; shape.iter().product()],
    );
    code_scaled(
        &mut c,
        &mut ValueModel::new(CLASSES),
        shape,
        &mut tensor,
        &mut out,
    )?;
    Ok((tensor, out))
}

proptest! {
    #[test]
    fn tensors_come_back(
        shape in [1usize..6, 1usize..5, 1usize..4, 1usize..4],
        axes in 0u8..16, bits in 1u8..=11, ends in any::<bool>(), factor in 0u8..4, units in [1i16..=32767, 1i16..=32767], seed in any::<u64>(),
    ) {
        let mut state = seed | 1;
        let mut numbers = |below: i32| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % below as u64) as i32
        };
        let mut tensor = Scaled { axes, scale_unit: units[0], offset_unit: units[1], ..Scaled::default() };
        let slices = tensor.slices(shape);
        if slices == [1; 4] {
            (tensor.scales, tensor.offsets) = (single(numbers(2048)), single(numbers(2048)));
        } else {
            tensor.scales = field(slices, bits, false, factor, &mut numbers);
            tensor.offsets = field(slices, bits, ends, 0, &mut numbers);
        }
        tensor.values = field(shape, bits, ends, factor, &mut numbers);
        let (bytes, out) = written(shape, &mut tensor);
        let (back, values) = read(&bytes, shape).unwrap();
        prop_assert_eq!(back, tensor);
        prop_assert_eq!(values, out);
    }

    #[test]
    fn any_bytes_decode_or_fail_cleanly(bytes in proptest::collection::vec(any::<u8>(), 0..200), shape in [1usize..9, 1usize..9, 1usize..6, 1usize..6]) {
        match read(&bytes, shape) {
            Ok((tensor, out)) => {
                prop_assert!(out.iter().all(|v| *v != i16::MIN));
                prop_assert!(tensor.values.values.iter().all(|v| *v < 1 << tensor.values.bits));
            }
            Err(e) => prop_assert_eq!(e.exit_code(), 4),
        }
    }
}

/// A slice of step 2 and offset -5 by hand: (v - 8) * 2 - 5.
#[test]
fn values_are_what_the_specification_says() {
    let values = Field {
        bits: 4,
        level: 48,
        values: vec![0, 15, 8, 9],
        ..Field::default()
    };
    // (1 + 7) * 16384 = 2 * 65536, and (1019 - 1024) * 256 / 256 = -5
    let mut t = Scaled {
        axes: 0,
        scale_unit: 16384,
        offset_unit: 256,
        scales: single(7),
        offsets: single(1019),
        values,
    };
    let (bytes, out) = written([2, 2, 1, 1], &mut t);
    assert_eq!(out, [-21, 9, -5, -3]);
    assert_eq!(read(&bytes, [2, 2, 1, 1]).unwrap().1, out);
}

#[test]
fn known_ends_cost_less() {
    // 64 slices, each with one 0 and one 255 among values near the middle
    let integers: Vec<u16> = (0..64 * 20u32)
        .map(|i| match (i % 20).wrapping_sub(i / 20 % 19) {
            0 => 0,
            1 => 255,
            _ => 118 + (i.wrapping_mul(2654435761) >> 28) as u16,
        })
        .collect();
    let size = |ends: bool| {
        let shape = [64, 20, 1, 1];
        let plain = Field {
            bits: 1,
            level: 32,
            values: vec![0; 64],
            ..Field::default()
        };
        let values = Field {
            bits: 8,
            ends,
            level: 40,
            values: integers.clone(),
            ..Field::default()
        };
        let mut t = Scaled {
            axes: 1,
            scale_unit: 32767,
            offset_unit: 1,
            scales: plain.clone(),
            offsets: plain,
            values,
        };
        written(shape, &mut t).0.len()
    };
    assert!(
        size(true) + 100 < size(false),
        "{} and {} bytes",
        size(true),
        size(false)
    );
}

#[test]
fn what_is_out_of_range_is_refused() {
    let good = || Scaled {
        axes: 0,
        scale_unit: 16384,
        offset_unit: 256,
        scales: single(7),
        offsets: single(1019),
        values: Field {
            bits: 4,
            values: vec![1; 4],
            ..Field::default()
        },
    };
    let refused = |change: fn(&mut Scaled)| {
        let mut t = good();
        change(&mut t);
        let mut out = vec![0; 4];
        let e = code_scaled(
            &mut Encoder::default(),
            &mut ValueModel::new(CLASSES),
            [4, 1, 1, 1],
            &mut t,
            &mut out,
        )
        .unwrap_err();
        assert_eq!(e.exit_code(), 5, "{e}");
    };
    refused(|t| t.scale_unit = 0);
    refused(|t| t.axes = 16);
    refused(|t| t.values.bits = 12);
    refused(|t| t.values.level = 161);
    refused(|t| t.values.values[2] = 16);
    refused(|t| t.values.values.truncate(3));
    refused(|t| t.values.factor = 17);
}
