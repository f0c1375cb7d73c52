//! One group: headers, network and latents, to bytes and back (spec sections 3.3, 4 and 6).

pub mod preview;

use crate::bitstream::Limits;
use crate::bitstream::fields::Reader;
use crate::bitstream::header::GroupHeader;
use crate::entropy::context_network::{ContextNetwork, Plain, Predictor, code_pyramids};
use crate::entropy::tensor::{QuantizedNetwork, Syntax, blank_network, code_network};
use crate::entropy::{Coder, Cost, Decoder, Encoder, latent};
use crate::error::{Error, Result};
use crate::frame::VideoInfo;
use crate::network::{Arch, Graph, Op};

/// How the network of a group of `arch` is coded; `previous` is that of the group before it in the
/// section.
pub fn syntax<'a>(arch: &Arch, previous: Option<&'a QuantizedNetwork>) -> Syntax<'a> {
    if arch.tensor_modes() {
        Syntax::Modes {
            previous,
            laws: arch.context_coded().is_some(),
        }
    } else {
        Syntax::Plain
    }
}

/// Codes a group's latents; those of a pyramid by the tensors in `network`, without the grids whose
/// bits of `skipped` are set.
fn code_latents<C: Coder>(
    c: &mut C,
    (arch, graph, skipped): (&Arch, &Graph, u32),
    network: &mut QuantizedNetwork,
    passes: usize,
    temporal: bool,
    predictor: &mut dyn Predictor,
    values: &mut [i16],
) -> Result<()> {
    let shape = graph.latent_shape();
    match (arch.context_coded(), graph.nodes[0].op) {
        (Some(header), Op::Pyramid(source)) => {
            let net = ContextNetwork::new(&network.tensors, source.fraction());
            let net = net.map_err(|e| {
                if c.reads() {
                    e.at(c.offset())
                } else {
                    e.into()
                }
            })?;
            code_pyramids(c, &source, &net, header.empty | skipped, predictor, values)
        }
        _ if arch.scaled_latents() => {
            let scaled = &mut network.scaled_latents;
            latent::code_either(c, shape, passes, temporal, scaled, values)
        }
        _ => latent::code_latents(c, shape, passes, temporal, values),
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
    /// Reads the headers and checks them against `limits`; allocates nothing that depends on their
    /// values.
    pub fn read(r: &mut Reader<'_>, info: &VideoInfo, limits: &Limits) -> Result<Self> {
        let offset = r.offset();
        let header = GroupHeader::read(r)?;
        let arch = Arch::read(header.arch, r)?;
        let graph = arch
            .lower(info, header.frames as usize)
            .map_err(|e| e.at(offset))?;
        graph.check(header.frames as usize, limits)?;
        let coded = u64::from(header.weights_bytes) + u64::from(header.latents_bytes);
        let latents = (graph.latent_len() * graph.passes(header.frames as usize)) as u64;
        if latents == 0 && header.latents_bytes > 0 {
            return Err(Error::format(
                offset,
                format!(
                    "latents_bytes is {} (allowed 0: nothing of the kind is coded)",
                    header.latents_bytes
                ),
            ));
        }
        // a value costs at least 2^-10 bits (spec section 4.3), so more cannot be in there; those of
        // a pyramid cost less, and are as many as the picture's size says
        let counted = if arch.context_coded().is_some() {
            0
        } else {
            latents
        };
        let values = graph.params() + counted;
        if values > 8192 * (coded + 8) {
            return Err(Error::format(
                offset,
                format!(
                    "{values} values cannot come from {coded} coded bytes (at most 8192 a byte)"
                ),
            ));
        }
        Ok(GroupLayout {
            header,
            arch,
            graph,
            offset,
            header_bytes: r.offset() - offset,
        })
    }

    /// Bytes of the coded parts, which follow the headers.
    pub fn coded_bytes(&self) -> usize {
        self.header.weights_bytes as usize + self.header.latents_bytes as usize
    }

    /// Whether the network may be coded relative to that of the group before.
    pub fn uses_previous(&self) -> bool {
        self.arch.tensor_modes()
    }

    /// Decodes the network; `previous` is that of the group before it in the section, if there is
    /// one.
    pub fn decode_network(
        &self,
        r: &mut Reader<'_>,
        previous: Option<&QuantizedNetwork>,
    ) -> Result<QuantizedNetwork> {
        let at = r.offset();
        let weights = r.bytes(self.header.weights_bytes as usize, "coded weights")?;
        let syntax = syntax(&self.arch, previous);
        code_network(
            &mut Decoder::new(weights, at)?,
            &self.graph,
            &blank_network(&self.graph),
            syntax,
        )
    }

    /// Decodes network and latents; `previous` as in [`GroupLayout::decode_network`]. `predictor`
    /// serves latents that a network predicts.
    pub fn decode(
        &self,
        r: &mut Reader<'_>,
        previous: Option<&QuantizedNetwork>,
        predictor: &mut dyn Predictor,
    ) -> Result<Group> {
        self.decode_from(r, previous, predictor, 0)
    }

    /// The same, where a pyramid's finest `grids` are of no interest and may be zero.
    pub fn decode_from(
        &self,
        r: &mut Reader<'_>,
        previous: Option<&QuantizedNetwork>,
        predictor: &mut dyn Predictor,
        grids: u8,
    ) -> Result<Group> {
        let mut network = self.decode_network(r, previous)?;
        let at_latents = r.offset();
        let coded = r.bytes(self.header.latents_bytes as usize, "coded latents")?;
        let passes = self.graph.passes(self.header.frames as usize);
        let mut latents = vec![0; self.graph.latent_len() * passes];
        if self.graph.has_latents() {
            let mut decoder = Decoder::new(coded, at_latents)?;
            // a frame's finest grids come last, and another frame's after them
            let skipped = if passes == 1 { (1 << grids) - 1 } else { 0 };
            code_latents(
                &mut decoder,
                (&self.arch, &self.graph, skipped),
                &mut network,
                passes,
                false,
                predictor,
                &mut latents,
            )?;
        }
        Ok(Group {
            arch: self.arch.clone(),
            network,
            latents,
            frames: self.header.frames as usize,
        })
    }
}

/// A group's content in integers: all that its pictures depend on.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Representation and its sizes.
    pub arch: Arch,
    /// Steps, fraction bits and weights.
    pub network: QuantizedNetwork,
    /// The latents of all frames, one after another; empty where none are coded.
    pub latents: Vec<i16>,
    /// Number of frames.
    pub frames: usize,
}

/// Coded size of a group by part, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupBytes {
    /// Group and architecture headers.
    pub header: u64,
    /// Steps, fraction bits and weights.
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
    /// Appends the group's bytes. `graph` is the lowering of `arch`; `previous` is the network of
    /// the group before it in the section, as it was read back: models go on from what they learnt
    /// there.
    pub fn write(
        &self,
        graph: &Graph,
        previous: Option<&QuantizedNetwork>,
        out: &mut Vec<u8>,
    ) -> Result<GroupBytes> {
        let start = out.len();
        let weights = {
            let mut e = Encoder::default();
            code_network(&mut e, graph, &self.network, self.syntax(previous))?;
            e.finish()
        };
        let latents = if graph.has_latents() {
            self.coded_latents(graph)?
        } else {
            Vec::new()
        };
        let size = |n: usize| u32::try_from(n).ok().filter(|&n| n < 1 << 31);
        let (Some(weights_bytes), Some(latents_bytes), Ok(frames)) = (
            size(weights.len()),
            size(latents.len()),
            u16::try_from(self.frames),
        ) else {
            return Err(Error::Unsupported(format!(
                "a group of {} frames and {} bytes",
                self.frames,
                weights.len() + latents.len()
            )));
        };
        GroupHeader {
            frames: frames.into(),
            arch: self.arch.id(),
            weights_bytes,
            latents_bytes,
        }
        .write(out);
        self.arch.write(out);
        let header = (out.len() - start) as u64;
        out.extend(&weights);
        out.extend(&latents);
        Ok(GroupBytes {
            header,
            weights: weights_bytes.into(),
            latents: latents_bytes.into(),
        })
    }

    /// How the network is coded after `previous`.
    pub fn syntax<'a>(&self, previous: Option<&'a QuantizedNetwork>) -> Syntax<'a> {
        syntax(&self.arch, previous)
    }

    /// Bits, rounded, that each grid's latents take, the finest first; none if the group is no pyramid.
    /// `graph` is the lowering of its representation.
    pub fn grid_bits(&self, graph: &Graph, predictor: &mut dyn Predictor) -> Result<Vec<u64>> {
        let (Some(header), Op::Pyramid(source)) = (self.arch.context_coded(), graph.nodes[0].op)
        else {
            return Ok(Vec::new());
        };
        let network = ContextNetwork::new(&self.network.tensors, source.fraction())?;
        let grid = |level: usize| {
            let (mut cost, mut values) = (Cost::default(), self.latents.clone());
            // neighbours are of the same grid, so others may be left out
            let others = header.empty | !(1 << level);
            code_pyramids(&mut cost, &source, &network, others, predictor, &mut values)?;
            Ok((cost.units + Cost::UNIT / 2) / Cost::UNIT)
        };
        (0..source.grids).map(grid).collect()
    }

    fn coded_latents(&self, graph: &Graph) -> Result<Vec<u8>> {
        let coded = |temporal| {
            let (mut e, mut values) = (Encoder::default(), self.latents.clone());
            let (coded, passes) = ((&self.arch, graph, 0), graph.passes(self.frames));
            let network = &mut self.network.clone();
            let plain = &mut Plain::default();
            code_latents(&mut e, coded, network, passes, temporal, plain, &mut values)?;
            Ok::<Vec<u8>, Error>(e.finish())
        };
        let plain = coded(false)?;
        if self.arch.context_coded().is_some() {
            return Ok(plain);
        }
        // residuals may leave the range that latents keep to; then there is no prediction
        Ok(coded(true)
            .ok()
            .filter(|p| p.len() < plain.len())
            .unwrap_or(plain))
    }
}
