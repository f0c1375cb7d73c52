//! What codes a network's tensors learns: value models of side information and of tensors (spec
//! section 4.6).

use std::sync::Arc;

use super::contexts::{Coder, ValueModel};
use super::scaled;
use crate::error::{Error, Result};
use crate::network::{Graph, QuantStep};

/// Contexts of a tensor's values.
pub(super) const CLASSES: usize = 24;

/// The models as they are after a network with modes (spec section 4.6): those of the next group of
/// the section start from them.
#[derive(Clone, Default)]
pub struct Learnt(pub(super) Option<Arc<Models>>);

impl Learnt {
    /// The value models: `side`, `weights` of modes 0 and 1, `biases` of both, `scaled`. `None`
    /// where the next group starts anew.
    pub fn models(&self) -> Option<[ValueModel; 6]> {
        let Models {
            side,
            weights: [w0, w1],
            biases: [b0, b1],
            scaled,
        } = self.0.as_deref()?.clone();
        Some([side.model, w0, w1, b0, b1, scaled])
    }
}

impl std::fmt::Debug for Learnt {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(if self.0.is_some() {
            "Learnt(..)"
        } else {
            "Learnt"
        })
    }
}

impl PartialEq for Learnt {
    /// Networks are equal by their values, whatever came of coding them.
    fn eq(&self, _: &Learnt) -> bool {
        true
    }
}

#[derive(Clone)]
pub(super) struct Side {
    pub(super) model: ValueModel,
}

impl Side {
    pub(super) fn field<C: Coder>(
        &mut self,
        c: &mut C,
        class: usize,
        v: i32,
        max: i32,
        what: &str,
    ) -> Result<u8> {
        let v = self.model.code(c, class, v)?;
        if !(0..=max).contains(&v) {
            return Err(Error::format(
                c.offset(),
                format!("{what} is {v} (allowed 0..={max})"),
            ));
        }
        Ok(v as u8)
    }

    /// Fraction bits, relative to those of the group before where it has some.
    pub(super) fn frac_bits<C: Coder>(
        &mut self,
        c: &mut C,
        f: u8,
        before: Option<i32>,
    ) -> Result<u8> {
        let max = Graph::MAX_FRACTION.into();
        let Some(before) = before else {
            return self.field(c, 2, f.into(), max, "activation fraction bits");
        };
        let f = before + self.model.code(c, 4, i32::from(f) - before)?;
        if !(0..=max).contains(&f) {
            return Err(Error::format(
                c.offset(),
                format!("activation fraction bits is {f} (allowed 0..={max})"),
            ));
        }
        Ok(f as u8)
    }

    /// A tensor's mode; whether there is a `previous` tensor, and whether there are `laws`.
    pub(super) fn mode<C: Coder>(
        &mut self,
        c: &mut C,
        mode: Mode,
        previous: bool,
        laws: bool,
    ) -> Result<Mode> {
        match self.model.code(c, 3, mode as i32)? {
            0 => Ok(Mode::Fresh),
            1 if previous => Ok(Mode::Residual),
            2 => Ok(Mode::Scaled),
            3 if laws => Ok(Mode::Law),
            4 if laws && previous => Ok(Mode::LawResidual),
            m if m == 1 || (m == 4 && laws) => Err(Error::format(
                c.offset(),
                "a residual tensor with no tensor of its size before it in the section",
            )),
            m => Err(Error::format(
                c.offset(),
                format!(
                    "tensor mode is {m} (allowed 0..={})",
                    if laws { 4 } else { 2 }
                ),
            )),
        }
    }

    pub(super) fn step<C: Coder>(&mut self, c: &mut C, s: QuantStep) -> Result<QuantStep> {
        let exponent = self.field(
            c,
            0,
            s.exponent.into(),
            QuantStep::MAX_EXPONENT.into(),
            "step exponent",
        )?;
        let mantissa = 128
            + self.field(
                c,
                1,
                i32::from(s.mantissa) - 128,
                127,
                "step mantissa - 128",
            )?;
        Ok(QuantStep { mantissa, exponent })
    }

    /// A step after that of the same tensor of the group before.
    pub(super) fn step_after<C: Coder>(
        &mut self,
        c: &mut C,
        s: QuantStep,
        before: Option<QuantStep>,
    ) -> Result<QuantStep> {
        let Some(before) = before else {
            return self.step(c, s);
        };
        let other = self.field(c, 5, i32::from(s != before), 1, "mark of another step")?;
        if other == 0 {
            Ok(before)
        } else {
            self.step(c, s)
        }
    }
}

/// How one tensor is coded (spec section 4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// By itself.
    Fresh = 0,
    /// As the difference to the same tensor of the group before.
    Residual = 1,
    /// As integers whose step and offset change from slice to slice.
    Scaled = 2,
    /// By itself, by a Laplace distribution.
    Law = 3,
    /// As the difference to the same tensor of the group before, by a Laplace distribution.
    LawResidual = 4,
}

/// Value models of side information, and of tensors, one pair for each mode.
#[derive(Clone)]
pub(super) struct Models {
    pub(super) side: Side,
    pub(super) weights: [ValueModel; 2],
    pub(super) biases: [ValueModel; 2],
    pub(super) scaled: ValueModel,
}

impl Models {
    pub(super) fn fresh() -> Self {
        let model = || ValueModel::new(CLASSES);
        Models {
            side: Side {
                model: ValueModel::new(7),
            },
            weights: [model(), model()],
            biases: [model(), model()],
            scaled: ValueModel::new(scaled::CLASSES),
        }
    }
}
