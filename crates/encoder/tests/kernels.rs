//! The fast training operations against burn's ordinary ones, and their independence of the thread
//! count.

use burn::backend::{Autodiff, Flex};
use burn::tensor::{Tensor, TensorData};
use nvc_encoder::fit::kernels::{self as k, ConvShape, Method, Pass};
use nvc_encoder::fit::ops::{self, AdamStep, FusedActivation, plain};

type B = Autodiff<Flex>;
/// Largest difference allowed, relative to the largest value.
const TOLERANCE: f32 = 1e-5;
/// Largest error of direct convolutions against double precision, relative to the root mean square:
/// without vectors the 7320 products of the longest sum are added one after the other.
const DIRECT_TOLERANCE: f64 = 3e-5;
/// Largest error of Winograd convolutions, relative to the root mean square: their transforms
/// cancel.
const WINOGRAD_TOLERANCE: f64 = 1e-4;

/// Reproducible values in (-1, 1).
fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut s = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        (s >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

fn t4(d: [usize; 4], seed: u64) -> Tensor<B, 4> {
    Tensor::from_data(
        TensorData::new(noise(d.iter().product(), seed), d),
        &Default::default(),
    )
}

fn t1(n: usize, seed: u64) -> Tensor<B, 1> {
    Tensor::from_data(TensorData::new(noise(n, seed), [n]), &Default::default())
}

fn values<const D: usize>(t: Tensor<Flex, D>) -> Vec<f32> {
    t.into_data().to_vec().unwrap()
}

fn assert_close(what: &str, a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len(), "{what}: lengths");
    let max = b.iter().fold(0.0f32, |m, v| m.max(v.abs())).max(1e-20);
    let diff = a.iter().zip(b).fold(0.0f32, |m, (a, b)| {
        if (a - b).is_nan() {
            f32::INFINITY
        } else {
            m.max((a - b).abs())
        }
    });
    println!("{what}: {:.1e}", diff / max);
    assert!(
        diff <= TOLERANCE * max,
        "{what}: differs by {diff:e}, largest value {max:e}"
    );
}

/// Output and both gradients of `f` for random inputs and a random output gradient.
fn run<const D: usize>(
    x: [usize; 4],
    w: [usize; D],
    f: impl Fn(Tensor<B, 4>, Tensor<B, D>) -> Tensor<B, 4>,
) -> [Vec<f32>; 3] {
    let x = t4(x, 1).mul_scalar(3.0).require_grad();
    let w = Tensor::<B, D>::from_data(
        TensorData::new(noise(w.iter().product(), 2), w),
        &Default::default(),
    )
    .require_grad();
    let y = f(x.clone(), w.clone());
    let g = (y.clone() * t4(y.dims(), 3)).sum().backward();
    [
        values(y.inner()),
        values(x.grad(&g).unwrap()),
        values(w.grad(&g).unwrap()),
    ]
}

fn check_conv(b: usize, cin: usize, cout: usize, h: usize, w: usize, kk: usize, depthwise: bool) {
    let ws = [cout, if depthwise { 1 } else { cin }, kk, kk];
    let fast = run([b, cin, h, w], ws, |x, w| {
        if depthwise {
            ops::conv_same_depthwise(x, w)
        } else {
            ops::conv_same(x, w)
        }
    });
    let want = run([b, cin, h, w], ws, |x, w| plain::conv_same(x, w, depthwise));
    let s = ConvShape {
        b,
        cin,
        cout,
        h,
        w,
        k: kk,
    };
    for (i, (name, pass)) in [("y", Pass::Forward), ("dx", Pass::Dx), ("dw", Pass::Dw)]
        .into_iter()
        .enumerate()
    {
        let what = format!("{name} b{b} {cin}->{cout} {h}x{w} k{kk} depthwise={depthwise}");
        if !depthwise && k::method(s, pass) == Method::Winograd {
            let (largest, _) = errors(
                &fast[i],
                &want[i].iter().map(|v| f64::from(*v)).collect::<Vec<_>>(),
            );
            assert!(
                largest < WINOGRAD_TOLERANCE,
                "{what}: error {largest:e} of the root mean square"
            );
        } else {
            assert_close(&what, &fast[i], &want[i]);
        }
    }
}

#[test]
fn conv_matches_burn() {
    for (b, cin, cout, h, w, kk) in [
        (1, 1, 1, 1, 1, 1),
        (1, 16, 48, 4, 7, 1),
        (2, 48, 100, 4, 7, 1),
        (3, 5, 33, 9, 11, 1),
        (1, 3, 2, 1, 5, 3),
        (2, 4, 5, 2, 2, 5),
        (1, 2, 3, 2, 3, 7),
        (1, 7, 9, 16, 17, 3),
        (3, 8, 6, 13, 8, 3),
        (2, 14, 3, 50, 60, 3),
        (1, 40, 29, 20, 35, 3),
        (2, 17, 12, 31, 47, 5),
        (1, 9, 25, 40, 100, 5),
        (2, 3, 10, 12, 19, 7),
        (1, 6, 4, 70, 1, 3),
    ] {
        check_conv(b, cin, cout, h, w, kk, false);
    }
}

/// Output and both gradients by `method`. Buffers hold rubbish before.
fn passes(x: &[f32], w: &[f32], dy: &[f32], s: ConvShape, method: Method) -> [Vec<f32>; 3] {
    let mut out = [
        vec![f32::NAN; dy.len()],
        vec![f32::NAN; x.len()],
        vec![f32::NAN; w.len()],
    ];
    k::conv(x, w, s, method, &mut out[0]);
    k::conv_dx(dy, w, s, method, &mut out[1]);
    k::conv_dw(x, dy, s, method, &mut out[2]);
    out
}

/// The definition in double precision: output, gradient of the input, gradient of the weights.
fn definition(x: &[f32], w: &[f32], dy: &[f32], s: ConvShape) -> [Vec<f64>; 3] {
    let ConvShape {
        b,
        cin,
        cout,
        h,
        w: width,
        k,
    } = s;
    let mut out = [vec![0.0; dy.len()], vec![0.0; x.len()], vec![0.0; w.len()]];
    for image in 0..b {
        for co in 0..cout {
            for ci in 0..cin {
                for t in 0..k * k {
                    let (ky, kx) = (t / k, t % k);
                    let wi = (co * cin + ci) * k * k + t;
                    for y in 0..h {
                        let Some(sy) = (y + ky).checked_sub(k / 2).filter(|&v| v < h) else {
                            continue;
                        };
                        for xx in 0..width {
                            let Some(sx) = (xx + kx).checked_sub(k / 2).filter(|&v| v < width)
                            else {
                                continue;
                            };
                            let (xi, yi) = (
                                ((image * cin + ci) * h + sy) * width + sx,
                                ((image * cout + co) * h + y) * width + xx,
                            );
                            out[0][yi] += f64::from(x[xi]) * f64::from(w[wi]);
                            out[1][xi] += f64::from(dy[yi]) * f64::from(w[wi]);
                            out[2][wi] += f64::from(dy[yi]) * f64::from(x[xi]);
                        }
                    }
                }
            }
        }
    }
    out
}

/// Largest and root mean square difference, relative to the root mean square of `want`.
fn errors(got: &[f32], want: &[f64]) -> (f64, f64) {
    assert_eq!(got.len(), want.len());
    let rms = (want.iter().map(|v| v * v).sum::<f64>() / want.len() as f64)
        .sqrt()
        .max(1e-30);
    let difference = |(a, b): (&f32, &f64)| {
        if a.is_nan() {
            f64::INFINITY
        } else {
            (f64::from(*a) - b).abs()
        }
    };
    let largest = got.iter().zip(want).map(difference).fold(0.0, f64::max);
    let square = got
        .iter()
        .zip(want)
        .map(|p| difference(p).powi(2))
        .sum::<f64>()
        / want.len() as f64;
    (largest / rms, square.sqrt() / rms)
}

/// Every method against the definition: sides that are no multiple of a tile or smaller than one,
/// channels that are no multiple of a vector, one to three outputs.
#[test]
fn both_methods_match_the_definition_in_double_precision() {
    for (b, cin, cout, h, w, kk) in [
        (1, 1, 1, 1, 1, 3),
        (1, 3, 2, 2, 9, 5),
        (2, 4, 1, 13, 7, 3),
        (1, 5, 3, 25, 31, 3),
        (1, 2, 2, 3, 4, 7),
        (2, 3, 9, 17, 22, 7),
        (1, 19, 23, 20, 35, 3),
        (2, 17, 50, 24, 36, 3),
        (1, 33, 20, 28, 33, 5),
        (2, 9, 100, 16, 50, 5),
        (1, 24, 8, 61, 120, 5),
        (1, 40, 33, 6, 300, 3),
    ] {
        let s = ConvShape {
            b,
            cin,
            cout,
            h,
            w,
            k: kk,
        };
        let (x, dy, wt) = (
            noise(b * cin * h * w, 1),
            noise(b * cout * h * w, 2),
            noise(cin * cout * kk * kk, 3),
        );
        let want = definition(&x, &wt, &dy, s);
        for (method, most) in [
            (Method::Direct, DIRECT_TOLERANCE),
            (Method::Winograd, WINOGRAD_TOLERANCE),
        ] {
            for ((pass, got), want) in [Pass::Forward, Pass::Dx, Pass::Dw]
                .into_iter()
                .zip(passes(&x, &wt, &dy, s, method))
                .zip(&want)
            {
                let (largest, rms) = errors(&got, want);
                println!("{method:?} {pass:?} {s:?}: largest error {largest:.1e}, rms {rms:.1e}");
                assert!(
                    largest < most,
                    "{method:?} {pass:?} {s:?}: error {largest:e} of the root mean square"
                );
            }
        }
    }
}

#[test]
fn depthwise_matches_burn() {
    for (b, c, h, w, kk) in [
        (1, 1, 1, 1, 3),
        (2, 5, 4, 7, 7),
        (1, 8, 9, 16, 3),
        (3, 3, 17, 33, 5),
        (2, 16, 48, 84, 7),
        (1, 4, 5, 6, 1),
        (2, 3, 20, 19, 9),
    ] {
        check_conv(b, c, c, h, w, kk, true);
    }
}

#[test]
fn activations_match_burn() {
    type Op = fn(Tensor<B, 4>, Tensor<B, 1>, usize) -> Tensor<B, 4>;
    let ops: [(&str, Op, Op); 3] = [
        ("gelu", ops::shuffle_gelu, |x, b, r| {
            plain::shuffle_activation(x, b, r, FusedActivation::Gelu)
        }),
        ("swish", ops::shuffle_swish, |x, b, r| {
            plain::shuffle_activation(x, b, r, FusedActivation::Swish)
        }),
        ("linear", ops::shuffle_linear, plain::shuffle_linear),
    ];
    for r in 1..=5 {
        for (b, c, h, w) in [(1, 2, 3, 5), (2, 3, 7, 33), (1, 1, 2, 300)] {
            let (d, n) = ([b, c * r * r, h, w], [c * r * r]);
            for (kind, fast, want) in ops {
                let fast = run(d, n, |x, bias| fast(x, bias, r));
                let want = run(d, n, |x, bias| want(x, bias, r));
                for (i, name) in ["y", "dx", "db"].iter().enumerate() {
                    assert_close(&format!("{name} r{r} {d:?} {kind}"), &fast[i], &want[i]);
                }
            }
        }
    }
}

/// The plain gradient is what other backends run.
#[test]
fn plain_activation_gradient_matches_autodiff() {
    for activation in [FusedActivation::Gelu, FusedActivation::Swish] {
        let (x, bias, g) = (t4([2, 8, 5, 6], 1), t1(8, 2), t4([2, 2, 10, 12], 3));
        let (xr, br) = (x.clone().require_grad(), bias.clone().require_grad());
        let grads = (plain::shuffle_activation(xr.clone(), br.clone(), 2, activation) * g.clone())
            .sum()
            .backward();
        let (dx, db) =
            plain::shuffle_activation_backward(x.inner(), bias.inner(), g.inner(), 2, activation);
        assert_close("dx", &values(dx), &values(xr.grad(&grads).unwrap()));
        assert_close("db", &values(db), &values(br.grad(&grads).unwrap()));
    }
}

/// Buffers of rubbish for a kernel to fill.
fn filled<const N: usize>(lengths: [usize; N], f: impl FnOnce([&mut [f32]; N])) -> [Vec<f32>; N] {
    let mut out = lengths.map(|n| vec![f32::NAN; n]);
    f(out.each_mut().map(|v| v.as_mut_slice()));
    out
}

fn value_and_slope(x: &[f32], activation: FusedActivation) -> (Vec<f32>, Vec<f32>) {
    let (d, ones) = ([1, 1, 1, x.len()], vec![1.0; x.len()]);
    let [y, dx, _] = filled([x.len(), x.len(), 1], |[y, dx, db]| {
        k::shuffle_activation(x, &[0.0], d, 1, activation, y);
        k::shuffle_activation_backward([x, &[0.0], &ones], d, 1, activation, dx, db);
    });
    (y, dx)
}

#[test]
fn swish_matches_its_definition_in_double_precision() {
    let x: Vec<f32> = (-900..=900).map(|i| i as f32 * 0.05).collect();
    let (y, dx) = value_and_slope(&x, FusedActivation::Swish);
    for ((&x, &y), &dx) in x.iter().zip(&y).zip(&dx) {
        let (x, y, dx) = (f64::from(x), f64::from(y), f64::from(dx));
        let s = 1.0 / (1.0 + (-x).exp());
        assert!(
            (y - x * s).abs() <= 3e-7 * (x * s).abs() + 1e-30,
            "swish({x}) = {y}, not {}",
            x * s
        );
        let slope = s * (1.0 + x * (1.0 - s));
        assert!(
            (dx - slope).abs() < 1e-6,
            "slope at {x} = {dx}, not {slope}"
        );
    }
}

#[test]
fn bilinear_matches_its_definition_and_its_gradient_is_the_adjoint() {
    for (b, c, h, w, f) in [
        (1, 1, 1, 1, 2),
        (2, 3, 4, 5, 2),
        (1, 2, 7, 1, 3),
        (1, 2, 3, 33, 5),
        (1, 1, 1, 17, 1),
        (1, 1, 5, 6, 4),
    ] {
        let x = t4([b, c, h, w], 1).require_grad();
        let y = ops::bilinear(x.clone(), f);
        let g = t4([b, c, h * f, w * f], 2);
        let grads = (y.clone() * g.clone()).sum().backward();
        let (x0, fast) = (values(x.clone().inner()), values(y.inner()));
        assert_close(
            "y plain",
            &fast,
            &values(plain::bilinear(x.clone().inner(), f)),
        );
        assert_close(
            "dx plain",
            &values(x.grad(&grads).unwrap()),
            &values(plain::bilinear_backward(g.clone().inner(), f)),
        );
        // left and right neighbour, and the right one's share
        let at = |o: usize, n: usize| {
            let s = ((o as f64 + 0.5) / f as f64 - 0.5).max(0.0);
            let i = s.floor() as usize;
            [(i, 1.0 - s.fract()), ((i + 1).min(n - 1), s.fract())]
        };
        let g = values(g.inner());
        let (mut want, mut dx) = (Vec::new(), vec![0f32; x0.len()]);
        for plane in 0..b * c {
            for oy in 0..h * f {
                for ox in 0..w * f {
                    let mut sum = 0.0;
                    for (y, sy) in at(oy, h) {
                        for (x, sx) in at(ox, w) {
                            let i = (plane * h + y) * w + x;
                            sum += f64::from(x0[i]) * sx * sy;
                            dx[i] += (f64::from(g[want.len()]) * sx * sy) as f32;
                        }
                    }
                    want.push(sum as f32);
                }
            }
        }
        assert_close("y", &fast, &want);
        assert_close("dx", &values(x.grad(&grads).unwrap()), &dx);
    }
}

#[test]
fn recomputed_activations_give_the_same_gradients() {
    use burn::backend::autodiff::checkpoint::strategy::{
        BalancedCheckpointing, CheckpointStrategy, NoCheckpointing,
    };
    fn gradients<C: CheckpointStrategy>() -> Vec<Vec<f32>> {
        type A<C> = Autodiff<Flex, C>;
        let d = Default::default();
        let t = |shape: [usize; 4], seed| {
            Tensor::<A<C>, 4>::from_data(
                TensorData::new(noise(shape.iter().product(), seed), shape),
                &d,
            )
            .require_grad()
        };
        let bias = |n: usize, seed| {
            Tensor::<A<C>, 1>::from_data(TensorData::new(noise(n, seed), [n]), &d).require_grad()
        };
        let (x, w, b) = (
            t([2, 4, 6, 7], 1),
            [t([12, 4, 3, 3], 2), t([8, 3, 3, 3], 3), t([3, 2, 3, 3], 4)],
            [bias(12, 5), bias(8, 6)],
        );
        let y = ops::shuffle_gelu(ops::conv_same(x.clone(), w[0].clone()), b[0].clone(), 2);
        let y = ops::shuffle_swish(ops::conv_same(y, w[1].clone()), b[1].clone(), 2);
        let g = ops::conv_same(y, w[2].clone())
            .powi_scalar(2)
            .sum()
            .backward();
        let kernels = w.iter().chain([&x]).map(|t| values(t.grad(&g).unwrap()));
        kernels
            .chain(b.iter().map(|t| values(t.grad(&g).unwrap())))
            .collect()
    }
    assert!(gradients::<BalancedCheckpointing>() == gradients::<NoCheckpointing>());
}

#[test]
fn add_adds_and_passes_the_gradient_to_both() {
    let d = [2, 3, 50, 41];
    let (x, y, g) = (t4(d, 1).require_grad(), t4(d, 2).require_grad(), t4(d, 3));
    let sum = ops::add(x.clone(), y.clone());
    assert_eq!(
        values(sum.clone().inner()),
        values((x.clone() + y.clone()).inner())
    );
    let grads = (sum * g.clone()).sum().backward();
    let g = values(g.inner());
    assert!(values(x.grad(&grads).unwrap()) == g && values(y.grad(&grads).unwrap()) == g);
}

#[test]
fn adam_is_burns() {
    use burn::module::{AutodiffModule, Module, Param};
    use burn::optim::{AdamConfig, GradientsParams, Optimizer, adaptor::OptimizerAdaptor};
    #[derive(Module, Debug)]
    struct One<B: burn::tensor::backend::Backend> {
        x: Param<Tensor<B, 1>>,
    }
    let n = 40_001;
    let mut net = One::<B> {
        x: Param::from_tensor(t1(n, 1).require_grad()),
    };
    let mut optimiser: OptimizerAdaptor<_, One<B>, B> = AdamConfig::new().with_epsilon(1e-8).init();
    let (mut x, mut m, mut v) = (
        t1(n, 1).inner(),
        Tensor::zeros([n], &Default::default()),
        Tensor::zeros([n], &Default::default()),
    );
    let (mut xp, mut mp, mut vp) = (x.clone(), m.clone(), v.clone());
    for t in 1..=4 {
        let g = t1(n, 10 + t as u64);
        let grads = (net.x.val() * g.clone()).sum().backward();
        net = optimiser.step(0.01, net.clone(), GradientsParams::from_grads(grads, &net));
        let step = AdamStep::new(0.01, 1e-8, t);
        [x, m, v] = ops::adam(x, g.clone().inner(), m, v, step);
        [xp, mp, vp] = plain::adam([xp, g.inner(), mp, vp], step);
        assert_close("x", &values(x.clone()), &values(net.valid().x.val()));
        for (what, a, b) in [("x", &x, &xp), ("m", &m, &mp), ("v", &v, &vp)] {
            assert_close(
                &format!("plain {what}"),
                &values(a.clone()),
                &values(b.clone()),
            );
        }
    }
}

#[test]
fn orthogonal_matches_plain_products_and_orthogonalises() {
    for [rows, columns] in [[1, 1], [5, 3], [24, 24], [33, 225], [297, 100], [112, 825]] {
        let x = Tensor::<Flex, 2>::from_data(
            TensorData::new(noise(rows * columns, 3), [rows, columns]),
            &Default::default(),
        );
        let fast = ops::orthogonal(x.clone());
        // the iteration amplifies rounding of the small singular values
        let (a, b) = (values(fast.clone()), values(plain::orthogonal(x)));
        let worst = a
            .iter()
            .zip(&b)
            .fold(0f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(worst < 2e-4, "{rows}x{columns}: differs by {worst}");
        if rows != columns {
            let small = if rows < columns {
                fast.clone().matmul(fast.transpose())
            } else {
                fast.clone().transpose().matmul(fast)
            };
            let n = rows.min(columns);
            for (i, v) in values(small).iter().enumerate() {
                let diagonal = i % (n + 1) == 0;
                // Muon's coefficients bring singular values to about 0.7..1.2, not to 1
                assert!(
                    if diagonal {
                        (0.3..1.6).contains(v)
                    } else {
                        v.abs() < 0.5
                    },
                    "{rows}x{columns}: product {i} is {v}"
                );
            }
        }
    }
}

#[test]
fn shuffles_are_inverse_and_exact() {
    for r in 1..=6 {
        let x = t4([2, 3, 4 * r, 7 * r], 5).require_grad();
        let down = ops::pixel_unshuffle(x.clone(), r);
        assert_eq!(
            values(down.clone().inner()),
            values(plain::pixel_unshuffle(x.clone(), r).inner())
        );
        let up = ops::pixel_shuffle(down.clone(), r);
        assert_eq!(values(up.inner()), values(x.clone().inner()));
        let g = t4(down.dims(), 6);
        let grads = (down * g.clone()).sum().backward();
        assert_eq!(
            values(x.grad(&grads).unwrap()),
            values(plain::pixel_shuffle(g, r).inner())
        );
    }
}

#[test]
fn ste_round_rounds_and_passes_the_gradient() {
    let x = Tensor::<B, 1>::from_floats([0.4, 1.6, -2.7], &Default::default()).require_grad();
    let y = ops::ste_round(x.clone());
    assert_eq!(values(y.clone().inner()), [0.0, 2.0, -3.0]);
    let grads = (y * Tensor::from_floats([2.0, 3.0, 5.0], &Default::default()))
        .sum()
        .backward();
    assert_eq!(values(x.grad(&grads).unwrap()), [2.0, 3.0, 5.0]);
}

#[test]
fn untracked_and_transposed_inputs_work() {
    let (x, w) = (t4([1, 6, 5, 4], 1), t4([4, 6, 3, 3], 2).require_grad());
    let fast = ops::conv_same(x.clone().swap_dims(2, 3), w.clone());
    let want = plain::conv_same(x.swap_dims(2, 3), w.clone(), false);
    let g = fast.clone().sum().backward();
    let gw = want.clone().sum().backward();
    assert_close("y", &values(fast.inner()), &values(want.inner()));
    assert_close(
        "dw",
        &values(w.grad(&g).unwrap()),
        &values(w.grad(&gw).unwrap()),
    );
}

/// `Phi(x)` by the series of erf, in f64.
fn phi(x: f64) -> f64 {
    let z = x / 2f64.sqrt();
    let (mut term, mut sum) = (z, z);
    for n in 1..200 {
        term *= -z * z / n as f64;
        sum += term / (2 * n + 1) as f64;
    }
    0.5 * (1.0 + 2.0 / std::f64::consts::PI.sqrt() * sum)
}

#[test]
fn gelu_is_the_exact_one_and_its_gradient_the_finite_difference() {
    let x: Vec<f32> = (-500..=500).map(|i| i as f32 * 0.01).collect();
    let (y, dx) = value_and_slope(&x, FusedActivation::Gelu);
    let gelu = |x: f64| x * phi(x);
    for ((&x, &y), &dx) in x.iter().zip(&y).zip(&dx) {
        let x = f64::from(x);
        let (y, dx) = (f64::from(y), f64::from(dx));
        assert!(
            (y - gelu(x)).abs() < 5e-7,
            "gelu({x}) = {y}, not {}",
            gelu(x)
        );
        let slope = (gelu(x + 1e-4) - gelu(x - 1e-4)) / 2e-4;
        assert!(
            (dx - slope).abs() < 1e-6,
            "slope at {x} = {dx}, not {slope}"
        );
    }
    let (far, _) = value_and_slope(&[-1e4, 1e4, -40.0, 0.0], FusedActivation::Gelu);
    assert!(
        far[0].abs() < 1e-30 && far[2].abs() < 1e-30 && far[1] == 1e4 && far[3] == 0.0,
        "{far:?}"
    );
}

#[test]
fn any_thread_count_gives_the_same_bits() {
    let all = || {
        let mut out: Vec<Vec<f32>> = Vec::new();
        for s in [
            ConvShape {
                b: 2,
                cin: 9,
                cout: 21,
                h: 37,
                w: 70,
                k: 5,
            },
            ConvShape {
                b: 1,
                cin: 23,
                cout: 3,
                h: 60,
                w: 101,
                k: 3,
            },
            ConvShape {
                b: 3,
                cin: 48,
                cout: 200,
                h: 4,
                w: 7,
                k: 1,
            },
            ConvShape {
                b: 1,
                cin: 17,
                cout: 150,
                h: 20,
                w: 35,
                k: 3,
            },
            ConvShape {
                b: 2,
                cin: 8,
                cout: 33,
                h: 60,
                w: 105,
                k: 5,
            },
        ] {
            let (x, dy) = (
                noise(s.b * s.cin * s.h * s.w, 1),
                noise(s.b * s.cout * s.h * s.w, 2),
            );
            let w = noise(s.cin * s.cout * s.k * s.k, 3);
            out.extend(passes(&x, &w, &dy, s, Method::Direct));
            if s.k > 1 {
                out.extend(passes(&x, &w, &dy, s, Method::Winograd));
            }
        }
        let s = ConvShape {
            b: 2,
            cin: 20,
            cout: 20,
            h: 48,
            w: 84,
            k: 7,
        };
        let (x, dy, w) = (
            noise(2 * 20 * 48 * 84, 4),
            noise(2 * 20 * 48 * 84, 5),
            noise(20 * 49, 6),
        );
        let n = x.len();
        out.extend(filled([n, n, w.len()], |[y, dx, dw]| {
            k::depthwise(&x, &w, s, y);
            k::depthwise_dx(&dy, &w, s, dx);
            k::depthwise_dw(&x, &dy, s, dw);
        }));
        let d = [2, 20, 48, 84];
        let bias = noise(20, 7);
        out.extend(filled(
            [n, n, 20, 20, n, n, 4 * n, n],
            |[y, dx, db, sums, down, norm, up, back]| {
                k::shuffle_activation(&x, &bias, d, 2, FusedActivation::Gelu, y);
                k::shuffle_activation_backward(
                    [&x, &bias, &dy],
                    d,
                    2,
                    FusedActivation::Swish,
                    dx,
                    db,
                );
                k::channel_sums(&x, d, sums);
                k::pixel_unshuffle(&x, d, 2, down);
                k::channel_norm(&x, &bias, &bias, 48 * 84, 1e-6, norm);
                k::bilinear(&x, 48, 84, 2, up);
                k::bilinear_backward(&x, 24, 42, 2, &mut back[..n / 4]);
            },
        ));
        let s = k::ErrorShape {
            planes: 40,
            channels: 1,
            rows: 48,
            columns: 84,
            height: 47,
            width: 80,
        };
        out.push(vec![k::squared_error(&x, &dy, &[1.0], s)]);
        out.extend(filled([120 * 130], |[turned]| {
            k::orthogonal(&noise(120 * 130, 8), 120, 130, turned)
        }));
        out
    };
    let with = |n| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(n)
            .build()
            .unwrap()
            .install(all)
    };
    let bits = |v: Vec<Vec<f32>>| {
        v.into_iter()
            .map(|v| v.into_iter().map(f32::to_bits).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    let one = bits(with(1));
    for n in [2, 3] {
        assert!(bits(with(n)) == one, "{n} threads differ from 1");
    }
}

#[test]
fn channel_norm_matches_burn() {
    for d in [[1, 64, 5, 9], [2, 7, 3, 4], [3, 1, 2, 2]] {
        let c = d[1];
        let with = |f: &dyn Fn(Tensor<B, 4>, Tensor<B, 1>, Tensor<B, 1>) -> Tensor<B, 4>| {
            let (x, gain, bias) = (
                t4(d, 1).mul_scalar(3.0).require_grad(),
                t1(c, 2).require_grad(),
                t1(c, 4).require_grad(),
            );
            let y = f(x.clone(), gain.clone(), bias.clone());
            let g = (y.clone() * t4(d, 3)).sum().backward();
            [
                values(y.inner()),
                values(x.grad(&g).unwrap()),
                values(gain.grad(&g).unwrap()),
                values(bias.grad(&g).unwrap()),
            ]
        };
        let (fast, want) = (with(&ops::channel_norm), with(&plain::channel_norm));
        for (i, name) in ["y", "dx", "dgain", "dbias"].iter().enumerate() {
            // one channel has no deviation: its gradient is pure rounding noise
            if c > 1 || *name != "dx" {
                assert_close(&format!("{name} {d:?}"), &fast[i], &want[i]);
            }
        }
    }
}

#[test]
fn fake_quant_rounds_and_passes_the_gradient() {
    let n = 1000;
    let (x, log_step) = (
        t1(n, 1).require_grad(),
        t1(1, 2).mul_scalar(0.5).sub_scalar(2.0).require_grad(),
    );
    let step = values(log_step.clone().inner())[0].exp();
    let y = ops::fake_quant(x.clone(), log_step.clone());
    let weights = t1(n, 3);
    let g = (y.clone() * weights.clone()).sum().backward();
    let (x0, y, w) = (
        values(x.clone().inner()),
        values(y.inner()),
        values(weights.inner()),
    );
    for (x, y) in x0.iter().zip(&y) {
        assert!(
            (y / step - (y / step).round()).abs() < 1e-3 && (x - y).abs() <= 0.5001 * step,
            "{x} became {y}, step {step}"
        );
    }
    assert_eq!(
        values(x.grad(&g).unwrap()),
        w,
        "the gradient passes unchanged"
    );
    // learned step: step * sum(g * (round(v) - v)), v = x / step
    let want: f64 = x0
        .iter()
        .zip(&w)
        .map(|(x, g)| f64::from(*g) * f64::from((x / step).round_ties_even() - x / step))
        .sum::<f64>()
        * f64::from(step);
    let got = f64::from(values(log_step.grad(&g).unwrap())[0]);
    assert!(
        (got - want).abs() < 1e-4 * want.abs().max(0.01),
        "{got} instead of {want}"
    );
}
