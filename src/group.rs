//! One group: headers, network and latents, to bytes and back (spec sections 3.3, 4 and 6).

use crate::bitstream::Limits;
use crate::bitstream::fields::Reader;
use crate::bitstream::header::{GroupHeader, HnervHeader, HnervStage};
use crate::entropy::tensor::{Network, blank_network, code_network};
use crate::entropy::{Decoder, Encoder, latent::code_latents};
use crate::error::{Error, Result};
use crate::frame::VideoInfo;
use crate::network::Graph;
use crate::network::hnerv::{self, Hnerv};

/// A representation's own header fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arch {
    /// Spec section 6.1.
    Hnerv(Hnerv),
}

impl Arch {
    /// Name as the command line has it.
    pub fn name(&self) -> &'static str {
        match self {
            Arch::Hnerv(_) => "hnerv",
        }
    }

    /// Architecture id in the group header.
    pub fn id(&self) -> u32 {
        match self {
            Arch::Hnerv(_) => hnerv::ARCH_ID,
        }
    }

    /// The graph for pictures of `info`.
    pub fn lower(&self, info: &VideoInfo) -> Result<Graph> {
        match self {
            Arch::Hnerv(h) => h.lower(info),
        }
    }

    fn read(id: u32, r: &mut Reader<'_>) -> Result<Self> {
        match id {
            hnerv::ARCH_ID => {
                let header = HnervHeader::read(r)?;
                let stages = (0..header.stages).map(|_| HnervStage::read(r)).collect::<Result<_>>()?;
                Ok(Arch::Hnerv(Hnerv { header, stages }))
            }
            _ => Err(Error::Unsupported(format!("architecture {id} (this decoder knows 1, HNeRV)"))),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Arch::Hnerv(h) => {
                h.header.write(out);
                h.stages.iter().for_each(|s| s.write(out));
            }
        }
    }
}

/// Header of a group, and where its coded parts lie.
#[derive(Clone, Debug)]
pub struct GroupLayout {
    /// Frames, architecture and sizes.
    pub header: GroupHeader,
    /// The architecture's own fields.
    pub arch: Arch,
    /// The graph they describe.
    pub graph: Graph,
    /// Offset in the file of the group's first byte.
    pub offset: u64,
    /// Bytes of the headers.
    pub header_bytes: u64,
}

impl GroupLayout {
    /// Reads the headers and checks them against `limits`; allocates nothing that depends on their values.
    pub fn read(r: &mut Reader<'_>, info: &VideoInfo, limits: &Limits) -> Result<Self> {
        let offset = r.offset();
        let header = GroupHeader::read(r)?;
        let arch = Arch::read(header.arch, r)?;
        let graph = arch.lower(info).map_err(|e| at(e, offset))?;
        graph.check(header.frames as usize, limits)?;
        let coded = u64::from(header.weights_bytes) + u64::from(header.latents_bytes);
        let values = graph.params() + graph.latent_len() as u64 * u64::from(header.frames);
        // a value costs at least 2^-10 bits (spec section 4.3), so more cannot be in there
        if values > 8192 * (coded + 8) {
            return Err(Error::format(offset, format!("{values} values cannot come from {coded} coded bytes (at most 8192 a byte)")));
        }
        Ok(GroupLayout { header, arch, graph, offset, header_bytes: r.offset() - offset })
    }

    /// Bytes of the coded parts, which follow the headers.
    pub fn coded_bytes(&self) -> usize {
        self.header.weights_bytes as usize + self.header.latents_bytes as usize
    }

    /// Decodes network and latents.
    pub fn decode(&self, r: &mut Reader<'_>) -> Result<Group> {
        let at_weights = r.offset();
        let weights = r.bytes(self.header.weights_bytes as usize, "coded weights")?;
        let at_latents = r.offset();
        let coded = r.bytes(self.header.latents_bytes as usize, "coded latents")?;
        let network = code_network(&mut Decoder::new(weights, at_weights)?, &self.graph, &blank_network(&self.graph))?;
        let mut latents = vec![0; self.graph.latent_len() * self.header.frames as usize];
        let mut decoder = Decoder::new(coded, at_latents)?;
        code_latents(&mut decoder, self.graph.latent_shape(), self.header.frames as usize, false, &mut latents)?;
        Ok(Group { arch: self.arch.clone(), network, latents, frames: self.header.frames as usize })
    }
}

/// Gives an error from a header's interpretation its place in the file.
pub(crate) fn at(e: Error, offset: u64) -> Error {
    match e {
        Error::Format { offset: 0, what } => Error::Format { offset, what },
        e => e,
    }
}

/// A group's content in integers: all that its pictures depend on.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Representation and its sizes.
    pub arch: Arch,
    /// Steps, scales and weights.
    pub network: Network,
    /// `frames` latents, one after another.
    pub latents: Vec<i16>,
    /// Number of frames.
    pub frames: usize,
}

/// Coded size of a group by part, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupBytes {
    /// Group and architecture headers.
    pub header: u64,
    /// Steps, scales and weights.
    pub weights: u64,
    /// Latents.
    pub latents: u64,
}

impl GroupBytes {
    /// All parts.
    pub fn total(&self) -> u64 {
        self.header + self.weights + self.latents
    }
}

impl Group {
    /// Appends the group's bytes. `graph` is the lowering of `arch`.
    pub fn write(&self, graph: &Graph, out: &mut Vec<u8>) -> Result<GroupBytes> {
        let start = out.len();
        let weights = {
            let mut e = Encoder::default();
            code_network(&mut e, graph, &self.network)?;
            e.finish()
        };
        let latents = [false, true].map(|temporal| {
            let (mut e, mut values) = (Encoder::default(), self.latents.clone());
            code_latents(&mut e, graph.latent_shape(), self.frames, temporal, &mut values).map(|()| e.finish())
        });
        let [plain, predicted] = latents;
        let plain = plain?;
        // residuals may leave the range that latents keep to; then there is no prediction
        let latents = predicted.ok().filter(|p| p.len() < plain.len()).unwrap_or(plain);
        let size = |n: usize| u32::try_from(n).ok().filter(|&n| n < 1 << 31);
        let (Some(weights_bytes), Some(latents_bytes), Ok(frames)) = (size(weights.len()), size(latents.len()), u16::try_from(self.frames))
        else {
            return Err(Error::Unsupported(format!("a group of {} frames and {} bytes", self.frames, weights.len() + latents.len())));
        };
        GroupHeader { frames: frames.into(), arch: self.arch.id(), weights_bytes, latents_bytes }.write(out);
        self.arch.write(out);
        let header = (out.len() - start) as u64;
        out.extend(&weights);
        out.extend(&latents);
        Ok(GroupBytes { header, weights: weights_bytes.into(), latents: latents_bytes.into() })
    }
}
