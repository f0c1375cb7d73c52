//! Networks of other programs to files of this format.

mod field;
mod float;
pub mod hnerv;
mod quantised;
mod safetensors;
