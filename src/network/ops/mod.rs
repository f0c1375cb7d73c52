//! The operations, one a file: what it reads, the shape of what it gives, what it costs and what it
//! means in integers (spec section 5). Every executor gives these bits.

mod activation;
mod add;
mod bilinear;
mod concat;
mod conv2d;
mod depthwise;
mod edge_conv;
mod frame_embedding;
mod grid;
pub mod integer;
mod latent;
mod operation;
mod pixel_shuffle;
mod positional_encoding;
mod pyramid;
mod relu;
mod requant;
mod reshape;
mod upsample;

pub use activation::{Activate, Activation, activate, activation_table};
pub use add::{Add, sum};
pub use bilinear::{Bilinear, bilinear_at};
pub use concat::Concat;
pub use conv2d::Conv2d;
pub use depthwise::Depthwise;
pub use edge_conv::EdgeConv;
pub use frame_embedding::{FrameEmbedding, embed, frame_embedding};
pub use grid::Grid;
pub use latent::{Dequant, Latent};
pub use operation::{FracBits, Kernel, Operand, Operands, Operation};
pub use pixel_shuffle::PixelShuffle;
pub use positional_encoding::PositionalEncoding;
pub use pyramid::{LatentGrid, Pyramid};
pub use relu::Relu;
pub use requant::Requant;
pub use reshape::Reshape;
pub use upsample::{Upsample, upsample_at};

/// Declares [`Op`]: a variant for each operation, of its type and name.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One operation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Op {
            $($(#[$doc])* $name($name),)*
        }

        impl std::ops::Deref for Op {
            type Target = dyn Operation;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Op::$name(op) => op,)*
                }
            }
        }
    };
}

operations! {
    /// Source: the frame's latent, dequantised (spec section 5.2).
    Latent,
    /// Source: code of a frame's place in its group (spec section 5.2).
    PositionalEncoding,
    /// Source: coordinates of a grid (spec section 5.2).
    Grid,
    /// Convolution (spec section 5.3).
    Conv2d,
    /// Convolution of each channel by itself (spec section 5.3).
    Depthwise,
    /// Blocks of channels become squares of samples (spec section 5.4).
    PixelShuffle,
    /// Channels of a single position become a map (spec section 5.4).
    Reshape,
    /// A nonlinearity (spec section 5.5).
    Activate,
    /// Sum of two nodes (spec section 5.7).
    Add,
    /// Bilinear upsampling (spec section 5.8).
    Bilinear,
    /// A constant that tells frames of a pass apart (spec section 5.9).
    FrameEmbedding,
    /// Source: latent grids of halving resolution (spec section 5.10).
    Pyramid,
    /// One of those grids (spec section 5.10).
    LatentGrid,
    /// Learned upsampling by two (spec section 5.11).
    Upsample,
    /// Channels of two nodes (spec section 5.12).
    Concat,
    /// Rectified linear unit (spec section 5.13).
    Relu,
    /// Convolution that sees its edges repeated (spec section 5.14).
    EdgeConv,
}

impl Op {
    /// Whether the node's activations have coded fraction bits of their own.
    pub fn has_frac_bits(&self) -> bool {
        self.frac_bits() == FracBits::Coded
    }
}
