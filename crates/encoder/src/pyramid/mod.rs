//! Fits an overfitted latent pyramid to one picture, in the manner of Cool-chic.
//!
//! The picture is coded as integers on grids of halving resolution, a small context network that
//! gives every integer its distribution, learned x2 filters that bring all grids to one
//! resolution, and small synthesis networks that turn them into samples. All of it is fitted to
//! the one picture by gradient descent on `distortion + lambda * bits`.
//!
//! Results depend on the seed and on the kind of vectors of the machine, never on the number of
//! threads: the split into tasks and the order of every reduction are fixed. Everything runs on
//! the current rayon pool.

mod access;
mod buffer;
mod chain;
mod compensate;
mod context;
mod convolve;
mod descent;
mod engine;
mod errors;
mod fit;
mod grid;
mod hessian;
mod init;
pub mod integers;
mod laplace;
mod latents;
mod mosaic;
mod picture;
mod pool;
mod product;
mod quantise;
mod random;
mod rehearsal;
mod residual;
mod run;
mod search;
mod shape;
mod simd;
mod soap;
mod synthesis;
mod trained;
mod upsample;
mod weights;

pub use compensate::compensate;
pub(crate) use descent::Descent;
pub use engine::{Engine, Terms, What};
pub(crate) use fit::fit_on;
pub use fit::{Fit, adjust, fit};
pub use hessian::sample;
pub use init::{Colour, Context, initial};
pub use quantise::{Quantised, dequantise, quantise};
pub use run::{Progress, Settings, Stage};
pub use shape::{Head, Layout, Plane, Shape, Tensor};

/// For evaluations on other devices.
#[cfg(any(feature = "cuda", test))]
pub(crate) use self::{
    context::Gradients,
    descent::Iteration,
    grid::{PRIORITY, REACH},
    laplace::{BITS_MAX, LEAST, SCALE_MAX, SCALE_SHIFT},
    latents::{Quantiser, Step},
};
