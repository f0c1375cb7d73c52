//! Networks of other programs to files of this format.

pub mod field;
pub mod quantised;
pub mod safetensors;
