//! Native kernels for the CPU backend. Tensors that are not f32 take the plain way.

use super::buffers::{all_filled, filled};
use super::{AdamStep, FastOps, FusedActivation, plain, prim, tensor};
use crate::fit::kernels::{self as k, ConvShape};
use burn::backend::Flex;
use burn::tensor::{DType, TensorMetadata};
use burn_flex::FlexTensor;

fn dims(t: &FlexTensor) -> [usize; 4] {
    t.shape().dims()
}

fn native<const N: usize>(t: [&FlexTensor; N]) -> bool {
    t.iter().all(|t| t.dtype() == DType::F32)
}

fn conv_shape([b, cin, h, w]: [usize; 4], [cout, _, k, _]: [usize; 4]) -> ConvShape {
    ConvShape {
        b,
        cin,
        cout,
        h,
        w,
        k,
    }
}

/// Shape after pixel shuffle.
fn shuffled([b, c, h, w]: [usize; 4], r: usize) -> [usize; 4] {
    [b, c / (r * r), h * r, w * r]
}

impl FastOps for Flex {
    fn conv_same(x: FlexTensor, w: FlexTensor, depthwise: bool) -> FlexTensor {
        if !native([&x, &w]) {
            return prim(plain::conv_same(tensor::<Self, 4>(x), tensor(w), depthwise));
        }
        let s = conv_shape(dims(&x), dims(&w));
        let (x, w) = (x.to_contiguous(), w.to_contiguous());
        if depthwise {
            return filled(&[s.b, s.cout, s.h, s.w], |y| {
                k::depthwise(x.storage(), w.storage(), s, y)
            });
        }
        filled(&[s.b, s.cout, s.h, s.w], |y| {
            k::conv(
                x.storage(),
                w.storage(),
                s,
                k::method(s, k::Pass::Forward),
                y,
            )
        })
    }

    fn conv_same_dx(x: FlexTensor, w: FlexTensor, dy: FlexTensor, depthwise: bool) -> FlexTensor {
        if !native([&x, &w, &dy]) {
            let options = plain::conv_options(dims(&w), depthwise);
            return <Self as burn::tensor::ops::ModuleOps<Self>>::conv2d_x_backward(
                x, w, dy, options,
            );
        }
        let s = conv_shape(dims(&x), dims(&w));
        let (w, dy) = (w.to_contiguous(), dy.to_contiguous());
        if depthwise {
            return filled(&[s.b, s.cin, s.h, s.w], |dx| {
                k::depthwise_dx(dy.storage(), w.storage(), s, dx)
            });
        }
        filled(&[s.b, s.cin, s.h, s.w], |dx| {
            k::conv_dx(dy.storage(), w.storage(), s, k::method(s, k::Pass::Dx), dx)
        })
    }

    fn conv_same_dw(x: FlexTensor, w: FlexTensor, dy: FlexTensor, depthwise: bool) -> FlexTensor {
        if !native([&x, &w, &dy]) {
            let options = plain::conv_options(dims(&w), depthwise);
            return <Self as burn::tensor::ops::ModuleOps<Self>>::conv2d_weight_backward(
                x, w, dy, options,
            );
        }
        let s = conv_shape(dims(&x), dims(&w));
        let (x, dy) = (x.to_contiguous(), dy.to_contiguous());
        if depthwise {
            return filled(&dims(&w), |dw| {
                k::depthwise_dw(x.storage(), dy.storage(), s, dw)
            });
        }
        filled(&dims(&w), |dw| {
            k::conv_dw(x.storage(), dy.storage(), s, k::method(s, k::Pass::Dw), dw)
        })
    }

    fn shuffle_activation(
        x: FlexTensor,
        bias: FlexTensor,
        r: usize,
        activation: FusedActivation,
    ) -> FlexTensor {
        if !native([&x, &bias]) {
            return prim(plain::shuffle_activation(
                tensor::<Self, 4>(x),
                tensor(bias),
                r,
                activation,
            ));
        }
        let (x, bias) = (x.to_contiguous(), bias.to_contiguous());
        let d = dims(&x);
        filled(&shuffled(d, r), |y| {
            k::shuffle_activation(x.storage(), bias.storage(), d, r, activation, y)
        })
    }

    fn shuffle_activation_backward(
        x: FlexTensor,
        bias: FlexTensor,
        g: FlexTensor,
        r: usize,
        activation: FusedActivation,
    ) -> (FlexTensor, FlexTensor) {
        if !native([&x, &bias, &g]) {
            let (dx, db) = plain::shuffle_activation_backward(
                tensor::<Self, 4>(x),
                tensor(bias),
                tensor(g),
                r,
                activation,
            );
            return (prim(dx), prim(db));
        }
        let (x, bias, g) = (x.to_contiguous(), bias.to_contiguous(), g.to_contiguous());
        let d = dims(&x);
        let from = [x.storage(), bias.storage(), g.storage()];
        let [dx, db] = all_filled([&d, &[d[1]]], |[dx, db]| {
            k::shuffle_activation_backward(from, d, r, activation, dx, db)
        });
        (dx, db)
    }

    fn shuffle_linear(x: FlexTensor, bias: FlexTensor, r: usize) -> FlexTensor {
        if !native([&x, &bias]) {
            return prim(plain::shuffle_linear(tensor::<Self, 4>(x), tensor(bias), r));
        }
        let (x, bias) = (x.to_contiguous(), bias.to_contiguous());
        let d = dims(&x);
        filled(&shuffled(d, r), |y| {
            k::pixel_shuffle(x.storage(), Some(bias.storage()), d, r, y)
        })
    }

    fn pixel_shuffle(x: FlexTensor, r: usize) -> FlexTensor {
        if r == 1 || !native([&x]) {
            return prim(plain::pixel_shuffle(tensor::<Self, 4>(x), r));
        }
        let (x, d) = (x.to_contiguous(), dims(&x));
        filled(&shuffled(d, r), |y| {
            k::pixel_shuffle(x.storage(), None, d, r, y)
        })
    }

    fn pixel_unshuffle(x: FlexTensor, r: usize) -> FlexTensor {
        if r == 1 || !native([&x]) {
            return prim(plain::pixel_unshuffle(tensor::<Self, 4>(x), r));
        }
        let (x, [b, c, h, w]) = (x.to_contiguous(), dims(&x));
        let d = [b, c * r * r, h / r, w / r];
        filled(&d, |y| k::pixel_unshuffle(x.storage(), d, r, y))
    }

    fn channel_sums(x: FlexTensor) -> FlexTensor {
        if !native([&x]) {
            return prim(plain::channel_sums(tensor::<Self, 4>(x)));
        }
        let (x, d) = (x.to_contiguous(), dims(&x));
        filled(&[d[1]], |sums| k::channel_sums(x.storage(), d, sums))
    }

    fn fake_quant(x: FlexTensor, log_step: FlexTensor) -> FlexTensor {
        if !native([&x, &log_step]) {
            return prim(plain::fake_quant(tensor::<Self, 1>(x), tensor(log_step)));
        }
        let (x, step) = (x.to_contiguous(), log_step.to_contiguous());
        let n = x.shape().dims::<1>();
        filled(&n, |y| {
            k::fake_quant(x.storage(), step.storage::<f32>()[0].exp(), y)
        })
    }

    fn fake_quant_log_step(x: FlexTensor, log_step: FlexTensor, g: FlexTensor) -> FlexTensor {
        if !native([&x, &log_step, &g]) {
            return prim(plain::fake_quant_log_step(
                tensor::<Self, 1>(x),
                tensor(log_step),
                tensor(g),
            ));
        }
        let (x, step, g) = (
            x.to_contiguous(),
            log_step.to_contiguous(),
            g.to_contiguous(),
        );
        filled(&[1], |y| {
            y.fill(k::fake_quant_log_step(
                x.storage(),
                g.storage(),
                step.storage::<f32>()[0].exp(),
            ))
        })
    }

    fn channel_norm(x: FlexTensor, gain: FlexTensor, bias: FlexTensor) -> FlexTensor {
        if !native([&x, &gain, &bias]) {
            return prim(plain::channel_norm(
                tensor::<Self, 4>(x),
                tensor(gain),
                tensor(bias),
            ));
        }
        let (x, gain, bias) = (
            x.to_contiguous(),
            gain.to_contiguous(),
            bias.to_contiguous(),
        );
        let d = dims(&x);
        filled(&d, |y| {
            k::channel_norm(
                x.storage(),
                gain.storage(),
                bias.storage(),
                d[2] * d[3],
                super::plain::NORM_EPSILON,
                y,
            )
        })
    }

    fn channel_norm_backward(x: FlexTensor, gain: FlexTensor, g: FlexTensor) -> [FlexTensor; 3] {
        if !native([&x, &gain, &g]) {
            let (dx, dgain, dbias) =
                plain::channel_norm_backward(tensor::<Self, 4>(x), tensor(gain), tensor(g));
            return [prim(dx), prim(dgain), prim(dbias)];
        }
        let (x, gain, g) = (x.to_contiguous(), gain.to_contiguous(), g.to_contiguous());
        let d = dims(&x);
        let from = [x.storage(), gain.storage(), g.storage()];
        all_filled([&d, &[d[1]], &[d[1]]], |out| {
            k::channel_norm_backward(from, d[2] * d[3], super::plain::NORM_EPSILON, out)
        })
    }

    fn add(x: FlexTensor, y: FlexTensor) -> FlexTensor {
        if !native([&x, &y]) {
            return <Self as burn::tensor::ops::FloatTensorOps<Self>>::float_add(x, y);
        }
        let (x, y) = (x.to_contiguous(), y.to_contiguous());
        filled(&x.shape().to_vec(), |out| {
            k::add(x.storage(), y.storage(), out)
        })
    }

    fn bilinear(x: FlexTensor, factor: usize) -> FlexTensor {
        if !native([&x]) {
            return prim(plain::bilinear(tensor::<Self, 4>(x), factor));
        }
        let (x, [b, c, h, w]) = (x.to_contiguous(), dims(&x));
        filled(&[b, c, h * factor, w * factor], |y| {
            k::bilinear(x.storage(), h, w, factor, y)
        })
    }

    fn bilinear_backward(g: FlexTensor, factor: usize) -> FlexTensor {
        if !native([&g]) {
            return prim(plain::bilinear_backward(tensor::<Self, 4>(g), factor));
        }
        let (g, [b, c, h, w]) = (g.to_contiguous(), dims(&g));
        let (h, w) = (h / factor, w / factor);
        filled(&[b, c, h, w], |dx| {
            k::bilinear_backward(g.storage(), h, w, factor, dx)
        })
    }

    fn adam(
        x: FlexTensor,
        g: FlexTensor,
        m: FlexTensor,
        v: FlexTensor,
        step: AdamStep,
    ) -> [FlexTensor; 3] {
        if !native([&x, &g, &m, &v]) {
            return plain::adam([x, g, m, v].map(tensor::<Self, 1>), step).map(prim);
        }
        let n = x.shape().dims::<1>();
        let from = [x, g, m, v].map(|t| t.to_contiguous());
        all_filled([&n; 3], |out| {
            k::adam(from.each_ref().map(|t| t.storage()), step, out)
        })
    }

    fn orthogonal(x: FlexTensor) -> FlexTensor {
        if !native([&x]) {
            return prim(plain::orthogonal(tensor::<Self, 2>(x)));
        }
        let (x, [rows, columns]) = (x.to_contiguous(), x.shape().dims());
        filled(&[rows, columns], |out| {
            k::orthogonal(x.storage(), rows, columns, out)
        })
    }

    fn squared_error(x: FlexTensor, target: FlexTensor, shares: &[f32]) -> FlexTensor {
        if !native([&x, &target]) {
            return prim(plain::squared_error(
                tensor::<Self, 4>(x),
                tensor(target),
                shares,
            ));
        }
        let (x, target) = (x.to_contiguous(), target.to_contiguous());
        let s = error_shape(dims(&x), dims(&target));
        filled(&[1], |y| {
            y.fill(k::squared_error(x.storage(), target.storage(), shares, s))
        })
    }

    fn squared_error_backward(
        x: FlexTensor,
        target: FlexTensor,
        shares: &[f32],
        g: FlexTensor,
    ) -> FlexTensor {
        if !native([&x, &target, &g]) {
            return prim(plain::squared_error_backward(
                tensor::<Self, 4>(x),
                tensor(target),
                shares,
                tensor(g),
            ));
        }
        let (x, target, g) = (x.to_contiguous(), target.to_contiguous(), g.to_contiguous());
        let (d, g) = (dims(&x), g.storage::<f32>()[0]);
        let s = error_shape(d, dims(&target));
        filled(&d, |dx| {
            k::squared_error_backward(x.storage(), target.storage(), shares, g, s, dx)
        })
    }
}

fn error_shape(
    [b, channels, rows, columns]: [usize; 4],
    [_, _, height, width]: [usize; 4],
) -> k::ErrorShape {
    k::ErrorShape {
        planes: b * channels,
        channels,
        rows,
        columns,
        height,
        width,
    }
}
