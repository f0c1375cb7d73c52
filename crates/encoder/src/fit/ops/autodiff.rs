//! Gradients of [`FastOps`] over any backend that has them.

use super::{FastOps, FusedActivation};
use burn::backend::autodiff::checkpoint::{
    base::Checkpointer, retro_forward::RetroForward, state::BackwardStates,
    strategy::CheckpointStrategy,
};
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId, grads::Gradients};
use burn::tensor::ops::FloatTensor;
use std::marker::PhantomData;

#[derive(Debug)]
struct Conv;
impl<B: FastOps> Backward<B, 2> for Conv {
    /// x, w, depthwise
    type State = (NodeId, NodeId, bool);
    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, kept: &mut Checkpointer) {
        let [for_x, for_w] = ops.parents;
        let dy = grads.consume::<B>(&ops.node);
        let (x, w, depthwise) = ops.state;
        let x: FloatTensor<B> = kept.retrieve_node_output(x);
        let w: FloatTensor<B> = kept.retrieve_node_output(w);
        if let Some(n) = for_x {
            grads.register::<B>(
                n.id,
                B::conv_same_dx(x.clone(), w.clone(), dy.clone(), depthwise),
            );
        }
        if let Some(n) = for_w {
            grads.register::<B>(n.id, B::conv_same_dw(x, w, dy, depthwise));
        }
    }
}

#[derive(Debug)]
struct ShuffleActivation;
impl<B: FastOps> Backward<B, 2> for ShuffleActivation {
    /// x, bias, r, activation
    type State = (NodeId, NodeId, usize, FusedActivation);
    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, kept: &mut Checkpointer) {
        let [for_x, for_b] = ops.parents;
        let g = grads.consume::<B>(&ops.node);
        let (x, bias, r, activation) = ops.state;
        let (dx, db) = B::shuffle_activation_backward(
            kept.retrieve_node_output(x),
            kept.retrieve_node_output(bias),
            g,
            r,
            activation,
        );
        if let Some(n) = for_x {
            grads.register::<B>(n.id, dx);
        }
        if let Some(n) = for_b {
            grads.register::<B>(n.id, db);
        }
    }
}

/// With a strategy that recomputes (`BalancedCheckpointing`), the output is not kept for the next
/// layer's gradient but made again from the input, which is kept anyway.
#[derive(Debug)]
struct ShuffleAgain<B> {
    x: NodeId,
    bias: NodeId,
    r: usize,
    activation: FusedActivation,
    backend: PhantomData<B>,
}

impl<B: FastOps> RetroForward for ShuffleAgain<B> {
    fn forward(&self, states: &mut BackwardStates, out: NodeId) {
        let (x, bias) = (
            states.get_state::<FloatTensor<B>>(&self.x),
            states.get_state::<FloatTensor<B>>(&self.bias),
        );
        states.save(out, B::shuffle_activation(x, bias, self.r, self.activation));
    }
}

#[derive(Debug)]
struct ShuffleLinear;
impl<B: FastOps> Backward<B, 2> for ShuffleLinear {
    type State = usize;
    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [for_x, for_b] = ops.parents;
        let dx = B::pixel_unshuffle(grads.consume::<B>(&ops.node), ops.state);
        if let Some(n) = for_b {
            grads.register::<B>(n.id, B::channel_sums(dx.clone()));
        }
        if let Some(n) = for_x {
            grads.register::<B>(n.id, dx);
        }
    }
}

#[derive(Debug)]
struct FakeQuant;
impl<B: FastOps> Backward<B, 2> for FakeQuant {
    /// x, log_step
    type State = (NodeId, NodeId);
    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, kept: &mut Checkpointer) {
        let [for_x, for_step] = ops.parents;
        let g = grads.consume::<B>(&ops.node);
        if let Some(n) = for_step {
            let (x, log_step) = (
                kept.retrieve_node_output(ops.state.0),
                kept.retrieve_node_output(ops.state.1),
            );
            grads.register::<B>(n.id, B::fake_quant_log_step(x, log_step, g.clone()));
        }
        if let Some(n) = for_x {
            grads.register::<B>(n.id, g);
        }
    }
}

#[derive(Debug)]
struct ChannelNorm;
impl<B: FastOps> Backward<B, 3> for ChannelNorm {
    /// x, gain
    type State = (NodeId, NodeId);
    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, kept: &mut Checkpointer) {
        let g = grads.consume::<B>(&ops.node);
        let (x, gain) = (
            kept.retrieve_node_output(ops.state.0),
            kept.retrieve_node_output(ops.state.1),
        );
        for (parent, gradient) in ops
            .parents
            .into_iter()
            .zip(B::channel_norm_backward(x, gain, g))
        {
            if let Some(n) = parent {
                grads.register::<B>(n.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct Add;
impl<B: FastOps> Backward<B, 2> for Add {
    type State = ();
    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let g = grads.consume::<B>(&ops.node);
        for n in ops.parents.into_iter().flatten() {
            grads.register::<B>(n.id, g.clone());
        }
    }
}

#[derive(Debug)]
struct SquaredError;
impl<B: FastOps> Backward<B, 1> for SquaredError {
    /// x, target, shares
    type State = (NodeId, FloatTensor<B>, Vec<f32>);
    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, kept: &mut Checkpointer) {
        let [for_x] = ops.parents;
        let g = grads.consume::<B>(&ops.node);
        let (x, target, shares) = ops.state;
        if let Some(n) = for_x {
            grads.register::<B>(
                n.id,
                B::squared_error_backward(kept.retrieve_node_output(x), target, &shares, g),
            );
        }
    }
}

/// The operations whose gradient needs nothing but the gradient.
#[derive(Debug, Clone, Copy)]
enum Rearrange {
    Shuffle(usize),
    Unshuffle(usize),
    Bilinear(usize),
    Round,
}

impl Rearrange {
    fn forward<B: FastOps>(self, x: FloatTensor<B>) -> FloatTensor<B> {
        match self {
            Rearrange::Shuffle(r) => B::pixel_shuffle(x, r),
            Rearrange::Unshuffle(r) => B::pixel_unshuffle(x, r),
            Rearrange::Bilinear(r) => B::bilinear(x, r),
            Rearrange::Round => B::ste_round(x),
        }
    }
}

#[derive(Debug)]
struct RearrangeOp;
impl<B: FastOps> Backward<B, 1> for RearrangeOp {
    type State = Rearrange;
    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [for_x] = ops.parents;
        let g = grads.consume::<B>(&ops.node);
        if let Some(n) = for_x {
            let dx = match ops.state {
                Rearrange::Shuffle(r) => B::pixel_unshuffle(g, r),
                Rearrange::Unshuffle(r) => B::pixel_shuffle(g, r),
                Rearrange::Bilinear(r) => B::bilinear_backward(g, r),
                Rearrange::Round => g,
            };
            grads.register::<B>(n.id, dx);
        }
    }
}

fn rearrange<B: FastOps, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    op: Rearrange,
) -> FloatTensor<Autodiff<B, C>> {
    match Backward::<B, 1>::prepare::<C>(RearrangeOp, [x.node.clone()])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(p) => p.finish(op, op.forward::<B>(x.primitive)),
        OpsKind::UnTracked(p) => p.finish(op.forward::<B>(x.primitive)),
    }
}

impl<B: FastOps, C: CheckpointStrategy> FastOps for Autodiff<B, C> {
    fn conv_same(x: FloatTensor<Self>, w: FloatTensor<Self>, depthwise: bool) -> FloatTensor<Self> {
        match Backward::<B, 2>::prepare::<C>(Conv, [x.node.clone(), w.node.clone()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut p) => {
                let state = (p.checkpoint(&x), p.checkpoint(&w), depthwise);
                p.finish(state, B::conv_same(x.primitive, w.primitive, depthwise))
            }
            OpsKind::UnTracked(p) => p.finish(B::conv_same(x.primitive, w.primitive, depthwise)),
        }
    }

    fn shuffle_activation(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        r: usize,
        activation: FusedActivation,
    ) -> FloatTensor<Self> {
        let again = ShuffleAgain::<B> {
            x: x.node.id,
            bias: bias.node.id,
            r,
            activation,
            backend: PhantomData,
        };
        let prepared =
            Backward::<B, 2>::prepare::<C>(ShuffleActivation, [x.node.clone(), bias.node.clone()])
                .memory_bound();
        match prepared
            .retro_forward(again)
            .parents([&x, &bias])
            .stateful()
        {
            OpsKind::Tracked(mut p) => {
                let state = (p.checkpoint(&x), p.checkpoint(&bias), r, activation);
                p.finish(
                    state,
                    B::shuffle_activation(x.primitive, bias.primitive, r, activation),
                )
            }
            OpsKind::UnTracked(p) => p.finish(B::shuffle_activation(
                x.primitive,
                bias.primitive,
                r,
                activation,
            )),
        }
    }

    fn shuffle_linear(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        r: usize,
    ) -> FloatTensor<Self> {
        match Backward::<B, 2>::prepare::<C>(ShuffleLinear, [x.node.clone(), bias.node.clone()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(p) => p.finish(r, B::shuffle_linear(x.primitive, bias.primitive, r)),
            OpsKind::UnTracked(p) => p.finish(B::shuffle_linear(x.primitive, bias.primitive, r)),
        }
    }

    fn pixel_shuffle(x: FloatTensor<Self>, r: usize) -> FloatTensor<Self> {
        rearrange::<B, C>(x, Rearrange::Shuffle(r))
    }

    fn pixel_unshuffle(x: FloatTensor<Self>, r: usize) -> FloatTensor<Self> {
        rearrange::<B, C>(x, Rearrange::Unshuffle(r))
    }

    fn add(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        match Backward::<B, 2>::prepare::<C>(Add, [x.node.clone(), y.node.clone()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(p) => p.finish((), B::add(x.primitive, y.primitive)),
            OpsKind::UnTracked(p) => p.finish(B::add(x.primitive, y.primitive)),
        }
    }

    fn bilinear(x: FloatTensor<Self>, factor: usize) -> FloatTensor<Self> {
        rearrange::<B, C>(x, Rearrange::Bilinear(factor))
    }

    fn ste_round(x: FloatTensor<Self>) -> FloatTensor<Self> {
        rearrange::<B, C>(x, Rearrange::Round)
    }

    fn fake_quant(x: FloatTensor<Self>, log_step: FloatTensor<Self>) -> FloatTensor<Self> {
        match Backward::<B, 2>::prepare::<C>(FakeQuant, [x.node.clone(), log_step.node.clone()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut p) => {
                let state = (p.checkpoint(&x), p.checkpoint(&log_step));
                p.finish(state, B::fake_quant(x.primitive, log_step.primitive))
            }
            OpsKind::UnTracked(p) => p.finish(B::fake_quant(x.primitive, log_step.primitive)),
        }
    }

    fn squared_error(
        x: FloatTensor<Self>,
        target: FloatTensor<Self>,
        shares: &[f32],
    ) -> FloatTensor<Self> {
        match Backward::<B, 1>::prepare::<C>(SquaredError, [x.node.clone()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut p) => {
                let state = (p.checkpoint(&x), target.primitive.clone(), shares.to_vec());
                p.finish(
                    state,
                    B::squared_error(x.primitive, target.primitive, shares),
                )
            }
            OpsKind::UnTracked(p) => {
                p.finish(B::squared_error(x.primitive, target.primitive, shares))
            }
        }
    }

    fn channel_norm(
        x: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let nodes = [x.node.clone(), gain.node.clone(), bias.node.clone()];
        match Backward::<B, 3>::prepare::<C>(ChannelNorm, nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut p) => {
                let state = (p.checkpoint(&x), p.checkpoint(&gain));
                p.finish(
                    state,
                    B::channel_norm(x.primitive, gain.primitive, bias.primitive),
                )
            }
            OpsKind::UnTracked(p) => {
                p.finish(B::channel_norm(x.primitive, gain.primitive, bias.primitive))
            }
        }
    }
}
