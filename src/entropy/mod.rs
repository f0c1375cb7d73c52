//! Entropy coding (spec section 4): adaptive binary contexts in integers over a range coder.
//!
//! Reading and writing run the same functions with another [`Coder`], so they cannot drift apart.

pub mod context_network;
pub mod contexts;
mod cost;
mod field;
pub mod laplace;
pub mod latent;
pub mod law;
mod models;
pub mod normal;
pub mod scaled;
pub mod tensor;

pub use contexts::{Bit, Coder, Decoder, Encoder, ValueModel};
pub use cost::Cost;
