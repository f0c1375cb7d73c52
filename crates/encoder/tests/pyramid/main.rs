//! The fit of pyramids by itself: gradients, what fits reach and what they do not depend on.

mod common;
mod fit;
mod gradients;
