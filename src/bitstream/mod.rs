//! The file format and nothing else: bytes to plain data and back. `bitstream-spec/` is its owner.

pub mod container;
pub mod fields;
pub mod header;
pub mod light;
pub mod limits;

pub use container::{ContainerWriter, MAGIC, PacketReader};
pub use limits::Limits;
