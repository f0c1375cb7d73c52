//! The encoder of nvc: fits networks to groups of frames, quantises and codes them. Start with
//! [`encoder::encode`].
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod calibrate;
pub mod encoder;
pub mod fit;
pub mod import;
pub mod plan;
pub mod rng;
