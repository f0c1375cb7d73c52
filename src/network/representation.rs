//! What group, decoder and encoder ask of a representation.

use super::graph::Graph;
use crate::bitstream::fields::{FieldSpec, Reader};
use crate::bitstream::header::{HnervStage, PyramidHeader};
use crate::error::{Fault, Result};
use crate::frame::VideoInfo;

/// What differs between representations: their header, their graph, and how their parts are coded.
pub trait Representation {
    /// Reads the header of architecture `id`; `None` if that is another representation's.
    fn read(id: u32, r: &mut Reader<'_>) -> Result<Option<Self>>
    where
        Self: Sized;

    /// Architecture id in the group header (spec section 6).
    fn id(&self) -> u32;

    /// Name as the command line has it.
    fn name(&self) -> &'static str;

    /// Declaration and value of its fields, in stream order, but for those of the stages.
    fn fields(&self) -> Vec<(&'static FieldSpec, u32)>;

    /// Its upsampling stages, whose fields follow.
    fn stages(&self) -> &[HnervStage] {
        &[]
    }

    /// The graph for pictures of `info` in a group of `frames`. Fails if the fields contradict each
    /// other or the picture.
    fn lower(&self, info: &VideoInfo, frames: usize) -> Result<Graph, Fault>;

    /// Whether each tensor has a mode (spec section 4.6), not all the one of section 4.4.
    fn tensor_modes(&self) -> bool {
        true
    }

    /// Its fields, if a network predicts the distribution of each latent (spec section 4.8).
    fn context_coded(&self) -> Option<&PyramidHeader> {
        None
    }

    /// Whether latents may be a scaled tensor (spec section 4.7).
    fn scaled_latents(&self) -> bool {
        false
    }
}

/// Fields of a bundle with their values.
pub(super) fn with_values(
    specs: &'static [FieldSpec],
    values: Vec<(&'static str, u32)>,
) -> impl Iterator<Item = (&'static FieldSpec, u32)> {
    specs.iter().zip(values).map(|(f, (_, v))| (f, v))
}

/// Reads `n` stages.
pub(super) fn read_stages(r: &mut Reader<'_>, n: u32) -> Result<Vec<HnervStage>> {
    (0..n).map(|_| HnervStage::read(r)).collect()
}
