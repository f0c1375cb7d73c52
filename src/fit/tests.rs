//! What the trainer's parts promise each other.

use burn::backend::{Autodiff, Flex};
use burn::tensor::Tensor;

use super::frames::Frames;
use super::train::{Memory, Trainer};
use super::{Job, Loss, Observer, Precision, Progress, Settings, target};
use crate::frame::{Chroma, ColorInfo, Frame, PixelFormat, Ratio, VideoInfo};
use crate::group::Arch;
use crate::network::size;

type B = Autodiff<Flex>;

fn info() -> VideoInfo {
    let ratio = Ratio { num: 0, den: 0 };
    VideoInfo { width: 50, height: 36, format: PixelFormat::new8(Chroma::Yuv420), fps: ratio, sar: ratio, color: ColorInfo::UNSPECIFIED }
}

/// Smooth moving pictures.
fn clip(count: usize) -> Vec<Frame> {
    let info = info();
    (0..count)
        .map(|t| {
            let mut f = Frame::new(info.format, info.width, info.height);
            for (p, plane) in f.planes.iter_mut().enumerate() {
                for (i, v) in plane.data.iter_mut().enumerate() {
                    let (x, y) = ((i % plane.width) as f32 + 3.0 * t as f32, (i / plane.width) as f32);
                    *v = (128.0 + 60.0 * (x * 0.3 + p as f32).sin() + 40.0 * (y * 0.25).cos()) as u16;
                }
            }
            f
        })
        .collect()
}

fn settings(precision: Precision, steps: usize) -> Settings {
    Settings { steps, batch: 2, learning_rate: 0.015, seed: 3, loss: Loss::L2, device: super::Device::Cpu, precision }
}

struct Quiet(Vec<f64>);

impl Observer for Quiet {
    fn progress(&mut self, p: &Progress) {
        self.0.push(p.psnr);
    }
}

/// The fit of a clip on burn-flex; PSNR of the float network, and PSNR at each look.
fn fit(precision: Precision, steps: usize, memory: Memory) -> (super::Fitted, Vec<f64>) {
    let (info, frames) = (info(), clip(6));
    let arch = Arch::Hnerv(size::for_params(&info, frames.len(), 9000.0).unwrap());
    let job = Job { info: &info, frames: &frames, arch: &arch, target_bytes: 7000.0, settings: settings(precision, steps) };
    let mut looks = Quiet(Vec::new());
    let fitted = super::train::run::<B>(&job, &Default::default(), memory, &mut looks).unwrap();
    (fitted, looks.0)
}

const HOST: Memory = Memory { resident: 0, look_every: 1 };

#[test]
fn frames_on_the_device_are_those_of_the_host() {
    let (info, frames) = (info(), clip(5));
    let graph = Arch::Hnerv(size::for_params(&info, 5, 3000.0).unwrap()).lower(&info).unwrap();
    let heads = target::heads(&graph, &info);
    let all = |resident: usize| Frames::<Flex>::new(&frames, &info, &heads, [40, 56], resident, &Default::default());
    let values = |t: Tensor<Flex, 4>| (t.dims(), t.into_data().to_vec::<f32>().unwrap());
    // a frame takes 4 bytes for each of 1.5 samples a pixel, and of 3 a padded pixel for the encoder
    let one = 4 * (50 * 36 * 3 / 2 + 3 * 40 * 56);
    let host = all(0);
    for resident in [all(one), all(3 * one), all(100 * one)] {
        for batch in [&[0][..], &[4], &[2, 0], &[1, 4, 3]] {
            for head in 0..heads.len() {
                assert_eq!(values(host.target(head, batch)), values(resident.target(head, batch)), "head {head}, frames {batch:?}");
            }
            assert_eq!(values(host.encoder_input(batch)), values(resident.encoder_input(batch)), "frames {batch:?}");
        }
    }
}

#[test]
fn a_device_of_its_own_changes_no_bit() {
    let (host, looks) = fit(Precision::Full, 60, HOST);
    let (device, few) = fit(Precision::Full, 60, Memory { resident: 40_000, look_every: 16 });
    assert_eq!(host.group, device.group);
    assert_eq!(looks.len(), 60);
    assert_eq!(few, [looks[15], looks[31], looks[47], looks[59]]);
}

/// Gradients of the first kernel for one step, unscaled.
fn first_gradient(precision: Precision, shrink: f32) -> Vec<f32> {
    let (info, frames) = (info(), clip(4));
    let arch = Arch::Hnerv(size::for_params(&info, 4, 3000.0).unwrap());
    let job = Job { info: &info, frames: &frames, arch: &arch, target_bytes: 2000.0, settings: settings(precision, 100) };
    let graph = arch.lower(&info).unwrap();
    let chains = graph.chains().unwrap();
    let heads = target::heads(&graph, &info);
    let up = match &arch {
        Arch::Hnerv(h) => h.upsampling() as usize,
    };
    let [_, h, w] = graph.latent_shape();
    let inputs = Frames::new(&frames, &info, &heads, [h * up, w * up], 0, &Default::default());
    let mut t = Trainer::<B>::new(&job, &graph, &chains, &heads, inputs, &Default::default());
    // small head weights make small gradients before them
    for (i, _) in chains.iter().enumerate().filter(|(_, c)| !c.gelu) {
        let w = t.net.weights[i].val().inner() * shrink;
        t.net.set_weight(i, Tensor::from_inner(w));
    }
    let (_, mut grads) = t.gradients(&[0, 1], false).unwrap();
    let w = t.net.weights[0].val();
    grads.take(&w).unwrap().into_data().to_vec().unwrap()
}

#[test]
fn half_precision_has_the_same_gradients() {
    let norm = |v: &[f32]| v.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    // with 1e-4 nothing but the loss scale keeps them from underflowing
    for shrink in [1.0, 1e-4] {
        let (full, half) = (first_gradient(Precision::Full, shrink), first_gradient(Precision::Half, shrink));
        let error: Vec<f32> = full.iter().zip(&half).map(|(a, b)| a - b).collect();
        let relative = norm(&error) / norm(&full);
        println!("gradients of size {:e} differ by {relative:.5}", norm(&full));
        assert!(relative > 0.0 && relative < 0.02, "gradients of size {:e} differ by {relative}", norm(&full));
    }
}

#[test]
fn half_precision_fits_as_well() {
    let (full, _) = fit(Precision::Full, 400, HOST);
    let (half, _) = fit(Precision::Half, 400, HOST);
    let gap = full.float_psnr - half.float_psnr;
    println!("full precision {:.3} dB, half {:.3} dB", full.float_psnr, half.float_psnr);
    assert!(full.float_psnr > 25.0, "{} dB: nothing was learnt", full.float_psnr);
    assert!(gap.abs() < 1.0, "full precision {} dB, half {} dB", full.float_psnr, half.float_psnr);
}

#[test]
fn the_loss_scale_follows_overflow() {
    let mut s = super::train::LossScale::new(Precision::Half);
    let first = s.now;
    s.look(true);
    assert_eq!(s.now, first / 2.0);
    (0..64).for_each(|_| s.look(false));
    assert!(s.now > first && s.now <= 65536.0, "{}", s.now);
    (0..64).for_each(|_| s.look(true));
    assert_eq!(s.now, 1.0);
    // a scale of 1 switches nothing on
    assert_eq!(super::train::LossScale::new(Precision::Full).now, 1.0);
}
