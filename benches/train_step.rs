//! Time of a whole training step (forward, backward, Adam) of a small HNeRV-like decoder, and of its parts.
//!
//! `cargo bench --bench train_step -- [--batch N] [--threads N] [--steps N] [--parts]`
//!
//! One line a configuration: `nvc batch threads min_ms median_ms`. Without arguments: batch 1 and 2, threads 1 and 2.

use burn::backend::{Autodiff, Flex};
use burn::module::{Module, Param};
use burn::optim::{Adam, AdamConfig, GradientsParams, Optimizer, adaptor::OptimizerAdaptor};
use burn::tensor::{Distribution, Tensor, backend::Backend};
use nvc::fit::kernels::{self as k, ConvShape};
use nvc::fit::ops::{self, FastOps};
use std::hint::black_box;
use std::time::Instant;

/// Input channels, channels before the shuffle, kernel, shuffle, then height and width of the input.
const LAYERS: [(usize, usize, usize, usize, usize, usize); 6] = [
    (16, 48, 1, 1, 4, 7),
    (48, 40 * 25, 1, 5, 4, 7),
    (40, 33 * 9, 3, 3, 20, 35),
    (33, 28 * 4, 5, 2, 60, 105),
    (28, 23 * 4, 5, 2, 120, 210),
    (23, 3, 3, 1, 240, 420),
];

fn shape(layer: usize, b: usize) -> ConvShape {
    let (cin, cout, k, _, h, w) = LAYERS[layer];
    ConvShape { b, cin, cout, h, w, k }
}

/// Forward multiply-accumulates of one frame.
fn macs() -> usize {
    (0..LAYERS.len()).map(|i| shape(i, 1).macs()).sum()
}

#[derive(Module, Debug)]
struct Net<B: Backend> {
    emb: Param<Tensor<B, 4>>,
    w: Vec<Param<Tensor<B, 4>>>,
    b: Vec<Param<Tensor<B, 1>>>,
}

impl<B: FastOps> Net<B> {
    fn new(batch: usize, d: &B::Device) -> Self {
        let normal =
            |s: [usize; 4], std: f64| Param::from_tensor(Tensor::<B, 4>::random(s, Distribution::Normal(0.0, std), d).require_grad());
        Net {
            emb: normal([batch, 16, 4, 7], 1.0),
            w: LAYERS.iter().map(|&(i, o, k, ..)| normal([o, i, k, k], (1.0 / (i * k * k) as f64).sqrt())).collect(),
            b: LAYERS.iter().map(|l| Param::from_tensor(Tensor::zeros([l.1], d).require_grad())).collect(),
        }
    }
    fn forward(&self) -> Tensor<B, 4> {
        let mut x = self.emb.val();
        for (i, l) in LAYERS.iter().enumerate() {
            let y = ops::conv_same(x, self.w[i].val());
            let act = if i + 1 < LAYERS.len() { ops::shuffle_gelu } else { ops::shuffle_linear };
            x = act(y, self.b[i].val(), l.3);
        }
        x
    }
}

fn train(batch: usize, steps: usize) -> Vec<f64> {
    type B = Autodiff<Flex>;
    let d = Default::default();
    B::seed(&d, 1);
    let mut net = Net::<B>::new(batch, &d);
    let mut opt: OptimizerAdaptor<Adam, Net<B>, B> = AdamConfig::new().with_epsilon(1e-8).init();
    let target = Tensor::<B, 4>::random([batch, 3, 240, 420], Distribution::Uniform(0.0, 1.0), &d);
    let mut times = Vec::new();
    for i in 0..steps + 2 {
        let start = Instant::now();
        let diff = net.forward() - target.clone();
        let loss = (diff.clone() * diff).mean();
        let grads = GradientsParams::from_grads(loss.backward(), &net);
        net = opt.step(1e-3, net, grads);
        black_box(loss.into_scalar());
        if i >= 2 {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    times
}

fn min_median(mut t: Vec<f64>) -> (f64, f64) {
    t.sort_by(f64::total_cmp);
    (t[0], t[t.len() / 2])
}

fn time<T>(mut f: impl FnMut() -> T) -> f64 {
    black_box(f());
    let once = |f: &mut dyn FnMut() -> T| {
        let start = Instant::now();
        black_box(f());
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..7).map(|_| once(&mut f)).fold(f64::INFINITY, f64::min)
}

/// Multiply-adds a second, in G, of register-only code on one thread.
fn peak() -> f64 {
    struct Fma;
    impl pulp::WithSimd for Fma {
        type Output = f64;
        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, s: S) -> f64 {
            let mut acc = [s.splat_f32s(1.0); 12];
            let (a, b) = (s.splat_f32s(black_box(0.999)), s.splat_f32s(black_box(0.001)));
            let n = 20_000_000;
            let start = Instant::now();
            for _ in 0..n {
                for acc in &mut acc {
                    *acc = s.mul_add_e_f32s(*acc, a, b);
                }
            }
            let t = start.elapsed().as_secs_f64();
            black_box(acc.map(|a| s.reduce_sum_f32s(a)));
            (n * 12 * S::F32_LANES) as f64 / t * 1e-9
        }
    }
    (0..3).map(|_| pulp::Arch::new().dispatch(Fma)).fold(0.0, f64::max)
}

/// Each kernel of each layer alone.
fn parts(b: usize) {
    println!("peak of one thread: {:.1} GMAC/s", peak());
    let noise = |n: usize| (0..n).map(|i| ((i * 2654435761) % 1000) as f32 / 500.0 - 1.0).collect::<Vec<f32>>();
    let mut total = [0.0; 5];
    for (i, layer) in LAYERS.iter().enumerate() {
        let (s, r) = (shape(i, b), layer.3);
        let (x, y, w) = (noise(s.b * s.cin * s.h * s.w), noise(s.b * s.cout * s.h * s.w), noise(s.cout * s.cin * s.k * s.k));
        let (bias, d) = (noise(s.cout), [s.b, s.cout, s.h, s.w]);
        let t = [
            time(|| k::conv(&x, &w, s)),
            time(|| k::conv_dx(&y, &w, s)),
            time(|| k::conv_dw(&x, &y, s)),
            time(|| k::shuffle_curve(&y, &bias, d, r, ops::Curve::Gelu)),
            time(|| k::shuffle_curve_backward(&y, &bias, &y, d, r, ops::Curve::Gelu)),
        ];
        let rate = |t: f64| s.macs() as f64 / t * 1e-6;
        println!(
            "layer {i}: fwd {:.2} ms {:.1} G, dx {:.2} ms {:.1} G, dw {:.2} ms {:.1} G, act {:.2} ms, act backward {:.2} ms",
            t[0],
            rate(t[0]),
            t[1],
            rate(t[1]),
            t[2],
            rate(t[2]),
            t[3],
            t[4]
        );
        total.iter_mut().zip(t).for_each(|(a, t)| *a += t);
    }
    println!("sum: fwd {:.1} dx {:.1} dw {:.1} act {:.2} act backward {:.2} ms", total[0], total[1], total[2], total[3], total[4]);
    let s = ConvShape { b, cin: 64, cout: 64, h: 48, w: 84, k: 7 };
    let (x, w) = (noise(b * 64 * 48 * 84), noise(64 * 49));
    let t = [time(|| k::depthwise(&x, &w, s)), time(|| k::depthwise_dx(&x, &w, s)), time(|| k::depthwise_dw(&x, &x, s))];
    println!("depthwise 7x7, 64 channels, 48x84: fwd {:.2} dx {:.2} dw {:.2} ms", t[0], t[1], t[2]);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let get = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1)).and_then(|v| v.parse::<usize>().ok());
    let one_or_both = |v: Option<usize>| v.map_or(vec![1, 2], |v| vec![v]);
    let steps = get("--steps").unwrap_or(12);
    for batch in one_or_both(get("--batch")) {
        for threads in one_or_both(get("--threads")) {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            if args.iter().any(|a| a == "--parts") {
                pool.install(|| parts(batch));
                continue;
            }
            let (min, median) = min_median(pool.install(|| train(batch, steps)));
            let rate = (3 * batch * macs()) as f64 / min * 1e-6;
            println!("nvc {batch} {threads} {min:.1} {median:.1}  # {rate:.1} GMAC/s");
        }
    }
    Ok(())
}
