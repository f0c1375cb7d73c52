//! Fitting: everything that needs gradients.
pub mod kernels;
pub mod ops;
