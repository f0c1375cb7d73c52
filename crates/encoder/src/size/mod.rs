//! How large a network for a picture. Nothing here is normative.

pub mod hnerv;
pub mod nerv;
pub mod nirvana;
pub mod pyramid;
pub mod strides;
