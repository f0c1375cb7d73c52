//! What is computed, as data: graphs, their shapes and counts. No arithmetic on samples happens here.

pub mod graph;
pub mod hnerv;
pub mod size;

pub use graph::{Chain, Graph, Node, Op, OutputPlane, Role, TensorSpec};
