//! Faults of scaled tensors: every number of section 4.7 beyond its range.

use nvc::entropy::{Encoder, ValueModel};

use super::super::blocks::*;
use super::Add;
use super::families::NERV;

/// The class and value of each integer of a tensor, up to a wrong one, in an otherwise good group.
fn with(values: &[&[(usize, i32)]]) -> Vec<u8> {
    let mut e = Encoder::default();
    let mut side = ValueModel::new(7);
    // fraction bits of seven nodes; mode 2 and the step of the first tensor
    let before = [(2, 12); 7].into_iter().chain([(3, 2), (0, 10), (1, 0)]);
    for (class, v) in before {
        side.code(&mut e, class, v).unwrap();
    }
    let mut scaled = ValueModel::new(8);
    for &(class, v) in values.iter().copied().flatten() {
        scaled.code(&mut e, class, v).unwrap();
    }
    with_groups(0, 1, 1, &raw_group(1, 2, &NERV, &e.finish(), &[]))
}

pub fn tensors(add: Add) {
    const UNITS: &[(usize, i32)] = &[(1, 64), (1, 64)];
    // one slice: its scale and its offset
    const SLICE: &[(usize, i32)] = &[(1, 64), (1, 64), (0, 0), (7, 0), (7, 0)];
    const FIELD: &[(usize, i32)] = &[(0, 6), (0, 0), (0, 0), (1, 0), (3, 60)];
    const CLASSES: [usize; 3] = [4, 5, 6];
    for (name, what, values, message) in [
        (
            "scaled-unit-0.nvc",
            "a scale unit of 0: a decoder divides by it",
            vec![&[(1, 0)][..]],
            "scale unit is 0",
        ),
        (
            "scaled-unit-negative.nvc",
            "an offset unit of -1",
            vec![&[(1, 64), (1, -1)]],
            "offset unit is -1",
        ),
        (
            "scaled-axes-16.nvc",
            "slices along a fifth axis",
            vec![UNITS, &[(0, 16)]],
            "axes is 16",
        ),
        (
            "scaled-axes-negative.nvc",
            "a mask of axes of -1",
            vec![UNITS, &[(0, -1)]],
            "axes is -1",
        ),
        (
            "scaled-scale-1024.nvc",
            "the one slice's scale is 1024",
            vec![UNITS, &[(0, 0), (7, 1024)]],
            "scale or offset of a scaled tensor is 1024",
        ),
        (
            "scaled-offset-1025.nvc",
            "the one slice's offset is -1025",
            vec![UNITS, &[(0, 0), (7, 0), (7, -1025)]],
            "scale or offset of a scaled tensor is -1025",
        ),
        (
            "scaled-bits-0.nvc",
            "integers of 0 bits: a decoder shifts by -1",
            vec![SLICE, &[(0, 0)]],
            "bits of a field is 0",
        ),
        (
            "scaled-bits-12.nvc",
            "integers of 12 bits",
            vec![SLICE, &[(0, 12)]],
            "bits of a field is 12",
        ),
        (
            "scaled-slices-bits-12.nvc",
            "scales of slices of 12 bits",
            vec![UNITS, &[(0, 1), (0, 12)]],
            "bits of a field is 12",
        ),
        (
            "scaled-ends-2.nvc",
            "a mark of ends of 2",
            vec![SLICE, &[(0, 6), (0, 2)]],
            "mark of a field's ends is 2",
        ),
        (
            "scaled-factor-17.nvc",
            "a factor of 17",
            vec![SLICE, &[(0, 6), (0, 0), (0, 17)]],
            "factor of a field is 17",
        ),
        (
            "scaled-factor-negative.nvc",
            "a factor of -1",
            vec![SLICE, &[(0, 6), (0, 0), (0, -1)]],
            "factor of a field is -1",
        ),
        (
            "scaled-coefficient-1024.nvc",
            "a coefficient of 1024",
            vec![SLICE, &[(0, 6), (0, 0), (0, 1), (2, 1024)]],
            "coefficient is 1024",
        ),
        (
            "scaled-level-161.nvc",
            "a level of 161: a decoder shifts by 20 and more",
            vec![SLICE, &FIELD[..4], &[(3, 161)]],
            "level of a field is 161",
        ),
        (
            "scaled-level-negative.nvc",
            "a level of -1",
            vec![SLICE, &FIELD[..4], &[(3, -1)]],
            "level of a field is -1",
        ),
        (
            "scaled-mark-2.nvc",
            "a mark of levels of 2",
            vec![SLICE, FIELD, &[(0, 2)]],
            "mark of a field's levels is 2",
        ),
        (
            "scaled-out-level-161.nvc",
            "an output channel's level of 161",
            vec![SLICE, FIELD, &[(0, 1), (CLASSES[0], 161)]],
            "level of a field's axis is 161",
        ),
        (
            "scaled-in-level-161.nvc",
            "an input channel's level of -161",
            vec![SLICE, FIELD, &[(0, 0), (0, 1), (CLASSES[1], -161)]],
            "level of a field's axis is -161",
        ),
        (
            "scaled-place-level-161.nvc",
            "a kernel position's level of 161",
            vec![SLICE, FIELD, &[(0, 0), (0, 0), (0, 1), (CLASSES[2], 161)]],
            "level of a field's axis is 161",
        ),
    ] {
        add(name, what, with(&values), 4, message);
    }
}
