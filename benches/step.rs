//! Time of whole training steps (forward, backward, Adam) of three decoders, and of their
//! convolutions alone.
//!
//! `cargo bench --bench step -- [NETWORK...] [--batch N] [--threads N] [--steps N] [--parts [--layer N]]`
//!
//! Networks: `hnerv-0.1m` (416x240 4:2:0), `hnerv-0.75m` (1280x640 RGB), `hnerv-1080p` (3M,
//! 1920x1088 4:2:0), `nervpp-s` (1280x720 RGB). Without arguments: the first two at batch 1 and 2,
//! two threads. `--recompute` keeps no output of activations; `--no-parts` leaves the convolutions
//! alone out. One line a configuration: `nvc NETWORK batch threads min_ms median_ms`, then rates
//! after a `#`. GMAC/s count the multiplications of a direct convolution; `done` are those really
//! computed.

use burn::backend::autodiff::checkpoint::strategy::{
    BalancedCheckpointing, CheckpointStrategy, NoCheckpointing,
};
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Distribution, Tensor, backend::Backend};
use nvc::frame::{Chroma, PixelFormat, Ratio, VideoInfo};
use nvc::network::{FusedConv, Graph, Representation};
use nvc_encoder::fit::kernels::{self as k, ConvShape, Method, Pass};
use nvc_encoder::fit::ops::{self, AdamStep, FusedActivation};
use nvc_encoder::size;
use std::hint::black_box;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type A<C> = Autodiff<Flex, C>;

/// One convolution of a network: its geometry at batch 1, whether depthwise, and the shuffle after
/// it.
#[derive(Clone, Copy)]
struct Layer {
    s: ConvShape,
    depthwise: bool,
    factor: usize,
    curved: bool,
}

enum Network {
    Hnerv(Graph, Vec<FusedConv>),
    /// NeRV++ S (Ghorbel et al., 2024) as far as it is published; the inner layout is a
    /// reconstruction.
    NervPp,
}

/// Strides of NeRV++ S and channels after each.
const NERVPP: [(usize, usize); 5] = [(5, 26), (2, 80), (2, 80), (2, 80), (2, 80)];
const NERVPP_GRID: [usize; 3] = [26, 9, 16];

fn video(width: usize, height: usize, chroma: Chroma) -> VideoInfo {
    let format = PixelFormat::new8(chroma);
    VideoInfo {
        fps: Ratio { num: 25, den: 1 },
        ..VideoInfo::new(width, height, format)
    }
}

fn network(name: &str) -> Result<Network, Box<dyn std::error::Error>> {
    let hnerv = |info: VideoInfo, stem: Option<u32>, params: f64| {
        let h = match stem {
            Some(stem) => size::hnerv::with_stem(
                &size::strides::stride_plan(info.width, info.height),
                16,
                stem,
                &Default::default(),
            ),
            None => size::hnerv::for_params(&info, 1, params, &Default::default())?,
        };
        let graph = h.lower(&info, 1)?;
        let convs = graph.fused_convs().ok_or("not made of convolutions")?;
        Ok(Network::Hnerv(graph, convs))
    };
    match name {
        "hnerv-0.1m" => hnerv(video(416, 240, Chroma::Yuv420), None, 1e5),
        "hnerv-0.75m" => hnerv(video(1280, 640, Chroma::Rgb), Some(48), 0.0),
        "hnerv-1080p" => hnerv(video(1920, 1088, Chroma::Yuv420), None, 3e6),
        "nervpp-s" => Ok(Network::NervPp),
        _ => Err(format!(
            "no network {name} (there are hnerv-0.1m, hnerv-0.75m, hnerv-1080p, nervpp-s)"
        )
        .into()),
    }
}

impl Network {
    /// Convolutions in the order in which [`Self::forward`] takes their parameters.
    fn layers(&self) -> Vec<Layer> {
        let layer = |cin, cout, k, h, w| Layer {
            s: ConvShape {
                b: 1,
                cin,
                cout,
                h,
                w,
                k,
            },
            depthwise: false,
            factor: 1,
            curved: false,
        };
        match self {
            Network::Hnerv(graph, convs) => convs
                .iter()
                .map(|c| {
                    let ([cout, cin, k, _], [_, h, w]) =
                        (graph.tensors[c.weight].shape, graph.nodes[c.conv].shape);
                    Layer {
                        factor: c.factor,
                        curved: c.activation.is_some(),
                        ..layer(cin, cout, k, h, w)
                    }
                })
                .collect(),
            Network::NervPp => {
                let [mut c, mut h, mut w] = NERVPP_GRID;
                let mut all = vec![
                    Layer {
                        curved: true,
                        ..layer(80, 512, 1, 1, 1)
                    },
                    Layer {
                        curved: true,
                        ..layer(512, c * h * w, 1, 1, 1)
                    },
                ];
                let scrb = |all: &mut Vec<Layer>, c, h, w| {
                    all.push(Layer {
                        depthwise: true,
                        curved: true,
                        ..layer(c, c, 3, h, w)
                    });
                    all.push(layer(c, c, 1, h, w));
                };
                for (s, out) in NERVPP {
                    scrb(&mut all, c, h, w);
                    all.push(Layer {
                        factor: s,
                        curved: true,
                        ..layer(c, out * s * s, 3, h, w)
                    });
                    (h, w) = (h * s, w * s);
                    scrb(&mut all, out, h, w);
                    all.push(layer(c, out, 1, h, w));
                    c = out;
                }
                all.push(layer(c, 3, 1, h, w));
                all
            }
        }
    }

    /// Shape of what stands for the content of a frame.
    fn latent(&self) -> [usize; 3] {
        match self {
            Network::Hnerv(graph, _) => graph.latent_shape(),
            Network::NervPp => [80, 1, 1],
        }
    }

    fn forward<C: CheckpointStrategy>(
        &self,
        x: Tensor<A<C>, 4>,
        w: &[Tensor<A<C>, 4>],
        b: &[Tensor<A<C>, 1>],
    ) -> Vec<Tensor<A<C>, 4>> {
        match self {
            Network::Hnerv(graph, convs) => {
                let mut values: Vec<Option<Tensor<A<C>, 4>>> = vec![None; graph.nodes.len()];
                values[0] = Some(x);
                for (i, c) in convs.iter().enumerate() {
                    // what no later convolution reads is let go
                    let read_later = convs[i + 1..].iter().any(|l| l.input == c.input);
                    let x = if read_later {
                        values[c.input].clone()
                    } else {
                        values[c.input].take()
                    };
                    let y = ops::conv_same(x.expect("an earlier convolution"), w[i].clone());
                    let act = if c.activation.is_some() {
                        ops::shuffle_gelu
                    } else {
                        ops::shuffle_linear
                    };
                    values[c.end] = Some(act(y, b[i].clone(), c.factor));
                }
                let mut heads: Vec<usize> = graph.outputs.iter().map(|o| o.node).collect();
                heads.dedup();
                heads
                    .into_iter()
                    .map(|n| values[n].take().expect("a head"))
                    .collect()
            }
            Network::NervPp => {
                let mut at = 0;
                let mut next = || {
                    at += 1;
                    (w[at - 1].clone(), b[at - 1].clone())
                };
                let swish = |x, (w, b): (Tensor<A<C>, 4>, Tensor<A<C>, 1>), r| {
                    ops::shuffle_swish(ops::conv_same(x, w), b, r)
                };
                let linear = |x, (w, b): (Tensor<A<C>, 4>, Tensor<A<C>, 1>)| {
                    ops::shuffle_linear(ops::conv_same(x, w), b, 1)
                };
                let scrb =
                    |x: Tensor<A<C>, 4>, depthwise: (Tensor<A<C>, 4>, Tensor<A<C>, 1>), mix| {
                        let y = ops::shuffle_swish(
                            ops::conv_same_depthwise(x.clone(), depthwise.0),
                            depthwise.1,
                            1,
                        );
                        ops::add(x, linear(y, mix))
                    };
                let x = swish(x, next(), 1);
                let x = swish(x, next(), 1);
                let [c, h, width] = NERVPP_GRID;
                let mut x = x.clone().reshape([x.dims()[0], c, h, width]);
                for (s, _) in NERVPP {
                    let y = scrb(x.clone(), next(), next());
                    let u = scrb(swish(y, next(), s), next(), next());
                    x = ops::add(u, linear(ops::bilinear(x, s), next()));
                }
                vec![linear(x, next())]
            }
        }
    }
}

/// Milliseconds of each step after the first two.
fn train<C: CheckpointStrategy>(net: &Network, batch: usize, steps: usize) -> Vec<f64> {
    let d = Default::default();
    A::<C>::seed(&d, 1);
    let normal =
        |s: [usize; 4], std: f64| Tensor::<A<C>, 4>::random(s, Distribution::Normal(0.0, std), &d);
    let layers = net.layers();
    let [c, h, w] = net.latent();
    // the latent is the last of the kernels
    let mut kernels: Vec<Tensor<A<C>, 4>> = layers
        .iter()
        .map(|l| {
            let cin = if l.depthwise { 1 } else { l.s.cin };
            normal(
                [l.s.cout, cin, l.s.k, l.s.k],
                (1.0 / (cin * l.s.k * l.s.k) as f64).sqrt(),
            )
        })
        .collect();
    kernels.push(normal([batch, c, h, w], 1.0));
    let mut biases: Vec<Tensor<A<C>, 1>> = layers
        .iter()
        .map(|l| Tensor::zeros([l.s.cout], &d))
        .collect();
    let mut moments: Vec<_> = kernels
        .iter()
        .map(|t| {
            [
                t.clone().inner().zeros_like(),
                t.clone().inner().zeros_like(),
            ]
        })
        .collect();
    let mut bias_moments: Vec<_> = biases
        .iter()
        .map(|t| {
            [
                t.clone().inner().zeros_like(),
                t.clone().inner().zeros_like(),
            ]
        })
        .collect();
    let mut targets: Vec<Tensor<A<C>, 4>> = Vec::new();
    let mut times = Vec::new();
    for i in 0..steps + 2 {
        let start = Instant::now();
        kernels = kernels.into_iter().map(|t| t.require_grad()).collect();
        biases = biases.into_iter().map(|t| t.require_grad()).collect();
        let outputs = net.forward(kernels[layers.len()].clone(), &kernels, &biases);
        if targets.is_empty() {
            targets = outputs
                .iter()
                .map(|o| Tensor::random(o.dims(), Distribution::Uniform(0.0, 1.0), &d))
                .collect();
        }
        let losses = outputs.into_iter().zip(&targets).map(|(o, t)| {
            let planes = t.dims()[1];
            ops::squared_error(o, t.clone(), &vec![1.0 / planes as f32; planes])
        });
        let loss = losses.reduce(|a, b| a + b).expect("an output");
        let mut grads = loss.backward();
        let step = AdamStep::new(1e-3, 1e-8, i + 1);
        for (t, m) in kernels.iter_mut().zip(&mut moments) {
            update(t, m, &mut grads, step);
        }
        for (t, m) in biases.iter_mut().zip(&mut bias_moments) {
            update(t, m, &mut grads, step);
        }
        black_box(loss.into_scalar());
        if i >= 2 {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    times
}

fn update<C: CheckpointStrategy, const D: usize>(
    t: &mut Tensor<A<C>, D>,
    moments: &mut [Tensor<Flex, D>; 2],
    grads: &mut <A<C> as burn::tensor::backend::AutodiffBackend>::Gradients,
    step: AdamStep,
) {
    if let Some(g) = t.grad_remove(grads) {
        let [m, v] = moments.clone();
        let [x, m, v] = ops::adam(t.clone().inner(), g, m, v, step);
        *t = Tensor::from_inner(x);
        *moments = [m, v];
    }
}

fn min_median(mut t: Vec<f64>) -> (f64, f64) {
    t.sort_by(f64::total_cmp);
    (t[0], t[t.len() / 2])
}

/// Least of `n` runs, in ms, after one to warm up.
fn time<T>(n: usize, mut f: impl FnMut() -> T) -> f64 {
    black_box(f());
    let once = |f: &mut dyn FnMut() -> T| {
        let start = Instant::now();
        black_box(f());
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..n).map(|_| once(&mut f)).fold(f64::INFINITY, f64::min)
}

/// Multiply-adds a second, in G, of register-only code on one thread.
fn peak() -> f64 {
    struct Fma;
    impl pulp::WithSimd for Fma {
        type Output = f64;
        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, s: S) -> f64 {
            let mut acc = [s.splat_f32s(1.0); 12];
            let (a, b) = (
                s.splat_f32s(black_box(0.999)),
                s.splat_f32s(black_box(0.001)),
            );
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
    (0..3)
        .map(|_| pulp::Arch::new().dispatch(Fma))
        .fold(0.0, f64::max)
}

/// Most resident memory of this process so far, in MB; 0 where the system does not tell.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|l| {
        l.strip_prefix("VmHWM:")?
            .trim()
            .strip_suffix("kB")?
            .trim()
            .parse::<f64>()
            .ok()
    });
    kib.unwrap_or(0.0) / 1024.0
}

const PASSES: [Pass; 3] = [Pass::Forward, Pass::Dx, Pass::Dw];

/// Milliseconds of the convolutions of one step and the multiplications (direct, done); with `show`
/// a line a layer, both methods and the activations beside.
fn convolutions(net: &Network, batch: usize, show: bool, only: Option<usize>) -> (f64, f64, f64) {
    let noise = |n: usize| {
        (0..n)
            .map(|i| ((i * 2654435761) % 1000) as f32 / 500.0 - 1.0)
            .collect::<Vec<f32>>()
    };
    let (mut total, mut direct, mut done) = (0.0, 0.0, 0.0);
    let mut act_total = [0.0; 2];
    for (i, layer) in net
        .layers()
        .into_iter()
        .enumerate()
        .filter(|(i, _)| only.is_none_or(|o| o == *i))
    {
        let s = ConvShape {
            b: batch,
            ..layer.s
        };
        let (x, y) = (
            noise(s.b * s.cin * s.h * s.w),
            noise(s.b * s.cout * s.h * s.w),
        );
        let runs = if s.macs() > 4_000_000_000 { 1 } else { 5 };
        if layer.depthwise {
            let w = noise(s.cout * s.k * s.k);
            let (mut out, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
            let t = [
                time(runs, || k::depthwise(&x, &w, s, &mut out)),
                time(runs, || k::depthwise_dx(&y, &w, s, &mut out)),
                time(runs, || k::depthwise_dw(&x, &y, s, &mut dw)),
            ];
            let macs = 3.0 * s.macs() as f64 / s.cin as f64;
            (total, direct, done) = (total + t.iter().sum::<f64>(), direct + macs, done + macs);
            if show {
                println!("layer {i}: depthwise {s:?}: {t:.2?} ms");
            }
            continue;
        }
        let w = noise(s.cout * s.cin * s.k * s.k);
        let mut out = [vec![0.0; y.len()], vec![0.0; x.len()], vec![0.0; w.len()]];
        let mut line = format!("layer {i}: {}->{} k{} {}x{}:", s.cin, s.cout, s.k, s.h, s.w);
        for (pass, out) in PASSES.into_iter().zip(&mut out) {
            let chosen = k::method(s, pass);
            let mut run = |method: Method| {
                time(runs, || match pass {
                    Pass::Forward => k::conv(&x, &w, s, method, out),
                    Pass::Dx => k::conv_dx(&y, &w, s, method, out),
                    Pass::Dw => k::conv_dw(&x, &y, s, method, out),
                })
            };
            let t = run(chosen);
            (total, direct, done) = (
                total + t,
                direct + s.macs() as f64,
                done + k::products(s, chosen, pass) as f64,
            );
            if show {
                let rate = |t: f64| s.macs() as f64 / t * 1e-6;
                line += &format!(" {pass:?} {chosen:?} {t:.2} ms {:.0} G", rate(t));
                if (3..=7).contains(&s.k) {
                    let other = if chosen == Method::Direct {
                        Method::Winograd
                    } else {
                        Method::Direct
                    };
                    let t = run(other);
                    line += &format!(" ({other:?} {t:.2} ms)");
                }
                line += ";";
            }
        }
        if show {
            println!("{line}");
            let (bias, mut db, d) = (noise(s.cout), noise(s.cout), [s.b, s.cout, s.h, s.w]);
            if layer.curved {
                act_total[0] += time(runs, || {
                    k::shuffle_activation(
                        &y,
                        &bias,
                        d,
                        layer.factor,
                        FusedActivation::Gelu,
                        &mut out[0],
                    )
                });
                act_total[1] += time(runs, || {
                    k::shuffle_activation_backward(
                        [&y, &bias, &y],
                        d,
                        layer.factor,
                        FusedActivation::Gelu,
                        &mut out[0],
                        &mut db,
                    );
                });
            }
        }
    }
    if show {
        println!(
            "convolutions {total:.1} ms, activations {:.2} ms, backward {:.2} ms",
            act_total[0], act_total[1]
        );
    }
    (total, direct * 1e-6, done * 1e-6)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let get = |name: &str| {
        args.iter()
            .position(|a| a == name)
            .and_then(|i| args.get(i + 1))
            .and_then(|v| v.parse::<usize>().ok())
    };
    let mut names: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .filter(|a| a.contains("-s") || a.contains("-0") || a.contains("-1"))
        .filter(|a| !a.starts_with("--"))
        .collect();
    if names.is_empty() {
        names = vec!["hnerv-0.1m", "hnerv-0.75m"];
    }
    let threads = get("--threads").unwrap_or(2);
    let batches = get("--batch").map_or(vec![1, 2], |v| vec![v]);
    let ceiling = peak() * threads as f64;
    for name in names {
        let net = network(name)?;
        for &batch in &batches {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()?;
            let show = args.iter().any(|a| a == "--parts");
            ops::release();
            let only = if args.iter().any(|a| a == "--no-parts") {
                Some(usize::MAX)
            } else {
                get("--layer")
            };
            let (conv, direct, done) = pool.install(|| convolutions(&net, batch, show, only));
            if show {
                continue;
            }
            let steps = get("--steps").unwrap_or(12);
            let recompute = args.iter().any(|a| a == "--recompute");
            let times = pool.install(|| {
                if recompute {
                    train::<BalancedCheckpointing>(&net, batch, steps)
                } else {
                    train::<NoCheckpointing>(&net, batch, steps)
                }
            });
            let (min, median) = min_median(times);
            println!(
                "nvc {name} {batch} {threads} {min:.1} {median:.1}  # convolutions {conv:.1} ms; ceiling {ceiling:.0} GMAC/s; \
                 convolutions {:.0} GMAC/s ({:.0} %), done {:.0} ({:.0} %); step {:.0} GMAC/s ({:.0} %); peak memory {:.0} MB",
                direct / conv,
                100.0 * direct / conv / ceiling,
                done / conv,
                100.0 * done / conv / ceiling,
                direct / min,
                100.0 * direct / min / ceiling,
                peak_memory()
            );
        }
    }
    Ok(())
}
