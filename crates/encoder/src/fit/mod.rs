//! Fitting: the burn executor of a graph, trained on the frames of one group.
//!
//! Nothing of burn crosses this module's border: a [`Job`] goes in, the group's integers come out.

mod adam;
mod control;
mod convnext;
mod frames;
mod job;
pub mod kernels;
mod muon;
mod net;
pub mod ops;
pub(crate) mod pyramid;
mod quality;
mod quality_target;
mod quant;
mod rounds;
mod schedule;
mod settings;
mod target;
#[cfg(test)]
mod tests;
mod train;

pub use job::{Fitted, Job, Misfit, Observer, Outcome, Progress, Refine, Resize, Warm};
pub use quality_target::{OCTAVE, QualityTarget};
pub use settings::{Device, FLOAT_SHARE, Loss, Optimiser, Precision, Settings};

use nvc::error::{Error, Result};
use nvc::network::Graph;

/// Bytes of frames kept on a device with memory of its own; frames beyond are sent there when they
/// are needed.
#[cfg(feature = "cuda")]
const RESIDENT: usize = 4 << 30;

/// Bytes of activations that a step on the CPU keeps for its gradients. Beyond, those that follow
/// from others by a pixel shuffle and a nonlinearity are computed again instead, which halves the
/// memory and changes no bit.
const KEEP_BYTES: u64 = 256 << 20;

/// Share of plane `p` in the distortion.
pub fn plane_weight(chroma: nvc::frame::Chroma, p: usize) -> f64 {
    target::weight(chroma, p).into()
}

/// Bytes that groups fitted at once may take together, by [`groups_at_once`]'s estimate.
const AT_ONCE_BYTES: u64 = 4 << 30;

/// How many groups of `graph` to fit at once so that `device` is filled: small networks leave most
/// of a machine idle. One thread a group where there are groups enough is the best use of
/// processors; on a GPU, steps that are too short to fill it.
pub fn groups_at_once(graph: &Graph, batch: usize, device: Device, threads: usize) -> usize {
    /// Multiply-accumulates of a step, forward, below which a large GPU waits for the host more
    /// than it computes.
    const SHORT_STEP: u64 = 20_000_000_000;
    let batch = batch as u64;
    // activations before and after each nonlinearity, and gradients of about as many
    let bytes = graph.activations().saturating_mul(batch * 4 * 2).max(1);
    let most = match device.resolve() {
        Device::Cuda(_) => 1 + SHORT_STEP / graph.macs().saturating_mul(batch).max(SHORT_STEP / 3),
        _ => threads as u64,
    };
    most.min(AT_ONCE_BYTES / bytes).max(1) as usize
}

/// Fits one group.
pub fn fit(job: &Job<'_>, refine: Refine<'_>, observer: &mut dyn Observer) -> Result<Outcome> {
    use burn::backend::autodiff::checkpoint::strategy::BalancedCheckpointing;
    use burn::backend::{Autodiff, Flex};
    match job.settings.device.resolve() {
        #[cfg(feature = "cuda")]
        Device::Cuda(index) => {
            require_cuda(index)?;
            type Cuda = burn::backend::Autodiff<burn_cuda::Cuda>;
            let memory = train::Memory {
                resident: RESIDENT,
                observe_every: 32,
            };
            train::run::<Cuda>(
                job,
                &burn_cuda::CudaDevice::new(index),
                memory,
                refine,
                observer,
            )
        }
        #[cfg(not(feature = "cuda"))]
        Device::Cuda(index) => Err(without_cuda(index)),
        Device::Auto | Device::Cpu => {
            let memory = train::Memory {
                resident: 0,
                observe_every: 1,
            };
            let graph = job.graph()?;
            let kept = graph
                .activations()
                .saturating_mul(4 * job.settings.batch as u64);
            let fitted = if kept > KEEP_BYTES {
                train::run::<Autodiff<Flex, BalancedCheckpointing>>(
                    job,
                    &Default::default(),
                    memory,
                    refine,
                    observer,
                )
            } else {
                train::run::<Autodiff<Flex>>(job, &Default::default(), memory, refine, observer)
            };
            // the next group's shapes may differ
            ops::release();
            fitted
        }
    }
}

/// Refuses a device of a machine that has none.
#[cfg(feature = "cuda")]
fn require_cuda(index: usize) -> Result<()> {
    if cuda_available() {
        return Ok(());
    }
    Err(Error::Device(format!(
        "cuda:{index}: no CUDA driver on this machine"
    )))
}

#[cfg(not(feature = "cuda"))]
fn without_cuda(index: usize) -> Error {
    Error::Device(format!(
        "cuda:{index}: this build has no CUDA support (cargo feature 'cuda')"
    ))
}

/// Whether this machine has an NVIDIA device and its driver library. Looks at files only: burn's
/// runtime panics where there is none.
#[cfg(feature = "cuda")]
pub fn cuda_available() -> bool {
    use std::path::Path;
    let device = ["/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg"]
        .iter()
        .any(|p| Path::new(p).exists());
    let from_environment = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
    let usual = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
        "/usr/local/nvidia/lib64",
        "/usr/lib/wsl/lib",
    ];
    let driver = from_environment
        .split(':')
        .chain(usual)
        .any(|d| Path::new(d).join("libcuda.so.1").exists());
    device && driver
}
