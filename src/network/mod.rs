//! What is computed: representations as graphs of operations, and what each operation means in
//! integers.

mod arch;
mod build;
mod fusion;
pub mod graph;
pub mod hnerv;
mod lowering;
pub mod nerv;
pub mod nirvana;
pub mod ops;
pub mod pyramid;
mod quant_step;
mod representation;
pub mod tables;
mod tensor_spec;

pub use arch::Arch;
pub use fusion::{FusedConv, FusedOp};
pub use graph::{Graph, Node, OutputPlane};
pub use ops::integer::OutputRange;
pub use ops::{Activation, Op};
pub use quant_step::QuantStep;
pub use representation::Representation;
pub use tensor_spec::{NodeId, Role, TensorId, TensorSpec};
