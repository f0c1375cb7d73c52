//! Network tensors to bytes and back (spec sections 4.4 and 4.6): steps, fraction bits of
//! activations, weights.

use std::sync::Arc;

use super::contexts::{Coder, MAX_MAGNITUDE, ValueModel, magnitude_class};
use super::cost::Cost;
use super::law::code_law;
use super::models::{CLASSES, Learnt, Mode, Models};
use super::scaled::{Scaled, code_scaled};
use crate::error::{Error, Result};
use crate::network::{Graph, QuantStep, Role, TensorSpec};

/// An integer tensor and its step.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Quantisation step.
    pub step: QuantStep,
    /// Values, magnitudes at most 32767, in the order of the tensor's shape.
    pub values: Vec<i16>,
    /// What the values are coded as and come from, if the tensor is a scaled one (spec section
    /// 4.7).
    pub scaled: Option<Box<Scaled>>,
}

/// The coded network of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedNetwork {
    /// One tensor for each of the graph's.
    pub tensors: Vec<Tensor>,
    /// Quantisation step of the latents.
    pub latent_step: QuantStep,
    /// Fraction bits of each node's activations (spec section 5.1); 0 where the node has none of
    /// its own.
    pub frac_bits: Vec<u8>,
    /// What the latents are coded as, if they are a scaled tensor (spec section 4.7).
    pub scaled_latents: Option<Box<Scaled>>,
    /// Which nodes have fraction bits of their own: a group that follows tells 0 from none by it.
    pub has_frac_bits: Vec<bool>,
    /// What the models have learnt, for a group that follows.
    pub learnt: Learnt,
}

impl QuantizedNetwork {
    /// Fraction bits of node `i`, if it has some of its own.
    fn own_frac_bits(&self, i: usize) -> Option<i32> {
        self.has_frac_bits
            .get(i)
            .filter(|&&own| own)
            .and(self.frac_bits.get(i))
            .map(|&f| f.into())
    }
}

/// How a network is coded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Syntax<'a> {
    /// Every tensor by itself: architecture 1 (spec section 4.4).
    Plain,
    /// A mode for each tensor (spec section 4.6).
    Modes {
        /// The network of the group before in the section.
        previous: Option<&'a QuantizedNetwork>,
        /// Whether Laplace distributions are among them.
        laws: bool,
    },
}

/// Codes the network of `graph`. Writing codes `net`; reading ignores what it holds and returns
/// what was read.
pub fn code_network<C: Coder>(
    c: &mut C,
    graph: &Graph,
    net: &QuantizedNetwork,
    syntax: Syntax<'_>,
) -> Result<QuantizedNetwork> {
    let (previous, laws) = match syntax {
        Syntax::Modes { previous, laws } => (previous, laws),
        Syntax::Plain => (None, false),
    };
    let learnt = previous.and_then(|p| p.learnt.0.as_deref()).cloned();
    let mut models = learnt.unwrap_or_else(Models::fresh);
    let mut out = net.clone();
    if graph.has_latent_step() {
        out.latent_step = models.side.step(c, net.latent_step)?;
    }
    for (i, node) in graph.nodes.iter().enumerate() {
        if node.op.has_frac_bits() {
            out.frac_bits[i] = models.side.frac_bits(
                c,
                net.frac_bits[i],
                previous.and_then(|p| p.own_frac_bits(i)),
            )?;
        }
    }
    for (i, (spec, t)) in graph.tensors.iter().zip(&mut out.tensors).enumerate() {
        if syntax == Syntax::Plain {
            t.step = models.side.step(c, t.step)?;
            code_values(c, &mut models, spec, Mode::Fresh, &mut t.values)?;
            continue;
        }
        let previous = previous
            .and_then(|p| p.tensors.get(i))
            .filter(|p| p.values.len() == t.values.len());
        let mode = match &t.scaled {
            _ if c.reads() => Mode::Fresh,
            Some(_) => Mode::Scaled,
            None => cheapest(&models, spec, t, previous, laws)?,
        };
        let mode = models.side.mode(c, mode, previous.is_some(), laws)?;
        t.step = models
            .side
            .step_after(c, t.step, previous.map(|p| p.step))?;
        if mode == Mode::Scaled {
            code_scaled(
                c,
                &mut models.scaled,
                spec.shape,
                t.scaled.get_or_insert_default(),
                &mut t.values,
            )?;
            continue;
        }
        match previous.filter(|_| matches!(mode, Mode::Residual | Mode::LawResidual)) {
            None => code_values(c, &mut models, spec, mode, &mut t.values)?,
            Some(p) => {
                let mut values = if c.reads() {
                    vec![0; t.values.len()]
                } else {
                    residual(t, p).unwrap_or_default()
                };
                code_values(c, &mut models, spec, mode, &mut values)?;
                for ((v, &r), &q) in t.values.iter_mut().zip(&values).zip(&p.values) {
                    let sum = i32::from(r) + predicted(q, p.step, t.step);
                    *v = i16::try_from(sum)
                        .ok()
                        .filter(|v| *v != i16::MIN)
                        .ok_or_else(|| {
                            Error::format(
                                c.offset(),
                                format!("value {sum} in {} (allowed -32767..=32767)", spec.name),
                            )
                        })?;
                }
            }
        }
    }
    out.learnt = Learnt((syntax != Syntax::Plain).then(|| Arc::new(models)));
    Ok(out)
}

fn code_values<C: Coder>(
    c: &mut C,
    models: &mut Models,
    spec: &TensorSpec,
    mode: Mode,
    values: &mut [i16],
) -> Result<()> {
    let learning = match mode {
        Mode::Law | Mode::LawResidual => return code_law(c, &mut models.side, values),
        mode => mode as usize,
    };
    match spec.role {
        Role::Weight => code_weights(c, &mut models.weights[learning], spec.shape, values),
        Role::Bias => code_biases(c, &mut models.biases[learning], values),
    }
}

/// Value `q` of step `from`, in units of step `to`, halves up (spec section 4.6).
fn predicted(q: i16, from: QuantStep, to: QuantStep) -> i32 {
    let (mut value, mut unit) = (
        i128::from(q) * i128::from(from.mantissa),
        i128::from(to.mantissa),
    );
    if to.exponent >= from.exponent {
        value <<= to.exponent - from.exponent;
    } else {
        unit <<= from.exponent - to.exponent;
    }
    (2 * value + unit)
        .div_euclid(2 * unit)
        .clamp(-i128::from(MAX_MAGNITUDE), MAX_MAGNITUDE.into()) as i32
}

/// `t` less what `previous` predicts of it; `None` if that cannot be coded.
pub fn residual(t: &Tensor, previous: &Tensor) -> Option<Vec<i16>> {
    let one = |(&v, &q): (&i16, &i16)| {
        i16::try_from(i32::from(v) - predicted(q, previous.step, t.step))
            .ok()
            .filter(|v| i32::from(*v).abs() <= MAX_MAGNITUDE)
    };
    t.values.iter().zip(&previous.values).map(one).collect()
}

/// The mode that costs least.
fn cheapest(
    models: &Models,
    spec: &TensorSpec,
    t: &Tensor,
    previous: Option<&Tensor>,
    laws: bool,
) -> Result<Mode> {
    let residual = previous.and_then(|p| residual(t, p));
    let modes = [
        (Mode::Fresh, true, Some(&t.values)),
        (Mode::Residual, true, residual.as_ref()),
        (Mode::Law, laws, Some(&t.values)),
        (Mode::LawResidual, laws, residual.as_ref()),
    ];
    let modes: Vec<(Mode, &Vec<i16>)> = modes
        .into_iter()
        .filter_map(|(mode, allowed, values)| Some((mode, values.filter(|_| allowed)?)))
        .collect();
    let mut best = (u64::MAX, Mode::Fresh);
    if modes.len() > 1 {
        for (mode, values) in modes {
            let (mut c, mut models) = (Cost::default(), models.clone());
            models.side.mode(&mut c, mode, previous.is_some(), laws)?;
            code_values(&mut c, &mut models, spec, mode, &mut values.clone())?;
            if c.units < best.0 {
                best = (c.units, mode);
            }
        }
    }
    Ok(best.1)
}

/// An empty network of the graph's shape: what a reader starts from.
pub fn blank_network(graph: &Graph) -> QuantizedNetwork {
    let step = QuantStep {
        mantissa: 128,
        exponent: 0,
    };
    QuantizedNetwork {
        tensors: graph
            .tensors
            .iter()
            .map(|t| Tensor {
                step,
                values: vec![0; t.len()],
                scaled: None,
            })
            .collect(),
        latent_step: step,
        frac_bits: vec![0; graph.nodes.len()],
        has_frac_bits: graph.nodes.iter().map(|n| n.op.has_frac_bits()).collect(),
        scaled_latents: None,
        learnt: Learnt::default(),
    }
}

/// Kernel taps are coded for each pair of output and input channel; neighbours are the same tap of
/// the previous input and output channel (weight 2), and the taps to the left and above (weight 1).
fn code_weights<C: Coder>(
    c: &mut C,
    model: &mut ValueModel,
    [cout, cin, kh, kw]: [usize; 4],
    values: &mut [i16],
) -> Result<()> {
    let magnitude = |v: &[i16], i: usize| u32::from(v[i].unsigned_abs());
    let mut i = 0;
    for co in 0..cout {
        for ci in 0..cin {
            for y in 0..kh {
                for x in 0..kw {
                    let mut sum = 0;
                    let mut weight = 0;
                    let mut add = |there: bool, back: usize, w: u32| {
                        if there {
                            sum += w * magnitude(values, i - back);
                            weight += w;
                        }
                    };
                    add(ci > 0, kh * kw, 2);
                    add(co > 0, cin * kh * kw, 2);
                    add(x > 0, 1, 1);
                    add(y > 0, kw, 1);
                    // near the edges fewer neighbours stand in for all six
                    let sum = (sum * 6).checked_div(weight).unwrap_or(0);
                    let v = model.code(c, magnitude_class(sum, CLASSES), values[i].into())?;
                    values[i] = v as i16;
                    i += 1;
                }
            }
        }
    }
    Ok(())
}

fn code_biases<C: Coder>(c: &mut C, model: &mut ValueModel, values: &mut [i16]) -> Result<()> {
    for i in 0..values.len() {
        let (a, b) = (
            i.checked_sub(1).map_or(0, |j| values[j]),
            i.checked_sub(2).map_or(0, |j| values[j]),
        );
        let sum = 4 * u32::from(a.unsigned_abs()) + 2 * u32::from(b.unsigned_abs());
        values[i] = model.code(c, magnitude_class(sum, CLASSES), values[i].into())? as i16;
    }
    Ok(())
}
