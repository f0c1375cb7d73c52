//! Fits of pyramids on devices other than the CPU, which has an engine of its own in
//! [`crate::pyramid`].

#[cfg(any(feature = "cuda", test))]
mod canvas;
#[cfg(any(feature = "cuda", test))]
mod descent;
#[cfg(any(feature = "cuda", test))]
mod loss;
#[cfg(test)]
mod tests;

use super::settings::Device;
use crate::pyramid::{Descent, Plane, Shape};
use nvc::error::Result;

/// What runs the iterations of a fit on `device`; `None` for the CPU. The other arguments are as
/// [`fit`](crate::pyramid::fit) has them.
#[cfg(feature = "cuda")]
pub(crate) fn descent(
    device: Device,
    shape: &Shape,
    size: (usize, usize),
    planes: &[Plane],
    seed: u64,
) -> Result<Option<Box<dyn Descent>>> {
    type Cuda = burn::backend::Autodiff<burn_cuda::Cuda>;
    let Device::Cuda(index) = device.resolve() else {
        return Ok(None);
    };
    super::require_cuda(index)?;
    let device = burn_cuda::CudaDevice::new(index);
    let on = descent::OnDevice::<Cuda>::new(shape, size, planes, seed, device);
    Ok(Some(Box::new(on)))
}

/// This build knows the CPU alone.
#[cfg(not(feature = "cuda"))]
pub(crate) fn descent(
    device: Device,
    _: &Shape,
    _: (usize, usize),
    _: &[Plane],
    _: u64,
) -> Result<Option<Box<dyn Descent>>> {
    match device.resolve() {
        Device::Cuda(index) => Err(super::without_cuda(index)),
        Device::Auto | Device::Cpu => Ok(None),
    }
}
