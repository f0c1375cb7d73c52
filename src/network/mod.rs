//! What is computed, as data: graphs, their shapes and counts. No arithmetic on samples happens
//! here.

pub mod graph;
pub mod hnerv;
mod lowering;
pub mod nerv;
pub mod nirvana;
// sizes of networks are chosen by the encoder
#[allow(clippy::float_arithmetic)]
pub mod size;

pub use graph::{Activation, FusedConv, FusedOp, Graph, Node, Op, OutputPlane, Role, TensorSpec};
