//! Nonlinearities, by table (spec section 5.5).

use super::integer::{interpolate, round_shift, saturate, sine};
use super::operation::{Operands, Operation};
use crate::network::tables::{GELU_BUMP, SWISH_BUMP, TANH};
use crate::network::tensor_spec::{NodeId, TensorSpec};

/// A nonlinearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Gaussian error linear unit.
    Gelu,
    /// `x / (1 + e^-x)`.
    Swish,
    /// `sin(2 pi x)`: the input counts turns.
    Sine,
    /// Hyperbolic tangent.
    Tanh,
}

/// A nonlinearity of every activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activate {
    /// Node read.
    pub input: NodeId,
    /// Which.
    pub activation: Activation,
}

impl Operation for Activate {
    fn inputs(&self) -> &[NodeId] {
        std::slice::from_ref(&self.input)
    }

    fn shape(&self, inputs: &[[usize; 3]], _: &[TensorSpec]) -> [usize; 3] {
        inputs[0]
    }

    fn evaluate(&self, operands: &Operands<'_>) -> Vec<i16> {
        let input = &operands.inputs[0];
        let one = |&v: &i16| activate(self.activation, v, input.frac_bits, operands.frac_bits);
        input.values.iter().map(one).collect()
    }
}

/// A nonlinearity from `f_in` to `f_out` fraction bits; both are at most 19.
pub fn activate(activation: Activation, v: i16, f_in: u32, f_out: u32) -> i16 {
    let v = i64::from(v) << (20 - f_in);
    let out = match activation {
        Activation::Gelu => v.max(0) - (interpolate(&GELU_BUMP, v.abs(), 14) << 3),
        Activation::Swish => v.max(0) - (interpolate(&SWISH_BUMP, v.abs(), 14) << 3),
        Activation::Sine => sine(v) << 5,
        Activation::Tanh => (interpolate(&TANH, v.abs(), 14) << 5) * v.signum(),
    };
    saturate(round_shift(out, 20 - f_out))
}

/// A nonlinearity of every activation, at index `v as u16`.
pub fn activation_table(activation: Activation, f_in: u32, f_out: u32) -> Vec<i16> {
    (0..=u16::MAX)
        .map(|v| activate(activation, (v as i16).max(-32767), f_in, f_out))
        .collect()
}

#[cfg(test)]
#[allow(clippy::float_arithmetic)]
mod tests {
    use super::*;

    /// Phi by its series and continued fraction, independent of the table.
    fn phi_upper(u: f64) -> f64 {
        let n = 200_000;
        let h = 12.0 / f64::from(n);
        // Simpson's rule over the density from u to u + 12
        let d = |t: f64| (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let inner: f64 = (1..n)
            .map(|i| d(u + f64::from(i) * h) * if i % 2 == 1 { 4.0 } else { 2.0 })
            .sum();
        (d(u) + inner + d(u + 12.0)) * h / 3.0
    }

    #[test]
    fn bump_table_is_what_the_specification_says() {
        for i in (0..=512).step_by(37) {
            let u = i as f64 / 64.0;
            assert_eq!(
                GELU_BUMP[i],
                (131072.0 * u * phi_upper(u)).round() as u16,
                "entry {i}"
            );
        }
    }

    #[test]
    fn gelu_is_close_to_the_real_one() {
        for v in (-32767..=32767).step_by(501) {
            let x = f64::from(v) / 4096.0;
            let up = phi_upper(x.abs());
            let exact = if x > 0.0 { x * (1.0 - up) } else { x * up };
            let got = f64::from(activate(Activation::Gelu, v as i16, 12, 12)) / 4096.0;
            assert!(
                (got - exact).abs() < 0.5 / 4096.0 + 3e-5,
                "gelu({x}) = {got}, exactly {exact}"
            );
        }
    }

    #[test]
    fn activation_functions_are_close_to_the_real_ones() {
        for v in (-32767..=32767).step_by(97) {
            for f in [11, 12, 14] {
                let x = f64::from(v) / f64::from(1 << f);
                for (which, exact) in [
                    (Activation::Swish, x / (1.0 + (-x).exp())),
                    (Activation::Sine, (2.0 * std::f64::consts::PI * x).sin()),
                    (Activation::Tanh, x.tanh()),
                ] {
                    // activations at 11 fraction bits reach 16
                    let got = f64::from(activate(which, v as i16, f, 11)) / 2048.0;
                    assert!(
                        (got - exact).abs() < 0.5 / 2048.0 + 4e-5,
                        "{which:?}({x}) = {got}, exactly {exact}"
                    );
                }
            }
        }
    }
}
