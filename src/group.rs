//! One group: headers, network and latents, to bytes and back (spec sections 3.3, 4 and 6).

use crate::bitstream::Limits;
use crate::bitstream::fields::{FieldSpec, Reader};
use crate::bitstream::header::{
    GroupHeader, HnervHeader, HnervStage, NervHeader, NervppHeader, NirvanaHeader,
};
use crate::entropy::scaled::Scaled;
use crate::entropy::tensor::{QuantizedNetwork, Syntax, blank_network, code_network};
use crate::entropy::{Coder, Decoder, Encoder, latent};
use crate::error::{Error, Result};
use crate::frame::VideoInfo;
use crate::network::Graph;
use crate::network::hnerv::{self, Hnerv};
use crate::network::nerv::{self, Nerv};
use crate::network::nirvana::{self, Nirvana};

/// A representation's own header fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arch {
    /// Spec sections 6.1 and 6.5.
    Hnerv(Hnerv),
    /// Spec sections 6.2 and 6.3.
    Nerv(Nerv),
    /// Spec section 6.4.
    Nirvana(Nirvana),
}

impl Arch {
    /// Name as the command line has it.
    pub fn name(&self) -> &'static str {
        match self {
            Arch::Hnerv(_) => "hnerv",
            Arch::Nerv(n) if n.plus.is_some() => "nervpp",
            Arch::Nerv(_) => "nerv",
            Arch::Nirvana(_) => "nirvana",
        }
    }

    /// Architecture id in the group header.
    pub fn id(&self) -> u32 {
        match self {
            Arch::Hnerv(h) if h.tanh => hnerv::TANH_ARCH_ID,
            Arch::Hnerv(_) => hnerv::ARCH_ID,
            Arch::Nerv(n) if n.plus.is_some() => nerv::PLUS_ARCH_ID,
            Arch::Nerv(_) => nerv::ARCH_ID,
            Arch::Nirvana(_) => nirvana::ARCH_ID,
        }
    }

    /// The graph for pictures of `info` in a group of `frames`.
    pub fn lower(&self, info: &VideoInfo, frames: usize) -> Result<Graph> {
        match self {
            Arch::Hnerv(h) => h.lower(info),
            Arch::Nerv(n) => n.lower(info, frames),
            Arch::Nirvana(n) => n.lower(info, frames),
        }
    }

    /// Names and values of its fields, in stream order, but for those of the stages.
    pub fn dump(&self) -> Vec<(&'static str, u32)> {
        match self {
            Arch::Hnerv(h) => h.header.dump(),
            Arch::Nerv(n) => n
                .header
                .dump()
                .into_iter()
                .chain(n.plus.iter().flat_map(|p| p.dump()))
                .collect(),
            Arch::Nirvana(n) => n.header.dump(),
        }
    }

    /// Refuses fields that no header can hold.
    pub fn check_fields(&self) -> Result<()> {
        let own: Vec<&FieldSpec> = match self {
            Arch::Hnerv(_) => HnervHeader::FIELDS.iter().collect(),
            Arch::Nerv(n) => NervHeader::FIELDS
                .iter()
                .chain(NervppHeader::FIELDS.iter().filter(|_| n.plus.is_some()))
                .collect(),
            Arch::Nirvana(_) => NirvanaHeader::FIELDS.iter().collect(),
        };
        let stages = self
            .stages()
            .iter()
            .flat_map(|s| HnervStage::FIELDS.iter().zip(s.dump()));
        match own
            .into_iter()
            .zip(self.dump())
            .chain(stages)
            .find(|(f, (_, v))| !(f.min..=f.max).contains(v))
        {
            Some((f, (_, v))) => Err(Error::Unsupported(format!(
                "{} is {v} (allowed {}..={})",
                f.name, f.min, f.max
            ))),
            None => Ok(()),
        }
    }

    /// Its upsampling stages.
    pub fn stages(&self) -> &[HnervStage] {
        match self {
            Arch::Hnerv(h) => &h.stages,
            Arch::Nerv(n) => &n.stages,
            Arch::Nirvana(_) => &[],
        }
    }

    fn read(id: u32, r: &mut Reader<'_>) -> Result<Self> {
        let stages = |r: &mut Reader<'_>, n: u32| {
            (0..n)
                .map(|_| HnervStage::read(r))
                .collect::<Result<Vec<_>>>()
        };
        match id {
            hnerv::ARCH_ID | hnerv::TANH_ARCH_ID => {
                let header = HnervHeader::read(r)?;
                let stages = stages(r, header.stages)?;
                Ok(Arch::Hnerv(Hnerv {
                    header,
                    stages,
                    tanh: id == hnerv::TANH_ARCH_ID,
                }))
            }
            nerv::ARCH_ID | nerv::PLUS_ARCH_ID => {
                let header = NervHeader::read(r)?;
                let plus = (id == nerv::PLUS_ARCH_ID)
                    .then(|| NervppHeader::read(r))
                    .transpose()?;
                let stages = stages(r, header.stages)?;
                Ok(Arch::Nerv(Nerv {
                    header,
                    plus,
                    stages,
                }))
            }
            nirvana::ARCH_ID => Ok(Arch::Nirvana(Nirvana {
                header: NirvanaHeader::read(r)?,
            })),
            _ => Err(Error::Unsupported(format!(
                "architecture {id} (this decoder knows 1 to 5)"
            ))),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Arch::Hnerv(h) => {
                h.header.write(out);
                h.stages.iter().for_each(|s| s.write(out));
            }
            Arch::Nerv(n) => {
                n.header.write(out);
                n.plus.iter().for_each(|p| p.write(out));
                n.stages.iter().for_each(|s| s.write(out));
            }
            Arch::Nirvana(n) => n.header.write(out),
        }
    }
}

/// How the network of a group of architecture `id` is coded; `previous` is that of the group before
/// it in the section.
pub fn syntax(id: u32, previous: Option<&QuantizedNetwork>) -> Syntax<'_> {
    if id == hnerv::ARCH_ID {
        Syntax::Plain
    } else {
        Syntax::Modes { previous }
    }
}

fn code_latents<C: Coder>(
    c: &mut C,
    id: u32,
    graph: &Graph,
    passes: usize,
    temporal: bool,
    scaled: &mut Option<Box<Scaled>>,
    values: &mut [i16],
) -> Result<()> {
    match id {
        hnerv::TANH_ARCH_ID => {
            latent::code_either(c, graph.latent_shape(), passes, temporal, scaled, values)
        }
        _ => latent::code_latents(c, graph.latent_shape(), passes, temporal, values),
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
            .map_err(|e| with_offset(e, offset))?;
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
        let values = graph.params() + latents;
        // a value costs at least 2^-10 bits (spec section 4.3), so more cannot be in there
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
        syntax(self.header.arch, None) != Syntax::Plain
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
        let syntax = syntax(self.header.arch, previous);
        code_network(
            &mut Decoder::new(weights, at)?,
            &self.graph,
            &blank_network(&self.graph),
            syntax,
        )
    }

    /// Decodes network and latents; `previous` as in [`GroupLayout::decode_network`].
    pub fn decode(&self, r: &mut Reader<'_>, previous: Option<&QuantizedNetwork>) -> Result<Group> {
        let mut network = self.decode_network(r, previous)?;
        let at_latents = r.offset();
        let coded = r.bytes(self.header.latents_bytes as usize, "coded latents")?;
        let passes = self.graph.passes(self.header.frames as usize);
        let mut latents = vec![0; self.graph.latent_len() * passes];
        if self.graph.has_latents() {
            let mut decoder = Decoder::new(coded, at_latents)?;
            code_latents(
                &mut decoder,
                self.header.arch,
                &self.graph,
                passes,
                false,
                &mut network.scaled_latents,
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

/// Gives an error from a header's interpretation its place in the file.
pub(crate) fn with_offset(e: Error, offset: u64) -> Error {
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
        syntax(self.arch.id(), previous)
    }

    fn coded_latents(&self, graph: &Graph) -> Result<Vec<u8>> {
        let latents = [false, true].map(|temporal| {
            let (mut e, mut values, mut scaled) = (
                Encoder::default(),
                self.latents.clone(),
                self.network.scaled_latents.clone(),
            );
            code_latents(
                &mut e,
                self.arch.id(),
                graph,
                graph.passes(self.frames),
                temporal,
                &mut scaled,
                &mut values,
            )
            .map(|()| e.finish())
        });
        let [plain, predicted] = latents;
        let plain = plain?;
        // residuals may leave the range that latents keep to; then there is no prediction
        Ok(predicted
            .ok()
            .filter(|p| p.len() < plain.len())
            .unwrap_or(plain))
    }
}
